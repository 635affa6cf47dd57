/* A WHERE clause that grows: each condition brings its argument, and gets the next $N. */
#ifndef STORE_WHERE_H
#define STORE_WHERE_H

#include <stddef.h>

#include "base/str.h"
#include "store/sql.h"

#define WHERE_ARGS_MAX 24

struct where {
    struct se_str sql;
    struct sql_arg args[WHERE_ARGS_MAX];
    size_t count;
};

/* Starts with the statement up to its WHERE, which begins with a condition that is always true. */
void where_begin(struct where *where, const char *select);
/* " AND " condition, in which every "$?" stands for the argument. condition is fixed text of this house. */
void where_and(struct where *where, const char *condition, struct sql_arg arg);
/* Goes on with " OR ": for a bracket that the condition before left open. */
void where_or(struct where *where, const char *condition, struct sql_arg arg);
/* The same as where_and() when text is not NULL. */
void where_text(struct where *where, const char *condition, const char *text);
/* Fixed text as it is: " ORDER BY …". */
void where_add(struct where *where, const char *sql);
/* " LIMIT $N" */
void where_limit(struct where *where, int limit);
/* Runs it and frees it. */
int where_run(struct store_tx *tx, struct where *where, json_t **ret_rows);

#endif
