/* Endless bodies, the socket's side. What a hub has for its viewers wakes each loop once, however many they
 * are, and goes from the shared buffers into the sockets with one sendmsg() a viewer. A socket is watched
 * edge-triggered: it makes no event but when a full one has room again or its client goes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/thread.h"
#include "http/linux_tcp_info.h"
#include "http/live.h"
#include "ingest/ingest.h"

#define ROUND_GAP_US                                                                                         \
    1000                  /* between rounds, so that a page of many tiles sends what came meanwhile at once  \
                           */
#define FEED_BYTES 262144 /* to one viewer in one round; the others come first then */
#define SWEEPS_A_S 8      /* each takes its part of the streams */

/* A hub with at least one follower on this loop. */
struct topic {
    struct live_loop *ll;
    struct hub *hub;
    struct hub_watch watch;
    struct topic *next; /* of its bucket */
    struct http_follow *follows;
    bool news; /* under the news lock: in its list */
    struct topic *news_next;
    struct topic *round_next; /* among those whose followers this round is for */
};

/* --- what other threads say -------------------------------------------------------------------------------
 */

static void on_told(void *ctx);

/* With the news lock. */
static void tell(struct live_loop *ll)
{
    if (!ll->told) {
        ll->told = se_loop_post(ll->loop, on_told, ll) == 0; /* if not: the sweep asks all, once a second */
    }
}

static void on_hub_news(struct hub_watch *watch)
{
    struct topic *topic = SE_CONTAINER_OF(watch, struct topic, watch);
    struct live_loop *ll = topic->ll;
    pthread_mutex_lock(&ll->news_lock);
    if (!topic->news) {
        topic->news = true;
        topic->news_next = ll->news;
        ll->news = topic;
    }
    tell(ll);
    pthread_mutex_unlock(&ll->news_lock);
}

void http_stream_wake(struct http_stream *source)
{
    struct stream *stream = source->live;
    if (!stream) {
        return;
    }
    struct live_loop *ll = stream->loop;
    pthread_mutex_lock(&ll->news_lock);
    if (stream->taken && !stream->woken) {
        stream->woken = true;
        stream->woken_next = ll->woken;
        ll->woken = stream;
        tell(ll);
    }
    pthread_mutex_unlock(&ll->news_lock);
}

void live_loop_bus(struct live_loop *ll)
{
    pthread_mutex_lock(&ll->news_lock);
    ll->bus = true;
    tell(ll);
    pthread_mutex_unlock(&ll->news_lock);
}

/* --- who follows what
 * --------------------------------------------------------------------------------------- */

static struct topic **bucket(struct live_loop *ll, const struct hub *hub)
{
    uint64_t hash = (uint64_t)(uintptr_t)hub * UINT64_C(0x9e3779b97f4a7c15);
    return &ll->topics[(hash >> 32) % (sizeof(ll->topics) / sizeof(ll->topics[0]))];
}

static struct topic *topic_of(struct live_loop *ll, struct hub *hub)
{
    struct topic **at = bucket(ll, hub), *topic = *at;
    while (topic && topic->hub != hub) {
        topic = topic->next;
    }
    if (!topic && (topic = calloc(1, sizeof(*topic)))) {
        topic->ll = ll;
        topic->hub = hub_ref(hub);
        topic->watch.fn = on_hub_news;
        topic->next = *at;
        *at = topic;
        hub_watch_add(hub, &topic->watch);
    }
    return topic;
}

static void topic_free(struct topic *topic)
{
    struct live_loop *ll = topic->ll;
    hub_watch_remove(topic->hub, &topic->watch); /* no news any more, but perhaps old ones */
    pthread_mutex_lock(&ll->news_lock);
    for (struct topic **at = &ll->news; topic->news && *at; at = &(*at)->news_next) {
        if (*at == topic) {
            *at = topic->news_next;
            break;
        }
    }
    pthread_mutex_unlock(&ll->news_lock);
    struct topic **at = bucket(ll, topic->hub);
    while (*at != topic) {
        at = &(*at)->next;
    }
    *at = topic->next;
    hub_unref(&topic->hub);
    free(topic);
}

