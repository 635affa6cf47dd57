/* What seeds hold beside the county's own data: departments, users, cameras. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "gateway/store_cameras.h"
#include "gateway/store_identity.h"
#include "put.h"
#include "seed.h"

static void check_department(const char *prefix, const json_t *row, struct fault *fault)
{
    static const char *const known[] = {"code", "name", "kind", "division_id", NULL};
    const char *text = NULL;
    check_known(fault, prefix, row, known);
    check_text(fault, prefix, row, "code", true, 64, &text);
    check_text(fault, prefix, row, "name", true, 128, &text);
    check_text(fault, prefix, row, "kind", true, 64, &text);
    check_text(fault, prefix, row, "division_id", false, 12, &text);
}

static void check_user(const char *prefix, const json_t *row, struct fault *fault)
{
    static const char *const known[] = {"username", "display_name", "department", "roles", NULL};
    const char *username = NULL, *text = NULL;
    struct se_err err = {0};
    check_known(fault, prefix, row, known);
    check_text(fault, prefix, row, "username", true, 64, &username);
    if (username && access_username_check(username, &err))
        check_fault(fault, prefix, "username", "%s", err.text);
    check_text(fault, prefix, row, "display_name", true, 128, &text);
    check_text(fault, prefix, row, "department", true, 64, &text);
    if (!json_array_size(json_object_get(row, "roles")))
        check_fault(fault, prefix, "roles", "must be an array of at least one role's code");
}

static void check_stream(const char *prefix, const json_t *stream, struct fault *fault)
{
    static const char *const known[] = {"role", "url", "username", "password", "transport", NULL};
    const char *role = se_json_str(stream, "role", ""), *transport = se_json_str(stream, "transport", "auto");
    const char *url = NULL, *text = NULL;
    check_known(fault, prefix, stream, known);
    if (strcmp(role, "main") && strcmp(role, "sub"))
        check_fault(fault, prefix, "role", "must be main or sub");
    if (strcmp(transport, "auto") && strcmp(transport, "tcp") && strcmp(transport, "udp"))
        check_fault(fault, prefix, "transport", "must be auto, tcp or udp");
    check_text(fault, prefix, stream, "url", true, 1000, &url);
    if (url && strncmp(url, "rtsp://", 7) && strncmp(url, "rtsps://", 8))
        check_fault(fault, prefix, "url", "must look like rtsp://HOST:PORT/PATH");
    if (url && strchr(url, '@'))
        check_fault(fault, prefix, "url", "must not hold a user name: give username and password");
    check_text(fault, prefix, stream, "username", false, 128, &text);
    check_text(fault, prefix, stream, "password", false, 128, &text);
}

static void check_camera(const char *prefix, const json_t *row, struct fault *fault)
{
    static const char *const known[] = {"code",     "name",    "department", "grid",
                                        "location", "enabled", "record",     "retention_days",
                                        "streams",  "scene",   NULL};
    static const char *const modes[] = {"continuous", "on_demand", "off"};
    const char *code = NULL, *text = NULL, *record = se_json_str(row, "record", "continuous");
    const json_t *streams = json_object_get(row, "streams");
    double lat, lon;
    bool has = false, enabled = true;
    int64_t days = 30;
    check_known(fault, prefix, row, known);
    check_text(fault, prefix, row, "code", true, 64, &code);
    if (code && !check_code(code))
        check_fault(fault, prefix, "code", "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -");
    check_text(fault, prefix, row, "name", true, 128, &text);
    check_text(fault, prefix, row, "department", true, 64, &text);
    check_text(fault, prefix, row, "grid", false, 64, &text);
    check_location(fault, prefix, row, "location", &has, &lat, &lon);
    check_bool(fault, prefix, row, "enabled", &enabled);
    check_int(fault, prefix, row, "retention_days", 1, 36500, &days);
    if (strcmp(record, modes[0]) && strcmp(record, modes[1]) && strcmp(record, modes[2]))
        check_fault(fault, prefix, "record", "must be continuous, on_demand or off");
    if (!json_array_size(streams) || json_array_size(streams) > CAMERA_STREAMS_MAX)
        check_fault(fault, prefix, "streams", "must be an array of one or two streams");
    for (size_t n = 0; n < json_array_size(streams); n++) {
        char path[80];
        snprintf(path, sizeof path, "%.40s/streams/%zu", prefix, n);
        check_stream(path, json_array_get(streams, n), fault);
    }
}

void seed_check(enum seed_what what, const char *prefix, json_t **row, struct fault *fault)
{
    static const enum county_what county[SEED_COUNT] = {[SEED_DIVISION] = COUNTY_DIVISION,
                                                        [SEED_TAG] = COUNTY_TAG,
                                                        [SEED_KIND] = COUNTY_KIND,
                                                        [SEED_GRID] = COUNTY_GRID,
                                                        [SEED_RULE] = COUNTY_RULE};
    json_t *normal = NULL;
    if (!json_is_object(*row)) {
        check_fault(fault, prefix, "", "must be an object");
        return;
    }
    switch (what) {
    case SEED_DEPARTMENT:
        check_department(prefix, *row, fault);
        break;
    case SEED_DICTIONARY:
        put_check_dictionary(fault, prefix, *row);
        break;
    case SEED_USER:
        check_user(prefix, *row, fault);
        break;
    case SEED_CAMERA:
        check_camera(prefix, *row, fault);
        break;
    default: {
        int rc = put_normalize(county[what], *row, prefix, &normal, fault);
        if (rc && !fault->err.code)
            check_fault(fault, prefix, "", "%s", strerror(-rc));
        if (!rc) {
            json_decref(*row);
            *row = normal;
        }
    }
    }
}

/* ---- putting ---- */

