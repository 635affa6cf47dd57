#include "http/query.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

static int decode(char *text)
{
    long len = se_url_decode(text, true);
    if (len < 0 || !se_utf8_valid(text, (size_t)len)) {
        return -EINVAL;
    }
    text[len] = '\0';
    return 0;
}

int query_parse(char *text, struct query *ret_query)
{
    struct query query = {0};
    char *rest = text;
    while (rest && *rest) {
        char *pair = strsep(&rest, "&");
        if (!*pair) {
            continue;
        }
        if (query.count == HTTP_QUERY_MAX) {
            return -E2BIG;
        }
        char *value = strchr(pair, '=');
        if (value) {
            *value++ = '\0';
        } else {
            value = pair + strlen(pair);
        }
        if (decode(pair) < 0 || (*value && decode(value) < 0)) {
            return -EINVAL;
        }
        query.pairs[query.count].name = pair;
        query.pairs[query.count].value = value;
        query.count++;
    }
    *ret_query = query;
    return 0;
}

const char *query_get(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++) {
        if (strcmp(query->pairs[i].name, name) == 0) {
            return query->pairs[i].value;
        }
    }
    return NULL;
}
