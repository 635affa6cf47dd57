/* Events: signals into incidents, incidents into cases, cases through the closed loop.
 * Every function here may read or write the store and blocks: pool threads only.
 * JSON in and out is as the API shows it. `who` is already allowed the act itself;
 * department scope is checked here where the row decides. */
#ifndef EVENTS_EVENTS_H
#define EVENTS_EVENTS_H

#include <jansson.h>

#include "base/error.h"
#include "gateway/access.h"
#include "gateway/bus.h"
#include "gateway/options.h"
#include "gateway/store.h"
#include "ingest/ingest.h"

struct events;
struct events_deps {
    const struct options *options;
    struct store *store;
    struct bus *bus;
    struct access *access;
    struct ingest *ingest; /* for evidence; may be NULL in tests */
};
int events_new(const struct events_deps *deps, struct events **ret_events, struct se_err *err);
void events_free(struct events *events);
/* Divisions, grids, tags, rules or kinds changed in the store: read them again. */
int events_reload(struct events *events, struct se_err *err);

#endif
