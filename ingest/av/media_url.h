/* URLs of what libavformat pulls: rtmp, rtmps, http, https, srt, rtsp (RFC 3986). Those of a camera come from
 * people, those in playlists and redirects from a stranger. Pure but for memory. */
#ifndef INGEST_AV_MEDIA_URL_H
#define INGEST_AV_MEDIA_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define MEDIA_URL_MAX 2048

enum media_scheme {
    SCHEME_RTSP,
    SCHEME_RTMP,
    SCHEME_RTMPS,
    SCHEME_HTTP,
    SCHEME_HTTPS,
    SCHEME_SRT,
    SCHEME_COUNT
};

struct media_url {
    enum media_scheme scheme;
    char *text;                /* whole, without user info, the scheme in lower case */
    const char *rest;          /* points into text: path and query, "" or from its '/' or '?' on */
    char *username, *password; /* percent-decoded; NULL where the URL has none */
    char host[256];            /* without brackets */
    uint16_t port;             /* the scheme's own when none is written */
};

/* "rtmp://" is at the front of text, whatever is behind it: the scheme; else -EINVAL. */
int media_scheme_of(const char *text, enum media_scheme *ret_scheme);
const char *media_scheme_name(enum media_scheme scheme);

/* -EINVAL with words (never the URL itself: it may hold a password), -ENOMEM. */
int media_url_parse(const char *text, struct media_url *ret_url, struct se_err *err);
void media_url_fini(struct media_url *url);
/* Do both lead to the same scheme, host and port? */
bool media_url_same_server(const struct media_url *a, const struct media_url *b);
/* The same URL with its host replaced by address (numeric) and, when username is not NULL, user info,
 * percent-encoded. malloc'd; NULL: out of memory. */
char *media_url_at(const struct media_url *url, const char *address, const char *username,
                   const char *password);

#endif
