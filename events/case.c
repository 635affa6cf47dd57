/* Cases: opened, shown, and taken further by their kind's actions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "check.h"
#include "gateway/store_cases.h"
#include "gateway/store_county.h"
#include "gateway/store_identity.h"
#include "internal.h"
#include "workflow.h"

/* ---- opening ---- */

/* PREFIX-YYYYMMDD-NNNN: the day as the county's calendar has it (the process runs in its time zone). */
static int make_number(struct store_tx *tx, const char *division_id, se_wall_ms now, char out[64])
{
    char prefix[33] = "SE", day[16];
    time_t seconds = (time_t)(now / 1000);
    struct tm local;
    int64_t n = 0;
    localtime_r(&seconds, &local);
    strftime(day, sizeof day, "%Y%m%d", &local);
    if (division_id) {
        int rc = store_division_abbreviation(tx, division_id, prefix);
        if (rc && rc != -ENOENT)
            return rc;
    }
    int rc = store_case_next_number(tx, prefix, day, &n);
    if (!rc)
        snprintf(out, 64, "%s-%s-%04lld", prefix, day, (long long)n);
    return rc;
}

static const char *none_if_empty(const char *text)
{
    return text && *text ? text : NULL;
}

int case_open(struct store_tx *tx, const struct case_new *new, char ret_case_id[SE_ID_LEN])
{
    char id[SE_ID_LEN], transition_id[SE_ID_LEN], number[64];
    se_wall_ms now = se_wall_now_ms();
    struct workflow_state state;
    workflow_open(new->kind, new->deadline_minutes, now, &state);
    const struct kind_stage *stage = &new->kind->stages[state.stage];
    se_id_new(id);
    se_id_new(transition_id);
    int rc = make_number(tx, new->division_id, now, number);
    if (!rc)
        rc = store_case_insert(tx, &(struct case_row){.id = id,
                                                      .number = number,
                                                      .kind = new->kind->code,
                                                      .kind_version = new->kind->version,
                                                      .stage = stage->code,
                                                      .loop = case_loop_name(stage->loop),
                                                      .status = case_status_name(state.status),
                                                      .title = new->title,
                                                      .description = new->description,
                                                      .severity = new->severity,
                                                      .tag = new->tag,
                                                      .incident_id = new->incident_id,
                                                      .grid_id = new->grid_id,
                                                      .grid_version = new->grid_version,
                                                      .division_id = new->division_id,
                                                      .department_id = none_if_empty(new->department_id),
                                                      .assignee = none_if_empty(new->assignee),
                                                      .rule_id = new->rule_id,
                                                      .opened_by = new->opened_by,
                                                      .opened_ms = now,
                                                      .stage_ms = state.stage_at,
                                                      .stage_due_ms = state.stage_due_at,
                                                      .due_ms = state.due_at,
                                                      .yellow_ms = state.yellow_at});
    if (!rc)
        rc = store_transition_insert(
            tx, &(struct transition_row){.id = transition_id,
                                         .case_id = id,
                                         .at_ms = now,
                                         .user_id = new->opened_by,
                                         .user_name = new->opened_by_name,
                                         .action = "open",
                                         .to = stage->code,
                                         .assignee = none_if_empty(new->assignee),
                                         .department_id = none_if_empty(new->department_id)});
    if (!rc && new->incident_id) {
        rc = store_incident_set_case(tx, new->incident_id, id);
        if (!rc)
            rc = incident_follow_case(tx, new->incident_id, "in_progress", new->opened_by, number);
    }
    if (!rc)
        memcpy(ret_case_id, id, SE_ID_LEN);
    return rc;
}

/* ---- shown ---- */

