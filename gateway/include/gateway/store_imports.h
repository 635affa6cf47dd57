/* Imports of cameras, and the report of each row. */
#ifndef GATEWAY_STORE_IMPORTS_H
#define GATEWAY_STORE_IMPORTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/time.h"
#include "gateway/store.h"

#define IMPORTS_KEPT_MS (7 * 86400000LL)

struct import_row {
    const char *id, *account_id; /* account_id: NULL for the command line */
    bool dry_run;
    const char *encoding, *crs;
    const json_t *ignored;
    int64_t row_count;
};
/* Enters one that begins, and forgets those of more than a week ago. */
int store_import_begin(struct store_tx *tx, const struct import_row *row);

struct import_line {
    unsigned line;
    const char *code, *name;
    const char *result; /* "created", "updated", "unchanged", "failed" */
    const json_t *errors;
};
/* Adds to the report and to the counts. */
int store_import_line(struct store_tx *tx, const char *id, const struct import_line *line);
/* state: "done", "failed", "cancelled"; reason: or NULL. */
int store_import_end(struct store_tx *tx, const char *id, const char *state, const char *reason);
/* Those that a process left running have failed with this reason. */
int store_imports_fail(struct store_tx *tx, const char *reason);

/* {id,state,reason,dry_run,encoding,crs,ignored_columns,rows,done,created,updated,unchanged,failed,started_at,
 * ended_at,account_id}; -ENOENT. */
int store_import_get(struct store_tx *tx, const char *id, json_t **ret_import);
/* {line,code,name,result,errors} in the order of lines, those behind after_line; result: NULL for all. */
int store_import_lines(struct store_tx *tx, const char *id, const char *result, int64_t after_line, int limit,
                       json_t **ret_lines);

#endif
