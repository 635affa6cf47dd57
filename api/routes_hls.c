/* Live HLS: a playlist and its parts. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "base/loop.h"
#include "cameras.h"
#include "hls/hls.h"
#include "routes.h"

#define WAIT_MS 8000u /* for a camera that is being connected */

/* The ticket that goes into every URI: the one that opened this. */
static const char *carried_ticket(const struct http_request *req)
{
    const char *ticket = http_query(req, "ticket");
    for (const char *p = ticket; p && *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-')
            return NULL; /* none of ours: the caller is known by other means */
    return ticket && *ticket ? ticket : NULL;
}

static void audit_begin(struct http_request *req, const struct hls_ask *ask)
{
    se_json_ *detail =
        json_pack("{s:s, s:s}", "stream", ask->role == STREAM_SUB ? "sub" : "main", "over", "hls");
    access_audit_later(http_deps(req)->access, &req->who, "camera.live", "camera", ask->camera_id, detail);
}

static int explain(struct http_request *req, struct http_response *res, const struct hls_ask *ask, int r,
                   const struct se_err *err)
{
    switch (r) {
    case -ENOENT:
        return http_problem(res, 404, "The camera has no %s stream.",
                            ask->role == STREAM_SUB ? "sub" : "main");
    case -EAGAIN:
        r = http_wait(req, WAIT_MS);
        if (r != -EAGAIN)
            return r;
        res->retry_after_s = 2;
        return http_problem(res, 503, "%s", err->text);
    case -ENOLINK:
    case -EBUSY:
        res->retry_after_s = 5;
        return http_problem(res, 503, "%s", err->text);
    default:
        return r;
    }
}

static int playlist(struct http_request *req, struct http_response *res, enum stream_role role,
                    const char *prefix)
{
    char id[SE_ID_LEN];
    struct se_err err = {0};
    struct se_str text = {0};
    bool begins = false;
    int r = camera_find(req, res, req->params[0], id);
    if (r < 0)
        return r;
    struct hls_ask ask = {http_deps(req)->ingest, id, role, &req->who, prefix, carried_ticket(req)};
    r = hls_playlist(http_hls(req), &ask, &text, &begins, &err);
    if (r == 0) {
        res->bytes = se_buf_copy(text.data, text.len);
        res->content_type = "application/vnd.apple.mpegurl";
        r = res->bytes ? 0 : -ENOMEM;
    }
    se_str_fini(&text);
    if (r < 0)
        return explain(req, res, &ask, r, &err);
    if (begins)
        audit_begin(req, &ask);
    return 0;
}

static int playlist_of_camera(struct http_request *req, struct http_response *res)
{
    const char *stream = http_query(req, "stream");
    if (stream && strcmp(stream, "main") != 0 && strcmp(stream, "sub") != 0)
        return http_invalid(res, "stream", "The stream is main or sub.");
    bool sub = stream && strcmp(stream, "sub") == 0;
    return playlist(req, res, sub ? STREAM_SUB : STREAM_MAIN, sub ? "sub/" : "main/");
}

static int playlist_of_main(struct http_request *req, struct http_response *res)
{
    return playlist(req, res, STREAM_MAIN, "");
}

static int playlist_of_sub(struct http_request *req, struct http_response *res)
{
    return playlist(req, res, STREAM_SUB, "");
}

/* --- parts ---------------------------------------------------------------------------------------------- */

struct body {
    struct http_pieces pieces;
    struct hls_segment *segment;
    struct http_piece list[];
};

static void body_free(struct http_pieces *pieces)
{
    struct body *body = SE_CONTAINER_OF(pieces, struct body, pieces);
    hls_segment_unref(&body->segment);
    free(body);
}

/* Takes the segment. */
static struct http_pieces *body_of(struct hls_segment *segment)
{
    struct body *body = malloc(sizeof(*body) + segment->count * sizeof(body->list[0]));
    if (!body) {
        hls_segment_unref(&segment);
        return NULL;
    }
    for (unsigned i = 0; i < segment->count; i++)
        body->list[i] = (struct http_piece){segment->pieces[i]->data, segment->pieces[i]->size};
    body->segment = segment;
    body->pieces = (struct http_pieces){segment->count, body->list, body_free};
    return &body->pieces;
}

static int part(struct http_request *req, struct http_response *res, enum stream_role role)
{
    char id[SE_ID_LEN];
    struct hls_segment *segment = NULL;
    int r = camera_find(req, res, req->params[0], id);
    if (r < 0)
        return r;
    struct hls_ask ask = {.ingest = http_deps(req)->ingest, .camera_id = id, .role = role, .who = &req->who};
    r = hls_part(http_hls(req), &ask, req->params[1], &segment, &res->bytes);
    if (r < 0)
        return http_problem(res, 404, "There is no such part, or not any more: read the playlist again.");
    if (segment) {
        res->pieces = body_of(segment);
        if (!res->pieces)
            return -ENOMEM;
    }
    res->content_type = "video/mp4";
    http_header(res, "Cache-Control", "private, max-age=60");
    return 0;
}

static int part_of_main(struct http_request *req, struct http_response *res)
{
    return part(req, res, STREAM_MAIN);
}

static int part_of_sub(struct http_request *req, struct http_response *res)
{
    return part(req, res, STREAM_SUB);
}

/* Who begins to watch is entered by the handler, once, not with each request. */
static const struct http_route rows[] = {
    ROUTE(GET, "/live/{camera}/index.m3u8", MEDIA_LIVE, HTTP_TICKET | HTTP_QUIET, 0, NULL,
          playlist_of_camera),
    ROUTE(GET, "/live/{camera}/main/index.m3u8", MEDIA_LIVE, HTTP_TICKET | HTTP_QUIET, 0, NULL,
          playlist_of_main),
    ROUTE(GET, "/live/{camera}/sub/index.m3u8", MEDIA_LIVE, HTTP_TICKET | HTTP_QUIET, 0, NULL,
          playlist_of_sub),
    ROUTE(GET, "/live/{camera}/main/{part}", MEDIA_LIVE, HTTP_TICKET | HTTP_QUIET, 0, NULL, part_of_main),
    ROUTE(GET, "/live/{camera}/sub/{part}", MEDIA_LIVE, HTTP_TICKET | HTTP_QUIET, 0, NULL, part_of_sub),
};
const struct http_route_table routes_hls = {rows, SE_ARRAY_LEN(rows)};
