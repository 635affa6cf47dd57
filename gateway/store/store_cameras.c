#include "gateway/store_cameras.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "store/like.h"
#include "store/sql.h"

#define CAMERA_COLUMNS                                                                                       \
    "id AS \"id\", code AS \"code\", name AS \"name\", department_id AS \"department_id\", "                 \
    "grid_id AS \"grid_id\", lat AS \"lat\", lon AS \"lon\", enabled AS \"enabled:bool\", "                  \
    "record_mode AS \"mode\", retention_days AS \"retention_days\", version AS \"version\", "                \
    "created_at AS \"created_at:time\", updated_at AS \"updated_at:time\""

/* ---- writing ---- */

static int insert_streams(struct store_tx *tx, const struct camera_row *row)
{
    for (unsigned i = 0; i < row->stream_count && i < CAMERA_STREAMS_MAX; i++) {
        const struct camera_stream_row *stream = &row->streams[i];
        int r = sql_exec(
            tx,
            "INSERT INTO camera_stream (camera_id, role, url, username, password_sealed, transport, engine, "
            "tls_fingerprint, url_sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(stream->role), SQL_TEXT(stream->url),
                     SQL_TEXT(stream->username), SQL_TEXT(stream->password_sealed),
                     SQL_TEXT(stream->transport), SQL_TEXT(stream->engine ? stream->engine : "auto"),
                     SQL_TEXT(stream->tls_fingerprint), SQL_TEXT(stream->url_sealed)),
            NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static struct sql_arg degrees(const struct camera_row *row, double value)
{
    return row->has_location ? SQL_REAL(value) : SQL_NULL;
}

int store_camera_insert(struct store_tx *tx, const struct camera_row *row)
{
    se_wall_ms now = se_wall_now_ms();
    int r = sql_exec(
        tx,
        "INSERT INTO camera (id, code, name, department_id, grid_id, lat, lon, enabled, record_mode, "
        "retention_days, version, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $11)",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->code), SQL_TEXT(row->name), SQL_TEXT(row->department_id),
                 SQL_TEXT(row->grid_id), degrees(row, row->lat), degrees(row, row->lon),
                 SQL_INT(row->enabled), SQL_TEXT(row->record_mode), SQL_INT(row->retention_days),
                 SQL_INT(now)),
        NULL);
    return r < 0 ? r : insert_streams(tx, row);
}

int store_camera_update(struct store_tx *tx, const struct camera_row *row, int64_t version)
{
    int64_t have;
    int r = sql_int(tx, "SELECT version FROM camera WHERE id = $1", SQL_ARGS(SQL_TEXT(row->id)), &have);
    if (r < 0)
        return r;
    if (version && version != have)
        return -ESTALE;
    r = sql_exec(
        tx,
        "UPDATE camera SET code = $2, name = $3, department_id = $4, grid_id = $5, lat = $6, lon = $7, "
        "enabled = $8, record_mode = $9, retention_days = $10, version = version + 1, updated_at = $11 "
        "WHERE id = $1",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->code), SQL_TEXT(row->name), SQL_TEXT(row->department_id),
                 SQL_TEXT(row->grid_id), degrees(row, row->lat), degrees(row, row->lon),
                 SQL_INT(row->enabled), SQL_TEXT(row->record_mode), SQL_INT(row->retention_days),
                 SQL_INT(se_wall_now_ms())),
        NULL);
    if (r == 0)
        r = sql_exec(tx, "DELETE FROM camera_stream WHERE camera_id = $1", SQL_ARGS(SQL_TEXT(row->id)), NULL);
    return r < 0 ? r : insert_streams(tx, row);
}

int store_camera_seal_url(struct store_tx *tx, const char *camera_id, const char *role, const char *url,
                          const char *url_sealed)
{
    int changes = 0;
    int r = sql_exec(
        tx, "UPDATE camera_stream SET url = $3, url_sealed = $4 WHERE camera_id = $1 AND role = $2",
        SQL_ARGS(SQL_TEXT(camera_id), SQL_TEXT(role), SQL_TEXT(url), SQL_TEXT(url_sealed)), &changes);
    return r < 0 ? r : changes ? 0 : -ENOENT;
}

int store_camera_delete(struct store_tx *tx, const char *id)
{
    int changes = 0;
    int r = sql_exec(tx, "DELETE FROM camera WHERE id = $1", SQL_ARGS(SQL_TEXT(id)), &changes);
    return r < 0 ? r : changes ? 0 : -ENOENT;
}

