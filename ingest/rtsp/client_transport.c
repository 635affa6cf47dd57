/* Which way packets come: what a stream's transport is set to, what the camera takes, what worked before.
 *
 * tcp and udp use just that. auto begins with TCP; where the camera refuses it (461) the same session goes on
 * with the other way, and where it takes it but sends nothing, the next try does. UDP that loses packets
 * gives way to TCP. What worked last is where the next session begins. */
#include <errno.h>
#include <stdio.h>

#include "base/metrics.h"
#include "client.h"

#define WINDOW_LEAST 30 /* packets that must have been due before their loss means anything */
#define WINDOWS_BAD  2  /* so many in a row */

static const char *way_name(enum stream_transport way)
{
    return way == TRANSPORT_UDP ? "UDP" : "TCP";
}

static enum stream_transport other_way(enum stream_transport way)
{
    return way == TRANSPORT_UDP ? TRANSPORT_TCP : TRANSPORT_UDP;
}

void client_transport_begin(struct rtsp_client *client)
{
    struct client_way *way = &client->way;
    if (client->tls)
        way->now = TRANSPORT_TCP; /* what is encrypted is not sent in the clear beside it */
    else if (way->wanted != TRANSPORT_AUTO)
        way->now = way->wanted;
    else
        way->now = way->next == TRANSPORT_AUTO ? TRANSPORT_TCP : way->next;
    way->refused = 0;
    way->window_us = 0;
    way->bad_windows = 0;
}

const char *client_transport_name(const struct rtsp_client *client)
{
    return client->tls ? "tls" : client->way.now == TRANSPORT_UDP ? "udp" : "tcp";
}

bool client_transport_offer(struct rtsp_client *client, struct client_track *track, char *out, size_t size)
{
    if (client->way.now != TRANSPORT_UDP) {
        snprintf(out, size, "Transport: RTP/AVP/TCP;unicast;interleaved=%u-%u\r\n", track->channel_rtp,
                 track->channel_rtcp);
        return true;
    }
    uint16_t ports[2];
    int r = client_udp_open(client, track, ports);
    if (r == -EADDRINUSE)
        client_fail(client, FAILURE_UNREACHABLE,
                    "no pair of UDP ports is free: make the range ingest.udp_ports larger");
    else if (r == -EMFILE || r == -ENFILE)
        client_fail(client, FAILURE_UNREACHABLE, "no more files can be opened: raise the limit (ulimit -n)");
    else if (r < 0)
        client_fail(client, FAILURE_UNREACHABLE, "UDP ports cannot be opened: %s", strerrordesc_np(-r));
    else
        snprintf(out, size, "Transport: RTP/AVP;unicast;client_port=%u-%u\r\n", ports[0], ports[1]);
    return r == 0;
}

/* Channels as the server chose them, unless another track has them. */
static bool take_channels(struct rtsp_client *client, struct client_track *track,
                          const struct rtsp_transport *transport)
{
    unsigned rtp = transport->has_channels ? transport->channel_rtp : track->channel_rtp;
    unsigned rtcp = transport->has_channels ? transport->channel_rtcp : track->channel_rtcp;
    struct interleaved *map = &client->channels;
    if (map->channels[rtp].kind != CHANNEL_NONE)
        return false;
    uint8_t index = (uint8_t)(track - client->tracks);
    map->channels[rtp].kind = CHANNEL_RTP;
    map->channels[rtp].payload_type = track->payload_type;
    map->channels[rtp].track = index;
    track->channel_rtp = track->channel_rtcp = rtp;
    if (rtcp != rtp && map->channels[rtcp].kind == CHANNEL_NONE) {
        map->channels[rtcp].kind = CHANNEL_RTCP;
        map->channels[rtcp].track = index;
        track->channel_rtcp = rtcp;
    }
    return true;
}

enum client_taken client_transport_take(struct rtsp_client *client, struct client_track *track,
                                        struct text header)
{
    bool udp = client->way.now == TRANSPORT_UDP;
    struct rtsp_transport transport = {.way = udp ? RTSP_UNICAST : RTSP_INTERLEAVED};
    if (header.n && !rtsp_transport_parse(header, &transport))
        return TAKEN_UNKNOWN;
    if (transport.secure)
        return TAKEN_ENCRYPTED;
    if (transport.way == RTSP_MULTICAST)
        return TAKEN_MULTICAST;
    if (transport.way == RTSP_UNICAST) {
        if (!udp)
            return TAKEN_OTHER;
        client_udp_answered(track, &transport);
        return TAKEN;
    }
    if (udp) { /* it was asked for UDP and took the connection */
        if (client->way.wanted == TRANSPORT_UDP)
            return TAKEN_OTHER;
        client_udp_close(track);
        client->way.now = TRANSPORT_TCP;
    }
    return take_channels(client, track, &transport) ? TAKEN : TAKEN_UNKNOWN;
}

