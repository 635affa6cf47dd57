/* A stream in the words of SDP (RFC 8866), as DESCRIBE answers. Pure. */
#ifndef RTSP_DESCRIBE_H
#define RTSP_DESCRIBE_H

#include <stdbool.h>

#include "base/str.h"
#include "ingest/params.h"

enum { TRACK_VIDEO, TRACK_AUDIO, TRACKS };
#define PAYLOAD_TYPE(track) (96 + (track))

struct description {
    const struct video_params *video;
    const struct audio_params *audio; /* NULL: none */
    const struct se_buf *sets;        /* the video's parameter sets behind 4-byte lengths */
    uint64_t id;                      /* of the session, for the origin */
    const char *base;                 /* absolute control URLs begin with it; NULL: relative ones */
    const char *query;                /* "?ticket=…" that they carry, or "" */
    bool ipv6;
};
void describe(const struct description *description, struct se_str *out);

#endif
