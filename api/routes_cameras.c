/* Cameras: list, make, change, delete, state; and tickets for their media. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "base/log.h"
#include "cameras.h"
#include "fields.h"
#include "gateway/store_county.h"
#include "gateway/store_identity.h"
#include "routes.h"

int camera_find(struct http_request *req, struct http_response *res, const char *id_or_code,
                char ret_id[SE_ID_LEN])
{
    struct camera_key found;
    int r = store_camera_find(http_deps(req)->store, id_or_code, &found);
    if (r == -ENOENT) {
        return http_problem(res, 404, "There is no such camera.");
    }
    struct access_target target = {.type = "camera", .id = found.id, .department_id = found.department_id};
    r = r < 0 ? r : http_allow(req, res, &target);
    if (r == 0) {
        memcpy(ret_id, found.id, SE_ID_LEN);
    }
    return r;
}

/* The camera's state in the contract's words. */
static void add_state(struct http_request *req, json_t *camera)
{
    json_t *status = NULL;
    const char *state = se_json_bool(camera, "enabled", true) ? "connecting" : "disabled";
    if (ingest_camera_status(http_deps(req)->ingest, se_json_str(camera, "id", ""), &status) == 0) {
        state = se_json_str(status, "state", state);
    }
    se_json_put_str(camera, "state", state);
    json_decref(status);
}

static void add_etag(struct http_response *res, const json_t *camera)
{
    char text[32];
    snprintf(text, sizeof(text), "\"%" PRId64 "\"", se_json_int(camera, "version", 0));
    http_header(res, "ETag", text);
}

struct listing {
    struct camera_filter filter;
    json_t *page;
};

static int read_page(struct store_tx *tx, void *ctx)
{
    struct listing *listing = ctx;
    return store_camera_list(tx, &listing->filter, &listing->page);
}

/* Reads on until limit + 1 cameras are in the state, or there are no more. */
static int collect(struct http_request *req, struct listing *listing, const char *state, int limit,
                   json_t *items)
{
    char after[SE_ID_LEN] = "";
    for (bool more = true; more && json_array_size(items) <= (size_t)limit;) {
        size_t i;
        json_t *camera;
        listing->filter.limit = state ? 1000 : limit + 1;
        int r = store_read(http_deps(req)->store, read_page, listing);
        if (r < 0) {
            return r;
        }
        json_array_foreach (listing->page, i, camera) {
            add_state(req, camera);
            if (!state || strcmp(se_json_str(camera, "state", ""), state) == 0) {
                json_array_append(items, camera);
            }
            snprintf(after, sizeof(after), "%s", se_json_str(camera, "id", ""));
        }
        more = json_array_size(listing->page) == (size_t)listing->filter.limit;
        listing->filter.after = after;
        se_json_unref_p(&listing->page);
    }
    return 0;
}

static int list(struct http_request *req, struct http_response *res)
{
    struct listing listing = {.filter = {.department_id = http_query(req, "department_id"),
                                         .grid_id = http_query(req, "grid_id"),
                                         .q = http_query(req, "q")}};
    static const char *const states[] = {"connecting", "live",     "stalled", "offline",
                                         "idle",       "disabled", NULL};
    const char *state;
    int limit;
    int r = http_page(req, res, &limit, &listing.filter.after);
    r = r < 0 ? r : query_word(req, res, "state", states, &state);
    if (r < 0) {
        return r;
    }
    if (!req->who.all_departments) {
        listing.filter.scope_department_id = req->who.department_id;
    }
    json_t *items = json_array();
    r = collect(req, &listing, state, limit, items);
    if (r < 0) {
        json_decref(items);
        return r;
    }
    const char *last = fields_more(items, limit, "id");
    return http_list(res, items, last);
}

struct reading {
    const char *id;
    json_t *camera;
};

static int read_camera(struct store_tx *tx, void *ctx)
{
    struct reading *reading = ctx;
    return store_camera_get(tx, reading->id, &reading->camera);
}

static int get(struct http_request *req, struct http_response *res)
{
    char id[SE_ID_LEN];
    struct reading reading = {.id = id};
    int r = camera_find(req, res, req->params[0], id);
    r = r < 0 ? r : store_read(http_deps(req)->store, read_camera, &reading);
    if (r < 0) {
        return r;
    }
    add_state(req, reading.camera);
    add_etag(res, reading.camera);
    return http_ok(res, reading.camera);
}

