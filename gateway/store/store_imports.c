#include "gateway/store_imports.h"

#include <errno.h>

#include "base/error.h"
#include "base/json.h"
#include "store/sql.h"

int store_import_begin(struct store_tx *tx, const struct import_row *row)
{
    se_free_ char *ignored = se_json_text(row->ignored);
    se_wall_ms now_ms = se_wall_now_ms();
    if (!ignored)
        return -ENOMEM;
    int r = sql_exec(tx, "DELETE FROM camera_import WHERE started_at < $1 AND state <> 'running'",
                     SQL_ARGS(SQL_INT(now_ms - IMPORTS_KEPT_MS)), NULL);
    if (r < 0)
        return r;
    return sql_exec(tx,
                    "INSERT INTO camera_import (id, account_id, state, dry_run, encoding, crs, ignored, "
                    "row_count, started_at) VALUES ($1, $2, 'running', $3, $4, $5, $6, $7, $8)",
                    SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->account_id), SQL_INT(row->dry_run),
                             SQL_TEXT(row->encoding), SQL_TEXT(row->crs), SQL_TEXT(ignored),
                             SQL_INT(row->row_count), SQL_INT(now_ms)),
                    NULL);
}

int store_import_line(struct store_tx *tx, const char *id, const struct import_line *line)
{
    se_free_ char *errors = se_json_text(line->errors);
    if (!errors)
        return -ENOMEM;
    int r = sql_exec(tx,
                     "INSERT INTO camera_import_row (import_id, line, code, name, result, errors) "
                     "VALUES ($1, $2, $3, $4, $5, $6)",
                     SQL_ARGS(SQL_TEXT(id), SQL_INT(line->line), SQL_TEXT(line->code), SQL_TEXT(line->name),
                              SQL_TEXT(line->result), SQL_TEXT(errors)),
                     NULL);
    if (r < 0)
        return r;
    return sql_exec(tx,
                    "UPDATE camera_import SET created = created + ($2 = 'created'), "
                    "updated = updated + ($2 = 'updated'), unchanged = unchanged + ($2 = 'unchanged'), "
                    "failed = failed + ($2 = 'failed') WHERE id = $1",
                    SQL_ARGS(SQL_TEXT(id), SQL_TEXT(line->result)), NULL);
}

int store_import_end(struct store_tx *tx, const char *id, const char *state, const char *reason)
{
    return sql_exec(
        tx,
        "UPDATE camera_import SET state = $2, reason = $3, ended_at = $4 WHERE id = $1 AND state = 'running'",
        SQL_ARGS(SQL_TEXT(id), SQL_TEXT(state), SQL_TEXT(reason), SQL_INT(se_wall_now_ms())), NULL);
}

int store_imports_fail(struct store_tx *tx, const char *reason)
{
    return sql_exec(
        tx, "UPDATE camera_import SET state = 'failed', reason = $1, ended_at = $2 WHERE state = 'running'",
        SQL_ARGS(SQL_TEXT(reason), SQL_INT(se_wall_now_ms())), NULL);
}

int store_import_get(struct store_tx *tx, const char *id, json_t **ret_import)
{
    return sql_json_row(
        tx,
        "SELECT id AS \"id\", account_id AS \"account_id\", state AS \"state\", reason AS \"reason\", "
        "dry_run AS \"dry_run:bool\", encoding AS \"encoding\", crs AS \"crs\", "
        "ignored AS \"ignored_columns:json\", row_count AS \"rows\", "
        "created + updated + unchanged + failed AS \"done\", created AS \"created\", "
        "updated AS \"updated\", unchanged AS \"unchanged\", failed AS \"failed\", "
        "started_at AS \"started_at:time\", ended_at AS \"ended_at:time\" FROM camera_import WHERE id = $1",
        SQL_ARGS(SQL_TEXT(id)), ret_import);
}

int store_import_lines(struct store_tx *tx, const char *id, const char *result, int64_t after_line, int limit,
                       json_t **ret_lines)
{
    return sql_json_rows(
        tx,
        "SELECT line AS \"line\", code AS \"code\", name AS \"name\", result AS \"result\", "
        "errors AS \"errors:json\" FROM camera_import_row WHERE import_id = $1 AND line > $2 "
        "AND ($3 IS NULL OR result = $3) ORDER BY line LIMIT $4",
        SQL_ARGS(SQL_TEXT(id), SQL_INT(after_line), SQL_TEXT(result), SQL_INT(limit)), ret_lines);
}
