/* The audit chain. An entry's hash is SHA-256 over the hash before it (32 bytes) and the entry as
 * canonical JSON (sorted keys, no blanks), so that any later change, hole or swap shows. */
#include "gateway/store_audit.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "store/sql.h"

#define HASH_TEXT (2 * crypto_hash_sha256_BYTES + 1)
static const char no_hash[HASH_TEXT] = "0000000000000000000000000000000000000000000000000000000000000000";

/* One entry as it goes under the hash. Texts are borrowed. */
struct entry {
    int64_t number;
    int64_t at_ms;
    const char *user_id, *username, *address, *session_id;
    const char *action, *target_type, *target_id;
    const char *detail; /* JSON text as stored, or NULL */
};

static int entry_hash(const struct entry *entry, const char *prev_hash, char out[HASH_TEXT])
{
    se_json_ *object = json_object();
    if (!object)
        return -ENOMEM;
    int bad = se_json_put(object, "number", json_integer(entry->number)) |
              se_json_put(object, "at", json_integer(entry->at_ms)) |
              se_json_put_str(object, "user_id", entry->user_id) |
              se_json_put_str(object, "username", entry->username) |
              se_json_put_str(object, "address", entry->address) |
              se_json_put_str(object, "session_id", entry->session_id) |
              se_json_put_str(object, "action", entry->action) |
              se_json_put_str(object, "target_type", entry->target_type) |
              se_json_put_str(object, "target_id", entry->target_id) |
              se_json_put_str(object, "detail", entry->detail);
    se_free_ char *text = bad < 0 ? NULL : se_json_text(object);
    if (!text)
        return -ENOMEM;
    uint8_t prev[crypto_hash_sha256_BYTES];
    if (strlen(prev_hash) != HASH_TEXT - 1 || se_hex_decode(prev_hash, HASH_TEXT - 1, prev) != sizeof(prev))
        return -EBADMSG;
    crypto_hash_sha256_state state;
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, prev, sizeof(prev));
    crypto_hash_sha256_update(&state, (const unsigned char *)text, strlen(text));
    crypto_hash_sha256_final(&state, hash);
    se_hex_encode(hash, sizeof(hash), out);
    return 0;
}

struct head {
    int64_t number;
    char hash[HASH_TEXT];
};

static int visit_head(const struct sql_row *row, void *ctx)
{
    struct head *head = ctx;
    head->number = sql_col_int(row, 0);
    snprintf(head->hash, sizeof(head->hash), "%s", sql_col_text(row, 1));
    return 1;
}

int store_audit_append(struct store_tx *tx, const struct audit_row *row)
{
    struct head head = {0};
    memcpy(head.hash, no_hash, sizeof(head.hash));
    int r = sql_each(tx, "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1", SQL_NO_ARGS,
                     visit_head, &head);
    if (r < 0)
        return r;
    se_free_ char *detail = row->detail ? se_json_text(row->detail) : NULL;
    if (row->detail && !detail)
        return -ENOMEM;
    struct entry entry = {
        .number = head.number + 1,
        .at_ms = row->at_ms,
        .user_id = row->user_id,
        .username = row->username,
        .address = row->address,
        .session_id = row->session_id,
        .action = row->action,
        .target_type = row->target_type,
        .target_id = row->target_id,
        .detail = detail,
    };
    char hash[HASH_TEXT];
    r = entry_hash(&entry, head.hash, hash);
    if (r < 0)
        return r;
    return sql_exec(
        tx,
        "INSERT INTO audit (number, at, user_id, username, address, session_id, action, target_type, "
        "target_id, detail, prev_hash, hash) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        SQL_ARGS(SQL_INT(entry.number), SQL_INT(entry.at_ms), SQL_TEXT(entry.user_id),
                 SQL_TEXT(entry.username), SQL_TEXT(entry.address), SQL_TEXT(entry.session_id),
                 SQL_TEXT(entry.action), SQL_TEXT(entry.target_type), SQL_TEXT(entry.target_id),
                 SQL_TEXT(entry.detail), SQL_TEXT(head.hash), SQL_TEXT(hash)),
        NULL);
}

