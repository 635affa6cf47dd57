#include "rtsp/packetize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TOGETHER_MAX 32 /* NAL units in one aggregation packet */

struct packets *packets_ref(struct packets *packets)
{
    packets->refs++;
    return packets;
}

void packets_unref(struct packets **at)
{
    struct packets *packets = *at;
    *at = NULL;
    if (!packets || --packets->refs > 0)
        return;
    free(packets->bytes);
    free(packets->at);
    free(packets);
}

const uint8_t *packets_get(const struct packets *packets, unsigned number, size_t *ret_size)
{
    size_t end = number + 1 < packets->count ? packets->at[number + 1] : packets->size;
    size_t begin = packets->at[number] + INTERLEAVED_FRAME;
    *ret_size = end - begin;
    return packets->bytes + begin;
}

/* --- writing packets ----------------------------------------------------------------------------------- */

struct packer {
    struct packets *packets;
    size_t bytes_max, count_max;
    struct rtp_track track; /* a copy until all went well */
};

/* Room for a frame of that size: parameter sets and headers included. More is had by growing. */
static int begin(struct packer *packer, const struct rtp_track *track, uint32_t timestamp, size_t size)
{
    size_t count = size / (RTP_PAYLOAD_MAX - 3) + 4;
    struct packets *packets = calloc(1, sizeof(*packets));
    if (!packets)
        return -ENOMEM;
    *packer = (struct packer){packets, size + count * (INTERLEAVED_FRAME + RTP_HEADER + 8), count, *track};
    packets->refs = 1;
    packets->sequence = track->sequence;
    packets->timestamp = timestamp;
    packets->bytes = malloc(packer->bytes_max);
    packets->at = malloc(packer->count_max * sizeof(*packets->at));
    if (packets->bytes && packets->at)
        return 0;
    packets_unref(&packer->packets);
    return -ENOMEM;
}

static bool reserve(struct packer *packer, size_t size)
{
    struct packets *packets = packer->packets;
    if (packets->size + size > packer->bytes_max) {
        size_t max = (packets->size + size) * 2;
        uint8_t *bytes = max <= UINT32_MAX ? realloc(packets->bytes, max) : NULL;
        if (!bytes)
            return false;
        packets->bytes = bytes;
        packer->bytes_max = max;
    }
    if (packets->count == packer->count_max) {
        uint32_t *at = realloc(packets->at, packer->count_max * 2 * sizeof(*at));
        if (!at)
            return false;
        packets->at = at;
        packer->count_max *= 2;
    }
    return true;
}

static void put_be16(uint8_t *out, unsigned v)
{
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
}

static void put_be32(uint8_t *out, uint32_t v)
{
    put_be16(out, v >> 16);
    put_be16(out + 2, v & 0xffff);
}

/* A new packet with room for size bytes of payload (at most RTP_PAYLOAD_MAX), or NULL: no memory. RFC
 * 3550 5.1 */
static uint8_t *add(struct packer *packer, size_t size)
{
    struct packets *packets = packer->packets;
    if (!reserve(packer, INTERLEAVED_FRAME + RTP_HEADER + size))
        return NULL;
    uint8_t *out = packets->bytes + packets->size;
    packets->at[packets->count++] = (uint32_t)packets->size;
    packets->size += INTERLEAVED_FRAME + RTP_HEADER + size;
    out[0] = '$';
    out[1] = packer->track.channel;
    put_be16(out + 2, (unsigned)(RTP_HEADER + size));
    out[4] = 0x80;
    out[5] = packer->track.payload_type;
    put_be16(out + 6, packer->track.sequence++);
    put_be32(out + 8, packets->timestamp);
    put_be32(out + 12, packer->track.ssrc);
    return out + INTERLEAVED_FRAME + RTP_HEADER;
}

static int finish(struct packer *packer, int r, struct rtp_track *track, struct packets **ret_packets)
{
    struct packets *packets = packer->packets;
    if (r == 0 && !packets->count)
        r = -EBADMSG;
    if (r < 0) {
        packets_unref(&packer->packets);
        return r;
    }
    packets->bytes[packets->at[packets->count - 1] + INTERLEAVED_FRAME + 1] |= 0x80; /* the marker */
    *track = packer->track;
    *ret_packets = packets;
    return 0;
}

/* --- video --------------------------------------------------------------------------------------------- */

struct nal {
    const uint8_t *data;
    size_t size;
};

/* Small NAL units that wait to go together. */
struct together {
    struct nal nals[TOGETHER_MAX];
    unsigned count;
    size_t size; /* as an aggregation packet */
};

/* RFC 6184 5.7.1: F is the OR, NRI the highest of what is inside. RFC 7798 4.4.2: the lowest layer and TID.
 */
static size_t aggregate_header(enum codec codec, const struct together *together, uint8_t *out)
{
    unsigned high = 0, layer = 63, tid = 7;
    if (codec == CODEC_H264) {
        for (unsigned i = 0; i < together->count; i++) {
            unsigned nri = together->nals[i].data[0] & 0x60u;
            high = nri > high ? nri : high;
        }
        out[0] = (uint8_t)(high | 24);
        return 1;
    }
    for (unsigned i = 0; i < together->count; i++) {
        const uint8_t *nal = together->nals[i].data;
        unsigned its = (nal[0] & 1u) << 5 | nal[1] >> 3;
        layer = its < layer ? its : layer;
        tid = (nal[1] & 7u) < tid ? nal[1] & 7u : tid;
    }
    put_be16(out, 48u << 9 | layer << 3 | tid);
    return 2;
}