static void state_of(const struct kind *kind, const json_t *row, struct workflow_state *ret_state)
{
    int stage = kind_stage_index(kind, se_json_str(row, "stage", ""));
    *ret_state = (struct workflow_state){
        .stage = stage == -1 ? kind->initial : stage, /* the stored version always has it */
        .status = case_status_parse(se_json_str(row, "status", "open")),
        .department_id = se_json_str(row, "department_id", ""),
        .assignee = se_json_str(row, "assignee", ""),
        .opened_at = se_json_int(row, "opened_ms", 0),
        .stage_at = se_json_int(row, "stage_ms", 0),
        .stage_due_at = se_json_int(row, "stage_due_ms", 0),
        .due_at = se_json_int(row, "due_ms", 0),
        .yellow_at = se_json_int(row, "yellow_ms", 0),
        .suspended_at = se_json_int(row, "suspended_ms", 0),
        .closed_at = se_json_int(row, "closed_ms", 0),
        .paused_ms = se_json_int(row, "paused_ms", 0),
        .supervised = se_json_bool(row, "supervised", false),
        .extensions = se_json_int(row, "extensions", 0),
        .score = se_json_int(row, "score", 0),
        .comment = se_json_str(row, "comment", NULL),
    };
}

static void show_times(json_t *row)
{
    static const char *const times[][2] = {
        {"opened_ms", "opened_at"}, {"stage_ms", "stage_at"},     {"stage_due_ms", "stage_due_at"},
        {"due_ms", "due_at"},       {"yellow_ms", "yellow_at"},   {"suspended_ms", "suspended_at"},
        {"closed_ms", "closed_at"}, {"updated_ms", "updated_at"},
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(times); i++) {
        int64_t ms = se_json_int(row, times[i][0], 0);
        if (ms)
            se_json_put_time(row, times[i][1], ms);
        else
            se_json_put(row, times[i][1], json_null());
        json_object_del(row, times[i][0]);
    }
}

json_t *case_show(const struct county *county, json_t *row, const struct access_who *who, const char *lang)
{
    const struct kind *kind =
        county_kind_find(county, se_json_str(row, "kind", ""), se_json_int(row, "kind_version", 0));
    if (kind) {
        struct workflow_state state;
        state_of(kind, row, &state);
        se_json_put_str(row, "kind_label", kind_text(kind->name, lang));
        se_json_put_str(row, "stage_label", kind_text(kind->stages[state.stage].name, lang));
        se_json_put_str(row, "light", workflow_light(&state, se_wall_now_ms()));
        se_json_put(row, "actions", who ? workflow_actions(kind, &state, who, lang) : json_array());
    } else { /* its definition no longer reads; the log says why */
        se_json_put_str(row, "light", "green");
        se_json_put(row, "actions", json_array());
    }
    show_times(row);
    return row;
}

struct case_read {
    struct call *call;
    const struct county *county;
    const char *key;
    const struct case_filter *filter;
    bool transitions;
    json_t *rows;
};

static int read_case(struct store_tx *tx, void *ctx)
{
    struct case_read *read = ctx;
    struct store_scope scope = call_scope(read->call);
    se_json_ *row = NULL;
    int rc = store_case_get(tx, read->key, &scope, &row);
    if (rc)
        return rc;
    if (read->transitions)
        return store_transition_list(tx, se_json_str(row, "id", ""), &read->rows);
    read->rows = SE_TAKE(row);
    return 0;
}

static int read_cases(struct store_tx *tx, void *ctx)
{
    struct case_read *read = ctx;
    return store_case_list(tx, read->filter, &read->rows);
}

int case_get(struct events *events, struct call *call, const char *id_or_number)
{
    struct case_read read = {.call = call, .key = id_or_number};
    int rc = store_read(events->store, read_case, &read);
    if (rc)
        return call_failed(call, rc);
    struct county *county = events_county(events);
    call->answer = case_show(county, read.rows, call->who, call->lang);
    county_unref(&county);
    return 0;
}

