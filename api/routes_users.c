/* Users and roles. Nobody can hand out more than they have themselves. */
#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "calls.h"
#include "fields.h"
#include "gateway/store_identity.h"
#include "routes.h"

struct work {
    struct http_request *req;
    struct http_response *res;
    struct user_row row;
    const char *password; /* to be shown once, or NULL */
    const char *department, *scope_department_id;
    struct list_page page;
    bool must_change;
    char hash[128];
    json_t *json;
};

static int read_list(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    return store_user_list(tx, work->department, work->scope_department_id, work->page.after,
                           work->page.limit, &work->page.items);
}

static int list(struct http_request *req, struct http_response *res)
{
    struct work work = {.department = http_query(req, "department_id")};
    if (!req->who.all_departments) {
        work.scope_department_id = req->who.department_id;
    }
    return list_answer(req, res, &work.page, "id", read_list, &work);
}

static int read_roles(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    return store_role_list(tx, work->page.after, work->page.limit, &work->page.items);
}

static int roles(struct http_request *req, struct http_response *res)
{
    struct work work = {0};
    return list_answer(req, res, &work.page, "code", read_roles, &work);
}

static int read_one(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    return store_user_get(tx, work->req->params[0], &work->json);
}

/* The user of the path, when the caller may see or change one of that department. */
static int load(struct http_request *req, struct http_response *res, json_t **ret_user)
{
    struct work work = {.req = req};
    int r = store_read(http_deps(req)->store, read_one, &work);
    if (r < 0) {
        return r;
    }
    struct access_target target = {.type = "user",
                                   .id = se_json_str(work.json, "id", ""),
                                   .department_id = se_json_str(work.json, "department_id", "")};
    r = http_allow(req, res, &target);
    if (r < 0) {
        json_decref(work.json);
        return r;
    }
    *ret_user = work.json;
    return 0;
}

static int get(struct http_request *req, struct http_response *res)
{
    json_t *user = NULL;
    int r = load(req, res, &user);
    if (r < 0) {
        return r;
    }
    answer_etag(res, user);
    return http_ok(res, user);
}

/* Does the caller have everything that the role gives? */
static bool covers(const struct access_who *who, const json_t *role)
{
    size_t i;
    json_t *name;
    if (strcmp(se_json_str(role, "scope", "all"), "all") == 0 && !who->all_departments) {
        return false;
    }
    json_array_foreach (json_object_get(role, "permissions"), i, name) {
        enum access_permission permission;
        if (access_permission_parse(json_string_value(name), &permission) == 0 &&
            !(who->permissions & (1ULL << permission))) {
            return false;
        }
    }
    return true;
}

/* Are these roles there, and the caller's to give? In the transaction that gives them. */
static int roles_check(struct store_tx *tx, struct work *work, const json_t *codes, const char *field)
{
    size_t i;
    json_t *code;
    json_array_foreach (codes, i, code) {
        se_json_ *role = NULL;
        int r = json_is_string(code) ? store_role_get(tx, json_string_value(code), &role) : -ENOENT;
        if (r == -ENOENT) {
            return http_invalid(work->res, field, "there is no role %s",
                                json_is_string(code) ? json_string_value(code) : "that is not text");
        }
        if (r < 0) {
            return r;
        }
        if (!covers(&work->req->who, role)) {
            return http_problem(
                work->res, 403,
                "The role %s allows more than you may do yourself; you cannot give or change it.",
                json_string_value(code));
        }
    }
    return 0;
}

static int answer(struct store_tx *tx, struct work *work, int status)
{
    json_t *user = NULL;
    int r = access_audit(tx, &work->req->who, work->req->route->audit, "user", work->row.id, work->req->json);
    r = r < 0 ? r : store_user_get(tx, work->row.id, &user);
    if (r < 0) {
        return r;
    }
    if (work->password) {
        se_json_put_str(user, "initial_password", work->password);
    }
    return status == 201 ? http_created(work->res, user) : http_ok(work->res, user);
}

static int insert(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    int r = roles_check(tx, work, work->row.roles, "roles");
    r = r < 0 ? r : store_user_insert(tx, &work->row);
    return r < 0 ? r : answer(tx, work, 201);
}

