/* Stream passwords: one's own, for pulling streams over RTSP. */
#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "fields.h"
#include "gateway/store_stream_passwords.h"
#include "ingest/rtsp_digest.h"
#include "routes.h"

#define PASSWORD_LEN 24 /* characters: over 130 bits */

struct work {
    struct http_request *req;
    struct http_response *res;
    const char *name;
    struct list_page page;
};

static int read_list(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    return store_stream_password_list(tx, work->req->who.user_id, work->page.after, work->page.limit,
                                      &work->page.items);
}

static int list(struct http_request *req, struct http_response *res)
{
    struct work work = {.req = req};
    return list_answer(req, res, &work.page, "id", read_list, &work);
}

static int make(struct store_tx *tx, void *ctx)
{
    struct work *work = ctx;
    const struct access_who *who = &work->req->who;
    char password[PASSWORD_LEN + 1], id[SE_ID_LEN], created[SE_TIME_LEN];
    struct access_ha1 ha1;
    char hash[RTSP_DIGEST_LEN];
    int r = access_random_password(password, PASSWORD_LEN);
    if (r < 0) {
        return r;
    }
    const char *const parts[] = {who->username, ACCESS_REALM, password};
    rtsp_digest(RTSP_DIGEST_MD5, parts, 3, hash);
    memcpy(ha1.md5, hash, sizeof(ha1.md5));
    rtsp_digest(RTSP_DIGEST_SHA256, parts, 3, hash);
    memcpy(ha1.sha256, hash, sizeof(ha1.sha256));
    r = strlen(ha1.sha256) == 64
            ? access_stream_password_new(http_deps(work->req)->access, tx, who->user_id, work->name, &ha1, id)
            : -ENOMEM;
    explicit_bzero(&ha1, sizeof(ha1));
    explicit_bzero(hash, sizeof(hash));
    if (r < 0) {
        return r;
    }
    se_json_ *detail = json_pack("{s:s}", "name", work->name);
    r = access_audit(tx, who, work->req->route->audit, "stream_password", id, detail);
    if (r < 0) {
        return r;
    }
    se_time_format(se_wall_now_ms(), created);
    json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", id, "name", work->name, "username",
                               who->username, "password", password, "created_at", created);
    explicit_bzero(password, sizeof(password));
    return http_created(work->res, answer);
}

static int add(struct http_request *req, struct http_response *res)
{
    struct work work = {.req = req, .res = res};
    struct fields fields;
    int r = fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    work.name = field_need(&fields, "name", 100);
    if (fields.bad) {
        return fields_end(&fields);
    }
    r = http_commit(req, res, make, &work);
    if (r == -EDQUOT) {
        return http_problem(res, 409, "You have %d stream passwords already; delete one first.",
                            ACCESS_STREAM_PASSWORDS_MAX);
    }
    return r;
}

static int end(struct http_request *req, struct http_response *res)
{
    return access_stream_password_end(http_deps(req)->access, &req->who, req->route->audit, req->params[0]);
}

static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/stream-passwords", SELF, HTTP_QUIET, 0, NULL, list),
    ROUTE(POST, "/api/v1/stream-passwords", SELF, HTTP_JSON | HTTP_SECRET, 8192, "stream_password.create",
          add),
    ROUTE(DELETE, "/api/v1/stream-passwords/{id}", SELF, 0, 0, "stream_password.delete", end),
};
const struct http_route_table routes_stream_passwords = {rows, SE_ARRAY_LEN(rows)};
