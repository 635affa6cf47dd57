/* Copies of a database that is in use. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include <sqlite3.h>

#include "base/error.h"

/* Writes a consistent copy of db into path, which must not exist (-EEXIST); mode 0600, on disk when it
 * returns. Leaves nothing behind on failure. Not inside a transaction. */
int backup_into(sqlite3 *db, const char *path, struct se_err *err);

#endif