/* ---- reading as JSON ---- */

/* Puts the flat columns where the API has them, and adds the streams. */
static int shape_camera(struct store_tx *tx, json_t *camera)
{
    json_t *lat = json_object_get(camera, "lat"), *lon = json_object_get(camera, "lon");
    json_t *location = json_is_null(lat) || json_is_null(lon)
                           ? json_null()
                           : json_pack("{s:O, s:O}", "lat", lat, "lon", lon);
    json_t *record = json_pack("{s:O, s:O}", "mode", json_object_get(camera, "mode"), "retention_days",
                               json_object_get(camera, "retention_days"));
    int bad = se_json_put(camera, "location", location) | se_json_put(camera, "record", record);
    static const char *const flat[] = {"lat", "lon", "mode", "retention_days"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(flat); i++)
        json_object_del(camera, flat[i]);
    json_t *streams = NULL;
    int r = sql_json_rows(
        tx,
        "SELECT role AS \"role\", url AS \"url\", username AS \"username\", "
        "transport AS \"transport\", engine AS \"engine\", "
        "tls_fingerprint AS \"tls_fingerprint\", password_sealed IS NOT NULL AS \"has_password:bool\" "
        "FROM camera_stream WHERE camera_id = $1 ORDER BY role",
        SQL_ARGS(SQL_TEXT(se_json_str(camera, "id", ""))), &streams);
    if (r < 0)
        return r;
    return (bad | se_json_put(camera, "streams", streams)) < 0 ? -ENOMEM : 0;
}

int store_camera_get(struct store_tx *tx, const char *id_or_code, json_t **ret_camera)
{
    se_json_ *camera = NULL;
    int r = sql_json_row(tx, "SELECT " CAMERA_COLUMNS " FROM camera WHERE id = $1",
                         SQL_ARGS(SQL_TEXT(id_or_code)), &camera);
    if (r == -ENOENT)
        r = sql_json_row(tx, "SELECT " CAMERA_COLUMNS " FROM camera WHERE code = $1",
                         SQL_ARGS(SQL_TEXT(id_or_code)), &camera);
    if (r == 0)
        r = shape_camera(tx, camera);
    if (r == 0)
        *ret_camera = SE_TAKE(camera);
    return r;
}

struct resolved {
    char *id, *department_id;
};

static int visit_resolve(const struct sql_row *row, void *ctx)
{
    struct resolved *out = ctx;
    if (out->id)
        snprintf(out->id, SE_ID_LEN, "%s", sql_col_text(row, 0));
    if (out->department_id)
        snprintf(out->department_id, SE_ID_LEN, "%s", sql_col_text(row, 1));
    return 1;
}

