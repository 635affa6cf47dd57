/* Incidents: made, joined, changed, shown. */
#include "gateway/store_incidents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "store/scope.h"
#include "store/sql.h"
#include "store/where.h"

#define OPEN_STATUS "status IN ('new', 'acknowledged', 'in_progress')"

static struct sql_arg real_or_null(bool has, double value)
{
    return has ? SQL_REAL(value) : SQL_NULL;
}

int store_incident_insert(struct store_tx *tx, const struct incident_row *row)
{
    bool in_grid = row->grid_id != NULL;
    return sql_exec(
        tx,
        "INSERT INTO incident (id, tag, tag_text, severity, status, source, message, camera_id, lat, lon,"
        " grid_id, grid_version, grid_distance_m, division_id, department_id, first_at, last_at, count,"
        " join_key, join_extra, reported_by, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,"
        " $20, $21, $22, $22)",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->tag), SQL_TEXT(row->tag_text), SQL_TEXT(row->severity),
                 SQL_TEXT(row->status), SQL_TEXT(row->source), SQL_TEXT(row->message),
                 SQL_TEXT(row->camera_id), real_or_null(row->has_location, row->lat),
                 real_or_null(row->has_location, row->lon), SQL_TEXT(row->grid_id),
                 in_grid ? SQL_INT(row->grid_version) : SQL_NULL, real_or_null(in_grid, row->grid_distance_m),
                 SQL_TEXT(row->division_id), SQL_TEXT(row->department_id), SQL_INT(row->first_ms),
                 SQL_INT(row->last_ms), SQL_INT(row->count), SQL_TEXT(row->join_key),
                 SQL_TEXT(row->join_extra ? row->join_extra : ""), SQL_TEXT(row->reported_by),
                 SQL_INT(se_wall_now_ms())),
        NULL);
}

/* ---- correlation ---- */

struct matching {
    struct incident_match *match;
    bool (*near_enough)(double lat, double lon, void *ctx);
    void *ctx;
};

static int visit_match(const struct sql_row *row, void *ctx)
{
    struct matching *matching = ctx;
    if (matching->near_enough &&
        !matching->near_enough(sql_col_real(row, 5), sql_col_real(row, 6), matching->ctx))
        return 0;
    snprintf(matching->match->id, sizeof matching->match->id, "%s", sql_col_text(row, 0));
    matching->match->first_ms = sql_col_int(row, 1);
    matching->match->last_ms = sql_col_int(row, 2);
    matching->match->count = sql_col_int(row, 3);
    snprintf(matching->match->severity, sizeof matching->match->severity, "%s", sql_col_text(row, 4));
    return 1;
}

int store_incident_match_key(struct store_tx *tx, const char *join_key, se_wall_ms from_ms, se_wall_ms to_ms,
                             struct incident_match *ret_match)
{
    struct matching matching = {.match = ret_match};
    int rc =
        sql_each(tx,
                 "SELECT id, first_at, last_at, count, severity FROM incident WHERE join_key = $1"
                 " AND last_at >= $2 AND first_at <= $3 AND " OPEN_STATUS " ORDER BY last_at DESC LIMIT 1",
                 SQL_ARGS(SQL_TEXT(join_key), SQL_INT(from_ms), SQL_INT(to_ms)), visit_match, &matching);
    return rc < 0 ? rc : rc ? 0 : -ENOENT;
}

int store_incident_match_place(struct store_tx *tx, const char *tag, const char *join_extra, double lat,
                               double lon, double dlat, double dlon, se_wall_ms from_ms, se_wall_ms to_ms,
                               bool (*near_enough)(double lat, double lon, void *ctx), void *ctx,
                               struct incident_match *ret_match)
{
    struct matching matching = {ret_match, near_enough, ctx};
    int rc = sql_each(
        tx,
        "SELECT id, first_at, last_at, count, severity, lat, lon FROM incident WHERE join_key IS NULL"
        " AND tag = $1 AND last_at >= $2 AND first_at <= $3 AND join_extra = $4"
        " AND lat BETWEEN $5 AND $6 AND lon BETWEEN $7 AND $8"
        " AND " OPEN_STATUS " ORDER BY last_at DESC LIMIT 256",
        SQL_ARGS(SQL_TEXT(tag), SQL_INT(from_ms), SQL_INT(to_ms), SQL_TEXT(join_extra), SQL_REAL(lat - dlat),
                 SQL_REAL(lat + dlat), SQL_REAL(lon - dlon), SQL_REAL(lon + dlon)),
        visit_match, &matching);
    return rc < 0 ? rc : rc ? 0 : -ENOENT;
}

