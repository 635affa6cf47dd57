/* RTP in datagrams: two sockets a track, connected to where the player's RTSP connection comes from. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "rtsp/server.h"

#define TRIES       64
#define REFUSED_MAX 200 /* datagrams in a row that a host says nobody takes */

static void set_port(struct sockaddr_storage *address, unsigned port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

static unsigned get_port(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

static socklen_t size_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* A socket of our side's address at that port (0: any). */
static int bind_one(const struct sockaddr_storage *local, unsigned port)
{
    struct sockaddr_storage address = *local;
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    set_port(&address, port);
    if (bind(fd, (struct sockaddr *)&address, size_of(&address)) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* An even port and the one above it. Where no range was given, the kernel picks the first. */
static int bind_pair(const struct rtsp_out *out, const struct sockaddr_storage *local, struct udp_pair *pair)
{
    unsigned pairs = out->port_last > out->port_first ? (out->port_last - out->port_first + 1) / 2 : 0;
    unsigned start = 0;
    if (getrandom(&start, sizeof(start), GRND_NONBLOCK) != sizeof(start))
        start = out->udp_count;
    for (unsigned i = 0; i < (pairs ? pairs : TRIES); i++) {
        unsigned port = pairs ? out->port_first + (start + i) % pairs * 2 : 0;
        int rtp = bind_one(local, port);
        if (rtp == -EADDRINUSE)
            continue;
        if (rtp < 0)
            return rtp;
        struct sockaddr_storage bound;
        socklen_t size = sizeof(bound);
        getsockname(rtp, (struct sockaddr *)&bound, &size);
        port = get_port(&bound);
        int rtcp = port % 2 == 0 ? bind_one(local, port + 1) : -EADDRINUSE;
        if (rtcp >= 0) {
            pair->rtp = rtp;
            pair->rtcp = rtcp;
            pair->ports[0] = port;
            pair->ports[1] = port + 1;
            return 0;
        }
        close(rtp);
        if (rtcp != -EADDRINUSE)
            return rtcp;
    }
    return -EADDRINUSE;
}

static void on_report(struct se_watch *watch, uint32_t events)
{
    struct viewer *viewer = watch->ctx;
    for (unsigned i = 0; i < TRACKS; i++) {
        struct udp_pair *pair = &viewer->pairs[i];
        uint8_t data[1500];
        if (watch != &pair->rtcp_watch && watch != &pair->rtp_watch)
            continue;
        for (unsigned turn = 0; turn < 8; turn++) {
            ssize_t n = recv(watch->fd, data, sizeof(data), MSG_DONTWAIT);
            if (n < 0 && errno == ECONNREFUSED && ++viewer->refused < REFUSED_MAX)
                continue;
            if (n <= 0)
                break;
            if (watch == &pair->rtcp_watch)
                viewer_heard(viewer, i, data, (size_t)n);
        }
    }
}

static int connect_one(int fd, const struct sockaddr_storage *peer, unsigned port)
{
    struct sockaddr_storage address = *peer;
    set_port(&address, port);
    return connect(fd, (struct sockaddr *)&address, size_of(&address)) < 0 ? -errno : 0;
}

static void pair_close(struct udp_pair *pair)
{
    se_watch_del(&pair->rtp_watch);
    se_watch_del(&pair->rtcp_watch);
    if (pair->rtp >= 0)
        close(pair->rtp);
    if (pair->rtcp >= 0)
        close(pair->rtcp);
    pair->rtp = pair->rtcp = -1;
}

int udp_open(struct viewer *viewer, unsigned track, const struct rtsp_delivery *transport)
{
    struct udp_pair *pair = &viewer->pairs[track];
    struct sockaddr_storage local;
    socklen_t size = sizeof(local);
    if (getsockname(viewer->watch.fd, (struct sockaddr *)&local, &size) < 0)
        return -errno;
    pair_close(pair);
    int r = bind_pair(viewer->out, &local, pair);
    if (r == 0)
        r = connect_one(pair->rtp, &viewer->peer, transport->port_rtp);
    if (r == 0)
        r = connect_one(pair->rtcp, &viewer->peer, transport->port_rtcp);
    pair->rtp_watch = (struct se_watch){.fn = on_report, .ctx = viewer, .fd = -1};
    pair->rtcp_watch = pair->rtp_watch;
    if (r == 0)
        r = se_watch_add(viewer->out->loop, &pair->rtp_watch, pair->rtp, EPOLLIN);
    if (r == 0)
        r = se_watch_add(viewer->out->loop, &pair->rtcp_watch, pair->rtcp, EPOLLIN);
    if (r < 0)
        pair_close(pair);
    return r;
}

void udp_close(struct viewer *viewer)
{
    for (unsigned i = 0; i < TRACKS; i++)
        pair_close(&viewer->pairs[i]);
    if (viewer->udp && viewer->state != VIEWER_OPEN)
        viewer->out->udp_count--;
}

void udp_report(struct viewer *viewer, unsigned track, const uint8_t *rtcp, size_t size)
{
    (void)!send(viewer->pairs[track].rtcp, rtcp, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sends up to max packets of one frame from the given on; how many went, or -errno. */
static int send_packets(const struct viewer *viewer, const struct packets *packets, unsigned from,
                        unsigned max)
{
    struct mmsghdr messages[UDP_TURN];
    struct iovec pieces[UDP_TURN];
    unsigned n = packets->count - from < max ? packets->count - from : max;
    const struct udp_pair *pair = &viewer->pairs[packets->track];
    memset(messages, 0, n * sizeof(*messages));
    for (unsigned i = 0; i < n; i++) {
        size_t size;
        const uint8_t *data = packets_get(packets, from + i, &size);
        pieces[i] = (struct iovec){(void *)(uintptr_t)data, size};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(packets->rtcp ? pair->rtcp : pair->rtp, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

/* What comes next for it is in viewer->current, with viewer->sent packets of it gone; false: nothing is due.
 */
static bool find_next(struct viewer *viewer)
{
    const struct feed *feed = viewer->feed;
    if (viewer->current)
        return true;
    if (!viewer_find_place(viewer))
        return false;
    while (viewer->at < feed->end) {
        struct packets *packets = feed_at(feed, viewer->at++);
        if (!(viewer->tracks & 1u << packets->track))
            continue;
        viewer->current = packets_ref(packets);
        viewer->sent = 0;
        return true;
    }
    return false;
}

/* Where the first so many packets end. */
static size_t packets_end(const struct packets *packets, unsigned count)
{
    return count < packets->count ? packets->at[count] : packets->size;
}

bool udp_flush(struct viewer *viewer)
{
    unsigned left = UDP_TURN;
    while (left > 0 && find_next(viewer)) {
        int sent = send_packets(viewer, viewer->current, (unsigned)viewer->sent, left);
        if (sent == -EINTR)
            continue;
        if (sent == -EAGAIN || sent == -ENOBUFS)
            return true;
        if (sent < 0) { /* a host that says "nobody here", or no route: that one is lost */
            if (++viewer->refused >= REFUSED_MAX) {
                viewer_cut(viewer, RTSP_M_CUT_SILENT);
                return false;
            }
            sent = 1;
        } else {
            viewer->refused = 0;
        }
        size_t before = packets_end(viewer->current, (unsigned)viewer->sent);
        left -= (unsigned)sent;
        viewer->sent += (size_t)sent;
        se_metric_add(&rtsp_metrics[RTSP_M_BYTES_UDP],
                      (int64_t)(packets_end(viewer->current, (unsigned)viewer->sent) - before) -
                          sent * INTERLEAVED_FRAME);
        if (viewer->sent >= viewer->current->count) {
            packets_unref(&viewer->current);
            viewer->sent = 0;
        }
    }
    return viewer->current || (viewer->at && viewer->at < viewer->feed->end);
}
