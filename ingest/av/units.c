#include "av/units.h"

#include <errno.h>
#include <string.h>

void video_units_init(struct video_units *units, enum codec codec)
{
    *units = (struct video_units){.sets.codec = codec, .wait_key = true};
}

/* --- NAL units ------------------------------------------------------------------ */

/* Goes over the NAL units of a buffer. */
struct nals {
    const uint8_t *p, *end;
    unsigned length_size;
};

static const uint8_t *start_code(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 3; p++) {
        p = memchr(p, 0, (size_t)(end - p) - 2);
        if (!p)
            return end;
        if (!p[1] && p[2] == 1)
            return p;
    }
    return end;
}

static void nals_begin(struct nals *nals, const uint8_t *data, size_t size, unsigned length_size)
{
    *nals = (struct nals){data, data + size, length_size};
    if (!length_size)
        nals->p = start_code(data, nals->end);
}

/* 1 and the next one, 0 at the end, -EBADMSG: a length leads past the end. */
static int nals_next(struct nals *nals, const uint8_t **ret_nal, size_t *ret_size)
{
    if (nals->length_size) {
        if (nals->p == nals->end)
            return 0;
        size_t length = 0, left = (size_t)(nals->end - nals->p);
        if (left < nals->length_size)
            return -EBADMSG;
        for (unsigned i = 0; i < nals->length_size; i++)
            length = length << 8 | *nals->p++;
        if (length > left - nals->length_size)
            return -EBADMSG;
        *ret_nal = nals->p;
        *ret_size = length;
        nals->p += length;
        return 1;
    }
    if (nals->end - nals->p < 3)
        return 0;
    const uint8_t *nal = nals->p + 3, *next = start_code(nal, nals->end);
    nals->p = next;
    while (next > nal && !next[-1]) /* the next start code's zeros, or trailing ones */
        next--;
    *ret_nal = nal;
    *ret_size = (size_t)(next - nal);
    return 1;
}

enum nal_kind { NAL_OTHER, NAL_PICTURE, NAL_KEY, NAL_SET, NAL_DROPPED };

static enum nal_kind nal_kind(enum codec codec, const uint8_t *nal, size_t size)
{
    if (codec == CODEC_H264) {
        unsigned type = size ? nal[0] & 31 : 0;
        if (type == 7 || type == 8)
            return NAL_SET;
        if (type == 0 || type == 9 || (type >= 10 && type <= 12) || type >= 24)
            return NAL_DROPPED;
        return type == 5 ? NAL_KEY : type <= 4 ? NAL_PICTURE : NAL_OTHER;
    }
    if (size < 2)
        return NAL_DROPPED;
    unsigned type = nal[0] >> 1 & 63;
    if (type < 32)
        return type >= 16 && type <= 23 ? NAL_KEY : NAL_PICTURE;
    return type <= 34 ? NAL_SET : type <= 38 || type >= 48 ? NAL_DROPPED : NAL_OTHER;
}

/* --- configuration ---------------------------------------------------------------- */

/* Parameter sets behind 16-bit lengths. Where they end, or NULL. */
static const uint8_t *add_sets(struct video_units *units, const uint8_t *p, const uint8_t *end,
                               unsigned count)
{
    for (; count; count--) {
        if (end - p < 2)
            return NULL;
        size_t size = (size_t)p[0] << 8 | p[1];
        if ((size_t)(end - p) < 2 + size)
            return NULL;
        (void)parameter_sets_add(&units->sets, p + 2, size);
        p += 2 + size;
    }
    return p;
}

/* ISO/IEC 14496-15 5.3.3.1 */
static void take_avcc(struct video_units *units, const uint8_t *config, size_t size)
{
    const uint8_t *end = config + size, *p;
    units->length_size = (config[4] & 3) + 1;
    p = add_sets(units, config + 6, end, config[5] & 31);
    if (p && p < end)
        (void)add_sets(units, p + 1, end, *p);
}

/* ISO/IEC 14496-15 8.3.3.1 */
static void take_hvcc(struct video_units *units, const uint8_t *config, size_t size)
{
    const uint8_t *end = config + size, *p = config + 23;
    units->length_size = (config[21] & 3) + 1;
    for (unsigned arrays = config[22]; p && arrays && end - p >= 3; arrays--)
        p = add_sets(units, p + 3, end, (unsigned)p[1] << 8 | p[2]);
}

void video_units_config(struct video_units *units, const uint8_t *config, size_t size)
{
    bool avc = units->sets.codec == CODEC_H264;
    if (size >= (avc ? 7 : 23) && config[0] == 1) {
        if (avc)
            take_avcc(units, config, size);
        else
            take_hvcc(units, config, size);
        return;
    }
    struct nals nals;
    const uint8_t *nal;
    size_t n;
    nals_begin(&nals, config, size, 0);
    while (nals_next(&nals, &nal, &n) > 0)
        if (nal_kind(units->sets.codec, nal, n) == NAL_SET)
            (void)parameter_sets_add(&units->sets, nal, n);
}

/* Hands on what decoders must know before this keyframe, when it is new. */
static bool ready(struct video_units *units, bool keyframe, bool *ret_new)
{
    if (!keyframe)
        return !units->wait_key;
    struct video_params params = units->params;
    if ((units->sets.changed || !params.config_size) && parameter_sets_build(&units->sets, &params) < 0 &&
        !params.config_size)
        return false;
    if (params.config_size != units->params.config_size ||
        memcmp(params.config, units->params.config, params.config_size) != 0) {
        units->params = params;
        *ret_new = true;
    }
    units->wait_key = false;
    return true;
}

