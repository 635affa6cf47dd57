/* The life of one request: headers, body, worker, answer. On libmicrohttpd's threads nothing is done that
 * could wait; the connection is suspended while a worker has the exchange, and nobody else touches it then.
 */
#include "http/exchange.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "console.h"
#include "http/problem.h"

struct exchange *exchange_new(struct api *api, const char *uri, struct MHD_Connection *connection)
{
    struct exchange *ex = calloc(1, sizeof(*ex));
    if (!ex) {
        return NULL;
    }
    ex->api = api;
    ex->connection = connection;
    ex->uri = strdup(uri);
    ex->path = strndup(uri, strcspn(uri, "?"));
    if (!ex->uri || !ex->path) {
        exchange_free(ex);
        return NULL;
    }
    ex->req.api = api;
    ex->req.exchange = ex;
    ex->req.path = ex->path;
    ex->came_us = se_mono_now_us();
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    ex->peer = info ? info->socket_context : NULL;
    ex->req.address = ex->peer ? ex->peer->address : "unknown";
    peer_set(api->peers, ex->peer, PEER_HEADERS);
    http_count(HTTP_METRIC_REQUESTS);
    return ex;
}

void exchange_free(struct exchange *ex)
{
    if (!ex) {
        return;
    }
    if (ex->answer) {
        MHD_destroy_response(ex->answer);
    }
    http_response_fini(&ex->res);
    json_decref(ex->req.json);
    atomic_fetch_sub(&ex->api->body_bytes, (int64_t)ex->body_cap);
    free(ex->body);
    free(ex->uri);
    free(ex->path);
    free(ex);
}

const struct rtsp_out *http_rtsp(const struct http_request *req)
{
    return req->api->rtsp;
}

const struct api_deps *http_deps(const struct http_request *req)
{
    return &req->api->deps;
}

struct hls *http_hls(const struct http_request *req)
{
    return req->api->hls;
}

static const char *header(struct exchange *ex, const char *name)
{
    return MHD_lookup_connection_value(ex->connection, MHD_HEADER_KIND, name);
}

static void read_headers(struct exchange *ex)
{
    ex->authorization = header(ex, "Authorization");
    ex->cookie = MHD_lookup_connection_value(ex->connection, MHD_COOKIE_KIND, HTTP_COOKIE);
    ex->if_none_match = header(ex, "If-None-Match");
    ex->cookie_wanted = header(ex, "X-Sharpeyes-Cookie") != NULL;
    ex->req.if_match = header(ex, "If-Match");
    ex->req.idempotency_key = header(ex, "Idempotency-Key");
    ex->req.last_event_id = header(ex, "Last-Event-ID");
    ex->req.range = header(ex, "Range");
    ex->req.origin = header(ex, "Origin");
    ex->req.host = header(ex, "Host");
}

/* Finds the row; what is wrong with the request before its body came becomes a problem. */
static int route(struct exchange *ex, const char *method)
{
    struct router_match match;
    char *query = strchr(ex->uri, '?');
    if (query) {
        *query++ = '\0';
    }
    int r = http_method_parse(method, &ex->req.method);
    if (r < 0) {
        http_header(&ex->res, "Allow", "GET, HEAD, POST, PATCH, PUT, DELETE");
        return http_problem(&ex->res, 405, "The gateway does not know this method.");
    }
    ex->head = strcmp(method, "HEAD") == 0;
    if (query) {
        r = query_parse(query, &ex->query);
        if (r < 0) {
            return http_problem(&ex->res, 400, "The query cannot be read: %s.",
                                r == -E2BIG ? "too many parameters" : "bad escape, or not UTF-8");
        }
    }
    r = router_find(ex->api->router, ex->req.method, ex->uri, &match);
    if (r == -ENOENT) {
        return -ENOENT;
    }
    if (r == -ENOTSUP) {
        http_header(&ex->res, "Allow", match.allow);
        return http_problem(&ex->res, 405, "This address takes %s.", match.allow);
    }
    ex->req.route = match.route;
    memcpy(ex->req.params, match.params, sizeof(match.params));
    return 0;
}

/* The console's files are no rows: everything that is not the API's. */
static bool console_has(struct exchange *ex, const char *method)
{
    return (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) &&
           console_find(ex->api->console, ex->path, ex->if_none_match, &ex->answer, &ex->status);
}

