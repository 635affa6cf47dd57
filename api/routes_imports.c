/* Many cameras from one list: begin, watch, read the report, end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/imports.h"
#include "base/json.h"
#include "fields.h"
#include "gateway/store_imports.h"
#include "routes.h"

struct reading {
    const char *id;
    json_t *import;
};

static int read_import(struct store_tx *tx, void *ctx)
{
    struct reading *reading = ctx;
    return store_import_get(tx, reading->id, &reading->import);
}

/* An import that the caller may know of: their own, or any of the house for those who see all departments. */
static int find(struct http_request *req, struct http_response *res, const char *id, json_t **ret_import)
{
    struct reading reading = {.id = id};
    int r = store_read(http_deps(req)->store, read_import, &reading);
    if (r == 0 && !req->who.all_departments &&
        strcmp(se_json_str(reading.import, "account_id", ""), req->who.user_id) != 0)
        r = -ENOENT;
    if (r < 0) {
        json_decref(reading.import);
        return r == -ENOENT
                   ? http_problem(res, 404, "There is no such import, or it is more than a week old.")
                   : r;
    }
    json_object_del(reading.import, "account_id");
    *ret_import = reading.import;
    return 0;
}

/* A misspelt dry_run must not become an import. */
static int refuse_unknown(struct http_request *req, struct http_response *res)
{
    static const char *const known[] = {"dry_run", "crs", "encoding", "department_id", NULL};
    if (http_query_unknown(req, known))
        return http_problem(
            res, 422,
            "There is no parameter of that name here; there are dry_run, crs, encoding and department_id.");
    const char *dry = http_query(req, "dry_run");
    return dry && !*dry ? http_invalid(res, "dry_run", "must be one of 1, true, 0, false") : 0;
}

static int begin(struct http_request *req, struct http_response *res)
{
    static const char *const crs_words[] = {"wgs84", "gcj02", NULL};
    static const char *const encodings[] = {"auto", "utf-8", "gb18030", NULL};
    static const char *const yes_no[] = {"1", "true", "0", "false", NULL};
    const char *crs, *encoding, *dry;
    char id[SE_ID_LEN], location[96];
    struct se_err err = {0};
    json_t *import;
    if (refuse_unknown(req, res) < 0)
        return -EPROTO;
    int r = query_word(req, res, "crs", crs_words, &crs) |
            query_word(req, res, "encoding", encodings, &encoding) |
            query_word(req, res, "dry_run", yes_no, &dry);
    if (r < 0)
        return -EPROTO;
    struct import_ask ask = {.csv = req->body ? req->body : "",
                             .size = req->body_size,
                             .dry_run = dry && (*dry == '1' || *dry == 't'),
                             .gcj02 = crs && strcmp(crs, "gcj02") == 0,
                             .encoding = encoding ? encoding : "auto",
                             .department = query_text(req, "department_id"),
                             .who = &req->who};
    r = imports_start(http_deps(req)->imports, &ask, id, &err);
    if (r == -EINVAL)
        return http_invalid(res, err.field[0] ? err.field : "body", "%s", err.text);
    if (r == -EBUSY) {
        res->retry_after_s = 5;
        return http_problem(res, 503, "%s", err.text);
    }
    r = r < 0 ? r : find(req, res, id, &import);
    if (r < 0)
        return r;
    snprintf(location, sizeof(location), "/api/v1/camera-imports/%s", id);
    http_header(res, "Location", location);
    r = http_ok(res, import);
    res->status = 202;
    return r;
}

static int get(struct http_request *req, struct http_response *res)
{
    json_t *import;
    int r = find(req, res, req->params[0], &import);
    return r < 0 ? r : http_ok(res, import);
}

struct listing {
    const char *id, *result;
    int64_t after_line;
    int limit;
    json_t *lines;
};

static int read_lines(struct store_tx *tx, void *ctx)
{
    struct listing *listing = ctx;
    return store_import_lines(tx, listing->id, listing->result, listing->after_line, listing->limit,
                              &listing->lines);
}

static int rows_list(struct http_request *req, struct http_response *res)
{
    static const char *const results[] = {"created", "updated", "unchanged", "failed", NULL};
    struct listing listing = {.id = req->params[0]};
    json_t *import;
    const char *after = NULL;
    char last[24];
    int limit;
    int r = find(req, res, req->params[0], &import);
    if (r < 0)
        return r;
    json_decref(import);
    r = http_page(req, res, &limit, &after);
    r = r < 0 ? r : query_word(req, res, "result", results, &listing.result);
    if (r < 0)
        return r;
    listing.after_line = after ? strtoll(after, NULL, 10) : 0;
    listing.limit = limit + 1;
    r = store_read(http_deps(req)->store, read_lines, &listing);
    if (r < 0)
        return r;
    bool more = json_array_size(listing.lines) > (size_t)limit;
    while (json_array_size(listing.lines) > (size_t)limit)
        json_array_remove(listing.lines, json_array_size(listing.lines) - 1);
    if (more)
        snprintf(last, sizeof(last), "%lld",
                 (long long)se_json_int(json_array_get(listing.lines, (size_t)limit - 1), "line", 0));
    return http_list(res, listing.lines, more ? last : NULL);
}

static int cancelled(struct store_tx *tx, void *ctx)
{
    struct http_request *req = ctx;
    return access_audit(tx, &req->who, req->route->audit, "camera_import", req->params[0], NULL);
}

static int cancel(struct http_request *req, struct http_response *res)
{
    json_t *import;
    int r = find(req, res, req->params[0], &import);
    if (r < 0)
        return r;
    bool runs = strcmp(se_json_str(import, "state", ""), "running") == 0;
    json_decref(import);
    if (!runs)
        return http_problem(res, 409, "The import has ended; what it did stays.");
    imports_cancel(http_deps(req)->imports, req->params[0]);
    r = store_write(http_deps(req)->store, cancelled, req);
    return r < 0 ? r : 0;
}

static const struct http_route rows[] = {
    ROUTE(POST, "/api/v1/camera-imports", CAMERA_WRITE, 0, IMPORT_BYTES_MAX, "camera.import", begin),
    ROUTE(GET, "/api/v1/camera-imports/{id}", CAMERA_WRITE, HTTP_QUIET, 0, NULL, get),
    ROUTE(GET, "/api/v1/camera-imports/{id}/rows", CAMERA_WRITE, HTTP_QUIET, 0, NULL, rows_list),
    ROUTE(DELETE, "/api/v1/camera-imports/{id}", CAMERA_WRITE, 0, 0, "camera.import.cancel", cancel),
};
const struct http_route_table routes_imports = {rows, SE_ARRAY_LEN(rows)};
