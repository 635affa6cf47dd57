/* Rules: which incidents become cases, as data. */
#include <string.h>

#include "base/json.h"
#include "check.h"
#include "internal.h"

static void check_list(struct fault *fault, const char *prefix, const json_t *object, const char *member)
{
    const json_t *list = json_object_get(object, member);
    char path[48];
    size_t n;
    json_t *value;
    if (!list || json_is_null(list))
        return;
    if (!json_is_array(list) || !json_array_size(list) || json_array_size(list) > 500) {
        check_fault(fault, prefix, member, "must be an array of 1 to 500 texts");
        return;
    }
    json_array_foreach (list, n, value) {
        snprintf(path, sizeof path, "%s/%zu", member, n);
        if (!json_is_string(value) || !json_string_length(value) || json_string_length(value) > 128)
            check_fault(fault, prefix, path, "must be a text of 1 to 128 bytes");
    }
}

static void check_when(struct fault *fault, const char *prefix, const json_t *when)
{
    static const char *const known[] = {"tags",      "classes",      "sources",   "grids",
                                        "divisions", "min_severity", "min_count", NULL};
    int severity = 0;
    int64_t count = 1;
    check_known(fault, prefix, when, known);
    for (int i = 0; i < 5; i++)
        check_list(fault, prefix, when, known[i]);
    check_severity(fault, prefix, when, "min_severity", &severity);
    check_int(fault, prefix, when, "min_count", 1, 1000000, &count);
}

static void check_then(struct fault *fault, const char *prefix, const json_t *then)
{
    static const char *const known[] = {"open_case", "kind", "department_kind", "deadline_minutes", NULL};
    const char *kind = NULL, *department = NULL;
    int64_t minutes = 1;
    bool open = true;
    check_known(fault, prefix, then, known);
    check_bool(fault, prefix, then, "open_case", &open);
    check_text(fault, prefix, then, "kind", open, 64, &kind);
    check_text(fault, prefix, then, "department_kind", false, 64, &department);
    check_int(fault, prefix, then, "deadline_minutes", 1, 525600, &minutes);
}

void rule_check(struct fault *fault, const char *prefix, const json_t *row)
{
    static const char *const known[] = {"code", "name", "order", "enabled", "when", "then", NULL};
    const char *code = NULL, *name = NULL;
    const json_t *when = json_object_get(row, "when"), *then = json_object_get(row, "then");
    int64_t order = 0;
    bool enabled = true;
    char path[64];
    check_known(fault, prefix, row, known);
    check_text(fault, prefix, row, "code", true, 64, &code);
    if (code && !check_code(code))
        check_fault(fault, prefix, "code", "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -");
    check_text(fault, prefix, row, "name", true, 128, &name);
    check_int(fault, prefix, row, "order", 0, 1000000, &order);
    check_bool(fault, prefix, row, "enabled", &enabled);
    snprintf(path, sizeof path, "%.40s%swhen", prefix, *prefix ? "/" : "");
    if (json_is_object(when))
        check_when(fault, path, when);
    else
        check_fault(fault, prefix, "when", "must be an object of conditions; {} fits everything");
    snprintf(path, sizeof path, "%.40s%sthen", prefix, *prefix ? "/" : "");
    if (json_is_object(then))
        check_then(fault, path, then);
    else
        check_fault(fault, prefix, "then", "must be an object such as {\"open_case\": true, \"kind\": …}");
}

/* Is text in the list? No list: any will do. */
static bool listed(const json_t *list, const char *text)
{
    if (!json_is_array(list))
        return true;
    size_t n;
    json_t *value;
    json_array_foreach (list, n, value)
        if (text && !strcmp(json_string_value(value), text))
            return true;
    return false;
}

static bool listed_tag(const json_t *list, const json_t *tag)
{
    if (listed(list, se_json_str(tag, "code", "")))
        return true;
    size_t n;
    json_t *alias;
    json_array_foreach (json_object_get(tag, "aliases"), n, alias)
        if (listed(list, json_string_value(alias)))
            return true;
    return false;
}

static bool listed_grid(const struct county *county, const json_t *list, const char *grid_id)
{
    const json_t *grid = grid_id ? json_object_get(county->grids, grid_id) : NULL;
    return listed(list, grid_id) || (grid && listed(list, se_json_str(grid, "code", NULL)));
}

static bool listed_division(const struct county *county, const json_t *list, const char *division_id)
{
    if (!json_is_array(list))
        return true;
    size_t n;
    json_t *value;
    json_array_foreach (list, n, value)
        if (county_is_within(county, division_id, json_string_value(value)))
            return true;
    return false;
}

static bool fits(const struct county *county, const json_t *when, const struct rule_facts *facts)
{
    int severity = severity_rank(se_json_str(when, "min_severity", "info"));
    return facts->severity >= severity && facts->count >= se_json_int(when, "min_count", 1) &&
           listed_tag(json_object_get(when, "tags"), facts->tag) &&
           listed(json_object_get(when, "classes"), se_json_str(facts->tag, "class", "")) &&
           listed(json_object_get(when, "sources"), facts->source) &&
           listed_grid(county, json_object_get(when, "grids"), facts->grid_id) &&
           listed_division(county, json_object_get(when, "divisions"), facts->division_id);
}

const json_t *rule_find(const struct county *county, const struct rule_facts *facts)
{
    size_t n;
    json_t *rule;
    json_array_foreach (county->rules, n, rule)
        if (fits(county, json_object_get(rule, "when"), facts))
            return rule;
    return NULL;
}
