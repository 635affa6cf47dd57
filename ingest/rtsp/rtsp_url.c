#include "rtsp_url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"

static int decoded(struct text text, char **ret_text)
{
    char *copy = strndup(text.p, text.n);
    if (!copy)
        return -ENOMEM;
    /* A percent sign that begins no escape stands for itself: passwords are pasted as they are. */
    size_t out = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t byte;
        if (copy[i] == '%' && i + 2 < text.n && se_hex_decode(copy + i + 1, 2, &byte) == 1) {
            copy[out++] = (char)byte;
            i += 2;
        } else {
            copy[out++] = copy[i];
        }
    }
    copy[out] = 0;
    if (strlen(copy) != out || !text_printable((struct text){copy, out}, true)) {
        free(copy);
        return -EINVAL;
    }
    *ret_text = copy;
    return 0;
}

static int user_info(struct text info, struct rtsp_url *url)
{
    struct text password = info, name = text_cut(&password, ':');
    bool has_password = name.n < info.n;
    int r = decoded(name, &url->username);
    if (r == 0 && has_password)
        r = decoded(password, &url->password);
    return r;
}

static int host_port(struct text authority, struct rtsp_url *url, struct se_err *err)
{
    struct text host, port;
    bool has_port = false;
    if (authority.n && authority.p[0] == '[') {
        struct text rest = text_skip(authority, 1);
        size_t whole = rest.n;
        host = text_cut(&rest, ']');
        if (host.n == whole || (rest.n && rest.p[0] != ':'))
            return se_fail(err, -EINVAL, "the URL's IPv6 address is not closed by a bracket");
        has_port = rest.n > 0;
        port = text_skip(rest, 1);
    } else {
        port = authority;
        host = text_cut(&port, ':');
        has_port = host.n < authority.n;
    }
    if (!host.n || host.n >= sizeof(url->host))
        return se_fail(err, -EINVAL, "the URL names no host");
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !strchr("-._:%", c) && !((unsigned char)c & 0x80))
            return se_fail(err, -EINVAL, "the URL's host has a character that no host name has");
    }
    memcpy(url->host, host.p, host.n);
    url->host[host.n] = 0;
    url->port = url->tls ? 322 : 554;
    if (has_port && port.n) {
        int64_t number = text_number(port, 65535);
        for (size_t i = 0; i < port.n; i++)
            if (port.p[i] < '0' || port.p[i] > '9')
                number = -1;
        if (number < 1)
            return se_fail(err, -EINVAL, "the URL's port is not a number from 1 to 65535");
        url->port = (uint16_t)number;
    }
    return 0;
}

int rtsp_url_parse(const char *text, struct rtsp_url *ret_url, struct se_err *err)
{
    struct rtsp_url url = {0};
    struct text rest = {text, strlen(text)};
    if (!rtsp_url_absolute(rest))
        return se_fail(err, -EINVAL, "the URL does not begin with rtsp:// or rtsps://");
    url.tls = text_begins(rest, "rtsps://");
    if (rest.n > RTSP_URL_MAX)
        return se_fail(err, -EINVAL, "the URL is longer than %d characters", RTSP_URL_MAX);
    if (!text_printable(rest, false))
        return se_fail(err, -EINVAL, "the URL holds a space, a line end or another control character");

    rest = text_skip(rest, url.tls ? 8 : 7);
    struct text path = rest, authority = text_cut(&path, '/');
    path = (struct text){authority.p + authority.n, rest.n - authority.n};
    const char *at = memrchr(authority.p, '@', authority.n);
    struct text info = {authority.p, at ? (size_t)(at - authority.p) : 0};
    if (at)
        authority = text_skip(authority, info.n + 1);
    else if ((at = memchr(authority.p, '?', authority.n))) {
        path = (struct text){at, (size_t)(authority.p + authority.n - at) + path.n};
        authority.n = (size_t)(at - authority.p);
    }

    int r = host_port(authority, &url, err);
    if (r == 0 && info.p && info.n) {
        r = user_info(info, &url);
        if (r == -EINVAL)
            se_fail(err, r, "the URL's user name or password holds a control character");
    }
    if (r == 0) {
        url.request =
            se_asprintf("%s://%.*s%s%.*s", url.tls ? "rtsps" : "rtsp", (int)authority.n, authority.p,
                        path.n && path.p[0] == '/' ? "" : "/", (int)path.n, path.n ? path.p : "");
        if (!url.request)
            r = -ENOMEM;
    }
    if (r < 0) {
        rtsp_url_fini(&url);
        return r == -ENOMEM ? se_fail(err, r, "out of memory") : r;
    }
    *ret_url = url;
    return 0;
}

void rtsp_url_fini(struct rtsp_url *url)
{
    free(url->request);
    free(url->username);
    free(url->password);
    *url = (struct rtsp_url){0};
}

bool rtsp_url_absolute(struct text text)
{
    return text_begins(text, "rtsp://") || text_begins(text, "rtsps://");
}

char *rtsp_url_join(struct text base, struct text control)
{
    base = text_trim(base);
    control = text_trim(control);
    if (!text_printable(base, false) || !text_printable(control, false))
        return NULL;
    if (!control.n || text_is(control, "*"))
        return se_asprintf("%.*s", (int)base.n, base.n ? base.p : "");
    if (rtsp_url_absolute(control) || text_begins(control, "rtspu://"))
        return strndup(control.p, control.n);
    if (control.p[0] == '/') { /* an absolute path: from the host on */
        bool tls = text_begins(base, "rtsps://");
        struct text rest = text_skip(base, tls ? 8 : 7), host = text_cut(&rest, '/');
        return se_asprintf("%s://%.*s%.*s", tls ? "rtsps" : "rtsp", (int)host.n, host.p, (int)control.n,
                           control.p);
    }
    if (base.n && base.p[base.n - 1] == '/')
        return se_asprintf("%.*s%.*s", (int)base.n, base.p, (int)control.n, control.p);
    return se_asprintf("%.*s/%.*s", (int)base.n, base.p, (int)control.n, control.p);
}

static struct text before(struct text text, char c)
{
    return text_cut(&text, c);
}

char *rtsp_url_join_path(struct text base, struct text control)
{
    base = text_trim(base);
    struct text path = before(base, '?'), query = text_skip(base, path.n);
    se_free_ char *joined = rtsp_url_join(path, control);
    if (!joined || !text_printable(query, false))
        return NULL;
    return se_asprintf("%s%.*s", joined, (int)query.n, query.n ? query.p : "");
}

char *rtsp_url_resolve(struct text base, struct text control)
{
    base = before(text_trim(base), '?');
    struct text rest = text_skip(base, text_begins(base, "rtsps://") ? 8 : 7);
    const char *slash = rest.n ? memrchr(rest.p, '/', rest.n) : NULL;
    if (slash)
        base.n = (size_t)(slash - base.p);
    return rtsp_url_join(base, control);
}
