/* Case kinds and the engine that interprets them. */
#include "events_fixture.h"

#include <errno.h>

#include "check.h"
#include "kind.h"
#include "workflow.h"

#define MINUTE 60000LL

static struct kind *load_kind(void)
{
    struct se_err err = {0};
    struct kind *kind = NULL;
    json_t *json = json_load_file(SEEDS "/kinds/grid-incident.json", 0, NULL);
    assert_non_null(json);
    if (kind_parse(json, &kind, &err))
        fail_msg("%s: %s", err.field, err.text);
    json_decref(json);
    return kind;
}

static const struct access_who centre = {.user_id = "u1",
                                         .department_id = "d0",
                                         .permissions = ~0ULL,
                                         .all_departments = true,
                                         .roles = "commander"};

static bool step(const struct kind *kind, struct workflow_state *state, const char *name, const char *fields,
                 se_wall_ms now)
{
    const struct kind_action *action = kind_action_find(kind, name);
    json_t *json = fields ? J(fields) : NULL;
    struct fault fault = {0};
    bool done = action && workflow_allowed(state, action, &centre) &&
                !workflow_check_fields(kind, action, NULL, json, &fault);
    if (done) {
        workflow_step(kind, state, action, json, now, state);
        state->comment = NULL; /* lay in json */
    }
    fault_fini(&fault);
    json_decref(json);
    return done;
}

static const char *stage(const struct kind *kind, const struct workflow_state *state)
{
    return kind->stages[state->stage].code;
}

static void the_whole_loop(void **state_)
{
    (void)state_;
    static const struct {
        const char *action, *fields, *stage;
        enum case_loop loop;
    } way[] = {
        {"accept", NULL, "filed", LOOP_ASSESS},
        {"dispatch", NULL, "dispatched", LOOP_ASSIGN},
        {"start", NULL, "handling", LOOP_HANDLE},
        {"finish", NULL, "verifying", LOOP_CLOSE},
        {"rework", "{'note':'x'}", "handling", LOOP_HANDLE},
        {"return", "{'note':'x'}", "filed", LOOP_ASSESS},
        {"dispatch", NULL, "dispatched", LOOP_ASSIGN},
        {"start", NULL, "handling", LOOP_HANDLE},
        {"finish", NULL, "verifying", LOOP_CLOSE},
        {"verify", NULL, "verified", LOOP_CLOSE},
        {"close", NULL, "closed", LOOP_CLOSE},
        {"evaluate", "{'score':5}", "evaluated", LOOP_EVALUATE},
    };
    struct kind *kind = load_kind();
    struct workflow_state state;
    workflow_open(kind, 0, 1000, &state);
    assert_string_equal(stage(kind, &state), "reported");
    assert_int_equal(kind->stages[state.stage].loop, LOOP_COLLECT);
    for (size_t i = 0; i < SE_ARRAY_LEN(way); i++) {
        if (!step(kind, &state, way[i].action, way[i].fields, 2000 + (se_wall_ms)i))
            fail_msg("%s was refused", way[i].action);
        assert_string_equal(stage(kind, &state), way[i].stage);
        assert_int_equal(kind->stages[state.stage].loop, way[i].loop);
        assert_int_equal(state.status, i < 10 ? CASE_OPEN : CASE_CLOSED);
    }
    assert_int_equal(state.score, 5);
    assert_int_equal(state.closed_at, 2010); /* evaluation does not move it */
    kind_free(kind);
}

static void what_is_required_is_required(void **state_)
{
    (void)state_;
    struct kind *kind = load_kind();
    struct workflow_state state;
    struct fault fault = {0};
    workflow_open(kind, 0, 1000, &state);
    assert_false(step(kind, &state, "reject", NULL, 2));
    assert_true(step(kind, &state, "reject", "{'note':'unfounded'}", 2));
    assert_int_equal(state.status, CASE_CLOSED);
    assert_false(step(kind, &state, "accept", NULL, 3));

    const struct kind_action *evaluate = kind_action_find(kind, "evaluate");
    static const char *const bad[] = {"{'score':0}",
                                      "{'score':6}",
                                      "{'score':'5'}",
                                      "{'score':2.5}",
                                      "{}",
                                      "{'score':3,'comment':7}",
                                      "{'score':3,'x':{'deep':1}}"};
    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++) {
        json_t *fields = J(bad[i]);
        if (workflow_check_fields(kind, evaluate, NULL, fields, &fault) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
        assert_true(json_array_size(fault.errors) == 1);
        fault_fini(&fault);
        fault = (struct fault){0};
        json_decref(fields);
    }
    json_t *fields = J("{'score':3,'comment':'ok','count':2}");
    assert_int_equal(workflow_check_fields(kind, evaluate, NULL, fields, &fault), 0);
    json_decref(fields);
    const struct kind_action *reject = kind_action_find(kind, "reject");
    assert_int_equal(workflow_check_fields(kind, reject, "words", NULL, &fault), 0);
    kind_free(kind);
}

