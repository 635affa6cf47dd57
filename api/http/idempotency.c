/* Idempotency-Key: a POST that is repeated with the same key is answered as the first one was, and acts once.
 * The record is per user. Two at the same time: the second is told to come back. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "gateway/store_idempotency.h"
#include "http/exchange.h"

struct lookup {
    const struct exchange *ex;
    json_t *row;
};

static int look_up(struct store_tx *tx, void *ctx)
{
    struct lookup *lookup = ctx;
    return store_idempotency_get(tx, lookup->ex->req.who.user_id, lookup->ex->req.idempotency_key,
                                 se_wall_now_ms(), &lookup->row);
}

/* An answer that shows a secret lies sealed in the store, as a text. -errno. */
static int seal_answer(struct exchange *ex, json_t **ret_answer)
{
    se_free_ char *plain = se_json_text(ex->res.json), *sealed = NULL;
    int r = plain ? access_seal(ex->api->deps.access, plain, &sealed) : -ENOMEM;
    if (plain) {
        explicit_bzero(plain, strlen(plain));
    }
    if (r == 0) {
        *ret_answer = json_string(sealed);
        r = *ret_answer ? 0 : -ENOMEM;
    }
    return r;
}

static int unseal_answer(struct exchange *ex, const char *sealed, json_t **ret_answer)
{
    se_free_ char *plain = NULL;
    int r = access_unseal(ex->api->deps.access, sealed, &plain);
    if (r == 0) {
        r = se_json_parse(plain, strlen(plain), ret_answer, NULL);
        explicit_bzero(plain, strlen(plain));
    }
    return r;
}

static int keep(struct store_tx *tx, struct exchange *ex)
{
    se_json_ *sealed = NULL;
    if ((ex->req.route->flags & HTTP_SECRET) && ex->res.json) {
        int r = seal_answer(ex, &sealed);
        if (r < 0) {
            return r;
        }
    }
    struct idempotency_row row = {.user_id = ex->req.who.user_id,
                                  .key = ex->req.idempotency_key,
                                  .fingerprint = ex->fingerprint,
                                  .status = ex->res.status ? ex->res.status : 200,
                                  .answer = sealed ? sealed : ex->res.json,
                                  .at_ms = se_wall_now_ms()};
    return store_idempotency_put(tx, &row);
}

/* Once it is done: an answer without a body is whole, too. */
static int keep_alone(struct store_tx *tx, void *ctx)
{
    struct exchange *ex = ctx;
    if (!ex->res.status && !ex->res.json) {
        ex->res.status = 204;
    }
    return keep(tx, ex);
}

static void fingerprint(struct exchange *ex)
{
    unsigned char hash[32];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    crypto_generichash_update(&state, (const unsigned char *)ex->path, strlen(ex->path) + 1);
    if (ex->body_size) {
        crypto_generichash_update(&state, (const unsigned char *)ex->body, ex->body_size);
    }
    crypto_generichash_final(&state, hash, sizeof(hash));
    se_hex_encode(hash, sizeof(hash), ex->fingerprint);
}

static bool same_key(const struct exchange *a, const struct exchange *b)
{
    return strcmp(a->req.idempotency_key, b->req.idempotency_key) == 0 &&
           strcmp(a->req.who.user_id, b->req.who.user_id) == 0;
}

/* Enters ex among those under way; false when one with its key is there. At most one a worker. */
static bool enter(struct exchange *ex)
{
    bool alone = true;
    pthread_mutex_lock(&ex->api->keyed.lock);
    for (struct exchange *other = ex->api->keyed.first; other; other = other->next_keyed) {
        alone = alone && !same_key(other, ex);
    }
    if (alone) {
        ex->next_keyed = ex->api->keyed.first;
        ex->api->keyed.first = ex;
        ex->keyed = true;
    }
    pthread_mutex_unlock(&ex->api->keyed.lock);
    return alone;
}

