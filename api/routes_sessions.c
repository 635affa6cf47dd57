/* Signing in and out, and API tokens. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "fields.h"
#include "gateway/store_identity.h"
#include "http/exchange.h"
#include "routes.h"
#include "rtsp/out.h"

struct view {
    const struct access_who *who;
    json_t *user;
};

static int read_view(struct store_tx *tx, void *ctx)
{
    struct view *view = ctx;
    json_t *department = NULL;
    int r = store_user_get(tx, view->who->user_id, &view->user);
    if (r == 0 && view->who->department_id[0]) {
        r = store_department_get(tx, view->who->department_id, &department);
        if (r == 0) {
            r = se_json_put(view->user, "department", department);
        }
    }
    return r == -ENOENT && view->user ? 0 : r;
}

/* The signed-in user as the API shows them: with their department and what they may do, by name. */
static int user_view(struct http_request *req, const struct access_who *who, json_t **ret_user)
{
    struct view view = {.who = who};
    json_t *permissions = json_array();
    int r = store_read(http_deps(req)->store, read_view, &view);
    for (int i = ACCESS_NONE_ + 1; i < ACCESS_COUNT_; i++) {
        if (who->permissions & (1ULL << i)) {
            json_array_append_new(permissions,
                                  json_string(access_permission_name((enum access_permission)i)));
        }
    }
    if (r < 0) {
        json_decref(permissions);
        json_decref(view.user);
        return r;
    }
    se_json_put(view.user, "permissions", permissions);
    se_json_put(view.user, "all_departments", json_boolean(who->all_departments));
    *ret_user = view.user;
    return 0;
}

static void set_cookie(struct http_response *res, const char *token, se_wall_ms expires_ms)
{
    char text[192];
    long long left_s = token ? (expires_ms - se_wall_now_ms()) / 1000 : 0;
    snprintf(text, sizeof(text), HTTP_COOKIE "=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%lld",
             token ? token : "", left_s > 0 ? left_s : 0);
    http_header(res, "Set-Cookie", text);
}

static int sign_in(struct http_request *req, struct http_response *res)
{
    struct fields fields;
    struct access_who who;
    char token[65];
    se_wall_ms expires_ms;
    int retry_s = 0;
    int r = fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    const char *username = field_need(&fields, "username", 64);
    const char *password = field_need(&fields, "password", 1024);
    if (fields.bad) {
        return fields_end(&fields);
    }
    if (req->exchange->cookie_wanted && req->origin && !http_origin_matches(req->origin, req->host)) {
        return http_problem(res, 403, "Signing in with a cookie must come from the console's own pages.");
    }
    r = access_sign_in(http_deps(req)->access, username, password, req->address, token, &expires_ms, &who,
                       &retry_s);
    if (r == -EDQUOT) {
        res->retry_after_s = retry_s > 0 ? retry_s : 1;
        return http_problem(res, 429, "Too many failed sign-ins. Try again in %d s.", res->retry_after_s);
    }
    if (r == -EACCES) {
        http_header(res, "WWW-Authenticate", "Bearer realm=\"sharpeyes\"");
        return http_problem(res, 401, "The username or the password is wrong.");
    }
    json_t *user = NULL;
    r = r < 0 ? r : user_view(req, &who, &user);
    if (r < 0) {
        return r;
    }
    json_t *answer = json_pack("{s:s, s:o}", "token", token, "user", user);
    se_json_put_time(answer, "expires_at", expires_ms);
    if (req->exchange->cookie_wanted) {
        set_cookie(res, token, expires_ms);
    }
    explicit_bzero(token, sizeof(token));
    return http_created(res, answer);
}

static int current(struct http_request *req, struct http_response *res)
{
    json_t *user = NULL;
    int r = user_view(req, &req->who, &user);
    return r < 0 ? r
                 : http_ok(res, json_pack("{s:o, s:i}", "user", user, "rtsp_port",
                                          (int)rtsp_out_port(http_rtsp(req))));
}

static int sign_out(struct http_request *req, struct http_response *res)
{
    set_cookie(res, NULL, 0);
    return access_sign_out(http_deps(req)->access, &req->who);
}

/* API tokens */

static bool manages_users(struct http_request *req)
{
    return access_decide(http_deps(req)->access, &req->who, ACCESS_USER_WRITE, NULL).allowed;
}

