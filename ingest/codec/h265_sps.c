/* H.265 sequence parameter set, ITU-T H.265 7.3.2.2 and Annex E. */
#include <errno.h>
#include <string.h>

#include "bits.h"
#include "parameter_sets.h"

#define SIDE_MAX 16384

enum { NAL_SPS = 33, NAL_PPS = 34 };

/* profile_tier_level(1, layers - 1), 7.3.3; the general part is kept as it stands. */
static void profile_tier_level(struct bits *bits, unsigned layers, struct sps_info *info)
{
    for (unsigned i = 0; i < sizeof(info->profile_tier_level); i++)
        info->profile_tier_level[i] = (uint8_t)bits_u(bits, 8);
    info->profile = info->profile_tier_level[0] & 31;
    info->level = info->profile_tier_level[11];
    if (layers < 2)
        return;
    bool profile[8] = {false}, level[8] = {false};
    for (unsigned i = 0; i < layers - 1; i++) {
        profile[i] = bits_1(bits);
        level[i] = bits_1(bits);
    }
    bits_skip(bits, 2 * (size_t)(8 - (layers - 1)));
    for (unsigned i = 0; i < layers - 1; i++)
        bits_skip(bits, (profile[i] ? 88 : 0) + (level[i] ? 8 : 0));
}

static void scaling_lists(struct bits *bits)
{
    for (unsigned size = 0; size < 4; size++)
        for (unsigned matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
            if (!bits_1(bits)) {
                bits_ue(bits);
                continue;
            }
            unsigned count = size == 0 ? 16 : 64;
            if (size > 1)
                bits_se(bits);
            for (unsigned i = 0; i < count && !bits->over; i++)
                bits_se(bits);
        }
}

/* st_ref_pic_set, 7.3.7. deltas[] holds NumDeltaPocs of the sets before. */
static int reference_set(struct bits *bits, unsigned index, uint8_t deltas[64])
{
    if (index && bits_1(bits)) { /* inter_ref_pic_set_prediction_flag */
        bits_skip(bits, 1);
        bits_ue(bits);
        unsigned used = 0;
        for (unsigned i = 0; i <= deltas[index - 1]; i++)
            if (bits_1(bits) || bits_1(bits)) /* used_by_curr_pic_flag, else use_delta_flag */
                used++;
        if (used > 32)
            return -EBADMSG;
        deltas[index] = (uint8_t)used;
        return 0;
    }
    uint32_t negative = bits_ue(bits), positive = bits_ue(bits);
    if (negative > 16 || positive > 16)
        return -EBADMSG;
    for (unsigned i = 0; i < negative + positive; i++) {
        bits_ue(bits);
        bits_skip(bits, 1);
    }
    deltas[index] = (uint8_t)(negative + positive);
    return 0;
}

/* Only the frame rate is wanted; what comes after is not read. */
static void vui(struct bits *bits, struct sps_info *info)
{
    if (bits_1(bits) && bits_u(bits, 8) == 255)
        bits_skip(bits, 32);
    if (bits_1(bits))
        bits_skip(bits, 1);
    if (bits_1(bits)) {
        bits_skip(bits, 4);
        if (bits_1(bits))
            bits_skip(bits, 24);
    }
    if (bits_1(bits)) {
        bits_ue(bits);
        bits_ue(bits);
    }
    bits_skip(bits, 3);
    if (bits_1(bits)) /* default_display_window */
        for (unsigned i = 0; i < 4; i++)
            bits_ue(bits);
    if (!bits_1(bits)) /* vui_timing_info_present_flag */
        return;
    uint32_t tick = bits_u(bits, 32), scale = bits_u(bits, 32);
    if (!bits->over && tick && scale)
        info->fps = (double)scale / tick;
}

