#include <errno.h>

#include "ingest/params.h"
#include "mp4/mux.h"

/* `count` NAL units behind 2-byte lengths, from *at on. */
static int copy_units(struct mp4_writer *w, const uint8_t *config, size_t size, size_t *at, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (size - *at < 2)
            return -EBADMSG;
        size_t length = mp4_get_u16(config + *at);
        *at += 2;
        if (length > size - *at)
            return -EBADMSG;
        mp4_u32(w, (uint32_t)length);
        mp4_bytes(w, config + *at, length);
        *at += length;
    }
    return 0;
}

/* ISO/IEC 14496-15 5.3.3.1 */
static int avcc(struct mp4_writer *w, const uint8_t *config, size_t size)
{
    size_t at = 6;
    if (size < 7)
        return -EBADMSG;
    int r = copy_units(w, config, size, &at, config[5] & 0x1f);
    if (r < 0 || at >= size)
        return r < 0 ? r : -EBADMSG;
    unsigned count = config[at++];
    return copy_units(w, config, size, &at, count);
}

/* ISO/IEC 14496-15 8.3.3.1 */
static int hvcc(struct mp4_writer *w, const uint8_t *config, size_t size)
{
    size_t at = 23;
    int r = size < 23 ? -EBADMSG : 0;
    for (unsigned array = 0; r == 0 && array < config[22]; array++) {
        if (size - at < 3)
            return -EBADMSG;
        unsigned count = mp4_get_u16(config + at + 1);
        at += 3;
        r = copy_units(w, config, size, &at, count);
    }
    return r;
}

int video_parameter_sets(const struct video_params *params, struct se_buf **ret_sets)
{
    struct mp4_writer w = {0};
    int r = params->codec == CODEC_H264   ? avcc(&w, params->config, params->config_size)
            : params->codec == CODEC_H265 ? hvcc(&w, params->config, params->config_size)
                                          : -EBADMSG;
    struct se_buf *sets = r == 0 && w.len ? mp4_take(&w) : NULL;
    mp4_fini(&w);
    if (r < 0)
        return r;
    if (!sets)
        return -ENOMEM;
    *ret_sets = sets;
    return 0;
}
