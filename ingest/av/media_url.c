#include "av/media_url.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "ingest/text.h"

static const struct {
    const char *name;
    uint16_t port; /* 0: must be written */
} schemes[SCHEME_COUNT] = {
    [SCHEME_RTSP] = {"rtsp", 554}, [SCHEME_RTMP] = {"rtmp", 1935},  [SCHEME_RTMPS] = {"rtmps", 443},
    [SCHEME_HTTP] = {"http", 80},  [SCHEME_HTTPS] = {"https", 443}, [SCHEME_SRT] = {"srt", 0},
};

const char *media_scheme_name(enum media_scheme scheme)
{
    return schemes[scheme].name;
}

int media_scheme_of(const char *text, enum media_scheme *ret_scheme)
{
    for (unsigned i = 0; i < SCHEME_COUNT; i++) {
        size_t n = strlen(schemes[i].name);
        if (!strncasecmp(text, schemes[i].name, n) && !strncmp(text + n, "://", 3)) {
            *ret_scheme = i;
            return 0;
        }
    }
    return -EINVAL;
}

/* --- taking apart ------------------------------------------------------------- */

static int decoded(struct text text, char **ret_text)
{
    char *copy = strndup(text.n ? text.p : "", text.n);
    if (!copy)
        return -ENOMEM;
    long n = se_url_decode(copy, false);
    if (n < 0 || memchr(copy, 0, (size_t)n) || !text_printable((struct text){copy, (size_t)n}, true)) {
        free(copy);
        return -EINVAL;
    }
    copy[n] = 0;
    *ret_text = copy;
    return 0;
}

static int take_user_info(struct text info, struct media_url *url)
{
    struct text password = info, name = text_cut(&password, ':');
    bool has_password = name.n < info.n;
    int r = decoded(name, &url->username);
    if (r == 0 && has_password)
        r = decoded(password, &url->password);
    return r;
}

static bool host_good(struct text host, bool bracketed)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && (bracketed ? c != ':' : c != '-' && c != '_'))
            return false;
    }
    return host.n > 0 && host.n < sizeof(((struct media_url *)0)->host);
}

static int take_authority(struct text authority, struct media_url *url, struct se_err *err)
{
    struct text host, port = {NULL, 0};
    bool bracketed = authority.n && authority.p[0] == '[';
    if (bracketed) {
        struct text rest = text_skip(authority, 1);
        host = text_cut(&rest, ']');
        if (host.n + 2 > authority.n || (rest.n && rest.p[0] != ':'))
            return se_fail(err, -EINVAL, "the URL's IPv6 address is not closed by a bracket");
        port = text_skip(rest, 1);
    } else {
        port = authority;
        host = text_cut(&port, ':');
    }
    if (!host_good(host, bracketed))
        return se_fail(err, -EINVAL, "the URL names no host, or one with a character that no host name has");
    memcpy(url->host, host.p, host.n);
    url->host[host.n] = 0;
    url->port = schemes[url->scheme].port;
    for (size_t i = 0; i < port.n; i++)
        if (port.p[i] < '0' || port.p[i] > '9')
            return se_fail(err, -EINVAL, "the URL's port is not a number from 1 to 65535");
    if (port.n) {
        int64_t number = text_number(port, 65535);
        if (number < 1)
            return se_fail(err, -EINVAL, "the URL's port is not a number from 1 to 65535");
        url->port = (uint16_t)number;
    }
    return url->port ? 0
                     : se_fail(err, -EINVAL, "the URL needs a port, as in %s://HOST:9000",
                               schemes[url->scheme].name);
}

