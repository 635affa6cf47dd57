/* Every open connection and what it keeps us waiting for. libmicrohttpd's own time-out starts again with each
 * byte that comes, so a client that sends one byte now and then would hold its place for ever. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "http/server.h"

#define LINGER_MAX   64
#define LINGER_S     2
#define LINGER_BYTES 262144

struct peers {
    pthread_mutex_t lock;
    struct peer *first;
    unsigned count, limit;
    struct peers_patience patience;
    struct {
        int fd;
        size_t read;
        se_mono_us until_us;
    } lingering[LINGER_MAX];
    unsigned lingering_count;
};

int peers_new(unsigned limit, const struct peers_patience *patience, struct peers **ret_peers)
{
    struct peers *peers = calloc(1, sizeof(*peers));
    if (!peers) {
        return -ENOMEM;
    }
    pthread_mutex_init(&peers->lock, NULL);
    peers->limit = limit;
    peers->patience = *patience;
    *ret_peers = peers;
    return 0;
}

void peers_free(struct peers *peers)
{
    if (!peers) {
        return;
    }
    while (peers->first) {
        peer_remove(peers, peers->first);
    }
    for (unsigned i = 0; i < peers->lingering_count; i++) {
        close(peers->lingering[i].fd);
    }
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

struct peer *peer_add(struct peers *peers, int fd, const struct sockaddr *address)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    if (!peer) {
        return NULL;
    }
    socklen_t len =
        address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (!address ||
        getnameinfo(address, len, peer->address, sizeof(peer->address), NULL, 0, NI_NUMERICHOST)) {
        snprintf(peer->address, sizeof(peer->address), "unknown");
    }
    peer->fd = fd;
    peer->since_us = se_mono_now_us();
    pthread_mutex_lock(&peers->lock);
    peer->next = peers->first;
    if (peer->next) {
        peer->next->prev = peer;
    }
    peers->first = peer;
    peers->count++;
    se_metric_set(&http_metrics[HTTP_METRIC_CONNECTIONS], peers->count);
    pthread_mutex_unlock(&peers->lock);
    return peer;
}

void peer_remove(struct peers *peers, struct peer *peer)
{
    if (!peer) {
        return;
    }
    pthread_mutex_lock(&peers->lock);
    if (peer->prev) {
        peer->prev->next = peer->next;
    } else {
        peers->first = peer->next;
    }
    if (peer->next) {
        peer->next->prev = peer->prev;
    }
    peers->count--;
    se_metric_set(&http_metrics[HTTP_METRIC_CONNECTIONS], peers->count);
    pthread_mutex_unlock(&peers->lock);
    free(peer);
}

void peer_set(struct peers *peers, struct peer *peer, enum peer_state state)
{
    if (!peer) {
        return;
    }
    pthread_mutex_lock(&peers->lock);
    peer->state = state;
    peer->since_us = se_mono_now_us();
    pthread_mutex_unlock(&peers->lock);
}

/* How long a connection may be in its state: the fuller the house, the less one may sit that does nothing. */
static int64_t patience_us(const struct peers *peers, enum peer_state state)
{
    unsigned most_s = UINT_MAX;
    if (peers->count * 4 >= peers->limit * 3) {
        most_s = 1;
    } else if (peers->count * 2 >= peers->limit) {
        most_s = 5;
    }
    switch (state) {
    case PEER_IDLE:
        return SE_US_PER_S * (peers->patience.idle_s < most_s ? peers->patience.idle_s : most_s);
    case PEER_HEADERS:
        return SE_US_PER_S * (peers->patience.headers_s < most_s ? peers->patience.headers_s : most_s);
    case PEER_BODY:
        return SE_US_PER_S * peers->patience.body_s;
    default:
        return INT64_MAX;
    }
}

/* Reads away a little of what a lingering client still sends, and closes it when it is done or late. */
static void linger_sweep(struct peers *peers, se_mono_us now_us)
{
    static char nowhere[65536]; /* under the lock, and never looked at */
    for (unsigned i = 0; i < peers->lingering_count;) {
        bool done = now_us >= peers->lingering[i].until_us;
        while (!done && peers->lingering[i].read < LINGER_BYTES) {
            ssize_t n = recv(peers->lingering[i].fd, nowhere, sizeof(nowhere), MSG_DONTWAIT);
            if (n > 0) {
                peers->lingering[i].read += (size_t)n;
            } else {
                done = n == 0 || (errno != EAGAIN && errno != EINTR);
                break;
            }
        }
        if (done) {
            close(peers->lingering[i].fd);
            peers->lingering[i] = peers->lingering[--peers->lingering_count];
        } else {
            i++;
        }
    }
}

/* Has the client closed in the middle of a body? libmicrohttpd 0.9.75 does not learn of a FIN that comes with
 * the last bytes it reads (its epoll is edge-triggered), and would keep what has come of the body. Twice, a
 * second apart: meanwhile it has taken those bytes, should they complete the body. */
static bool body_abandoned(struct peer *peer)
{
    struct pollfd poll_fd = {.fd = peer->fd, .events = POLLRDHUP};
    int waiting = 0;
    bool before = peer->closed;
    peer->closed = peer->state == PEER_BODY && poll(&poll_fd, 1, 0) == 1 &&
                   ioctl(peer->fd, FIONREAD, &waiting) == 0 && waiting == 0;
    return before && peer->closed;
}

void peers_sweep(struct peers *peers)
{
    static const enum http_metric causes[] = {HTTP_METRIC_CUT_IDLE, HTTP_METRIC_CUT_HEADERS,
                                              HTTP_METRIC_CUT_BODY};
    se_mono_us now_us = se_mono_now_us();
    pthread_mutex_lock(&peers->lock);
    for (struct peer *peer = peers->first; peer; peer = peer->next) {
        if (!peer->cut &&
            (body_abandoned(peer) || now_us - peer->since_us > patience_us(peers, peer->state))) {
            peer->cut = true;
            http_count(causes[peer->state]);
            shutdown(peer->fd, SHUT_RDWR);
        }
    }
    if (peers->count >= peers->limit) {
        http_count(HTTP_METRIC_FULL);
    }
    linger_sweep(peers, now_us);
    pthread_mutex_unlock(&peers->lock);
}

void peers_linger(struct peers *peers, int fd)
{
    pthread_mutex_lock(&peers->lock);
    if (peers->lingering_count < LINGER_MAX) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy >= 0) {
            unsigned i = peers->lingering_count++;
            peers->lingering[i].fd = copy;
            peers->lingering[i].read = 0;
            peers->lingering[i].until_us = se_mono_now_us() + LINGER_S * SE_US_PER_S;
        }
    }
    pthread_mutex_unlock(&peers->lock);
}
