/* A piece of a text that lies elsewhere, and what parsers do with it. */
#ifndef INGEST_TEXT_H
#define INGEST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct text {
    const char *p;
    size_t n;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

static inline bool text_is(struct text text, const char *word) /* letters of any case */
{
    size_t n = strlen(word);
    return text.n == n && (!n || !strncasecmp(text.p, word, n)); /* an empty one may be nowhere at all */
}

static inline bool text_begins(struct text text, const char *word) /* letters of any case */
{
    size_t n = strlen(word);
    return text.n >= n && !strncasecmp(text.p, word, n);
}

static inline bool text_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline struct text text_trim(struct text text)
{
    while (text.n && text_blank(text.p[0]))
        text.p++, text.n--;
    while (text.n && text_blank(text.p[text.n - 1]))
        text.n--;
    return text;
}

static inline struct text text_skip(struct text text, size_t n)
{
    n = n < text.n ? n : text.n;
    if (!n)
        return text; /* it may be nowhere at all */
    return (struct text){text.p + n, text.n - n};
}

/* Takes what stands before the next `by` off the front of *rest; all of it when there is none. */
static inline struct text text_cut(struct text *rest, char by)
{
    const char *end = rest->n ? memchr(rest->p, by, rest->n) : NULL;
    struct text head = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    *rest = text_skip(*rest, head.n + 1);
    return head;
}

/* Decimal digits at the front; -1: there are none, or the number is over max. */
static inline int64_t text_number(struct text text, int64_t max)
{
    int64_t value = 0;
    size_t i = 0;
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
        value = value * 10 + (text.p[i] - '0');
        if (value > max)
            return -1;
    }
    return i ? value : -1;
}

/* A token or quoted string off the front, as in the parameters of RFC 7616; a quoted one keeps its escapes.
 */
static inline struct text text_take_value(struct text *rest)
{
    struct text value;
    size_t end = 0;
    if (rest->n && rest->p[0] == '"') {
        end = 1;
        while (end < rest->n && rest->p[end] != '"')
            end += rest->p[end] == '\\' && end + 1 < rest->n ? 2 : 1;
        end = end < rest->n ? end : rest->n;
        value = (struct text){rest->p + 1, end - 1};
        *rest = text_skip(*rest, end + 1);
    } else {
        while (end < rest->n && rest->p[end] != ',' && !text_blank(rest->p[end]))
            end++;
        value = (struct text){rest->p, end};
        *rest = text_skip(*rest, end);
    }
    return value;
}

/* Nothing that could end a line or a header, or that does not belong into a URL. */
static inline bool text_printable(struct text text, bool spaces)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 32 || c == 127 || (c == ' ' && !spaces))
            return false;
    }
    return true;
}

#endif