static int status(struct http_request *req, struct http_response *res)
{
    char id[SE_ID_LEN];
    json_t *json = NULL;
    int r = camera_find(req, res, req->params[0], id);
    r = r < 0 ? r : ingest_camera_status(http_deps(req)->ingest, id, &json);
    return r < 0 ? r : http_ok(res, json);
}

struct writing {
    struct http_request *req;
    struct http_response *res;
    const struct camera_edit *edit;
    const char *id;
    bool is_new;
    int64_t version;               /* that the client saw; 0: any */
    char department_id[SE_ID_LEN]; /* of one that is deleted */
};

/* Which members were changed, never their values: a URL or a password has no place in the trail. */
static json_t *changed(const json_t *body)
{
    json_t *names = json_array();
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)body, name, value) {
        json_array_append_new(names, json_string(name));
    }
    return json_pack("{s:o}", "members", names);
}

static int write_camera(struct store_tx *tx, void *ctx)
{
    struct writing *writing = ctx;
    struct camera_row row;
    json_t *camera = NULL;
    camera_edit_row(writing->edit, &row);
    int r = writing->is_new
                ? store_camera_insert(tx, &row)
                : store_camera_update(tx, &row, writing->version ? writing->version : writing->edit->version);
    se_json_ *detail = changed(writing->req->json);
    r = r < 0 ? r
              : access_audit(tx, &writing->req->who, writing->req->route->audit, "camera", row.id, detail);
    r = r < 0 ? r : store_camera_get(tx, row.id, &camera);
    if (r < 0) {
        return r;
    }
    add_state(writing->req, camera);
    return writing->is_new ? http_created(writing->res, camera) : http_ok(writing->res, camera);
}

static int explain(struct http_response *res, int r)
{
    switch (r) {
    case -EEXIST:
        return http_problem(res, 409, "Another camera has this code.");
    case -ENOLINK:
        return http_invalid(res, "department_id", "there is no such department");
    case -ESTALE:
        return http_problem(res, 412, "The camera was changed since you read it. Read it again.");
    default:
        return r;
    }
}

/* "12" of If-Match: "12"; 0 when it is absent or *; -1 when it cannot match anything. */
static int64_t if_match(const struct http_request *req)
{
    const char *text = req->if_match;
    if (!text || strcmp(text, "*") == 0) {
        return 0;
    }
    char *end;
    text += strncmp(text, "W/", 2) == 0 ? 2 : 0;
    int64_t version = *text == '"' ? strtoll(text + 1, &end, 10) : 0;
    return version > 0 && *end == '"' ? version : -1;
}

struct department {
    const char *name;
    json_t *json;
};

static int read_department(struct store_tx *tx, void *ctx)
{
    struct department *department = ctx;
    return store_department_get(tx, department->name, &department->json);
}

/* The department may be named by its code; it must be one the caller may give cameras to. */
static int check_department(struct camera_edit *edit, struct http_request *req, struct http_response *res)
{
    struct department department = {.name = edit->department_id ? edit->department_id : ""};
    int r = store_read(http_deps(req)->store, read_department, &department);
    if (r == -ENOENT) {
        return http_invalid(res, "department_id", "there is no such department");
    }
    if (r < 0) {
        return r;
    }
    free(edit->department_id);
    edit->department_id = strdup(se_json_str(department.json, "id", ""));
    json_decref(department.json);
    if (!edit->department_id) {
        return -ENOMEM;
    }
    struct access_target target = {.type = "camera", .id = edit->id, .department_id = edit->department_id};
    struct access_decision decision =
        access_decide(http_deps(req)->access, &req->who, req->route->permission, &target);
    return decision.allowed ? 0 : http_problem(res, 403, "Not allowed: %s.", decision.reason);
}

struct grid {
    const char *name;
    json_t *json;
};

static int read_grid(struct store_tx *tx, void *ctx)
{
    struct grid *grid = ctx;
    return store_grid_get(tx, grid->name, &grid->json);
}

/* The grid that was asked for may be named by its code, too. One that was there before stays as it is. */
static int check_grid(struct camera_edit *edit, struct http_request *req, struct http_response *res)
{
    struct grid grid = {.name = edit->grid_id};
    if (!json_is_string(json_object_get(req->json, "grid_id")) || !edit->grid_id) {
        return 0;
    }
    if (!*edit->grid_id) { /* none */
        free(edit->grid_id);
        edit->grid_id = NULL;
        return 0;
    }
    int r = store_read(http_deps(req)->store, read_grid, &grid);
    if (r == -ENOENT) {
        return http_invalid(res, "grid_id", "there is no such grid");
    }
    if (r < 0) {
        return r;
    }
    free(edit->grid_id);
    edit->grid_id = strdup(se_json_str(grid.json, "id", ""));
    json_decref(grid.json);
    return edit->grid_id ? 0 : -ENOMEM;
}

