/* The lowest steps of a start, which the daemon and commands without a daemon share. */
#include "house.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/log.h"
#include "base/str.h"

#define ZONES "/usr/share/zoneinfo"

int house_check(const struct options *options, struct se_err *err)
{
    const char *zone = options_text(options, "gateway.timezone");
    se_free_ char *path = se_asprintf(ZONES "/%s", zone);
    if (!path)
        return se_fail(err, -ENOMEM, "out of memory");
    struct stat st;
    bool named = *zone && *zone != '/' && !strstr(zone, "..");
    /* Without the database of zones (tzdata) the name cannot be judged. */
    if (!named || (access(ZONES, F_OK) == 0 && (stat(path, &st) < 0 || !S_ISREG(st.st_mode))))
        return se_fail_field(err, -EINVAL, "gateway.timezone",
                             "gateway.timezone: %.60s is not a time zone; one is Asia/Shanghai", zone);
    int r = store_url_check(options_text(options, "store.url"), err);
    r = r < 0 ? r : ingest_options_check(options, err);
    return r < 0 ? r : api_options_check(options, err);
}

/* Makes path and what is missing above it. */
static int make_directories(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    int r = 0;
    for (char *p = copy + 1; r == 0 && *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            r = -errno;
        *p = '/';
    }
    if (r == 0 && mkdir(copy, 0700) < 0 && errno != EEXIST)
        r = -errno;
    free(copy);
    return r;
}

static int open_data_dir(const char *path, struct se_err *err)
{
    int r = make_directories(path);
    if (r < 0)
        return se_fail(err, r, "the data directory %s cannot be made: %s", path, strerror(-r));
    struct stat st;
    if (stat(path, &st) < 0)
        return se_fail(err, -errno, "the data directory %s cannot be read: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return se_fail(err, -ENOTDIR, "gateway.data_dir: %s is not a directory", path);
    if (st.st_mode & 077)
        se_warn("main", "others can reach the data directory; chmod 700 closes it path=\"%s\"", path);
    return 0;
}

int house_lock(struct house *house, struct se_err *err)
{
    const char *data_dir = options_text(house->options, "gateway.data_dir");
    int r = open_data_dir(data_dir, err);
    if (r < 0)
        return r;
    se_free_ char *path = se_asprintf("%s/lock", data_dir);
    if (!path)
        return se_fail(err, -ENOMEM, "out of memory");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return se_fail(err, -errno, "%s cannot be opened: %s. May this user write to the data directory?",
                       path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        r = -errno;
        char pid[24] = "";
        ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);
        pid[got > 0 ? strcspn(pid, "\n") : 0] = '\0';
        close(fd);
        return se_fail(err, r, "another sharpeyes (process %s) already uses %s", *pid ? pid : "unknown",
                       data_dir);
    }
    char pid[24];
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        r = -errno;
        close(fd);
        return se_fail(err, r, "%s cannot be written: %s", path, strerror(-r));
    }
    house->lock_fd = fd;
    return 0;
}

void house_unlock(struct house *house)
{
    if (house->lock_fd >= 0)
        close(house->lock_fd);
    house->lock_fd = -1;
}

int house_open_store(struct house *house, struct se_err *err)
{
    return store_open(options_text(house->options, "store.url"),
                      (unsigned)options_int(house->options, "store.readers"), &house->store, err);
}

void house_close_store(struct house *house)
{
    store_close(house->store);
    house->store = NULL;
}

int house_open_access(struct house *house, struct se_err *err)
{
    int r = access_new(house->store, house->options, &house->access, err);
    return r < 0 ? r : access_bootstrap(house->access, err);
}

void house_close_access(struct house *house)
{
    access_free(house->access);
    house->access = NULL;
}
