/* From a request to a call of events, and from what it gave to the response. */
#ifndef API_CALLS_H
#define API_CALLS_H

#include "events/events.h"
#include "http/route.h"

struct routed {
    struct call call;
    struct http_request *req;
    struct http_response *res;
    struct events *events;
    int status;       /* of an answer that went well */
    bool items;       /* the answer is a list */
    bool answered;    /* set within a write's transaction */
    const char *etag; /* member that is the answer's version, or NULL */
    /* the write under way */
    store_fn fn;
    void *ctx;
};

/* status: 200, 201 or 202. Language from ?lang= or Accept-Language's place in the query, version from
 * If-Match. */
void routed_begin(struct routed *routed, struct http_request *req, struct http_response *res, int status);
/* The same for one page of a list: 200, and what ?limit= and ?cursor= say. -EPROTO: return it, nothing was
 * begun. */
int routed_begin_page(struct routed *routed, struct http_request *req, struct http_response *res,
                      const char **ret_after, int *ret_limit);
/* Sets the response from the call's result and frees the call. Returns what the handler returns. */
int routed_end(struct routed *routed, int result);

/* The version that If-Match names ("7", quoted as an ETag is, or bare); 0: any; -1: none of ours. */
int64_t routed_if_match(const struct http_request *req);

/* For what has no counter: its ETag, made of what it says. */
void answer_etag(struct http_response *res, const json_t *value);
/* -EPROTO (412) when If-Match names another state of it than this one. */
int answer_stale(const struct http_request *req, struct http_response *res, const json_t *value);

#endif
