/* Which row a request belongs to. Built once from the tables, read by any thread. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "base/error.h"
#include "http/route.h"

struct router;

/* Checks every row (permission, handler, audit name, pattern, no two alike) and builds the router.
 * -EINVAL: err names the row. The tables must outlive it. */
int router_new(const struct http_route_table *const *tables, size_t count, struct router **ret_router,
               struct se_err *err);
void router_free(struct router *router);

struct router_match {
    const struct http_route *route;      /* NULL: path known, method not */
    const char *params[HTTP_PARAMS_MAX]; /* point into the path that was given */
    char allow[64];                      /* "GET, HEAD, POST" */
};
/* Takes the raw path apart in place and decodes each segment. 0; -ENOENT no such path (or one with bad
 * escapes); -ENOTSUP path known, not with this method (ret_match->allow says which). */
int router_find(const struct router *router, enum http_method method, char *path,
                struct router_match *ret_match);
/* All rows, in the order of the tables. */
size_t router_count(const struct router *router);
const struct http_route *router_row(const struct router *router, size_t i);

/* By name, as in a request line; HEAD is answered as GET. -ENOTSUP */
int http_method_parse(const char *name, enum http_method *ret_method);
const char *http_method_name(enum http_method method);

#endif
