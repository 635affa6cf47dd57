/* The server's own parts; private to api/http and api/api.c. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "api/api.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "base/time.h"
#include "http/listen.h"
#include "http/route.h"
#include "http/router.h"

#define HTTP_CONNECTION_S 60 /* after so long without a byte libmicrohttpd closes */

struct console;
struct hls;
struct live;
struct peers;
struct rtsp_out;

struct api {
    struct api_deps deps;
    struct router *router;
    struct console *console;
    struct live *live;
    struct peers *peers;
    struct hls *hls;
    struct rtsp_out *rtsp;
    struct se_pool *workers; /* run requests that read … */
    struct se_pool *writers; /* … and those that change: a store that cannot write holds up no reader */
    struct se_pool *readers; /* read bodies that come in pieces; never full: one job a connection at most */
    struct MHD_Daemon *daemon;
    int listen_fd;
    bool address_written; /* to DATA_DIR/http.addr */
    _Atomic bool stopping;
    _Atomic int64_t body_bytes; /* held by all requests' bodies together */
    unsigned connections;       /* how many may be open */
    unsigned keepalive_s, stall_s;
    char boot[17]; /* tells this run's event numbers from another's */
    struct {
        pthread_mutex_t lock;
        struct exchange *first; /* under way with an Idempotency-Key */
    } keyed;
    struct {
        pthread_mutex_t lock;
        struct exchange *first; /* have nothing to answer with yet, see http_wait() */
        unsigned count;
        bool closed;
    } waiting;
};

/* server.c: binds http.listen, writes DATA_DIR/http.addr, starts libmicrohttpd. */
int server_start(struct api *api, struct se_err *err);
void server_stop(struct api *api);

/* peers.c: every open connection, and how long it may keep us waiting. */
enum peer_state {
    PEER_IDLE,    /* between requests */
    PEER_HEADERS, /* a request line came, its headers did not yet */
    PEER_BODY,    /* its body is coming */
    PEER_BUSY,    /* ours to work on, or answering */
};
struct peer {
    struct peer *prev, *next;
    int fd; /* libmicrohttpd's */
    char address[64];
    enum peer_state state;
    se_mono_us since_us;
    bool cut;
    bool closed; /* at the last sweep its client had closed, with nothing left to read */
};
struct peers_patience {
    unsigned idle_s, headers_s, body_s;
};
int peers_new(unsigned limit, const struct peers_patience *patience, struct peers **ret_peers);
void peers_free(struct peers *peers);
struct peer *peer_add(struct peers *peers, int fd, const struct sockaddr *address);
void peer_remove(struct peers *peers, struct peer *peer);
void peer_set(struct peers *peers, struct peer *peer, enum peer_state state);
/* Shuts down those that took too long. Every second. */
void peers_sweep(struct peers *peers);
/* Keeps the socket open for a moment after its connection was closed with an answer to a body that was not
 * read, so that the answer is not lost to a reset. Duplicates fd. */
void peers_linger(struct peers *peers, int fd);

/* live.c: endless bodies, on loops of their own. */
int live_new(struct api *api, struct live **ret_live, struct se_err *err);
void live_stop(struct live *live); /* ends all streams, joins */
void live_free(struct live *live);
/* The body of a stream's response; takes the stream. chunked: the client speaks HTTP/1.1. NULL: too many or
 * out of memory (the stream is freed). */
struct MHD_Response *live_response(struct live *live, struct http_stream *stream,
                                   struct MHD_Connection *connection, int fd, bool chunked,
                                   const struct access_who *who);

/* metrics.c */
enum http_metric {
    HTTP_METRIC_CONNECTIONS,
    HTTP_METRIC_FULL,
    HTTP_METRIC_REQUESTS,
    HTTP_METRIC_2XX,
    HTTP_METRIC_3XX,
    HTTP_METRIC_4XX,
    HTTP_METRIC_5XX,
    HTTP_METRIC_QUEUE_FULL,
    HTTP_METRIC_CUT_IDLE,
    HTTP_METRIC_CUT_HEADERS,
    HTTP_METRIC_CUT_BODY,
    HTTP_METRIC_CUT_STALLED,
    HTTP_METRIC_BODIES_REFUSED,
    HTTP_METRIC_BYTES_OUT,
    HTTP_METRIC_STREAMS,
    HTTP_METRIC_STREAMS_STALLED,
    HTTP_METRIC_STREAMS_GONE,
    HTTP_METRIC_STREAMS_REVOKED,
    HTTP_METRIC_STREAMS_REFUSED,
    HTTP_METRIC_REPLAYED,
    HTTP_METRIC_WAITING,
    HTTP_METRIC_WAITS_REFUSED,
    HTTP_METRIC_COUNT_
};
extern struct se_metric http_metrics[HTTP_METRIC_COUNT_];
void http_metrics_register(void);
static inline void http_count(enum http_metric metric)
{
    se_metric_add(&http_metrics[metric], 1);
}

#endif