/* --- pictures ----------------------------------------------------------------------- */

static int copy_nals(const struct video_units *units, const uint8_t *data, size_t size, size_t whole,
                     struct access_unit **ret_unit)
{
    struct se_buf *buf = se_buf_new(whole);
    if (!buf)
        return -ENOMEM;
    struct nals nals;
    const uint8_t *nal;
    size_t n;
    uint8_t *out = buf->data;
    nals_begin(&nals, data, size, units->length_size);
    while (nals_next(&nals, &nal, &n) > 0) {
        enum nal_kind kind = nal_kind(units->sets.codec, nal, n);
        if (kind == NAL_SET || kind == NAL_DROPPED)
            continue;
        out[0] = (uint8_t)(n >> 24);
        out[1] = (uint8_t)(n >> 16);
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
        memcpy(out + 4, nal, n);
        out += 4 + n;
    }
    *ret_unit = access_unit_new(units->sets.codec, buf);
    return *ret_unit ? 0 : -ENOMEM;
}

int video_units_take(struct video_units *units, const uint8_t *data, size_t size, bool *ret_new,
                     struct access_unit **ret_unit)
{
    struct nals nals;
    const uint8_t *nal;
    size_t n, whole = 0;
    bool picture = false, keyframe = false;
    int r;
    *ret_new = false;
    nals_begin(&nals, data, size, units->length_size);
    while ((r = nals_next(&nals, &nal, &n)) > 0) {
        enum nal_kind kind = nal_kind(units->sets.codec, nal, n);
        if (kind == NAL_SET)
            (void)parameter_sets_add(&units->sets, nal, n);
        if (kind == NAL_SET || kind == NAL_DROPPED)
            continue;
        picture |= kind != NAL_OTHER;
        keyframe |= kind == NAL_KEY;
        whole += 4 + n;
    }
    if (r < 0)
        return r;
    if (whole > UNIT_BYTES_MAX)
        return -EMSGSIZE;
    if (!picture || !ready(units, keyframe, ret_new))
        return -EAGAIN;
    struct access_unit *unit = NULL;
    r = copy_nals(units, data, size, whole, &unit);
    if (r < 0)
        return r;
    unit->keyframe = keyframe;
    *ret_unit = unit;
    return 0;
}

/* --- sound -------------------------------------------------------------------------- */

int audio_units_config(struct audio_units *units, const uint8_t *config, size_t size)
{
    return aac_config_parse(config, size, &units->params);
}

/* ISO/IEC 14496-3 1.A.2.2: the header's size, 0: it is none, -errno; *ret_config is its AudioSpecificConfig.
 */
static int adts_header(const uint8_t *data, size_t size, uint8_t ret_config[2])
{
    if (size < 7 || data[0] != 0xff || (data[1] & 0xf6) != 0xf0)
        return 0;
    unsigned header = data[1] & 1 ? 7 : 9, length = (data[3] & 3u) << 11 | data[4] << 3 | data[5] >> 5;
    if (length != size)
        return 0;
    if (length < header || data[6] & 3) /* several frames in one: nobody sends that */
        return -EBADMSG;
    unsigned type = (data[2] >> 6) + 1u, rate = data[2] >> 2 & 15,
             channels = (data[2] & 1u) << 2 | data[3] >> 6;
    ret_config[0] = (uint8_t)(type << 3 | rate >> 1);
    ret_config[1] = (uint8_t)(rate << 7 | channels << 3);
    return (int)header;
}

int audio_units_take(struct audio_units *units, const uint8_t *data, size_t size, bool *ret_new,
                     struct access_unit **ret_unit)
{
    uint8_t config[2];
    int header = adts_header(data, size, config);
    *ret_new = false;
    if (header < 0)
        return header;
    if (header && (units->params.config_size != sizeof(config) ||
                   memcmp(units->params.config, config, sizeof(config)) != 0)) {
        int r = aac_config_parse(config, sizeof(config), &units->params);
        if (r < 0)
            return r;
        *ret_new = true;
    }
    if (!units->params.config_size)
        return -EAGAIN;
    if (size == (size_t)header || size > UNIT_BYTES_MAX)
        return -EBADMSG;
    struct se_buf *buf = se_buf_copy(data + header, size - (size_t)header);
    struct access_unit *unit = buf ? access_unit_new(CODEC_AAC, buf) : NULL;
    if (!unit)
        return -ENOMEM;
    *ret_unit = unit;
    return 0;
}

/* --- time --------------------------------------------------------------------------- */

int64_t unwrap_90k(struct unwrap *unwrap, int64_t time, unsigned bits)
{
    if (bits < 2 || bits > 62)
        return time;
    int64_t round = INT64_C(1) << bits, at = time + unwrap->offset;
    if (unwrap->any && at < unwrap->last - round / 2) {
        unwrap->offset += round;
        at += round;
    } else if (unwrap->any && at > unwrap->last + round / 2 && unwrap->offset) {
        at -= round; /* a straggler from before the last wrap */
        return at;
    }
    unwrap->last = at;
    unwrap->any = true;
    return at;
}
