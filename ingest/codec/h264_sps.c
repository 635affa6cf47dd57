/* H.264 sequence parameter set, ITU-T H.264 7.3.2.1 and Annex E. */
#include <errno.h>

#include "bits.h"
#include "parameter_sets.h"

#define SIDE_MAX 16384 /* pixels; the largest level allows less */

static void scaling_list(struct bits *bits, unsigned size)
{
    int last = 8, next = 8;
    for (unsigned i = 0; i < size && !bits->over; i++) {
        if (next)
            next = (int)(((int64_t)last + bits_se(bits) + 256) % 256);
        if (next)
            last = next;
    }
}

static bool profile_has_chroma(unsigned profile)
{
    switch (profile) {
    case 100:
    case 110:
    case 122:
    case 244:
    case 44:
    case 83:
    case 86:
    case 118:
    case 128:
    case 138:
    case 139:
    case 134:
    case 135:
        return true;
    default:
        return false;
    }
}

static void hrd(struct bits *bits)
{
    unsigned count = bits_ue(bits) + 1;
    bits_skip(bits, 8);
    for (unsigned i = 0; i < count && i < 32 && !bits->over; i++) {
        bits_ue(bits);
        bits_ue(bits);
        bits_skip(bits, 1);
    }
    bits_skip(bits, 20);
}

/* E.1.1. Values beyond a truncated VUI keep their defaults: many cameras write one that ends early. */
static void vui(struct bits *bits, struct sps_info *info)
{
    if (bits_1(bits) && bits_u(bits, 8) == 255) /* aspect_ratio_idc Extended_SAR */
        bits_skip(bits, 32);
    if (bits_1(bits)) /* overscan_info */
        bits_skip(bits, 1);
    if (bits_1(bits)) { /* video_signal_type */
        bits_skip(bits, 4);
        if (bits_1(bits))
            bits_skip(bits, 24);
    }
    if (bits_1(bits)) { /* chroma_loc_info */
        bits_ue(bits);
        bits_ue(bits);
    }
    if (bits_1(bits)) { /* timing_info */
        uint32_t tick = bits_u(bits, 32), scale = bits_u(bits, 32);
        bits_skip(bits, 1);
        if (!bits->over && tick && scale)
            info->fps = (double)scale / (2.0 * tick);
    }
    bool nal_hrd = bits_1(bits);
    if (nal_hrd)
        hrd(bits);
    bool vcl_hrd = bits_1(bits);
    if (vcl_hrd)
        hrd(bits);
    if (nal_hrd || vcl_hrd)
        bits_skip(bits, 1);
    bits_skip(bits, 1); /* pic_struct_present_flag */
    if (bits_1(bits)) { /* bitstream_restriction */
        bits_skip(bits, 1);
        bits_ue(bits);
        bits_ue(bits);
        bits_ue(bits);
        bits_ue(bits);
        uint32_t reorder = bits_ue(bits);
        if (!bits->over && reorder <= 16)
            info->reorder_frames = reorder;
    }
}

/* What to assume where the VUI is silent: profiles without B-pictures, and pictures whose order is
 * their decoding order, need none. Else none as well: cameras that use B-pictures say so. */
int h264_sps_parse(const uint8_t *nal, size_t size, struct sps_info *ret_info)
{
    uint8_t raw[PARAMETER_SET_MAX];
    if (size < 5 || (nal[0] & 0x9f) != 7)
        return -EBADMSG;
    struct bits bits;
    bits_init(&bits, raw, nal_unescape(nal + 1, size - 1, raw, sizeof(raw)));

    struct sps_info info = {.chroma_format = 1, .bit_depth_luma = 8, .bit_depth_chroma = 8};
    info.profile = bits_u(&bits, 8);
    info.compatibility = bits_u(&bits, 8);
    info.level = bits_u(&bits, 8);
    info.id = bits_ue(&bits);
    bool planes = false;
    if (profile_has_chroma(info.profile)) {
        info.chroma_format = bits_ue(&bits);
        if (info.chroma_format == 3)
            planes = bits_1(&bits);
        info.bit_depth_luma = bits_ue(&bits) + 8;
        info.bit_depth_chroma = bits_ue(&bits) + 8;
        bits_skip(&bits, 1);
        if (bits_1(&bits)) {
            unsigned lists = info.chroma_format == 3 ? 12 : 8;
            for (unsigned i = 0; i < lists; i++)
                if (bits_1(&bits))
                    scaling_list(&bits, i < 6 ? 16 : 64);
        }
    }
    bits_ue(&bits); /* log2_max_frame_num_minus4 */
    unsigned order = bits_ue(&bits);
    if (order == 0) {
        bits_ue(&bits);
    } else if (order == 1) {
        bits_skip(&bits, 1);
        bits_se(&bits);
        bits_se(&bits);
        unsigned cycle = bits_ue(&bits);
        if (cycle > 255)
            return -EBADMSG;
        for (unsigned i = 0; i < cycle; i++)
            bits_se(&bits);
    }
    unsigned references = bits_ue(&bits);
    bits_skip(&bits, 1);
    uint64_t width = ((uint64_t)bits_ue(&bits) + 1) * 16;
    uint64_t height = ((uint64_t)bits_ue(&bits) + 1) * 16;
    bool frames_only = bits_1(&bits);
    if (!frames_only) {
        height *= 2;
        bits_skip(&bits, 1);
    }
    bits_skip(&bits, 1);
    if (bits_1(&bits)) {
        unsigned chroma = planes ? 0 : info.chroma_format;
        uint64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
        uint64_t unit_y = (chroma == 1 ? 2 : 1) * (frames_only ? 1 : 2);
        uint64_t left = bits_ue(&bits), right = bits_ue(&bits), top = bits_ue(&bits), bottom = bits_ue(&bits);
        uint64_t x = unit_x * (left + right), y = unit_y * (top + bottom);
        if (x >= width || y >= height)
            return -EBADMSG;
        width -= x;
        height -= y;
    }
    if (bits.over || info.id > 31 || order > 2 || references > 16 || info.chroma_format > 3 ||
        info.bit_depth_luma > 14 || info.bit_depth_chroma > 14 || width > SIDE_MAX || height > SIDE_MAX)
        return -EBADMSG;
    info.width = (unsigned)width;
    info.height = (unsigned)height;
    if (bits_1(&bits))
        vui(&bits, &info);
    *ret_info = info;
    return 0;
}

int h264_pps_id(const uint8_t *nal, size_t size, unsigned *ret_id)
{
    uint8_t raw[16];
    if (size < 2 || (nal[0] & 0x9f) != 8)
        return -EBADMSG;
    struct bits bits;
    bits_init(&bits, raw, nal_unescape(nal + 1, size - 1, raw, sizeof(raw)));
    unsigned id = bits_ue(&bits), sps = bits_ue(&bits);
    if (bits.over || id > 255 || sps > 31)
        return -EBADMSG;
    *ret_id = id;
    return 0;
}