/* The last enabled administrator cannot be disabled or lose the role. */
static int keeps_administrator(struct store_tx *tx, struct work *work)
{
    size_t i;
    json_t *code;
    int64_t others = 0;
    json_array_foreach (work->row.roles, i, code) {
        if (work->row.enabled && strcmp(json_string_value(code), "administrator") == 0) {
            return 0;
        }
    }
    int r = store_role_holders(tx, "administrator", work->row.id, &others);
    if (r == 0 && others == 0) {
        return http_problem(work->res, 409, "This is the last administrator. Make another one first.");
    }
    return r;
}

static int update(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    se_json_ *before = NULL;
    int r = store_user_get(tx, work->row.id, &before);
    const json_t *held = json_object_get(before, "roles");
    if (r == 0) {
        r = answer_stale(work->req, work->res, before);
    }
    if (r == 0) {
        r = roles_check(tx, work, held, "roles");
    }
    if (r == 0 && work->row.roles) {
        r = roles_check(tx, work, work->row.roles, "roles");
    }
    if (r < 0) {
        return r;
    }
    const json_t *given = work->row.roles;
    work->row.roles = given ? given : held;
    r = keeps_administrator(tx, work);
    work->row.roles = given;
    r = r < 0 ? r : store_user_update(tx, &work->row);
    return r < 0 ? r : answer(tx, work, 200);
}

static const json_t *field_roles(struct fields *fields)
{
    const json_t *value = json_object_get(fields->json, "roles");
    size_t i;
    json_t *code;
    if (value && (!json_is_array(value) || json_array_size(value) > 20)) {
        fields->bad = true;
        http_invalid(fields->res, "roles", "must be a list of at most 20 role codes");
        return NULL;
    }
    json_array_foreach (value, i, code) {
        if (!json_is_string(code)) {
            fields->bad = true;
            http_invalid(fields->res, "roles", "must be a list of role codes");
            return NULL;
        }
    }
    return value;
}

/* What is the same of a new user and a changed one. */
static void read_row(struct fields *fields, const json_t *before, struct user_row *row)
{
    row->display_name =
        field_text(fields, "display_name", 1, 100, se_json_str(before, "display_name", row->username));
    row->department_id =
        field_text(fields, "department_id", 0, 64, se_json_str(before, "department_id", NULL));
    row->division_id = field_text(fields, "division_id", 0, 64, se_json_str(before, "division_id", NULL));
    row->enabled = field_bool(fields, "enabled", se_json_bool(before, "enabled", true));
    row->must_change_password = se_json_bool(before, "must_change_password", false);
    row->roles = field_roles(fields);
}

static int explain(struct http_response *res, int r)
{
    if (r == -EEXIST) {
        return http_problem(res, 409, "Another user has this name.");
    }
    return r == -ENOLINK ? http_invalid(res, "department_id", "there is no such department") : r;
}

static int add(struct http_request *req, struct http_response *res)
{
    struct work work = {.req = req, .res = res};
    struct fields fields;
    struct se_err err = {0};
    char id[SE_ID_LEN], random[21];
    int r = fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    work.row.username = field_need(&fields, "username", 64);
    if (!fields.bad && access_username_check(work.row.username, &err) < 0) {
        field_wrong(&fields, "username", "%s", err.text);
    }
    const char *password = field_text(&fields, "password", 0, 128, NULL);
    read_row(&fields, NULL, &work.row);
    if (password && access_password_check(password, work.row.username, &err) < 0) {
        fields.bad = true;
        http_invalid(res, "password", "%s", err.text);
    }
    if (fields.bad) {
        return fields_end(&fields);
    }
    struct access_decision decision =
        access_decide(http_deps(req)->access, &req->who, req->route->permission,
                      &(struct access_target){.type = "user", .department_id = work.row.department_id});
    if (!decision.allowed) {
        return http_problem(res, 403, "Not allowed: %s.", decision.reason);
    }
    if (!password) {
        r = access_random_password(random, sizeof(random) - 1);
        if (r < 0) {
            return r;
        }
        work.password = password = random;
    }
    r = access_password_hash(password, work.hash);
    if (r < 0) {
        return r;
    }
    se_json_ *none = json_array();
    se_id_new(id);
    work.row.id = id;
    work.row.password_hash = work.hash;
    work.row.must_change_password = work.password != NULL;
    work.row.roles = work.row.roles ? work.row.roles : none;
    r = explain(res, http_commit(req, res, insert, &work));
    explicit_bzero(random, sizeof(random));
    return r;
}