pthread_mutex_t *camera_turn(const char *camera_id)
{
    static pthread_mutex_t turns[16] = {
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_MUTEX_INITIALIZER,
    };
    return &turns[(unsigned char)camera_id[SE_ID_LEN - 2] % SE_ARRAY_LEN(turns)];
}

static void publish(struct http_request *req, const char *type, const char *department_id, json_t *data)
{
    bus_publish(http_deps(req)->bus, type, access_permission_name(ACCESS_CAMERA_READ), department_id, data);
}

static int store_and_pull(struct camera_edit *edit, struct writing *writing, const struct camera_spec *spec)
{
    const struct api_deps *deps = http_deps(writing->req);
    struct se_err err = {0};
    pthread_mutex_lock(camera_turn(edit->id));
    int r = http_commit(writing->req, writing->res, write_camera, writing);
    int pulled = r < 0 ? 0 : ingest_camera_set(deps->ingest, spec, &err);
    pthread_mutex_unlock(camera_turn(edit->id));
    if (pulled < 0) {
        se_error("api", "a stored camera cannot be pulled camera=%s reason=\"%s\"", edit->id, err.text);
    }
    return r;
}

/* Checked as a whole, stored, and only then given to ingest. -ESTALE: changed meanwhile. */
static int save(struct camera_edit *edit, struct http_request *req, struct http_response *res, bool is_new,
                int64_t version)
{
    const struct api_deps *deps = http_deps(req);
    struct camera_spec spec;
    struct se_err err = {0};
    int r = camera_edit_apply(edit, req->json, req->who.department_id, res, is_new);
    r = r < 0 ? r : check_department(edit, req, res);
    r = r < 0 ? r : check_grid(edit, req, res);
    if (r < 0) {
        return r;
    }
    camera_edit_spec(edit, &spec);
    r = ingest_camera_check(deps->ingest, &spec, &err);
    if (r == -EINVAL) {
        return http_invalid(res, err.field[0] ? err.field : "streams", "%s", err.text);
    }
    r = r < 0 ? r : camera_edit_seal(edit, deps->access);
    if (r < 0) {
        return r;
    }
    struct writing writing = {.req = req, .res = res, .edit = edit, .is_new = is_new, .version = version};
    r = store_and_pull(edit, &writing, &spec);
    if (r < 0) {
        return r;
    }
    if (!is_new) { /* a new one's answer stays as an Idempotency-Key keeps it */
        add_state(req, res->json);
    }
    add_etag(res, res->json);
    publish(req, is_new ? "camera.created" : "camera.updated", edit->department_id,
            json_deep_copy(res->json));
    return 0;
}

static int add(struct http_request *req, struct http_response *res)
{
    struct camera_edit edit;
    char location[80];
    camera_edit_init(&edit);
    se_id_new(edit.id);
    int r = save(&edit, req, res, true, 0);
    if (r == 0) {
        snprintf(location, sizeof(location), "/api/v1/cameras/%s", edit.id);
        http_header(res, "Location", location);
    }
    camera_edit_fini(&edit);
    return explain(res, r);
}

static int change(struct http_request *req, struct http_response *res)
{
    const struct api_deps *deps = http_deps(req);
    char id[SE_ID_LEN];
    int64_t version = if_match(req);
    int r = camera_find(req, res, req->params[0], id);
    if (r < 0) {
        return r;
    }
    r = -ESTALE;
    /* Without If-Match a change that came between is no reason to refuse: apply this one over it. */
    for (int tries = 0; r == -ESTALE && version >= 0 && tries < (version ? 1 : 5); tries++) {
        struct camera_edit edit;
        camera_edit_init(&edit);
        r = camera_edit_load(&edit, deps->store, deps->access, id);
        r = r < 0 ? r : save(&edit, req, res, false, version);
        camera_edit_fini(&edit);
    }
    return explain(res, r);
}

static int delete_camera(struct store_tx *tx, void *ctx)
{
    struct writing *writing = ctx;
    se_json_ *camera = NULL;
    int r = store_camera_get(tx, writing->id, &camera);
    if (r < 0 || (writing->version && se_json_int(camera, "version", 0) != writing->version)) {
        return r < 0 ? r : -ESTALE;
    }
    snprintf(writing->department_id, sizeof(writing->department_id), "%s",
             se_json_str(camera, "department_id", ""));
    r = store_camera_delete(tx, writing->id);
    return r < 0 ? r
                 : access_audit(tx, &writing->req->who, writing->req->route->audit, "camera", writing->id,
                                NULL);
}

