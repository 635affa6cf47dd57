#include "store/sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "store/conn.h"

struct sql_row {
    sqlite3_stmt *stmt;
};

/* A statement in use: a cached one, or one of its own while the cached one is busy above us. */
struct prepared {
    sqlite3_stmt *stmt;
    struct conn_statement *cached;
};

static uint64_t hash_text(const char *text) /* FNV-1a */
{
    uint64_t hash = 14695981039346656037ULL;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
    return hash;
}

static int prepare_new(struct store_tx *tx, const char *sql, sqlite3_stmt **ret_stmt)
{
    int code = sqlite3_prepare_v3(tx->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_stmt, NULL);
    if (code == SQLITE_OK && *ret_stmt)
        return 0;
    int r = code == SQLITE_OK ? -EINVAL : conn_errno(tx->db, code);
    if (r == -EINVAL)
        se_error("store", "a statement does not prepare reason=\"%s\" sql=\"%s\"", sqlite3_errmsg(tx->db),
                 sql);
    return r;
}

static int prepare(struct store_tx *tx, const char *sql, struct prepared *out)
{
    uint64_t hash = hash_text(sql);
    struct conn_statement *oldest = NULL;
    *out = (struct prepared){0};
    for (unsigned i = 0; i < CONN_STATEMENTS; i++) {
        struct conn_statement *slot = &tx->statements[i];
        if (slot->stmt && slot->hash == hash && !slot->busy && strcmp(sqlite3_sql(slot->stmt), sql) == 0) {
            slot->busy = true;
            slot->used = ++tx->turn;
            *out = (struct prepared){slot->stmt, slot};
            return 0;
        }
        if (!slot->busy && (!oldest || slot->used < oldest->used))
            oldest = slot;
    }
    int r = prepare_new(tx, sql, &out->stmt);
    if (r < 0 || !oldest)
        return r;
    sqlite3_finalize(oldest->stmt);
    *oldest = (struct conn_statement){.hash = hash, .stmt = out->stmt, .used = ++tx->turn, .busy = true};
    out->cached = oldest;
    return 0;
}

static void release(struct prepared *prepared)
{
    if (!prepared->cached) {
        sqlite3_finalize(prepared->stmt);
        return;
    }
    sqlite3_reset(prepared->stmt);
    sqlite3_clear_bindings(prepared->stmt); /* what was bound is borrowed and goes away now */
    prepared->cached->busy = false;
}

