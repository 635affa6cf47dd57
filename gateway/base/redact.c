/* se_log_redact(): errs on the side of masking too much. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/log.h"

static const char mask[] = "***";

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Masks [from, to) and returns what follows the mask; the text never grows. */
static char *mask_range(char *from, char *to)
{
    size_t len = (size_t)(to - from);

    if (len > sizeof(mask) - 1) {
        memmove(from + sizeof(mask) - 1, to, strlen(to) + 1);
        len = sizeof(mask) - 1;
    }
    memcpy(from, mask, len);
    return from + len;
}

static bool contains(const char *text, size_t len, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= len; i++)
        if (strncasecmp(text + i, word, n) == 0)
            return true;
    return false;
}

static bool ends_with_part(const char *name, size_t len, const char *part)
{
    size_t n = strlen(part);

    if (len < n || strncasecmp(name + len - n, part, n) != 0)
        return false;
    return len == n || name[len - n - 1] == '_' || name[len - n - 1] == '-';
}

/* A name that says that its value is a secret, and not where one lies (password_file) or which (token_id). */
static bool secret_name(const char *name, size_t len)
{
    static const char *const words[] = {"password", "passwd",     "token",  "ticket", "secret",
                                        "authoriz", "credential", "cookie", "pwd",    "psw"};
    static const char *const harmless[] = {"file", "id", "path", "count", "bytes"};

    for (size_t i = 0; i < SE_ARRAY_LEN(harmless); i++)
        if (ends_with_part(name, len, harmless[i]))
            return false;
    if (ends_with_part(name, len, "key"))
        return true;
    for (size_t i = 0; i < SE_ARRAY_LEN(words); i++)
        if (contains(name, len, words[i]))
            return true;
    return false;
}

/* The end of a value that began with `level` backslashes and a quote: JSON within a quoted
 * value escapes its quotes once more. */
static char *quoted_end(char *at, char quote, size_t level)
{
    size_t slashes = 0;

    for (; *at; at++) {
        if (*at == quote && slashes % (2 * (level + 1)) == level)
            return at - level;
        slashes = *at == '\\' ? slashes + 1 : 0;
    }
    return at;
}

static size_t skip_slashes(char **at)
{
    size_t n = 0;

    for (; **at == '\\'; (*at)++)
        n++;
    return n;
}

/* `name` is a secret's: masks what is assigned to it, if anything, and returns where to go on. */
static char *mask_value(const char *name, char before, char *end)
{
    bool header =
        contains(name, (size_t)(end - name), "authoriz") || contains(name, (size_t)(end - name), "cookie");
    char *at = end, *stop;
    size_t level;
    char quote;

    skip_slashes(&at);
    if (*at == '"' || *at == '\'')
        at++;
    while (*at == ' ')
        at++;
    if (*at != '=' && *at != ':')
        return end;
    if (at[0] == ':' && at[1] == '/' && at[2] == '/')
        return end;
    at++;
    while (*at == ' ')
        at++;
    stop = at;
    level = skip_slashes(&stop);
    quote = *stop;
    if (quote == '"' || quote == '\'') {
        at = stop + 1;
        stop = quoted_end(at, quote, level);
    } else if (header) {
        stop = at + strlen(at); /* "Digest username=…, response=…": all of it */
    } else {
        for (stop = at; *stop && *stop != ' '; stop++)
            if ((before == '?' || before == '&') && (*stop == '&' || *stop == '"' || *stop == '\''))
                break;
    }
    return mask_range(at, stop);
}

/* "Bearer <token>" outside of a header. A short word after it is prose. */
static char *mask_bearer(char *end)
{
    char *at = end, *stop;

    while (*at == ' ')
        at++;
    stop = at;
    while (*stop && *stop != ' ' && *stop != '"' && *stop != '\'')
        stop++;
    return stop - at >= 16 ? mask_range(at, stop) : end;
}

static void mask_names(char *line)
{
    char before = '\0';

    for (char *at = line; *at;) {
        char *end = at;

        if (!is_word(*at)) {
            before = *at++;
            continue;
        }
        while (is_word(*end))
            end++;
        if (secret_name(at, (size_t)(end - at)))
            at = mask_value(at, before, end);
        else if (end - at == 6 && strncasecmp(at, "bearer", 6) == 0)
            at = mask_bearer(end);
        else
            at = end;
        before = '\0';
    }
}

/* scheme://user:password@host. A password may hold '/' and '@' when its writer was
 * careless, so everything up to the last '@' of the word goes. */
static void mask_user_info(char *line)
{
    char *at = line;

    while ((at = strstr(at, "://")) != NULL) {
        char *last = NULL;

        at += 3;
        for (char *c = at; *c && !strchr(" \"'<>", *c); c++)
            if (*c == '@')
                last = c;
        if (last)
            at = mask_range(at, last);
    }
}

void se_log_redact(char *line)
{
    mask_user_info(line);
    mask_names(line);
}
