/* Rules: what their conditions fit, in which order, and the case they open once. */
#include "events_fixture.h"

#include <errno.h>

#include "check.h"
#include "county.h"
#include "internal.h"

static int seeded(void **state)
{
    int rc = fixture_setup(state);
    if (!rc)
        fixture_seed(*state, SEEDS);
    return rc;
}

static struct rule_facts facts_of(const struct county *county, const char *tag)
{
    bool known;
    return (struct rule_facts){.tag = county_tag(county, tag, &known),
                               .severity = 1,
                               .source = "box",
                               .division_id = "421202001901",
                               .count = 1};
}

static bool fits(struct county *county, const char *when, const struct rule_facts *facts)
{
    json_t *kept = county->rules;
    char text[600];
    snprintf(text, sizeof text, "[{'code':'r','when':%s,'then':{}}]", when);
    county->rules = J(text);
    bool found = rule_find(county, facts) != NULL;
    json_decref(county->rules);
    county->rules = kept;
    return found;
}

static void each_condition_counts(void **state)
{
    struct fixture *f = *state;
    struct county *county = events_county(f->events);
    struct rule_facts facts = facts_of(county, "illegal_parking");
    assert_true(fits(county, "{}", &facts));
    assert_true(fits(county, "{'tags':['09009']}", &facts));
    assert_true(fits(county, "{'tags':['x','illegal_parking']}", &facts));
    assert_false(fits(county, "{'tags':['09010']}", &facts));
    assert_true(fits(county, "{'classes':['09']}", &facts));
    assert_false(fits(county, "{'classes':['08']}", &facts));
    assert_true(fits(county, "{'min_severity':'minor'}", &facts));
    assert_false(fits(county, "{'min_severity':'major'}", &facts));
    assert_true(fits(county, "{'sources':['box']}", &facts));
    assert_false(fits(county, "{'sources':['other']}", &facts));
    assert_false(fits(county, "{'min_count':2}", &facts));
    facts.count = 2;
    assert_true(fits(county, "{'min_count':2}", &facts));
    assert_true(fits(county, "{'divisions':['421202000000']}", &facts)); /* far above it */
    assert_true(fits(county, "{'divisions':['421202001901']}", &facts));
    assert_false(fits(county, "{'divisions':['421202002000']}", &facts));
    facts.division_id = NULL;
    assert_false(fits(county, "{'divisions':['421202000000']}", &facts));
    assert_false(fits(county, "{'grids':['421202001-01']}", &facts));
    const char *grid_id;
    json_t *grid;
    json_object_foreach (county->grids, grid_id, grid)
        if (!strcmp(se_json_str(grid, "code", ""), "421202001-01"))
            break;
    facts.grid_id = grid_id;
    assert_true(fits(county, "{'grids':['421202001-01']}", &facts));
    assert_false(fits(county, "{'grids':['421202001-01'],'min_severity':'critical'}", &facts));
    county_unref(&county);
}

static void the_lowest_order_that_fits_decides(void **state)
{
    struct fixture *f = *state;
    struct county *county = events_county(f->events);
    struct rule_facts facts = facts_of(county, "illegal_parking");
    assert_string_equal(se_json_str(rule_find(county, &facts), "code", ""), "street-order");
    facts.severity = 3;
    assert_string_equal(se_json_str(rule_find(county, &facts), "code", ""), "critical");
    facts.severity = 0;
    assert_null(rule_find(county, &facts));
    facts = facts_of(county, "camera_fault");
    facts.severity = 3; /* even then: the rule before says no case */
    assert_string_equal(se_json_str(rule_find(county, &facts), "code", ""), "camera-faults");
    county_unref(&county);
}

static json_t *newest_incident(struct fixture *f)
{
    struct call call = {.who = &f->admin};
    struct incident_query query = {.limit = 1};
    assert_int_equal(incident_list(f->events, &call, &query), 0);
    json_t *incident = json_incref(json_array_get(call.answer, 0));
    call_fini(&call);
    return incident;
}

static void post(struct fixture *f, const char *body)
{
    struct call call = {.who = &f->admin};
    json_t *json = J(body);
    assert_int_equal(signals_post(f->events, &call, json), 0);
    json_decref(json);
    call_fini(&call);
}

#define CARPET(second)                                                                                       \
    "{'source':'b','type':'carpet','occurred_at':'2026-11-20T08:00:0" #second "Z','camera':'cam01'}"

static void a_rising_count_opens_the_case_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        post(f, i == 0   ? CARPET(0)
                : i == 1 ? CARPET(1)
                : i == 2 ? CARPET(2)
                : i == 3 ? CARPET(3)
                         : CARPET(4));
        json_t *incident = newest_incident(f);
        assert_int_equal(se_json_int(incident, "count", 0), i + 1);
        assert_int_equal(json_is_string(json_object_get(incident, "case_id")), i >= 2);
        assert_string_equal(se_json_str(incident, "status", ""), i >= 2 ? "in_progress" : "new");
        json_decref(incident);
    }
    struct case_query cases = {.limit = 10};
    struct call call = {.who = &f->admin};
    assert_int_equal(case_list(f->events, &call, &cases), 0);
    assert_int_equal(json_array_size(call.answer), 1);
    const json_t *only = json_array_get(call.answer, 0);
    assert_non_null(strstr(se_json_str(only, "title", ""), "carpet"));
    assert_string_equal(se_json_str(only, "department_name", ""), "咸安区综治中心");
    call_fini(&call);
}

static void wrong(const char *rule, const char *field)
{
    struct fault fault = {0};
    json_t *json = J(rule);
    rule_check(&fault, "", json);
    json_decref(json);
    if (!*field) {
        assert_int_equal(fault.err.code, 0);
    } else {
        assert_int_equal(fault.err.code, -EINVAL);
        assert_string_equal(se_json_str(json_array_get(fault.errors, 0), "field", ""), field);
    }
    fault_fini(&fault);
}

static void a_wrong_rule_is_named(void **state)
{
    (void)state;
    wrong("{'code':'r','name':'r','when':{},'then':{'kind':'k'}}", "");
    wrong("{'code':'r','name':'r','when':{},'then':{'open_case':false}}", "");
    wrong("{'code':'r r','name':'r','when':{},'then':{'kind':'k'}}", "code");
    wrong("{'code':'r','when':{},'then':{'kind':'k'}}", "name");
    wrong("{'code':'r','name':'r','then':{'kind':'k'}}", "when");
    wrong("{'code':'r','name':'r','when':{}}", "then");
    wrong("{'code':'r','name':'r','when':{},'then':{}}", "then/kind");
    wrong("{'code':'r','name':'r','when':{'tag':'x'},'then':{'kind':'k'}}", "when/tag");
    wrong("{'code':'r','name':'r','when':{'tags':'x'},'then':{'kind':'k'}}", "when/tags");
    wrong("{'code':'r','name':'r','when':{'tags':[1]},'then':{'kind':'k'}}", "when/tags/0");
    wrong("{'code':'r','name':'r','when':{'min_count':0},'then':{'kind':'k'}}", "when/min_count");
    wrong("{'code':'r','name':'r','when':{},'then':{'kind':'k','deadline_minutes':0}}",
          "then/deadline_minutes");
    wrong("{'code':'r','name':'r','order':-1,'when':{},'then':{'kind':'k'}}", "order");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_condition_counts, seeded, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_lowest_order_that_fits_decides, seeded, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_rising_count_opens_the_case_once, seeded, fixture_teardown),
        cmocka_unit_test(a_wrong_rule_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
