/* The audit trail, read and checked. Reading it is itself entered. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/json.h"
#include "fields.h"
#include "gateway/store_audit.h"
#include "routes.h"

struct work {
    struct audit_filter filter;
    json_t *json;
};

static int read_list(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    return store_audit_list(tx, &work->filter, &work->json);
}

static int list(struct http_request *req, struct http_response *res)
{
    struct work work = {.filter = {.user_id = http_query(req, "user_id"),
                                   .action = http_query(req, "action"),
                                   .target_type = http_query(req, "target_type"),
                                   .target_id = http_query(req, "target_id")}};
    const char *after;
    int limit;
    int r = http_page(req, res, &limit, &after);
    r = r < 0 ? r : query_time(req, res, "from", &work.filter.from_ms);
    r = r < 0 ? r : query_time(req, res, "to", &work.filter.to_ms);
    if (r < 0) {
        return r;
    }
    work.filter.before = after ? strtoll(after, NULL, 10) : 0;
    work.filter.limit = limit + 1;
    r = store_read(http_deps(req)->store, read_list, &work);
    if (r < 0) {
        return r;
    }
    char last[24] = "";
    if (json_array_size(work.json) > (size_t)limit) {
        fields_more(work.json, limit, "number");
        const json_t *entry = json_array_get(work.json, (size_t)limit - 1);
        snprintf(last, sizeof(last), "%lld", (long long)se_json_int(entry, "number", 0));
    }
    return http_list(res, work.json, last[0] ? last : NULL);
}

static int read_report(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    return store_audit_verify(tx, &work->json);
}

static int verify(struct http_request *req, struct http_response *res)
{
    struct work work = {0};
    int r = store_read(http_deps(req)->store, read_report, &work);
    return r < 0 ? r : http_ok(res, work.json);
}

static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/audit", AUDIT_READ, 0, 0, "audit.view", list),
    ROUTE(GET, "/api/v1/audit/verify", AUDIT_READ, 0, 0, "audit.verify", verify),
};
const struct http_route_table routes_audit = {rows, SE_ARRAY_LEN(rows)};
