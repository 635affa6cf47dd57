#include "http/range.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Digits at *text, which moves behind them. -1 when there are none or they do not fit. */
static int64_t number(const char **text)
{
    const char *p = *text;
    int64_t value = 0;
    if (*p < '0' || *p > '9') {
        return -1;
    }
    for (; *p >= '0' && *p <= '9'; p++) {
        if (value > (INT64_MAX - 9) / 10) {
            return -1;
        }
        value = value * 10 + (*p - '0');
    }
    *text = p;
    return value;
}

int range_parse(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_to)
{
    if (!header || strncasecmp(header, "bytes=", 6) != 0 || strchr(header, ',')) {
        return 0;
    }
    const char *p = header + 6 + strspn(header + 6, " ");
    int64_t from, to;
    if (*p == '-') { /* the last n bytes */
        p++;
        int64_t suffix = number(&p);
        if (suffix < 0 || *p) {
            return 0;
        }
        if (suffix == 0 || size == 0) {
            return -ERANGE;
        }
        from = suffix < size ? size - suffix : 0;
        to = size;
    } else {
        from = number(&p);
        if (from < 0 || *p++ != '-') {
            return 0;
        }
        int64_t last = *p ? number(&p) : INT64_MAX - 1;
        if (last < from || *p) {
            return 0;
        }
        if (from >= size) {
            return -ERANGE;
        }
        to = last < size ? last + 1 : size;
    }
    *ret_from = from;
    *ret_to = to;
    return 1;
}