static void the_clock_counts_and_stands_still(void **state_)
{
    (void)state_;
    struct kind *kind = load_kind();
    struct workflow_state state;
    workflow_open(kind, 100, 0, &state);
    assert_int_equal(state.due_at, 100 * MINUTE);
    assert_string_equal(workflow_light(&state, 0), "green");
    assert_string_equal(workflow_light(&state, 80 * MINUTE - 1), "green");
    assert_string_equal(workflow_light(&state, 80 * MINUTE), "yellow");
    assert_string_equal(workflow_light(&state, 100 * MINUTE - 1), "yellow");
    assert_string_equal(workflow_light(&state, 100 * MINUTE), "red");

    int64_t stage_due = state.stage_due_at;
    assert_true(step(kind, &state, "suspend", "{'note':'rain'}", 30 * MINUTE));
    assert_int_equal(state.status, CASE_SUSPENDED);
    assert_string_equal(workflow_light(&state, 1000 * MINUTE), "green");
    assert_false(step(kind, &state, "accept", NULL, 31 * MINUTE));
    assert_false(step(kind, &state, "suspend", "{'note':'x'}", 31 * MINUTE));
    assert_true(step(kind, &state, "supervise", NULL, 31 * MINUTE));
    assert_int_equal(state.status, CASE_SUSPENDED);
    assert_true(step(kind, &state, "resume", NULL, 50 * MINUTE));
    assert_int_equal(state.due_at, 120 * MINUTE);
    assert_int_equal(state.stage_due_at, stage_due + 20 * MINUTE);
    assert_int_equal(state.paused_ms, 20 * MINUTE);
    assert_string_equal(workflow_light(&state, 100 * MINUTE - 1), "green");
    assert_string_equal(workflow_light(&state, 100 * MINUTE), "yellow");
    assert_true(state.supervised);

    assert_true(step(kind, &state, "extend", "{'minutes':100,'note':'x'}", 60 * MINUTE));
    assert_int_equal(state.due_at, 220 * MINUTE);
    assert_string_equal(workflow_light(&state, 180 * MINUTE - 1), "green");
    assert_string_equal(workflow_light(&state, 180 * MINUTE), "yellow");
    /* A wall clock that is set back while a case waits takes nothing from its handler. */
    assert_true(step(kind, &state, "suspend", "{'note':'x'}", 70 * MINUTE));
    assert_true(step(kind, &state, "resume", NULL, 10 * MINUTE));
    assert_int_equal(state.due_at, 220 * MINUTE);
    /* Closed in time stays green. */
    assert_true(step(kind, &state, "reject", "{'note':'x'}", 71 * MINUTE));
    assert_string_equal(workflow_light(&state, 9999 * MINUTE), "green");
    kind_free(kind);
}

static void who_may_act(void **state_)
{
    (void)state_;
    struct kind *kind = load_kind();
    struct workflow_state state;
    struct access_who handler = {
        .user_id = "u2", .department_id = "d2", .permissions = ~0ULL, .roles = "grid_worker"};
    workflow_open(kind, 0, 1, &state);
    state.department_id = "d2";
    const struct kind_action *accept = kind_action_find(kind, "accept"),
                             *start = kind_action_find(kind, "start");
    assert_false(workflow_allowed(&state, accept, &handler));
    assert_true(workflow_offered(&state, accept));
    state.stage = kind_stage_index(kind, "dispatched");
    assert_true(workflow_allowed(&state, start, &handler));
    state.department_id = "d3";
    assert_false(workflow_allowed(&state, start, &handler));
    state.assignee = "u2";
    assert_true(workflow_allowed(&state, start, &handler));
    handler.permissions = 1ULL << ACCESS_CASE_READ;
    assert_false(workflow_allowed(&state, start, &handler));
    /* Nobody's department is not everybody's. */
    state.department_id = "";
    state.assignee = "";
    handler = (struct access_who){.permissions = ~0ULL};
    assert_false(workflow_allowed(&state, start, &handler));

    json_t *actions = workflow_actions(kind, &state, &centre, "en");
    assert_int_equal(json_array_size(actions), 5); /* return, start, supervise, extend, suspend */
    assert_string_equal(se_json_str(json_array_get(actions, 1), "label", ""), "Start");
    assert_string_equal(se_json_str(json_array_get(actions, 1), "to", ""), "handling");
    assert_string_equal(se_json_str(json_array_get(actions, 2), "to", ""), "dispatched");
    json_decref(actions);
    actions = workflow_actions(kind, &state, &centre, NULL);
    assert_string_equal(se_json_str(json_array_get(actions, 1), "label", ""), "开始处置");
    json_decref(actions);
    kind_free(kind);
}

