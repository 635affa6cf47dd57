/* Live media: one endless body a page with many cameras in it, and single streams for players. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "base/loop.h"
#include "cameras.h"
#include "fields.h"
#include "live/session.h"
#include "routes.h"

#define SESSIONS_MAX 1024
#define KEEPALIVE_US 4000000 /* the contract allows 5 s, and streams are asked once a second */

/* --- sessions by id ------------------------------------------------------------------------------------ */

struct entry {
    struct http_stream stream;
    struct page_follow {
        struct http_follow base;
        struct entry *entry;
    } follows[LIVE_SLOTS];
    struct live_session *session;
    char owner[SE_ID_LEN]; /* of the sign-in that opened it: nobody else may change it */
    struct entry *next;
};
static pthread_mutex_t entries_lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;
static unsigned entry_count;

static int entry_add(struct entry *entry)
{
    pthread_mutex_lock(&entries_lock);
    int r = entry_count < SESSIONS_MAX ? 0 : -EBUSY;
    if (r == 0) {
        entry->next = entries;
        entries = entry;
        entry_count++;
    }
    pthread_mutex_unlock(&entries_lock);
    return r;
}

static void entry_remove(struct entry *entry)
{
    pthread_mutex_lock(&entries_lock);
    struct entry **at = &entries;
    while (*at && *at != entry)
        at = &(*at)->next;
    if (*at) {
        *at = entry->next;
        entry_count--;
    }
    pthread_mutex_unlock(&entries_lock);
}

static struct live_session *session_find(const char *id, const struct access_who *who)
{
    struct live_session *session = NULL;
    pthread_mutex_lock(&entries_lock);
    for (struct entry *e = entries; e && !session; e = e->next)
        if (strcmp(live_session_id(e->session), id) == 0 && strcmp(e->owner, who->session_id) == 0)
            session = live_session_ref(e->session);
    pthread_mutex_unlock(&entries_lock);
    return session;
}

/* --- GET /api/v1/live ---------------------------------------------------------------------------------- */

static int page_next(struct http_stream *stream, struct http_part *ret_part)
{
    struct entry *entry = SE_CONTAINER_OF(stream, struct entry, stream);
    return live_session_next(entry->session, ret_part);
}

static void page_news(struct http_follow *base)
{
    struct page_follow *follow = SE_CONTAINER_OF(base, struct page_follow, base);
    live_session_news(follow->entry->session, (unsigned)(follow - follow->entry->follows));
}

static int page_follow(void *ctx, unsigned slot, struct hub *hub)
{
    struct entry *entry = ctx;
    return http_follow(&entry->stream, &entry->follows[slot].base, hub);
}

static void page_wake(void *ctx)
{
    struct entry *entry = ctx;
    http_stream_wake(&entry->stream);
}

static void page_free(struct http_stream *stream)
{
    struct entry *entry = SE_CONTAINER_OF(stream, struct entry, stream);
    entry_remove(entry);
    if (entry->session)
        live_session_end(entry->session);
    live_session_unref(&entry->session);
    free(entry);
}

static int page_open(struct http_request *req, struct http_response *res)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    entry->stream = (struct http_stream){.next = page_next, .free = page_free};
    for (unsigned slot = 0; slot < LIVE_SLOTS; slot++)
        entry->follows[slot] = (struct page_follow){.base.news = page_news, .entry = entry};
    memcpy(entry->owner, req->who.session_id, sizeof(entry->owner));
    int r =
        live_session_new(KEEPALIVE_US, &(struct live_host){page_follow, page_wake, entry}, &entry->session);
    if (r == 0)
        r = entry_add(entry);
    if (r < 0) {
        page_free(&entry->stream);
        return r == -EBUSY ? http_problem(res, 503, "Too many pages are watching; close one and try again.")
                           : r;
    }
    res->stream = &entry->stream;
    res->content_type = "application/octet-stream";
    http_header(res, "Cache-Control", "no-store");
    http_header(res, "X-Accel-Buffering", "no");
    return 0;
}

/* --- POST /api/v1/live/{id} ------------------------------------------------------------------------------
 */

struct wish {
    unsigned tile;
    const char *camera;
    enum live_choice choice;
};

static const char *const choices[] = {"auto", "main", "sub"};

