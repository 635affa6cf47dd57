/* What handlers use to answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "http/exchange.h"

void http_header(struct http_response *res, const char *name, const char *value)
{
    for (size_t i = 0; i < SE_ARRAY_LEN(res->headers); i++) {
        if (!res->headers[i][0][0]) {
            snprintf(res->headers[i][0], sizeof(res->headers[i][0]), "%s", name);
            snprintf(res->headers[i][1], sizeof(res->headers[i][1]), "%s", value);
            return;
        }
    }
}

static int set(struct http_response *res, int status, json_t *value)
{
    if (!value) {
        return -ENOMEM;
    }
    json_decref(res->json);
    res->json = value;
    res->status = status;
    return 0;
}

int http_ok(struct http_response *res, json_t *value)
{
    return set(res, 200, value);
}

int http_created(struct http_response *res, json_t *value)
{
    return set(res, 201, value);
}

int http_list(struct http_response *res, json_t *items, const char *last)
{
    se_free_ char *cursor = NULL;
    if (last) {
        size_t len = strlen(last);
        cursor = malloc(2 * len + 1);
        if (!cursor) {
            json_decref(items);
            return -ENOMEM;
        }
        se_hex_encode(last, len, cursor);
    }
    json_t *list = json_object();
    if (se_json_put(list, "items", items) < 0 || se_json_put_str(list, "next_cursor", cursor) < 0) {
        json_decref(list);
        return -ENOMEM;
    }
    return http_ok(res, list);
}

int http_page(struct http_request *req, struct http_response *res, int *ret_limit, const char **ret_after)
{
    const char *limit_text = http_query(req, "limit"), *cursor = http_query(req, "cursor");
    long limit = 100;
    struct exchange *exchange = req->exchange;
    if (limit_text) {
        char *end;
        errno = 0;
        limit = strtol(limit_text, &end, 10);
        if (errno || end == limit_text || *end || limit < 1 || limit > 1000) {
            return http_invalid(res, "limit", "must be a number from 1 to 1000");
        }
    }
    const char *after = NULL;
    if (cursor && *cursor) {
        size_t len = strlen(cursor);
        if (len >= 2 * sizeof(exchange->cursor)) {
            return http_invalid(res, "cursor", "is not one that a list gave you");
        }
        long decoded = se_hex_decode(cursor, len, (uint8_t *)exchange->cursor);
        if (decoded <= 0 || !se_utf8_valid(exchange->cursor, (size_t)decoded)) {
            return http_invalid(res, "cursor", "is not one that a list gave you");
        }
        exchange->cursor[decoded] = '\0';
        after = exchange->cursor;
    }
    *ret_limit = (int)limit;
    *ret_after = after;
    return 0;
}

const char *http_query(const struct http_request *req, const char *name)
{
    return query_get(&req->exchange->query, name);
}

const char *http_query_unknown(const struct http_request *req, const char *const *known)
{
    const struct query *query = &req->exchange->query;
    for (size_t i = 0; i < query->count; i++) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], query->pairs[i].name) != 0) {
            k++;
        }
        if (!known[k]) {
            return query->pairs[i].name;
        }
    }
    return NULL;
}

void http_response_fini(struct http_response *res)
{
    json_decref(res->json);
    json_decref(res->problem_members);
    json_decref(res->problem_errors);
    se_buf_unref(&res->bytes);
    if (res->pieces) {
        res->pieces->free(res->pieces);
    }
    if (res->source) {
        res->source->free(res->source);
    }
    if (res->stream) {
        res->stream->free(res->stream);
    }
    *res = (struct http_response){0};
}
