/* Signals and evidence: what was seen, and what proves it. */
#include <errno.h>

#include "base/json.h"
#include "gateway/store_incidents.h"
#include "store/scope.h"
#include "store/sql.h"

int store_signal_insert(struct store_tx *tx, const struct signal_row *row)
{
    return sql_exec(
        tx,
        "INSERT INTO signal (id, incident_id, source, type, tag, severity, occurred_at, received_at,"
        " camera_id, lat, lon, message, key, boxes, user_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->incident_id), SQL_TEXT(row->source), SQL_TEXT(row->type),
                 SQL_TEXT(row->tag), SQL_TEXT(row->severity), SQL_INT(row->occurred_ms),
                 SQL_INT(row->received_ms), SQL_TEXT(row->camera_id),
                 row->has_location ? SQL_REAL(row->lat) : SQL_NULL,
                 row->has_location ? SQL_REAL(row->lon) : SQL_NULL, SQL_TEXT(row->message),
                 SQL_TEXT(row->key), SQL_TEXT(row->boxes), SQL_TEXT(row->user_id)),
        NULL);
}

int store_signal_list(struct store_tx *tx, const char *incident_id, const char *after, int limit,
                      json_t **ret_signals)
{
    se_json_ *rows = NULL;
    int rc =
        sql_json_rows(tx,
                      "SELECT s.id AS \"id\", s.incident_id AS \"incident_id\", s.source AS \"source\","
                      " s.type AS \"type\", s.tag AS \"tag\", s.severity AS \"severity\","
                      " s.occurred_at AS \"occurred_at:time\", s.received_at AS \"received_at:time\","
                      " s.camera_id AS \"camera_id\", s.lat AS \"lat\", s.lon AS \"lon\","
                      " s.message AS \"message\", s.key AS \"key\", s.boxes AS \"boxes:json\","
                      " s.user_id AS \"user_id\", (SELECT e.id FROM evidence e WHERE e.incident_id = $1"
                      " AND e.signal_id = s.id) AS \"evidence_id\""
                      " FROM signal s WHERE s.incident_id = $1 AND s.id > $2 ORDER BY s.id LIMIT $3",
                      SQL_ARGS(SQL_TEXT(incident_id), SQL_TEXT(after ? after : ""), SQL_INT(limit)), &rows);
    for (size_t n = 0; !rc && n < json_array_size(rows); n++)
        rc = scope_location(json_array_get(rows, n));
    if (!rc)
        *ret_signals = SE_TAKE(rows);
    return rc;
}

/* ---- evidence ---- */

#define EVIDENCE_COLUMNS                                                                                     \
    "SELECT id AS \"id\", kind AS \"kind\", state AS \"state\", camera_id AS \"camera_id\","                 \
    " signal_id AS \"signal_id\", at AS \"at:time\", from_ms AS \"from:time\", to_ms AS \"to:time\","        \
    " media_type AS \"media_type\", bytes AS \"bytes\", sha256 AS \"sha256\", reason AS \"reason\","         \
    " file AS \"file\" FROM evidence"

int store_evidence_insert(struct store_tx *tx, const struct evidence_row *row)
{
    return sql_exec(
        tx,
        "INSERT INTO evidence (id, incident_id, kind, state, camera_id, signal_id, at, from_ms, to_ms,"
        " media_type, file, bytes, sha256, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->incident_id), SQL_TEXT(row->kind), SQL_TEXT(row->state),
                 SQL_TEXT(row->camera_id), SQL_TEXT(row->signal_id), SQL_INT(row->at_ms),
                 row->from_ms ? SQL_INT(row->from_ms) : SQL_NULL,
                 row->from_ms ? SQL_INT(row->to_ms) : SQL_NULL, SQL_TEXT(row->media_type),
                 SQL_TEXT(row->file), row->bytes ? SQL_INT(row->bytes) : SQL_NULL, SQL_TEXT(row->sha256),
                 SQL_INT(se_wall_now_ms())),
        NULL);
}

int store_evidence_range(struct store_tx *tx, const char *incident_id, se_wall_ms from_ms, se_wall_ms to_ms)
{
    return sql_exec(
        tx, "UPDATE evidence SET from_ms = $2, to_ms = $3 WHERE incident_id = $1 AND kind = 'recording'",
        SQL_ARGS(SQL_TEXT(incident_id), SQL_INT(from_ms), SQL_INT(to_ms)), NULL);
}

int store_evidence_done(struct store_tx *tx, const char *id, se_wall_ms at_ms, int64_t bytes,
                        const char *sha256, const char *reason)
{
    if (reason)
        return sql_exec(tx, "UPDATE evidence SET state = 'failed', reason = $2 WHERE id = $1",
                        SQL_ARGS(SQL_TEXT(id), SQL_TEXT(reason)), NULL);
    return sql_exec(tx, "UPDATE evidence SET state = 'ready', at = $2, bytes = $3, sha256 = $4 WHERE id = $1",
                    SQL_ARGS(SQL_TEXT(id), SQL_INT(at_ms), SQL_INT(bytes), SQL_TEXT(sha256)), NULL);
}

int store_evidence_list(struct store_tx *tx, const char *incident_id, json_t **ret_evidence)
{
    return sql_json_rows(tx, EVIDENCE_COLUMNS " WHERE incident_id = $1 ORDER BY id LIMIT 1000",
                         SQL_ARGS(SQL_TEXT(incident_id)), ret_evidence);
}

int store_evidence_get(struct store_tx *tx, const char *incident_id, const char *id, json_t **ret_evidence)
{
    return sql_json_row(tx, EVIDENCE_COLUMNS " WHERE incident_id = $1 AND id = $2",
                        SQL_ARGS(SQL_TEXT(incident_id), SQL_TEXT(id)), ret_evidence);
}

int store_evidence_fail_pending(struct store_tx *tx, const char *reason)
{
    return sql_exec(tx, "UPDATE evidence SET state = 'failed', reason = $1 WHERE state = 'pending'",
                    SQL_ARGS(SQL_TEXT(reason)), NULL);
}
