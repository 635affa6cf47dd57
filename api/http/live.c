/* Endless bodies. A stream that has nothing to say suspends its connection; this thread wakes it when a hub
 * or the bus has something, and once a second for its keep-alive. libmicrohttpd does not look at suspended
 * connections, and never at how long one has been unable to send, so both watches are here too.
 *
 * A suspended connection is resumed exactly once, by whoever clears `parked` under the stream's lock: 0.9.75
 * loses the next suspension of a connection that was resumed without being suspended. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "http/linux_tcp_info.h"
#include "http/server.h"

#define STREAMS_MAX  4096
#define UNSENT_BYTES 65536 /* the kernel may hold no more of a viewer that does not read */

struct stream {
    struct stream *prev, *next;
    struct live *live;
    pthread_mutex_t lock;
    struct http_stream *source;
    struct MHD_Connection *connection;
    int fd;
    struct access_who who;
    bool parked; /* suspended; whoever clears this resumes */
    bool ending; /* its body ends well at the next turn */
    bool cut;    /* its socket was shut down */
    uint64_t acked;
    se_mono_us moved_us; /* when its socket last took something, or had nothing to take */
};

struct live {
    struct api *api;
    pthread_t thread;
    bool running;
    int wake_fd;
    _Atomic unsigned sources;
    _Atomic bool stop;
    int64_t stall_us;
    pthread_mutex_t lock; /* the list; taken before a stream's lock, never after */
    struct stream *first;
    unsigned count;
};

static void resume(struct stream *stream)
{
    if (stream->parked) {
        stream->parked = false;
        MHD_resume_connection(stream->connection);
    }
}

static void stream_gone(void *ctx)
{
    struct stream *stream = ctx;
    struct live *live = stream->live;
    pthread_mutex_lock(&live->lock);
    if (stream->prev) {
        stream->prev->next = stream->next;
    } else {
        live->first = stream->next;
    }
    if (stream->next) {
        stream->next->prev = stream->prev;
    }
    live->count--;
    se_metric_set(&http_metrics[HTTP_METRIC_STREAMS], live->count);
    pthread_mutex_unlock(&live->lock);
    stream->source->free(stream->source);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* libmicrohttpd asks for more of the body. */
static ssize_t stream_read(void *ctx, uint64_t pos, char *out, size_t max)
{
    struct stream *stream = ctx;
    ssize_t result;
    pthread_mutex_lock(&stream->lock);
    if (stream->cut || max < 4096) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (stream->ending || stream->live->stop) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        long n = stream->source->fill(stream->source, out, max);
        if (n > 0) {
            se_metric_add(&http_metrics[HTTP_METRIC_BYTES_OUT], n);
            result = n;
        } else if (n < 0) {
            result = MHD_CONTENT_READER_END_OF_STREAM;
        } else {
            MHD_suspend_connection(stream->connection);
            stream->parked = true;
            result = 0;
        }
    }
    pthread_mutex_unlock(&stream->lock);
    return result;
}

struct MHD_Response *live_response(struct live *live, struct http_stream *source,
                                   struct MHD_Connection *connection, int fd, const struct access_who *who)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    pthread_mutex_lock(&live->lock);
    bool room = stream && live->count < STREAMS_MAX && !live->stop;
    if (room) {
        *stream = (struct stream){.live = live,
                                  .source = source,
                                  .connection = connection,
                                  .fd = fd,
                                  .who = *who,
                                  .moved_us = se_mono_now_us(),
                                  .next = live->first};
        pthread_mutex_init(&stream->lock, NULL);
        if (stream->next) {
            stream->next->prev = stream;
        }
        live->first = stream;
        live->count++;
        se_metric_set(&http_metrics[HTTP_METRIC_STREAMS], live->count);
    }
    pthread_mutex_unlock(&live->lock);
    if (!room) {
        http_count(HTTP_METRIC_STREAMS_REFUSED);
        source->free(source);
        free(stream);
        return NULL;
    }
    int unsent = UNSENT_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    struct MHD_Response *answer =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, stream_read, stream, stream_gone);
    if (!answer) {
        stream_gone(stream);
    }
    return answer;
}

/* Wakes those whose sources have something for them. */
static void sweep(struct live *live, unsigned sources)
{
    pthread_mutex_lock(&live->lock);
    for (struct stream *stream = live->first; stream; stream = stream->next) {
        if (!(stream->source->wake & sources)) {
            continue;
        }
        pthread_mutex_lock(&stream->lock);
        if (stream->parked && (!stream->source->ready || stream->source->ready(stream->source))) {
            resume(stream);
        }
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&live->lock);
}

static void cut(struct stream *stream, enum http_metric why)
{
    http_count(why);
    stream->cut = true;
    shutdown(stream->fd, SHUT_RDWR);
    resume(stream);
}

/* Has the socket taken anything since we last looked, or nothing to take? */
static bool moves(struct stream *stream)
{
    int waiting = 0;
    uint64_t acked = stream->acked;
    tcp_bytes_acked(stream->fd, &acked);
    bool moved = acked != stream->acked;
    stream->acked = acked;
    return moved || (stream->parked && ioctl(stream->fd, SIOCOUTQ, &waiting) == 0 && waiting == 0);
}

