/* Incidents: reported by people, looked at, changed, and made into cases. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "check.h"
#include "correlate.h"
#include "gateway/store_cases.h"
#include "gateway/store_county.h"

enum status { NEW, ACKNOWLEDGED, IN_PROGRESS, RESOLVED, CLOSED, FALSE_ALARM, STATUSES };
static const char *const statuses[STATUSES] = {"new",      "acknowledged", "in_progress",
                                               "resolved", "closed",       "false_alarm"};

#define BIT(status) (1u << (status))
static const unsigned moves[STATUSES] = {
    [NEW] = BIT(ACKNOWLEDGED) | BIT(IN_PROGRESS) | BIT(RESOLVED) | BIT(CLOSED) | BIT(FALSE_ALARM),
    [ACKNOWLEDGED] = BIT(IN_PROGRESS) | BIT(RESOLVED) | BIT(CLOSED) | BIT(FALSE_ALARM),
    [IN_PROGRESS] = BIT(RESOLVED) | BIT(CLOSED) | BIT(FALSE_ALARM),
    [RESOLVED] = BIT(IN_PROGRESS) | BIT(CLOSED),
    [CLOSED] = 0,
    [FALSE_ALARM] = BIT(ACKNOWLEDGED),
};

static int status_of(const char *name)
{
    int i = 0;
    while (i < STATUSES && (!name || strcmp(statuses[i], name)))
        i++;
    return i;
}

int incident_follow_case(struct store_tx *tx, const char *incident_id, const char *status,
                         const char *user_id, const char *reason)
{
    return store_incident_change(
        tx, incident_id,
        &(struct incident_change_row){.status = status, .user_id = user_id, .reason = reason});
}

/* ---- read ---- */

struct incident_read {
    struct call *call;
    const char *id, *after;
    int limit;
    enum { READ_ONE, READ_LIST, READ_SIGNALS, READ_CHANGES } what;
    const struct incident_filter *filter;
    json_t *rows;
};

static int read_incident(struct store_tx *tx, void *ctx)
{
    struct incident_read *read = ctx;
    struct store_scope scope = call_scope(read->call);
    se_json_ *incident = NULL;
    if (read->what == READ_LIST)
        return store_incident_list(tx, read->filter, &read->rows);
    int rc = store_incident_get(tx, read->id, &scope, &incident);
    if (rc)
        return rc;
    if (read->what == READ_SIGNALS)
        return store_signal_list(tx, read->id, read->after, read->limit, &read->rows);
    if (read->what == READ_CHANGES)
        return store_incident_change_list(tx, read->id, &read->rows);
    read->rows = SE_TAKE(incident);
    return 0;
}

int incident_list(struct events *events, struct call *call, const struct incident_query *query)
{
    struct county *county = events_county(events);
    bool known = true;
    const char *tag = query->tag;
    if (tag)
        tag = se_json_str(county_tag(county, tag, &known), "code", tag);
    if (!known)
        tag = query->tag; /* no dictionary has it: nothing has that tag */
    struct incident_filter filter = {
        .status = query->status,
        .tag = tag,
        .severity = query->severity,
        .grid_id = query->grid_id,
        .camera_id = query->camera_id,
        .department_id = query->department_id,
        .from_ms = query->from_ms,
        .to_ms = query->to_ms,
        .scope = call_scope(call),
        .after = query->after,
        .limit = query->limit + 1,
    };
    struct incident_read read = {.call = call, .what = READ_LIST, .filter = &filter};
    int rc = store_read(events->store, read_incident, &read);
    county_unref(&county);
    return rc ? call_failed(call, rc) : call_list(call, read.rows, query->limit, "id");
}

static int read_one(struct events *events, struct incident_read *read)
{
    int rc = store_read(events->store, read_incident, read);
    if (!rc)
        read->call->answer = read->rows;
    return call_failed(read->call, rc);
}

int incident_get(struct events *events, struct call *call, const char *id)
{
    return read_one(events, &(struct incident_read){.call = call, .id = id});
}

int incident_changes(struct events *events, struct call *call, const char *id)
{
    return read_one(events, &(struct incident_read){.call = call, .id = id, .what = READ_CHANGES});
}

