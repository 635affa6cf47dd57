/* One request and its answer. Belongs to libmicrohttpd's thread, but for the time it is suspended, when it
 * belongs to the worker that has it. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "http/query.h"
#include "http/server.h"

#define HTTP_COOKIE        "sharpeyes_session"
#define HTTP_BODIES_BYTES  134217728 /* of all requests under way together */
#define HTTP_SWALLOW_BYTES 65536     /* of an unwanted body, so that the connection can go on */

enum exchange_state {
    EXCHANGE_NEW,     /* nothing but the request line is known */
    EXCHANGE_BODY,    /* headers were looked at; the body comes, or none does */
    EXCHANGE_WORKING, /* suspended, with a worker */
    EXCHANGE_READY,   /* the answer is there */
    EXCHANGE_SENT,
};

struct exchange {
    struct api *api;
    struct MHD_Connection *connection;
    struct peer *peer;
    enum exchange_state state;
    struct http_request req;
    struct http_response res;
    int result;   /* what the frame or the handler returned */
    bool chunked; /* the client speaks HTTP/1.1: an answer without a length comes in chunks */
    bool head, stream_allowed, cookie_wanted, swallow;
    bool hurried; /* its client may not stop reading for long: what is sent is held in memory for it */
    char *uri;    /* as it came, cut into path and query */
    char *path;   /* copy of the path for words and logs */
    struct query query;
    const char *authorization, *cookie, *if_none_match;
    char *body;
    size_t body_size, body_cap, swallowed;
    char cursor[256];

    struct MHD_Response *answer;
    int status;

    /* http_wait() */
    se_mono_us came_us;
    struct exchange *next_waiting;

    /* Idempotency-Key */
    bool keyed, kept;
    char fingerprint[65];
    struct exchange *next_keyed;
};

struct exchange *exchange_new(struct api *api, const char *uri, struct MHD_Connection *connection);
void exchange_free(struct exchange *ex);
/* libmicrohttpd's access handler, once per step. */
enum MHD_Result exchange_step(struct exchange *ex, const char *method, const char *data, size_t *size);

/* Runs the request on a worker; answers 503 itself when none can be had. */
void exchange_work(struct exchange *ex);

/* wait.c: puts an exchange away whose handler waits; it belongs to others then. -EBUSY, -ESHUTDOWN. */
int wait_park(struct exchange *ex);
/* Nobody waits any more: all are run again, at once, and further ones are refused. */
void wait_close(struct api *api);

/* authorize.c: who is it, and may they? Pool threads. 0, or a problem is set. */
int exchange_authorize(struct exchange *ex);

/* Before the body is read: 0, or the problem 401 for one that shows nothing to be known by. */
int exchange_refuse_anonymous(struct exchange *ex);

/* idempotency.c: 1: the kept answer was put into res; 0: go on (and call exchange_key_end); -EPROTO. */
int exchange_key_begin(struct exchange *ex);
/* Keeps the answer when there is one worth keeping. */
void exchange_key_end(struct exchange *ex);

/* answer.c: makes ex->answer and ex->status of res. */
void exchange_answer(struct exchange *ex);
void http_response_fini(struct http_response *res);

#endif
