/* Boxes around a stream's shared samples, for whoever serves them in pieces of their own (live HLS).
 * Video is track 1, audio track 2, both at 90 kHz. Pure; any thread. */
#ifndef INGEST_FRAGMENT_H
#define INGEST_FRAGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "ingest/params.h"

/* One sample as hub_read() gave it. */
struct media_sample {
    struct se_buf *data;
    int64_t dts_90k, pts_90k; /* on the media timeline */
    uint32_t duration_90k;
    bool keyframe; /* of video; every audio sample is one */
};
/* ftyp and moov of the video and, where audio is not NULL, the audio beside it. NULL: out of memory, or a
 * codec that MP4 does not carry. */
struct se_buf *media_init_segment(const struct video_params *video, const struct audio_params *audio);
/* moof and the head of mdat of one fragment. The samples' bytes are to follow: all of video, then all of
 * audio; together below 4 GiB. NULL: out of memory. */
struct se_buf *media_fragment_head(uint32_t sequence, const struct media_sample *video, unsigned video_count,
                                   const struct media_sample *audio, unsigned audio_count);

#endif