/* From the coding block sizes to the VUI: nothing here matters but where it ends. */
static void rest(struct bits *bits, unsigned poc_bits, struct sps_info *info)
{
    for (unsigned i = 0; i < 6; i++)
        bits_ue(bits);
    if (bits_1(bits) && bits_1(bits))
        scaling_lists(bits);
    bits_skip(bits, 2);
    if (bits_1(bits)) { /* pcm_enabled_flag */
        bits_skip(bits, 8);
        bits_ue(bits);
        bits_ue(bits);
        bits_skip(bits, 1);
    }
    uint8_t deltas[64] = {0};
    uint32_t sets = bits_ue(bits);
    if (sets > 64)
        return;
    for (unsigned i = 0; i < sets; i++)
        if (bits->over || reference_set(bits, i, deltas) < 0)
            return;
    if (bits_1(bits)) { /* long_term_ref_pics_present_flag */
        uint32_t count = bits_ue(bits);
        if (count > 32)
            return;
        bits_skip(bits, (size_t)count * (poc_bits + 1));
    }
    bits_skip(bits, 2);
    if (bits_1(bits) && !bits->over)
        vui(bits, info);
}

int h265_sps_parse(const uint8_t *nal, size_t size, struct sps_info *ret_info)
{
    uint8_t raw[PARAMETER_SET_MAX];
    if (size < 16 || (nal[0] & 0x80) || (nal[0] >> 1 & 63) != NAL_SPS)
        return -EBADMSG;
    struct bits bits;
    bits_init(&bits, raw, nal_unescape(nal + 2, size - 2, raw, sizeof(raw)));

    struct sps_info info = {0};
    bits_skip(&bits, 4);
    info.temporal_layers = bits_u(&bits, 3) + 1;
    info.temporal_nesting = bits_1(&bits);
    if (info.temporal_layers > 7)
        return -EBADMSG;
    profile_tier_level(&bits, info.temporal_layers, &info);
    info.id = bits_ue(&bits);
    info.chroma_format = bits_ue(&bits);
    bool planes = info.chroma_format == 3 && bits_1(&bits);
    uint64_t width = bits_ue(&bits), height = bits_ue(&bits);
    if (bits_1(&bits)) { /* conformance_window_flag */
        unsigned chroma = planes ? 0 : info.chroma_format;
        uint64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1, unit_y = chroma == 1 ? 2 : 1;
        uint64_t left = bits_ue(&bits), right = bits_ue(&bits), top = bits_ue(&bits), bottom = bits_ue(&bits);
        uint64_t x = unit_x * (left + right), y = unit_y * (top + bottom);
        if (x >= width || y >= height)
            return -EBADMSG;
        width -= x;
        height -= y;
    }
    info.bit_depth_luma = bits_ue(&bits) + 8;
    info.bit_depth_chroma = bits_ue(&bits) + 8;
    unsigned poc_bits = bits_ue(&bits) + 4;
    unsigned layers = bits_1(&bits) ? info.temporal_layers : 1;
    for (unsigned i = 0; i < layers; i++) {
        bits_ue(&bits);
        info.reorder_frames = bits_ue(&bits); /* of the highest layer, the last one */
        bits_ue(&bits);
    }
    if (bits.over || info.id > 15 || info.chroma_format > 3 || info.bit_depth_luma > 16 ||
        info.bit_depth_chroma > 16 || poc_bits > 16 || info.reorder_frames > 16 || !width || !height ||
        width > SIDE_MAX || height > SIDE_MAX)
        return -EBADMSG;
    info.width = (unsigned)width;
    info.height = (unsigned)height;
    rest(&bits, poc_bits, &info);
    *ret_info = info;
    return 0;
}

int h265_pps_id(const uint8_t *nal, size_t size, unsigned *ret_id)
{
    uint8_t raw[16];
    if (size < 3 || (nal[0] & 0x80) || (nal[0] >> 1 & 63) != NAL_PPS)
        return -EBADMSG;
    struct bits bits;
    bits_init(&bits, raw, nal_unescape(nal + 2, size - 2, raw, sizeof(raw)));
    unsigned id = bits_ue(&bits), sps = bits_ue(&bits);
    if (bits.over || id > 63 || sps > 15)
        return -EBADMSG;
    *ret_id = id;
    return 0;
}
