/* Statements, for the files of gateway/store only. The same text runs on SQLite and
 * PostgreSQL: parameters are $1 … $N in order of the arguments; DDL is per engine. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/store.h"

enum sql_type { SQL_TYPE_NULL, SQL_TYPE_INT, SQL_TYPE_REAL, SQL_TYPE_TEXT };
struct sql_arg {
    enum sql_type type;
    int64_t i;
    double r;
    const char *text; /* borrowed until the call returns */
};
#define SQL_INT(v)  ((struct sql_arg){.type = SQL_TYPE_INT, .i = (v)})
#define SQL_REAL(v) ((struct sql_arg){.type = SQL_TYPE_REAL, .r = (v)})
#define SQL_TEXT(v) sql_text_arg(v) /* NULL becomes NULL */
#define SQL_NULL    ((struct sql_arg){.type = SQL_TYPE_NULL})
static inline struct sql_arg sql_text_arg(const char *text)
{
    return (struct sql_arg){.type = text ? SQL_TYPE_TEXT : SQL_TYPE_NULL, .text = text};
}
/* sql_exec(tx, "UPDATE … WHERE id = $1", SQL_ARGS(SQL_TEXT(id))) ; SQL_NO_ARGS when there are none. */
#define SQL_ARGS(...)                                                                                        \
    (const struct sql_arg[]){__VA_ARGS__},                                                                   \
        (sizeof((const struct sql_arg[]){__VA_ARGS__}) / sizeof(struct sql_arg))
#define SQL_NO_ARGS NULL, 0

/* One row while it is visited. Text lives until the visitor returns. */
struct sql_row;
int64_t sql_col_int(const struct sql_row *row, int column);
double sql_col_real(const struct sql_row *row, int column);
const char *sql_col_text(const struct sql_row *row, int column); /* NULL for NULL */
int sql_col_null(const struct sql_row *row, int column);

/* Errors of all: -EEXIST a unique key is taken, -ENOLINK a foreign key or CHECK is not met,
 * -EIO, -EBUSY, -EROFS, -ENOMEM. A statement that does not prepare is a programmer's error: logged, -EINVAL.
 */

/* Runs a change; *ret_changes (may be NULL) is the number of rows it touched. */
int sql_exec(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
             int *ret_changes);
/* Visits each row; a visitor's non-zero result ends it and is returned. */
int sql_each(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
             int (*visit)(const struct sql_row *row, void *ctx), void *ctx);
/* One integer of the first row; -ENOENT when there is none. */
int sql_int(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
            int64_t *ret_value);

/* Rows as JSON. The column's alias names the member and, after a colon, its form:
 *   AS "id"  as stored · "enabled:bool" · "created_at:time" (ms → RFC 3339) · "fields:json" (text parsed) */
int sql_json_rows(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
                  json_t **ret_array);
/* The first row as an object; -ENOENT when there is none. */
int sql_json_row(struct store_tx *tx, const char *sql, const struct sql_arg *args, size_t count,
                 json_t **ret_object);

#endif