/* ---- definitions that are wrong ---- */

static void refused(const char *from, const char *to, const char *field)
{
    struct se_err err = {0};
    struct kind *kind = NULL;
    char text[2000] = "{'code':'k','name':{'zh':'k','en':'k'},'initial':'a','stages':["
                      "{'code':'a','name':{'zh':'a','en':'a'},'loop':'collect'},"
                      "{'code':'b','name':{'zh':'b','en':'b'},'loop':'close','closed':true}],"
                      "'actions':[{'name':'go','label':{'zh':'g','en':'g'},'from':['a'],'to':'b'}]}";
    char *at = strstr(text, from);
    assert_non_null(at);
    char rest[2000];
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, sizeof text - (size_t)(at - text), "%s%s", to, rest);
    json_t *json = J(text);
    int rc = kind_parse(json, &kind, &err);
    json_decref(json);
    kind_free(kind);
    if (!*field)
        assert_int_equal(rc, 0);
    else if (rc != -EINVAL || strcmp(err.field, field))
        fail_msg("%s → %s: %d at \"%s\" (%s), not at \"%s\"", from, to, rc, err.field, err.text, field);
}

static void a_wrong_definition_is_named_by_its_path(void **state)
{
    (void)state;
    refused("'go'", "'go'", "");
    refused("'code':'k'", "'code':'k k'", "code");
    refused("'code':'k',", "", "code");
    refused("'code':'k'", "'code':'k','colour':1", "colour");
    refused("'initial':'a'", "'initial':'z'", "initial");
    refused("'initial':'a'", "'initial':'b'", "initial");
    refused("'loop':'collect'", "'loop':'later'", "stages/0/loop");
    refused("'code':'b'", "'code':'a'", "stages/1/code");
    refused(",'closed':true", "", "stages");
    refused("'en':'b'}", "'en':''}", "stages/1/name");
    refused("'loop':'close'", "'loop':'close','deadline_minutes':0", "stages/1/deadline_minutes");
    refused("'from':['a']", "'from':['a','q']", "actions/0/from/1");
    refused("'from':['a']", "'from':[]", "actions/0/from");
    refused("'to':'b'", "'to':'q'", "actions/0/to");
    refused(",'to':'b'", "", "stages/0");
    refused("'to':'b'", "'to':'b','permission':'user.write'", "actions/0/permission");
    refused("'to':'b'", "'to':'b','by':['me']", "actions/0/by");
    refused("'to':'b'", "'to':'b','when':['suspended']", "actions/0/when");
    refused("'to':'b'", "'to':'b','effect':'suspend'", "actions/0/effect");
    refused("'to':'b'", "'to':'b','required_fields':['a b']", "actions/0/required_fields/0");
    refused("{'code':'a'", "{'code':'c','name':{'zh':'c','en':'c'},'loop':'handle'},{'code':'a'", "stages/0");
    refused("'initial':'a'", "'initial':'a','fields':{'x':{'type':'date'}}", "fields/x/type");
    refused("'initial':'a'", "'initial':'a','yellow_percent':101", "yellow_percent");
}

/* ---- whatever is done, the case is where its kind has a place for it ---- */

