#include "gateway/store_stream_passwords.h"

#include <errno.h>

#include "store/sql.h"

int store_stream_password_insert(struct store_tx *tx, const struct stream_password_row *row)
{
    return sql_exec(tx,
                    "INSERT INTO stream_password (id, account_id, name, ha1_sealed, created_at) "
                    "VALUES ($1, $2, $3, $4, $5)",
                    SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->user_id), SQL_TEXT(row->name),
                             SQL_TEXT(row->ha1_sealed), SQL_INT(se_wall_now_ms())),
                    NULL);
}

int store_stream_password_delete(struct store_tx *tx, const char *id, const char *user_id)
{
    int changes = 0;
    int r = sql_exec(tx, "DELETE FROM stream_password WHERE id = $1 AND account_id = $2",
                     SQL_ARGS(SQL_TEXT(id), SQL_TEXT(user_id)), &changes);
    return r < 0 ? r : changes ? 0 : -ENOENT;
}

int store_stream_password_count(struct store_tx *tx, const char *user_id, int64_t *ret_count)
{
    return sql_int(tx, "SELECT count(*) FROM stream_password WHERE account_id = $1",
                   SQL_ARGS(SQL_TEXT(user_id)), ret_count);
}

int store_stream_password_used(struct store_tx *tx, const char *id, se_wall_ms at_ms)
{
    return sql_exec(tx, "UPDATE stream_password SET last_used_at = $2 WHERE id = $1",
                    SQL_ARGS(SQL_TEXT(id), SQL_INT(at_ms)), NULL);
}

int store_stream_password_list(struct store_tx *tx, const char *user_id, const char *after, int limit,
                               json_t **ret_items)
{
    return sql_json_rows(
        tx,
        "SELECT stream_password.id AS \"id\", name AS \"name\", username AS \"username\", "
        "stream_password.created_at AS \"created_at:time\", last_used_at AS \"last_used_at:time\" "
        "FROM stream_password JOIN account ON account.id = account_id "
        "WHERE account_id = $1 AND stream_password.id > $2 ORDER BY stream_password.id LIMIT $3",
        SQL_ARGS(SQL_TEXT(user_id), SQL_TEXT(after ? after : ""), SQL_INT(limit)), ret_items);
}

struct each {
    int (*visit)(const struct stream_password_row *row, void *ctx);
    void *ctx;
};

static int visit_row(const struct sql_row *row, void *ctx)
{
    struct each *each = ctx;
    const struct stream_password_row found = {
        .id = sql_col_text(row, 0),
        .user_id = sql_col_text(row, 1),
        .name = sql_col_text(row, 2),
        .ha1_sealed = sql_col_text(row, 3),
        .last_used_ms = sql_col_int(row, 4),
    };
    return each->visit(&found, each->ctx);
}

int store_stream_password_each(struct store_tx *tx, const char *username,
                               int (*visit)(const struct stream_password_row *row, void *ctx), void *ctx)
{
    struct each each = {visit, ctx};
    return sql_each(tx,
                    "SELECT stream_password.id, account_id, name, ha1_sealed, last_used_at "
                    "FROM stream_password JOIN account ON account.id = account_id "
                    "WHERE username = $1 AND enabled = 1 ORDER BY stream_password.id",
                    SQL_ARGS(SQL_TEXT(username)), visit_row, &each);
}
