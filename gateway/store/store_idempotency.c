#include "gateway/store_idempotency.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "store/sql.h"

int store_idempotency_put(struct store_tx *tx, const struct idempotency_row *row)
{
    se_free_ char *answer = row->answer ? se_json_text(row->answer) : NULL;
    if (row->answer && !answer) {
        return -ENOMEM;
    }
    int r = sql_exec(tx, "DELETE FROM idempotency WHERE at < $1",
                     SQL_ARGS(SQL_INT(row->at_ms - IDEMPOTENCY_KEPT_MS)), NULL);
    if (r < 0) {
        return r;
    }
    return sql_exec(tx,
                    "INSERT INTO idempotency (user_id, key, fingerprint, status, answer, at)"
                    " VALUES ($1, $2, $3, $4, $5, $6)"
                    " ON CONFLICT (user_id, key) DO UPDATE SET fingerprint = excluded.fingerprint,"
                    " status = excluded.status, answer = excluded.answer, at = excluded.at",
                    SQL_ARGS(SQL_TEXT(row->user_id), SQL_TEXT(row->key), SQL_TEXT(row->fingerprint),
                             SQL_INT(row->status), SQL_TEXT(answer), SQL_INT(row->at_ms)),
                    NULL);
}

int store_idempotency_get(struct store_tx *tx, const char *user_id, const char *key, se_wall_ms now_ms,
                          json_t **ret_row)
{
    return sql_json_row(
        tx,
        "SELECT fingerprint AS \"fingerprint\", status AS \"status\", answer AS \"answer:json\""
        " FROM idempotency WHERE user_id = $1 AND key = $2 AND at >= $3",
        SQL_ARGS(SQL_TEXT(user_id), SQL_TEXT(key), SQL_INT(now_ms - IDEMPOTENCY_KEPT_MS)), ret_row);
}