static int delete (struct http_request *req, struct http_response *res)
{
    const struct api_deps *deps = http_deps(req);
    char id[SE_ID_LEN];
    struct writing writing = {.req = req, .res = res, .id = id, .version = if_match(req)};
    int r = camera_find(req, res, req->params[0], id);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(camera_turn(id));
    r = writing.version < 0 ? -ESTALE : store_write(deps->store, delete_camera, &writing);
    if (r == 0) {
        ingest_camera_remove(deps->ingest, id);
    }
    pthread_mutex_unlock(camera_turn(id));
    if (r == -ENOLINK) {
        return http_problem(res, 409, "Incidents or recordings still name this camera. Disable it instead.");
    }
    if (r == 0) {
        publish(req, "camera.deleted", writing.department_id, json_pack("{s:s}", "id", id));
    }
    return explain(res, r);
}

/* Tickets: what a player that cannot send a header is given instead. */
static int ticket(struct http_request *req, struct http_response *res)
{
    static const char *const actions[] = {"live", "playback", "snapshot", NULL};
    static const enum access_media kinds[] = {ACCESS_TICKET_LIVE, ACCESS_TICKET_PLAYBACK,
                                              ACCESS_TICKET_SNAPSHOT};
    const struct api_deps *deps = http_deps(req);
    struct fields fields;
    char token[65];
    se_wall_ms expires_ms;
    int r = fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    const char *name = field_need(&fields, "camera", 64);
    field_need(&fields, "action", 16);
    const char *action = field_word(&fields, "action", actions, "live");
    se_wall_ms from_ms = field_time(&fields, "from"), to_ms = field_time(&fields, "to");
    if (fields.bad) {
        return fields_end(&fields);
    }
    if (from_ms && to_ms && from_ms >= to_ms) {
        return http_invalid(res, "to", "must lie after from");
    }
    enum access_permission permission =
        strcmp(action, "playback") == 0 ? ACCESS_MEDIA_PLAYBACK : ACCESS_MEDIA_LIVE;
    struct access_decision decision = access_decide(deps->access, &req->who, permission, NULL);
    if (!decision.allowed) {
        return http_problem(res, 403, "Not allowed: %s.", decision.reason);
    }
    struct camera_key found = {0};
    r = store_camera_find(deps->store, name, &found);
    struct access_target target = {.type = "camera", .id = found.id, .department_id = found.department_id};
    if (r == -ENOENT || (r == 0 && !access_decide(deps->access, &req->who, permission, &target).allowed)) {
        return http_problem(res, 404, "There is no such camera."); /* nor is one of others told of */
    }
    for (int i = 0; r == 0 && actions[i]; i++) {
        if (strcmp(actions[i], action) == 0) {
            r = access_ticket_new(deps->access, &req->who, found.id, kinds[i], from_ms, to_ms, token,
                                  &expires_ms);
            break;
        }
    }
    if (r < 0) {
        return r;
    }
    se_json_ *detail = json_pack("{s:s}", "action", action);
    access_audit_later(deps->access, &req->who, req->route->audit, "camera", found.id, detail);
    json_t *answer = json_pack("{s:s}", "ticket", token);
    se_json_put_time(answer, "expires_at", expires_ms);
    return http_created(res, answer);
}

static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/cameras", CAMERA_READ, HTTP_QUIET, 0, NULL, list),
    ROUTE(POST, "/api/v1/cameras", CAMERA_WRITE, HTTP_JSON, HTTP_BODY_JSON, "camera.create", add),
    ROUTE(GET, "/api/v1/cameras/{id}", CAMERA_READ, HTTP_QUIET, 0, NULL, get),
    ROUTE(PATCH, "/api/v1/cameras/{id}", CAMERA_WRITE, HTTP_JSON, HTTP_BODY_JSON, "camera.change", change),
    ROUTE(DELETE, "/api/v1/cameras/{id}", CAMERA_WRITE, 0, 0, "camera.delete", delete),
    ROUTE(GET, "/api/v1/cameras/{id}/status", CAMERA_READ, HTTP_QUIET, 0, NULL, status),
    ROUTE(POST, "/api/v1/tickets", SELF, HTTP_JSON | HTTP_SECRET, HTTP_BODY_JSON, "ticket.create", ticket),
};
const struct http_route_table routes_cameras = {rows, SE_ARRAY_LEN(rows)};
