/* Parameter sets of H.264 and H.265: what a stream's pictures are, read from the sets, and
 * the configuration records that players want. Pure: bytes in, values out. */
#ifndef INGEST_CODEC_PARAMETER_SETS_H
#define INGEST_CODEC_PARAMETER_SETS_H

#include "access_unit.h"
#include "base/error.h"

#define PARAMETER_SET_MAX 400 /* bytes of one set; real ones have 10 to 120 */
#define PARAMETER_PPS_MAX 4   /* picture parameter sets kept of one stream */

/* What an SPS says. */
struct sps_info {
    unsigned id;
    unsigned width, height;  /* after cropping */
    unsigned profile, level; /* profile_idc, level_idc */
    unsigned compatibility;  /* H.264: constraint flags byte */
    unsigned reorder_frames;
    double fps; /* 0: not said */
    unsigned chroma_format, bit_depth_luma, bit_depth_chroma;
    /* H.265 only */
    uint8_t profile_tier_level[12]; /* general_*, as in the hvcC record */
    unsigned temporal_layers;
    bool temporal_nesting;
};

/* nal is a whole NAL unit, header included. -EBADMSG: not an SPS that makes sense. */
int h264_sps_parse(const uint8_t *nal, size_t size, struct sps_info *ret_info);
int h265_sps_parse(const uint8_t *nal, size_t size, struct sps_info *ret_info);
/* pic_parameter_set_id. -EBADMSG. */
int h264_pps_id(const uint8_t *nal, size_t size, unsigned *ret_id);
int h265_pps_id(const uint8_t *nal, size_t size, unsigned *ret_id);

/* The newest sets of one stream. Zero-initialised is empty. */
struct parameter_set {
    uint16_t size;
    uint8_t id;
    uint8_t data[PARAMETER_SET_MAX];
};
struct parameter_sets {
    enum codec codec;
    struct parameter_set vps, sps, pps[PARAMETER_PPS_MAX]; /* size 0: none */
    unsigned pps_oldest;                                   /* the one that the next new id replaces */
    bool changed;                                          /* since the last parameter_sets_build() */
};
/* Keeps a VPS, SPS or PPS when it parses; trailing zero bytes are left out. Other NAL units and bytes that
 * are there already change nothing. -EBADMSG it does not parse, -EMSGSIZE it is larger than any real one. */
int parameter_sets_add(struct parameter_sets *sets, const uint8_t *nal, size_t size);
/* Values and configuration record. -EAGAIN: a set is missing; -EMSGSIZE: together larger than the record. */
int parameter_sets_build(struct parameter_sets *sets, struct video_params *ret_params);

/* AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1): AAC only. -EBADMSG, -ENOTSUP another object type. */
int aac_config_parse(const uint8_t *config, size_t size, struct audio_params *ret_params);

#endif