static void unfollow(struct http_follow *follow)
{
    struct topic *topic = follow->topic;
    if (!topic) {
        return;
    }
    if (follow->prev) {
        follow->prev->next = follow->next;
    } else {
        topic->follows = follow->next;
    }
    if (follow->next) {
        follow->next->prev = follow->prev;
    }
    *follow->link_own = follow->next_own;
    if (follow->next_own) {
        follow->next_own->link_own = follow->link_own;
    }
    follow->topic = NULL;
    if (!topic->follows) {
        topic_free(topic);
    }
}

int http_follow(struct http_stream *source, struct http_follow *follow, struct hub *hub)
{
    struct stream *stream = source->live;
    unfollow(follow);
    struct topic *topic = hub ? topic_of(stream->loop, hub) : NULL;
    if (!topic) {
        return hub ? -ENOMEM : 0;
    }
    follow->stream = stream;
    follow->topic = topic;
    follow->prev = NULL;
    follow->next = topic->follows;
    if (follow->next) {
        follow->next->prev = follow;
    }
    topic->follows = follow;
    follow->next_own = stream->follows;
    if (follow->next_own) {
        follow->next_own->link_own = &follow->next_own;
    }
    follow->link_own = &stream->follows;
    stream->follows = follow;
    return 0;
}

/* --- one stream
 * ----------------------------------------------------------------------------------------------- */

static void list_remove(struct stream *stream)
{
    struct live_loop *ll = stream->loop;
    *(stream->prev ? &stream->prev->next : &ll->first) = stream->next;
    *(stream->next ? &stream->next->prev : &ll->last_one) = stream->prev;
    stream->prev = stream->next = NULL;
}

static void list_append(struct stream *stream)
{
    struct live_loop *ll = stream->loop;
    stream->prev = ll->last_one;
    stream->next = NULL;
    *(stream->prev ? &stream->prev->next : &ll->first) = stream;
    ll->last_one = stream;
}

static void drop_batch(struct stream *stream)
{
    if (stream->batch) {
        batch_clear(stream->batch);
        free(stream->batch);
        stream->batch = NULL;
    }
}

/* Gives the stream back to libmicrohttpd; it must not be touched after. */
static void finish(struct stream *stream, enum stream_outcome outcome)
{
    struct live_loop *ll = stream->loop;
    pthread_mutex_lock(&ll->news_lock);
    stream->taken = false;
    for (struct stream **at = &ll->woken; stream->woken && *at; at = &(*at)->woken_next) {
        if (*at == stream) {
            *at = stream->woken_next;
            break;
        }
    }
    stream->woken = false;
    pthread_mutex_unlock(&ll->news_lock);
    while (stream->follows) {
        unfollow(stream->follows);
    }
    if (stream->batch && stream->batch->sent > 0) {
        outcome = STREAM_BROKEN; /* in the middle of a chunk nothing ends well */
    }
    drop_batch(stream);
    se_watch_del(&stream->watch);
    list_remove(stream);
    ll->count--;
    if (outcome == STREAM_BROKEN) {
        shutdown(stream->fd, SHUT_RDWR);
    }
    stream->outcome = outcome;
    MHD_resume_connection(stream->connection);
}

static void cut(struct stream *stream, enum http_metric why)
{
    http_count(why);
    finish(stream, STREAM_BROKEN);
}

/* The next batch, or NULL: nothing now. ret_more: there may be more behind it. */
static struct batch *gather(struct stream *stream, bool *ret_more)
{
    struct batch *batch = stream->loop->spare;
    struct http_part part = {0};
    int r = 1;
    while (!batch_full(batch) && (r = stream->source->next(stream->source, &part)) > 0) {
        batch_add(batch, &part);
    }
    *ret_more = r > 0;
    stream->last = r < 0;
    batch_close(batch, stream->chunked);
    return batch->count ? batch : NULL;
}

