#include "store/where.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void where_begin(struct where *where, const char *select)
{
    *where = (struct where){0};
    se_str_puts(&where->sql, select);
    se_str_puts(&where->sql, " WHERE 1 = 1");
}

static void add_condition(struct where *where, const char *condition, struct sql_arg arg)
{
    if (where->count == WHERE_ARGS_MAX)
        abort(); /* a statement of ours has more conditions than it may */
    where->args[where->count++] = arg;
    for (const char *mark; (mark = strstr(condition, "$?")); condition = mark + 2) {
        se_str_add(&where->sql, condition, (size_t)(mark - condition));
        se_str_printf(&where->sql, "$%zu", where->count);
    }
    se_str_puts(&where->sql, condition);
}

void where_and(struct where *where, const char *condition, struct sql_arg arg)
{
    se_str_puts(&where->sql, " AND ");
    add_condition(where, condition, arg);
}

void where_or(struct where *where, const char *condition, struct sql_arg arg)
{
    se_str_puts(&where->sql, " OR ");
    add_condition(where, condition, arg);
}

void where_text(struct where *where, const char *condition, const char *text)
{
    if (text)
        where_and(where, condition, SQL_TEXT(text));
}

void where_add(struct where *where, const char *sql)
{
    se_str_puts(&where->sql, sql);
}

void where_limit(struct where *where, int limit)
{
    add_condition(where, " LIMIT $?", SQL_INT(limit));
}

int where_run(struct store_tx *tx, struct where *where, json_t **ret_rows)
{
    int rc =
        where->sql.oom ? -ENOMEM : sql_json_rows(tx, where->sql.data, where->args, where->count, ret_rows);
    se_str_fini(&where->sql);
    return rc;
}
