#include "calls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"

static int set_answer(struct routed *routed)
{
    struct http_response *res = routed->res;
    json_t *answer = routed->call.answer;
    json_t *json = routed->items ? json_pack("{s:O}", "items", answer) : json_incref(answer);
    if (!json)
        return -ENOMEM;
    json_decref(res->json);
    res->json = json;
    res->status = routed->status;
    return 0;
}

/* The answer is set within the transaction, so that an Idempotency-Key is kept with it. */
static int write_and_answer(struct store_tx *tx, void *ctx)
{
    struct routed *routed = ctx;
    int rc = routed->fn(tx, routed->ctx);
    if (!rc)
        rc = set_answer(routed);
    routed->answered = !rc;
    return rc;
}

static int commit(struct call *call, store_fn fn, void *ctx)
{
    struct routed *routed = call->commit_ctx;
    routed->fn = fn;
    routed->ctx = ctx;
    return http_commit(routed->req, routed->res, write_and_answer, routed);
}

int64_t routed_if_match(const struct http_request *req)
{
    const char *text = req->if_match;
    if (!text || !strcmp(text, "*"))
        return 0;
    text += *text == '"';
    char *end;
    long long version = strtoll(text, &end, 10);
    return end != text && version > 0 ? version : -1; /* no version of ours */
}

void routed_begin(struct routed *routed, struct http_request *req, struct http_response *res, int status)
{
    *routed = (struct routed){.req = req, .res = res, .events = http_deps(req)->events, .status = status};
    routed->call.who = &req->who;
    routed->call.lang = http_query(req, "lang");
    routed->call.if_match = routed_if_match(req);
    routed->call.commit = commit;
    routed->call.commit_ctx = routed;
}

int routed_begin_page(struct routed *routed, struct http_request *req, struct http_response *res,
                      const char **ret_after, int *ret_limit)
{
    int r = http_page(req, res, ret_limit, ret_after);
    if (r < 0)
        return r;
    routed_begin(routed, req, res, 200);
    routed->items = true;
    return 0;
}

static int set_fault(struct routed *routed, int result)
{
    struct http_response *res = routed->res;
    struct fault *fault = &routed->call.fault;
    res->problem = fault->err;
    res->problem_errors = json_incref(fault->errors);
    if (fault->actions)
        res->problem_members = json_pack("{s:O}", "actions", fault->actions);
    if (result == -EBUSY || result == -EAGAIN)
        res->retry_after_s = 1;
    return result;
}

static int set_etag(struct routed *routed)
{
    char etag[32];
    int64_t version = routed->call.version;
    if (routed->etag && json_is_object(routed->call.answer))
        version = se_json_int(routed->call.answer, routed->etag, 0);
    if (version > 0) {
        snprintf(etag, sizeof etag, "\"%" PRId64 "\"", version);
        http_header(routed->res, "ETag", etag);
    }
    return 0;
}

/* A sign-in is no change of a user that somebody could have missed. */
static int64_t state_of(const json_t *value)
{
    se_json_ *copy = json_copy((json_t *)value);
    json_object_del(copy, "last_sign_in_at");
    return se_json_fingerprint(copy);
}

void answer_etag(struct http_response *res, const json_t *value)
{
    char etag[32];
    snprintf(etag, sizeof etag, "\"%" PRId64 "\"", state_of(value));
    http_header(res, "ETag", etag);
}

int answer_stale(const struct http_request *req, struct http_response *res, const json_t *value)
{
    int64_t version = routed_if_match(req);
    if (!version || version == state_of(value))
        return 0;
    return http_problem(res, 412, "This was changed since you read it. Read it again.");
}

int routed_end(struct routed *routed, int result)
{
    struct call *call = &routed->call;
    if (result == -EPROTO) /* the problem was set on the way */
        ;
    else if (result)
        result = set_fault(routed, result);
    else if (routed->answered) /* and as it was kept, it is sent */
        result = set_etag(routed);
    else if (routed->items)
        result = http_list(routed->res, json_incref(call->answer), call->last);
    else
        result = set_answer(routed) ? -ENOMEM : set_etag(routed);
    call_fini(call);
    return result;
}
