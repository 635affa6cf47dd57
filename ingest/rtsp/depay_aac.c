/* RFC 3640, modes AAC-hbr and AAC-lbr: AU headers, then the frames; or one frame over several packets. */
#include <string.h>

#include "codec/bits.h"
#include "depay.h"

#define FRAME_SAMPLES 1024
#define FRAME_MAX     8192 /* 6144 bits a channel, 8 channels, and a little */

void aac_depay_init(struct aac_depay *depay, const struct aac_format *format, uint32_t clock,
                    const struct depay_sink *sink)
{
    *depay = (struct aac_depay){.format = *format, .clock = clock, .sink = *sink};
}

void aac_depay_fini(struct aac_depay *depay)
{
    se_buf_unref(&depay->partial);
}

static void emit(struct aac_depay *depay, struct se_buf *data, int64_t time, se_mono_us arrived_us)
{
    struct access_unit *unit = data ? access_unit_new(CODEC_AAC, data) : NULL;
    if (!unit) {
        depay->stats.damaged++;
        return;
    }
    unit->keyframe = true;
    unit->pts_90k = (int64_t)((__int128)time * 90000 / depay->clock);
    unit->arrived_us = arrived_us;
    depay->stats.units++;
    depay->sink.unit(depay->sink.ctx, unit);
    access_unit_unref(&unit);
}

static void drop_partial(struct aac_depay *depay)
{
    if (depay->partial)
        depay->stats.damaged++;
    se_buf_unref(&depay->partial);
}

/* Each packet of a fragmented frame repeats its AU header with the whole size. */
static void fragment(struct aac_depay *depay, const uint8_t *data, size_t size, size_t whole, int64_t time,
                     se_mono_us arrived_us)
{
    if (depay->partial && (depay->partial_time != time || depay->partial->size != whole))
        drop_partial(depay);
    if (!depay->partial) {
        depay->partial = se_buf_new(whole);
        depay->used = 0;
        depay->partial_time = time;
        if (!depay->partial)
            return;
    }
    if (size > whole - depay->used) {
        drop_partial(depay);
        return;
    }
    memcpy(depay->partial->data + depay->used, data, size);
    depay->used += size;
    if (depay->used == whole) {
        struct se_buf *frame = depay->partial;
        depay->partial = NULL;
        emit(depay, frame, time, arrived_us);
    }
}

void aac_depay_packet(struct aac_depay *depay, const struct rtp_packet *packet, bool gap, int64_t time,
                      se_mono_us arrived_us)
{
    if (gap)
        drop_partial(depay);
    if (packet->size < 2)
        return;
    size_t header_bits = (size_t)packet->payload[0] << 8 | packet->payload[1],
           header = 2 + (header_bits + 7) / 8;
    if (header > packet->size || header_bits < depay->format.size_bits) {
        depay->stats.damaged++;
        return;
    }
    struct bits bits;
    bits_init(&bits, packet->payload + 2, header - 2);
    const uint8_t *data = packet->payload + header;
    size_t left = packet->size - header;
    for (unsigned i = 0; bits.at + depay->format.size_bits <= header_bits; i++) {
        size_t size = bits_u(&bits, depay->format.size_bits);
        bits_skip(&bits, i ? depay->format.delta_bits : depay->format.index_bits);
        int64_t at = time + (int64_t)i * FRAME_SAMPLES;
        if (!size || size > FRAME_MAX || (size > left && i)) {
            depay->stats.damaged++;
            return;
        }
        if (size > left || (depay->partial && i == 0 && depay->partial_time == time)) {
            fragment(depay, data, left, size, at, arrived_us);
            return;
        }
        drop_partial(depay);
        emit(depay, se_buf_copy(data, size), at, arrived_us);
        data += size;
        left -= size;
    }
}
