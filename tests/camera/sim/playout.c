#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "camera.h"

#define FRAME_PACKETS 512 /* at a time, of a frame with more */
#define LATE_US       (2 * SE_US_PER_S)
#define REPORT_US     (5 * SE_US_PER_S)
#define STAMP_UUID    "camera-sim-stamp" /* 16 bytes, as good as any */
#define STAMP_SIZE    (3 + 16 + 16 + 1)
#define NTP_1970      2208988800u /* RFC 5905: seconds from 1900 to 1970 */

int64_t stream_now_us(const struct stream *stream)
{
    return se_mono_now_us() + stream->server->wall_us + stream->phase_us;
}

/* Rounds to the track's clock; 128 bits since microseconds since 1970 times 90,000 do not fit 64. */
static int64_t to_clock(int64_t us, unsigned rate)
{
    return (int64_t)((__int128)us * rate / SE_US_PER_S);
}

uint32_t stream_timestamp(const struct stream *stream, unsigned track, int64_t at_us)
{
    return (uint32_t)to_clock(at_us + stream->ts_shift_us, stream->clip->tracks[track].clock_rate);
}

static uint32_t frame_timestamp(const struct stream *stream, const struct clip_track *track,
                                const struct clip_frame *frame)
{
    return (
        uint32_t)(to_clock(stream->lap * stream->clip->length_us + stream->ts_shift_us, track->clock_rate) +
                  frame->pts);
}

static se_mono_us step_due(const struct stream *stream)
{
    return stream->lap * stream->clip->length_us + stream->clip->steps[stream->step].send_us -
           stream->phase_us - stream->server->wall_us;
}

static void step_forward(struct stream *stream)
{
    if (++stream->step == stream->clip->step_count) {
        stream->step = 0;
        stream->lap++;
    }
}

/* Puts the cursor where the clock is now. */
static void seek_now(struct stream *stream)
{
    int64_t now = stream_now_us(stream);

    stream->lap = now / stream->clip->length_us;
    stream->step = clip_step_at(stream->clip, now % stream->clip->length_us);
    if (stream->step == stream->clip->step_count) {
        stream->step = 0;
        stream->lap++;
    }
}

uint32_t stream_first_timestamp(const struct stream *stream, unsigned track)
{
    struct stream copy = *stream;

    if (stream->playing == 0)
        seek_now(&copy);
    for (uint32_t i = 0; i < copy.clip->step_count; i++) {
        const struct clip_step *step = &copy.clip->steps[copy.step];
        if (step->track == 0 && copy.clip->tracks[0].frames[step->frame].keyframe)
            break;
        step_forward(&copy);
    }
    return stream_timestamp(&copy, track,
                            copy.lap * copy.clip->length_us + copy.clip->steps[copy.step].send_us);
}

/* Up to FRAME_PACKETS packets of a frame, interleaved, RFC 2326 10.12. False: the reader is too slow, nothing
 * was sent. */
static bool send_tcp(struct stream *stream, struct client *client, unsigned t,
                     const struct packet_range *packets, unsigned count, uint32_t timestamp)
{
    struct client_track *to = &client->tracks[t];
    const struct clip_track *track = &stream->clip->tracks[t];
    static uint8_t headers[FRAME_PACKETS][4 + RTP_HEADER_SIZE];
    static struct iovec parts[FRAME_PACKETS * 2];
    uint16_t sequence = to->sequence;
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        unsigned length = RTP_HEADER_SIZE + packets[i].size;

        headers[i][0] = '$';
        headers[i][1] = to->channel;
        headers[i][2] = (uint8_t)(length >> 8);
        headers[i][3] = (uint8_t)length;
        rtp_header_write(headers[i] + 4, track->payload_type, packets[i].marker, sequence++, timestamp,
                         to->ssrc);
        parts[i * 2] = (struct iovec){headers[i], 4 + RTP_HEADER_SIZE};
        parts[i * 2 + 1] = (struct iovec){track->packets.bytes + packets[i].offset, packets[i].size};
        size += 4 + length;
    }
    if (!client_send(client, parts, count * 2, size))
        return false;
    to->sequence = sequence;
    return true;
}

/* Bytes that are no packet, between two frames. Only dollars look like a header, so they are
 * left out unless ordered. */
static void send_garbage(struct stream *stream, struct client *client)
{
    uint32_t size = stream->faults.garbage_bytes;
    uint8_t *bytes = malloc(size);
    struct iovec part = {bytes, size};

    if (!bytes)
        return;
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)server_random(stream->server);
        if (bytes[i] == '$' && !stream->faults.garbage_any)
            bytes[i] = '%';
    }
    client_send(client, &part, 1, size);
    free(bytes);
}

