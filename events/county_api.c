/* The county as the API shows and changes it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "check.h"
#include "gateway/store_county.h"
#include "internal.h"
#include "put.h"

struct county_read {
    const struct county_query *query;
    enum county_what what;
    const char *key;
    json_t *rows;
};

static int read_list(struct store_tx *tx, void *ctx)
{
    struct county_read *read = ctx;
    const struct county_query *q = read->query;
    switch (read->what) {
    case COUNTY_DIVISION:
        return store_division_list(tx, q->parent_id, q->level, q->after, q->limit + 1, &read->rows);
    case COUNTY_GRID:
        return store_grid_list(tx, q->division_id, false, q->after, q->limit + 1, &read->rows);
    case COUNTY_TAG:
        return store_tag_list(tx, q->class, q->q, q->after, q->limit + 1, &read->rows);
    case COUNTY_KIND:
        return store_kind_list(tx, &read->rows);
    case COUNTY_RULE:
        return store_rule_list(tx, false, &read->rows);
    }
    return -EINVAL;
}

static int read_row(struct store_tx *tx, void *ctx)
{
    struct county_read *read = ctx;
    switch (read->what) {
    case COUNTY_DIVISION:
        return store_division_get(tx, read->key, &read->rows);
    case COUNTY_GRID:
        return store_grid_get(tx, read->key, &read->rows);
    case COUNTY_TAG:
        return store_tag_get(tx, read->key, &read->rows);
    case COUNTY_KIND:
        return store_kind_get(tx, read->key, 0, &read->rows);
    case COUNTY_RULE:
        return store_rule_get(tx, read->key, &read->rows);
    }
    return -EINVAL;
}

/* A grid's row as a GeoJSON feature. Takes row. */
static json_t *make_feature(json_t *row)
{
    json_t *id = json_incref(json_object_get(row, "id"));
    json_t *geometry = json_incref(json_object_get(row, "geometry"));
    json_object_del(row, "geometry");
    return json_pack("{s:s,s:o,s:o,s:o}", "type", "Feature", "id", id, "geometry", geometry, "properties",
                     row);
}

/* A kind's row with its name in the reader's language. */
static void label_kind(json_t *row, const char *lang)
{
    const json_t *definition = json_object_get(row, "definition");
    se_json_put_str(row, "name", kind_text(json_object_get(definition, "name"), lang));
}

int county_divisions(struct events *events, struct act *act, const struct county_query *query)
{
    struct county_read read = {.query = query, .what = COUNTY_DIVISION};
    int rc = store_read(events->store, read_list, &read);
    return rc ? act_failed(act, rc) : act_list(act, read.rows, query->limit, "id");
}

int county_tags(struct events *events, struct act *act, const struct county_query *query)
{
    struct county_read read = {.query = query, .what = COUNTY_TAG};
    int rc = store_read(events->store, read_list, &read);
    return rc ? act_failed(act, rc) : act_list(act, read.rows, query->limit, "code");
}

int county_grids(struct events *events, struct act *act, const struct county_query *query)
{
    struct county_read read = {.query = query, .what = COUNTY_GRID};
    int rc = store_read(events->store, read_list, &read);
    if (rc)
        return act_failed(act, rc);
    act_list(act, read.rows, query->limit, "code");
    json_t *features = json_array();
    size_t n;
    json_t *row;
    json_array_foreach (act->answer, n, row)
        json_array_append_new(features, make_feature(json_deep_copy(row)));
    const json_t *last =
        act->last ? json_object_get(json_array_get(features, json_array_size(features) - 1), "properties")
                  : NULL;
    act->last = se_json_str(last, "code", NULL);
    json_decref(act->answer);
    act->answer = features;
    return 0;
}

static int read_single(struct events *events, struct act *act, enum county_what what, const char *key)
{
    struct county_read read = {.what = what, .key = key};
    int rc = store_read(events->store, read_row, &read);
    if (!rc)
        act->answer = what == COUNTY_GRID ? make_feature(read.rows) : read.rows;
    if (!rc && what == COUNTY_KIND)
        label_kind(act->answer, act->lang);
    return act_failed(act, rc);
}

int county_grid(struct events *events, struct act *act, const char *id_or_code)
{
    return read_single(events, act, COUNTY_GRID, id_or_code);
}

int county_kind(struct events *events, struct act *act, const char *code)
{
    return read_single(events, act, COUNTY_KIND, code);
}

int county_rule(struct events *events, struct act *act, const char *id_or_code)
{
    return read_single(events, act, COUNTY_RULE, id_or_code);
}