static int put_department(struct store_tx *tx, const json_t *json, enum store_put *ret_put)
{
    se_json_ *stored = NULL;
    char id[SE_ID_LEN];
    struct department_row row = {.code = se_json_str(json, "code", ""),
                                 .name = se_json_str(json, "name", ""),
                                 .kind = se_json_str(json, "kind", ""),
                                 .division_id = se_json_str(json, "division_id", NULL)};
    int rc = store_department_get(tx, row.code, &stored);
    if (rc && rc != -ENOENT)
        return rc;
    if (rc == -ENOENT) {
        se_id_new(id);
        row.id = id;
        *ret_put = STORE_ADDED;
        return store_department_insert(tx, &row);
    }
    const char *division = se_json_str(stored, "division_id", "");
    bool same = !strcmp(se_json_str(stored, "name", ""), row.name) &&
                !strcmp(se_json_str(stored, "kind", ""), row.kind) &&
                !strcmp(division, row.division_id ? row.division_id : "");
    *ret_put = same ? STORE_UNCHANGED : STORE_CHANGED;
    row.id = se_json_str(stored, "id", "");
    return same ? 0 : store_department_update(tx, &row);
}

static int find_department(struct store_tx *tx, const struct seed_row *row, struct fault *fault,
                           json_t **ret_department)
{
    const char *code = se_json_str(row->row, "department", "");
    int rc = store_department_get(tx, code, ret_department);
    if (rc == -ENOENT) {
        check_fault(fault, row->prefix, "department", "\"%s\" is no department's code", code);
        return check_result(fault);
    }
    return rc;
}

/* A user that is there stays as it is: passwords and roles are the installation's. */
static int put_user(struct store_tx *tx, struct seed_row *row, enum store_put *ret_put, struct fault *fault)
{
    const char *username = se_json_str(row->row, "username", "");
    se_json_ *stored = NULL, *department = NULL;
    int rc = store_user_get(tx, username, &stored);
    *ret_put = STORE_UNCHANGED;
    row->added = false;
    if (rc != -ENOENT)
        return rc;
    rc = find_department(tx, row, fault, &department);
    if (rc)
        return rc;
    if (!row->password_hash)
        return -EAGAIN; /* somebody removed the user since we looked */
    char id[SE_ID_LEN];
    se_id_new(id);
    rc = store_user_insert(tx,
                           &(struct user_row){.id = id,
                                              .username = username,
                                              .display_name = se_json_str(row->row, "display_name", username),
                                              .password_hash = row->password_hash,
                                              .department_id = se_json_str(department, "id", NULL),
                                              .enabled = true,
                                              .roles = json_object_get(row->row, "roles")});
    if (rc == -ENOLINK) {
        check_fault(fault, row->prefix, "roles", "names a role that is not there");
        return check_result(fault);
    }
    row->added = !rc;
    *ret_put = STORE_ADDED;
    return rc;
}

