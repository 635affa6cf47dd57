/* A small house for the tests of events: a store, access and events in a directory of their own. */
#ifndef EVENTS_FIXTURE_H
#define EVENTS_FIXTURE_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "events/events.h"
#include "events/seed.h"
#include "gateway/store_identity.h"

struct fixture {
    char dir[64];
    struct options *options;
    struct store *store;
    struct bus *bus;
    struct access *access;
    struct events *events;
    struct access_who admin;
};

static inline void fixture_stop(struct fixture *f)
{
    events_free(f->events);
    bus_free(f->bus);
    access_free(f->access);
    store_close(f->store);
    f->events = NULL;
    f->bus = NULL;
    f->access = NULL;
    f->store = NULL;
}

/* Opens what lies in f->dir: again after fixture_stop(), as a restart would. */
static inline void fixture_start(struct fixture *f)
{
    struct se_err err = {0};
    char url[128];
    snprintf(url, sizeof url, "sqlite:%s/s.db", f->dir);
    if (store_open(url, 2, &f->store, &err) || access_new(f->store, f->options, &f->access, &err) ||
        bus_new(1000, &f->bus))
        fail_msg("%s", err.text);
    struct events_deps deps = {.options = f->options, .store = f->store, .bus = f->bus, .access = f->access};
    if (events_new(&deps, &f->events, &err))
        fail_msg("%s", err.text);
}

static inline int fixture_admin(struct store_tx *tx, void *ctx)
{
    struct fixture *f = ctx;
    se_json_ *user = NULL;
    int rc = store_user_get(tx, "admin", &user);
    if (rc)
        return rc;
    f->admin = (struct access_who){.permissions = ~0ULL, .all_departments = true};
    snprintf(f->admin.user_id, sizeof f->admin.user_id, "%s", se_json_str(user, "id", ""));
    snprintf(f->admin.username, sizeof f->admin.username, "admin");
    snprintf(f->admin.roles, sizeof f->admin.roles, "administrator");
    snprintf(f->admin.department_id, sizeof f->admin.department_id, "%s",
             se_json_str(user, "department_id", ""));
    return 0;
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct se_err err = {0};
    char set[128];
    snprintf(f->dir, sizeof f->dir, "/tmp/sharpeyes-events-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(set, sizeof set, "gateway.data_dir=%s", f->dir);
    const char *sets[] = {set};
    char *environment[] = {NULL};
    if (options_load(NULL, environment, sets, 1, &f->options, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    fixture_start(f);
    if (access_bootstrap(f->access, &err) || store_write(f->store, fixture_admin, f))
        return -1;
    *state = f;
    return 0;
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    fixture_stop(f);
    options_free(f->options);
    int rc = nftw(f->dir, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return rc;
}

/* The seeds of the tree, or a copy of them. */
static inline void fixture_seed(struct fixture *f, const char *dir)
{
    struct se_err err = {0};
    json_t *report = NULL;
    struct seed_deps deps = {
        .options = f->options, .store = f->store, .access = f->access, .events = f->events};
    if (seed_load(dir, &deps, &report, &err))
        fail_msg("%s", err.text);
    json_decref(report);
}
#define SEEDS SE_SOURCE_DIR "/seeds"

/* JSON from text with ' for ". */
static inline json_t *J(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_error_t error;
    json_t *json = json_loads(copy, JSON_DECODE_ANY, &error);
    if (!json)
        fail_msg("%s in %s", error.text, text);
    free(copy);
    return json;
}

#endif
