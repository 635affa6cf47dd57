/* Reading of fragmented MP4 as this program writes it: pure but for the input's read, bounded,
 * made for files that a power cut or somebody else's hand left. */
#ifndef MP4_SCAN_H
#define MP4_SCAN_H

#include "access_unit.h"
#include "mp4/box.h"
#include "mp4/mux.h"

#define MP4_MOOF_MAX    (1u << 20)
#define MP4_MOOV_MAX    (1u << 20)
#define MP4_SAMPLES_MAX 8192u

/* Bytes to look at: a file or memory. read fills out entirely from offset, or returns -errno. */
struct mp4_input {
    int (*read)(const struct mp4_input *input, uint64_t offset, void *out, size_t size);
    uint64_t size;
    const void *memory;
    int fd;
};
struct mp4_input mp4_input_memory(const void *data, size_t size);
struct mp4_input mp4_input_fd(int fd, uint64_t size);

/* What ftyp and moov say. */
struct mp4_init {
    uint64_t size;             /* bytes before the first fragment */
    struct video_params video; /* codec NONE: no video track; mime filled for H.264 and H.265 */
    struct audio_params audio;
    int64_t edit_media_90k; /* of the video track */
};
/* -EBADMSG: not a fragmented MP4 of ours. -EIO, -ENOMEM. */
int mp4_read_init(const struct mp4_input *input, struct mp4_init *ret_init);

struct mp4_traf {
    uint32_t track, description;
    uint64_t dts_90k, duration_90k; /* of the first sample; of all */
    uint32_t count;
    uint64_t payload;     /* bytes of all samples */
    uint64_t data_offset; /* of the first sample, from the file's start */
    bool keyframe;        /* begins with one */
    int32_t first_cts_90k;
    int64_t end_pts_90k;        /* latest presentation end */
    struct mp4_sample *samples; /* only when asked for; free() */
};
struct mp4_fragment {
    uint64_t offset;         /* of moof */
    uint64_t moof_size, end; /* end of mdat */
    unsigned traf_count;
    struct mp4_traf trafs[2];
};
/* The whole fragment at offset. -ENODATA: none whole there (the end, a torn one, or mfra);
 * -EBADMSG: garbage; -EIO; -ENOMEM. samples: fills the trafs' samples too. */
int mp4_read_fragment(const struct mp4_input *input, uint64_t offset, bool samples,
                      struct mp4_fragment *ret_fragment);
void mp4_fragment_fini(struct mp4_fragment *fragment);
/* Its video run, or NULL. */
const struct mp4_traf *mp4_fragment_track(const struct mp4_fragment *fragment, uint32_t track);

/* The index at the end of a finished file. entries: free(). -ENODATA: there is none. */
struct mp4_index {
    uint64_t data_end; /* where mfra begins */
    struct mp4_index_entry *entries;
    unsigned count;
};
int mp4_read_index(const struct mp4_input *input, struct mp4_index *ret_index);
/* The same made by walking all fragments from `from`; data_end: the end of the last whole one.
 * end_90k: latest presentation end of video. */
int mp4_walk(const struct mp4_input *input, uint64_t from, struct mp4_index *ret_index, int64_t *ret_end_90k);
void mp4_index_fini(struct mp4_index *index);

#endif