static int change(struct http_request *req, struct http_response *res)
{
    const struct api_deps *deps = http_deps(req);
    struct work work = {.req = req, .res = res};
    struct fields fields;
    se_json_ *before = NULL;
    int r = load(req, res, &before);
    r = r < 0 ? r : fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    work.row.id = se_json_str(before, "id", "");
    work.row.username = se_json_str(before, "username", "");
    read_row(&fields, before, &work.row);
    if (fields.bad) {
        return fields_end(&fields);
    }
    r = explain(res, http_commit(req, res, update, &work));
    if (r == 0) {
        access_rights_changed(deps->access);
        if (!work.row.enabled) {
            access_forget_user(deps->access, work.row.id);
        }
    }
    return r;
}

static int set_password(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    se_json_ *before = NULL;
    int r = store_user_get(tx, work->row.id, &before);
    if (r == 0 && work->must_change) { /* somebody else's */
        r = roles_check(tx, work, json_object_get(before, "roles"), "id");
    }
    r = r < 0 ? r : store_user_password(tx, work->row.id, work->hash, work->must_change);
    return r < 0 ? r : access_audit(tx, &work->req->who, work->req->route->audit, "user", work->row.id, NULL);
}

/* One's own needs the present password, which counts as a sign-in: guesses are limited like those. */
static int confirm(struct http_request *req, struct http_response *res, const char *username,
                   const char *present)
{
    struct access *access = http_deps(req)->access;
    struct access_who who;
    char token[65];
    se_wall_ms expires_ms;
    int retry_s = 0;
    if (!present) {
        return http_invalid(res, "current_password", "is missing");
    }
    int r = access_sign_in(access, username, present, req->address, token, &expires_ms, &who, &retry_s);
    if (r == -EDQUOT) {
        res->retry_after_s = retry_s > 0 ? retry_s : 1;
        return http_problem(res, 429, "Too many wrong passwords. Try again in %d s.", res->retry_after_s);
    }
    if (r == -EACCES) {
        return http_invalid(res, "current_password", "is wrong");
    }
    explicit_bzero(token, sizeof(token));
    return r < 0 ? r : access_sign_out(access, &who);
}

static int password(struct http_request *req, struct http_response *res)
{
    const struct api_deps *deps = http_deps(req);
    struct work work = {.req = req, .res = res};
    struct fields fields;
    struct se_err err = {0};
    int r = store_read(deps->store, read_one, &work);
    se_json_ *user = work.json;
    r = r < 0 ? r : fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    const char *username = se_json_str(user, "username", "");
    const char *next = field_need(&fields, "password", 128);
    const char *present = field_text(&fields, "current_password", 0, 1024, NULL);
    work.row.id = se_json_str(user, "id", "");
    work.must_change = strcmp(work.row.id, req->who.user_id) != 0;
    if (!fields.bad && access_password_check(next, username, &err) < 0) {
        fields.bad = true;
        http_invalid(res, "password", "%s", err.text);
    }
    if (fields.bad) {
        return fields_end(&fields);
    }
    if (work.must_change) {
        struct access_decision decision = access_decide(
            deps->access, &req->who, ACCESS_USER_WRITE,
            &(struct access_target){
                .type = "user", .id = work.row.id, .department_id = se_json_str(user, "department_id", "")});
        r = decision.allowed ? 0 : -ENOENT;
    } else {
        r = confirm(req, res, username, present);
    }
    r = r < 0 ? r : access_password_hash(next, work.hash);
    r = r < 0 ? r : http_commit(req, res, set_password, &work);
    if (r == 0) {
        access_forget_user(deps->access, work.row.id);
    }
    return r;
}

static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/users", USER_READ, HTTP_QUIET, 0, NULL, list),
    ROUTE(POST, "/api/v1/users", USER_WRITE, HTTP_JSON | HTTP_SECRET, HTTP_BODY_JSON, "user.create", add),
    ROUTE(GET, "/api/v1/users/{id}", USER_READ, HTTP_QUIET, 0, NULL, get),
    ROUTE(PATCH, "/api/v1/users/{id}", USER_WRITE, HTTP_JSON, HTTP_BODY_JSON, "user.change", change),
    ROUTE(POST, "/api/v1/users/{id}/password", SELF, HTTP_JSON, HTTP_BODY_JSON, "user.password", password),
    ROUTE(GET, "/api/v1/roles", USER_READ, HTTP_QUIET, 0, NULL, roles),
};
const struct http_route_table routes_users = {rows, SE_ARRAY_LEN(rows)};
