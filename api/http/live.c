/* Endless bodies, libmicrohttpd's side. It reads the request and writes the headers; when it asks for the
 * body the first time, the connection is suspended, which takes its socket out of libmicrohttpd's epoll set,
 * and given to a live loop, which writes to the socket until the stream is over (live_loop.c). Then the
 * connection is resumed, once, and when asked again the body has ended: the last chunk is libmicrohttpd's to
 * write, and so is the close. For it the body had no bytes at all. */
#include "http/live.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define STREAMS_MAX  4096
#define FEW_STREAMS  256   /* are no burden to one loop */
#define UNSENT_BYTES 65536 /* the kernel may hold no more of a viewer that does not read */

static void stream_gone(void *ctx)
{
    struct stream *stream = ctx;
    struct live *live = stream->live;
    stream->source->free(stream->source);
    atomic_fetch_sub(&stream->loop->streams, 1);
    pthread_mutex_lock(&live->lock);
    live->count--;
    se_metric_set(&http_metrics[HTTP_METRIC_STREAMS], live->count);
    pthread_mutex_unlock(&live->lock);
    free(stream);
}

/* libmicrohttpd asks for the body: the first time, or after the resumption. */
static ssize_t stream_read(void *ctx, uint64_t pos, char *out, size_t max)
{
    struct stream *stream = ctx;
    struct live *live = stream->live;
    if (stream->outcome != STREAM_RUNS) {
        return stream->outcome == STREAM_ENDED ? MHD_CONTENT_READER_END_OF_STREAM
                                               : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    ssize_t result = 0;
    pthread_mutex_lock(&live->lock);
    if (live->stopping) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        MHD_suspend_connection(stream->connection);
        if (se_loop_post(stream->loop->loop, live_loop_take, stream) < 0) {
            stream->outcome = STREAM_BROKEN;
            MHD_resume_connection(stream->connection);
        }
    }
    pthread_mutex_unlock(&live->lock);
    return result;
}

/* The first loop that has few, so that what few streams need wakes one thread and not all; else the emptiest.
 */
static struct live_loop *choose_loop(struct live *live)
{
    struct live_loop *best = &live->loops[0];
    for (unsigned i = 1; i < live->loop_count && best->streams >= FEW_STREAMS; i++) {
        if (live->loops[i].streams < best->streams) {
            best = &live->loops[i];
        }
    }
    return best;
}

struct MHD_Response *live_response(struct live *live, struct http_stream *source,
                                   struct MHD_Connection *connection, int fd, bool chunked,
                                   const struct access_who *who)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    pthread_mutex_lock(&live->lock);
    bool room = stream && live->count < STREAMS_MAX && !live->stopping;
    if (room) {
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
    *stream = (struct stream){.live = live,
                              .loop = choose_loop(live),
                              .source = source,
                              .connection = connection,
                              .fd = fd,
                              .chunked = chunked,
                              .who = *who,
                              .watch.fd = -1};
    atomic_fetch_add(&stream->loop->streams, 1);
    source->live = stream;
    int unsent = UNSENT_BYTES, one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    /* A time-out of its own, whatever it is, makes libmicrohttpd 0.9.75 look at the connection in each of its
     * turns: when the body ends with an error or a close it would else forget to close the socket, until all
     * older connections have timed out. */
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, HTTP_CONNECTION_S + 1);
    struct MHD_Response *answer =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, stream_read, stream, stream_gone);
    if (!answer) {
        stream_gone(stream);
    }
    return answer;
}

static void published(const struct bus_event *event, void *ctx)
{
    struct live *live = ctx;
    for (unsigned i = 0; i < live->loop_count; i++) {
        live_loop_bus(&live->loops[i]);
    }
}

/* Every second: ordinary connections that keep us waiting. */
static void sweep_peers(struct se_timer *timer)
{
    struct live *live = timer->ctx;
    se_timer_in(live->loops[0].loop, timer, SE_US_PER_S);
    peers_sweep(live->api->peers);
}

static void start_sweep(void *ctx)
{
    struct live *live = ctx;
    live->peers_timer = (struct se_timer){.fn = sweep_peers, .ctx = live};
    se_timer_in(live->loops[0].loop, &live->peers_timer, SE_US_PER_S);
}

int live_new(struct api *api, struct live **ret_live, struct se_err *err)
{
    struct live *live = calloc(1, sizeof(*live));
    unsigned loops = (unsigned)options_int(api->deps.options, "http.threads");
    if (!live) {
        return se_fail(err, -ENOMEM, "out of memory");
    }
    live->api = api;
    live->stall_us = options_int(api->deps.options, "http.stall_s") * SE_US_PER_S;
    pthread_mutex_init(&live->lock, NULL);
    live->loops = calloc(loops, sizeof(*live->loops));
    int r = live->loops ? 0 : -ENOMEM;
    while (r == 0 && live->loop_count < loops) {
        r = live_loop_init(&live->loops[live->loop_count], live, live->loop_count);
        live->loop_count += r == 0;
    }
    if (r == 0) {
        r = bus_subscribe(api->deps.bus, published, live);
    }
    if (r == 0) {
        r = se_loop_post(live->loops[0].loop, start_sweep, live);
    }
    if (r < 0) {
        live_free(live);
        return se_fail(err, r, "cannot start the live loops: %s", strerror(-r));
    }
    *ret_live = live;
    return 0;
}

void live_stop(struct live *live)
{
    if (!live) {
        return;
    }
    bus_unsubscribe(live->api->deps.bus, published, live);
    pthread_mutex_lock(&live->lock);
    live->stopping = true; /* what was suspended before is with its loop, or on the way to it */
    pthread_mutex_unlock(&live->lock);
    for (unsigned i = 0; i < live->loop_count; i++) {
        se_loop_stop(live->loops[i].loop);
    }
    for (unsigned i = 0; i < live->loop_count; i++) {
        live_loop_fini(&live->loops[i]);
    }
}

void live_free(struct live *live)
{
    if (!live) {
        return;
    }
    live_stop(live);
    for (unsigned i = 0; i < live->loop_count; i++) {
        se_loop_free(live->loops[i].loop);
        pthread_mutex_destroy(&live->loops[i].news_lock);
    }
    free(live->loops);
    pthread_mutex_destroy(&live->lock);
    free(live);
}