int case_list(struct events *events, struct call *call, const struct case_query *query)
{
    struct case_filter filter = {
        .status = query->status,
        .loop = query->loop,
        .stage = query->stage,
        .kind = query->kind,
        .light = query->light,
        .grid_id = query->grid_id,
        .department_id = query->department_id,
        .assignee = query->assignee,
        .incident_id = query->incident_id,
        .number = query->number,
        .from_ms = query->from_ms,
        .to_ms = query->to_ms,
        .now_ms = se_wall_now_ms(),
        .scope = call_scope(call),
        .after = query->after,
        .limit = query->limit + 1,
    };
    struct case_read read = {.call = call, .filter = &filter};
    int rc = store_read(events->store, read_cases, &read);
    if (rc)
        return call_failed(call, rc);
    struct county *county = events_county(events);
    size_t n;
    json_t *row;
    json_array_foreach (read.rows, n, row)
        case_show(county, row, call->who, call->lang);
    county_unref(&county);
    return call_list(call, read.rows, query->limit, "id");
}

int case_transitions(struct events *events, struct call *call, const char *id_or_number)
{
    struct case_read read = {.call = call, .key = id_or_number, .transitions = true};
    int rc = store_read(events->store, read_case, &read);
    if (!rc)
        call->answer = read.rows;
    return call_failed(call, rc);
}

/* ---- acting ---- */

int assignee_find(struct store_tx *tx, const char *text, char ret_user_id[SE_ID_LEN],
                  char ret_department_id[SE_ID_LEN])
{
    se_json_ *user = NULL, *department = NULL;
    ret_user_id[0] = ret_department_id[0] = '\0';
    int rc = store_user_get(tx, text, &user);
    if (!rc) {
        snprintf(ret_user_id, SE_ID_LEN, "%s", se_json_str(user, "id", ""));
        snprintf(ret_department_id, SE_ID_LEN, "%s", se_json_str(user, "department_id", ""));
        return 0;
    }
    if (rc == -ENOENT)
        rc = store_department_get(tx, text, &department);
    if (!rc)
        snprintf(ret_department_id, SE_ID_LEN, "%s", se_json_str(department, "id", ""));
    return rc;
}

struct acting {
    struct events *events;
    struct county *county;
    struct call *call;
    const char *key, *action, *note, *assignee;
    const json_t *fields;
    json_t *shared;   /* the case for the bus */
    json_t *incident; /* its incident, when that changed with it */
};

static void clear(struct acting *acting)
{
    json_decref(acting->shared);
    json_decref(acting->incident);
    acting->shared = acting->incident = NULL;
    county_unref(&acting->county);
    call_fini(acting->call);
    acting->call->fault = (struct fault){0};
}

static int refuse(struct acting *acting, const struct kind *kind, const struct workflow_state *state,
                  const json_t *row)
{
    struct fault *fault = &acting->call->fault;
    fault->actions = workflow_actions(kind, state, acting->call->who, acting->call->lang);
    const struct kind_action *action = kind_action_find(kind, acting->action);
    if (action && workflow_offered(state, action))
        return se_fail(&fault->err, -EACCES, "%s is for others to do; what is yours now is in actions",
                       action->name);
    if (!action)
        return se_fail(&fault->err, -EEXIST, "%s has no such action; what is allowed now is in actions",
                       kind->code);
    return se_fail(&fault->err, -EEXIST,
                   "%s is not allowed now: the case is %s in stage %s. What is allowed is in actions",
                   acting->action, se_json_str(row, "status", ""), se_json_str(row, "stage", ""));
}

/* Who handles it after the action: ids in the caller's memory. */
static int find_assignee(struct acting *acting, struct store_tx *tx, const struct kind_action *action,
                         const json_t *row, char user_id[SE_ID_LEN], char department_id[SE_ID_LEN])
{
    struct fault *fault = &acting->call->fault;
    snprintf(user_id, SE_ID_LEN, "%s", se_json_str(row, "assignee", ""));
    snprintf(department_id, SE_ID_LEN, "%s", se_json_str(row, "department_id", ""));
    if (acting->assignee && action->takes_assignee) {
        int rc = assignee_find(tx, acting->assignee, user_id, department_id);
        if (rc == -ENOENT) {
            check_fault(fault, "", "assignee", "is neither a user nor a department");
            return check_result(fault);
        }
        return rc;
    }
    if (acting->assignee)
        check_fault(fault, "", "assignee", "is not taken by %s", action->name);
    else if (action->needs_assignee && !*department_id)
        check_fault(fault, "", "assignee", "is required for %s: a user or a department", action->name);
    return check_result(fault);
}

