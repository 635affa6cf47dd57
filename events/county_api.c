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

int county_divisions(struct events *events, struct call *call, const struct county_query *query)
{
    struct county_read read = {.query = query, .what = COUNTY_DIVISION};
    int rc = store_read(events->store, read_list, &read);
    return rc ? call_failed(call, rc) : call_list(call, read.rows, query->limit, "id");
}

int county_tags(struct events *events, struct call *call, const struct county_query *query)
{
    struct county_read read = {.query = query, .what = COUNTY_TAG};
    int rc = store_read(events->store, read_list, &read);
    return rc ? call_failed(call, rc) : call_list(call, read.rows, query->limit, "code");
}

int county_grids(struct events *events, struct call *call, const struct county_query *query)
{
    struct county_read read = {.query = query, .what = COUNTY_GRID};
    int rc = store_read(events->store, read_list, &read);
    if (rc)
        return call_failed(call, rc);
    call_list(call, read.rows, query->limit, "code");
    json_t *features = json_array();
    size_t n;
    json_t *row;
    json_array_foreach (call->answer, n, row)
        json_array_append_new(features, make_feature(json_deep_copy(row)));
    const json_t *last =
        call->last ? json_object_get(json_array_get(features, json_array_size(features) - 1), "properties")
                   : NULL;
    call->last = se_json_str(last, "code", NULL);
    json_decref(call->answer);
    call->answer = features;
    return 0;
}

static int read_single(struct events *events, struct call *call, enum county_what what, const char *key)
{
    struct county_read read = {.what = what, .key = key};
    int rc = store_read(events->store, read_row, &read);
    call->version = rc ? 0 : se_json_fingerprint(read.rows);
    if (!rc)
        call->answer = what == COUNTY_GRID ? make_feature(read.rows) : read.rows;
    if (!rc && what == COUNTY_KIND)
        label_kind(call->answer, call->lang);
    return call_failed(call, rc);
}

int county_grid(struct events *events, struct call *call, const char *id_or_code)
{
    return read_single(events, call, COUNTY_GRID, id_or_code);
}

int county_kind(struct events *events, struct call *call, const char *code)
{
    return read_single(events, call, COUNTY_KIND, code);
}

int county_rule(struct events *events, struct call *call, const char *id_or_code)
{
    return read_single(events, call, COUNTY_RULE, id_or_code);
}

/* Takes off what comes up to the row whose key is `after`; nothing when it is NULL or not there. */
static void skip_past(json_t *rows, const char *key, const char *after)
{
    size_t start = 0, n;
    json_t *row;
    json_array_foreach (rows, n, row)
        if (after && !strcmp(after, se_json_str(row, key, "")))
            start = n + 1;
    while (start--)
        json_array_remove(rows, 0);
}

int county_kinds(struct events *events, struct call *call, const char *after, int limit)
{
    struct county_read read = {.what = COUNTY_KIND};
    struct county_query all = {.limit = 1000};
    read.query = &all;
    int rc = store_read(events->store, read_list, &read);
    size_t n;
    json_t *row;
    json_array_foreach (read.rows, n, row)
        label_kind(row, call->lang);
    if (rc)
        return call_failed(call, rc);
    skip_past(read.rows, "code", after);
    return call_list(call, read.rows, limit, "code");
}

int county_rules(struct events *events, struct call *call, const char *after, int limit)
{
    struct county_query all = {.limit = limit};
    struct county_read read = {.query = &all, .what = COUNTY_RULE};
    int rc = store_read(events->store, read_list, &read);
    if (rc)
        return call_failed(call, rc);
    /* Rules come in the order they are asked; the cursor is the last one's id. */
    skip_past(read.rows, "id", after);
    return call_list(call, read.rows, limit, "id");
}

int county_locate(struct events *events, struct call *call, double lat, double lon)
{
    struct county *county = events_county(events);
    struct grid_found found;
    int rc = grid_locate(county->index, lat, lon, events->grid_distance_m, &found);
    if (!rc) {
        const json_t *grid = json_object_get(county->grids, found.grid_id);
        call->answer = json_pack("{s:s,s:s,s:s,s:s,s:I,s:f}", "grid_id", found.grid_id, "code",
                                 se_json_str(grid, "code", ""), "name", se_json_str(grid, "name", ""),
                                 "division_id", found.division_id, "version", (json_int_t)found.version,
                                 "distance_m", found.distance_m);
    } else {
        se_fail(&call->fault.err, rc, "no grid holds this point or lies within %.0f m of it",
                events->grid_distance_m);
    }
    county_unref(&county);
    return rc;
}

/* ---- changing ---- */

struct county_write {
    struct events *events;
    struct call *call;
    enum county_what what;
    bool create;
    const char *key;
    const json_t *body;
};

static const char *const subjects[] = {"division", "grid", "tag", "case_kind", "rule"};

static int do_write(struct store_tx *tx, void *ctx)
{
    struct county_write *write = ctx;
    struct call *call = write->call;
    enum store_put put;
    call_fini(call);
    call->fault = (struct fault){0};
    se_json_ *row = NULL;
    int rc = put_normalize(write->what, write->body, "", &row, &call->fault);
    if (rc)
        return rc;
    const char *key = put_key(write->what, row);
    struct county_read read = {.what = write->what, .key = write->create ? key : write->key};
    rc = read_row(tx, &read);
    const char *stored_code = put_key(write->what, read.rows);
    if (write->create && !rc)
        rc = se_fail(&call->fault.err, -EEXIST, "there is a %s %s already", subjects[write->what], key);
    else if (write->create && rc == -ENOENT)
        rc = 0;
    else if (!rc && call->if_match && call->if_match != se_json_fingerprint(read.rows))
        rc = se_fail(&call->fault.err, -ESTALE, "the %s was changed since you read it; read it again",
                     subjects[write->what]);
    else if (!rc && strcmp(stored_code, key))
        check_fault(&call->fault, "", write->what == COUNTY_DIVISION ? "id" : "code",
                    "cannot be changed: it is \"%s\"", stored_code);
    json_decref(read.rows);
    if (!rc)
        rc = check_result(&call->fault);
    if (!rc)
        rc = put_row(tx, write->what, row, "", &put, &call->fault);
    if (!rc)
        rc = call_audit(write->events, call, tx, "county.change", subjects[write->what], key, NULL);
    if (rc)
        return rc;
    read = (struct county_read){.what = write->what, .key = key};
    rc = read_row(tx, &read);
    if (rc)
        return rc;
    call->version = se_json_fingerprint(read.rows);
    call->answer = write->what == COUNTY_GRID ? make_feature(read.rows) : read.rows;
    if (write->what == COUNTY_KIND)
        label_kind(call->answer, call->lang);
    return 0;
}

static int county_put(struct events *events, struct call *call, struct county_write *write)
{
    write->events = events;
    write->call = call;
    if (!json_is_object(write->body)) {
        check_fault(&call->fault, "", "", "the body must be an object");
        return check_result(&call->fault);
    }
    int rc = call_commit(events, call, do_write, write);
    if (!rc)
        rc = events_reload(events, &call->fault.err);
    return call_failed(call, rc);
}

int county_create(struct events *events, struct call *call, enum county_what what, const json_t *body)
{
    return county_put(events, call, &(struct county_write){.what = what, .create = true, .body = body});
}

int county_replace(struct events *events, struct call *call, enum county_what what, const char *key,
                   const json_t *body)
{
    return county_put(events, call, &(struct county_write){.what = what, .key = key, .body = body});
}