static void watch(struct live *live, struct stream *stream, se_mono_us now_us)
{
    struct pollfd poll_fd = {.fd = stream->fd, .events = POLLRDHUP};
    if (stream->cut || stream->ending) {
        return;
    }
    if (stream->parked && poll(&poll_fd, 1, 0) == 1 &&
        (poll_fd.revents & (POLLRDHUP | POLLERR | POLLHUP | POLLNVAL))) {
        cut(stream, HTTP_METRIC_STREAMS_GONE);
        return;
    }
    if (moves(stream)) {
        stream->moved_us = now_us;
    } else if (now_us - stream->moved_us >= live->stall_us) {
        cut(stream, HTTP_METRIC_STREAMS_STALLED);
        return;
    }
    if (!access_still(live->api->deps.access, &stream->who)) {
        http_count(HTTP_METRIC_STREAMS_REVOKED);
        if (stream->parked) {
            stream->ending = true;
        } else {
            stream->cut = true;
            shutdown(stream->fd, SHUT_RDWR);
        }
    }
    resume(stream);
}

/* Once a second: keep-alives, the vanished, the stalled, the revoked. */
static void tick(struct live *live)
{
    se_mono_us now_us = se_mono_now_us();
    pthread_mutex_lock(&live->lock);
    for (struct stream *stream = live->first; stream; stream = stream->next) {
        pthread_mutex_lock(&stream->lock);
        watch(live, stream, now_us);
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&live->lock);
    peers_sweep(live->api->peers);
}

static void drain(int fd)
{
    uint64_t n;
    (void)!read(fd, &n, sizeof(n));
}

static void *run(void *ctx)
{
    struct live *live = ctx;
    struct pollfd fds[2] = {
        {.fd = live->api->deps.ingest ? ingest_live_fd(live->api->deps.ingest) : -1, .events = POLLIN},
        {.fd = live->wake_fd, .events = POLLIN},
    };
    se_mono_us next_us = se_mono_now_us() + SE_US_PER_S;
    while (!live->stop) {
        int64_t wait_us = next_us - se_mono_now_us();
        poll(fds, 2, wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0);
        unsigned sources = 0;
        if (fds[0].revents & POLLIN) {
            drain(fds[0].fd);
            sources |= HTTP_WAKE_LIVE;
        }
        if (fds[1].revents & POLLIN) {
            drain(fds[1].fd);
            sources |= atomic_exchange(&live->sources, 0);
        }
        if (sources) {
            sweep(live, sources);
        }
        if (se_mono_now_us() >= next_us) {
            next_us += SE_US_PER_S;
            tick(live);
        }
    }
    /* From here on nothing parks any more: stream_read() looks at stop under the stream's lock. */
    pthread_mutex_lock(&live->lock);
    for (struct stream *stream = live->first; stream; stream = stream->next) {
        pthread_mutex_lock(&stream->lock);
        resume(stream);
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&live->lock);
    return NULL;
}

void live_wake(struct live *live, unsigned sources)
{
    uint64_t one = 1;
    if ((atomic_fetch_or(&live->sources, sources) & sources) != sources) {
        (void)!write(live->wake_fd, &one, sizeof(one));
    }
}

void http_wake(struct api *api)
{
    live_wake(api->live, HTTP_WAKE_LIVE | HTTP_WAKE_BUS);
}

static void published(const struct bus_event *event, void *ctx)
{
    live_wake(ctx, HTTP_WAKE_BUS);
}

int live_new(struct api *api, struct live **ret_live, struct se_err *err)
{
    struct live *live = calloc(1, sizeof(*live));
    if (!live) {
        return se_fail(err, -ENOMEM, "out of memory");
    }
    live->api = api;
    live->stall_us = options_int(api->deps.options, "http.stall_s") * SE_US_PER_S;
    pthread_mutex_init(&live->lock, NULL);
    live->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = live->wake_fd < 0 ? -errno : bus_subscribe(api->deps.bus, published, live);
    if (r == 0) {
        r = se_thread_start(&live->thread, "http-live", run, live);
        live->running = r == 0;
    }
    if (r < 0) {
        live_free(live);
        return se_fail(err, r, "cannot start the live thread: %s", strerror(-r));
    }
    *ret_live = live;
    return 0;
}

void live_stop(struct live *live)
{
    if (!live || !live->running) {
        return;
    }
    live->stop = true;
    bus_unsubscribe(live->api->deps.bus, published, live);
    live_wake(live, HTTP_WAKE_LIVE | HTTP_WAKE_BUS);
    uint64_t one = 1;
    (void)!write(live->wake_fd, &one, sizeof(one));
    pthread_join(live->thread, NULL);
    live->running = false;
}

void live_free(struct live *live)
{
    if (!live) {
        return;
    }
    live_stop(live);
    bus_unsubscribe(live->api->deps.bus, published, live);
    if (live->wake_fd >= 0) {
        close(live->wake_fd);
    }
    pthread_mutex_destroy(&live->lock);
    free(live);
}
