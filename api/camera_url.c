#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cameras.h"

/* Where the authority of scheme://authority/path lies. */
static int authority(const char *url, const char **ret_start, size_t *ret_len)
{
    const char *start = strstr(url, "://");
    if (!start || start == url) {
        return -EINVAL;
    }
    *ret_start = start + 3;
    *ret_len = strcspn(start + 3, "/?#");
    return 0;
}

static char *decoded(const char *text, size_t len)
{
    char *copy = strndup(text, len);
    long n = copy ? se_url_decode(copy, false) : -1;
    bool good = n >= 0 && se_utf8_valid(copy, (size_t)n);
    for (long i = 0; good && i < n; i++) { /* no line of a request to the camera can be forged */
        good = (unsigned char)copy[i] >= 0x20 && copy[i] != 0x7f;
    }
    if (!good) {
        free(copy);
        return NULL;
    }
    copy[n] = '\0';
    return copy;
}

static bool printable(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p <= 0x20 || *p == 0x7f) {
            return false;
        }
    }
    return true;
}

/* "user:12" rather than "10.1.2.3:12" or "[fd00::1]:12". */
static bool looks_like_user_info(const char *start, size_t len)
{
    return *start != '[' && memchr(start, ':', len) && !memchr(start, '.', len);
}

int camera_url_split(const char *text, char **ret_url, char **ret_username, char **ret_password,
                     struct se_err *err)
{
    const char *start;
    size_t len;
    if (!printable(text)) {
        return se_fail(err, -EINVAL, "must not contain spaces, line breaks or control characters");
    }
    if (authority(text, &start, &len) < 0 || len == 0) {
        return se_fail(err, -EINVAL, "must look like rtsp://HOST:PORT/PATH");
    }
    const char *at = memrchr(start, '@', len);
    /* A password with a bare / ? or # would be cut there, and its rest be kept and shown as the path. */
    if (strchr(start, '#') || (!at && strchr(start + len, '@') && looks_like_user_info(start, len))) {
        return se_fail(err, -EINVAL,
                       "has # or @ behind the host; in a user name or password write / ? # @ as %%2F %%3F "
                       "%%23 %%40, or give them as username and password");
    }
    se_free_ char *username = NULL, *password = NULL;
    if (at) {
        const char *colon = memchr(start, ':', (size_t)(at - start));
        username = decoded(start, (size_t)((colon ? colon : at) - start));
        password = colon ? decoded(colon + 1, (size_t)(at - colon - 1)) : NULL;
        if (!username || (colon && !password)) {
            return se_fail(err, -EINVAL, "has a user name or password that is not percent-encoded rightly");
        }
    }
    const char *host = at ? at + 1 : start;
    char *url = se_asprintf("%.*s%s", (int)(start - text), text, host);
    if (!url) {
        return -ENOMEM;
    }
    *ret_url = url;
    *ret_username = SE_TAKE(username);
    *ret_password = SE_TAKE(password);
    return 0;
}

/* What is written for a URL without a port. */
static const char *own_port(const char *url)
{
    static const char *const ports[][2] = {
        {"rtsp:", "554"},  {"rtsps:", "322"}, {"rtmp:", "1935"},
        {"rtmps:", "443"}, {"http:", "80"},   {"https:", "443"},
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(ports); i++) {
        if (strncasecmp(url, ports[i][0], strlen(ports[i][0])) == 0) {
            return ports[i][1];
        }
    }
    return "0"; /* srt: none */
}

/* The port of an authority, its scheme's own when none is written. */
static void place(const char *url, const char *start, size_t len, size_t *ret_host_len, char ret_port[8])
{
    const char *bracket = memrchr(start, ']', len), *colon = memrchr(start, ':', len);
    if (colon && bracket && colon < bracket) {
        colon = NULL;
    }
    *ret_host_len = colon ? (size_t)(colon - start) : len;
    const char *port = own_port(url);
    size_t port_len = colon ? len - *ret_host_len - 1 : 0;
    memset(ret_port, 0, 8);
    if (port_len > 0 && port_len < 8) {
        memcpy(ret_port, colon + 1, port_len);
    } else {
        memcpy(ret_port, port, strlen(port));
    }
}

bool camera_url_same_place(const char *a, const char *b)
{
    const char *a_start, *b_start;
    size_t a_len, b_len, a_host, b_host;
    char a_port[8], b_port[8];
    if (!a || !b || authority(a, &a_start, &a_len) < 0 || authority(b, &b_start, &b_len) < 0) {
        return false;
    }
    place(a, a_start, a_len, &a_host, a_port);
    place(b, b_start, b_len, &b_host, b_port);
    return a_host == b_host && strncasecmp(a_start, b_start, a_host) == 0 && strcmp(a_port, b_port) == 0;
}
