#include "rtp.h"

#include <errno.h>
#include <string.h>

static uint32_t u16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t u32(const uint8_t *p)
{
    return u16(p) << 16 | u16(p + 2);
}

static uint8_t *put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t value)
{
    return put16(put16(p, value >> 16), value);
}

int rtp_parse(const uint8_t *data, size_t size, struct rtp_packet *ret_packet)
{
    if (size < 12 || data[0] >> 6 != 2)
        return -EBADMSG;
    size_t head = 12 + 4 * (size_t)(data[0] & 15);
    if (data[0] & 0x10) { /* extension */
        if (size < head + 4)
            return -EBADMSG;
        head += 4 + 4 * (size_t)u16(data + head + 2);
    }
    if (size < head)
        return -EBADMSG;
    size_t padding = data[0] & 0x20 ? data[size - 1] : 0;
    if (data[0] & 0x20 && (!padding || padding > size - head))
        return -EBADMSG;
    *ret_packet = (struct rtp_packet){
        .marker = data[1] & 0x80,
        .payload_type = data[1] & 0x7f,
        .sequence = (uint16_t)u16(data + 2),
        .timestamp = u32(data + 4),
        .ssrc = u32(data + 8),
        .payload = data + head,
        .size = size - head - padding,
    };
    return 0;
}

#define MAX_DROPOUT 3000 /* packets: a larger step forward is a reset (RFC 3550 A.1) */

static void advance_time(struct rtp_receiver *receiver, uint32_t timestamp)
{
    receiver->time += (int32_t)(timestamp - receiver->timestamp);
    receiver->timestamp = timestamp;
}

static void restart(struct rtp_receiver *receiver, const struct rtp_packet *packet)
{
    /* The count goes on: what came before was received. */
    receiver->highest = receiver->report_highest = packet->sequence + 65536u;
    receiver->received++;
    receiver->report_received = receiver->received;
    receiver->retry_set = false;
    receiver->ssrc = packet->ssrc;
    receiver->sr_arrived_us = 0;
    receiver->transit_set = false;
    advance_time(receiver, packet->timestamp);
}

enum rtp_order rtp_receive(struct rtp_receiver *receiver, const struct rtp_packet *packet)
{
    if (!receiver->started || packet->ssrc != receiver->ssrc) {
        bool fresh = !receiver->started;
        if (fresh)
            receiver->timestamp = packet->timestamp;
        receiver->started = true;
        restart(receiver, packet);
        return fresh ? RTP_IN_ORDER : RTP_GAP;
    }
    uint16_t step = (uint16_t)(packet->sequence - (uint16_t)receiver->highest);
    if (step == 1 || (step && step < MAX_DROPOUT)) {
        receiver->highest += step;
        receiver->lost += step - 1u;
        receiver->received++;
        receiver->retry_set = false;
        advance_time(receiver, packet->timestamp);
        return step == 1 ? RTP_IN_ORDER : RTP_GAP;
    }
    if (receiver->retry_set && packet->sequence == receiver->retry) {
        restart(receiver, packet);
        return RTP_GAP;
    }
    /* Far away, or behind: the camera began anew when the next one follows this one. */
    receiver->retry = (uint16_t)(packet->sequence + 1);
    receiver->retry_set = true;
    return RTP_LATE;
}

void rtp_arrived(struct rtp_receiver *receiver, const struct rtp_packet *packet, uint32_t clock,
                 int64_t now_us)
{
    if (!receiver->started || packet->ssrc != receiver->ssrc || !clock)
        return;
    /* Split, so that no product of it overflows. */
    uint64_t now = (uint64_t)(now_us / 1000000) * clock + (uint64_t)(now_us % 1000000) * clock / 1000000;
    uint32_t transit = (uint32_t)now - packet->timestamp, before = receiver->transit;
    bool measured = receiver->transit_set;
    receiver->transit = transit;
    receiver->transit_set = true;
    if (!measured)
        return;
    int64_t step = (int32_t)(transit - before);
    step = step < 0 ? -step : step;
    if (step > (int64_t)clock * 10)
        return; /* the camera's clock jumped */
    receiver->jitter_16 += (uint32_t)step - ((receiver->jitter_16 + 8) >> 4);
}

uint32_t rtp_jitter_us(const struct rtp_receiver *receiver, uint32_t clock)
{
    return clock ? (uint32_t)((uint64_t)(receiver->jitter_16 >> 4) * 1000000 / clock) : 0;
}

int rtcp_receive(struct rtp_receiver *receiver, const uint8_t *data, size_t size, int64_t now_us,
                 bool *ret_bye)
{
    *ret_bye = false;
    while (size >= 8) {
        size_t length = 4 * (u16(data + 2) + 1);
        if (data[0] >> 6 != 2 || length > size || length < 8)
            return -EBADMSG;
        bool ours = receiver->started && u32(data + 4) == receiver->ssrc;
        if (data[1] == 200 && length >= 28 && ours) {
            receiver->sr_ntp = (uint64_t)u32(data + 8) << 32 | u32(data + 12);
            receiver->sr_middle = (uint32_t)(receiver->sr_ntp >> 16);
            receiver->sr_timestamp = u32(data + 16);
            receiver->sr_arrived_us = now_us;
        } else if (data[1] == 203 && ours && (data[0] & 31)) {
            *ret_bye = true;
        }
        data += length;
        size -= length;
    }
    return size ? -EBADMSG : 0;
}

size_t rtcp_report(struct rtp_receiver *receiver, uint32_t own_ssrc, int64_t now_us,
                   uint8_t out[RTCP_REPORT_MAX])
{
    static const char cname[] = "sharpeyes";
    uint8_t *p = out;
    bool block = receiver->started;
    p = put16(p, 0x8000u | (block ? 0x100u : 0) | 201);
    p = put16(p, block ? 7 : 1);
    p = put32(p, own_ssrc);
    if (block) {
        uint64_t expected = receiver->highest - receiver->report_highest;
        uint64_t received = receiver->received - receiver->report_received;
        uint64_t fraction = expected > received ? ((expected - received) << 8) / expected : 0;
        uint32_t lost = receiver->lost > 0x7fffff ? 0x7fffff : (uint32_t)receiver->lost;
        receiver->report_highest = receiver->highest;
        receiver->report_received = receiver->received;
        int64_t delay = receiver->sr_arrived_us ? (now_us - receiver->sr_arrived_us) * 65536 / 1000000 : 0;
        p = put32(p, receiver->ssrc);
        p = put32(p, (uint32_t)(fraction > 255 ? 255 : fraction) << 24 | lost);
        p = put32(p, (uint32_t)receiver->highest);
        p = put32(p, receiver->jitter_16 >> 4);
        p = put32(p, receiver->sr_arrived_us ? receiver->sr_middle : 0);
        p = put32(p, (uint32_t)delay);
    }
    size_t text = sizeof(cname) - 1, chunk = 4 + 2 + text + 1, padded = (chunk + 3) & ~(size_t)3;
    p = put16(p, 0x8100u | 202);
    p = put16(p, (uint32_t)(padded / 4));
    uint8_t *end = p + padded;
    p = put32(p, own_ssrc);
    *p++ = 1; /* CNAME */
    *p++ = (uint8_t)text;
    memcpy(p, cname, text);
    memset(p + text, 0, (size_t)(end - p) - text);
    return (size_t)(end - out);
}
