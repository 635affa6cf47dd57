/* What a stream is made of, for decoders, descriptions and playlists. Plain values: copy freely. */
#ifndef INGEST_PARAMS_H
#define INGEST_PARAMS_H

#include <stdint.h>

#include "base/buf.h"

enum codec { CODEC_NONE, CODEC_H264, CODEC_H265, CODEC_AAC, CODEC_OTHER };

/* What a decoder must know before the first unit. Values only, so it can be copied. */
#define CODEC_CONFIG_MAX 1024
struct video_params {
    enum codec codec;
    unsigned width, height;           /* after cropping */
    unsigned reorder_frames;          /* 0: output order is decoding order */
    double fps;                       /* from the VUI, 0: not said */
    char mime[32];                    /* RFC 6381: "avc1.64001f", "hvc1.1.6.L93.B0" */
    uint8_t config[CODEC_CONFIG_MAX]; /* avcC / hvcC record, ISO/IEC 14496-15 */
    unsigned config_size;
};
/* The parameter sets of the configuration record as NAL units behind their 4-byte lengths, as they would
 * stand in front of a keyframe. -EBADMSG, -ENOMEM. Pure. */
int video_parameter_sets(const struct video_params *params, struct se_buf **ret_sets);
struct audio_params {
    enum codec codec; /* CODEC_AAC, or CODEC_OTHER with name */
    unsigned sample_rate, channels;
    char name[32];
    uint8_t config[64]; /* AudioSpecificConfig, ISO/IEC 14496-3 */
    unsigned config_size;
};

#endif
