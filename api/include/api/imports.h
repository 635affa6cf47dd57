/* Import of many cameras from a file of comma-separated values: one at a time, on a thread of its own, in
 * batches. What becomes of each row is in the store, and outlives the process. */
#ifndef API_IMPORTS_H
#define API_IMPORTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/id.h"
#include "gateway/access.h"
#include "gateway/bus.h"
#include "gateway/options.h"
#include "gateway/store.h"
#include "ingest/ingest.h"

#define IMPORT_BYTES_MAX (16u << 20)
#define IMPORT_ROWS_MAX  20000u

struct imports;
struct imports_deps {
    const struct options *options;
    struct store *store;
    struct access *access;
    struct bus *bus;       /* NULL: nobody is told (no daemon) */
    struct ingest *ingest; /* NULL: nothing is pulled (no daemon) */
};
/* Imports that another run of the program left have failed, and say so from here on. Starts the thread. */
int imports_new(const struct imports_deps *deps, struct imports **ret_imports, struct se_err *err);
/* What is under way ends as failed; joins. NULL is fine. */
void imports_stop(struct imports *imports);
void imports_free(struct imports *imports); /* stops first; NULL is fine */

struct import_ask {
    const void *csv;
    size_t size;
    bool dry_run, gcj02;
    const char *encoding;         /* "auto", "utf-8", "gb18030" */
    const char *department;       /* id or code, of cameras whose row names none; NULL: the caller's */
    const struct access_who *who; /* NULL: the command line, which may everything */
};
/* Reads the file's head and begins: *ret_id. -EINVAL: it is no such list (err: what is wrong, and with which
 * field); -EBUSY: others wait already. Blocks for a commit. */
int imports_start(struct imports *imports, const struct import_ask *ask, char ret_id[SE_ID_LEN],
                  struct se_err *err);
/* One that runs or waits is asked to end; what it has done stays. Any thread. */
void imports_cancel(struct imports *imports, const char *id);

#endif
