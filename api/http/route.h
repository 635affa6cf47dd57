/* A route: the row that declares it, and what its handler sees. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "gateway/access.h"
#include "gateway/store.h"

struct api; /* api/include/api/api.h */
struct api_deps;
struct rtsp_out; /* api/rtsp/out.h */
struct http_route;
struct exchange; /* the frame's own */

enum http_method { HTTP_GET = 1, HTTP_POST, HTTP_PATCH, HTTP_PUT, HTTP_DELETE };

#define HTTP_PARAMS_MAX 4

/* One request, whole (its body read and bounded) and its caller known and allowed.
 * Lives on one pool thread until the handler returns. */
struct http_request {
    struct api *api;
    struct access_who who;
    enum http_method method;
    const char *path;
    const char *params[HTTP_PARAMS_MAX]; /* what stood for {…} in the path, in order, decoded */
    json_t *json;                        /* the body, when the row says HTTP_JSON */
    const void *body;
    size_t body_size;
    const char *address; /* the peer's */
    const char *if_match, *idempotency_key, *last_event_id, *range, *origin, *host;
    const struct http_route *route;
    struct exchange *exchange;
};
/* The parts of the house that a handler may call. */
const struct api_deps *http_deps(const struct http_request *req);
/* Where RTSP goes out; NULL while it does not. */
const struct rtsp_out *http_rtsp(const struct http_request *req);
struct hls *http_hls(const struct http_request *req);
/* Query parameter or NULL; decoded, belongs to the request. */
const char *http_query(const struct http_request *req, const char *name);
/* The name of a parameter that is not one of known (its end is NULL), or NULL. */
const char *http_query_unknown(const struct http_request *req, const char *const *known);

/* Is an Origin header that of the pages this very host serves? */
bool http_origin_matches(const char *origin, const char *host);

/* A body that comes in pieces. read() runs on a pool thread: up to size bytes, 0 at the end, -errno. */
struct http_source {
    long (*read)(struct http_source *source, void *out, size_t size);
    /* Where the next read starts; NULL: only from the beginning, a Range is then ignored. */
    int (*seek)(struct http_source *source, int64_t offset);
    void (*free)(struct http_source *source);
};

/* A body of pieces that are sent from where they lie, not copied together. Any part of it may be asked for.
 */
struct http_pieces {
    unsigned count;
    const struct http_piece {
        const void *data;
        size_t size;
    } * pieces;
    void (*free)(struct http_pieces *pieces);
};

/* An endless body, for HTTP_STREAM rows: the handler sets response->stream, and the frame owns it then. It is
 * a cursor, not a queue: the frame asks for the next part when the socket has taken the one before. */
struct http_part {
    uint8_t prefix[8]; /* a few bytes of its own … */
    unsigned prefix_size;
    struct se_buf *head, *data; /* … and up to two shared buffers behind them, referenced, or NULL */
};
#define HTTP_STREAM_END (-1)
struct http_stream {
    /* On the stream's live loop: 1 and a part; 0: nothing now; HTTP_STREAM_END: the body ends well. Asked
     * again when one of its hubs has news, when it was woken, and once a second. Memory only: no store, disk
     * or wait. */
    int (*next)(struct http_stream *stream, struct http_part *ret_part);
    /* When its loop has let go of it; on an HTTP thread. */
    void (*free)(struct http_stream *stream);
    bool on_bus;         /* ask again when something was published, too */
    struct stream *live; /* the frame's side of it; NULL until the answer is made */
};
/* Asks a stream again soon. Any thread, as long as the stream is not freed. */
void http_stream_wake(struct http_stream *stream);

struct hub;
/* A hub whose news make a stream be asked again. In the stream's memory, zero-initialised but for news. */
struct http_follow {
    void (*news)(struct http_follow *follow); /* on the loop, before the stream is asked; may be NULL */
    /* the frame's */
    struct stream *stream;
    struct topic *topic;
    struct http_follow *prev, *next;          /* of the topic */
    struct http_follow *next_own, **link_own; /* of the stream */
};
/* Follows hub instead of what it followed; hub NULL: nothing any more. From the stream's next() only; the
 * frame undoes it when the stream ends. -ENOMEM: follows nothing. */
int http_follow(struct http_stream *stream, struct http_follow *follow, struct hub *hub);