int store_incident_join(struct store_tx *tx, const char *id, const struct incident_match *now,
                        const char *message)
{
    return sql_exec(tx,
                    "UPDATE incident SET first_at = $2, last_at = $3, count = $4, severity = $5,"
                    " message = coalesce($6, message), version = version + 1, updated_at = $7 WHERE id = $1",
                    SQL_ARGS(SQL_TEXT(id), SQL_INT(now->first_ms), SQL_INT(now->last_ms), SQL_INT(now->count),
                             SQL_TEXT(now->severity), SQL_TEXT(message), SQL_INT(se_wall_now_ms())),
                    NULL);
}

/* ---- shown ---- */

#define INCIDENT_COLUMNS                                                                                     \
    "SELECT i.id AS \"id\", i.tag AS \"tag\", t.name AS \"tag_name\", t.name_en AS \"tag_name_en\","         \
    " t.class AS \"class\", t.colour AS \"colour\", i.tag_text AS \"tag_text\", i.severity AS \"severity\"," \
    " i.status AS \"status\", i.source AS \"source\", i.message AS \"message\", i.camera_id AS "             \
    "\"camera_id\","                                                                                         \
    " i.lat AS \"lat\", i.lon AS \"lon\", i.grid_id AS \"grid_id\", g.code AS \"grid_code\","                \
    " g.name AS \"grid_name\", i.grid_version AS \"grid_version\", i.grid_distance_m AS "                    \
    "\"grid_distance_m\","                                                                                   \
    " i.division_id AS \"division_id\", i.department_id AS \"department_id\","                               \
    " i.first_at AS \"first_at:time\", i.last_at AS \"last_at:time\", i.count AS \"count\","                 \
    " i.case_id AS \"case_id\", i.reported_by AS \"reported_by\", i.version AS \"version\","                 \
    " i.created_at AS \"created_at:time\", i.updated_at AS \"updated_at:time\""                              \
    " FROM incident i JOIN tag t ON t.code = i.tag LEFT JOIN grid g ON g.id = i.grid_id"

int scope_location(json_t *row)
{
    json_t *lat = json_object_get(row, "lat"), *lon = json_object_get(row, "lon");
    json_t *location = json_is_number(lat) ? json_pack("{s:O,s:O}", "lat", lat, "lon", lon) : json_null();
    if (!location)
        return -ENOMEM;
    json_object_del(row, "lat");
    json_object_del(row, "lon");
    return se_json_put(row, "location", location);
}

void scope_incidents(struct where *where, const struct store_scope *scope)
{
    if (!scope || !scope->department_id)
        return;
    where_and(where, "(i.department_id = $? OR i.case_id IN (SELECT id FROM cases WHERE department_id = $?)",
              SQL_TEXT(scope->department_id));
    /* Closed by the next condition's text: one set of brackets over both arguments. */
    where_or(where, "i.case_id IN (SELECT id FROM cases WHERE assignee = $?) OR i.reported_by = $?)",
             SQL_TEXT(scope->user_id ? scope->user_id : ""));
}

