#include "workflow.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "check.h"

#define MINUTE_MS      60000LL
#define FIELD_TEXT_MAX 4000 /* bytes of a field that the kind says nothing about */

static se_wall_ms yellow_from(const struct kind *kind, const struct workflow_state *state)
{
    int64_t span = state->due_at - state->opened_at - state->paused_ms;
    return state->due_at - span * kind->yellow_percent / 100;
}

static se_wall_ms stage_due(const struct kind *kind, int stage, se_wall_ms now)
{
    int64_t minutes = kind->stages[stage].deadline_minutes;
    return minutes ? now + minutes * MINUTE_MS : 0;
}

void workflow_open(const struct kind *kind, int64_t deadline_minutes, se_wall_ms now,
                   struct workflow_state *ret_state)
{
    struct workflow_state state = {
        .stage = kind->initial,
        .status = CASE_OPEN,
        .department_id = "",
        .assignee = "",
        .opened_at = now,
        .stage_at = now,
        .stage_due_at = stage_due(kind, kind->initial, now),
    };
    if (!deadline_minutes)
        deadline_minutes = kind->deadline_minutes;
    if (deadline_minutes) {
        state.due_at = now + deadline_minutes * MINUTE_MS;
        state.yellow_at = yellow_from(kind, &state);
    }
    *ret_state = state;
}

static bool has_role(const struct access_who *who, const char *role)
{
    size_t len = strlen(role);
    for (const char *p = who->roles; *p;) {
        size_t n = strcspn(p, ",");
        if (n == len && !memcmp(p, role, n))
            return true;
        p += n;
        p += *p == ',';
    }
    return false;
}

static bool same_id(const char *a, const char *b)
{
    return *a && !strcmp(a, b);
}

bool workflow_offered(const struct workflow_state *state, const struct kind_action *action)
{
    return (action->from & (1ULL << state->stage)) && (action->when & state->status);
}

bool workflow_allowed(const struct workflow_state *state, const struct kind_action *action,
                      const struct access_who *who)
{
    if (!workflow_offered(state, action) || !(who->permissions & (1ULL << action->permission)))
        return false;
    bool by = ((action->by & BY_CENTRE) && who->all_departments) ||
              ((action->by & BY_DEPARTMENT) && same_id(state->department_id, who->department_id)) ||
              ((action->by & BY_ASSIGNEE) && same_id(state->assignee, who->user_id));
    if (!by || !action->roles)
        return by;
    size_t n;
    json_t *role;
    json_array_foreach (action->roles, n, role)
        if (has_role(who, json_string_value(role)))
            return true;
    return false;
}

static void show_field(json_t *shown, const struct kind *kind, const char *name, const char *lang)
{
    json_t *field = json_object_get(kind->fields, name);
    if (!field)
        return;
    json_t *copy = json_copy(field);
    se_json_put_str(copy, "label", kind_text(json_object_get(field, "label"), lang));
    se_json_put(shown, name, copy);
}

/* What the kind says of the fields a form for this action asks. */
static json_t *show_fields(const struct kind *kind, const struct kind_action *action, const char *lang)
{
    json_t *shown = json_object();
    size_t n;
    json_t *name;
    json_array_foreach (action->required_fields, n, name)
        show_field(shown, kind, json_string_value(name), lang);
    json_array_foreach (action->optional_fields, n, name)
        show_field(shown, kind, json_string_value(name), lang);
    return shown;
}

json_t *workflow_actions(const struct kind *kind, const struct workflow_state *state,
                         const struct access_who *who, const char *lang)
{
    json_t *actions = json_array();
    for (int i = 0; i < kind->action_count; i++) {
        const struct kind_action *action = &kind->actions[i];
        if (!workflow_allowed(state, action, who))
            continue;
        json_t *shown = json_object();
        se_json_put_str(shown, "name", action->name);
        se_json_put_str(shown, "label", kind_text(action->label, lang));
        se_json_put_str(shown, "to", kind->stages[action->to == -1 ? state->stage : action->to].code);
        se_json_put(shown, "required_fields",
                    action->required_fields ? json_copy((json_t *)action->required_fields) : json_array());
        se_json_put(shown, "fields", show_fields(kind, action, lang));
        /* A case that a rule gave to a department has somebody to go to already. */
        se_json_put(shown, "needs_assignee", json_boolean(action->needs_assignee && !*state->department_id));
        se_json_put(shown, "takes_assignee", json_boolean(action->takes_assignee));
        json_array_append_new(actions, shown);
    }
    return actions;
}

