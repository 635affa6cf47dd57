/* The county in memory: dictionary, grids, kinds and rules, read from the store as one
 * immutable whole. A reload makes a new one and swaps it; readers keep the one they took. */
#ifndef EVENTS_COUNTY_H
#define EVENTS_COUNTY_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "gateway/store.h"
#include "grid.h"
#include "kind.h"

struct county {
    atomic_uint refs;
    json_t *tags;    /* code → tag row */
    json_t *aliases; /* lower-case alias → code */
    json_t *parents; /* division id → its parent's id, or null */
    json_t *grids;   /* grid id → {code, name, division_id, version} */
    json_t *rules;   /* array, in the order they are asked; enabled ones only */
    struct grid_index *index;
    struct kind **kinds; /* every version of every kind */
    size_t kind_count;
};

/* Reads it all. A row that no longer reads is left out and logged: one bad grid must not stop the rest. */
int county_load(struct store *store, struct county **ret_county, struct se_err *err);
struct county *county_ref(struct county *county);
void county_unref(struct county **county);

/* The tag a signal's type names, by code or alias (any case); "other" when no dictionary knows it. */
const json_t *county_tag(const struct county *county, const char *type, bool *ret_known);
/* A kind's version; 0: its newest. NULL: none. */
const struct kind *county_kind_find(const struct county *county, const char *code, int64_t version);
/* Is a division the same as another, or below it? */
bool county_is_within(const struct county *county, const char *division_id, const char *above_id);

#endif
