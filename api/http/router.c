#include "http/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define SEGMENTS_MAX 12

struct pattern {
    const struct http_route *route;
    char *text; /* the path, cut into segments */
    size_t count;
    const char *segments[SEGMENTS_MAX]; /* "" for a parameter */
};

struct router {
    size_t count;
    struct pattern patterns[];
};

static const struct {
    enum http_method method;
    const char *name;
} methods[] = {
    {HTTP_GET, "GET"}, {HTTP_POST, "POST"}, {HTTP_PATCH, "PATCH"}, {HTTP_PUT, "PUT"}, {HTTP_DELETE, "DELETE"},
};

int http_method_parse(const char *name, enum http_method *ret_method)
{
    if (strcmp(name, "HEAD") == 0) {
        name = "GET";
    }
    for (size_t i = 0; i < SE_ARRAY_LEN(methods); i++) {
        if (strcmp(methods[i].name, name) == 0) {
            *ret_method = methods[i].method;
            return 0;
        }
    }
    return -ENOTSUP;
}

const char *http_method_name(enum http_method method)
{
    for (size_t i = 0; i < SE_ARRAY_LEN(methods); i++) {
        if (methods[i].method == method) {
            return methods[i].name;
        }
    }
    return "?";
}

/* "/a/{b}/c" → a, "", c. -EINVAL: not that shape. */
static int pattern_init(struct pattern *pattern, const struct http_route *route)
{
    size_t params = 0;
    if (route->path[0] != '/') {
        return -EINVAL;
    }
    pattern->route = route;
    pattern->text = strdup(route->path + 1);
    if (!pattern->text) {
        return -ENOMEM;
    }
    char *rest = pattern->text;
    while (rest) {
        const char *segment = strsep(&rest, "/");
        if (pattern->count == SEGMENTS_MAX) {
            return -EINVAL;
        }
        if (segment[0] == '{') {
            if (params++ == HTTP_PARAMS_MAX || segment[strlen(segment) - 1] != '}') {
                return -EINVAL;
            }
            segment = "";
        } else if (!*segment && pattern->count > 0) {
            return -EINVAL;
        }
        pattern->segments[pattern->count++] = segment;
    }
    return 0;
}

static bool same_path(const struct pattern *a, const struct pattern *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->segments[i], b->segments[i]) != 0) {
            return false;
        }
    }
    return true;
}

static int row_check(const struct http_route *row, struct se_err *err)
{
    const char *what = NULL;
    if (!row->path || !http_method_name(row->method) || *http_method_name(row->method) == '?') {
        what = "has no method or path";
    } else if (row->permission <= ACCESS_NONE_ || row->permission >= ACCESS_COUNT_) {
        what = "has no permission";
    } else if (!row->handler) {
        what = "has no handler";
    } else if (!row->audit && !(row->flags & HTTP_QUIET) && row->permission != ACCESS_PUBLIC) {
        what = "has no audit name and is not quiet";
    } else if (row->body_max && (row->method == HTTP_GET || row->method == HTTP_DELETE)) {
        what = "takes a body with a method that has none";
    } else if ((row->flags & HTTP_JSON) && !row->body_max) {
        what = "takes JSON but allows no body";
    } else if ((row->flags & HTTP_INLINE) && (row->permission != ACCESS_PUBLIC || row->body_max)) {
        what = "runs inline but is not public and without a body";
    }
    if (!what) {
        return 0;
    }
    return se_fail(err, -EINVAL, "route %s %s %s", http_method_name(row->method),
                   row->path ? row->path : "(none)", what);
}

