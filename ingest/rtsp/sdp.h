/* Session descriptions (RFC 8866) of cameras: what can be set up, and how it is coded. Pure. */
#ifndef INGEST_RTSP_SDP_H
#define INGEST_RTSP_SDP_H

#include "codec/parameter_sets.h"
#include "ingest/text.h"

#define SDP_MEDIA_MAX 16

enum sdp_kind { SDP_VIDEO, SDP_AUDIO, SDP_OTHER };

/* One m= section. Pieces point into the text that was parsed. */
struct sdp_media {
    enum sdp_kind kind;
    enum codec codec; /* CODEC_OTHER: known by name only */
    unsigned payload; /* RTP payload type */
    uint32_t clock;   /* Hz */
    unsigned channels;
    bool encrypted;   /* SRTP: kind is SDP_OTHER then */
    struct text name; /* encoding name, "H264" */
    struct text control, fmtp;
};
struct sdp {
    struct text control; /* of the session */
    unsigned media_count;
    struct sdp_media media[SDP_MEDIA_MAX];
};

/* -EBADMSG: no session description. Media beyond the bound and lines that nobody knows are left out. */
int sdp_parse(const void *data, size_t size, struct sdp *ret_sdp);

/* The value of a format parameter ("sprop-parameter-sets"), without quotes; empty when it is not there. */
struct text sdp_fmtp(struct text fmtp, const char *name);
/* Adds what the description says of parameter sets; those that do not parse are left out: they come in band.
 */
void sdp_parameter_sets(const struct sdp_media *media, struct parameter_sets *sets);
/* How RTP carries AAC (RFC 3640 4.1): bits of an AU header's fields. */
struct aac_format {
    unsigned size_bits, index_bits, delta_bits;
};
/* -ENOTSUP: a mode or object type that is not carried, -EBADMSG: it contradicts itself. */
int sdp_aac(const struct sdp_media *media, struct aac_format *ret_format, struct audio_params *ret_params);

#endif
