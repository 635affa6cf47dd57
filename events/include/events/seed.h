/* Seeds: a county as files, loaded into the store. Loading twice changes nothing. */
#ifndef EVENTS_SEED_H
#define EVENTS_SEED_H

#include <jansson.h>

#include "base/error.h"
#include "events/events.h"
#include "gateway/access.h"
#include "gateway/options.h"
#include "gateway/store.h"

struct seed_deps {
    const struct options *options;
    struct store *store;
    struct access *access; /* seals camera passwords */
    struct events *events; /* reads the county again after; NULL: none runs */
    /* "name=value": what stands for {{name}} in the files, over seed.json's own "variables". */
    const char *const *sets;
    unsigned set_count;
    /* After the commit, for each camera that is new or changed: has it pulled. NULL: cameras are only stored.
     */
    void (*camera_changed)(const char *camera_id, void *ctx);
    void *ctx;
};

/* Reads and checks every file below dir, then writes them all in one transaction: all or nothing.
 * -EINVAL: err->text begins with the file and the line or JSON path that is wrong; -ENOENT no such directory.
 * report: {"divisions":{"added":1,"changed":0,"unchanged":95}, …, "new_users":[{username,password}]}: the
 * passwords of users that are new, shown this once and appended to DATA_DIR/demo-users (0600). Pool threads
 * only: hashing is slow. */
int seed_load(const char *dir, const struct seed_deps *deps, json_t **ret_report, struct se_err *err);

#endif
