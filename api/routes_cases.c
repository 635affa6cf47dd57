/* Cases and their transitions. */
#include <errno.h>

#include "api/api.h"
#include "calls.h"
#include "fields.h"
#include "routes.h"

static int list_cases(struct http_request *req, struct http_response *res)
{
    static const char *const statuses[] = {"open", "suspended", "closed", NULL};
    static const char *const loops[] = {"collect", "assess", "assign", "handle", "close", "evaluate", NULL};
    static const char *const lights[] = {"green", "yellow", "red", NULL};
    struct routed routed;
    struct case_query query = {
        .stage = query_text(req, "stage"),
        .kind = query_text(req, "kind"),
        .grid_id = query_text(req, "grid_id"),
        .department_id = query_text(req, "department_id"),
        .assignee = query_text(req, "assignee"),
        .incident_id = query_text(req, "incident_id"),
        .number = query_text(req, "number"),
    };
    int rc = http_page(req, res, &query.limit, &query.after);
    rc = rc ? rc : query_word(req, res, "status", statuses, &query.status);
    rc = rc ? rc : query_word(req, res, "loop", loops, &query.loop);
    rc = rc ? rc : query_word(req, res, "light", lights, &query.light);
    rc = rc ? rc : query_time(req, res, "from", &query.from_ms);
    rc = rc ? rc : query_time(req, res, "to", &query.to_ms);
    if (rc)
        return rc;
    routed_begin(&routed, req, res, 200);
    routed.items = true;
    return routed_end(&routed, case_list(routed.events, &routed.call, &query));
}

static int create_case(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 201);
    routed.etag = "version";
    return routed_end(&routed, case_create(routed.events, &routed.call, req->json));
}

static int get_case(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    routed.etag = "version";
    return routed_end(&routed, case_get(routed.events, &routed.call, req->params[0]));
}

static int list_transitions(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    routed.items = true;
    return routed_end(&routed, case_transitions(routed.events, &routed.call, req->params[0]));
}

static int act_on_case(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 201);
    return routed_end(&routed, case_act(routed.events, &routed.call, req->params[0], req->json));
}

/* Which permission an action needs is the kind's to say: case.read is only what lets one knock. */
static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/cases", CASE_READ, HTTP_QUIET, 0, NULL, list_cases),
    ROUTE(POST, "/api/v1/cases", CASE_WRITE, HTTP_JSON, HTTP_BODY_JSON, "case.open", create_case),
    ROUTE(GET, "/api/v1/cases/{id}", CASE_READ, 0, 0, "case.view", get_case),
    ROUTE(GET, "/api/v1/cases/{id}/transitions", CASE_READ, HTTP_QUIET, 0, NULL, list_transitions),
    ROUTE(POST, "/api/v1/cases/{id}/transitions", CASE_READ, HTTP_JSON, HTTP_BODY_JSON, "case.act",
          act_on_case),
};
const struct http_route_table routes_cases = {rows, SE_ARRAY_LEN(rows)};
