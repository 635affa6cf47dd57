#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for len more bytes and the NUL. */
static bool reserve(struct se_str *s, size_t len)
{
    size_t cap = s->cap > 0 ? s->cap : 64;
    char *data;

    if (s->oom)
        return false;
    if (s->data && len < s->cap - s->len)
        return true;
    if (len > SIZE_MAX / 4 || s->len > SIZE_MAX / 4) {
        s->oom = true;
        return false;
    }
    while (cap - s->len <= len)
        cap *= 2;
    data = realloc(s->data, cap);
    if (!data) {
        s->oom = true;
        return false;
    }
    s->data = data;
    s->cap = cap;
    return true;
}

void se_str_add(struct se_str *s, const void *data, size_t len)
{
    if (!reserve(s, len))
        return;
    if (len > 0)
        memcpy(s->data + s->len, data, len);
    s->len += len;
    s->data[s->len] = '\0';
}

void se_str_puts(struct se_str *s, const char *text)
{
    se_str_add(s, text, strlen(text));
}

void se_str_printf(struct se_str *s, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        s->oom = true;
        return;
    }
    if (!reserve(s, (size_t)n))
        return;
    va_start(args, fmt);
    vsnprintf(s->data + s->len, (size_t)n + 1, fmt, args);
    va_end(args);
    s->len += (size_t)n;
}

void se_str_fini(struct se_str *s)
{
    free(s->data);
    *s = (struct se_str){0};
}

char *se_str_take(struct se_str *s)
{
    char *data;

    se_str_add(s, "", 0); /* an empty text is a text too */
    data = s->data;
    if (s->oom) {
        free(data);
        data = NULL;
    }
    *s = (struct se_str){0};
    return data;
}

char *se_asprintf(const char *fmt, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vasprintf(&text, fmt, args);
    va_end(args);
    return n < 0 ? NULL : text;
}
