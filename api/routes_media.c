/* A camera's pictures and recordings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/json.h"
#include "base/loop.h"
#include "cameras.h"
#include "routes.h"

#define RANGE_MAX_MS    (31 * 86400000LL) /* of a list */
#define PLAYBACK_MAX_MS (12 * 3600000LL)  /* of one playback */

/* --- snapshot.jpg -----------------------------------------------------------------------------------------
 */

static bool flag(const struct http_request *req, const char *name)
{
    const char *value = http_query(req, name);
    return value && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
}

static int snapshot(struct http_request *req, struct http_response *res)
{
    char id[SE_ID_LEN], modified[64];
    se_wall_ms at_ms = 0;
    struct se_err err = {0};
    int r = camera_find(req, res, req->params[0], id);
    if (r < 0)
        return r;
    r = ingest_snapshot(http_deps(req)->ingest, id, flag(req, "stale"), &res->bytes, &at_ms, &err);
    if (r == -EAGAIN || r == -EBUSY || r == -ENOENT) { /* not live, too much to do, no picture ever */
        res->retry_after_s = r == -EBUSY ? 1 : 5;
        return http_problem(res, 503, "%s", err.text);
    }
    if (r < 0)
        return http_problem(res, 503, "%s", err.text);
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm tm;
    strftime(modified, sizeof(modified), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &tm));
    http_header(res, "Last-Modified", modified);
    http_header(res, "Cache-Control", "no-store");
    res->content_type = "image/jpeg";
    return 0;
}

/* --- the range that is asked for
 * ---------------------------------------------------------------------------- */

static int need_time(struct http_request *req, struct http_response *res, const char *name,
                     se_wall_ms *ret_ms)
{
    const char *text = http_query(req, name);
    if (!text)
        return http_invalid(res, name,
                            "Say from when to when: ?from=2026-11-22T08:00:00Z&to=2026-11-22T09:00:00Z");
    if (se_time_parse(text, ret_ms) < 0)
        return http_invalid(
            res, name, "Not a time as in 2026-11-22T08:00:00.000Z (RFC 3339; a + of an offset is %%2B).");
    return 0;
}

static int range_of(struct http_request *req, struct http_response *res, int64_t max_ms, se_wall_ms *ret_from,
                    se_wall_ms *ret_to)
{
    int from = need_time(req, res, "from", ret_from), to = need_time(req, res, "to", ret_to);
    if (from < 0 || to < 0)
        return from < 0 ? from : to;
    if (*ret_to <= *ret_from)
        return http_invalid(res, "to", "The end must be after the start.");
    if (*ret_to - *ret_from > max_ms)
        return http_invalid(res, "to", "The range may be at most %lld hours long; ask in parts.",
                            (long long)(max_ms / 3600000));
    return 0;
}

/* --- recordings
 * --------------------------------------------------------------------------------------------- */

static int recordings(struct http_request *req, struct http_response *res)
{
    char id[SE_ID_LEN];
    se_wall_ms from, to;
    json_t *list;
    struct se_err err = {0};
    int r = camera_find(req, res, req->params[0], id);
    if (r == 0)
        r = range_of(req, res, RANGE_MAX_MS, &from, &to);
    if (r < 0)
        return r;
    r = ingest_recordings(http_deps(req)->ingest, id, from, to, &list, &err);
    if (r < 0)
        return http_problem(res, r == -EBUSY ? 503 : 500, "%s", err.text);
    return http_ok(res, list);
}

/* --- playback.mp4
 * -------------------------------------------------------------------------------------------- */

struct play {
    struct http_source source;
    struct playback *playback;
    int64_t offset;
};

static long play_read(struct http_source *source, void *out, size_t size)
{
    struct play *play = SE_CONTAINER_OF(source, struct play, source);
    long n = playback_read(play->playback, play->offset, out, size);
    if (n > 0)
        play->offset += n;
    return n;
}

static int play_seek(struct http_source *source, int64_t offset)
{
    struct play *play = SE_CONTAINER_OF(source, struct play, source);
    play->offset = offset;
    return 0;
}

static void play_free(struct http_source *source)
{
    struct play *play = SE_CONTAINER_OF(source, struct play, source);
    playback_free(play->playback);
    free(play);
}

/* A ticket for playback is for its range only. */
static int within_ticket(struct http_request *req, struct http_response *res, se_wall_ms from, se_wall_ms to)
{
    const char *ticket = http_query(req, "ticket");
    se_wall_ms first = 0, last = 0;
    if (!ticket || access_ticket_range(http_deps(req)->access, ticket, &first, &last) < 0)
        return 0; /* signed in, or else the frame would not have let it through */
    if ((first && from < first) || (last && to > last))
        return http_problem(res, 403, "The ticket is for another range.");
    return 0;
}

static int play_range(struct http_request *req, struct http_response *res)
{
    char id[SE_ID_LEN];
    se_wall_ms from, to;
    struct se_err err = {0};
    int r = camera_find(req, res, req->params[0], id);
    if (r == 0)
        r = range_of(req, res, PLAYBACK_MAX_MS, &from, &to);
    if (r == 0)
        r = within_ticket(req, res, from, to);
    if (r < 0)
        return r;
    struct play *play = calloc(1, sizeof(*play));
    if (!play)
        return -ENOMEM;
    play->source = (struct http_source){play_read, play_seek, play_free};
    r = playback_open(http_deps(req)->ingest, id, from, to, &play->playback, &err);
    if (r < 0) {
        free(play);
        return http_problem(res, r == -ENOENT ? 404 : r == -E2BIG ? 422 : 503, "%s", err.text);
    }
    res->source = &play->source;
    res->source_size = playback_size(play->playback);
    res->content_type = "video/mp4";
    http_header(res, "Cache-Control", "no-store");
    return 0;
}

static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/cameras/{id}/snapshot.jpg", MEDIA_LIVE, HTTP_TICKET, 0, "camera.snapshot", snapshot),
    ROUTE(GET, "/api/v1/cameras/{id}/recordings", MEDIA_PLAYBACK, 0, 0, "camera.recordings", recordings),
    ROUTE(GET, "/api/v1/cameras/{id}/playback.mp4", MEDIA_PLAYBACK, HTTP_TICKET, 0, "camera.playback",
          play_range),
};
const struct http_route_table routes_media = {rows, SE_ARRAY_LEN(rows)};