static int bind_one(sqlite3_stmt *stmt, int index, const struct sql_arg *arg)
{
    switch (arg->type) {
    case SQL_TYPE_NULL:
        return sqlite3_bind_null(stmt, index);
    case SQL_TYPE_INT:
        return sqlite3_bind_int64(stmt, index, arg->i);
    case SQL_TYPE_REAL:
        return sqlite3_bind_double(stmt, index, arg->r);
    case SQL_TYPE_TEXT:
        return sqlite3_bind_text(stmt, index, arg->text, -1, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

/* $N is a name to SQLite, and its order of first use is not N: look each one up. */
static int bind(struct store_tx *tx, sqlite3_stmt *stmt, const char *sql, const struct sql_arg *args,
                size_t count)
{
    if ((size_t)sqlite3_bind_parameter_count(stmt) != count) {
        se_error("store", "a statement has %d parameters and %zu arguments sql=\"%s\"",
                 sqlite3_bind_parameter_count(stmt), count, sql);
        return -EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "$%u", (unsigned)i + 1);
        int index = sqlite3_bind_parameter_index(stmt, name);
        int code = index ? bind_one(stmt, index, &args[i]) : SQLITE_RANGE;
        if (code == SQLITE_NOMEM || code == SQLITE_TOOBIG)
            return conn_errno(NULL, code);
        if (code != SQLITE_OK) {
            se_error("store", "a statement has no parameter %s sql=\"%s\"", name, sql);
            return -EINVAL;
        }
    }
    return 0;
}

static int open_statement(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
                          struct prepared *out)
{
    int r = prepare(tx, sql, out);
    if (r < 0)
        return r;
    r = bind(tx, out->stmt, sql, args, count);
    if (r < 0)
        release(out);
    return r;
}

static int step_failed(struct store_tx *tx, int code, const char *sql)
{
    int r = conn_errno(tx->db, code);
    if (r == -EIO || r == -EROFS)
        tx->disk_failed = true;
    if (r != -EEXIST && r != -ENOLINK && r != -EBUSY)
        se_error("store", "a statement failed reason=\"%s\" code=%d sql=\"%.120s\"", sqlite3_errmsg(tx->db),
                 sqlite3_extended_errcode(tx->db), sql);
    else if (r == -ENOLINK)
        se_debug("store", "a constraint is not met reason=\"%s\"", sqlite3_errmsg(tx->db));
    return r;
}

int sql_each(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
             int (*visit)(const struct sql_row *row, void *ctx), void *ctx)
{
    struct prepared prepared;
    int r = open_statement(tx, sql, args, count, &prepared);
    if (r < 0)
        return r;
    struct sql_row row = {prepared.stmt};
    int code;
    while ((code = sqlite3_step(prepared.stmt)) == SQLITE_ROW) {
        r = visit ? visit(&row, ctx) : 0;
        if (r != 0)
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        r = step_failed(tx, code, sql);
    release(&prepared);
    return r;
}

int sql_exec(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count, int *ret_changes)
{
    int before = sqlite3_total_changes(tx->db);
    int r = sql_each(tx, sql, args, count, NULL, NULL);
    if (r == 0 && ret_changes)
        *ret_changes = sqlite3_total_changes(tx->db) == before ? 0 : sqlite3_changes(tx->db);
    return r;
}

static int visit_int(const struct sql_row *row, void *ctx)
{
    *(int64_t *)ctx = sql_col_int(row, 0);
    return 1;
}

int sql_int(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
            int64_t *ret_value)
{
    int64_t value = 0;
    int r = sql_each(tx, sql, args, count, visit_int, &value);
    if (r < 0)
        return r;
    if (r == 0)
        return -ENOENT;
    *ret_value = value;
    return 0;
}

int64_t sql_col_int(const struct sql_row *row, int column)
{
    return sqlite3_column_int64(row->stmt, column);
}

double sql_col_real(const struct sql_row *row, int column)
{
    return sqlite3_column_double(row->stmt, column);
}

const char *sql_col_text(const struct sql_row *row, int column)
{
    return (const char *)sqlite3_column_text(row->stmt, column);
}

int sql_col_null(const struct sql_row *row, int column)
{
    return sqlite3_column_type(row->stmt, column) == SQLITE_NULL;
}

/* ---- rows as JSON ---- */

static json_t *column_plain(sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(stmt, column));
    case SQLITE_FLOAT:
        return json_real(sqlite3_column_double(stmt, column));
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(stmt, column);
        return text ? json_stringn(text, (size_t)sqlite3_column_bytes(stmt, column)) : NULL;
    }
    case SQLITE_BLOB: {
        se_free_ char *text =
            se_base64_encode(sqlite3_column_blob(stmt, column), (size_t)sqlite3_column_bytes(stmt, column));
        return text ? json_string(text) : NULL;
    }
    default:
        return json_null();
    }
}

static json_t *column_formed(sqlite3_stmt *stmt, int column, const char *form)
{
    if (!form || sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return column_plain(stmt, column);
    if (strcmp(form, "bool") == 0)
        return json_boolean(sqlite3_column_int64(stmt, column) != 0);
    if (strcmp(form, "time") == 0) {
        char text[SE_TIME_LEN];
        se_time_format(sqlite3_column_int64(stmt, column), text);
        return json_string(text);
    }
    if (strcmp(form, "json") == 0) {
        const char *text = (const char *)sqlite3_column_text(stmt, column);
        return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    }
    return NULL;
}

static int row_object(sqlite3_stmt *stmt, json_t **ret_object)
{
    se_json_ *object = json_object();
    if (!object)
        return -ENOMEM;
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        const char *alias = sqlite3_column_name(stmt, i);
        char name[96];
        if (!alias || strlen(alias) >= sizeof(name))
            return -ENOMEM;
        memcpy(name, alias, strlen(alias) + 1);
        char *form = strchr(name, ':');
        if (form)
            *form++ = '\0';
        json_t *value = column_formed(stmt, i, form);
        if (!value) {
            se_error("store", "a column does not read as its form column=%s", alias);
            return -EBADMSG;
        }
        if (json_object_set_new(object, name, value) < 0)
            return -ENOMEM;
    }
    *ret_object = SE_TAKE(object);
    return 0;
}

static int visit_rows(const struct sql_row *row, void *ctx)
{
    json_t *object;
    int r = row_object(row->stmt, &object);
    if (r < 0)
        return r;
    return json_array_append_new(ctx, object) < 0 ? -ENOMEM : 0;
}

int sql_json_rows(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
                  json_t **ret_array)
{
    se_json_ *array = json_array();
    if (!array)
        return -ENOMEM;
    int r = sql_each(tx, sql, args, count, visit_rows, array);
    if (r == 0)
        *ret_array = SE_TAKE(array);
    return r;
}

static int visit_first(const struct sql_row *row, void *ctx)
{
    int r = row_object(row->stmt, ctx);
    return r < 0 ? r : 1;
}

int sql_json_row(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
                 json_t **ret_object)
{
    json_t *object = NULL;
    int r = sql_each(tx, sql, args, count, visit_first, &object);
    if (r < 0)
        return r;
    if (r == 0)
        return -ENOENT;
    *ret_object = object;
    return 0;
}
