/* Packets as libavformat gives them into access units: H.264 and H.265 in Annex B or behind lengths, AAC raw
 * or behind ADTS headers. Pure but for the memory of the units. */
#ifndef INGEST_AV_UNITS_H
#define INGEST_AV_UNITS_H

#include "codec/parameter_sets.h"

#define UNIT_BYTES_MAX (16u * 1024 * 1024)

struct video_units {
    struct parameter_sets sets; /* sets.codec is the stream's */
    struct video_params params; /* as last handed on; config_size 0: never */
    unsigned length_size;       /* of the lengths before NAL units; 0: Annex B */
    bool wait_key;
};
void video_units_init(struct video_units *units, enum codec codec);
/* What stands beside the stream: an avcC or hvcC record, or parameter sets in Annex B. Bytes that are no such
 * thing change nothing. */
void video_units_config(struct video_units *units, const uint8_t *config, size_t size);
/* One coded picture. 0 and a unit of the caller's; *ret_new says that params are new with it. -EAGAIN: none
 * to hand on (parameter sets alone, or no keyframe came yet); -EBADMSG: broken; -EMSGSIZE; -ENOMEM. */
int video_units_take(struct video_units *units, const uint8_t *data, size_t size, bool *ret_new,
                     struct access_unit **ret_unit);

struct audio_units {
    struct audio_params params; /* config_size 0: not known yet */
};
/* An AudioSpecificConfig beside the stream. -ENOTSUP: an AAC that is not carried on; -EBADMSG. */
int audio_units_config(struct audio_units *units, const uint8_t *config, size_t size);
/* One AAC frame; an ADTS header (ISO/IEC 14496-3 1.A.2) tells the config and is taken off. -EAGAIN: nothing
 * is known of the stream yet; -ENOTSUP, -EBADMSG, -ENOMEM. */
int audio_units_take(struct audio_units *units, const uint8_t *data, size_t size, bool *ret_new,
                     struct access_unit **ret_unit);

/* Timestamps of few bits (33 in MPEG-TS) made to run on. */
struct unwrap {
    int64_t last, offset;
    bool any;
};
int64_t unwrap_90k(struct unwrap *unwrap, int64_t time, unsigned bits);

#endif