static enum MHD_Result send_answer(struct exchange *ex)
{
    static const enum http_metric classes[] = {HTTP_METRIC_2XX, HTTP_METRIC_3XX, HTTP_METRIC_4XX,
                                               HTTP_METRIC_5XX};
    if (!ex->answer) {
        exchange_answer(ex);
    }
    ex->state = EXCHANGE_SENT;
    if (!ex->answer) {
        return MHD_NO;
    }
    if (ex->status >= 200 && ex->status < 600) {
        http_count(classes[ex->status / 100 - 2]);
    }
    se_debug("http", "answered method=%s path=\"%s\" status=%d", http_method_name(ex->req.method), ex->path,
             ex->status);
    if (ex->hurried) {
        MHD_set_connection_option(ex->connection, MHD_CONNECTION_OPTION_TIMEOUT, ex->api->stall_s);
    }
    return MHD_queue_response(ex->connection, (unsigned)ex->status, ex->answer);
}

/* What can be said of a request for a known row before its body comes. */
static int judge(struct exchange *ex, uint64_t length)
{
    const struct http_route *row = ex->req.route;
    if (row->body_max && length > row->body_max) {
        return http_problem(&ex->res, 413, "The body may have at most %zu bytes.", row->body_max);
    }
    if (!row->body_max && length > HTTP_SWALLOW_BYTES) {
        return http_problem(&ex->res, 413, "This takes no body.");
    }
    return exchange_refuse_anonymous(ex);
}

/* Headers are there. Decides what becomes of the body, and answers at once when that is the only way. */
static enum MHD_Result begin(struct exchange *ex, const char *method)
{
    read_headers(ex);
    const char *length_text = header(ex, "Content-Length");
    uint64_t length = length_text ? strtoull(length_text, NULL, 10) : 0;
    bool chunked = header(ex, "Transfer-Encoding") != NULL;
    ex->state = EXCHANGE_BODY;
    ex->result = route(ex, method);
    if (ex->result == -ENOENT && console_has(ex, method)) {
        ex->result = 0;
    } else if (ex->result == 0) {
        ex->result = judge(ex, length);
    }
    ex->swallow = ex->result < 0 || !ex->req.route || !ex->req.route->body_max;
    if (length > 0 || chunked) {
        peer_set(ex->api->peers, ex->peer, PEER_BODY);
    }
    if (ex->result < 0 && length > HTTP_SWALLOW_BYTES) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info) {
            peers_linger(ex->api->peers, info->connect_fd);
        }
        return send_answer(ex);
    }
    return MHD_YES;
}

