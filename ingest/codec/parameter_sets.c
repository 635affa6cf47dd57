/* Keeping a stream's sets, and the avcC and hvcC records made of them (ISO/IEC 14496-15 5.3.3, 8.3.3). */
#include "parameter_sets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { H264_SPS = 7, H264_PPS = 8, H265_VPS = 32, H265_SPS = 33, H265_PPS = 34 };

static void keep(struct parameter_sets *sets, struct parameter_set *slot, unsigned id, const uint8_t *nal,
                 size_t size)
{
    if (slot->size == size && slot->id == id && !memcmp(slot->data, nal, size))
        return;
    memcpy(slot->data, nal, size);
    slot->size = (uint16_t)size;
    slot->id = (uint8_t)id;
    sets->changed = true;
}

static void keep_pps(struct parameter_sets *sets, unsigned id, const uint8_t *nal, size_t size)
{
    struct parameter_set *slot = NULL;
    for (unsigned i = 0; i < PARAMETER_PPS_MAX && !slot; i++)
        if (!sets->pps[i].size || sets->pps[i].id == id)
            slot = &sets->pps[i];
    if (!slot) {
        slot = &sets->pps[sets->pps_oldest];
        sets->pps_oldest = (sets->pps_oldest + 1) % PARAMETER_PPS_MAX;
    }
    keep(sets, slot, id, nal, size);
}

int parameter_sets_add(struct parameter_sets *sets, const uint8_t *nal, size_t size)
{
    while (size && !nal[size - 1]) /* trailing_zero_8bits */
        size--;
    if (size < 2)
        return 0;
    bool avc = sets->codec == CODEC_H264;
    unsigned type = avc ? nal[0] & 31 : nal[0] >> 1 & 63;
    bool is_sps = type == (avc ? H264_SPS : H265_SPS), is_pps = type == (avc ? H264_PPS : H265_PPS);
    bool is_vps = !avc && type == H265_VPS;
    if (!is_sps && !is_pps && !is_vps)
        return 0;
    if (size > PARAMETER_SET_MAX)
        return -EMSGSIZE;

    int r = 0;
    if (is_sps) {
        struct sps_info info;
        r = avc ? h264_sps_parse(nal, size, &info) : h265_sps_parse(nal, size, &info);
        if (r == 0)
            keep(sets, &sets->sps, info.id, nal, size);
    } else if (is_pps) {
        unsigned id;
        r = avc ? h264_pps_id(nal, size, &id) : h265_pps_id(nal, size, &id);
        if (r == 0)
            keep_pps(sets, id, nal, size);
    } else {
        if (size < 4)
            return -EBADMSG;
        keep(sets, &sets->vps, nal[2] >> 4, nal, size);
    }
    return r;
}

/* A record being written; size goes on past the end so that the caller sees it did not fit. */
struct record {
    uint8_t *data;
    size_t size, cap;
};

static void put(struct record *record, const void *data, size_t size)
{
    if (record->size + size <= record->cap)
        memcpy(record->data + record->size, data, size);
    record->size += size;
}

static void put8(struct record *record, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    put(record, &byte, 1);
}

static void put_set(struct record *record, const struct parameter_set *set)
{
    put8(record, set->size >> 8);
    put8(record, set->size);
    put(record, set->data, set->size);
}

static unsigned pps_count(const struct parameter_sets *sets)
{
    unsigned n = 0;
    while (n < PARAMETER_PPS_MAX && sets->pps[n].size)
        n++;
    return n;
}

static void avc_record(const struct parameter_sets *sets, const struct sps_info *info, struct record *out)
{
    put8(out, 1);
    put(out, sets->sps.data + 1, 3);
    put8(out, 0xfc | 3); /* 4-byte lengths */
    put8(out, 0xe0 | 1);
    put_set(out, &sets->sps);
    unsigned count = pps_count(sets);
    put8(out, count);
    for (unsigned i = 0; i < count; i++)
        put_set(out, &sets->pps[i]);
    if (info->profile == 66 || info->profile == 77 || info->profile == 88)
        return;
    put8(out, 0xfc | info->chroma_format);
    put8(out, 0xf8 | (info->bit_depth_luma - 8));
    put8(out, 0xf8 | (info->bit_depth_chroma - 8));
    put8(out, 0);
}

