/* Importing cameras: by the daemon that runs, else here. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acts.h"
#include "api/imports.h"
#include "base/json.h"
#include "gateway/store_imports.h"

#define PAGE 500 /* rows of a report in one answer */

struct file {
    char *data;
    size_t size;
};

static int read_all(int fd, const char *path, struct file *ret_file, struct se_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return se_fail(err, -EINVAL, "%s is not a file", path);
    if (st.st_size > (off_t)IMPORT_BYTES_MAX)
        return se_fail(err, -EFBIG, "%s has more than 16 MiB; import it in parts", path);
    size_t size = (size_t)st.st_size, have = 0;
    char *data = malloc(size + 1);
    if (!data)
        return se_fail(err, -ENOMEM, "out of memory");
    while (have < size) {
        ssize_t n = read(fd, data + have, size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int r = -errno;
            free(data);
            return se_fail(err, r, "%s cannot be read: %s", path, strerror(-r));
        }
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *ret_file = (struct file){data, have};
    return 0;
}

static int read_file(const char *path, struct file *ret_file, struct se_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return se_fail(err, -errno, "%s cannot be opened: %s. The gateway's own user must be able to read it",
                       path, strerror(errno));
    int r = read_all(fd, path, ret_file, err);
    close(fd);
    return r;
}

static void forget(struct file *file)
{
    if (file->data)
        explicit_bzero(file->data, file->size);
    free(file->data);
    *file = (struct file){NULL, 0};
}

/* ---- what the store has of it ---- */

struct reading {
    const char *id, *result;
    int64_t after;
    json_t *found;
};

static int read_state(struct store_tx *tx, void *ctx)
{
    struct reading *reading = ctx;
    return store_import_get(tx, reading->id, &reading->found);
}

static int read_rows(struct store_tx *tx, void *ctx)
{
    struct reading *reading = ctx;
    return store_import_lines(tx, reading->id, reading->result, reading->after, PAGE, &reading->found);
}

static int state_of(struct house *house, const char *id, json_t **ret_state, struct se_err *err)
{
    struct reading reading = {.id = id};
    int r = store_read(house->store, read_state, &reading);
    if (r < 0)
        return se_fail(err, r, "%s", r == -ENOENT ? "there is no such import" : "the store does not answer");
    *ret_state = reading.found;
    return 0;
}

int act_camera_import_state(struct house *house, const json_t *request, json_t **ret_result,
                            struct se_err *err)
{
    return state_of(house, se_json_str(request, "id", ""), ret_result, err);
}

int act_camera_import_rows(struct house *house, const json_t *request, json_t **ret_result,
                           struct se_err *err)
{
    struct reading reading = {.id = se_json_str(request, "id", ""),
                              .result = se_json_str(request, "result", NULL),
                              .after = se_json_int(request, "after", 0)};
    int r = store_read(house->store, read_rows, &reading);
    if (r < 0)
        return se_fail(err, r, "the report cannot be read: %s", strerror(-r));
    *ret_result =
        json_pack("{s:o, s:b}", "items", reading.found, "more", json_array_size(reading.found) == PAGE);
    return *ret_result ? 0 : -ENOMEM;
}

/* ---- the import ---- */

void import_progress(const json_t *state)
{
    bool ends = strcmp(se_json_str(state, "state", ""), "running") != 0;
    fprintf(stderr, "%s%lld of %lld rows%s", isatty(STDERR_FILENO) ? "\r" : "",
            (long long)se_json_int(state, "done", 0), (long long)se_json_int(state, "rows", 0),
            isatty(STDERR_FILENO) && !ends ? "" : "\n");
}

/* Without a daemon it is done here and now. */
static int run_here(struct house *house, const struct import_ask *ask, json_t **ret_state, struct se_err *err)
{
    const struct imports_deps deps = {
        .options = house->options, .store = house->store, .access = house->access};
    struct imports *imports = NULL;
    char id[SE_ID_LEN];
    int r = imports_new(&deps, &imports, err);
    r = r < 0 ? r : imports_start(imports, ask, id, err);
    for (unsigned turn = 1; r == 0; turn++) {
        r = state_of(house, id, ret_state, err);
        if (r < 0 || strcmp(se_json_str(*ret_state, "state", ""), "running") != 0)
            break;
        if (turn % 20 == 0)
            import_progress(*ret_state);
        se_json_unref_p(ret_state);
        (void)poll(NULL, 0, 50);
    }
    imports_free(imports);
    return r;
}

int act_camera_import(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err)
{
    struct file file = {NULL, 0};
    char id[SE_ID_LEN];
    int r = read_file(se_json_str(request, "path", ""), &file, err);
    if (r < 0)
        return r;
    const struct import_ask ask = {.csv = file.data,
                                   .size = file.size,
                                   .dry_run = se_json_bool(request, "dry_run", false),
                                   .gcj02 = strcmp(se_json_str(request, "crs", ""), "gcj02") == 0,
                                   .encoding = se_json_str(request, "encoding", "auto"),
                                   .department = se_json_str(request, "department", NULL)};
    if (house->imports) {
        r = imports_start(house->imports, &ask, id, err);
        r = r < 0 ? r : state_of(house, id, ret_result, err);
    } else {
        r = run_here(house, &ask, ret_result, err);
    }
    forget(&file);
    return r;
}