/* A random kind: a chain of open stages to a closed one, so that it is valid, and random actions besides. */
static json_t *random_kind(unsigned *seed)
{
    static const char *const effects[] = {"none", "none", "none", "extend", "supervise"};
    json_t *stages = json_array(), *actions = json_array();
    json_t *names = J("{'zh':'n','en':'n'}");
    int open = 2 + rand_r(seed) % 5;
    for (int i = 0; i <= open; i++) {
        char code[16];
        snprintf(code, sizeof code, "s%d", i);
        json_array_append_new(stages, json_pack("{s:s,s:O,s:s,s:b}", "code", code, "name", names, "loop",
                                                case_loop_name((enum case_loop)(rand_r(seed) % LOOP_COUNT)),
                                                "closed", i == open));
    }
    for (int i = 0; i < open + 6; i++) {
        char name[16], from[16], to[16];
        int a = i < open ? i : rand_r(seed) % (open + 1), b = i < open ? i + 1 : rand_r(seed) % (open + 1);
        snprintf(name, sizeof name, "a%d", i);
        snprintf(from, sizeof from, "s%d", a);
        snprintf(to, sizeof to, "s%d", b);
        json_array_append_new(actions,
                              json_pack("{s:s,s:O,s:[s],s:s,s:s}", "name", name, "label", names, "from", from,
                                        "to", to, "effect", effects[rand_r(seed) % 5]));
    }
    json_array_append_new(actions, json_pack("{s:s,s:O,s:s,s:s}", "name", "wait", "label", names, "from", "*",
                                             "effect", "suspend"));
    json_array_append_new(actions, json_pack("{s:s,s:O,s:s,s:s,s:[s]}", "name", "go_on", "label", names,
                                             "from", "*", "effect", "resume", "when", "suspended"));
    return json_pack("{s:s,s:o,s:s,s:o,s:o}", "code", "random", "name", names, "initial", "s0", "stages",
                     stages, "actions", actions);
}

static void check_state(const struct kind *kind, const struct workflow_state *state, se_wall_ms now)
{
    assert_true(state->stage >= 0 && state->stage < kind->stage_count);
    assert_true((state->status == CASE_CLOSED) == kind->stages[state->stage].closed);
    assert_true((state->status == CASE_CLOSED) == (state->closed_at != 0));
    assert_true((state->status == CASE_SUSPENDED) == (state->suspended_at != 0));
    assert_true(state->stage_at <= now && state->opened_at <= state->stage_at);
    assert_true(state->yellow_at <= state->due_at);
    assert_true(state->paused_ms >= 0 && state->paused_ms <= now - state->opened_at);
}

static void random_actions_never_leave_the_kind(void **state_)
{
    (void)state_;
    int taken = 0, refused_actions = 0;
    for (unsigned run = 1; run <= 200; run++) {
        unsigned seed = run;
        struct se_err err = {0};
        struct kind *kind = NULL;
        json_t *json = random_kind(&seed);
        if (kind_parse(json, &kind, &err))
            fail_msg("run %u: %s: %s", run, err.field, err.text);
        json_decref(json);
        struct workflow_state state;
        se_wall_ms now = 1000000;
        int64_t paused = 0, extended = 0, idle = 0;
        workflow_open(kind, 60, now, &state);
        int64_t due = state.due_at;
        for (int i = 0; i < 150; i++) {
            const struct kind_action *action = &kind->actions[rand_r(&seed) % kind->action_count];
            struct workflow_state before = state;
            now += rand_r(&seed) % 100000;
            bool offered = (action->from >> before.stage) & 1 && (action->when & before.status);
            assert_int_equal(workflow_allowed(&state, action, &centre), offered);
            if (!offered) {
                refused_actions++;
                continue;
            }
            taken++;
            json_t *fields = json_pack("{s:i}", "minutes", 1 + rand_r(&seed) % 50);
            workflow_step(kind, &state, action, fields, now, &state);
            assert_int_equal(state.stage, action->to == -1 ? before.stage : action->to);
            if (action->effect == EFFECT_RESUME)
                paused += now - before.suspended_at;
            if (action->effect == EFFECT_EXTEND)
                extended += se_json_int(fields, "minutes", 0) * MINUTE;
            if (before.status == CASE_CLOSED && state.status == CASE_OPEN)
                idle += now - before.closed_at;
            json_decref(fields);
            check_state(kind, &state, now);
            /* The clock adds up: what was given, and what it stood still. */
            assert_int_equal(state.due_at, due + paused + extended + idle);
            assert_int_equal(state.paused_ms, paused + idle);
        }
        kind_free(kind);
    }
    assert_true(taken > 3000 && refused_actions > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_loop),
        cmocka_unit_test(what_is_required_is_required),
        cmocka_unit_test(the_clock_counts_and_stands_still),
        cmocka_unit_test(who_may_act),
        cmocka_unit_test(a_wrong_definition_is_named_by_its_path),
        cmocka_unit_test(random_actions_never_leave_the_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