/* What libsrt takes from a URL could make it listen or read files: only what a caller needs. */
static int check_srt(struct text rest, struct se_err *err)
{
    static const char *const keys[] = {"streamid", "latency", "pbkeylen", "mode"};
    if (rest.n && rest.p[0] == '/')
        rest = text_skip(rest, 1);
    if (rest.n && rest.p[0] != '?')
        return se_fail(err, -EINVAL, "an srt:// URL has no path: name the stream as ?streamid=NAME");
    for (rest = text_skip(rest, 1); rest.n;) {
        struct text value = text_cut(&rest, '&'), key = text_cut(&value, '=');
        bool known = false;
        if (text_is(key, "passphrase"))
            return se_fail(err, -EINVAL, "give the passphrase of an srt:// URL as the stream's password");
        if (text_is(key, "mode") && !text_is(value, "caller"))
            return se_fail(err, -EINVAL, "an srt:// stream is always called: mode can only be caller");
        for (unsigned i = 0; i < SE_ARRAY_LEN(keys); i++)
            known |= key.n == strlen(keys[i]) && !memcmp(key.p, keys[i], key.n);
        if (!known)
            return se_fail(err, -EINVAL, "of an srt:// URL only streamid, latency and pbkeylen are taken");
    }
    return 0;
}

static int take_apart(const char *text, struct media_url *url, struct se_err *err)
{
    struct text whole = {text, strlen(text)};
    if (media_scheme_of(text, &url->scheme) < 0)
        return se_fail(err, -EINVAL, "the URL's scheme is none of rtsp, rtmp, rtmps, http, https and srt");
    if (whole.n > MEDIA_URL_MAX)
        return se_fail(err, -EINVAL, "the URL is longer than %d characters", MEDIA_URL_MAX);
    if (!text_printable(whole, false) || strpbrk(text, "#\\\""))
        return se_fail(err, -EINVAL, "the URL holds a space, a # or another character that no URL has");

    const char *start = strstr(text, "://") + 3;
    struct text authority = {start, strcspn(start, "/?")};
    struct text rest = {start + authority.n, whole.n - (size_t)(start - text) - authority.n};
    const char *at = authority.n ? memrchr(authority.p, '@', authority.n) : NULL;
    if (at) {
        struct text info = {authority.p, (size_t)(at - authority.p)};
        authority = text_skip(authority, info.n + 1);
        int r = take_user_info(info, url);
        if (r < 0)
            return r == -EINVAL ? se_fail(err, r, "the URL's user name or password is not percent-encoded")
                                : r;
    }
    int r = take_authority(authority, url, err);
    if (r == 0 && url->scheme == SCHEME_SRT)
        r = check_srt(rest, err);
    if (r < 0)
        return r;
    url->text = se_asprintf("%s://%.*s%.*s", schemes[url->scheme].name, (int)authority.n, authority.p,
                            (int)rest.n, rest.p);
    if (!url->text)
        return -ENOMEM;
    url->rest = url->text + strlen(url->text) - rest.n;
    return 0;
}

int media_url_parse(const char *text, struct media_url *ret_url, struct se_err *err)
{
    struct media_url url = {0};
    int r = take_apart(text, &url, err);
    if (r < 0) {
        media_url_fini(&url);
        return r == -ENOMEM ? se_fail(err, r, "out of memory") : r;
    }
    *ret_url = url;
    return 0;
}

void media_url_fini(struct media_url *url)
{
    if (url->password)
        explicit_bzero(url->password, strlen(url->password));
    free(url->text);
    free(url->username);
    free(url->password);
    *url = (struct media_url){0};
}

bool media_url_same_server(const struct media_url *a, const struct media_url *b)
{
    return a->scheme == b->scheme && a->port == b->port && !strcasecmp(a->host, b->host);
}

/* --- putting together --------------------------------------------------------- */

static void put_encoded(struct se_str *out, const char *text)
{
    static const char *const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (strchr(plain, *p))
            se_str_add(out, p, 1);
        else
            se_str_printf(out, "%%%02X", *p);
}

char *media_url_at(const struct media_url *url, const char *address, const char *username,
                   const char *password)
{
    struct se_str out = {0};
    bool v6 = strchr(address, ':') != NULL;
    se_str_printf(&out, "%s://", schemes[url->scheme].name);
    if (username) {
        put_encoded(&out, username);
        if (password) {
            se_str_puts(&out, ":");
            put_encoded(&out, password);
        }
        se_str_puts(&out, "@");
    }
    se_str_printf(&out, "%s%s%s:%u%s", v6 ? "[" : "", address, v6 ? "]" : "", url->port, url->rest);
    return se_str_take(&out);
}
