/* Loading seeds: read and check all, write all in one transaction, say what changed. */
#include "seed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "gateway/store_identity.h"

#define PASSWORD_LEN 16

static const char *const names[SEED_COUNT] = {
    [SEED_DIVISION] = "divisions",
    [SEED_DEPARTMENT] = "departments",
    [SEED_DICTIONARY] = "dictionaries",
    [SEED_TAG] = "tags",
    [SEED_KIND] = "case_kinds",
    [SEED_GRID] = "grids",
    [SEED_RULE] = "rules",
    [SEED_USER] = "users",
    [SEED_CAMERA] = "cameras",
};

static int find_new_users(struct store_tx *tx, void *ctx)
{
    struct seed *seed = ctx;
    for (size_t i = 0; i < seed->count; i++) {
        struct seed_row *row = &seed->rows[i];
        se_json_ *stored = NULL;
        if (row->what != SEED_USER)
            continue;
        int rc = store_user_get(tx, se_json_str(row->row, "username", ""), &stored);
        if (rc && rc != -ENOENT)
            return rc;
        row->added = rc == -ENOENT;
    }
    return 0;
}

/* Every new user gets a password of this installation's own. Hashing takes its time: not on the writer. */
static int make_passwords(struct seed *seed)
{
    int rc = store_read(seed->deps->store, find_new_users, seed);
    for (size_t i = 0; !rc && i < seed->count; i++) {
        struct seed_row *row = &seed->rows[i];
        if (!row->added)
            continue;
        row->password_hash = malloc(128);
        rc = row->password_hash ? access_random_password(row->password, PASSWORD_LEN) : -ENOMEM;
        if (!rc)
            rc = access_password_hash(row->password, row->password_hash);
    }
    return rc;
}

static int write_rows(struct store_tx *tx, void *ctx)
{
    struct seed *seed = ctx;
    memset(seed->counts, 0, sizeof seed->counts);
    for (size_t i = 0; i < seed->count; i++) {
        struct seed_row *row = &seed->rows[i];
        struct fault fault = {0};
        enum store_put put = STORE_UNCHANGED;
        int rc = seed_put(seed, tx, row, &put, &fault);
        if (rc) {
            const char *words = fault.err.text[0] ? fault.err.text
                                : rc == -ENOLINK  ? "is refused by the store: a value is out of its bounds"
                                                  : strerror(-rc);
            seed_fail(seed, row->file, rc, "%s%s%s", fault.err.text[0] ? "" : row->prefix,
                      fault.err.text[0] || !row->prefix[0] ? "" : " ", words);
            fault_fini(&fault);
            return rc;
        }
        seed->counts[row->what][put]++;
    }
    se_json_ *detail = json_pack("{s:s}", "seeds", seed->dir);
    return access_audit(tx, NULL, "seed.load", "county", NULL, detail);
}

/* Appended to DATA_DIR/demo-users, for whoever runs the demo; 0600 as it holds passwords. */
static int keep_passwords(struct seed *seed, const json_t *users)
{
    if (!json_array_size(users))
        return 0;
    struct se_str text = {0};
    size_t n;
    json_t *user;
    json_array_foreach (users, n, user)
        se_str_printf(&text, "%s %s\n", se_json_str(user, "username", ""), se_json_str(user, "password", ""));
    se_free_ char *path = se_asprintf("%s/demo-users", options_text(seed->deps->options, "gateway.data_dir"));
    se_free_ char *lines = se_str_take(&text);
    if (!path || !lines)
        return -ENOMEM;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    ssize_t len = (ssize_t)strlen(lines);
    int rc = write(fd, lines, (size_t)len) == len && !fsync(fd) ? 0 : -EIO;
    close(fd);
    explicit_bzero(lines, (size_t)len);
    return rc;
}

static json_t *make_report(struct seed *seed)
{
    json_t *report = json_object(), *new_users = json_array();
    for (int what = 0; what < SEED_COUNT; what++)
        se_json_put(report, names[what],
                    json_pack("{s:I,s:I,s:I}", "added", (json_int_t)seed->counts[what][STORE_ADDED],
                              "changed", (json_int_t)seed->counts[what][STORE_CHANGED], "unchanged",
                              (json_int_t)seed->counts[what][STORE_UNCHANGED]));
    for (size_t i = 0; i < seed->count; i++) {
        const struct seed_row *row = &seed->rows[i];
        if (row->what == SEED_USER && row->added)
            json_array_append_new(new_users,
                                  json_pack("{s:s,s:s}", "username", se_json_str(row->row, "username", ""),
                                            "password", row->password));
    }
    se_json_put(report, "new_users", new_users);
    return report;
}

static void seed_fini(struct seed *seed)
{
    for (size_t i = 0; i < seed->count; i++) {
        json_decref(seed->rows[i].row);
        free(seed->rows[i].password_hash);
        explicit_bzero(seed->rows[i].password, sizeof seed->rows[i].password);
    }
    free(seed->rows);
    json_decref(seed->variables);
}

/* What is done once the rows are safe: its failures are said, but do not undo them. */
static void after_commit(struct seed *seed, const json_t *report)
{
    struct se_err err = {0};
    int rc = keep_passwords(seed, json_object_get(report, "new_users"));
    if (rc)
        se_warn("seed", "the demo users' passwords could not be kept in DATA_DIR/demo-users reason=\"%s\"",
                strerror(-rc));
    if (seed->deps->events && events_reload(seed->deps->events, &err))
        se_error("seed", "the county could not be read again reason=\"%s\"", err.text);
    for (size_t i = 0; seed->deps->camera_changed && i < seed->count; i++)
        if (seed->rows[i].what == SEED_CAMERA && seed->rows[i].camera_id[0])
            seed->deps->camera_changed(seed->rows[i].camera_id, seed->deps->ctx);
}

int seed_load(const char *dir, const struct seed_deps *deps, json_t **ret_report, struct se_err *err)
{
    struct se_err own = {0};
    struct seed seed = {.deps = deps, .dir = dir, .err = err ? err : &own};
    int rc = seed_read(&seed);
    if (!rc)
        rc = make_passwords(&seed);
    if (!rc)
        rc = store_write(deps->store, write_rows, &seed);
    if (!rc) {
        json_t *report = make_report(&seed);
        after_commit(&seed, report);
        *ret_report = report;
    } else if (!seed.err->code) {
        se_fail(seed.err, rc, "%s: the seeds could not be loaded: %s", dir, strerror(-rc));
    }
    seed_fini(&seed);
    return rc;
}
