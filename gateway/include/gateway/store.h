/* The store: SQLite in WAL mode behind one writer thread that commits in groups,
 * and readers in parallel. All SQL lives in gateway/store; the rest of the house
 * calls the subject headers (store_*.h), whose functions take a transaction. */
#ifndef GATEWAY_STORE_H
#define GATEWAY_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct store;
struct store_tx; /* a transaction, valid inside the callback it was given to */

/* Whether url is one that store_open() takes, as far as can be said without opening it. */
int store_url_check(const char *url, struct se_err *err);
/* Opens (creates) the database at url "sqlite:PATH", runs the schema upgrades it
 * lacks (after a backup beside it when there was one before), starts the writer.
 * Errors say what is wrong with the file and what to do. */
int store_open(const char *url, unsigned readers, struct store **ret_store, struct se_err *err);
/* Commits what is queued, joins the writer, closes. NULL is fine. */
void store_close(struct store *store);

/* Work of one transaction. Returns 0 to keep its changes, or -errno to undo them. Reads see its own writes.
 */
typedef int (*store_fn)(struct store_tx *tx, void *ctx);

/* Runs fn on the writer and returns after the commit is durable: fn's result, or -EIO (disk), -EBUSY
 * (8,192 queued: counted; or another program holds the file), -EROFS, -ESHUTDOWN. Jobs that wait
 * together share one commit, each in a savepoint: one that fails undoes itself only. Constraints must
 * not be deferred, or one job's would fail the group. Any thread but the writer's (-EDEADLK) and a loop's. */
int store_write(struct store *store, store_fn fn, void *ctx);
/* The same without waiting: done (may be NULL) runs on the writer after the commit. -EBUSY: not queued. */
int store_write_async(struct store *store, store_fn fn, void (*done)(int result, void *ctx), void *ctx);
/* Runs fn on a reader's connection, on the calling thread, all of it against one snapshot. Waits for a
 * free reader: do not call it from inside a store_read(). A statement that writes is -EROFS. */
int store_read(struct store *store, store_fn fn, void *ctx);

bool store_healthy(struct store *store); /* did the last commit succeed? */
/* A consistent copy of a running database into the file path, which must not exist. */
int store_backup(struct store *store, const char *path, struct se_err *err);
int store_schema_version(struct store *store);

#endif