static int read_wish(const json_t *item, size_t i, struct http_response *res, struct wish *ret)
{
    char field[64];
    int64_t tile = se_json_int(item, "tile", -1);
    const char *camera = se_json_str(item, "camera", NULL), *choice = se_json_str(item, "stream", "auto");
    unsigned c = 0;
    if (tile < 0 || tile >= LIVE_TILES) {
        snprintf(field, sizeof(field), "open/%zu/tile", i);
        return http_invalid(res, field, "A tile is a number from 0 to %d.", LIVE_TILES - 1);
    }
    if (!camera || !camera[0]) {
        snprintf(field, sizeof(field), "open/%zu/camera", i);
        return http_invalid(res, field, "Name a camera by its id or code.");
    }
    while (c < SE_ARRAY_LEN(choices) && strcmp(choices[c], choice) != 0)
        c++;
    if (c == SE_ARRAY_LEN(choices)) {
        snprintf(field, sizeof(field), "open/%zu/stream", i);
        return http_invalid(res, field, "The stream is one of auto, main, sub.");
    }
    *ret = (struct wish){(unsigned)tile, camera, (enum live_choice)c};
    return 0;
}

static int read_accepts(const json_t *list, struct http_response *res, unsigned *ret_accepts)
{
    unsigned accepts = 0;
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        const char *name = json_string_value(item);
        if (name && strcmp(name, "avc1") == 0)
            accepts |= LIVE_AVC;
        else if (name && (strcmp(name, "hvc1") == 0 || strcmp(name, "hev1") == 0))
            accepts |= LIVE_HEVC;
    }
    if (!json_is_array(list))
        return http_invalid(res, "accepts", "A list of codecs: avc1, hvc1.");
    *ret_accepts = accepts;
    return 0;
}

static void open_tile(struct http_request *req, struct live_session *session, const struct wish *wish)
{
    const struct api_deps *deps = http_deps(req);
    struct camera_key camera;
    struct hub *hubs[STREAM_ROLES] = {NULL};
    int r = store_camera_find(deps->store, wish->camera, &camera);
    if (r == 0) {
        struct access_target target = {
            .type = "camera", .id = camera.id, .department_id = camera.department_id};
        struct access_decision decision = access_decide(deps->access, &req->who, ACCESS_MEDIA_LIVE, &target);
        if (!decision.allowed) {
            se_json_ *detail = json_pack("{s:s, s:s}", "permission", "media.live", "reason", decision.reason);
            access_audit_later(deps->access, &req->who, "access.denied", "camera", camera.id, detail);
            r = -ENOENT; /* that it exists is not shown either */
        }
    }
    if (r == -ENOENT) {
        live_session_refuse(session, wish->tile, "denied",
                            "There is no such camera, or it is not yours to watch.");
        return;
    }
    if (r < 0) {
        live_session_refuse(session, wish->tile, "offline",
                            "The gateway's store does not answer; try again.");
        return;
    }
    for (unsigned role = 0; role < STREAM_ROLES; role++) {
        bool wanted = wish->choice == LIVE_AUTO || (wish->choice == LIVE_SUB) == (role == STREAM_SUB);
        if (wanted && ingest_hub(deps->ingest, camera.id, role, &hubs[role]) < 0)
            hubs[role] = NULL;
    }
    if (!hubs[STREAM_MAIN] && !hubs[STREAM_SUB]) {
        live_session_refuse(session, wish->tile, "offline", "The camera has no such stream.");
        return;
    }
    live_session_open(session, wish->tile, wish->choice, hubs);
    se_json_ *detail = json_pack("{s:s}", "stream", choices[wish->choice]);
    access_audit_later(deps->access, &req->who, "camera.live", "camera", camera.id, detail);
}

static int page_change(struct http_request *req, struct http_response *res)
{
    const json_t *open = json_object_get(req->json, "open"), *close = json_object_get(req->json, "close");
    const json_t *accepts = json_object_get(req->json, "accepts");
    struct wish wishes[LIVE_TILES];
    unsigned accepted = 0;
    int r = 0;
    if (!json_is_object(req->json))
        return http_invalid(res, "", "The body is an object with open, close, accepts.");
    if (open && !json_is_array(open))
        r = http_invalid(res, "open", "A list of {tile, camera, stream}.");
    if (json_array_size(open) > LIVE_TILES)
        return http_invalid(res, "open", "At most %d tiles.", LIVE_TILES);
    for (size_t i = 0; i < json_array_size(open); i++)
        if (read_wish(json_array_get(open, i), i, res, &wishes[i]) < 0)
            r = -EPROTO;
    if (close && !json_is_array(close))
        r = http_invalid(res, "close", "A list of tiles.");
    for (size_t i = 0; i < json_array_size(close); i++) {
        const json_t *tile = json_array_get(close, i);
        if (!json_is_integer(tile) || json_integer_value(tile) < 0 || json_integer_value(tile) >= LIVE_TILES)
            r = http_invalid(res, "close", "A tile is a number from 0 to %d.", LIVE_TILES - 1);
    }
    if (accepts && !json_is_null(accepts) && read_accepts(accepts, res, &accepted) < 0)
        r = -EPROTO;
    const json_t *audio = json_object_get(req->json, "audio");
    if (audio && !json_is_boolean(audio) && !json_is_null(audio))
        r = http_invalid(res, "audio", "true or false.");
    if (r < 0)
        return r;
    struct live_session *session = session_find(req->params[0], &req->who);
    if (!session)
        return http_problem(res, 404, "There is no such live page of yours; open one with GET /api/v1/live.");
    if (accepts && !json_is_null(accepts))
        live_session_accepts(session, accepted);
    if (json_is_boolean(audio))
        live_session_audio(session, json_is_true(audio));
    for (size_t i = 0; i < json_array_size(close); i++)
        live_session_close(session, (unsigned)json_integer_value(json_array_get(close, i)));
    for (size_t i = 0; i < json_array_size(open); i++)
        open_tile(req, session, &wishes[i]);
    live_session_wake(session);
    live_session_unref(&session);
    return http_ok(res, json_pack("{s:s}", "live", req->params[0]));
}