/* libmicrohttpd takes no answer in the middle of a body, so the words go straight to the socket. */
static enum MHD_Result cut_body(struct exchange *ex, const char *answer)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info) {
        peers_linger(ex->api->peers, info->connect_fd);
        (void)!send(info->connect_fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return MHD_NO;
}

/* A body without a length turned out too long. */
static enum MHD_Result cut_long_body(struct exchange *ex)
{
    http_count(HTTP_METRIC_4XX);
    return cut_body(ex,
                    "HTTP/1.1 413 Content Too Large\r\nContent-Type: application/problem+json\r\n"
                    "Content-Length: 75\r\nConnection: close\r\n\r\n"
                    "{\"detail\":\"The body is too long.\",\"status\":413,\"title\":\"Content Too Large\"}");
}

/* Room for n more bytes of the body, within what all bodies together may hold. */
static bool grow_body(struct exchange *ex, size_t n)
{
    size_t cap = ex->body_cap ? ex->body_cap : 4096;
    while (cap - ex->body_size < n) {
        cap *= 2;
    }
    if (cap == ex->body_cap) {
        return true;
    }
    int64_t more = (int64_t)(cap - ex->body_cap);
    if (atomic_fetch_add(&ex->api->body_bytes, more) + more > HTTP_BODIES_BYTES) {
        atomic_fetch_sub(&ex->api->body_bytes, more);
        return false;
    }
    char *body = realloc(ex->body, cap);
    if (!body) {
        atomic_fetch_sub(&ex->api->body_bytes, more);
        return false;
    }
    ex->body = body;
    ex->body_cap = cap;
    return true;
}

static enum MHD_Result take_body(struct exchange *ex, const char *data, size_t *size)
{
    size_t n = *size;
    *size = 0;
    if (ex->swallow) {
        ex->swallowed += n;
        return ex->swallowed > HTTP_SWALLOW_BYTES ? cut_long_body(ex) : MHD_YES;
    }
    if (n > ex->req.route->body_max - ex->body_size) {
        return cut_long_body(ex);
    }
    if (!grow_body(ex, n)) {
        http_count(HTTP_METRIC_BODIES_REFUSED);
        http_count(HTTP_METRIC_5XX);
        return cut_body(ex, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
                            "Connection: close\r\n\r\n");
    }
    memcpy(ex->body + ex->body_size, data, n);
    ex->body_size += n;
    return MHD_YES;
}

static int parse_json(struct exchange *ex)
{
    struct se_err err = {0};
    if (!ex->body_size && (ex->req.route->flags & HTTP_EMPTY)) {
        ex->req.json = json_object();
        return ex->req.json ? 0 : -ENOMEM;
    }
    int r = se_json_parse(ex->body ? ex->body : "", ex->body_size, &ex->req.json, &err);
    if (r == -EINVAL) {
        return http_problem(&ex->res, 400, "The body is not acceptable JSON: %s", err.text);
    }
    return r;
}

/* A view that went well is entered by the frame; writes enter themselves. */
static void audit_view(struct exchange *ex)
{
    const struct http_route *row = ex->req.route;
    if (ex->result < 0 || row->method != HTTP_GET || (row->flags & HTTP_QUIET) || !row->audit) {
        return;
    }
    char type[32] = "";
    size_t len = strcspn(row->audit, ".");
    if (len < sizeof(type)) {
        memcpy(type, row->audit, len);
    }
    access_audit_later(ex->api->deps.access, &ex->req.who, row->audit, type, ex->req.params[0], NULL);
}

/* Everything that may wait, on a worker. */
static void work(void *ctx)
{
    struct exchange *ex = ctx;
    int r =
        ex->api->stopping ? http_problem(&ex->res, 503, "The gateway is stopping.") : exchange_authorize(ex);
    if (r == 0 && (ex->req.route->flags & HTTP_JSON)) {
        r = parse_json(ex);
    }
    if (r == 0) {
        ex->req.body = ex->body;
        ex->req.body_size = ex->body_size;
        r = exchange_key_begin(ex);
        if (r == 0) {
            r = ex->req.route->handler(&ex->req, &ex->res);
            if (r == -EINPROGRESS) {
                r = wait_park(ex);
                if (r == 0) {
                    return; /* it may have been run again already */
                }
                r = http_problem(&ex->res, 503, "Too many requests are waiting. Try again in a moment.");
            }
            ex->result = r;
            exchange_key_end(ex);
            audit_view(ex);
        }
    }
    ex->result = r < 0 ? r : 0;
    if (ex->result < 0 && http_status_of(r) == 500 && r != -EPROTO) {
        se_error("http", "request failed method=%s path=\"%s\" error=%d reason=\"%s\"",
                 http_method_name(ex->req.method), ex->path, -r, ex->res.problem.text);
    }
    if (!ex->res.stream) {
        exchange_answer(ex);
    }
    ex->state = EXCHANGE_READY;
    MHD_resume_connection(ex->connection);
}

static enum MHD_Result start_work(struct exchange *ex)
{
    peer_set(ex->api->peers, ex->peer, PEER_BUSY);
    if (ex->result < 0 || ex->answer) {
        return send_answer(ex);
    }
    if (ex->req.route->flags & HTTP_INLINE) {
        ex->result = ex->req.route->handler(&ex->req, &ex->res);
        return send_answer(ex);
    }
    ex->state = EXCHANGE_WORKING;
    MHD_suspend_connection(ex->connection);
    exchange_work(ex);
    return MHD_YES;
}

void exchange_work(struct exchange *ex)
{
    struct se_pool *pool = ex->req.method == HTTP_GET ? ex->api->workers : ex->api->writers;
    if (se_pool_submit(pool, work, ex) < 0) {
        http_count(HTTP_METRIC_QUEUE_FULL);
        ex->res.retry_after_s = 1;
        ex->result = http_problem(&ex->res, 503, "Too many requests are waiting. Try again in a moment.");
        ex->state = EXCHANGE_READY;
        MHD_resume_connection(ex->connection);
    }
}

enum MHD_Result exchange_step(struct exchange *ex, const char *method, const char *data, size_t *size)
{
    switch (ex->state) {
    case EXCHANGE_NEW:
        return begin(ex, method);
    case EXCHANGE_BODY:
        return *size ? take_body(ex, data, size) : start_work(ex);
    case EXCHANGE_READY:
        return send_answer(ex);
    default:
        return MHD_YES;
    }
}
