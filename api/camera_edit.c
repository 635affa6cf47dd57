#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "base/str.h"
#include "base/url.h"
#include "cameras.h"
#include "fields.h"

static const char *const roles[STREAM_ROLES] = {"main", "sub"};
static const char *const modes[] = {"continuous", "on_demand", "off", NULL};
static const char *const transports[] = {"auto", "tcp", "udp", NULL};
static const char *const engines[] = {"auto", "ffmpeg", NULL};

/* Replaces an owned text. */
static int put(char **at, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy) {
        return -ENOMEM;
    }
    free(*at);
    *at = copy;
    return 0;
}

static void put_secret(char **at, char *text)
{
    if (*at) {
        explicit_bzero(*at, strlen(*at));
        free(*at);
    }
    *at = text;
}

/* Another password, or none. */
static void put_password(struct camera_edit_stream *stream, char *password)
{
    put_secret(&stream->password, password);
    stream->password_lost = false;
}

void camera_edit_init(struct camera_edit *edit)
{
    *edit = (struct camera_edit){.enabled = true, .retention_days = 30};
}

static void stream_fini(struct camera_edit_stream *stream)
{
    put_secret(&stream->url, NULL);
    free(stream->url_shown);
    free(stream->url_sealed);
    free(stream->username);
    put_secret(&stream->password, NULL);
    free(stream->sealed);
    free(stream->transport);
    free(stream->engine);
    free(stream->tls_fingerprint);
    *stream = (struct camera_edit_stream){0};
}

void camera_edit_fini(struct camera_edit *edit)
{
    free(edit->code);
    free(edit->name);
    free(edit->department_id);
    free(edit->grid_id);
    free(edit->record_mode);
    for (size_t i = 0; i < STREAM_ROLES; i++) {
        stream_fini(&edit->streams[i]);
    }
    camera_edit_init(edit);
}

struct loading {
    struct camera_edit *edit;
    struct access *access;
    const char *id;
};

/* Opens what is sealed, as far as it opens. */
static int open_stream(struct camera_edit_stream *to, const struct camera_stream_row *from,
                       struct access *access)
{
    int r = to->sealed ? access_unseal(access, to->sealed, &to->password) : 0;
    to->password_lost = r == -EBADMSG;
    if (r < 0 && !to->password_lost) {
        return r;
    }
    if (!from->url_sealed) {
        return 0;
    }
    char *url = NULL;
    r = access_unseal(access, from->url_sealed, &url);
    to->url_lost = r == -EBADMSG;
    if (r == 0) {
        put_secret(&to->url, url);
    } else if (!to->url_lost) {
        return r;
    }
    r = put(&to->url_sealed, from->url_sealed);
    return r < 0 ? r : put(&to->url_shown, from->url);
}

