/* /healthz, /readyz, /metrics, the description of the API. */
#include <errno.h>

#include "api/api.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/str.h"
#include "openapi.h"
#include "routes.h"

/* The process lives and its HTTP threads turn: nothing else is asked. */
static int health(struct http_request *req, struct http_response *res)
{
    return http_ok(res, json_pack("{s:s}", "status", "ok"));
}

static void part(json_t *parts, bool *ready, const char *name, bool ok, const char *reason)
{
    json_t *state = json_pack("{s:b}", "ready", ok);
    if (!ok) {
        se_json_put_str(state, "reason", reason);
        *ready = false;
    }
    se_json_put(parts, name, state);
}

static int readiness(struct http_request *req, struct http_response *res)
{
    const struct api_deps *deps = http_deps(req);
    struct se_err err = {0};
    bool ready = true;
    json_t *parts = json_object();
    part(parts, &ready, "store", store_healthy(deps->store),
         "the last commit failed; look at the disk that holds the database");
    part(parts, &ready, "ingest", ingest_healthy(deps->ingest, &err), err.text);
    json_t *answer = json_pack("{s:b, s:o}", "ready", ready, "parts", parts);
    if (ready) {
        return http_ok(res, answer);
    }
    res->problem_members = answer;
    return http_problem(res, 503, "The gateway is not ready; parts says why.");
}

static int metrics(struct http_request *req, struct http_response *res)
{
    struct se_str text = {0};
    se_metrics_render(&text);
    if (!text.oom) {
        res->bytes = se_buf_copy(text.data ? text.data : "", text.len);
    }
    se_str_fini(&text);
    res->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return res->bytes ? 0 : -ENOMEM;
}

static int description(struct http_request *req, struct http_response *res)
{
    res->bytes = se_buf_copy(openapi_yaml, openapi_yaml_size);
    res->content_type = "application/yaml";
    return res->bytes ? 0 : -ENOMEM;
}

static const struct http_route rows[] = {
    ROUTE(GET, "/healthz", PUBLIC, HTTP_QUIET | HTTP_INLINE, 0, NULL, health),
    ROUTE(GET, "/readyz", PUBLIC, HTTP_QUIET, 0, NULL, readiness),
    ROUTE(GET, "/metrics", METRICS_READ, HTTP_QUIET, 0, NULL, metrics),
    ROUTE(GET, "/api/v1/openapi.yaml", PUBLIC, HTTP_QUIET | HTTP_INLINE, 0, NULL, description),
};
const struct http_route_table routes_system = {rows, SE_ARRAY_LEN(rows)};
