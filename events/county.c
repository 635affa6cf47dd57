#include "county.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "gateway/store_county.h"

#define ALL          1000000 /* rows: no list of a county is as long */
#define DIVISION_UPS 8       /* levels there may be above one another */

struct rows {
    json_t *divisions, *grids, *tags, *kinds, *rules;
};

static int read_rows(struct store_tx *tx, void *ctx)
{
    struct rows *rows = ctx;
    int rc = store_division_list(tx, NULL, NULL, NULL, ALL, &rows->divisions);
    if (!rc)
        rc = store_grid_list(tx, NULL, true, NULL, ALL, &rows->grids);
    if (!rc)
        rc = store_tag_list(tx, NULL, NULL, NULL, ALL, &rows->tags);
    if (!rc)
        rc = store_kind_versions(tx, &rows->kinds);
    if (!rc)
        rc = store_rule_list(tx, true, &rows->rules);
    return rc;
}

static void rows_fini(struct rows *rows)
{
    json_decref(rows->divisions);
    json_decref(rows->grids);
    json_decref(rows->tags);
    json_decref(rows->kinds);
    json_decref(rows->rules);
}

static void take_tags(struct county *county, const json_t *tags)
{
    size_t n, m;
    json_t *tag, *alias;
    json_array_foreach (tags, n, tag) {
        const char *code = se_json_str(tag, "code", "");
        if (!se_json_bool(tag, "enabled", true))
            continue;
        json_object_set(county->tags, code, tag);
        json_array_foreach (json_object_get(tag, "aliases"), m, alias)
            json_object_set_new(county->aliases, json_string_value(alias), json_string(code));
    }
}

static int take_grids(struct county *county, const json_t *grids, struct se_err *err)
{
    size_t count = json_array_size(grids), taken = 0, n;
    struct grid_entry *entries = calloc(count + 1, sizeof *entries);
    if (!entries)
        return se_fail(err, -ENOMEM, "out of memory");
    json_t *grid;
    json_array_foreach (grids, n, grid) {
        const char *id = se_json_str(grid, "id", ""), *code = se_json_str(grid, "code", "");
        json_t *geometry = json_object_get(grid, "geometry");
        struct se_err wrong = {0};
        if (grid_check(geometry, &wrong)) {
            se_error("county", "a grid is left out grid=%s reason=\"%s\"", code, wrong.text);
            continue;
        }
        json_object_set_new(county->grids, id,
                            json_pack("{s:s,s:s,s:s,s:I}", "code", code, "name",
                                      se_json_str(grid, "name", ""), "division_id",
                                      se_json_str(grid, "division_id", ""), "version",
                                      (json_int_t)se_json_int(grid, "version", 1)));
        entries[taken++] = (struct grid_entry){id, se_json_str(grid, "division_id", ""),
                                               se_json_int(grid, "version", 1), geometry};
    }
    int rc = grid_index_new(entries, taken, &county->index, err);
    free(entries);
    return rc;
}

static int take_kinds(struct county *county, const json_t *kinds, struct se_err *err)
{
    size_t n;
    json_t *row;
    county->kinds = calloc(json_array_size(kinds) + 1, sizeof(struct kind *));
    if (!county->kinds)
        return se_fail(err, -ENOMEM, "out of memory");
    json_array_foreach (kinds, n, row) {
        struct kind *kind = NULL;
        struct se_err wrong = {0};
        if (kind_parse(json_object_get(row, "definition"), &kind, &wrong)) {
            se_error("county", "a case kind is left out kind=%s path=\"%s\" reason=\"%s\"",
                     se_json_str(row, "code", ""), wrong.field, wrong.text);
            continue;
        }
        kind->version = se_json_int(row, "version", 1);
        county->kinds[county->kind_count++] = kind;
    }
    return 0;
}

static void county_free(struct county *county)
{
    for (size_t i = 0; i < county->kind_count; i++)
        kind_free(county->kinds[i]);
    free(county->kinds);
    grid_index_free(county->index);
    json_decref(county->tags);
    json_decref(county->aliases);
    json_decref(county->parents);
    json_decref(county->grids);
    json_decref(county->rules);
    free(county);
}

int county_load(struct store *store, struct county **ret_county, struct se_err *err)
{
    struct rows rows = {0};
    struct county *county = calloc(1, sizeof *county);
    if (!county)
        return se_fail(err, -ENOMEM, "out of memory");
    atomic_init(&county->refs, 1);
    county->tags = json_object();
    county->aliases = json_object();
    county->parents = json_object();
    county->grids = json_object();
    int rc = store_read(store, read_rows, &rows);
    if (rc) {
        se_fail(err, rc, "the county cannot be read from the store: %s", strerror(-rc));
        goto out;
    }
    size_t n;
    json_t *division;
    json_array_foreach (rows.divisions, n, division)
        json_object_set(county->parents, se_json_str(division, "id", ""),
                        json_object_get(division, "parent_id"));
    take_tags(county, rows.tags);
    county->rules = json_incref(rows.rules);
    rc = take_grids(county, rows.grids, err);
    if (!rc)
        rc = take_kinds(county, rows.kinds, err);
out:
    rows_fini(&rows);
    if (rc)
        county_free(county);
    else
        *ret_county = county;
    return rc;
}

struct county *county_ref(struct county *county)
{
    atomic_fetch_add_explicit(&county->refs, 1, memory_order_relaxed);
    return county;
}

void county_unref(struct county **county)
{
    struct county *old = *county;
    *county = NULL;
    if (old && atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) == 1)
        county_free(old);
}

const json_t *county_tag(const struct county *county, const char *type, bool *ret_known)
{
    char lower[65];
    size_t len = strlen(type);
    const json_t *tag = json_object_get(county->tags, type);
    if (!tag && len < sizeof lower) {
        for (size_t i = 0; i <= len; i++)
            lower[i] = (char)tolower((unsigned char)type[i]);
        const char *code = json_string_value(json_object_get(county->aliases, lower));
        tag = code ? json_object_get(county->tags, code) : NULL;
    }
    *ret_known = tag != NULL;
    return tag ? tag : json_object_get(county->tags, "other");
}

const struct kind *county_kind_find(const struct county *county, const char *code, int64_t version)
{
    const struct kind *newest = NULL;
    for (size_t i = 0; i < county->kind_count; i++) {
        const struct kind *kind = county->kinds[i];
        if (strcmp(kind->code, code))
            continue;
        if (version && kind->version == version)
            return kind;
        if (!version && (!newest || kind->version > newest->version))
            newest = kind;
    }
    return newest;
}

bool county_is_within(const struct county *county, const char *division_id, const char *above_id)
{
    for (int i = 0; division_id && i < DIVISION_UPS; i++) {
        if (!strcmp(division_id, above_id))
            return true;
        division_id = json_string_value(json_object_get(county->parents, division_id));
    }
    return false;
}
