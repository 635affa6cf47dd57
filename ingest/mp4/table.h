/* The sample table of one track of a whole (not fragmented) MP4, ISO/IEC 14496-12 8.6 and 8.7. */
#ifndef MP4_TABLE_H
#define MP4_TABLE_H

#include "mp4/box.h"

/* Run-length coded pairs, as stts and ctts have them. */
struct mp4_runs {
    struct mp4_writer w;
    uint32_t runs, count, value; /* closed ones; the open one */
};

/* Zero-initialised is empty. Samples come chunk by chunk, in decoding order. */
struct mp4_table {
    struct mp4_runs times, offsets;
    struct mp4_writer syncs, sizes, chunks, places;
    uint32_t samples, sync_count, chunk_runs, chunk_count;
    uint32_t chunk_samples, chunk_description; /* of the newest run of chunks */
    int64_t first_dts_90k, first_pts_90k, last_dts_90k;
    uint32_t last_duration_90k;
    bool reordered;
};
struct mp4_sample;
/* Samples that lie together at `place` (from the start of mdat's content). dts is moved up where it would not
 * grow. */
void mp4_table_chunk(struct mp4_table *table, uint64_t place, uint32_t description, int64_t dts_90k,
                     const struct mp4_sample *samples, uint32_t count);
/* Ends the last sample. */
void mp4_table_end(struct mp4_table *table);
uint64_t mp4_table_duration(const struct mp4_table *table); /* of the media; after the end */
/* The boxes after stsd; `base` is where mdat's content begins in the file. */
void mp4_table_write(struct mp4_writer *w, const struct mp4_table *table, uint64_t base);
bool mp4_table_oom(const struct mp4_table *table);
void mp4_table_fini(struct mp4_table *table);

#endif
