/* From what a handler said to what goes over the wire. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "http/exchange.h"
#include "http/problem.h"
#include "http/range.h"

#define PIECE_BYTES 131072

/* A body that is read in pieces. While a worker reads the next one the connection is suspended; nothing here
 * is touched by two threads at once. */
struct body {
    struct api *api;
    struct MHD_Connection *connection;
    struct http_source *source;
    int64_t left; /* bytes still to send, or -1 */
    size_t used, have;
    long result; /* of the last read */
    char piece[PIECE_BYTES];
};

static void body_free(void *ctx)
{
    struct body *body = ctx;
    body->source->free(body->source);
    free(body);
}

static void read_piece(void *ctx)
{
    struct body *body = ctx;
    size_t want = sizeof(body->piece);
    if (body->left >= 0 && (int64_t)want > body->left) {
        want = (size_t)body->left;
    }
    body->used = 0;
    body->result = want ? body->source->read(body->source, body->piece, want) : 0;
    body->have = body->result > 0 ? (size_t)body->result : 0;
    if (body->left > 0) {
        body->left -= (int64_t)body->have;
    }
    MHD_resume_connection(body->connection);
}

static ssize_t body_read(void *ctx, uint64_t pos, char *out, size_t max)
{
    struct body *body = ctx;
    if (body->used < body->have) {
        size_t n = body->have - body->used < max ? body->have - body->used : max;
        memcpy(out, body->piece + body->used, n);
        body->used += n;
        return (ssize_t)n;
    }
    if (body->result < 0 || body->api->stopping) {
        if (body->result < 0) {
            se_warn("http", "a body broke off error=%ld", -body->result);
        }
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (body->left == 0) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (body->result == 0) {
        /* Shorter than was promised: the client must see that. */
        return body->left > 0 ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    }
    MHD_suspend_connection(body->connection);
    if (se_pool_submit(body->api->readers, read_piece, body) < 0) {
        body->result = -EAGAIN;
        MHD_resume_connection(body->connection);
    }
    return 0;
}

static struct MHD_Response *of_source(struct exchange *ex, int64_t from, int64_t to)
{
    struct body *body = malloc(sizeof(*body));
    if (!body) {
        return NULL;
    }
    body->api = ex->api;
    body->connection = ex->connection;
    body->source = SE_TAKE(ex->res.source);
    body->left = to < 0 ? -1 : to - from;
    body->used = body->have = 0;
    body->result = 1; /* nothing read yet, nothing wrong */
    if (from > 0) {
        int r = body->source->seek(body->source, from);
        body->result = r < 0 ? r : 1;
    }
    struct MHD_Response *answer = MHD_create_response_from_callback(
        to < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)(to - from), 65536, body_read, body, body_free);
    if (!answer) {
        body_free(body);
    }
    return answer;
}

static void unref_bytes(void *ctx)
{
    struct se_buf *bytes = ctx;
    se_buf_unref(&bytes);
}

static struct MHD_Response *of_bytes(struct exchange *ex, int64_t from, int64_t to)
{
    struct se_buf *bytes = se_buf_ref(ex->res.bytes);
    struct MHD_Response *answer = MHD_create_response_from_buffer_with_free_callback_cls(
        (size_t)(to - from), bytes->data + from, unref_bytes, bytes);
    if (!answer) {
        unref_bytes(bytes);
    }
    return answer;
}

static void free_pieces(void *ctx)
{
    struct http_pieces *pieces = ctx;
    pieces->free(pieces);
}

static int64_t pieces_size(const struct http_pieces *pieces)
{
    int64_t size = 0;
    for (unsigned i = 0; i < pieces->count; i++) {
        size += (int64_t)pieces->pieces[i].size;
    }
    return size;
}

/* The pieces, or what of them lies in [from, to). */
static struct MHD_Response *of_pieces(struct exchange *ex, int64_t from, int64_t to)
{
    const struct http_pieces *all = ex->res.pieces;
    struct MHD_IoVec *vec = calloc(all->count + 1, sizeof(*vec));
    unsigned count = 0;
    int64_t at = 0;
    for (unsigned i = 0; vec && i < all->count; i++) {
        const struct http_piece *piece = &all->pieces[i];
        int64_t end = at + (int64_t)piece->size, first = at > from ? at : from, last = end < to ? end : to;
        if (first < last) {
            vec[count++] =
                (struct MHD_IoVec){(const char *)piece->data + (first - at), (size_t)(last - first)};
        }
        at = end;
    }
    struct MHD_Response *answer =
        vec ? MHD_create_response_from_iovec(vec, count, free_pieces, ex->res.pieces) : NULL;
    free(vec);
    if (answer) {
        ex->res.pieces = NULL;
        ex->hurried = true;
    }
    return answer;
}