int county_kinds(struct events *events, struct act *act)
{
    struct county_read read = {.what = COUNTY_KIND};
    struct county_query all = {.limit = 1000};
    read.query = &all;
    int rc = store_read(events->store, read_list, &read);
    size_t n;
    json_t *row;
    json_array_foreach (read.rows, n, row)
        label_kind(row, act->lang);
    if (!rc)
        act->answer = read.rows;
    return act_failed(act, rc);
}

int county_rules(struct events *events, struct act *act, const char *after, int limit)
{
    struct county_query all = {.limit = limit};
    struct county_read read = {.query = &all, .what = COUNTY_RULE};
    int rc = store_read(events->store, read_list, &read);
    if (rc)
        return act_failed(act, rc);
    /* Rules come in the order they are asked; the cursor is the last one's id. */
    size_t start = 0, n;
    json_t *row;
    json_array_foreach (read.rows, n, row)
        if (after && !strcmp(after, se_json_str(row, "id", "")))
            start = n + 1;
    while (start--)
        json_array_remove(read.rows, 0);
    return act_list(act, read.rows, limit, "id");
}

int county_locate(struct events *events, struct act *act, double lat, double lon)
{
    struct county *county = events_county(events);
    struct grid_found found;
    int rc = grid_locate(county->index, lat, lon, events->grid_distance_m, &found);
    if (!rc) {
        const json_t *grid = json_object_get(county->grids, found.grid_id);
        act->answer = json_pack("{s:s,s:s,s:s,s:s,s:I,s:f}", "grid_id", found.grid_id, "code",
                                se_json_str(grid, "code", ""), "name", se_json_str(grid, "name", ""),
                                "division_id", found.division_id, "version", (json_int_t)found.version,
                                "distance_m", found.distance_m);
    } else {
        se_fail(&act->fault.err, rc, "no grid holds this point or lies within %.0f m of it",
                events->grid_distance_m);
    }
    county_unref(&county);
    return rc;
}

/* ---- changing ---- */

struct county_write {
    struct events *events;
    struct act *act;
    enum county_what what;
    bool create;
    const char *key;
    const json_t *body;
};

static const char *const subjects[] = {"division", "grid", "tag", "case_kind", "rule"};

static int do_write(struct store_tx *tx, void *ctx)
{
    struct county_write *write = ctx;
    struct act *act = write->act;
    enum store_put put;
    act_fini(act);
    act->fault = (struct fault){0};
    se_json_ *row = NULL;
    int rc = put_normalize(write->what, write->body, "", &row, &act->fault);
    if (rc)
        return rc;
    const char *key = put_key(write->what, row);
    struct county_read read = {.what = write->what, .key = write->create ? key : write->key};
    rc = read_row(tx, &read);
    const char *stored_code = put_key(write->what, read.rows);
    if (write->create && !rc)
        rc = se_fail(&act->fault.err, -EEXIST, "there is a %s %s already", subjects[write->what], key);
    else if (write->create && rc == -ENOENT)
        rc = 0;
    else if (!rc && strcmp(stored_code, key))
        check_fault(&act->fault, "", write->what == COUNTY_DIVISION ? "id" : "code",
                    "cannot be changed: it is \"%s\"", stored_code);
    json_decref(read.rows);
    if (!rc)
        rc = check_result(&act->fault);
    if (!rc)
        rc = put_row(tx, write->what, row, "", &put, &act->fault);
    if (!rc)
        rc = act_audit(write->events, act, tx, "county.change", subjects[write->what], key, NULL);
    if (rc)
        return rc;
    read = (struct county_read){.what = write->what, .key = key};
    rc = read_row(tx, &read);
    if (rc)
        return rc;
    act->answer = write->what == COUNTY_GRID ? make_feature(read.rows) : read.rows;
    if (write->what == COUNTY_KIND)
        label_kind(act->answer, act->lang);
    return 0;
}

static int county_put(struct events *events, struct act *act, struct county_write *write)
{
    write->events = events;
    write->act = act;
    if (!json_is_object(write->body)) {
        check_fault(&act->fault, "", "", "the body must be an object");
        return check_result(&act->fault);
    }
    int rc = act_commit(events, act, do_write, write);
    if (!rc)
        rc = events_reload(events, &act->fault.err);
    return act_failed(act, rc);
}

int county_create(struct events *events, struct act *act, enum county_what what, const json_t *body)
{
    return county_put(events, act, &(struct county_write){.what = what, .create = true, .body = body});
}

int county_replace(struct events *events, struct act *act, enum county_what what, const char *key,
                   const json_t *body)
{
    return county_put(events, act, &(struct county_write){.what = what, .key = key, .body = body});
}
