/* The numbered schema upgrades that are built into the program. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include <sqlite3.h>
#include <stddef.h>

#include "base/error.h"

struct schema_upgrade {
    const char *name; /* "0001-identity" */
    const char *sql;
};

/* In the order of their numbers; a row with name NULL ends. */
extern const struct schema_upgrade schema_upgrades[];

/* Applies those of `upgrades` that the database lacks, each in a transaction of its own, after a
 * backup beside path when there is something to lose. Refuses (-ENOTSUP) a database that is newer
 * than the list, or whose applied upgrades read differently now. */
int schema_upgrade(sqlite3 *db, const char *path, const struct schema_upgrade *upgrades, int *ret_version,
                   struct se_err *err);

#endif
