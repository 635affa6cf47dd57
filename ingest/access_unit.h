/* Access units: one coded frame each, depacketized once, shared by all who need it. */
#ifndef INGEST_ACCESS_UNIT_H
#define INGEST_ACCESS_UNIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/time.h"

enum codec { CODEC_NONE, CODEC_H264, CODEC_H265, CODEC_AAC, CODEC_OTHER };

/* Immutable once shared. Video data is NAL units, each behind a 4-byte big-endian
 * length (ISO/IEC 14496-15), parameter sets and delimiters left out; audio data is one raw AAC frame. */
struct access_unit {
    _Atomic unsigned refs;
    enum codec codec;
    bool keyframe;         /* IDR or CRA/BLA: decoding can start here */
    int64_t pts_90k;       /* the camera's clock, unwrapped; may jump when the camera's does */
    se_mono_us arrived_us; /* when its last byte came */
    struct se_buf *data;
};
struct access_unit *
access_unit_new(enum codec codec,
                struct se_buf *data); /* takes data's reference; NULL: no memory (data is dropped) */
struct access_unit *access_unit_ref(struct access_unit *unit);
void access_unit_unref(struct access_unit **unit);

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
struct audio_params {
    enum codec codec; /* CODEC_AAC, or CODEC_OTHER with name */
    unsigned sample_rate, channels;
    char name[32];
    uint8_t config[64]; /* AudioSpecificConfig, ISO/IEC 14496-3 */
    unsigned config_size;
};

#endif
