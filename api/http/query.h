/* The query of a URL: name=value pairs, decoded (application/x-www-form-urlencoded). Pure. */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include <stddef.h>

#define HTTP_QUERY_MAX 32 /* pairs */

struct query {
    size_t count;
    struct {
        const char *name, *value;
    } pairs[HTTP_QUERY_MAX];
};

/* Takes text apart in place ("a=1&b=%20", without the "?"); the pairs point into it. -EINVAL: bad escape, not
 * UTF-8 or a NUL; -E2BIG: more than HTTP_QUERY_MAX pairs. */
int query_parse(char *text, struct query *ret_query);
/* The first value of that name, or NULL. */
const char *query_get(const struct query *query, const char *name);

#endif
