/* The county as data: divisions, grids, tags, case kinds, rules. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "api/api.h"
#include "calls.h"
#include "fields.h"
#include "routes.h"

#define BODY_MAX (4 * 1024 * 1024) /* a grid of many points, a long kind */

static int list(struct http_request *req, struct http_response *res,
                int (*list_what)(struct events *events, struct call *call, const struct county_query *query))
{
    static const char *const levels[] = {"city", "county", "township", "village", NULL};
    struct routed routed;
    struct county_query query = {
        .parent_id = query_text(req, "parent_id"),
        .division_id = query_text(req, "division_id"),
        .class = query_text(req, "class"),
        .q = query_text(req, "q"),
    };
    int rc = http_page(req, res, &query.limit, &query.after);
    rc = rc ? rc : query_word(req, res, "level", levels, &query.level);
    if (rc)
        return rc;
    routed_begin(&routed, req, res, 200);
    routed.items = true;
    return routed_end(&routed, list_what(routed.events, &routed.call, &query));
}

static int list_divisions(struct http_request *req, struct http_response *res)
{
    return list(req, res, county_divisions);
}

static int list_tags(struct http_request *req, struct http_response *res)
{
    return list(req, res, county_tags);
}

/* A FeatureCollection that is also a page of a list: GeoJSON lets it carry further members (RFC 7946 6.1). */
static int list_grids(struct http_request *req, struct http_response *res)
{
    int rc = list(req, res, county_grids);
    if (rc || !res->json)
        return rc;
    json_t *features = json_object_get(res->json, "items");
    if (json_object_set_new(res->json, "type", json_string("FeatureCollection")) ||
        json_object_set(res->json, "features", features) || json_object_del(res->json, "items"))
        return -ENOMEM;
    return 0;
}

static int get_grid(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    return routed_end(&routed, county_grid(routed.events, &routed.call, req->params[0]));
}

static int need_degrees(struct http_request *req, struct http_response *res, const char *name, double limit,
                        double *ret_degrees)
{
    const char *text = query_text(req, name);
    char *end = NULL;
    double degrees = text ? strtod(text, &end) : NAN;
    if (!text || end == text || *end || !(degrees >= -limit && degrees <= limit))
        return http_invalid(res, name, "must be a number from -%.0f to %.0f, in WGS 84", limit, limit);
    *ret_degrees = degrees;
    return 0;
}

static int locate(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    double lat = 0, lon = 0;
    int wrong = need_degrees(req, res, "lat", 90, &lat);
    wrong |= need_degrees(req, res, "lon", 180, &lon);
    if (wrong)
        return -EPROTO;
    routed_begin(&routed, req, res, 200);
    return routed_end(&routed, county_locate(routed.events, &routed.call, lat, lon));
}

static int list_kinds(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    const char *after;
    int limit, rc = routed_begin_page(&routed, req, res, &after, &limit);
    return rc ? rc : routed_end(&routed, county_kinds(routed.events, &routed.call, after, limit));
}

static int get_kind(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    return routed_end(&routed, county_kind(routed.events, &routed.call, req->params[0]));
}

static int list_rules(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    const char *after;
    int limit, rc = routed_begin_page(&routed, req, res, &after, &limit);
    return rc ? rc : routed_end(&routed, county_rules(routed.events, &routed.call, after, limit));
}

static int get_rule(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    return routed_end(&routed, county_rule(routed.events, &routed.call, req->params[0]));
}

/* ---- changing ---- */

static int create(struct http_request *req, struct http_response *res, enum county_what what)
{
    struct routed routed;
    routed_begin(&routed, req, res, 201);
    return routed_end(&routed, county_create(routed.events, &routed.call, what, req->json));
}

static int replace(struct http_request *req, struct http_response *res, enum county_what what)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    return routed_end(&routed, county_replace(routed.events, &routed.call, what, req->params[0], req->json));
}

#define CHANGES(subject, what)                                                                               \
    static int create_##subject(struct http_request *req, struct http_response *res)                         \
    {                                                                                                        \
        return create(req, res, what);                                                                       \
    }                                                                                                        \
    static int replace_##subject(struct http_request *req, struct http_response *res)                        \
    {                                                                                                        \
        return replace(req, res, what);                                                                      \
    }
CHANGES(division, COUNTY_DIVISION)
CHANGES(grid, COUNTY_GRID)
CHANGES(tag, COUNTY_TAG)
CHANGES(kind, COUNTY_KIND)
CHANGES(rule, COUNTY_RULE)

#define READ(path, handler)    ROUTE(GET, path, COUNTY_READ, HTTP_QUIET, 0, NULL, handler)
#define CREATE(path, handler)  ROUTE(POST, path, COUNTY_WRITE, HTTP_JSON, BODY_MAX, "county.change", handler)
#define REPLACE(path, handler) ROUTE(PUT, path, COUNTY_WRITE, HTTP_JSON, BODY_MAX, "county.change", handler)

static const struct http_route rows[] = {
    READ("/api/v1/divisions", list_divisions),
    CREATE("/api/v1/divisions", create_division),
    REPLACE("/api/v1/divisions/{id}", replace_division),
    READ("/api/v1/grids", list_grids),
    CREATE("/api/v1/grids", create_grid),
    READ("/api/v1/grids/locate", locate),
    READ("/api/v1/grids/{id}", get_grid),
    REPLACE("/api/v1/grids/{id}", replace_grid),
    READ("/api/v1/tags", list_tags),
    CREATE("/api/v1/tags", create_tag),
    REPLACE("/api/v1/tags/{id}", replace_tag),
    READ("/api/v1/case-kinds", list_kinds),
    CREATE("/api/v1/case-kinds", create_kind),
    READ("/api/v1/case-kinds/{id}", get_kind),
    REPLACE("/api/v1/case-kinds/{id}", replace_kind),
    READ("/api/v1/rules", list_rules),
    CREATE("/api/v1/rules", create_rule),
    READ("/api/v1/rules/{id}", get_rule),
    REPLACE("/api/v1/rules/{id}", replace_rule),
};
const struct http_route_table routes_county = {rows, SE_ARRAY_LEN(rows)};