int incident_signals(struct events *events, struct call *call, const char *id, const char *after, int limit)
{
    struct incident_read read = {
        .call = call, .id = id, .after = after, .limit = limit + 1, .what = READ_SIGNALS};
    int rc = store_read(events->store, read_incident, &read);
    return rc ? call_failed(call, rc) : call_list(call, read.rows, limit, "id");
}

/* ---- a person's report ---- */

static int store_report(struct store_tx *tx, void *ctx)
{
    struct intake *intake = ctx;
    struct call *call = intake->call;
    json_decref(call->answer);
    call->answer = NULL;
    int rc = intake_store(intake, tx);
    if (!rc)
        rc = call_audit(intake->events, call, tx, "incident.report", "incident", intake->items[0].incident_id,
                        NULL);
    if (!rc)
        call->answer = json_deep_copy(intake->touched[0].shown);
    return rc;
}

static void read_report(struct fault *fault, const json_t *body, struct observation *item)
{
    static const char *const known[] = {"tag",     "camera", "location",    "severity",
                                        "message", "key",    "occurred_at", NULL};
    se_wall_ms now = se_wall_now_ms();
    item->source = "operator";
    item->occurred_ms = now;
    check_known(fault, "", body, known);
    check_text(fault, "", body, "tag", true, 64, &item->type);
    check_text(fault, "", body, "camera", false, 64, &item->camera);
    check_location(fault, "", body, "location", &item->has_location, &item->lat, &item->lon);
    check_severity(fault, "", body, "severity", &item->severity);
    check_text(fault, "", body, "message", false, 1000, &item->message);
    check_time(fault, "", body, "occurred_at", false, &item->occurred_ms);
    if (item->occurred_ms > now + 60000)
        check_fault(fault, "", "occurred_at", "lies in the future");
    if (item->camera && !*item->camera)
        item->camera = NULL;
    if (!check_result(fault) && !item->camera && !item->has_location)
        check_fault(fault, "", "camera", "or location is required: say where");
}

int incident_report(struct events *events, struct call *call, const json_t *body)
{
    struct intake intake;
    if (!json_is_object(body)) {
        check_fault(&call->fault, "", "", "the body must be an object {\"tag\": …, \"camera\": …}");
        return check_result(&call->fault);
    }
    int rc = intake_init(&intake, events, call, 1);
    if (rc)
        return call_failed(call, rc);
    intake.join = false;
    intake.reported_by = call->who->user_id;
    read_report(&call->fault, body, &intake.items[0]);
    rc = check_result(&call->fault);
    if (!rc)
        rc = intake_prepare(&intake, false);
    if (!rc)
        rc = call_commit(events, call, store_report, &intake);
    if (!rc)
        intake_publish(&intake);
    intake_fini(&intake);
    return call_failed(call, rc);
}

/* ---- changed by hand ---- */

struct changing {
    struct events *events;
    struct call *call;
    const char *id, *status, *reason;
    int severity;
};

/* May it go from where it is to what is asked? An open case decides over its incident's end. */
static int check_move(const struct changing *changing, const json_t *incident)
{
    struct fault *fault = &changing->call->fault;
    const char *from_name = se_json_str(incident, "status", "new");
    int from = status_of(from_name), to = status_of(changing->status);
    if (from == to)
        return 0;
    if (!(moves[from] & BIT(to)))
        return se_fail(&fault->err, -EEXIST, "an incident that is %s cannot become %s", from_name,
                       changing->status);
    bool handled = json_is_string(json_object_get(incident, "case_id")) && from == IN_PROGRESS;
    if (handled && (to == CLOSED || to == FALSE_ALARM))
        return se_fail(&fault->err, -EEXIST, "a case is open for this incident: close or reject the case");
    return 0;
}

static int do_change(struct store_tx *tx, void *ctx)
{
    struct changing *changing = ctx;
    struct call *call = changing->call;
    struct store_scope scope = call_scope(call);
    se_json_ *incident = NULL;
    call_fini(call);
    call->fault = (struct fault){0};
    int rc = store_incident_get(tx, changing->id, &scope, &incident);
    if (!rc && changing->status)
        rc = check_move(changing, incident);
    if (!rc)
        rc = store_incident_change(
            tx, changing->id,
            &(struct incident_change_row){
                .status = changing->status,
                .severity = changing->severity < 0 ? NULL : severity_name(changing->severity),
                .user_id = call->who->user_id,
                .reason = changing->reason,
                .version = call->if_match});
    se_json_ *detail = json_pack("{s:s?,s:s?}", "status", changing->status, "reason", changing->reason);
    if (!rc)
        rc = call_audit(changing->events, call, tx, "incident.change", "incident", changing->id, detail);
    return rc ? rc : store_incident_get(tx, changing->id, NULL, &call->answer);
}

