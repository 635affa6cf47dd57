/* RTP in datagrams, and what a network does to them: some are lost, some overtake others, some come late or
 * twice. Packets that wait for others, or for their time, are kept per track. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "camera.h"

#define FRAME_PACKETS 512         /* at a time, of a frame with more */
#define HELD_MAX      256         /* packets of a track that wait; past it they go in their order */
#define REORDER_US    SE_US_PER_S /* a packet that nobody overtakes any more goes after that */

struct udp_held {
    struct udp_held *next;
    se_mono_us due;
    unsigned overtaken; /* goes when so many more have been sent; 0: by its time only */
    uint16_t size;
    uint8_t bytes[RTP_HEADER_SIZE + PACKET_PAYLOAD_MAX];
};

static bool hits(struct stream *stream, unsigned percent)
{
    return percent && server_random(stream->server) % 100 < percent;
}

static void send_one(struct stream *stream, struct client_track *to, const void *bytes, size_t size)
{
    if (send(to->rtp_fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        stream->counters.packets_lost++; /* full, or the peer's port is closed */
}

static bool hold(struct client_track *to, const uint8_t *bytes, size_t size, unsigned overtaken,
                 se_mono_us due)
{
    struct udp_held *held = to->held_count < HELD_MAX ? malloc(sizeof(*held)) : NULL, **at = &to->held;

    if (!held)
        return false;
    *held = (struct udp_held){.due = due, .overtaken = overtaken, .size = (uint16_t)size};
    memcpy(held->bytes, bytes, size);
    while (*at)
        at = &(*at)->next;
    *at = held;
    to->held_count++;
    return true;
}

/* Sends what has waited long enough; passed: so many others have just been sent. */
static void release(struct stream *stream, struct client_track *to, unsigned passed, se_mono_us now)
{
    for (struct udp_held **at = &to->held; *at;) {
        struct udp_held *held = *at;
        bool overtaken = held->overtaken > 0 && held->overtaken <= passed;

        if (!overtaken && now < held->due) {
            held->overtaken -= held->overtaken > 0 ? passed : 0;
            at = &held->next;
            continue;
        }
        *at = held->next;
        to->held_count--;
        send_one(stream, to, held->bytes, held->size);
        free(held);
    }
}

void udp_release(struct client *client, se_mono_us now)
{
    for (unsigned t = 0; t < CLIP_TRACKS; t++)
        if (client->tracks[t].held && !client->mute)
            release(client->stream, &client->tracks[t], 0, now);
}

void udp_forget(struct client_track *track)
{
    while (track->held) {
        struct udp_held *held = track->held;

        track->held = held->next;
        free(held);
    }
    track->held_count = 0;
}

/* One packet through a bad network. */
static void send_badly(struct stream *stream, struct client_track *to, const uint8_t *bytes, size_t size,
                       se_mono_us now)
{
    const struct faults *faults = &stream->faults;
    struct stream_counters *counters = &stream->counters;

    if (hits(stream, faults->loss_percent)) {
        counters->packets_lost++;
        return;
    }
    if (hits(stream, faults->reorder_percent) &&
        hold(to, bytes, size, faults->reorder_distance, now + REORDER_US)) {
        counters->packets_reordered++;
        return;
    }
    if (hits(stream, faults->late_percent) && hold(to, bytes, size, 0, now + faults->late_us)) {
        counters->packets_late++;
        return;
    }
    send_one(stream, to, bytes, size);
    if (hits(stream, faults->duplicate_percent)) {
        counters->packets_duplicated++;
        send_one(stream, to, bytes, size);
    }
    release(stream, to, 1, now);
}

static void send_all(struct stream *stream, struct client_track *to, struct mmsghdr *messages, unsigned count)
{
    for (unsigned sent = 0; sent < count;) {
        int n = sendmmsg(to->rtp_fd, messages + sent, count - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            sent += (unsigned)n;
        } else if (n < 0 && errno != EINTR) { /* full, or the peer's port is closed: this one is lost */
            stream->counters.packets_lost++;
            sent++;
        }
    }
}

static void send_well(struct stream *stream, struct client_track *to, const struct clip_track *track,
                      const struct packet_range *packets, unsigned count, uint32_t timestamp)
{
    static uint8_t headers[FRAME_PACKETS][RTP_HEADER_SIZE];
    static struct iovec parts[FRAME_PACKETS][2];
    static struct mmsghdr messages[FRAME_PACKETS];

    for (unsigned i = 0; i < count; i++) {
        rtp_header_write(headers[i], track->payload_type, packets[i].marker, to->sequence++, timestamp,
                         to->ssrc);
        parts[i][0] = (struct iovec){headers[i], RTP_HEADER_SIZE};
        parts[i][1] = (struct iovec){track->packets.bytes + packets[i].offset, packets[i].size};
        memset(&messages[i], 0, sizeof(messages[i]));
        messages[i].msg_hdr.msg_iov = parts[i];
        messages[i].msg_hdr.msg_iovlen = 2;
    }
    send_all(stream, to, messages, count);
}

void udp_send(struct stream *stream, struct client *client, unsigned t, const struct packet_range *packets,
              unsigned count, uint32_t timestamp)
{
    const struct faults *faults = &stream->faults;
    const struct clip_track *track = &stream->clip->tracks[t];
    struct client_track *to = &client->tracks[t];
    bool bad = to->held || faults->loss_percent || faults->reorder_percent || faults->late_percent ||
               faults->duplicate_percent;
    se_mono_us now = bad ? se_mono_now_us() : 0;

    while (!bad && count > 0) {
        unsigned some = count < FRAME_PACKETS ? count : FRAME_PACKETS;

        send_well(stream, to, track, packets, some, timestamp);
        packets += some;
        count -= some;
    }
    for (unsigned i = 0; i < count; i++) {
        uint8_t bytes[RTP_HEADER_SIZE + PACKET_PAYLOAD_MAX];

        rtp_header_write(bytes, track->payload_type, packets[i].marker, to->sequence++, timestamp, to->ssrc);
        memcpy(bytes + RTP_HEADER_SIZE, track->packets.bytes + packets[i].offset, packets[i].size);
        send_badly(stream, to, bytes, RTP_HEADER_SIZE + packets[i].size, now);
    }
}