int store_camera_resolve(struct store_tx *tx, const char *id_or_code, char ret_id[SE_ID_LEN],
                         char ret_department_id[SE_ID_LEN])
{
    struct resolved out = {ret_id, ret_department_id};
    /* An id wins over a code that spells the same. */
    int r = sql_each(tx,
                     "SELECT id, department_id FROM camera WHERE id = $1 OR code = $1 "
                     "ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1",
                     SQL_ARGS(SQL_TEXT(id_or_code)), visit_resolve, &out);
    return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

struct finding {
    const char *id_or_code;
    struct camera_key key;
};

static int find(struct store_tx *tx, void *ctx)
{
    struct finding *finding = ctx;
    return store_camera_resolve(tx, finding->id_or_code, finding->key.id, finding->key.department_id);
}

int store_camera_find(struct store *store, const char *id_or_code, struct camera_key *ret_key)
{
    struct finding finding = {.id_or_code = id_or_code};
    int r = store_read(store, find, &finding);
    if (r == 0)
        *ret_key = finding.key;
    return r;
}

int store_camera_list(struct store_tx *tx, const struct camera_filter *filter, json_t **ret_cameras)
{
    se_free_ char *like = NULL;
    int r = like_pattern(filter->q, &like);
    if (r < 0)
        return r;
    se_json_ *cameras = NULL;
    r = sql_json_rows(tx,
                      "SELECT " CAMERA_COLUMNS " FROM camera "
                      "WHERE (CAST($1 AS TEXT) IS NULL OR department_id IN "
                      "       (SELECT id FROM department WHERE id = $1 OR code = $1)) "
                      "AND (CAST($2 AS TEXT) IS NULL OR grid_id IN "
                      "     (SELECT id FROM grid WHERE id = $2 OR code = $2)) "
                      "AND (CAST($3 AS TEXT) IS NULL OR department_id = $3) "
                      "AND (CAST($4 AS TEXT) IS NULL OR lower(name) LIKE lower($4) ESCAPE '\\' "
                      "     OR lower(code) LIKE lower($4) ESCAPE '\\') "
                      "AND id > $5 ORDER BY id LIMIT $6",
                      SQL_ARGS(SQL_TEXT(filter->department_id), SQL_TEXT(filter->grid_id),
                               SQL_TEXT(filter->scope_department_id), SQL_TEXT(like),
                               SQL_TEXT(filter->after ? filter->after : ""), SQL_INT(filter->limit)),
                      &cameras);
    size_t i;
    json_t *camera;
    if (r == 0) {
        json_array_foreach (cameras, i, camera) {
            r = shape_camera(tx, camera);
            if (r < 0)
                break;
        }
    }
    if (r == 0)
        *ret_cameras = SE_TAKE(cameras);
    return r;
}

/* ---- reading as rows ---- */

struct each {
    struct store_tx *tx;
    int (*visit)(const struct camera_row *row, void *ctx);
    void *ctx;
    bool any;
};

/* Streams' texts live only until the next row: keep copies for as long as the camera is visited. */
#define STREAM_COLUMNS 8

struct stream_texts {
    char *texts[CAMERA_STREAMS_MAX][STREAM_COLUMNS];
    struct camera_row *row;
};

static int visit_stream(const struct sql_row *row, void *ctx)
{
    struct stream_texts *keep = ctx;
    unsigned n = keep->row->stream_count;
    if (n == CAMERA_STREAMS_MAX)
        return 0;
    for (int i = 0; i < STREAM_COLUMNS; i++) {
        const char *text = sql_col_text(row, i);
        keep->texts[n][i] = text ? strdup(text) : NULL;
        if (text && !keep->texts[n][i])
            return -ENOMEM;
    }
    char **t = keep->texts[n];
    keep->row->streams[n] = (struct camera_stream_row){
        .role = t[0],
        .url = t[1],
        .username = t[2],
        .password_sealed = t[3],
        .transport = t[4],
        .engine = t[5],
        .tls_fingerprint = t[6],
        .url_sealed = t[7],
    };
    keep->row->stream_count++;
    return 0;
}

static int visit_camera(const struct sql_row *row, void *ctx)
{
    struct each *each = ctx;
    struct camera_row camera = {
        .id = sql_col_text(row, 0),
        .code = sql_col_text(row, 1),
        .name = sql_col_text(row, 2),
        .department_id = sql_col_text(row, 3),
        .grid_id = sql_col_text(row, 4),
        .has_location = !sql_col_null(row, 5),
        .lat = sql_col_real(row, 5),
        .lon = sql_col_real(row, 6),
        .enabled = sql_col_int(row, 7) != 0,
        .record_mode = sql_col_text(row, 8),
        .retention_days = (int)sql_col_int(row, 9),
        .version = sql_col_int(row, 10),
    };
    struct stream_texts keep = {.row = &camera};
    each->any = true;
    int r = sql_each(each->tx,
                     "SELECT role, url, username, password_sealed, transport, engine, tls_fingerprint, "
                     "url_sealed "
                     "FROM camera_stream WHERE camera_id = $1 ORDER BY role",
                     SQL_ARGS(SQL_TEXT(camera.id)), visit_stream, &keep);
    if (r == 0)
        r = each->visit(&camera, each->ctx);
    for (unsigned s = 0; s < CAMERA_STREAMS_MAX; s++)
        for (unsigned i = 0; i < STREAM_COLUMNS; i++)
            free(keep.texts[s][i]);
    return r;
}

int store_camera_each(struct store_tx *tx, const char *id,
                      int (*visit)(const struct camera_row *row, void *ctx), void *ctx)
{
    struct each each = {.tx = tx, .visit = visit, .ctx = ctx};
    int r =
        sql_each(tx,
                 "SELECT id, code, name, department_id, grid_id, lat, lon, enabled, record_mode, "
                 "retention_days, version FROM camera WHERE CAST($1 AS TEXT) IS NULL OR id = $1 ORDER BY id",
                 SQL_ARGS(SQL_TEXT(id)), visit_camera, &each);
    if (r == 0 && id && !each.any)
        return -ENOENT;
    return r;
}