/* The incident goes the way of its case: closed with it, false alarm when it was rejected unhandled. */
static int follow(struct acting *acting, struct store_tx *tx, const struct kind *kind,
                  const struct workflow_state *before, const struct workflow_state *after, const json_t *row)
{
    const char *incident_id = se_json_str(row, "incident_id", NULL);
    if (!incident_id || before->status == after->status)
        return 0;
    const char *status = NULL;
    if (after->status == CASE_CLOSED)
        status = kind->stages[before->stage].loop < LOOP_ASSIGN ? "false_alarm" : "closed";
    else if (before->status == CASE_CLOSED)
        status = "in_progress";
    if (!status)
        return 0;
    const char *user = acting->call->who->user_id;
    int rc =
        incident_follow_case(tx, incident_id, status, user, acting->note ? acting->note : acting->action);
    return rc ? rc : store_incident_get(tx, incident_id, NULL, &acting->incident);
}

static int store_step(struct acting *acting, struct store_tx *tx, const struct kind *kind,
                      const struct workflow_state *next, const json_t *row, const char *user_id,
                      const char *department_id)
{
    const struct kind_stage *stage = &kind->stages[next->stage];
    return store_case_update(tx, &(struct case_row){.id = se_json_str(row, "id", ""),
                                                    .stage = stage->code,
                                                    .loop = case_loop_name(stage->loop),
                                                    .status = case_status_name(next->status),
                                                    .department_id = none_if_empty(department_id),
                                                    .assignee = none_if_empty(user_id),
                                                    .stage_ms = next->stage_at,
                                                    .stage_due_ms = next->stage_due_at,
                                                    .due_ms = next->due_at,
                                                    .yellow_ms = next->yellow_at,
                                                    .suspended_ms = next->suspended_at,
                                                    .closed_ms = next->closed_at,
                                                    .paused_ms = next->paused_ms,
                                                    .supervised = next->supervised,
                                                    .extensions = next->extensions,
                                                    .score = next->score,
                                                    .comment = none_if_empty(next->comment)});
}

static int note_step(struct acting *acting, struct store_tx *tx, const struct kind *kind,
                     const struct workflow_state *state, const struct workflow_state *next, const json_t *row,
                     const char *user_id, const char *department_id, json_t **ret_transition)
{
    char id[SE_ID_LEN];
    const struct access_who *who = acting->call->who;
    se_id_new(id);
    int rc = store_transition_insert(
        tx, &(struct transition_row){.id = id,
                                     .case_id = se_json_str(row, "id", ""),
                                     .at_ms = se_wall_now_ms(),
                                     .user_id = who->user_id,
                                     .user_name = who->display_name[0] ? who->display_name : who->username,
                                     .action = acting->action,
                                     .from = kind->stages[state->stage].code,
                                     .to = kind->stages[next->stage].code,
                                     .note = acting->note,
                                     .assignee = acting->assignee ? none_if_empty(user_id) : NULL,
                                     .department_id = acting->assignee ? none_if_empty(department_id) : NULL,
                                     .fields = acting->fields});
    return rc ? rc : store_transition_get(tx, id, ret_transition);
}