bool client_transport_other(struct rtsp_client *client)
{
    struct client_way *way = &client->way;
    way->refused |= 1u << way->now;
    if (way->now == TRANSPORT_TCP)
        way->tcp_failed_us = se_loop_now_us(client->loop);
    enum stream_transport other = other_way(way->now);
    if (way->wanted != TRANSPORT_AUTO || client->tls || way->refused & 1u << other)
        return false;
    for (unsigned i = 0; i < client->track_count; i++) {
        client_udp_close(&client->tracks[i]);
        client_track_first_url(client, &client->tracks[i]);
    }
    way->now = way->next = other;
    return true;
}

void client_transport_refused(struct rtsp_client *client, unsigned status)
{
    const struct client_way *way = &client->way;
    if (status == 200) /* it said yes, and chose another */
        client_fail(client, FAILURE_ANSWER,
                    "the camera does not send RTP over %s: set the stream's transport to auto or %s",
                    way_name(way->now), way->now == TRANSPORT_UDP ? "tcp" : "udp");
    else if (client->tls)
        client_fail(client, FAILURE_ANSWER, "the camera does not send RTP over the RTSPS connection (%u)",
                    status);
    else if (way->wanted == TRANSPORT_AUTO)
        client_fail(client, FAILURE_ANSWER, "the camera refuses RTP over TCP and over UDP (%u)", status);
    else
        client_fail(client, FAILURE_ANSWER,
                    "the camera refuses RTP over %s (%u): set the stream's transport to auto or %s",
                    way_name(way->now), status, way->now == TRANSPORT_UDP ? "tcp" : "udp");
}

void client_transport_silent(struct rtsp_client *client)
{
    struct client_way *way = &client->way;
    if (way->wanted != TRANSPORT_AUTO || client->tls) {
        client_fail(client, FAILURE_SILENT, "the camera plays the stream over %s but sends no video",
                    client->tls ? "TLS" : way_name(way->now));
        return;
    }
    enum stream_transport other = other_way(way->now);
    if (way->now == TRANSPORT_TCP)
        way->tcp_failed_us = se_loop_now_us(client->loop);
    bool possible = !(way->refused & 1u << other);
    if (possible)
        way->next = other;
    client_fail(client, FAILURE_SILENT, "the camera plays the stream over %s but sends no video%s%s",
                way_name(way->now), possible ? ": trying " : "", possible ? way_name(other) : "");
}

void client_transport_live(struct rtsp_client *client)
{
    client->way.next = client->way.now;
}

static void counts(const struct rtsp_client *client, uint64_t *ret_received, uint64_t *ret_lost)
{
    *ret_received = *ret_lost = 0;
    for (unsigned i = 0; i < client->track_count; i++) {
        *ret_received += client->tracks[i].receiver.received;
        *ret_lost += client->tracks[i].receiver.lost;
    }
}

/* May TCP have its turn? A camera that refused it is not asked again for a while. */
static bool tcp_possible(const struct rtsp_client *client, se_mono_us now)
{
    const struct client_way *way = &client->way;
    return way->wanted == TRANSPORT_AUTO &&
           (!way->tcp_failed_us || way->tcp_retry_us == 0 || now - way->tcp_failed_us >= way->tcp_retry_us);
}

static void lossy(struct rtsp_client *client, double percent, se_mono_us now)
{
    struct client_way *way = &client->way;
    if (tcp_possible(client, now)) {
        way->tcp_retry_us = client->wait.transport_retry_us;
        way->next = TRANSPORT_TCP;
        client_fail(client, FAILURE_LOST, "%.1f %% of the packets were lost over UDP: going on over TCP",
                    percent);
        client_deadline(client, 0);
        return;
    }
    snprintf(client->stats.note, sizeof(client->stats.note), "%.1f %% of the packets are lost over UDP%s",
             percent, way->wanted == TRANSPORT_AUTO ? ", and the camera offers nothing over TCP" : "");
}

void client_transport_watch(struct rtsp_client *client, se_mono_us now)
{
    struct client_way *way = &client->way;
    if (way->now != TRANSPORT_UDP)
        return;
    if (way->window_us && now - way->window_us < client->wait.loss_window_us)
        return;
    uint64_t received, lost;
    counts(client, &received, &lost);
    uint64_t got = received - way->window_received, gone = lost - way->window_lost;
    bool first = !way->window_us;
    if (!first && got + gone < WINDOW_LEAST && got)
        return; /* a stream of few packets is looked at for longer */
    way->window_us = now;
    way->window_received = received;
    way->window_lost = lost;
    if (first || !got)
        return;
    double percent = 100.0 * (double)gone / (double)(got + gone);
    if (percent <= client->loss_percent) {
        way->bad_windows = 0;
        client->stats.note[0] = 0;
    } else if (++way->bad_windows >= WINDOWS_BAD) {
        lossy(client, percent, now);
    }
}