/* The socket takes no more of this batch now: the stream keeps it, and the loop needs another. */
static bool keep(struct stream *stream, struct batch *batch)
{
    struct live_loop *ll = stream->loop;
    stream->blocked = true;
    if (batch == ll->spare) {
        struct batch *spare = calloc(1, sizeof(*spare));
        if (!spare) {
            batch_clear(batch);
            return false;
        }
        stream->batch = batch;
        ll->spare = spare;
    }
    return true;
}

/* Sends a batch. 1: all of it; 0: not now; -1: the stream is finished. */
static int send_batch(struct stream *stream, struct batch *batch, size_t *ret_sent)
{
    struct iovec iov[BATCH_IOV];
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = batch_iov(batch, iov)};
    ssize_t n;
    do {
        n = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        if (batch != stream->batch) {
            batch_clear(batch);
        }
        cut(stream, HTTP_METRIC_STREAMS_GONE);
        return -1;
    }
    if (n >= 0) {
        se_metric_add(&http_metrics[HTTP_METRIC_BYTES_OUT], n);
        *ret_sent += (size_t)n;
        if (batch_sent(batch, (size_t)n)) {
            return 1;
        }
    }
    if (!keep(stream, batch)) {
        cut(stream, HTTP_METRIC_STREAMS_STALLED);
        return -1;
    }
    return 0;
}

/* Sends what there is until there is nothing, or the socket is full, or others must have their turn (true).
 */
static bool feed(struct stream *stream)
{
    size_t sent = 0;
    bool more = true;
    while (!stream->blocked && more) {
        struct batch *batch = stream->batch ? stream->batch : gather(stream, &more);
        if (batch) {
            int r = send_batch(stream, batch, &sent);
            if (r < 0) {
                return false;
            }
            if (r == 0) {
                break;
            }
            drop_batch(stream);
        }
        if (stream->last) {
            finish(stream, STREAM_ENDED);
            return false;
        }
        if (sent >= FEED_BYTES) {
            return true;
        }
    }
    return false;
}

static void feed_in_turn(struct stream *stream)
{
    if (feed(stream)) {
        http_stream_wake(stream->source);
    }
}

static void on_socket(struct se_watch *watch, uint32_t events)
{
    struct stream *stream = SE_CONTAINER_OF(watch, struct stream, watch);
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        cut(stream, HTTP_METRIC_STREAMS_GONE);
    } else if (stream->blocked) {
        stream->blocked = false;
        feed_in_turn(stream);
    }
}