static int do_action(struct store_tx *tx, void *ctx)
{
    struct acting *acting = ctx;
    struct call *call = acting->call;
    char user_id[SE_ID_LEN], department_id[SE_ID_LEN];
    struct store_scope scope = call_scope(call);
    struct workflow_state state, next;
    se_json_ *row = NULL, *transition = NULL;
    clear(acting);
    acting->county = events_county(acting->events); /* as new as the case */
    int rc = store_case_get(tx, acting->key, &scope, &row);
    if (rc)
        return rc;
    if (call->if_match && call->if_match != se_json_int(row, "version", 0))
        return -ESTALE;
    const struct kind *kind =
        county_kind_find(acting->county, se_json_str(row, "kind", ""), se_json_int(row, "kind_version", 0));
    if (!kind)
        return se_fail(&call->fault.err, -EIO, "the definition of kind %s does not read; see the log",
                       se_json_str(row, "kind", ""));
    state_of(kind, row, &state);
    const struct kind_action *action = kind_action_find(kind, acting->action);
    if (!action || !workflow_allowed(&state, action, call->who))
        return refuse(acting, kind, &state, row);
    rc = workflow_check_fields(kind, action, acting->note, acting->fields, &call->fault);
    if (!rc)
        rc = find_assignee(acting, tx, action, row, user_id, department_id);
    if (rc)
        return rc;
    workflow_step(kind, &state, action, acting->fields, se_wall_now_ms(), &next);
    rc = store_step(acting, tx, kind, &next, row, user_id, department_id);
    if (!rc)
        rc = note_step(acting, tx, kind, &state, &next, row, user_id, department_id, &transition);
    if (!rc)
        rc = follow(acting, tx, kind, &state, &next, row);
    if (!rc)
        rc =
            call_audit(acting->events, call, tx, "case.call", "case", se_json_str(row, "id", ""), transition);
    if (rc)
        return rc;
    se_json_ *now = NULL, *copy = NULL;
    rc = store_case_get(tx, se_json_str(row, "id", ""), NULL, &now);
    if (rc)
        return rc;
    copy = json_deep_copy(now);
    json_t *shared = json_deep_copy(transition);
    se_json_put(shared, "case", case_show(acting->county, SE_TAKE(copy), NULL, call->lang));
    acting->shared = shared;
    se_json_put(transition, "case", case_show(acting->county, SE_TAKE(now), call->who, call->lang));
    call->answer = SE_TAKE(transition);
    return 0;
}

int case_act(struct events *events, struct call *call, const char *id_or_number, const json_t *body)
{
    static const char *const known[] = {"action", "note", "assignee", "fields", NULL};
    struct acting acting = {.events = events, .call = call, .key = id_or_number};
    struct fault *fault = &call->fault;
    if (!json_is_object(body)) {
        check_fault(fault, "", "", "the body must be an object {\"action\": …}");
        return check_result(fault);
    }
    check_known(fault, "", body, known);
    check_text(fault, "", body, "action", true, 64, &acting.action);
    check_text(fault, "", body, "note", false, 4000, &acting.note);
    check_text(fault, "", body, "assignee", false, 128, &acting.assignee);
    acting.fields = json_object_get(body, "fields");
    if (json_is_null(acting.fields))
        acting.fields = NULL;
    if (acting.fields && !json_is_object(acting.fields))
        check_fault(fault, "", "fields", "must be an object");
    if (acting.note && !*acting.note)
        acting.note = NULL;
    if (!acting.note && acting.fields) /* a form's fields may carry it, too */
        acting.note = se_json_str(acting.fields, "note", NULL);
    if (acting.assignee && !*acting.assignee)
        acting.assignee = NULL;
    int rc = check_result(fault);
    if (rc)
        return rc;
    rc = call_commit(events, call, do_action, &acting);
    if (!rc) {
        events_count(M_TRANSITIONS, 1);
        json_t *shown = json_object_get(acting.shared, "case");
        se_json_put_str(acting.shared, "department_id", se_json_str(shown, "department_id", NULL));
        events_publish(events, "case.transition", "case.read", SE_TAKE(acting.shared));
        events_publish(events, "incident.updated", "incident.read", SE_TAKE(acting.incident));
    } else if (rc == -EEXIST) {
        events_count(M_TRANSITIONS_REFUSED, 1);
    }
    json_decref(acting.shared);
    json_decref(acting.incident);
    county_unref(&acting.county);
    return call_failed(call, rc);
}