static int send_together(struct packer *packer, enum codec codec, struct together *together)
{
    if (!together->count)
        return 0;
    bool alone = together->count == 1;
    uint8_t *out = add(packer, alone ? together->nals[0].size : together->size);
    if (!out)
        return -ENOMEM;
    if (!alone)
        out += aggregate_header(codec, together, out);
    for (unsigned i = 0; i < together->count; i++) {
        const struct nal *nal = &together->nals[i];
        if (!alone) {
            put_be16(out, (unsigned)nal->size);
            out += 2;
        }
        memcpy(out, nal->data, nal->size);
        out += nal->size;
    }
    together->count = 0;
    return 0;
}

/* One NAL unit over several packets: FU-A (RFC 6184 5.8), FU (RFC 7798 4.4.3). */
static int send_fragments(struct packer *packer, enum codec codec, const struct nal *nal)
{
    bool h264 = codec == CODEC_H264;
    size_t header = h264 ? 1 : 2, prefix = header + 1, room = RTP_PAYLOAD_MAX - prefix;
    uint8_t type = h264 ? nal->data[0] & 0x1f : nal->data[0] >> 1 & 0x3f;
    for (size_t at = header; at < nal->size;) {
        size_t n = nal->size - at < room ? nal->size - at : room;
        uint8_t *out = add(packer, prefix + n);
        if (!out)
            return -ENOMEM;
        if (h264) {
            out[0] = (nal->data[0] & 0xe0) | 28;
        } else {
            out[0] = (nal->data[0] & 0x81) | 49 << 1;
            out[1] = nal->data[1];
        }
        out[header] = (uint8_t)((at == header ? 0x80 : 0) | (at + n == nal->size ? 0x40 : 0) | type);
        memcpy(out + prefix, nal->data + at, n);
        at += n;
    }
    return 0;
}

static int send_nal(struct packer *packer, enum codec codec, struct together *together, struct nal nal)
{
    size_t header = codec == CODEC_H264 ? 1 : 2;
    if (nal.size <= header)
        return 0; /* nothing in it */
    bool fits =
        together->count && together->count < TOGETHER_MAX && together->size + 2 + nal.size <= RTP_PAYLOAD_MAX;
    int r = fits ? 0 : send_together(packer, codec, together);
    if (r < 0)
        return r;
    if (nal.size > RTP_PAYLOAD_MAX)
        return send_fragments(packer, codec, &nal);
    together->size = together->count ? together->size : header;
    together->size += 2 + nal.size;
    together->nals[together->count++] = nal;
    return 0;
}

static int send_all(struct packer *packer, enum codec codec, struct together *together,
                    const struct se_buf *unit)
{
    for (size_t at = 0; at < unit->size;) {
        if (unit->size - at < 4)
            return -EBADMSG;
        const uint8_t *p = unit->data + at;
        size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (size > unit->size - at - 4)
            return -EBADMSG;
        int r = send_nal(packer, codec, together, (struct nal){p + 4, size});
        if (r < 0)
            return r;
        at += 4 + size;
    }
    return 0;
}

int packetize_video(enum codec codec, const struct se_buf *sets, const struct se_buf *unit,
                    struct rtp_track *track, uint32_t timestamp, struct packets **ret_packets)
{
    struct packer packer;
    struct together together = {.count = 0};
    int r = begin(&packer, track, timestamp, unit->size + (sets ? sets->size : 0));
    if (r < 0)
        return r;
    if (sets)
        r = send_all(&packer, codec, &together, sets);
    if (r == 0)
        r = send_all(&packer, codec, &together, unit);
    if (r == 0)
        r = send_together(&packer, codec, &together);
    return finish(&packer, r, track, ret_packets);
}

/* --- audio and reports --------------------------------------------------------------------------------- */

int packetize_aac(const struct se_buf *frame, struct rtp_track *track, uint32_t timestamp,
                  struct packets **ret_packets)
{
    struct packer packer = {0};
    if (!frame->size || frame->size > 8191)
        return -EBADMSG;
    int r = begin(&packer, track, timestamp, frame->size);
    for (size_t at = 0; r == 0 && at < frame->size;) {
        size_t n = frame->size - at < RTP_PAYLOAD_MAX - 4 ? frame->size - at : RTP_PAYLOAD_MAX - 4;
        uint8_t *out = add(&packer, 4 + n);
        if (!out) {
            r = -ENOMEM;
            break;
        }
        put_be16(out, 16);                             /* AU-headers-length, in bits */
        put_be16(out + 2, (unsigned)frame->size << 3); /* the whole frame's size in each fragment */
        memcpy(out + 4, frame->data + at, n);
        at += n;
    }
    return packer.packets ? finish(&packer, r, track, ret_packets) : r;
}

int packetize_rtcp(const uint8_t *rtcp, size_t size, const struct rtp_track *track,
                   struct packets **ret_packets)
{
    struct packer packer;
    int r = begin(&packer, track, 0, size);
    if (r < 0)
        return r;
    struct packets *packets = packer.packets;
    packets->rtcp = true;
    packets->at[0] = 0;
    packets->count = 1;
    packets->size = INTERLEAVED_FRAME + size;
    packets->bytes[0] = '$';
    packets->bytes[1] = track->channel + 1;
    put_be16(packets->bytes + 2, (unsigned)size);
    memcpy(packets->bytes + INTERLEAVED_FRAME, rtcp, size);
    *ret_packets = packets;
    return 0;
}
