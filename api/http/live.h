/* Between live.c (libmicrohttpd's side, and who owns a stream when) and live_loop.c (the socket's side). */
#ifndef HTTP_LIVE_H
#define HTTP_LIVE_H

#include "base/loop.h"
#include "http/batch.h"
#include "http/server.h"

enum stream_outcome {
    STREAM_RUNS,
    STREAM_ENDED, /* libmicrohttpd writes the last chunk, and the connection may be used again */
    STREAM_BROKEN /* the connection is of no use any more */
};

/* A stream belongs to libmicrohttpd's thread until its body is first asked for; from then on, with the
 * connection suspended, to its loop, which alone touches the socket; and to libmicrohttpd's thread again from
 * the one MHD_resume_connection() on, before which outcome is set. */
struct stream {
    struct live *live;
    struct live_loop *loop;
    struct http_stream *source;
    struct MHD_Connection *connection;
    int fd;
    bool chunked;
    struct access_who who;
    enum stream_outcome outcome;

    /* the loop's */
    struct stream *prev, *next; /* of all that it has, the one looked at longest ago first */
    struct se_watch watch;
    struct batch *batch; /* what the socket did not take at once; NULL: nothing */
    bool last;           /* nothing comes after the batch */
    bool blocked;        /* until the socket has room */
    bool queued;         /* to be fed in this round */
    struct stream *queued_next;
    struct http_follow *follows;
    uint64_t acked;
    se_mono_us moved_us; /* when its socket last took something, or had nothing to take */

    /* under the loop's news lock */
    bool taken, woken;
    struct stream *woken_next;
};

struct live_loop {
    struct live *live;
    struct se_loop *loop;
    _Atomic unsigned streams; /* given to it */
    struct stream *first, *last_one;
    unsigned count;
    struct topic *topics[1024]; /* by hub */
    struct batch *spare;
    struct se_timer round_timer, sweep_timer;
    se_mono_us round_us; /* of the last round */

    pthread_mutex_t news_lock; /* what other threads say */
    bool told;                 /* a round is coming */
    bool bus;
    struct topic *news;
    struct stream *woken;
};

struct live {
    struct api *api;
    int64_t stall_us;
    struct live_loop *loops;
    unsigned loop_count;
    pthread_mutex_t lock; /* stopping, and count: nothing is given to a loop once it is set */
    bool stopping;
    unsigned count;
    struct se_timer peers_timer; /* of the first loop */
};

int live_loop_init(struct live_loop *ll, struct live *live, unsigned number);
/* After the loop has ended: lets go of all streams. */
void live_loop_fini(struct live_loop *ll);
/* On the loop: from now on it has the stream. */
void live_loop_take(void *stream);
/* Any thread: something was published. */
void live_loop_bus(struct live_loop *ll);

#endif