static void check_field(const struct kind *kind, const char *name, const json_t *value, struct fault *fault)
{
    const json_t *field = json_object_get(kind->fields, name);
    const char *type = se_json_str(field, "type", "");
    int64_t min = se_json_int(field, "min", 0);
    if (!field) {
        bool bounded = json_is_string(value) && json_string_length(value) <= FIELD_TEXT_MAX;
        if (!bounded && !json_is_number(value) && !json_is_boolean(value) && !json_is_null(value))
            check_fault(fault, "fields", name, "must be a number, true, false or a text of at most %d bytes",
                        FIELD_TEXT_MAX);
    } else if (!strcmp(type, "integer")) {
        int64_t max = se_json_int(field, "max", INT64_MAX);
        if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
            check_fault(fault, "fields", name, "must be a whole number from %lld to %lld", (long long)min,
                        (long long)max);
    } else {
        int64_t max = se_json_int(field, "max", FIELD_TEXT_MAX);
        int64_t len = (int64_t)json_string_length(value);
        if (!json_is_string(value) || len < min || len > max)
            check_fault(fault, "fields", name, "must be a text of %lld to %lld bytes", (long long)min,
                        (long long)max);
    }
}

int workflow_check_fields(const struct kind *kind, const struct kind_action *action, const char *note,
                          const json_t *fields, struct fault *fault)
{
    size_t n;
    json_t *required;
    json_array_foreach (action->required_fields, n, required) {
        const char *name = json_string_value(required);
        const json_t *value = json_object_get(fields, name);
        bool given = value && !json_is_null(value) && !(json_is_string(value) && !json_string_length(value));
        if (!strcmp(name, "note")) { /* stands beside the fields; taken from among them, too */
            if (!given && !(note && *note))
                check_fault(fault, "", "note", "is required for %s: say why", action->name);
        } else if (!given) {
            check_fault(fault, "fields", name, "is required for %s", action->name);
        }
    }
    const char *name;
    json_t *value;
    if (json_object_size(fields) > 32)
        check_fault(fault, "", "fields", "must have at most 32 members");
    else
        json_object_foreach ((json_t *)fields, name, value)
            if (!json_is_null(value))
                check_field(kind, name, value, fault);
    return check_result(fault);
}

static void enter_stage(const struct kind *kind, int stage, se_wall_ms now, struct workflow_state *next)
{
    next->stage = stage;
    next->stage_at = now;
    next->stage_due_at = stage_due(kind, stage, now);
    if (kind->stages[stage].closed) {
        next->status = CASE_CLOSED;
        if (!next->closed_at)
            next->closed_at = now;
    } else {
        if (next->closed_at) { /* taken up again: the time between was not the handler's */
            int64_t idle = now - next->closed_at;
            next->paused_ms += idle;
            next->due_at += next->due_at ? idle : 0;
            next->yellow_at += next->yellow_at ? idle : 0;
        }
        next->status = CASE_OPEN;
        next->closed_at = 0;
    }
}

static void resume(se_wall_ms now, struct workflow_state *next)
{
    /* A clock that was set back while it waited must not shorten the deadline. */
    int64_t waited = now > next->suspended_at ? now - next->suspended_at : 0;
    next->paused_ms += waited;
    next->due_at += next->due_at ? waited : 0;
    next->yellow_at += next->yellow_at ? waited : 0;
    next->stage_due_at += next->stage_due_at ? waited : 0;
    next->suspended_at = 0;
    next->status = CASE_OPEN;
}

void workflow_step(const struct kind *kind, const struct workflow_state *state,
                   const struct kind_action *action, const json_t *fields, se_wall_ms now,
                   struct workflow_state *ret_next)
{
    struct workflow_state next = *state;
    switch (action->effect) {
    case EFFECT_EXTEND: {
        int64_t more = se_json_int(fields, "minutes", 0) * MINUTE_MS;
        next.extensions++;
        next.stage_due_at += next.stage_due_at ? more : 0;
        if (next.due_at) {
            next.due_at += more;
            next.yellow_at = yellow_from(kind, &next);
        }
        break;
    }
    case EFFECT_SUSPEND:
        next.status = CASE_SUSPENDED;
        next.suspended_at = now;
        break;
    case EFFECT_RESUME:
        resume(now, &next);
        break;
    case EFFECT_SUPERVISE:
        next.supervised = true;
        break;
    case EFFECT_EVALUATE:
        next.score = se_json_int(fields, "score", 0);
        next.comment = se_json_str(fields, "comment", "");
        break;
    case EFFECT_NONE:
        break;
    }
    if (action->to != -1)
        enter_stage(kind, action->to, now, &next);
    *ret_next = next;
}

const char *workflow_light(const struct workflow_state *state, se_wall_ms now)
{
    se_wall_ms at = state->status == CASE_CLOSED      ? state->closed_at
                    : state->status == CASE_SUSPENDED ? state->suspended_at
                                                      : now;
    if (!state->due_at || at < state->yellow_at)
        return "green";
    return at < state->due_at ? "yellow" : "red";
}
