/* se_url_mask(): where a name says that its value is a secret. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/str.h"
#include "base/url.h"

#define NAME_MAX_LEN 64

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '%' || c == '_';
}

/* The last of a name's parts ("key" of "api_key") where one alone says it, or its letters anywhere. */
static bool secret_name(const char *name, size_t len)
{
    static const char *const parts[] = {"p", "pw", "psd", "key", "sig", "sid", "ak", "sk"};
    static const char *const words[] = {"pas",  "pwd",  "psw",    "secret",  "token",
                                        "auth", "sign", "apikey", "credent", "ticket"};
    char text[NAME_MAX_LEN + 1];
    size_t n = len < NAME_MAX_LEN ? len : NAME_MAX_LEN;
    memcpy(text, name + len - n, n); /* of a long one its end */
    text[n] = '\0';
    (void)se_url_decode(text, false);
    const char *last = strrchr(text, '_');
    last = last ? last + 1 : text;
    for (size_t i = 0; i < SE_ARRAY_LEN(parts); i++) {
        if (strcasecmp(last, parts[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < SE_ARRAY_LEN(words); i++) {
        if (strcasestr(text, words[i])) {
            return true;
        }
    }
    return false;
}

/* "_channel=1" and the like: where the next pair of a path begins. */
static bool pair_begins(const char *at)
{
    const char *p = at + 1;
    while (isalpha((unsigned char)*p)) {
        p++;
    }
    return strchr("_;,", *at) && p > at + 1 && *p == '=';
}

/* Where a value ends. In a query that is written as one should be, only at the next &. */
static const char *value_end(const char *value, bool in_query, bool plain)
{
    const char *p = value;
    while (*p && *p != '&' && (in_query || (*p != '/' && *p != '?')) && (plain || !pair_begins(p))) {
        p++;
    }
    return p;
}

/* The next secret's value at or after *at, which moves behind it. */
static bool next_secret(const char **at, bool *in_query, const char **ret_value)
{
    const char *p = *at, *name = *at;
    for (; *p; p++) {
        if (*p == '=' && p > name && secret_name(name, (size_t)(p - name))) {
            bool plain = *in_query && (name[-1] == '?' || name[-1] == '&');
            const char *end = value_end(p + 1, *in_query, plain);
            if (end > p + 1) {
                *ret_value = p + 1;
                *at = end;
                return true;
            }
        }
        if (!is_name(*p)) {
            *in_query = *in_query || *p == '?';
            name = p + 1;
        }
    }
    *at = p;
    return false;
}

/* Behind scheme://authority. */
static const char *path_of(const char *url)
{
    const char *at = strstr(url, "://");
    at = at ? at + 3 : url;
    return at + strcspn(at, "/?");
}

int se_url_mask(const char *url, char **ret_masked)
{
    struct se_str masked = {0};
    const char *at = path_of(url), *done = url, *value;
    bool in_query = false, any = false;
    while (next_secret(&at, &in_query, &value)) {
        se_str_add(&masked, done, (size_t)(value - done));
        se_str_puts(&masked, SE_URL_MASK);
        done = at;
        any = true;
    }
    if (!any) {
        return 0;
    }
    se_str_puts(&masked, done);
    char *text = se_str_take(&masked);
    if (!text) {
        return -ENOMEM;
    }
    *ret_masked = text;
    return 1;
}

bool se_url_is_masked(const char *url)
{
    const char *at = path_of(url), *value;
    bool in_query = false;
    while (next_secret(&at, &in_query, &value)) {
        if ((size_t)(at - value) == strlen(SE_URL_MASK) &&
            memcmp(value, SE_URL_MASK, strlen(SE_URL_MASK)) == 0) {
            return true;
        }
    }
    return false;
}