/* ---- cameras ---- */

struct camera_seen {
    struct seed *seed;
    const struct camera_row *wanted;
    const json_t *streams; /* with plain passwords */
    bool same;
    int64_t version;
    char *kept[CAMERA_STREAMS_MAX]; /* sealed passwords that are still right; owned */
};

static bool same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static bool same_password(struct seed *seed, const char *sealed, const char *plain)
{
    if (!sealed || !plain)
        return !sealed && !plain;
    char *stored = NULL;
    if (access_unseal(seed->deps->access, sealed, &stored))
        return false;
    bool same = !strcmp(stored, plain);
    explicit_bzero(stored, strlen(stored));
    free(stored);
    return same;
}

static int see_camera(const struct camera_row *row, void *ctx)
{
    struct camera_seen *seen = ctx;
    const struct camera_row *wanted = seen->wanted;
    seen->version = row->version;
    seen->same = same_text(row->name, wanted->name) && same_text(row->department_id, wanted->department_id) &&
                 same_text(row->grid_id, wanted->grid_id) && row->has_location == wanted->has_location &&
                 (!row->has_location || (row->lat == wanted->lat && row->lon == wanted->lon)) &&
                 row->enabled == wanted->enabled && same_text(row->record_mode, wanted->record_mode) &&
                 row->retention_days == wanted->retention_days && row->stream_count == wanted->stream_count;
    for (unsigned i = 0; i < wanted->stream_count; i++) {
        const struct camera_stream_row *to = &wanted->streams[i], *from = NULL;
        for (unsigned n = 0; n < row->stream_count; n++)
            if (same_text(row->streams[n].role, to->role))
                from = &row->streams[n];
        const char *plain = se_json_str(json_array_get(seen->streams, i), "password", NULL);
        bool password = from && same_password(seen->seed, from->password_sealed, plain);
        if (password && from->password_sealed)
            seen->kept[i] = strdup(from->password_sealed);
        const char *url = se_json_str(json_array_get(seen->streams, i), "url", "");
        seen->same = seen->same && password && same_text(from->url, to->url) &&
                     same_password(seen->seed, from->url_sealed, to->url_sealed ? url : NULL) &&
                     same_text(from->username, to->username) && same_text(from->transport, to->transport);
    }
    return 0;
}

static int write_camera(struct seed *seed, struct store_tx *tx, struct camera_row *wanted,
                        const char *stored_id, const json_t *streams, enum store_put *ret_put)
{
    struct camera_seen seen = {.seed = seed, .wanted = wanted, .streams = streams};
    int rc = stored_id ? store_camera_each(tx, stored_id, see_camera, &seen) : 0;
    *ret_put = !stored_id ? STORE_ADDED : seen.same ? STORE_UNCHANGED : STORE_CHANGED;
    for (unsigned i = 0; !rc && *ret_put != STORE_UNCHANGED && i < wanted->stream_count; i++) {
        const char *plain = se_json_str(json_array_get(streams, i), "password", NULL);
        if (plain && !seen.kept[i])
            rc = access_seal(seed->deps->access, plain, &seen.kept[i]);
        wanted->streams[i].password_sealed = seen.kept[i];
    }
    if (!rc && *ret_put == STORE_ADDED)
        rc = store_camera_insert(tx, wanted);
    else if (!rc && *ret_put == STORE_CHANGED)
        rc = store_camera_update(tx, wanted, 0);
    for (unsigned i = 0; i < CAMERA_STREAMS_MAX; i++)
        free(seen.kept[i]);
    return rc;
}

/* URLs with a password of their own. The texts are the caller's to free. */
static int seal_urls(struct seed *seed, struct camera_row *wanted, char *ret_texts[CAMERA_STREAMS_MAX][2])
{
    int rc = 0;
    for (unsigned i = 0; !rc && i < wanted->stream_count && i < CAMERA_STREAMS_MAX; i++) {
        struct camera_stream_row *stream = &wanted->streams[i];
        rc = access_seal_url(seed->deps->access, stream->url, &ret_texts[i][0], &ret_texts[i][1]);
        if (!rc && ret_texts[i][1]) {
            stream->url = ret_texts[i][0];
            stream->url_sealed = ret_texts[i][1];
        }
    }
    return rc;
}

