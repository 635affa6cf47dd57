/* Departments. */
#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "calls.h"
#include "fields.h"
#include "gateway/store_identity.h"
#include "routes.h"

static const char *const kinds[] = {
    "public_security", "traffic", "urban_management", "environment", "governance_centre", "other", NULL};

struct work {
    struct http_request *req;
    struct http_response *res;
    struct department_row row;
    struct list_page page;
    json_t *json;
};

static int read_list(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    return store_department_list(tx, work->page.after, work->page.limit, &work->page.items);
}

static int list(struct http_request *req, struct http_response *res)
{
    struct work work = {0};
    return list_answer(req, res, &work.page, "id", read_list, &work);
}

static int read_one(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    return store_department_get(tx, work->req->params[0], &work->json);
}

static int get(struct http_request *req, struct http_response *res)
{
    struct work work = {.req = req, .res = res};
    int r = store_read(http_deps(req)->store, read_one, &work);
    if (r < 0) {
        return r;
    }
    answer_etag(res, work.json);
    return http_ok(res, work.json);
}

/* Fills row from the body over what was there. */
static int read_row(struct http_request *req, struct http_response *res, const json_t *before,
                    struct department_row *row)
{
    struct fields fields;
    int r = fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    if (before) {
        row->code = field_text(&fields, "code", 1, 64, se_json_str(before, "code", ""));
        row->name = field_text(&fields, "name", 1, 200, se_json_str(before, "name", ""));
    } else {
        row->code = field_need(&fields, "code", 64);
        row->name = field_need(&fields, "name", 200);
    }
    row->kind = field_word(&fields, "kind", kinds, se_json_str(before, "kind", "other"));
    row->division_id = field_text(&fields, "division_id", 0, 64, se_json_str(before, "division_id", NULL));
    return fields_end(&fields);
}

static int write_done(struct store_tx *tx, struct work *work, int status)
{
    int r = access_audit(tx, &work->req->who, work->req->route->audit, "department", work->row.id,
                         work->req->json);
    json_t *json = NULL;
    r = r < 0 ? r : store_department_get(tx, work->row.id, &json);
    if (r < 0) {
        return r;
    }
    answer_etag(work->res, json);
    return status == 201 ? http_created(work->res, json) : http_ok(work->res, json);
}

static int insert(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    int r = store_department_insert(tx, &work->row);
    return r < 0 ? r : write_done(tx, work, 201);
}

/* What is changed is what the sender saw, when the sender says what that was. */
static int still_same(struct store_tx *tx, struct work *work)
{
    se_json_ *now = NULL;
    int r = store_department_get(tx, work->row.id, &now);
    return r < 0 ? r : answer_stale(work->req, work->res, now);
}

static int update(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    int r = still_same(tx, work);
    r = r < 0 ? r : store_department_update(tx, &work->row);
    return r < 0 ? r : write_done(tx, work, 200);
}

static int remove_one(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    int r = still_same(tx, work);
    r = r < 0 ? r : store_department_delete(tx, work->row.id);
    return r < 0
               ? r
               : access_audit(tx, &work->req->who, work->req->route->audit, "department", work->row.id, NULL);
}

static int explain(struct http_response *res, int r)
{
    return r == -EEXIST ? http_problem(res, 409, "Another department has this code.") : r;
}

static int add(struct http_request *req, struct http_response *res)
{
    struct work work = {.req = req, .res = res};
    char id[SE_ID_LEN];
    int r = read_row(req, res, NULL, &work.row);
    if (r < 0) {
        return r;
    }
    se_id_new(id);
    work.row.id = id;
    return explain(res, http_commit(req, res, insert, &work));
}

static int change(struct http_request *req, struct http_response *res)
{
    struct work work = {.req = req, .res = res};
    int r = store_read(http_deps(req)->store, read_one, &work);
    se_json_ *before = work.json;
    r = r < 0 ? r : read_row(req, res, before, &work.row);
    if (r < 0) {
        return r;
    }
    work.row.id = se_json_str(before, "id", "");
    return explain(res, http_commit(req, res, update, &work));
}

static int delete (struct http_request *req, struct http_response *res)
{
    struct work work = {.req = req, .res = res};
    int r = store_read(http_deps(req)->store, read_one, &work);
    se_json_ *before = work.json;
    if (r < 0) {
        return r;
    }
    work.row.id = se_json_str(before, "id", "");
    r = http_commit(req, res, remove_one, &work);
    return r == -ENOLINK ? http_problem(res, 409, "Users or cameras still belong to this department.") : r;
}

static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/departments", COUNTY_READ, HTTP_QUIET, 0, NULL, list),
    ROUTE(POST, "/api/v1/departments", COUNTY_WRITE, HTTP_JSON, HTTP_BODY_JSON, "department.create", add),
    ROUTE(GET, "/api/v1/departments/{id}", COUNTY_READ, HTTP_QUIET, 0, NULL, get),
    ROUTE(PATCH, "/api/v1/departments/{id}", COUNTY_WRITE, HTTP_JSON, HTTP_BODY_JSON, "department.change",
          change),
    ROUTE(DELETE, "/api/v1/departments/{id}", COUNTY_WRITE, 0, 0, "department.delete", delete),
};
const struct http_route_table routes_departments = {rows, SE_ARRAY_LEN(rows)};
