/* Who asks, and may they. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "gateway/store_cameras.h"
#include "http/exchange.h"

/* The token of "Bearer TOKEN" (RFC 6750), or NULL. */
static const char *bearer(const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "Bearer", 6) != 0 || authorization[6] != ' ') {
        return NULL;
    }
    return authorization + 6 + strspn(authorization + 6, " ");
}

bool http_origin_matches(const char *origin, const char *host)
{
    const char *authority = origin ? strstr(origin, "://") : NULL;
    return authority && host && strcasecmp(authority + 3, host) == 0;
}

/* Which of a ticket's actions a media row is. */
static enum access_media media_action(const struct http_route *row)
{
    if (row->permission == ACCESS_MEDIA_PLAYBACK) {
        return ACCESS_TICKET_PLAYBACK;
    }
    return strstr(row->path, "snapshot") ? ACCESS_TICKET_SNAPSHOT : ACCESS_TICKET_LIVE;
}

static int by_ticket(struct exchange *ex, const char *ticket)
{
    const char *name = ex->req.params[0] ? ex->req.params[0] : "";
    struct camera_key camera;
    int r = store_camera_find(ex->api->deps.store, name, &camera);
    if (r < 0) {
        return r == -ENOENT ? -EACCES : r;
    }
    return access_ticket_check(ex->api->deps.access, ticket, camera.id, media_action(ex->req.route),
                               &ex->req.who);
}

static int refuse_unknown(struct exchange *ex, bool tried)
{
    http_header(&ex->res, "WWW-Authenticate",
                tried ? "Bearer realm=\"sharpeyes\", error=\"invalid_token\"" : "Bearer realm=\"sharpeyes\"");
    return http_problem(
        &ex->res, 401, "%s",
        tried ? "The token or ticket is not known, or has ended. Sign in again."
              : "Sign in first: POST /api/v1/sessions, then send the token as Authorization: Bearer.");
}

int exchange_refuse_anonymous(struct exchange *ex)
{
    const struct http_route *row = ex->req.route;
    bool ticket = (row->flags & HTTP_TICKET) && http_query(&ex->req, "ticket");
    if (row->permission == ACCESS_PUBLIC || ex->authorization || ex->cookie || ticket) {
        return 0;
    }
    return refuse_unknown(ex, false);
}

static int identify(struct exchange *ex)
{
    const char *token = bearer(ex->authorization), *ticket = NULL;
    bool cookie = false;
    int r;
    if (!ex->authorization && (ex->req.route->flags & HTTP_TICKET)) {
        ticket = http_query(&ex->req, "ticket");
    }
    if (!ex->authorization && !ticket && ex->cookie) {
        token = ex->cookie;
        cookie = true;
    }
    if (ticket) {
        r = by_ticket(ex, ticket);
    } else if (token) {
        r = access_check_token(ex->api->deps.access, token, ex->req.address, &ex->req.who);
    } else {
        return refuse_unknown(ex, ex->authorization != NULL);
    }
    if (r == -EACCES || r == -ENOENT) {
        return refuse_unknown(ex, true);
    }
    if (r < 0) {
        return r;
    }
    ex->req.who.by_cookie = cookie;
    if (cookie && ex->req.method != HTTP_GET && !http_origin_matches(ex->req.origin, ex->req.host)) {
        return http_problem(&ex->res, 403, "A change by cookie must come from the console's own pages.");
    }
    return 0;
}

static void audit_denied(struct exchange *ex, const char *type, const char *id, const char *reason)
{
    se_json_ *detail =
        json_pack("{s:s, s:s, s:s}", "permission", access_permission_name(ex->req.route->permission),
                  "method", http_method_name(ex->req.method), "reason", reason);
    access_audit_later(ex->api->deps.access, &ex->req.who, "access.denied", type, id, detail);
}

int exchange_authorize(struct exchange *ex)
{
    const struct http_route *row = ex->req.route;
    if (row->permission == ACCESS_PUBLIC) {
        memcpy(ex->req.who.address, ex->req.address,
               strnlen(ex->req.address, sizeof(ex->req.who.address) - 1));
        return 0;
    }
    int r = identify(ex);
    if (r < 0) {
        return r;
    }
    struct access_decision decision =
        access_decide(ex->api->deps.access, &ex->req.who, row->permission, NULL);
    if (!decision.allowed) {
        audit_denied(ex, NULL, NULL, decision.reason);
        return http_problem(&ex->res, 403, "Not allowed: %s. This needs the permission %s.", decision.reason,
                            access_permission_name(row->permission));
    }
    return 0;
}

int http_allow(struct http_request *req, struct http_response *res, const struct access_target *target)
{
    struct access_decision decision =
        access_decide(req->api->deps.access, &req->who, req->route->permission, target);
    if (decision.allowed) {
        return 0;
    }
    audit_denied(req->exchange, target->type, target->id, decision.reason);
    return http_problem(res, 404, "There is nothing here by that name.");
}
