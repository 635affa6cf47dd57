/* What a stranger's request line and headers are taken apart by: path, query, range; and a camera's URL. */
#include <stdlib.h>
#include <string.h>

#include "cameras.h"
#include "http/query.h"
#include "http/range.h"
#include "http/router.h"
#include "routes.h"

static struct router *router;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!router && router_new(routes_all, routes_all_count, &router, NULL) < 0) {
        abort();
    }
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';

    int64_t from, to;
    if (range_parse(text, 1000, &from, &to) == 1 && !(from >= 0 && from < to && to <= 1000)) {
        abort();
    }
    char *url = NULL, *username = NULL, *password = NULL;
    if (camera_url_split(text, &url, &username, &password, NULL) == 0) {
        if (strpbrk(url, "\r\n ") || (username && strpbrk(username, "\r\n"))) {
            abort();
        }
        camera_url_same_place(url, text);
        free(url);
        free(username);
        free(password);
    }
    char *query_text = strchr(text, '?');
    struct query query;
    if (query_text) {
        *query_text++ = '\0';
        if (query_parse(query_text, &query) == 0) {
            query_get(&query, "limit");
        }
    }
    struct router_match match;
    for (int method = HTTP_GET; method <= HTTP_DELETE; method++) {
        char *path = strdup(text);
        if (path && router_find(router, (enum http_method)method, path, &match) == 0 && !match.route) {
            abort();
        }
        free(path);
    }
    free(text);
    return 0;
}