int router_new(const struct http_route_table *const *tables, size_t count, struct router **ret_router,
               struct se_err *err)
{
    size_t rows = 0;
    for (size_t t = 0; t < count; t++) {
        rows += tables[t]->count;
    }
    struct router *router = calloc(1, sizeof(*router) + rows * sizeof(router->patterns[0]));
    if (!router) {
        return se_fail(err, -ENOMEM, "out of memory");
    }
    int r = 0;
    for (size_t t = 0; t < count && r == 0; t++) {
        for (size_t i = 0; i < tables[t]->count && r == 0; i++) {
            const struct http_route *row = &tables[t]->rows[i];
            struct pattern *pattern = &router->patterns[router->count];
            r = row_check(row, err);
            if (r < 0) {
                break;
            }
            router->count++;
            r = pattern_init(pattern, row);
            if (r < 0) {
                se_fail(err, r, "route %s is not a pattern the router knows", row->path);
            }
            for (size_t k = 0; r == 0 && k + 1 < router->count; k++) {
                if (router->patterns[k].route->method == row->method &&
                    same_path(&router->patterns[k], pattern)) {
                    r = se_fail(err, -EINVAL, "route %s %s is there twice", http_method_name(row->method),
                                row->path);
                }
            }
        }
    }
    if (r < 0) {
        router_free(router);
        return r;
    }
    *ret_router = router;
    return 0;
}

void router_free(struct router *router)
{
    if (!router) {
        return;
    }
    for (size_t i = 0; i < router->count; i++) {
        free(router->patterns[i].text);
    }
    free(router);
}

/* One segment of a request's path, decoded in place: no control characters, no hidden slash, UTF-8. */
static bool segment_decode(char *segment)
{
    long len = se_url_decode(segment, false);
    if (len < 0 || !se_utf8_valid(segment, (size_t)len)) {
        return false;
    }
    segment[len] = '\0';
    for (const char *p = segment; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '/') {
            return false;
        }
    }
    return true;
}

/* -1: does not fit; else how exact it is: a bit per literal segment, the first weighing most. */
static long fit(const struct pattern *pattern, char *const *segments, size_t count)
{
    long exact = 0;
    if (pattern->count != count) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        bool parameter = !*pattern->segments[i] && (i > 0 || pattern->route->path[1] == '{');
        if (parameter ? !*segments[i] : strcmp(pattern->segments[i], segments[i]) != 0) {
            return -1;
        }
        if (!parameter) {
            exact |= 1L << (SEGMENTS_MAX - i);
        }
    }
    return exact;
}

static void allow_add(char *allow, size_t size, enum http_method method)
{
    size_t used = strlen(allow);
    struct se_str text = {0};
    se_str_printf(&text, "%s%s%s", used ? ", " : "", http_method_name(method),
                  method == HTTP_GET ? ", HEAD" : "");
    if (text.data && used + text.len < size) {
        memcpy(allow + used, text.data, text.len + 1);
    }
    se_str_fini(&text);
}

int router_find(const struct router *router, enum http_method method, char *path,
                struct router_match *ret_match)
{
    char *segments[SEGMENTS_MAX];
    size_t count = 0;
    long best = -1;
    if (path[0] != '/') {
        return -ENOENT;
    }
    for (char *rest = path + 1; rest;) {
        char *segment = strsep(&rest, "/");
        if (count == SEGMENTS_MAX || !segment_decode(segment)) {
            return -ENOENT;
        }
        segments[count++] = segment;
    }
    for (size_t i = 0; i < router->count; i++) {
        long exact = fit(&router->patterns[i], segments, count);
        best = exact > best ? exact : best;
    }
    if (best < 0) {
        return -ENOENT;
    }
    struct router_match match = {0};
    for (size_t i = 0; i < router->count; i++) {
        const struct pattern *pattern = &router->patterns[i];
        if (fit(pattern, segments, count) != best) {
            continue;
        }
        allow_add(match.allow, sizeof(match.allow), pattern->route->method);
        if (pattern->route->method == method) {
            match.route = pattern->route;
            for (size_t s = 0, p = 0; s < count; s++) {
                if (!*pattern->segments[s]) {
                    match.params[p++] = segments[s];
                }
            }
        }
    }
    *ret_match = match;
    return match.route ? 0 : -ENOTSUP;
}

size_t router_count(const struct router *router)
{
    return router->count;
}

const struct http_route *router_row(const struct router *router, size_t i)
{
    return router->patterns[i].route;
}