static int take(const struct camera_row *row, void *ctx)
{
    struct loading *loading = ctx;
    struct camera_edit *edit = loading->edit;
    snprintf(edit->id, sizeof(edit->id), "%s", row->id);
    edit->has_location = row->has_location;
    edit->lat = row->lat;
    edit->lon = row->lon;
    edit->enabled = row->enabled;
    edit->retention_days = row->retention_days;
    edit->version = row->version;
    if (put(&edit->code, row->code) < 0 || put(&edit->name, row->name) < 0 ||
        put(&edit->department_id, row->department_id) < 0 || put(&edit->grid_id, row->grid_id) < 0 ||
        put(&edit->record_mode, row->record_mode) < 0) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < row->stream_count; i++) {
        const struct camera_stream_row *from = &row->streams[i];
        struct camera_edit_stream *to = &edit->streams[strcmp(from->role, "sub") == 0];
        to->there = true;
        if (put(&to->url, from->url) < 0 || put(&to->username, from->username) < 0 ||
            put(&to->sealed, from->password_sealed) < 0 || put(&to->transport, from->transport) < 0 ||
            put(&to->engine, from->engine) < 0 || put(&to->tls_fingerprint, from->tls_fingerprint) < 0) {
            return -ENOMEM;
        }
        int r = open_stream(to, from, loading->access);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int read_row(struct store_tx *tx, void *ctx)
{
    struct loading *loading = ctx;
    return store_camera_each(tx, loading->id, take, ctx);
}

int camera_edit_load(struct camera_edit *edit, struct store *store, struct access *access, const char *id)
{
    struct loading loading = {.edit = edit, .access = access, .id = id};
    return store_read(store, read_row, &loading);
}

static bool code_ok(const char *code)
{
    return *code && strlen(code) <= 64 &&
           strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(code);
}

/* {lat,lon}, null for none. */
static void apply_location(struct camera_edit *edit, struct fields *fields)
{
    const json_t *location = json_object_get(fields->json, "location");
    if (!location) {
        return;
    }
    const json_t *lat = json_object_get(location, "lat"), *lon = json_object_get(location, "lon");
    edit->has_location = !json_is_null(location);
    if (!edit->has_location) {
        return;
    }
    if (!json_is_number(lat) || !json_is_number(lon)) {
        field_wrong(fields, "location", "must be {\"lat\": …, \"lon\": …} in degrees, or null");
        return;
    }
    edit->lat = json_number_value(lat);
    edit->lon = json_number_value(lon);
    if (!(edit->lat >= -90 && edit->lat <= 90)) {
        field_wrong(fields, "location/lat", "must lie from -90 to 90");
    }
    if (!(edit->lon >= -180 && edit->lon <= 180)) {
        field_wrong(fields, "location/lon", "must lie from -180 to 180");
    }
}

static void apply_record(struct camera_edit *edit, struct fields *fields)
{
    json_t *record = json_object_get(fields->json, "record");
    if (!record) {
        return;
    }
    if (!json_is_object(record)) {
        field_wrong(fields, "record", "must be {\"mode\": …, \"retention_days\": …}");
        return;
    }
    struct fields inner = {.json = record, .res = fields->res, .prefix = "record/"};
    const char *mode = field_word(&inner, "mode", modes, edit->record_mode);
    edit->retention_days = (int)field_int(&inner, "retention_days", 1, 36500, edit->retention_days);
    fields->bad = fields->bad || inner.bad || put(&edit->record_mode, mode) < 0;
}

/* A stream's URL, and what user info it brought. The stored password only stays with its host and port. */
static void apply_url(struct camera_edit_stream *stream, struct fields *fields)
{
    const char *text = se_json_str(fields->json, "url", NULL);
    struct se_err err = {0};
    char *url, *username, *password;
    if (!text || strlen(text) > 2048) {
        field_wrong(fields, "url", "%s", text ? "must have at most 2048 characters" : "must be text");
        return;
    }
    if (camera_url_split(text, &url, &username, &password, &err) < 0) {
        field_wrong(fields, "url", "%s", err.text[0] ? err.text : "cannot be used");
        return;
    }
    if (stream->url_shown && strcmp(stream->url_shown, url) == 0) {
        free(url); /* as it was shown: the stored one stays */
    } else if (se_url_is_masked(url)) {
        field_wrong(fields, "url",
                    "holds %s where a password is not shown; write the password there, or send the URL "
                    "as it was read",
                    SE_URL_MASK);
        free(url);
    } else {
        if (!camera_url_same_place(stream->url, url)) {
            put_password(stream, NULL);
        }
        put_secret(&stream->url, url);
        stream->url_lost = false;
        put(&stream->url_shown, NULL);
    }
    if (username) {
        free(stream->username);
        stream->username = username;
    }
    if (password) {
        put_password(stream, password);
    }
}

static void apply_credentials(struct camera_edit_stream *stream, struct fields *fields)
{
    bool password_given = field_given(fields, "password");
    if (field_given(fields, "username")) {
        const char *username = field_text(fields, "username", 0, 256, NULL);
        fields->bad |= put(&stream->username, username && *username ? username : NULL) < 0;
    }
    if (password_given) {
        const char *password = field_text(fields, "password", 0, 256, NULL);
        put_password(stream, password && *password ? strdup(password) : NULL);
    }
    /* Of srt:// it is the passphrase, which stands alone. */
    bool alone = stream->url && strncasecmp(stream->url, "srt:", 4) == 0;
    if ((stream->password || stream->password_lost) && !stream->username && !alone) {
        if (password_given) {
            field_wrong(fields, "username", "is missing beside the password");
        } else {
            put_password(stream, NULL);
        }
    }
}

/* A SHA-256 of the camera's certificate as tools print it: hex, with or without colons. */
static void apply_fingerprint(struct camera_edit_stream *stream, struct fields *fields)
{
    if (!field_given(fields, "tls_fingerprint")) {
        return;
    }
    const char *text = field_text(fields, "tls_fingerprint", 0, 128, NULL);
    char digits[65];
    size_t n = 0;
    for (const char *p = text ? text : ""; *p && n < 65; p++) {
        if (*p != ':' && *p != ' ') {
            digits[n++] = *p >= 'A' && *p <= 'F' ? (char)(*p - 'A' + 'a') : *p;
        }
    }
    digits[n < 65 ? n : 64] = 0;
    if (n != 0 && (n != 64 || strspn(digits, "0123456789abcdef") != 64)) {
        field_wrong(fields, "tls_fingerprint",
                    "must be the SHA-256 of the camera's certificate: 64 hex digits");
        return;
    }
    fields->bad |= put(&stream->tls_fingerprint, n ? digits : NULL) < 0;
}

static void apply_members(struct camera_edit_stream *stream, struct fields *fields)
{
    if (field_given(fields, "url")) {
        apply_url(stream, fields);
    } else if (!stream->there) {
        field_wrong(fields, "url", "is missing");
    }
    apply_credentials(stream, fields);
    const char *transport =
        field_word(fields, "transport", transports, stream->transport ? stream->transport : "auto");
    const char *engine = field_word(fields, "engine", engines, stream->engine ? stream->engine : "auto");
    apply_fingerprint(stream, fields);
    stream->there = true;
    fields->bad = fields->bad || put(&stream->transport, transport) < 0 || put(&stream->engine, engine) < 0;
}

static void apply_stream(struct camera_edit *edit, struct fields *fields, size_t index, const json_t *json,
                         bool seen[STREAM_ROLES])
{
    char prefix[32];
    snprintf(prefix, sizeof(prefix), "streams/%zu/", index);
    struct fields inner = {.json = json, .res = fields->res, .prefix = prefix};
    const char *role = se_json_str(json, "role", index == 0 ? "main" : "");
    size_t which = 0;
    while (which < STREAM_ROLES && strcmp(roles[which], role) != 0) {
        which++;
    }
    if (which == STREAM_ROLES || seen[which]) {
        field_wrong(&inner, "role", "%s", which == STREAM_ROLES ? "must be main or sub" : "is there twice");
        fields->bad = true;
        return;
    }
    seen[which] = true;
    apply_members(&edit->streams[which], &inner);
    fields->bad = fields->bad || inner.bad;
}

static void apply_streams(struct camera_edit *edit, struct fields *fields, bool is_new)
{
    const json_t *streams = json_object_get(fields->json, "streams");
    bool seen[STREAM_ROLES] = {false};
    size_t i;
    json_t *stream;
    if (!streams) {
        if (is_new) {
            field_wrong(fields, "streams", "is missing: at least the main stream with its url");
        }
        return;
    }
    if (!json_is_array(streams) || json_array_size(streams) < 1 || json_array_size(streams) > STREAM_ROLES) {
        field_wrong(fields, "streams",
                    "must be a list of one or two: main, and sub where the camera has one");
        return;
    }
    json_array_foreach (streams, i, stream) {
        if (!json_is_object(stream)) {
            field_wrong(fields, "streams", "must hold objects");
            return;
        }
        apply_stream(edit, fields, i, stream, seen);
    }
    for (i = 0; i < STREAM_ROLES; i++) {
        if (!seen[i]) {
            stream_fini(&edit->streams[i]);
        }
    }
    if (!seen[STREAM_MAIN]) {
        field_wrong(fields, "streams", "needs the main stream");
    }
}

int camera_edit_apply(struct camera_edit *edit, const json_t *json, const char *own_department,
                      struct http_response *res, bool is_new)
{
    struct fields fields = {.json = json, .res = res};
    if (!json_is_object(json)) {
        return http_problem(res, 422, "Send a JSON object.");
    }
    const char *code = field_text(&fields, "code", 0, 64, edit->code);
    if (code && field_given(&fields, "code") && !code_ok(code)) {
        field_wrong(&fields, "code", "must have 1 to 64 letters, digits, _ or -");
    }
    const char *name =
        is_new ? field_need(&fields, "name", 200) : field_text(&fields, "name", 1, 200, edit->name);
    const char *department =
        field_text(&fields, "department_id", 1, 64,
                   is_new && !edit->department_id ? own_department : edit->department_id);
    const char *grid = field_text(&fields, "grid_id", 0, 64, edit->grid_id);
    edit->enabled = field_bool(&fields, "enabled", edit->enabled);
    /* The texts may be the edit's own: copy before any is replaced. */
    if ((code != edit->code && put(&edit->code, code) < 0) ||
        (name != edit->name && put(&edit->name, name) < 0) ||
        (department != edit->department_id && put(&edit->department_id, department) < 0) ||
        (grid != edit->grid_id && put(&edit->grid_id, grid) < 0) ||
        (!edit->record_mode && put(&edit->record_mode, modes[0]) < 0)) {
        return -ENOMEM;
    }
    apply_location(edit, &fields);
    apply_record(edit, &fields);
    apply_streams(edit, &fields, is_new);
    return fields_end(&fields);
}

int camera_edit_apply_stream(struct camera_edit *edit, enum stream_role role, const json_t *json,
                             struct http_response *res)
{
    struct fields fields = {.json = json, .res = res};
    if (!json_is_object(json)) {
        return http_problem(res, 422, "Send a JSON object.");
    }
    if (!edit->record_mode && put(&edit->record_mode, modes[0]) < 0) {
        return -ENOMEM;
    }
    apply_members(&edit->streams[role], &fields);
    return fields_end(&fields);
}

/* What does not open stays sealed as it is. */
static int seal_stream(struct camera_edit_stream *stream, struct access *access)
{
    int r = 0;
    if (!stream->password_lost) {
        put(&stream->sealed, NULL);
        r = stream->password ? access_seal(access, stream->password, &stream->sealed) : 0;
    }
    if (r == 0 && stream->url && !stream->url_lost) {
        put(&stream->url_shown, NULL);
        put(&stream->url_sealed, NULL);
        r = access_seal_url(access, stream->url, &stream->url_shown, &stream->url_sealed);
    }
    return r;
}

int camera_edit_seal(struct camera_edit *edit, struct access *access)
{
    for (size_t i = 0; i < STREAM_ROLES; i++) {
        int r = seal_stream(&edit->streams[i], access);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

void camera_edit_spec(const struct camera_edit *edit, struct camera_spec *ret_spec)
{
    struct camera_spec spec = {.id = edit->id,
                               .code = edit->code,
                               .name = edit->name,
                               .department_id = edit->department_id,
                               .enabled = edit->enabled};
    for (int i = 0; modes[i]; i++) {
        if (strcmp(modes[i], edit->record_mode) == 0) {
            spec.record = (enum record_mode)i;
        }
    }
    for (size_t i = 0; i < STREAM_ROLES; i++) {
        const struct camera_edit_stream *from = &edit->streams[i];
        if (!from->there) {
            continue;
        }
        spec.streams[i].url = from->url;
        spec.streams[i].username = from->username;
        spec.streams[i].password = from->password;
        spec.streams[i].tls_fingerprint = from->tls_fingerprint;
        spec.streams[i].fault = from->password_lost ? CAMERA_PASSWORD_LOST
                                : from->url_lost    ? CAMERA_URL_LOST
                                                    : NULL;
        spec.streams[i].engine =
            from->engine && strcmp(from->engine, "ffmpeg") == 0 ? ENGINE_FFMPEG : ENGINE_AUTO;
        for (int t = 0; transports[t]; t++) {
            if (strcmp(transports[t], from->transport) == 0) {
                spec.streams[i].transport = (enum stream_transport)t;
            }
        }
    }
    *ret_spec = spec;
}

void camera_edit_row(const struct camera_edit *edit, struct camera_row *ret_row)
{
    struct camera_row row = {.id = edit->id,
                             .code = edit->code,
                             .name = edit->name,
                             .department_id = edit->department_id,
                             .grid_id = edit->grid_id,
                             .has_location = edit->has_location,
                             .lat = edit->lat,
                             .lon = edit->lon,
                             .enabled = edit->enabled,
                             .record_mode = edit->record_mode,
                             .retention_days = edit->retention_days};
    for (size_t i = 0; i < STREAM_ROLES; i++) {
        const struct camera_edit_stream *from = &edit->streams[i];
        if (from->there) {
            row.streams[row.stream_count++] =
                (struct camera_stream_row){.role = roles[i],
                                           .url = from->url_shown ? from->url_shown : from->url,
                                           .url_sealed = from->url_sealed,
                                           .username = from->username,
                                           .password_sealed = from->sealed,
                                           .transport = from->transport,
                                           .engine = from->engine,
                                           .tls_fingerprint = from->tls_fingerprint};
        }
    }
    *ret_row = row;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_stream(const struct camera_edit_stream *a, const struct camera_edit_stream *b)
{
    return a->there == b->there && same_text(a->url, b->url) && same_text(a->username, b->username) &&
           same_text(a->password, b->password) && a->password_lost == b->password_lost &&
           a->url_lost == b->url_lost && same_text(a->transport, b->transport) &&
           same_text(a->engine, b->engine) && same_text(a->tls_fingerprint, b->tls_fingerprint);
}

bool camera_edit_same(const struct camera_edit *a, const struct camera_edit *b)
{
    bool same = same_text(a->code, b->code) && same_text(a->name, b->name) &&
                same_text(a->department_id, b->department_id) && same_text(a->grid_id, b->grid_id) &&
                a->has_location == b->has_location && a->enabled == b->enabled &&
                same_text(a->record_mode, b->record_mode) && a->retention_days == b->retention_days &&
                (!a->has_location || (a->lat == b->lat && a->lon == b->lon));
    for (size_t i = 0; same && i < STREAM_ROLES; i++) {
        same = same_stream(&a->streams[i], &b->streams[i]);
    }
    return same;
}