struct http_response {
    int status;                 /* 0: not set; the handler's return value decides */
    json_t *json;               /* owned; sent as JSON */
    struct se_buf *bytes;       /* owned; or bytes … */
    struct http_pieces *pieces; /* owned; or bytes in many places … */
    struct http_source *source; /* … or a source, with its size or -1 */
    int64_t source_size;
    struct http_stream *stream; /* … or endless */
    const char *content_type;
    char headers[8][2][192]; /* extra ones, name and value; "" ends */
    struct se_err problem;   /* for errors: text and field */
    json_t *problem_members; /* owned; extra members of the problem, e.g. actions */
    json_t *problem_errors;  /* owned; [{field, reason}], or made from problem.field */
    int retry_after_s;
};
void http_header(struct http_response *res, const char *name, const char *value);
/* 200/201 with a JSON body; steals value. Both return 0, or -ENOMEM. */
int http_ok(struct http_response *res, json_t *value);
int http_created(struct http_response *res, json_t *value);
/* A list: {"items":[…],"next_cursor":…}; steals items. last: the id of the last item when there are more
 * (made opaque here, given back by http_page), else NULL. */
int http_list(struct http_response *res, json_t *items, const char *last);
/* Sets a problem with a status of its own and words; returns -EPROTO, which keeps the status. */
int http_problem(struct http_response *res, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* 422 naming the field. Also returns -EPROTO. May be called repeatedly: errors add up. */
int http_invalid(struct http_response *res, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* May the caller do what the row's permission says to this very thing? 0; or the problem 404, so that what
 * belongs to another department does not show that it exists, with an audit entry. Returns -EPROTO. */
int http_allow(struct http_request *req, struct http_response *res, const struct access_target *target);
/* store_write() for a handler of a POST: when fn has set the answer in res, an Idempotency-Key's record is
 * part of the same transaction, so that a crash before the answer was sent does not make the act happen
 * twice. */
int http_commit(struct http_request *req, struct http_response *res, store_fn fn, void *ctx);

/* For a GET that has nothing to answer with yet: what this returns, the handler returns. It is then run again
 * from the start, no worker held meanwhile, whenever http_again() is called, and at the latest after a
 * second; until wait_ms have passed since the request came: from then on this returns -EAGAIN. */
int http_wait(struct http_request *req, unsigned wait_ms);
/* Those who wait so are run again. Any thread. */
void http_again(struct api *api);

/* Returns 0 (status 200 or as set), or -errno, which becomes: EPROTO as set · ENOENT 404 ·
 * EEXIST 409 · ENOLINK 422 · EINVAL 422 · EACCES 403 · ESTALE 412 · EBUSY/EAGAIN 503 · else 500. */
typedef int (*http_handler)(struct http_request *req, struct http_response *res);

enum http_flags {
    HTTP_JSON = 1,    /* the body is JSON, whatever Content-Type says: parsed before, 400 when it is not */
    HTTP_TICKET = 2,  /* ?ticket= is taken too (media) */
    HTTP_STREAM = 4,  /* endless: the handler sets response->stream */
    HTTP_QUIET = 8,   /* a read that is not a view of anybody's matter: no audit entry */
    HTTP_SECRET = 32, /* the answer shows a secret: under an Idempotency-Key it is kept sealed */
    HTTP_EMPTY = 64,  /* with HTTP_JSON: no body at all is {} */
    HTTP_INLINE = 16, /* public and memory only: the handler runs on the HTTP thread */
};

/* Enough for any object of ours, and for nonsense of some size to be told what is wrong with it. */
#define HTTP_BODY_JSON (768 * 1024)

/* One row. Only made by ROUTE(), which does not compile without a permission. */
struct http_route {
    enum http_method method;
    const char *path; /* "/api/v1/cameras/{id}" */
    enum access_permission permission;
    unsigned flags;
    size_t body_max;
    http_handler handler;
    /* Action in the audit trail, "camera.view"; NULL only with HTTP_QUIET or PUBLIC. A GET that went well is
     * entered by the frame; what writes enters itself, access_audit() in its own transaction. */
    const char *audit;
};
/* ROUTE(GET, "/api/v1/cameras", CAMERA_READ, HTTP_QUIET, 0, "camera.list", cameras_list) */
#define ROUTE(method_, path_, permission_, flags_, body_max_, audit_, handler_)                              \
    {                                                                                                        \
        .method = HTTP_##method_, .path = (path_), .permission = ACCESS_##permission_, .flags = (flags_),    \
        .body_max = (body_max_), .audit = (audit_), .handler = (handler_)                                    \
    }

/* Each subject's file exports its rows; routes.c lists the tables. */
struct http_route_table {
    const struct http_route *rows;
    size_t count;
};

/* Paging of lists: ?limit= (100, at most 1000) and ?cursor= (opaque; decodes to the last id seen). -EPROTO
 * set. */
int http_page(struct http_request *req, struct http_response *res, int *ret_limit, const char **ret_after);

#endif
