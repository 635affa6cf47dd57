/* One connection to SQLite and the statements it keeps prepared. */
#ifndef STORE_CONN_H
#define STORE_CONN_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define CONN_STATEMENTS 192

struct conn_statement {
    uint64_t hash;
    sqlite3_stmt *stmt;
    uint64_t used; /* turn of the last use; the longest unused makes room */
    bool busy;
};

/* What the outside knows as struct store_tx: a connection inside a transaction. */
struct store_tx {
    sqlite3 *db;
    struct conn_statement statements[CONN_STATEMENTS];
    uint64_t turn;
    bool disk_failed; /* a statement met a full, broken or read-only disk since this was cleared */
};

/* How long a connection waits for another program's lock: less once it is known to be there,
 * so that callers get their -EBUSY at once. */
#define CONN_BUSY_MS       5000
#define CONN_STILL_BUSY_MS 200

/* Opens PATH for the writer (creating it, mode 0600) or for reading. The words in err say what to do. */
int conn_open(struct store_tx *conn, const char *path, bool write, struct se_err *err);
void conn_close(struct store_tx *conn);
/* A statement without parameters or rows: "BEGIN IMMEDIATE". 0 or -errno. */
int conn_run(struct store_tx *conn, const char *sql);
/* -errno of an SQLite result code. */
int conn_errno(sqlite3 *db, int code);
/* Fills err with what SQLite says of the file and what can be done; returns -errno. */
int conn_fail(sqlite3 *db, int code, const char *path, struct se_err *err);

#endif
