#include "put.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "check.h"
#include "grid.h"
#include "internal.h"
#include "kind.h"

static const char *const levels[] = {"city", "county", "township", "village"};
static const char *const department_kinds[] = {"public_security", "traffic",           "urban_management",
                                               "environment",     "governance_centre", "other"};

static bool one_of(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; text && i < count; i++)
        if (!strcmp(list[i], text))
            return true;
    return false;
}

static bool division_code(const char *text)
{
    return text && strlen(text) == 12 && strspn(text, "0123456789") == 12;
}

static void check_division(struct fault *fault, const char *prefix, const json_t *row)
{
    static const char *const known[] = {"id",        "code",         "name",      "level",
                                        "parent_id", "abbreviation", "synthetic", NULL};
    const char *name = NULL, *abbreviation = NULL, *parent = NULL;
    bool synthetic = false;
    check_known(fault, prefix, row, known);
    if (!division_code(se_json_str(row, "id", NULL)))
        check_fault(fault, prefix, "id", "must be the division's code of 12 digits");
    check_text(fault, prefix, row, "name", true, 128, &name);
    if (!one_of(se_json_str(row, "level", NULL), levels, SE_ARRAY_LEN(levels)))
        check_fault(fault, prefix, "level", "must be city, county, township or village");
    check_text(fault, prefix, row, "parent_id", false, 12, &parent);
    if (parent && !division_code(parent))
        check_fault(fault, prefix, "parent_id", "must be a division's code of 12 digits");
    check_text(fault, prefix, row, "abbreviation", false, 8, &abbreviation);
    if (abbreviation && (!check_code(abbreviation) || strpbrk(abbreviation, "-_")))
        check_fault(fault, prefix, "abbreviation", "must be 1 to 8 letters and digits");
    check_bool(fault, prefix, row, "synthetic", &synthetic);
}

static void check_row_code(struct fault *fault, const char *prefix, const json_t *row)
{
    const char *code = NULL;
    check_text(fault, prefix, row, "code", true, 64, &code);
    if (code && !check_code(code))
        check_fault(fault, prefix, "code", "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -");
}

static void check_grid(struct fault *fault, const char *prefix, const json_t *row)
{
    static const char *const known[] = {"code",      "name",    "division_id", "geometry",
                                        "synthetic", "enabled", NULL};
    const char *name = NULL;
    bool flag = false;
    struct se_err err = {0};
    check_known(fault, prefix, row, known);
    check_row_code(fault, prefix, row);
    check_text(fault, prefix, row, "name", true, 128, &name);
    if (!division_code(se_json_str(row, "division_id", NULL)))
        check_fault(fault, prefix, "division_id", "must be a division's code of 12 digits");
    check_bool(fault, prefix, row, "synthetic", &flag);
    check_bool(fault, prefix, row, "enabled", &flag);
    const json_t *geometry = json_object_get(row, "geometry");
    if (!json_is_object(geometry)) {
        check_fault(fault, prefix, "geometry", "must be a GeoJSON Polygon or MultiPolygon");
    } else if (grid_check(geometry, &err)) {
        char member[80];
        snprintf(member, sizeof member, "geometry%s%s", err.field[0] ? "/" : "", err.field);
        check_fault(fault, prefix, member, "%s", err.text);
    }
}

static void check_aliases(struct fault *fault, const char *prefix, const json_t *row)
{
    const json_t *aliases = json_object_get(row, "aliases");
    size_t n;
    json_t *alias;
    if (!aliases)
        return;
    if (!json_is_array(aliases) || json_array_size(aliases) > 50) {
        check_fault(fault, prefix, "aliases", "must be an array of at most 50 texts");
        return;
    }
    json_array_foreach (aliases, n, alias) {
        const char *text = json_string_value(alias);
        char member[32];
        snprintf(member, sizeof member, "aliases/%zu", n);
        bool lower = text && *text && strlen(text) <= 64;
        for (const char *p = text; lower && *p; p++)
            lower = !isupper((unsigned char)*p);
        if (!lower)
            check_fault(fault, prefix, member, "must be 1 to 64 bytes in lower case");
    }
}

