/* RTP over UDP: a pair of sockets for each track, packets from the camera only, put into order. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metrics.h"
#include "client.h"
#include "reorder.h"

#define BATCH      28u
#define PACKET_MAX (CLIENT_SCRATCH / BATCH & ~15u) /* jumbo frames go in */
#define ROUNDS     8u                              /* batches for one camera before others have their turn */
#define RTP_HEAD   12u

enum { METRIC_FOREIGN, METRIC_LATE, METRIC_DUPLICATES, METRIC_REORDERED, METRIC_CUT, METRICS };
static struct se_metric metrics[METRICS] = {
    [METRIC_FOREIGN] = {"sharpeyes_ingest_udp_foreign_packets_total",
                        "UDP packets on a camera's ports that another address sent", SE_COUNTER, NULL, 0},
    [METRIC_LATE] = {"sharpeyes_ingest_udp_late_packets_total", "RTP packets that came after their turn",
                     SE_COUNTER, NULL, 0},
    [METRIC_DUPLICATES] = {"sharpeyes_ingest_udp_duplicate_packets_total", "RTP packets that came twice",
                           SE_COUNTER, NULL, 0},
    [METRIC_REORDERED] = {"sharpeyes_ingest_udp_reordered_packets_total",
                          "RTP packets that were kept until their turn", SE_COUNTER, NULL, 0},
    [METRIC_CUT] = {"sharpeyes_ingest_udp_cut_packets_total",
                    "UDP packets left out because they are larger than any should be", SE_COUNTER, NULL, 0},
};

void client_udp_metrics_register(void)
{
    se_metrics_register(metrics, METRICS);
}

struct client_udp {
    struct rtsp_client *client;
    struct client_track *track;
    struct se_watch watch[2]; /* RTP, RTCP */
    struct se_timer due;      /* the reordering buffer gives up on a packet */
    uint16_t port[2], server_port[2];
    struct sockaddr_storage camera, source; /* who may send; source: family 0: nobody else */
    struct reorder reorder;
    struct {
        uint64_t late, duplicates, reordered;
    } counted; /* what metrics have */
};

static void count(struct client_udp *udp)
{
    const struct reorder *now = &udp->reorder;
    se_metric_add(&metrics[METRIC_LATE], (int64_t)(now->late - udp->counted.late));
    se_metric_add(&metrics[METRIC_DUPLICATES], (int64_t)(now->duplicates - udp->counted.duplicates));
    se_metric_add(&metrics[METRIC_REORDERED], (int64_t)(now->reordered - udp->counted.reordered));
    udp->counted.late = now->late;
    udp->counted.duplicates = now->duplicates;
    udp->counted.reordered = now->reordered;
}

/* --- addresses --------------------------------------------------------------- */

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    return a->ss_family == AF_INET6 &&
           !memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                   &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, 16);
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static void send_to(struct client_udp *udp, unsigned which, const void *data, size_t size)
{
    struct sockaddr_storage to = udp->source.ss_family ? udp->source : udp->camera;
    socklen_t length = sizeof(struct sockaddr_in);
    if (!udp->server_port[which] || udp->watch[which].fd < 0)
        return;
    if (to.ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)&to)->sin6_port = htons(udp->server_port[which]);
        length = sizeof(struct sockaddr_in6);
    } else {
        ((struct sockaddr_in *)(void *)&to)->sin_port = htons(udp->server_port[which]);
    }
    /* As far as it goes: a report that is lost is followed by another. */
    (void)!sendto(udp->watch[which].fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
                  length);
}

/* --- what comes in ------------------------------------------------------------ */

static void in_order(void *ctx, const uint8_t *packet, size_t size)
{
    struct client_udp *udp = ctx;
    client_rtp(udp->client, udp->track, packet, size);
}

static void set_due(struct client_udp *udp)
{
    int64_t due = reorder_due_us(&udp->reorder);
    if (due == INT64_MAX)
        se_timer_cancel(&udp->due);
    else if (!udp->due.slot || udp->due.due_us != due)
        (void)se_timer_set(udp->client->loop, &udp->due, due);
}

static void expired(struct se_timer *timer)
{
    struct client_udp *udp = timer->ctx;
    reorder_expire(&udp->reorder, se_loop_now_us(udp->client->loop), in_order, udp);
    set_due(udp);
}

static void take_packet(struct client_udp *udp, bool control, const uint8_t *data, size_t size)
{
    struct rtsp_client *client = udp->client;
    if (size < 8 || data[0] >> 6 != 2)
        return;
    if (control || (data[1] >= 200 && data[1] <= 207)) { /* some send both to one port (RFC 5761) */
        client_rtcp(client, udp->track, data, size);
        return;
    }
    struct rtp_packet packet;
    if (rtp_parse(data, size, &packet) < 0)
        return;
    if (packet.payload_type != udp->track->payload_type) {
        client_rtp(client, udp->track, data, size); /* which knows what to do with it */
        return;
    }
    se_mono_us now = se_loop_now_us(client->loop);
    rtp_arrived(&udp->track->receiver, &packet, udp->track->clock, now);
    reorder_push(&udp->reorder, packet.ssrc, packet.sequence, data, size, now, in_order, udp);
}

