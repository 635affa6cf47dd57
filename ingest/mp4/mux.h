/* Our own MP4 (ISO/IEC 14496-12, -14, -15): init segments, fragments, mfra; and whole files for playback.
 *
 * Both tracks run at 90 kHz. Video is track 1, audio track 2. */
#ifndef MP4_MUX_H
#define MP4_MUX_H

#include "access_unit.h"
#include "mp4/box.h"
#include "mp4/table.h"

#define MP4_TIMESCALE        90000
#define MP4_TRACK_VIDEO      1
#define MP4_TRACK_AUDIO      2
#define MP4_DESCRIPTIONS_MAX 16

/* What goes into ftyp and moov. */
struct mp4_movie {
    const struct video_params *video[MP4_DESCRIPTIONS_MAX]; /* one sample description each, in order */
    unsigned video_count;                                   /* 0: no video track */
    const struct audio_params *audio[MP4_DESCRIPTIONS_MAX];
    unsigned audio_count;
    int64_t edit_media_90k; /* fragmented: media time where presentation starts; 0: no edit list */
    /* A whole file instead: its samples, each track's edits from presentation time `from` on. */
    const struct mp4_table *tables[2]; /* video, audio; both NULL: fragmented */
    int64_t from_90k;                  /* on the tables' timeline */
    uint64_t duration_90k;             /* of the presentation */
    se_wall_ms created_ms;             /* 0: not said */
    uint64_t mdat_at;                  /* filled by mp4_file_head() */
};
/* NULL: out of memory, or a codec that the container cannot carry. */
struct se_buf *mp4_init_segment(const struct mp4_movie *movie);
/* The same of a whole file, with the head of an mdat of `bytes`: ftyp, moov, mdat's first 16 bytes. */
struct se_buf *mp4_file_head(struct mp4_movie *movie, uint64_t bytes);
/* Fills params->mime (RFC 6381) from its codec and config. */
void mp4_codec_string(struct video_params *params);
/* Can MP4 carry it, as written here? */
bool mp4_audio_supported(const struct audio_params *params);

struct mp4_sample {
    uint32_t size, duration_90k;
    int32_t cts_90k; /* presentation less decoding time */
    bool keyframe;
};
struct mp4_track_run {
    uint32_t track;
    uint32_t description; /* from 1 */
    uint64_t dts_90k;     /* of the first sample */
    const struct mp4_sample *samples;
    unsigned count;
};
/* Writes moof and the header of mdat; the payload of the runs, in their order, is to follow.
 * A run without samples is left out. */
void mp4_fragment_header(struct mp4_writer *w, uint32_t sequence, const struct mp4_track_run *runs,
                         unsigned run_count);

/* Where a keyframe's fragment lies in a file. */
struct mp4_index_entry {
    uint64_t time_90k; /* presentation time in the file */
    uint64_t moof_offset;
};
/* mfra with one tfra of the video track, and mfro. */
void mp4_mfra(struct mp4_writer *w, const struct mp4_index_entry *entries, unsigned count);

#endif
