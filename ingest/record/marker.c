/* The marker: a volume is written to only when the directory at its path is the one that was
 * set up as this volume. A disk that is not mounted leaves an empty directory of the root file
 * system behind, and recordings must never fill that. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "record/volume_private.h"

#define MARKER ".sharpeyes-volume"

/* The one line of a small file. -ENOENT, -EINVAL when it holds no id. */
static int read_id(int dir, const char *name, char id[SE_ID_LEN])
{
    char text[64] = "";
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    int r = n < 0 ? -errno : 0;
    close(fd);
    if (r < 0)
        return r;
    text[strcspn(text, "\r\n")] = 0;
    if (!se_id_valid(text))
        return -EINVAL;
    snprintf(id, SE_ID_LEN, "%.36s", text);
    return 0;
}

/* Whole or not at all: written beside, synced, renamed. */
static int write_id(int dir, const char *name, const char *id)
{
    char text[SE_ID_LEN + 1], part[300];
    int n = snprintf(text, sizeof(text), "%s\n", id);
    snprintf(part, sizeof(part), "%.255s.part", name);
    int fd = openat(dir, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int r = write(fd, text, (size_t)n) != n || fsync(fd) < 0 ? (errno ? -errno : -EIO) : 0;
    close(fd);
    if (r == 0 && renameat(dir, part, dir, name) < 0)
        r = -errno;
    if (r == 0)
        fsync(dir);
    return r;
}

static bool dir_empty(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool empty = true;
    struct dirent *e;
    while (empty && (e = readdir(d)))
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                strcmp(e->d_name, "lost+found") == 0;
    closedir(d);
    return empty;
}

/* mkdir -p. */
static int make_dirs(const char *path)
{
    char part[4096];
    if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
        return -ENAMETOOLONG;
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    return mkdir(part, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Where this installation remembers its volumes' ids. */
static int open_known(const struct volume *volume, int *ret_dir, struct se_err *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/volumes", options_text(volume->volumes->options, "gateway.data_dir"));
    int r = make_dirs(path);
    int dir = r == 0 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir < 0)
        return se_fail(err, r < 0 ? r : -errno, "Cannot use %.150s, where the volumes' ids are kept: %s",
                       path, strerror(r < 0 ? -r : errno));
    *ret_dir = dir;
    return 0;
}

/* Makes the directory of a volume that was never seen before. */
static int set_up(struct volume *volume, int known, struct se_err *err)
{
    if (!dir_empty(volume->dir))
        return se_fail(
            err, -ENOTEMPTY,
            "The directory %.120s of the volume %s is not empty and is no volume; name an empty one",
            volume->path, volume->name);
    se_id_new(volume->id);
    int r = write_id(volume->dir, MARKER, volume->id);
    if (r == 0)
        r = write_id(known, volume->name, volume->id);
    if (r < 0)
        return se_fail(err, r, "Cannot write to the directory %.120s of the volume %s: %s", volume->path,
                       volume->name, strerror(-r));
    se_info("volume", "a new volume volume=%s path=\"%s\"", volume->name, volume->path);
    return 0;
}

static int check(struct volume *volume, int known, struct se_err *err)
{
    char expected[SE_ID_LEN] = "", found[SE_ID_LEN] = "";
    bool is_known = read_id(known, volume->name, expected) == 0;
    if (!is_known) {
        int r = make_dirs(volume->path);
        if (r < 0)
            return se_fail(err, r, "Cannot make the directory %.120s of the volume %s: %s", volume->path,
                           volume->name, strerror(-r));
    }
    volume->dir = open(volume->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (volume->dir < 0)
        return se_fail(err, is_known ? -EAGAIN : -errno,
                       "The directory %.120s of the volume %s: %s; is its disk mounted?", volume->path,
                       volume->name, strerror(errno));
    int r = read_id(volume->dir, MARKER, found);
    if (r == -ENOENT && !is_known)
        return set_up(volume, known, err);
    if (r < 0)
        return se_fail(err, is_known ? -EAGAIN : r,
                       "The directory %.120s lacks the marker of the volume %s; is its disk mounted?",
                       volume->path, volume->name);
    if (is_known && strcmp(expected, found) != 0)
        return se_fail(err, -EAGAIN,
                       "The directory %.120s holds another volume than %s; mount the right disk",
                       volume->path, volume->name);
    snprintf(volume->id, sizeof(volume->id), "%s", found);
    if (!is_known && (r = write_id(known, volume->name, found)) < 0)
        return se_fail(err, r, "Cannot note the id of the volume %s: %s", volume->name, strerror(-r));
    return 0;
}

int volume_mount(struct volume *volume, struct se_err *err)
{
    int known;
    int r = open_known(volume, &known, err);
    if (r < 0)
        return r;
    r = check(volume, known, err);
    close(known);
    if (r < 0 && volume->dir >= 0) {
        close(volume->dir);
        volume->dir = -1;
    }
    return r;
}

bool volume_still_there(const struct volume *volume)
{
    struct stat opened, named;
    return fstat(volume->dir, &opened) == 0 && stat(volume->path, &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino &&
           faccessat(volume->dir, MARKER, F_OK, 0) == 0;
}