int store_audit_list(struct store_tx *tx, const struct audit_filter *filter, json_t **ret_entries)
{
    return sql_json_rows(
        tx,
        "SELECT number AS \"number\", at AS \"at:time\", user_id AS \"user_id\", username AS \"username\", "
        "address AS \"address\", session_id AS \"session_id\", action AS \"action\", "
        "target_type AS \"target_type\", target_id AS \"target_id\", detail AS \"detail:json\", "
        "hash AS \"hash\" FROM audit "
        "WHERE (CAST($1 AS TEXT) IS NULL OR user_id = $1) AND (CAST($2 AS TEXT) IS NULL OR action = $2) "
        "AND (CAST($3 AS TEXT) IS NULL OR target_type = $3) AND (CAST($4 AS TEXT) IS NULL OR target_id = $4) "
        "AND at >= $5 AND at < $6 AND number < $7 ORDER BY number DESC LIMIT $8",
        SQL_ARGS(SQL_TEXT(filter->user_id), SQL_TEXT(filter->action), SQL_TEXT(filter->target_type),
                 SQL_TEXT(filter->target_id), SQL_INT(filter->from_ms),
                 SQL_INT(filter->to_ms ? filter->to_ms : INT64_MAX),
                 SQL_INT(filter->before ? filter->before : INT64_MAX), SQL_INT(filter->limit)),
        ret_entries);
}

struct walk {
    struct head head;
    int64_t entries, first_bad;
    const char *reason;
};

static int walk_bad(struct walk *walk, const char *reason)
{
    walk->first_bad = walk->head.number + 1;
    walk->reason = reason;
    return 1;
}

static int visit_walk(const struct sql_row *row, void *ctx)
{
    struct walk *walk = ctx;
    struct entry entry = {
        .number = sql_col_int(row, 0),
        .at_ms = sql_col_int(row, 1),
        .user_id = sql_col_text(row, 2),
        .username = sql_col_text(row, 3),
        .address = sql_col_text(row, 4),
        .session_id = sql_col_text(row, 5),
        .action = sql_col_text(row, 6),
        .target_type = sql_col_text(row, 7),
        .target_id = sql_col_text(row, 8),
        .detail = sql_col_text(row, 9),
    };
    const char *prev_hash = sql_col_text(row, 10), *hash = sql_col_text(row, 11);
    if (entry.number != walk->head.number + 1)
        return walk_bad(walk, "the entry is missing");
    if (!prev_hash || strcmp(prev_hash, walk->head.hash) != 0)
        return walk_bad(walk, "the entry does not follow from the one before");
    char want[HASH_TEXT];
    int r = entry_hash(&entry, prev_hash, want);
    if (r == -ENOMEM && entry.action && se_utf8_valid(entry.action, strlen(entry.action)))
        return r;
    if (r < 0 || !hash || strcmp(hash, want) != 0)
        return walk_bad(walk, "the entry was changed after it was written");
    walk->head.number = entry.number;
    memcpy(walk->head.hash, want, sizeof(want));
    walk->entries++;
    return 0;
}

int store_audit_verify(struct store_tx *tx, json_t **ret_report)
{
    struct walk walk = {0};
    memcpy(walk.head.hash, no_hash, sizeof(no_hash));
    int r =
        sql_each(tx,
                 "SELECT number, at, user_id, username, address, session_id, action, target_type, target_id, "
                 "detail, prev_hash, hash FROM audit ORDER BY number",
                 SQL_NO_ARGS, visit_walk, &walk);
    if (r < 0)
        return r;
    json_t *report = json_pack("{s:b, s:I, s:o, s:s?, s:s}", "ok", walk.first_bad == 0, "entries",
                               (json_int_t)walk.entries, "first_bad",
                               walk.first_bad ? json_integer(walk.first_bad) : json_null(), "reason",
                               walk.reason, "head", walk.head.hash);
    if (!report)
        return -ENOMEM;
    *ret_report = report;
    return 0;
}
