/* Cases opened by hand: for an incident, or for something nobody's signal spoke of. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "check.h"
#include "gateway/store_cases.h"
#include "gateway/store_county.h"
#include "internal.h"

#define KIND_DEFAULT "grid-incident"

struct creating {
    struct events *events;
    struct county *county;
    struct call *call;
    const char *kind_code, *title, *description, *incident_id, *tag, *department, *assignee, *grid_id;
    int severity;
    int64_t deadline_minutes;
    struct place place;
    json_t *shared, *shared_incident; /* for the bus */
};

static void clear(struct creating *creating)
{
    json_decref(creating->shared);
    json_decref(creating->shared_incident);
    creating->shared = creating->shared_incident = NULL;
    call_fini(creating->call);
    creating->call->fault = (struct fault){0};
}

static int find_people(struct creating *creating, struct store_tx *tx, const char *tag_department_kind,
                       const char *division_id, char user_id[SE_ID_LEN], char department_id[SE_ID_LEN])
{
    struct fault *fault = &creating->call->fault;
    char none[SE_ID_LEN];
    user_id[0] = department_id[0] = '\0';
    int rc = 0;
    if (creating->assignee && (rc = assignee_find(tx, creating->assignee, user_id, department_id)) == -ENOENT)
        check_fault(fault, "", "assignee", "is neither a user nor a department");
    else if (rc)
        return rc;
    if (creating->department) {
        rc = assignee_find(tx, creating->department, none, department_id);
        if (rc == -ENOENT || (!rc && *none))
            check_fault(fault, "", "department", "is no department's id or code");
        else if (rc)
            return rc;
    }
    if ((rc = check_result(fault)))
        return rc;
    if (!*department_id && tag_department_kind)
        rc = store_department_for(tx, tag_department_kind, division_id, department_id);
    return rc == -ENOENT ? 0 : rc;
}

/* Fills what the incident knows and the request did not say. */
static int from_incident(struct creating *creating, struct store_tx *tx, struct case_new *new,
                         json_t **ret_incident)
{
    struct fault *fault = &creating->call->fault;
    struct store_scope scope = call_scope(creating->call);
    json_t *incident = NULL;
    int rc = store_incident_get(tx, creating->incident_id, &scope, &incident);
    if (rc)
        return rc;
    *ret_incident = incident;
    if (json_is_string(json_object_get(incident, "case_id")))
        return se_fail(&fault->err, -EEXIST, "the incident has a case already: %s",
                       se_json_str(incident, "case_id", ""));
    new->incident_id = se_json_str(incident, "id", NULL);
    new->tag = se_json_str(incident, "tag", NULL);
    new->grid_id = se_json_str(incident, "grid_id", NULL);
    new->grid_version = se_json_int(incident, "grid_version", 0);
    new->division_id = se_json_str(incident, "division_id", NULL);
    if (creating->severity < 0)
        new->severity = se_json_str(incident, "severity", "minor");
    if (!new->description)
        new->description = se_json_str(incident, "message", NULL);
    if (!new->title)
        new->title = se_json_str(incident, "tag_text", se_json_str(incident, "tag_name", ""));
    return 0;
}

static void from_place(const struct creating *creating, struct case_new *new)
{
    const json_t *grid =
        creating->grid_id ? json_object_get(creating->county->grids, creating->grid_id) : NULL;
    if (grid) {
        new->grid_id = creating->grid_id;
        new->grid_version = se_json_int(grid, "version", 1);
        new->division_id = se_json_str(grid, "division_id", NULL);
    } else if (creating->place.in_grid) {
        new->grid_id = creating->place.grid.grid_id;
        new->grid_version = creating->place.grid.version;
        new->division_id = creating->place.grid.division_id;
    }
}

static int show_created(struct creating *creating, struct store_tx *tx, const char *case_id)
{
    struct call *call = creating->call;
    json_t *row = NULL;
    int rc = store_case_get(tx, case_id, NULL, &row);
    if (rc)
        return rc;
    creating->shared = case_show(creating->county, json_deep_copy(row), NULL, call->lang);
    call->answer = case_show(creating->county, row, call->who, call->lang);
    return creating->incident_id
               ? store_incident_get(tx, creating->incident_id, NULL, &creating->shared_incident)
               : 0;
}