/* An access unit that does not end: fragments (FU-A or FU) without a last one and without a marker. */
static void send_endless(struct stream *stream, struct client *client, uint32_t timestamp)
{
    const struct clip_track *track = &stream->clip->tracks[0];
    static uint8_t body[PACKET_PAYLOAD_MAX];
    struct client_track *to = &client->tracks[0];
    bool h265 = track->codec == CLIP_H265;

    if (h265) {
        body[0] = 49 << 1;
        body[1] = 1;
        body[2] = 0x80 | 1;
    } else {
        body[0] = 0x60 | 28;
        body[1] = 0x80 | 1;
    }
    for (uint32_t sent = 0; sent < stream->faults.endless_bytes && client->playing; sent += sizeof(body)) {
        uint8_t header[4 + RTP_HEADER_SIZE];
        struct iovec parts[2] = {{header, sizeof(header)}, {body, sizeof(body)}};
        unsigned length = RTP_HEADER_SIZE + sizeof(body);

        header[0] = '$';
        header[1] = to->channel;
        header[2] = (uint8_t)(length >> 8);
        header[3] = (uint8_t)length;
        rtp_header_write(header + 4, track->payload_type, false, to->sequence++, timestamp, to->ssrc);
        client_send(client, parts, 2, sizeof(header) + sizeof(body));
        body[h265 ? 2 : 1] &= 0x7f;
    }
}

/* A packet of its own in front of a frame: an SEI message, user_data_unregistered (H.264 D.1.7), with the
 * monotonic clock's microseconds in 16 hexadecimal digits, which need no emulation prevention. */
static void send_stamp(struct stream *stream, struct client *client, uint32_t timestamp)
{
    struct client_track *to = &client->tracks[0];
    char packet[4 + RTP_HEADER_SIZE + STAMP_SIZE + 1]; /* snprintf() ends it with a zero */
    struct iovec part = {packet, sizeof(packet) - 1};
    unsigned length = RTP_HEADER_SIZE + STAMP_SIZE;
    char *sei = packet + 4 + RTP_HEADER_SIZE;

    packet[0] = '$';
    packet[1] = (char)to->channel;
    packet[2] = (char)(length >> 8);
    packet[3] = (char)length;
    rtp_header_write((uint8_t *)packet + 4, stream->clip->tracks[0].payload_type, false, to->sequence++,
                     timestamp, to->ssrc);
    snprintf(sei, STAMP_SIZE + 1, "\x06\x05\x20%s%016" PRIx64 "\x80", STAMP_UUID, (uint64_t)se_mono_now_us());
    client_send(client, &part, 1, part.iov_len);
}

static void drop_gop(struct stream *stream, struct client *client)
{
    client->wait_key = true;
    stream->counters.gops_dropped++;
}

/* Left out, as an encoder does that makes them seldom: the other frames go on as if it had been there. */
static bool skip_keyframe(struct stream *stream, struct client *client)
{
    double every = stream->camera->habits.keyframe_every_s;
    se_mono_us now = every > 0 || stream->faults.no_keyframes_until ? se_mono_now_us() : 0;

    if (now < stream->faults.no_keyframes_until)
        return true;
    if (every > 0 && !client->wait_key && now < client->keyframe_us + (int64_t)(every * SE_US_PER_S))
        return true;
    client->keyframe_us = now;
    return false;
}

static void send_frame(struct stream *stream, struct client *client, unsigned t,
                       const struct clip_frame *frame)
{
    const struct clip_track *track = &stream->clip->tracks[t];
    uint32_t timestamp = frame_timestamp(stream, track, frame) + client->tracks[t].timestamp_base;
    const struct packet_range *packets = track->packets.items + frame->packet;

    if (!client->tracks[t].set_up || (t == 0 && frame->keyframe && skip_keyframe(stream, client)))
        return;
    if (client->wait_key && client->tracks[0].set_up) {
        if (t != 0 || !frame->keyframe)
            return;
        client->wait_key = false;
    }
    if (client->tcp && stream->camera->tcp_silent)
        return;
    if (client->tcp) {
        size_t waiting = client->out_size - client->out_at;
        size_t size = frame->bytes + (size_t)frame->packets * (4 + RTP_HEADER_SIZE);

        if (waiting > 0 && waiting + size > client->out_max) {
            drop_gop(stream, client);
            return;
        }
        if (t == 0 && stream->faults.garbage_frames)
            send_garbage(stream, client);
        if (t == 0 && stream->faults.endless_bytes)
            send_endless(stream, client, timestamp);
        if (t == 0 && stream->server->stamp && track->codec == CLIP_H264)
            send_stamp(stream, client, timestamp);
    }
    for (uint32_t at = 0; at < frame->packets && client->playing; at += FRAME_PACKETS) {
        unsigned count = frame->packets - at < FRAME_PACKETS ? frame->packets - at : FRAME_PACKETS;

        if (!client->tcp) {
            udp_send(stream, client, t, packets + at, count, timestamp);
        } else if (!send_tcp(stream, client, t, packets + at, count, timestamp)) {
            drop_gop(stream, client);
            return;
        }
    }
    client->tracks[t].packets += frame->packets;
    client->tracks[t].octets += frame->bytes;
    stream->counters.frames++;
    stream->counters.bytes += frame->bytes;
}