static void check_tag(struct fault *fault, const char *prefix, const json_t *row)
{
    static const char *const known[] = {"code",    "dictionary",      "class",    "class_name", "name",
                                        "name_en", "colour",          "severity", "window_s",   "enabled",
                                        "aliases", "department_kind", NULL};
    const char *text = NULL, *colour = se_json_str(row, "colour", "");
    const char *department = se_json_str(row, "department_kind", NULL);
    int64_t window = 0;
    int severity = -1;
    bool enabled = true;
    check_known(fault, prefix, row, known);
    check_row_code(fault, prefix, row);
    check_text(fault, prefix, row, "dictionary", true, 64, &text);
    check_text(fault, prefix, row, "class", true, 16, &text);
    check_text(fault, prefix, row, "class_name", true, 64, &text);
    check_text(fault, prefix, row, "name", true, 64, &text);
    check_text(fault, prefix, row, "name_en", false, 128, &text);
    if (!check_colour(colour))
        check_fault(fault, prefix, "colour", "must be #rrggbb in lower case");
    check_severity(fault, prefix, row, "severity", &severity);
    if (severity < 0)
        check_fault(fault, prefix, "severity", "is required");
    if (department && !one_of(department, department_kinds, SE_ARRAY_LEN(department_kinds)))
        check_fault(fault, prefix, "department_kind", "is no kind of department");
    check_int(fault, prefix, row, "window_s", 1, 86400, &window);
    check_bool(fault, prefix, row, "enabled", &enabled);
    check_aliases(fault, prefix, row);
}

static void check_kind(struct fault *fault, const char *prefix, json_t *row)
{
    struct se_err err = {0};
    struct kind *kind = NULL;
    if (kind_parse(row, &kind, &err))
        check_fault(fault, prefix, err.field, "%s", err.text);
    kind_free(kind);
}

void put_check_dictionary(struct fault *fault, const char *prefix, const json_t *row)
{
    static const char *const known[] = {"code", "standard", "version", "name", "local", NULL};
    const char *text = NULL;
    bool local = false;
    check_known(fault, prefix, row, known);
    check_row_code(fault, prefix, row);
    check_text(fault, prefix, row, "standard", true, 64, &text);
    check_text(fault, prefix, row, "version", true, 32, &text);
    check_text(fault, prefix, row, "name", true, 128, &text);
    check_bool(fault, prefix, row, "local", &local);
}

/* A feature's properties with its geometry; of an API body the read-only members left out. */
static json_t *flatten(enum county_what what, const json_t *body)
{
    static const char *const read_only[] = {"id", "version", "created_at", "updated_at"};
    const json_t *properties = json_object_get(body, "properties");
    bool feature = what == COUNTY_GRID && json_is_object(properties);
    json_t *row = json_copy((json_t *)(feature ? properties : body));
    if (!row)
        return NULL;
    if (feature)
        json_object_set(row, "geometry", json_object_get(body, "geometry"));
    if (what == COUNTY_DIVISION) {
        if (!json_object_get(row, "id"))
            json_object_set(row, "id", json_object_get(row, "code"));
        json_object_del(row, "code");
    }
    for (size_t i = 0; i < SE_ARRAY_LEN(read_only); i++)
        if ((what == COUNTY_GRID || what == COUNTY_RULE))
            json_object_del(row, read_only[i]);
    if (what == COUNTY_TAG) {
        json_object_del(row, "standard");
        json_object_del(row, "standard_version");
        json_object_del(row, "local");
    }
    /* A kind may be sent as it is shown: its definition is the row. */
    json_t *definition = what == COUNTY_KIND ? json_incref(json_object_get(row, "definition")) : NULL;
    if (definition) {
        json_decref(row);
        row = definition;
    }
    return row;
}