static int do_create(struct store_tx *tx, void *ctx)
{
    struct creating *creating = ctx;
    struct call *call = creating->call;
    char user_id[SE_ID_LEN], department_id[SE_ID_LEN], case_id[SE_ID_LEN];
    se_json_ *incident = NULL;
    bool known = false;
    clear(creating);
    struct case_new new = {.kind = county_kind_find(creating->county, creating->kind_code, 0),
                           .title = creating->title,
                           .description = creating->description,
                           .severity = severity_name(creating->severity < 0 ? 1 : creating->severity),
                           .opened_by = call->who->user_id,
                           .opened_by_name =
                               call->who->display_name[0] ? call->who->display_name : call->who->username,
                           .deadline_minutes = creating->deadline_minutes};
    if (creating->tag)
        new.tag = se_json_str(county_tag(creating->county, creating->tag, &known), "code", NULL);
    from_place(creating, &new);
    int rc = creating->incident_id ? from_incident(creating, tx, &new, &incident) : 0;
    if (rc)
        return rc;
    const json_t *tag = new.tag ? county_tag(creating->county, new.tag, &known) : NULL;
    rc = find_people(creating, tx, se_json_str(tag, "department_kind", NULL), new.division_id, user_id,
                     department_id);
    if (rc)
        return rc;
    new.assignee = user_id;
    new.department_id = department_id;
    rc = case_open(tx, &new, case_id);
    if (!rc)
        rc = call_audit(creating->events, call, tx, "case.open", "case", case_id, NULL);
    return rc ? rc : show_created(creating, tx, case_id);
}

static int create(struct creating *creating)
{
    struct events *events = creating->events;
    struct call *call = creating->call;
    int rc = check_result(&call->fault);
    if (!rc && !county_kind_find(creating->county, creating->kind_code, 0)) {
        check_fault(&call->fault, "", "kind", "is no case kind of this county");
        rc = check_result(&call->fault);
    }
    if (!rc)
        rc = call_commit(events, call, do_create, creating);
    if (!rc) {
        events_count(M_CASES, 1);
        events_publish(events, "case.opened", "case.read", SE_TAKE(creating->shared));
        events_publish(events, "incident.updated", "incident.read", SE_TAKE(creating->shared_incident));
    }
    json_decref(creating->shared);
    json_decref(creating->shared_incident);
    county_unref(&creating->county);
    return call_failed(call, rc);
}

static void read_common(struct fault *fault, const json_t *body, struct creating *creating)
{
    creating->kind_code = KIND_DEFAULT;
    creating->severity = -1;
    check_text(fault, "", body, "kind", false, 64, &creating->kind_code);
    check_text(fault, "", body, "department", false, 64, &creating->department);
    check_text(fault, "", body, "assignee", false, 64, &creating->assignee);
    check_text(fault, "", body, "description", false, 4000, &creating->description);
    check_severity(fault, "", body, "severity", &creating->severity);
    check_int(fault, "", body, "deadline_minutes", 1, 525600, &creating->deadline_minutes);
}

int incident_open_case(struct events *events, struct call *call, const char *id, const json_t *body)
{
    static const char *const known[] = {"kind",        "title",    "department",       "assignee",
                                        "description", "severity", "deadline_minutes", NULL};
    struct creating creating = {
        .events = events, .county = events_county(events), .call = call, .incident_id = id};
    check_known(&call->fault, "", body, known);
    read_common(&call->fault, body, &creating);
    check_text(&call->fault, "", body, "title", false, 256, &creating.title);
    if (creating.title && !*creating.title)
        creating.title = NULL;
    return create(&creating);
}

int case_create(struct events *events, struct call *call, const json_t *body)
{
    static const char *const known[] = {
        "kind",        "title", "department", "assignee", "description",      "severity", "incident",
        "incident_id", "tag",   "location",   "grid_id",  "deadline_minutes", NULL};
    struct creating creating = {.events = events, .county = events_county(events), .call = call};
    struct fault *fault = &call->fault;
    struct place *place = &creating.place;
    if (!json_is_object(body))
        check_fault(fault, "", "", "the body must be an object {\"title\": …}");
    check_known(fault, "", body, known);
    read_common(fault, body, &creating);
    check_text(fault, "", body, "incident", false, 64, &creating.incident_id);
    check_text(fault, "", body, "incident_id", false, 64, &creating.incident_id);
    check_text(fault, "", body, "title", !creating.incident_id, 256, &creating.title);
    check_text(fault, "", body, "tag", false, 64, &creating.tag);
    check_text(fault, "", body, "grid_id", false, 64, &creating.grid_id);
    check_location(fault, "", body, "location", &place->has_location, &place->lat, &place->lon);
    if (creating.grid_id && !json_object_get(creating.county->grids, creating.grid_id))
        check_fault(fault, "", "grid_id", "is no grid of this county");
    if (place->has_location)
        place_find(events, creating.county, NULL, place);
    return create(&creating);
}