int store_incident_list(struct store_tx *tx, const struct incident_filter *filter, json_t **ret_incidents)
{
    struct where where;
    se_json_ *rows = NULL;
    where_begin(&where, INCIDENT_COLUMNS);
    where_text(&where, "i.status = $?", filter->status);
    where_text(&where, "i.tag = $?", filter->tag);
    where_text(&where, "i.severity = $?", filter->severity);
    where_text(&where, "i.grid_id IN (SELECT id FROM grid WHERE id = $? OR code = $?)", filter->grid_id);
    where_text(&where, "i.camera_id IN (SELECT id FROM camera WHERE id = $? OR code = $?)",
               filter->camera_id);
    where_text(&where, "i.department_id IN (SELECT id FROM department WHERE id = $? OR code = $?)",
               filter->department_id);
    if (filter->from_ms)
        where_and(&where, "i.last_at >= $?", SQL_INT(filter->from_ms));
    if (filter->to_ms)
        where_and(&where, "i.first_at < $?", SQL_INT(filter->to_ms));
    scope_incidents(&where, &filter->scope);
    where_text(&where, "i.id < $?", filter->after);
    where_add(&where, " ORDER BY i.id DESC");
    where_limit(&where, filter->limit);
    int rc = where_run(tx, &where, &rows);
    for (size_t n = 0; !rc && n < json_array_size(rows); n++)
        rc = scope_location(json_array_get(rows, n));
    if (!rc)
        *ret_incidents = SE_TAKE(rows);
    return rc;
}

int store_incident_get(struct store_tx *tx, const char *id, const struct store_scope *scope,
                       json_t **ret_incident)
{
    struct where where;
    se_json_ *rows = NULL;
    where_begin(&where, INCIDENT_COLUMNS);
    where_and(&where, "i.id = $?", SQL_TEXT(id));
    scope_incidents(&where, scope);
    int rc = where_run(tx, &where, &rows);
    if (!rc && !json_array_size(rows))
        rc = -ENOENT;
    if (!rc)
        rc = scope_location(json_array_get(rows, 0));
    if (!rc)
        *ret_incident = json_incref(json_array_get(rows, 0));
    return rc;
}

/* ---- changed ---- */

static int keep_change(struct store_tx *tx, const char *id, const char *from,
                       const struct incident_change_row *change, se_wall_ms now)
{
    char change_id[SE_ID_LEN];
    se_id_new(change_id);
    return sql_exec(
        tx,
        "INSERT INTO incident_change (id, incident_id, at, user_id, from_status, to_status, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        SQL_ARGS(SQL_TEXT(change_id), SQL_TEXT(id), SQL_INT(now), SQL_TEXT(change->user_id), SQL_TEXT(from),
                 SQL_TEXT(change->status ? change->status : from), SQL_TEXT(change->reason)),
        NULL);
}

int store_incident_change(struct store_tx *tx, const char *id, const struct incident_change_row *change)
{
    se_json_ *stored = NULL;
    se_wall_ms now = se_wall_now_ms();
    int rc =
        sql_json_row(tx, "SELECT status AS \"status\", version AS \"version\" FROM incident WHERE id = $1",
                     SQL_ARGS(SQL_TEXT(id)), &stored);
    if (rc)
        return rc;
    if (change->version && change->version != se_json_int(stored, "version", 0))
        return -ESTALE;
    rc = sql_exec(tx,
                  "UPDATE incident SET status = coalesce($2, status), severity = coalesce($3, severity),"
                  " version = version + 1, updated_at = $4 WHERE id = $1",
                  SQL_ARGS(SQL_TEXT(id), SQL_TEXT(change->status), SQL_TEXT(change->severity), SQL_INT(now)),
                  NULL);
    return rc ? rc : keep_change(tx, id, se_json_str(stored, "status", ""), change, now);
}

int store_incident_set_case(struct store_tx *tx, const char *id, const char *case_id)
{
    return sql_exec(tx,
                    "UPDATE incident SET case_id = $2, version = version + 1, updated_at = $3 WHERE id = $1",
                    SQL_ARGS(SQL_TEXT(id), SQL_TEXT(case_id), SQL_INT(se_wall_now_ms())), NULL);
}

int store_incident_change_list(struct store_tx *tx, const char *id, json_t **ret_changes)
{
    return sql_json_rows(
        tx,
        "SELECT id AS \"id\", at AS \"at:time\", user_id AS \"user_id\", from_status AS \"from\","
        " to_status AS \"to\", reason AS \"reason\" FROM incident_change WHERE incident_id = $1"
        " ORDER BY id LIMIT 1000",
        SQL_ARGS(SQL_TEXT(id)), ret_changes);
}