int incident_change(struct events *events, struct call *call, const char *id, const json_t *body)
{
    static const char *const known[] = {"status", "severity", "reason", NULL};
    struct changing changing = {.events = events, .call = call, .id = id, .severity = -1};
    struct fault *fault = &call->fault;
    if (!json_is_object(body))
        check_fault(fault, "", "", "the body must be an object {\"status\": …, \"reason\": …}");
    check_known(fault, "", body, known);
    check_text(fault, "", body, "status", false, 32, &changing.status);
    check_text(fault, "", body, "reason", false, 1000, &changing.reason);
    check_severity(fault, "", body, "severity", &changing.severity);
    if (changing.status && status_of(changing.status) == STATUSES)
        check_fault(fault, "", "status",
                    "must be acknowledged, in_progress, resolved, closed or false_alarm");
    if (changing.status && status_of(changing.status) == FALSE_ALARM &&
        !(changing.reason && *changing.reason))
        check_fault(fault, "", "reason", "is required for a false alarm: say what was taken for it");
    if (!check_result(fault) && !changing.status && changing.severity < 0)
        check_fault(fault, "", "status", "or severity is required");
    int rc = check_result(fault);
    if (rc)
        return rc;
    rc = call_commit(events, call, do_change, &changing);
    if (!rc)
        events_publish(events, "incident.updated", "incident.read", json_deep_copy(call->answer));
    return call_failed(call, rc);
}

/* ---- cases for incidents ---- */

/* "机动车乱停放 · 永安街道第3网格" */
static void make_title(const json_t *incident, char *out, size_t size)
{
    const char *text = se_json_str(incident, "tag_text", NULL),
               *grid = se_json_str(incident, "grid_name", NULL);
    snprintf(out, size, "%s%s%s", text ? text : se_json_str(incident, "tag_name", ""), grid ? " · " : "",
             grid ? grid : "");
}

int incident_apply_rules(const struct county *county, struct store_tx *tx, const json_t *incident,
                         char ret_case_id[SE_ID_LEN])
{
    bool known;
    ret_case_id[0] = '\0';
    if (json_is_string(json_object_get(incident, "case_id")))
        return 0;
    struct rule_facts facts = {
        .tag = county_tag(county, se_json_str(incident, "tag", ""), &known),
        .severity = severity_rank(se_json_str(incident, "severity", "minor")),
        .source = se_json_str(incident, "source", ""),
        .grid_id = se_json_str(incident, "grid_id", NULL),
        .division_id = se_json_str(incident, "division_id", NULL),
        .count = se_json_int(incident, "count", 1),
    };
    const json_t *rule = rule_find(county, &facts), *then = json_object_get(rule, "then");
    if (!rule || !se_json_bool(then, "open_case", true))
        return 0;
    const struct kind *kind = county_kind_find(county, se_json_str(then, "kind", ""), 0);
    if (!kind)
        return 0; /* the rule was checked when it was put; its kind has been left out since, and logged */
    const char *department_kind = se_json_str(then, "department_kind", NULL);
    if (!department_kind)
        department_kind = se_json_str(facts.tag, "department_kind", NULL);
    char department[SE_ID_LEN] = "", title[1024];
    int rc = department_kind ? store_department_for(tx, department_kind, facts.division_id, department) : 0;
    if (rc && rc != -ENOENT)
        return rc;
    make_title(incident, title, sizeof title);
    return case_open(tx,
                     &(struct case_new){.kind = kind,
                                        .title = title,
                                        .description = se_json_str(incident, "message", NULL),
                                        .severity = se_json_str(incident, "severity", "minor"),
                                        .tag = se_json_str(incident, "tag", NULL),
                                        .incident_id = se_json_str(incident, "id", NULL),
                                        .grid_id = facts.grid_id,
                                        .grid_version = se_json_int(incident, "grid_version", 0),
                                        .division_id = facts.division_id,
                                        .department_id = department,
                                        .rule_id = se_json_str(rule, "id", NULL),
                                        .deadline_minutes = se_json_int(then, "deadline_minutes", 0)},
                     ret_case_id);
}