static void leave(struct exchange *ex)
{
    pthread_mutex_lock(&ex->api->keyed.lock);
    struct exchange **at = &ex->api->keyed.first;
    while (*at && *at != ex) {
        at = &(*at)->next_keyed;
    }
    if (*at) {
        *at = ex->next_keyed;
    }
    ex->keyed = false;
    pthread_mutex_unlock(&ex->api->keyed.lock);
}

static int replay(struct exchange *ex, json_t *row)
{
    if (strcmp(se_json_str(row, "fingerprint", ""), ex->fingerprint) != 0) {
        return http_invalid(&ex->res, "Idempotency-Key",
                            "was used for another request; choose a new one for a new request");
    }
    json_t *kept = json_object_get(row, "answer"), *answer = NULL;
    int status = (int)se_json_int(row, "status", 200);
    bool secret = ex->req.route->flags & HTTP_SECRET;
    if (secret && json_is_string(kept) && unseal_answer(ex, json_string_value(kept), &answer) < 0) {
        answer = NULL;
    } else if (!secret && kept && !json_is_null(kept)) {
        answer = json_incref(kept);
    }
    if (!answer && status != 204) {
        return http_problem(&ex->res, 409,
                            "This was done before, but its answer is lost. Look for what it made.");
    }
    http_header(&ex->res, "Idempotent-Replayed", "true");
    http_count(HTTP_METRIC_REPLAYED);
    ex->res.status = status;
    ex->res.json = answer;
    return 1;
}

int exchange_key_begin(struct exchange *ex)
{
    const char *key = ex->req.idempotency_key;
    if (!key || ex->req.method != HTTP_POST || !(ex->req.route->flags & HTTP_JSON) ||
        !ex->req.who.user_id[0]) {
        return 0;
    }
    if (!*key || strlen(key) > 255 || !se_utf8_valid(key, strlen(key))) {
        return http_invalid(&ex->res, "Idempotency-Key", "must have 1 to 255 characters");
    }
    fingerprint(ex);
    if (!enter(ex)) {
        ex->res.retry_after_s = 1;
        return http_problem(&ex->res, 409, "A request with this Idempotency-Key is still under way.");
    }
    struct lookup lookup = {.ex = ex};
    int r = store_read(ex->api->deps.store, look_up, &lookup);
    if (r == -ENOENT) {
        return 0;
    }
    if (r == 0) {
        r = replay(ex, lookup.row);
    }
    json_decref(lookup.row);
    leave(ex);
    return r;
}

void exchange_key_end(struct exchange *ex)
{
    if (!ex->keyed) {
        return;
    }
    int status = ex->res.status ? ex->res.status : 200;
    if (ex->result >= 0 && !ex->kept && !ex->res.stream && status >= 200 && status < 300) {
        int r = store_write(ex->api->deps.store, keep_alone, ex);
        if (r < 0) {
            se_warn("http", "an answer could not be kept for its Idempotency-Key error=%d", -r);
        }
    }
    leave(ex);
}

struct commit {
    struct exchange *ex;
    store_fn fn;
    void *ctx;
    bool kept;
};

static int commit(struct store_tx *tx, void *ctx)
{
    struct commit *commit = ctx;
    int r = commit->fn(tx, commit->ctx);
    if (r == 0 && commit->ex->keyed) {
        r = keep(tx, commit->ex);
        commit->kept = r == 0 && commit->ex->res.json != NULL;
    }
    return r;
}

int http_commit(struct http_request *req, struct http_response *res, store_fn fn, void *ctx)
{
    struct commit work = {.ex = req->exchange, .fn = fn, .ctx = ctx};
    int r = store_write(req->api->deps.store, commit, &work);
    if (r == 0) {
        req->exchange->kept = work.kept;
    } else if (res->json && r != -EPROTO) {
        json_decref(res->json); /* the answer of something that did not happen */
        res->json = NULL;
        res->status = 0;
    }
    return r;
}