static int put_camera(struct seed *seed, struct store_tx *tx, struct seed_row *row, enum store_put *ret_put,
                      struct fault *fault)
{
    const json_t *json = row->row, *location = json_object_get(json, "location");
    const json_t *streams = json_object_get(json, "streams");
    const char *code = se_json_str(json, "code", ""), *grid_code = se_json_str(json, "grid", NULL);
    se_json_ *department = NULL, *grid = NULL;
    char id[SE_ID_LEN];
    int rc = find_department(tx, row, fault, &department);
    if (!rc && grid_code && (rc = store_grid_get(tx, grid_code, &grid)) == -ENOENT) {
        check_fault(fault, row->prefix, "grid", "\"%s\" is no grid's code", grid_code);
        rc = check_result(fault);
    }
    if (rc)
        return rc;
    bool stored = !(rc = store_camera_resolve(tx, code, id, NULL));
    if (rc && rc != -ENOENT)
        return rc;
    if (!stored)
        se_id_new(id);
    struct camera_row wanted = {.id = id,
                                .code = code,
                                .name = se_json_str(json, "name", ""),
                                .department_id = se_json_str(department, "id", ""),
                                .grid_id = se_json_str(grid, "id", NULL),
                                .has_location = json_is_object(location),
                                .lat = se_json_real(location, "lat", 0),
                                .lon = se_json_real(location, "lon", 0),
                                .enabled = se_json_bool(json, "enabled", true),
                                .record_mode = se_json_str(json, "record", "continuous"),
                                .retention_days = (int)se_json_int(json, "retention_days", 30),
                                .stream_count = (unsigned)json_array_size(streams)};
    for (unsigned i = 0; i < wanted.stream_count; i++) {
        const json_t *stream = json_array_get(streams, i);
        wanted.streams[i] = (struct camera_stream_row){.role = se_json_str(stream, "role", "main"),
                                                       .url = se_json_str(stream, "url", ""),
                                                       .username = se_json_str(stream, "username", NULL),
                                                       .transport = se_json_str(stream, "transport", "auto")};
    }
    char *urls[CAMERA_STREAMS_MAX][2] = {{NULL}};
    rc = seal_urls(seed, &wanted, urls);
    if (!rc)
        rc = write_camera(seed, tx, &wanted, stored ? id : NULL, streams, ret_put);
    for (unsigned i = 0; i < CAMERA_STREAMS_MAX; i++) {
        free(urls[i][0]);
        free(urls[i][1]);
    }
    row->camera_id[0] = '\0';
    if (!rc && *ret_put != STORE_UNCHANGED)
        memcpy(row->camera_id, id, SE_ID_LEN);
    return rc;
}

int seed_put(struct seed *seed, struct store_tx *tx, struct seed_row *row, enum store_put *ret_put,
             struct fault *fault)
{
    switch (row->what) {
    case SEED_DIVISION:
        return put_row(tx, COUNTY_DIVISION, row->row, row->prefix, ret_put, fault);
    case SEED_DEPARTMENT:
        return put_department(tx, row->row, ret_put);
    case SEED_DICTIONARY:
        return store_dictionary_put(tx, row->row, ret_put);
    case SEED_TAG:
        return put_row(tx, COUNTY_TAG, row->row, row->prefix, ret_put, fault);
    case SEED_KIND:
        return put_row(tx, COUNTY_KIND, row->row, row->prefix, ret_put, fault);
    case SEED_GRID:
        return put_row(tx, COUNTY_GRID, row->row, row->prefix, ret_put, fault);
    case SEED_RULE:
        return put_row(tx, COUNTY_RULE, row->row, row->prefix, ret_put, fault);
    case SEED_USER:
        return put_user(tx, row, ret_put, fault);
    case SEED_CAMERA:
        return put_camera(seed, tx, row, ret_put, fault);
    case SEED_COUNT:
        break;
    }
    return -EINVAL;
}