static void hevc_array(struct record *out, unsigned type, const struct parameter_set *sets, unsigned count)
{
    put8(out, 0x80 | type); /* array_completeness: none is in the samples */
    put8(out, 0);
    put8(out, count);
    for (unsigned i = 0; i < count; i++)
        put_set(out, &sets[i]);
}

static void hevc_record(const struct parameter_sets *sets, const struct sps_info *info, struct record *out)
{
    put8(out, 1);
    put(out, info->profile_tier_level, sizeof(info->profile_tier_level));
    put8(out, 0xf0); /* min_spatial_segmentation_idc 0 */
    put8(out, 0);
    put8(out, 0xfc); /* parallelismType unknown */
    put8(out, 0xfc | info->chroma_format);
    put8(out, 0xf8 | (info->bit_depth_luma - 8));
    put8(out, 0xf8 | (info->bit_depth_chroma - 8));
    put8(out, 0); /* avgFrameRate unknown */
    put8(out, 0);
    put8(out, info->temporal_layers << 3 | (info->temporal_nesting ? 4u : 0u) | 3);
    put8(out, 3);
    hevc_array(out, H265_VPS, &sets->vps, 1);
    hevc_array(out, H265_SPS, &sets->sps, 1);
    hevc_array(out, H265_PPS, sets->pps, pps_count(sets));
}

/* ISO/IEC 14496-15 Annex E.3: profile, compatibility flags in reverse bit order, tier and level, and the
 * constraint bytes without trailing zero ones. */
static void hevc_mime(const struct sps_info *info, char *out, size_t size)
{
    const uint8_t *p = info->profile_tier_level;
    uint32_t flags = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4], reversed = 0;
    for (unsigned i = 0; i < 32; i++)
        reversed |= (flags >> i & 1) << (31 - i);
    static const char *const spaces[] = {"", "A", "B", "C"};
    int n = snprintf(out, size, "hvc1.%s%u.%X.%c%u", spaces[p[0] >> 6], info->profile, (unsigned)reversed,
                     p[0] & 0x20 ? 'H' : 'L', info->level);
    unsigned last = 6;
    while (last && !p[5 + last - 1])
        last--;
    for (unsigned i = 0; i < last && n > 0 && (size_t)n < size; i++)
        n += snprintf(out + n, size - (size_t)n, ".%X", p[5 + i]);
}

int parameter_sets_build(struct parameter_sets *sets, struct video_params *ret_params)
{
    bool avc = sets->codec == CODEC_H264;
    if (!sets->sps.size || !sets->pps[0].size || (!avc && !sets->vps.size))
        return -EAGAIN;
    struct sps_info info;
    int r = avc ? h264_sps_parse(sets->sps.data, sets->sps.size, &info)
                : h265_sps_parse(sets->sps.data, sets->sps.size, &info);
    if (r < 0)
        return r;
    struct video_params params = {.codec = sets->codec,
                                  .width = info.width,
                                  .height = info.height,
                                  .reorder_frames = info.reorder_frames,
                                  .fps = info.fps};
    struct record record = {.data = params.config, .cap = sizeof(params.config)};
    if (avc) {
        avc_record(sets, &info, &record);
        snprintf(params.mime, sizeof(params.mime), "avc1.%02x%02x%02x", info.profile, info.compatibility,
                 info.level);
    } else {
        hevc_record(sets, &info, &record);
        hevc_mime(&info, params.mime, sizeof(params.mime));
    }
    sets->changed = false;
    if (record.size > record.cap)
        return -EMSGSIZE;
    params.config_size = (unsigned)record.size;
    *ret_params = params;
    return 0;
}
