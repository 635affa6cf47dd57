/* Sessions and API tokens; declared in store_identity.h. */
#include <errno.h>
#include <stdio.h>

#include "gateway/store_identity.h"
#include "store/sql.h"

int store_session_insert(struct store_tx *tx, const struct session_row *row)
{
    return sql_exec(
        tx,
        "INSERT INTO session (id, token_sha256, account_id, kind, name, address, created_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->token_sha256), SQL_TEXT(row->user_id),
                 SQL_TEXT(row->api_token ? "token" : "session"), SQL_TEXT(row->name), SQL_TEXT(row->address),
                 SQL_INT(se_wall_now_ms()), row->expires_ms ? SQL_INT(row->expires_ms) : SQL_NULL),
        NULL);
}

static int visit_session(const struct sql_row *row, void *ctx)
{
    struct session_found *out = ctx;
    snprintf(out->id, sizeof(out->id), "%s", sql_col_text(row, 0));
    snprintf(out->user_id, sizeof(out->user_id), "%s", sql_col_text(row, 1));
    out->api_token = sql_col_int(row, 2) != 0;
    out->expires_ms = sql_col_int(row, 3);
    return 1;
}

int store_session_find(struct store_tx *tx, const char *token_sha256, se_wall_ms now_ms,
                       struct session_found *ret_session)
{
    int r = sql_each(tx,
                     "SELECT session.id, account_id, CASE WHEN kind = 'token' THEN 1 ELSE 0 END, expires_at "
                     "FROM session JOIN account ON account.id = session.account_id "
                     "WHERE token_sha256 = $1 AND ended_at IS NULL AND account.enabled = 1 "
                     "AND (expires_at IS NULL OR expires_at > $2)",
                     SQL_ARGS(SQL_TEXT(token_sha256), SQL_INT(now_ms)), visit_session, ret_session);
    return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

int store_session_end(struct store_tx *tx, const char *id, se_wall_ms now_ms)
{
    int changes = 0;
    int r = sql_exec(tx, "UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL",
                     SQL_ARGS(SQL_TEXT(id), SQL_INT(now_ms)), &changes);
    return r < 0 ? r : changes ? 0 : -ENOENT;
}

int store_user_sessions_end(struct store_tx *tx, const char *user_id, se_wall_ms now_ms)
{
    return sql_exec(tx, "UPDATE session SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL",
                    SQL_ARGS(SQL_TEXT(user_id), SQL_INT(now_ms)), NULL);
}

int store_sessions_forget(struct store_tx *tx, se_wall_ms before_ms)
{
    return sql_exec(tx, "DELETE FROM session WHERE kind = 'session' AND (expires_at < $1 OR ended_at < $1)",
                    SQL_ARGS(SQL_INT(before_ms)), NULL);
}

#define TOKEN_COLUMNS                                                                                        \
    "id AS \"id\", name AS \"name\", account_id AS \"user_id\", created_at AS \"created_at:time\", "         \
    "expires_at AS \"expires_at:time\", ended_at AS \"ended_at:time\""

int store_token_list(struct store_tx *tx, const char *user_id, const char *after, int limit,
                     json_t **ret_tokens)
{
    return sql_json_rows(tx,
                         "SELECT " TOKEN_COLUMNS " FROM session WHERE kind = 'token' "
                         "AND (CAST($1 AS TEXT) IS NULL OR account_id = $1) AND id > $2 ORDER BY id LIMIT $3",
                         SQL_ARGS(SQL_TEXT(user_id), SQL_TEXT(after ? after : ""), SQL_INT(limit)),
                         ret_tokens);
}

int store_token_get(struct store_tx *tx, const char *id, json_t **ret_token)
{
    return sql_json_row(tx, "SELECT " TOKEN_COLUMNS " FROM session WHERE kind = 'token' AND id = $1",
                        SQL_ARGS(SQL_TEXT(id)), ret_token);
}