struct token_work {
    struct http_request *req;
    struct http_response *res;
    const char *user_id, *name, *id;
    struct list_page page;
    se_wall_ms expires_ms;
    json_t *items;
};

static int read_tokens(struct store_tx *tx, void *ctx)
{
    struct token_work *work = ctx;
    return store_token_list(tx, work->user_id, work->page.after, work->page.limit, &work->page.items);
}

static int tokens_list(struct http_request *req, struct http_response *res)
{
    struct token_work work = {.user_id = req->who.user_id};
    if (manages_users(req)) {
        work.user_id = http_query(req, "user_id");
    }
    return list_answer(req, res, &work.page, "id", read_tokens, &work);
}

static int make_token(struct store_tx *tx, void *ctx)
{
    struct token_work *work = ctx;
    char token[65], id[SE_ID_LEN];
    int r = access_api_token_new(tx, work->user_id, work->name, work->expires_ms, token, id);
    if (r < 0) {
        return r;
    }
    se_json_ *detail = json_pack("{s:s, s:s}", "name", work->name, "user_id", work->user_id);
    r = access_audit(tx, &work->req->who, work->req->route->audit, "token", id, detail);
    if (r < 0) {
        return r;
    }
    json_t *answer = json_pack("{s:s, s:s, s:s, s:s}", "id", id, "name", work->name, "user_id", work->user_id,
                               "token", token);
    explicit_bzero(token, sizeof(token));
    if (work->expires_ms) {
        se_json_put_time(answer, "expires_at", work->expires_ms);
    } else {
        se_json_put_str(answer, "expires_at", NULL);
    }
    return http_created(work->res, answer);
}

static int tokens_add(struct http_request *req, struct http_response *res)
{
    struct token_work work = {.req = req, .res = res};
    struct fields fields;
    int r = fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    work.name = field_need(&fields, "name", 100);
    work.expires_ms = field_time(&fields, "expires_at");
    work.user_id = field_text(&fields, "user_id", 0, 64, NULL);
    if (work.expires_ms && work.expires_ms <= se_wall_now_ms()) {
        fields.bad = true;
        http_invalid(res, "expires_at", "must lie in the future");
    }
    if (fields.bad) {
        return fields_end(&fields);
    }
    if (work.user_id && strcmp(work.user_id, req->who.user_id) != 0 && !manages_users(req)) {
        return http_problem(res, 403, "Making tokens for others needs the permission user.write.");
    }
    if (!work.user_id) {
        work.user_id = req->who.user_id;
    }
    r = http_commit(req, res, make_token, &work);
    return r == -ENOLINK ? http_invalid(res, "user_id", "there is no such user") : r;
}

static int read_token(struct store_tx *tx, void *ctx)
{
    struct token_work *work = ctx;
    return store_token_get(tx, work->id, &work->items);
}

static int tokens_delete(struct http_request *req, struct http_response *res)
{
    const struct api_deps *deps = http_deps(req);
    struct token_work work = {.id = req->params[0]};
    int r = store_read(deps->store, read_token, &work);
    if (r < 0) {
        return r;
    }
    bool own = strcmp(se_json_str(work.items, "user_id", ""), req->who.user_id) == 0;
    json_decref(work.items);
    if (!own && !manages_users(req)) {
        return -ENOENT;
    }
    r = access_end_session(deps->access, req->params[0]);
    if (r == 0) {
        access_audit_later(deps->access, &req->who, req->route->audit, "token", req->params[0], NULL);
    }
    return r;
}

static const struct http_route rows[] = {
    ROUTE(POST, "/api/v1/sessions", PUBLIC, HTTP_JSON, 8192, "session.create", sign_in),
    ROUTE(GET, "/api/v1/sessions/current", SELF, HTTP_QUIET, 0, NULL, current),
    ROUTE(DELETE, "/api/v1/sessions/current", SELF, 0, 0, "session.delete", sign_out),
    ROUTE(GET, "/api/v1/tokens", TOKEN_WRITE, HTTP_QUIET, 0, NULL, tokens_list),
    ROUTE(POST, "/api/v1/tokens", TOKEN_WRITE, HTTP_JSON | HTTP_SECRET, HTTP_BODY_JSON, "token.create",
          tokens_add),
    ROUTE(DELETE, "/api/v1/tokens/{id}", TOKEN_WRITE, 0, 0, "token.delete", tokens_delete),
};
const struct http_route_table routes_sessions = {rows, SE_ARRAY_LEN(rows)};