void live_loop_take(void *ctx)
{
    struct stream *stream = ctx;
    struct live_loop *ll = stream->loop;
    stream->moved_us = se_loop_now_us(ll->loop);
    stream->watch.fn = on_socket;
    pthread_mutex_lock(&ll->news_lock);
    stream->taken = true;
    pthread_mutex_unlock(&ll->news_lock);
    list_append(stream);
    if (ll->count++ == 0) {
        se_timer_in(ll->loop, &ll->sweep_timer, SE_US_PER_S / SWEEPS_A_S);
    }
    if (se_watch_add(ll->loop, &stream->watch, stream->fd, EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0) {
        stream->watch.fd = -1;
        finish(stream, STREAM_BROKEN);
        return;
    }
    feed_in_turn(stream);
}

/* --- rounds and sweeps
 * ------------------------------------------------------------------------------------------ */

static void enqueue(struct stream **last, struct stream *stream)
{
    if (!stream->queued) {
        stream->queued = true;
        stream->queued_next = *last;
        *last = stream;
    }
}

/* Feeds all for whom there is news. */
static void round_now(struct live_loop *ll)
{
    struct stream *queue = NULL;
    ll->round_us = se_loop_now_us(ll->loop);
    pthread_mutex_lock(&ll->news_lock);
    struct topic *news = ll->news;
    struct stream *woken = ll->woken;
    bool bus = ll->bus;
    ll->news = NULL;
    ll->woken = NULL;
    ll->bus = ll->told = false;
    for (struct topic *topic = news; topic; topic = topic->news_next) {
        topic->round_next = topic->news_next; /* which it may need again at once */
        topic->news = false;
    }
    for (struct stream *stream = woken; stream; stream = stream->woken_next) {
        stream->woken = false;
        enqueue(&queue, stream);
    }
    pthread_mutex_unlock(&ll->news_lock);
    for (struct topic *topic = news; topic; topic = topic->round_next) {
        for (struct http_follow *follow = topic->follows; follow; follow = follow->next) {
            if (follow->news) {
                follow->news(follow);
            }
            enqueue(&queue, follow->stream);
        }
    }
    for (struct stream *stream = bus ? ll->first : NULL; stream; stream = stream->next) {
        if (stream->source->on_bus) {
            enqueue(&queue, stream);
        }
    }
    while (queue) {
        struct stream *stream = queue;
        queue = stream->queued_next;
        stream->queued = false;
        feed_in_turn(stream);
    }
}

static void on_told(void *ctx)
{
    struct live_loop *ll = ctx;
    bool early = se_loop_now_us(ll->loop) - ll->round_us < ROUND_GAP_US;
    if (!early || se_timer_set(ll->loop, &ll->round_timer, ll->round_us + ROUND_GAP_US) < 0) {
        round_now(ll);
    }
}

static void on_round(struct se_timer *timer)
{
    round_now(timer->ctx);
}

/* Has the socket taken anything since we last looked, or nothing to take? */
static bool moves(struct stream *stream)
{
    uint64_t acked = stream->acked;
    bool waiting = true;
    tcp_progress(stream->fd, &acked, &waiting);
    bool moved = acked != stream->acked;
    stream->acked = acked;
    return moved || (!waiting && !stream->batch);
}

static void look_after(struct stream *stream, se_mono_us now_us)
{
    if (moves(stream)) {
        stream->moved_us = now_us;
    } else if (now_us - stream->moved_us >= stream->live->stall_us) {
        cut(stream, HTTP_METRIC_STREAMS_STALLED);
        return;
    }
    if (!access_still(stream->live->api->deps.access, &stream->who)) {
        http_count(HTTP_METRIC_STREAMS_REVOKED);
        finish(stream, STREAM_ENDED);
        return;
    }
    feed_in_turn(stream); /* it may have a keep-alive to send */
}

/* Looks after each stream once a second: the stalled, the revoked, keep-alives. */
static void on_sweep(struct se_timer *timer)
{
    struct live_loop *ll = timer->ctx;
    se_mono_us now_us = se_loop_now_us(ll->loop);
    for (unsigned left = (ll->count + SWEEPS_A_S - 1) / SWEEPS_A_S; left > 0 && ll->first; left--) {
        struct stream *stream = ll->first;
        list_remove(stream);
        list_append(stream);
        look_after(stream, now_us);
    }
    if (ll->count > 0) {
        se_timer_in(ll->loop, timer, SE_US_PER_S / SWEEPS_A_S);
    }
}

int live_loop_init(struct live_loop *ll, struct live *live, unsigned number)
{
    char name[32];
    snprintf(name, sizeof(name), "http-live-%u", number);
    ll->live = live;
    ll->round_timer = (struct se_timer){.fn = on_round, .ctx = ll};
    ll->sweep_timer = (struct se_timer){.fn = on_sweep, .ctx = ll};
    pthread_mutex_init(&ll->news_lock, NULL);
    ll->spare = calloc(1, sizeof(*ll->spare));
    int r = ll->spare ? se_loop_new(name, &ll->loop) : -ENOMEM;
    if (r == 0) {
        r = se_loop_start(ll->loop);
    }
    if (r < 0) {
        se_loop_free(ll->loop);
        free(ll->spare);
        pthread_mutex_destroy(&ll->news_lock);
        *ll = (struct live_loop){0};
    }
    return r;
}

void live_loop_fini(struct live_loop *ll)
{
    se_loop_join(ll->loop);
    while (ll->first) {
        finish(ll->first, STREAM_ENDED);
    }
    free(ll->spare);
    ll->spare = NULL;
}
