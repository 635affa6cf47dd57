/* Reading the members of a request's JSON object: each wrong one becomes an entry of the 422 answer. */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include "base/time.h"
#include "http/route.h"

struct fields {
    const json_t *json;
    struct http_response *res;
    const char *prefix; /* of inner objects: "record/", or NULL */
    bool bad;           /* something was wrong: return fields_end() */
};
/* Names one wrong member. */
void field_wrong(struct fields *fields, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* -EPROTO (422) when the body is not an object. */
int fields_begin(struct http_request *req, struct http_response *res, struct fields *ret_fields);
/* 0, or -EPROTO when any field was wrong. */
int fields_end(const struct fields *fields);

bool field_given(const struct fields *fields, const char *name); /* there, if only as null */
/* Text of at most max characters without control characters; the fallback when it is absent. With min > 0 an
 * empty text or null is wrong; else null reads as NULL. */
const char *field_text(struct fields *fields, const char *name, size_t min, size_t max, const char *fallback);
/* The same, and it must be there. */
const char *field_need(struct fields *fields, const char *name, size_t max);
bool field_bool(struct fields *fields, const char *name, bool fallback);
int64_t field_int(struct fields *fields, const char *name, int64_t min, int64_t max, int64_t fallback);
/* RFC 3339; 0 when absent or null. */
se_wall_ms field_time(struct fields *fields, const char *name);
/* One of the words (NULL-ended); the fallback when absent. */
const char *field_word(struct fields *fields, const char *name, const char *const *words,
                       const char *fallback);

/* A parameter of the query; NULL when it is absent or empty. */
const char *query_text(const struct http_request *req, const char *name);
/* One of the words (NULL-ended); NULL when absent. -EPROTO (422). */
int query_word(struct http_request *req, struct http_response *res, const char *name,
               const char *const *words, const char **ret_word);
/* A time of the query; 0 when absent. -EPROTO (422). */
int query_time(struct http_request *req, struct http_response *res, const char *name, se_wall_ms *ret_ms);

/* One page of a list. The reader of it gives `limit` items and those only that come after `after` (NULL: from
 * the start); one more than is shown is asked for, which tells whether there are more. */
struct list_page {
    const char *after;
    int limit;
    json_t *items;
};
/* Answers with a page: what ?limit= and ?cursor= say, read in a transaction of its own. key: the member of an
 * item that the next page begins behind. read's ctx holds page. -EPROTO (422). */
int list_answer(struct http_request *req, struct http_response *res, struct list_page *page, const char *key,
                store_fn read, void *ctx);

/* Cuts a list read with limit + 1 down to limit; the member `key` of its last item when there are more, else
 * NULL. Belongs to items. */
const char *fields_more(json_t *items, int limit, const char *key);

#endif