/* Bytes and sized sources may be asked for in part. NULL: out of memory. */
static struct MHD_Response *of_sized(struct exchange *ex)
{
    struct http_response *res = &ex->res;
    int64_t size = res->bytes    ? (int64_t)res->bytes->size
                   : res->pieces ? pieces_size(res->pieces)
                                 : res->source_size;
    int64_t from = 0, to = size;
    bool parts = size >= 0 && res->status == 200 && (res->bytes || res->pieces || res->source->seek);
    if (parts) {
        char text[80];
        int r = range_parse(ex->req.range, size, &from, &to);
        http_header(res, "Accept-Ranges", "bytes");
        if (r == -ERANGE) {
            snprintf(text, sizeof(text), "bytes */%" PRId64, size);
            http_header(res, "Content-Range", text);
            res->status = 416;
            res->content_type = NULL;
            return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        }
        if (r == 1) {
            snprintf(text, sizeof(text), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, from, to - 1, size);
            http_header(res, "Content-Range", text);
            res->status = 206;
        }
    }
    return res->bytes    ? of_bytes(ex, from, to)
           : res->pieces ? of_pieces(ex, from, to)
                         : of_source(ex, from, to);
}

static struct MHD_Response *of_json(struct http_response *res)
{
    char *text = se_json_text(res->json);
    if (!text) {
        return NULL;
    }
    struct MHD_Response *answer = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (!answer) {
        free(text);
    }
    return answer;
}

/* A stream's descriptor is needed for its dead-man's watch. */
static struct MHD_Response *of_stream(struct exchange *ex)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_stream *stream = SE_TAKE(ex->res.stream);
    if (ex->head || !info) {
        stream->free(stream);
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    return live_response(ex->api->live, stream, ex->connection, info->connect_fd, ex->chunked, &ex->req.who);
}

static bool has_header(const struct http_response *res, const char *name)
{
    for (size_t i = 0; i < SE_ARRAY_LEN(res->headers) && res->headers[i][0][0]; i++) {
        if (strcasecmp(res->headers[i][0], name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_headers(struct MHD_Response *answer, const struct http_response *res)
{
    if (res->content_type) {
        MHD_add_response_header(answer, "Content-Type", res->content_type);
    }
    for (size_t i = 0; i < SE_ARRAY_LEN(res->headers) && res->headers[i][0][0]; i++) {
        MHD_add_response_header(answer, res->headers[i][0], res->headers[i][1]);
    }
    if (res->retry_after_s > 0) {
        char text[16];
        snprintf(text, sizeof(text), "%d", res->retry_after_s);
        MHD_add_response_header(answer, "Retry-After", text);
    }
    if (!has_header(res, "Cache-Control")) {
        MHD_add_response_header(answer, "Cache-Control", "no-store");
    }
    MHD_add_response_header(answer, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(answer, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(
        answer, "Content-Security-Policy",
        "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
        "frame-ancestors 'none'");
}

void exchange_answer(struct exchange *ex)
{
    struct http_response *res = &ex->res;
    if (ex->result < 0) {
        http_problem_finish(res, ex->result);
    } else if (res->status == 0) {
        bool body = res->json || res->bytes || res->pieces || res->source || res->stream;
        res->status = body ? 200 : 204;
    }
    if (ex->result >= 0 && res->stream) {
        ex->answer = of_stream(ex);
        if (!ex->answer) {
            http_problem(res, 503, "Too many streams are open.");
            http_problem_finish(res, -EPROTO);
        }
    }
    if (!ex->answer && res->json) {
        if (!res->content_type) {
            res->content_type = "application/json";
        }
        ex->answer = of_json(res);
    } else if (!ex->answer && (res->bytes || res->pieces || res->source)) {
        ex->answer = of_sized(ex);
    } else if (!ex->answer) {
        ex->answer = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    if (ex->answer) {
        add_headers(ex->answer, res);
    }
    ex->status = res->status;
}