static void play_step(struct stream *stream)
{
    const struct clip_step *step = &stream->clip->steps[stream->step];
    const struct clip_frame *frame = &stream->clip->tracks[step->track].frames[step->frame];
    struct client *next;

    for (struct client *client = stream->clients; client; client = next) {
        next = client->stream_next;
        if (client->playing && !client->mute)
            send_frame(stream, client, step->track, frame);
    }
    if (step->track == 0) {
        if (stream->faults.garbage_frames)
            stream->faults.garbage_frames--;
        stream->faults.endless_bytes = 0;
    }
    step_forward(stream);
}

static void all_wait_for_key(struct stream *stream)
{
    for (struct client *client = stream->clients; client; client = client->stream_next)
        client->wait_key = true;
}

static void on_due(struct se_timer *timer)
{
    struct stream *stream = timer->ctx;
    se_mono_us now = se_mono_now_us();

    if (stream->playing == 0)
        return;
    if (stream->faults.stall_until) {
        if (now < stream->faults.stall_until) {
            se_timer_set(stream->server->loop, timer, stream->faults.stall_until);
            return;
        }
        stream->faults.stall_until = 0;
        if (!stream->faults.catch_up) {
            seek_now(stream);
            all_wait_for_key(stream);
        }
    } else if (now - step_due(stream) > LATE_US) { /* this process slept: a camera would not send the past */
        stream->counters.frames_late++;
        seek_now(stream);
        all_wait_for_key(stream);
    }
    while (stream->playing && step_due(stream) <= now)
        play_step(stream);
    if (stream->playing)
        se_timer_set(stream->server->loop, timer, step_due(stream));
}

void stream_wake(struct stream *stream)
{
    stream->timer.fn = on_due;
    stream->timer.ctx = stream;
    if (stream->playing++ > 0)
        return;
    seek_now(stream);
    se_timer_set(stream->server->loop, &stream->timer, step_due(stream));
}

void stream_settle(struct stream *stream)
{
    if (--stream->playing == 0)
        se_timer_cancel(&stream->timer);
}

void stream_set_clip(struct stream *stream, struct clip *clip)
{
    stream->clip = clip;
    seek_now(stream);
    all_wait_for_key(stream);
    if (stream->playing)
        se_timer_set(stream->server->loop, &stream->timer, step_due(stream));
}

void stream_burst(struct stream *stream, int64_t us)
{
    se_mono_us until = se_mono_now_us() + us;

    for (struct client *client = stream->clients; client; client = client->stream_next)
        client->out_max = OUT_BURST_MAX;
    while (stream->playing && step_due(stream) <= until)
        play_step(stream);
    stream->phase_us += us; /* from here on it runs that much ahead */
    if (stream->playing)
        se_timer_set(stream->server->loop, &stream->timer, step_due(stream));
}

static void put_be32(uint8_t *out, uint32_t v)
{
    out[0] = (uint8_t)(v >> 24);
    out[1] = (uint8_t)(v >> 16);
    out[2] = (uint8_t)(v >> 8);
    out[3] = (uint8_t)v;
}

/* RFC 3550 6.4.1 without report blocks, and the CNAME that 6.1 wants behind it. */
static void send_report(struct stream *stream, struct client *client, unsigned t)
{
    struct client_track *to = &client->tracks[t];
    int64_t at = stream_now_us(stream), wall = at - stream->phase_us;
    uint8_t packet[4 + 28 + 20] = {'$', to->rtcp_channel, 0, 28 + 20};
    uint8_t *sr = packet + 4, *sdes = sr + 28;
    struct iovec part = {packet, sizeof(packet)};

    sr[0] = 0x80;
    sr[1] = 200;
    sr[3] = 6;
    put_be32(sr + 4, to->ssrc);
    put_be32(sr + 8, (uint32_t)(wall / SE_US_PER_S) + NTP_1970);
    put_be32(sr + 12, (uint32_t)(((uint64_t)(wall % SE_US_PER_S) << 32) / SE_US_PER_S));
    put_be32(sr + 16, stream_timestamp(stream, t, at) + to->timestamp_base);
    put_be32(sr + 20, to->packets);
    put_be32(sr + 24, to->octets);
    sdes[0] = 0x81;
    sdes[1] = 202;
    sdes[3] = 4;
    put_be32(sdes + 4, to->ssrc);
    sdes[8] = 1; /* CNAME */
    sdes[9] = 9;
    memcpy(sdes + 10, "simulator", 9); /* the zero behind it ends the chunk */
    if (client->tcp)
        client_send(client, &part, 1, sizeof(packet));
    else if (send(to->rtcp_fd, sr, sizeof(packet) - 4, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        stream->counters.packets_lost++;
}

void client_report(struct client *client)
{
    se_mono_us now = se_mono_now_us();

    if (!client->playing || client->mute || now < client->sr_us || client->stream->faults.stall_until)
        return;
    client->sr_us = now + REPORT_US;
    for (unsigned t = 0; t < CLIP_TRACKS && t < client->stream->clip->track_count; t++)
        if (client->tracks[t].set_up)
            send_report(client->stream, client, t);
}