int put_normalize(enum county_what what, const json_t *body, const char *prefix, json_t **ret_row,
                  struct fault *fault)
{
    if (!json_is_object(body)) {
        check_fault(fault, prefix, "", "must be an object");
        return check_result(fault);
    }
    se_json_ *row = flatten(what, body);
    if (!row)
        return -ENOMEM;
    switch (what) {
    case COUNTY_DIVISION:
        check_division(fault, prefix, row);
        break;
    case COUNTY_GRID:
        check_grid(fault, prefix, row);
        break;
    case COUNTY_TAG:
        check_tag(fault, prefix, row);
        break;
    case COUNTY_KIND:
        check_kind(fault, prefix, row);
        break;
    case COUNTY_RULE:
        rule_check(fault, prefix, row);
        break;
    }
    int rc = check_result(fault);
    if (!rc)
        *ret_row = SE_TAKE(row);
    return rc;
}

const char *put_key(enum county_what what, const json_t *row)
{
    return se_json_str(row, what == COUNTY_DIVISION ? "id" : "code", "");
}

static int refers(struct store_tx *tx, struct fault *fault, const char *prefix, const char *member,
                  int (*get)(struct store_tx *tx, const char *key, json_t **ret_row), const char *key,
                  const char *what)
{
    se_json_ *row = NULL;
    int rc = get(tx, key, &row);
    if (rc == -ENOENT) {
        check_fault(fault, prefix, member, "\"%s\" is no %s of this county", key, what);
        return check_result(fault);
    }
    return rc;
}

static int check_rule_refers(struct store_tx *tx, const json_t *row, const char *prefix, struct fault *fault)
{
    const json_t *when = json_object_get(row, "when"), *then = json_object_get(row, "then");
    const char *kind = se_json_str(then, "kind", NULL);
    se_json_ *stored = NULL;
    int rc = kind ? store_kind_get(tx, kind, 0, &stored) : 0;
    if (rc == -ENOENT) {
        check_fault(fault, prefix, "then/kind", "\"%s\" is no case kind of this county", kind);
        rc = check_result(fault);
    }
    size_t n;
    json_t *value;
    json_array_foreach (json_object_get(when, "divisions"), n, value) {
        char member[48];
        snprintf(member, sizeof member, "when/divisions/%zu", n);
        if (!rc)
            rc = refers(tx, fault, prefix, member, store_division_get, json_string_value(value), "division");
    }
    json_array_foreach (json_object_get(when, "grids"), n, value) {
        char member[48];
        snprintf(member, sizeof member, "when/grids/%zu", n);
        if (!rc)
            rc = refers(tx, fault, prefix, member, store_grid_get, json_string_value(value), "grid");
    }
    json_array_foreach (json_object_get(when, "tags"), n, value) {
        char member[48];
        snprintf(member, sizeof member, "when/tags/%zu", n);
        if (!rc)
            rc = refers(tx, fault, prefix, member, store_tag_get, json_string_value(value), "tag's code");
    }
    return rc;
}

int put_row(struct store_tx *tx, enum county_what what, const json_t *row, const char *prefix,
            enum store_put *ret_put, struct fault *fault)
{
    const char *parent = se_json_str(row, "parent_id", NULL);
    int rc = 0;
    switch (what) {
    case COUNTY_DIVISION:
        rc = parent ? refers(tx, fault, prefix, "parent_id", store_division_get, parent, "division") : 0;
        return rc ? rc : store_division_put(tx, row, ret_put);
    case COUNTY_GRID:
        rc = refers(tx, fault, prefix, "division_id", store_division_get, se_json_str(row, "division_id", ""),
                    "division");
        return rc ? rc : store_grid_put(tx, row, ret_put, NULL);
    case COUNTY_TAG:
        rc = store_tag_put(tx, row, ret_put);
        if (rc == -EEXIST)
            check_fault(fault, prefix, "aliases", "one of them belongs to another tag already");
        else if (rc == -ENOLINK)
            check_fault(fault, prefix, "dictionary", "\"%s\" is no dictionary of this county",
                        se_json_str(row, "dictionary", ""));
        return fault->err.code ? fault->err.code : rc;
    case COUNTY_KIND:
        return store_kind_put(tx, se_json_str(row, "code", ""), row, ret_put);
    case COUNTY_RULE:
        rc = check_rule_refers(tx, row, prefix, fault);
        return rc ? rc : store_rule_put(tx, row, ret_put);
    }
    return -EINVAL;
}
