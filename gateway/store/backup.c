#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/conn.h"

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

static int sync_with_directory(const char *path)
{
    int r = sync_path(path, O_RDWR);
    char *copy = r < 0 ? NULL : strdup(path);
    if (!copy)
        return r < 0 ? r : -ENOMEM;
    r = sync_path(dirname(copy), O_RDONLY | O_DIRECTORY);
    free(copy);
    return r;
}

int backup_into(sqlite3 *db, const char *path, struct se_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return se_fail(err, -errno, "the backup %s cannot be made: %s", path, strerror(errno));
    close(fd);
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db, "VACUUM INTO $1", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(stmt, 1, path, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    int r = code == SQLITE_DONE ? sync_with_directory(path) : conn_fail(db, code, path, err);
    if (r < 0 && code == SQLITE_DONE)
        se_fail(err, r, "the backup %s cannot be brought to disk: %s", path, strerror(-r));
    sqlite3_finalize(stmt);
    if (r < 0)
        unlink(path);
    return r;
}