/* --- GET /live/{camera}/main.mp4 --------------------------------------------------------------------------
 */

struct single {
    struct http_stream stream;
    struct http_follow follow;
    struct hub *hub;
    struct hub_cursor cursor;
    uint32_t version; /* of the hub's state, when it was looked at */
    bool started;
};

static int single_next(struct http_stream *stream, struct http_part *ret_part)
{
    struct single *single = SE_CONTAINER_OF(stream, struct single, stream);
    struct hub_item item;
    if (!single->follow.topic)
        (void)http_follow(stream, &single->follow,
                          single->hub); /* no memory: asked once a second, till then */
    hub_read(single->hub, &single->cursor, &item);
    if (item.kind == HUB_INIT && single->started) {
        hub_item_clear(&item);
        return HTTP_STREAM_END; /* a file has one codec */
    }
    if (item.kind != HUB_NOTHING) {
        single->started = true;
        ret_part->head = item.head;
        ret_part->data = item.data;
        return 1;
    }
    uint32_t version = hub_version(single->hub);
    if (version == single->version)
        return 0;
    struct hub_state state;
    hub_state(single->hub, &state);
    single->version = state.version;
    return state.removed ? HTTP_STREAM_END : 0;
}

static void single_free(struct http_stream *stream)
{
    struct single *single = SE_CONTAINER_OF(stream, struct single, stream);
    hub_viewer_remove(single->hub);
    hub_unref(&single->hub);
    free(single);
}

static int single_open(struct http_request *req, struct http_response *res, enum stream_role role)
{
    char id[SE_ID_LEN], since[SE_TIME_LEN];
    struct hub_state state;
    struct hub *hub;
    int r = camera_find(req, res, req->params[0], id);
    if (r < 0)
        return r;
    if (ingest_hub(http_deps(req)->ingest, id, role, &hub) < 0)
        return http_problem(res, 404, "The camera has no %s stream.", role == STREAM_SUB ? "sub" : "main");
    hub_state(hub, &state);
    if (state.state == SOURCE_OFFLINE || state.state == SOURCE_DISABLED) {
        hub_unref(&hub);
        se_time_format(state.since_ms, since);
        res->retry_after_s = 5;
        return http_problem(res, 503, "The camera is %s since %s%s%s", source_state_name(state.state), since,
                            state.reason[0] ? ": " : "", state.reason);
    }
    struct single *single = calloc(1, sizeof(*single));
    if (!single) {
        hub_unref(&hub);
        return -ENOMEM;
    }
    single->stream = (struct http_stream){.next = single_next, .free = single_free};
    single->hub = hub;
    hub_viewer_add(hub);
    res->stream = &single->stream;
    res->content_type = "video/mp4";
    http_header(res, "Cache-Control", "no-store");
    return 0;
}

static int single_main(struct http_request *req, struct http_response *res)
{
    return single_open(req, res, STREAM_MAIN);
}

static int single_sub(struct http_request *req, struct http_response *res)
{
    return single_open(req, res, STREAM_SUB);
}

static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/live", MEDIA_LIVE, HTTP_STREAM | HTTP_QUIET, 0, NULL, page_open),
    ROUTE(POST, "/api/v1/live/{id}", MEDIA_LIVE, HTTP_JSON | HTTP_QUIET, HTTP_BODY_JSON, NULL, page_change),
    ROUTE(GET, "/live/{camera}/main.mp4", MEDIA_LIVE, HTTP_STREAM | HTTP_TICKET, 0, "camera.live",
          single_main),
    ROUTE(GET, "/live/{camera}/sub.mp4", MEDIA_LIVE, HTTP_STREAM | HTTP_TICKET, 0, "camera.live", single_sub),
};
const struct http_route_table routes_live = {rows, SE_ARRAY_LEN(rows)};