/* One batch. false: there is no more, or the session ended with a packet. */
static bool read_batch(struct client_udp *udp, unsigned which, uint8_t *scratch)
{
    struct rtsp_client *client = udp->client;
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    struct sockaddr_storage from[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){scratch + (size_t)i * PACKET_MAX, PACKET_MAX};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(udp->watch[which].fd, messages, BATCH, MSG_DONTWAIT, NULL);
    unsigned session = client->session_number;
    for (int i = 0; i < n; i++) {
        if (!same_address(&from[i], &udp->camera) && !same_address(&from[i], &udp->source)) {
            se_metric_add(&metrics[METRIC_FOREIGN], 1);
        } else if (messages[i].msg_hdr.msg_flags & MSG_TRUNC) {
            se_metric_add(&metrics[METRIC_CUT], 1);
        } else {
            client->stats.bytes += messages[i].msg_len;
            if (!udp->server_port[which]) /* it did not say: reports go back to where packets come from */
                udp->server_port[which] = port_of(&from[i]);
            take_packet(udp, which == 1, pieces[i].iov_base, messages[i].msg_len);
        }
        if (client->session_number != session)
            return false;
    }
    return n == (int)BATCH;
}

static void read_socket(struct client_udp *udp, unsigned which)
{
    struct rtsp_client *client = udp->client;
    unsigned session = client->session_number;
    uint8_t *scratch = client_scratch();
    if (!scratch) {
        client_fail(client, FAILURE_LOST, "out of memory");
        return;
    }
    for (unsigned i = 0; i < ROUNDS && read_batch(udp, which, scratch); i++)
        ;
    if (client->session_number == session)
        set_due(udp);
}

static void on_rtp_socket(struct se_watch *watch, uint32_t events)
{
    read_socket(watch->ctx, 0);
}

static void on_rtcp_socket(struct se_watch *watch, uint32_t events)
{
    read_socket(watch->ctx, 1);
}

/* --- life ----------------------------------------------------------------------- */

int client_udp_open(struct rtsp_client *client, struct client_track *track, uint16_t ret_ports[2])
{
    if (track->udp) {
        memcpy(ret_ports, track->udp->port, sizeof(track->udp->port));
        return 0;
    }
    struct sockaddr_storage local = {0};
    socklen_t local_size = sizeof(local), camera_size = sizeof(local);
    struct client_udp *udp = calloc(1, sizeof(*udp));
    if (!udp)
        return -ENOMEM;
    int fds[2];
    int r = 0;
    if (getsockname(client->watch.fd, (struct sockaddr *)&local, &local_size) < 0 ||
        getpeername(client->watch.fd, (struct sockaddr *)&udp->camera, &camera_size) < 0)
        r = -errno;
    if (r == 0 && local.ss_family != AF_INET && local.ss_family != AF_INET6)
        r = -EAFNOSUPPORT;
    if (r == 0)
        r = udp_ports_open(&client->udp_ports, &local, fds, udp->port);
    if (r < 0) {
        free(udp);
        return r;
    }
    udp->client = client;
    udp->track = track;
    udp->reorder.wait_us = client->wait.reorder_us;
    udp->due = (struct se_timer){.fn = expired, .ctx = udp};
    track->udp = udp;
    for (unsigned i = 0; i < 2; i++) {
        udp->watch[i] = (struct se_watch){.fn = i ? on_rtcp_socket : on_rtp_socket, .ctx = udp, .fd = -1};
        int added = r == 0 ? se_watch_add(client->loop, &udp->watch[i], fds[i], EPOLLIN) : r;
        if (added < 0) {
            close(fds[i]);
            udp->watch[i].fd = -1;
            r = added;
        }
    }
    if (r < 0) {
        client_udp_close(track);
        return r;
    }
    memcpy(ret_ports, udp->port, sizeof(udp->port));
    return 0;
}

void client_udp_close(struct client_track *track)
{
    struct client_udp *udp = track->udp;
    if (!udp)
        return;
    for (unsigned i = 0; i < 2; i++) {
        int fd = udp->watch[i].fd;
        se_watch_del(&udp->watch[i]);
        if (fd >= 0)
            close(fd);
    }
    se_timer_cancel(&udp->due);
    udp->client->late_before += udp->reorder.late;
    count(udp);
    reorder_fini(&udp->reorder);
    free(udp);
    track->udp = NULL;
}

void client_udp_answered(struct client_track *track, const struct rtsp_transport *transport)
{
    struct client_udp *udp = track->udp;
    memcpy(udp->server_port, transport->server_port, sizeof(udp->server_port));
    char host[64];
    struct sockaddr_storage source;
    if (!transport->source.n || transport->source.n >= sizeof(host))
        return;
    memcpy(host, transport->source.p, transport->source.n);
    host[transport->source.n] = 0;
    /* A camera behind NAT names an address that nobody can reach, or none at all: then it is its own. */
    if (address_parse(host, &source) && source.ss_family == udp->camera.ss_family &&
        !same_address(&source, &udp->camera) &&
        address_allowed(&udp->client->rules, (const struct sockaddr *)&source))
        udp->source = source;
}

/* Opens the way through firewalls and address translation: nothing comes in that nobody asked for. */
void client_udp_punch(struct client_track *track)
{
    struct client_udp *udp = track->udp;
    uint8_t packet[RTP_HEAD] = {0x80, track->payload_type}, report[RTCP_REPORT_MAX];
    uint32_t ssrc = udp->client->own_ssrc;
    for (unsigned i = 0; i < 4; i++)
        packet[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    send_to(udp, 0, packet, sizeof(packet));
    struct rtp_receiver nobody = {0};
    send_to(udp, 1, report, rtcp_report(&nobody, ssrc, 0, report));
}

void client_udp_report(struct client_track *track, const uint8_t *report, size_t size)
{
    count(track->udp);
    send_to(track->udp, 1, report, size);
}

uint64_t client_udp_late(const struct client_track *track)
{
    return track->udp ? track->udp->reorder.late : 0;
}
