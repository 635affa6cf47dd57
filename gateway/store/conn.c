#include "store/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int conn_errno(sqlite3 *db, int code)
{
    int extended = db ? sqlite3_extended_errcode(db) : code;
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CONSTRAINT:
        return extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
                       extended == SQLITE_CONSTRAINT_ROWID
                   ? -EEXIST
                   : -ENOLINK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return -EROFS;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_INTERRUPT:
        return -ECANCELED;
    case SQLITE_MISUSE:
    case SQLITE_ERROR:
    case SQLITE_RANGE:
        return -EINVAL;
    case SQLITE_TOOBIG:
        return -E2BIG;
    default:
        return -EIO;
    }
}

int conn_fail(sqlite3 *db, int code, const char *path, struct se_err *err)
{
    const char *words = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    int r = conn_errno(db, code);
    int system_error = db ? sqlite3_system_errno(db) : 0;
    switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return se_fail(err, -EIO,
                       "%s is damaged (%s). Move it and its -wal and -shm files away and put the newest "
                       "backup in its place",
                       path, words);
    case SQLITE_CANTOPEN:
        if (system_error == EMFILE || system_error == ENFILE)
            return se_fail(err, -system_error, "%s cannot be opened: %s. Raise the limit of open files", path,
                           strerror(system_error));
        return se_fail(err, -EACCES,
                       "%s cannot be opened (%s). Does its directory exist, and may this user write to it?",
                       path, words);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return se_fail(err, -EROFS, "%s cannot be written (%s). Check owner, mode and mount", path, words);
    case SQLITE_FULL:
        return se_fail(err, -EIO, "%s cannot grow: the disk is full. Make room and start again", path);
    case SQLITE_BUSY:
        return se_fail(err, -EBUSY, "%s is locked by another program. End it and start again", path);
    default:
        return se_fail(err, r ? r : -EIO, "%s: %s", path, words);
    }
}

/* Keys and passwords' hashes lie in it: nobody else may read the file, whatever the umask. */
static int create_private(const char *path, struct se_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return se_fail(err, -errno,
                       "%s cannot be opened for writing (%s). Does its directory exist, and may this user "
                       "write to it?",
                       path, strerror(errno));
    close(fd);
    return 0;
}

int conn_open(struct store_tx *conn, const char *path, bool write, struct se_err *err)
{
    int r = write ? create_private(path, err) : 0;
    if (r < 0)
        return r;
    int flags = SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int code = sqlite3_open_v2(path, &conn->db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(conn->db, 1);
        sqlite3_busy_timeout(conn->db, CONN_BUSY_MS);
        code =
            sqlite3_exec(conn->db,
                         write ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                                 "PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY;"
                                 "PRAGMA cache_size=-16384; PRAGMA secure_delete=FAST;"
                               : "PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192;",
                         NULL, NULL, NULL);
    }
    if (code == SQLITE_OK)
        return 0;
    r = conn_fail(conn->db, code, path, err);
    conn_close(conn);
    return r;
}

void conn_close(struct store_tx *conn)
{
    for (unsigned i = 0; i < CONN_STATEMENTS; i++) {
        sqlite3_finalize(conn->statements[i].stmt);
        conn->statements[i] = (struct conn_statement){0};
    }
    sqlite3_close(conn->db);
    conn->db = NULL;
}

int conn_run(struct store_tx *conn, const char *sql)
{
    return conn_errno(conn->db, sqlite3_exec(conn->db, sql, NULL, NULL, NULL));
}
