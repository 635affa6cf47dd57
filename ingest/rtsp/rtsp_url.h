/* rtsp:// and rtsps:// URLs (RFC 2326 3.2), with the user info that people write into them. */
#ifndef INGEST_RTSP_URL_H
#define INGEST_RTSP_URL_H

#include <stdint.h>

#include "base/error.h"
#include "ingest/text.h"

#define RTSP_URL_MAX 2048

struct rtsp_url {
    char *request;             /* as it goes onto the wire: no user info */
    char *username, *password; /* percent-decoded, NULL where the URL has none */
    char host[256];            /* without brackets */
    uint16_t port;             /* 554, or 322 for rtsps, where the URL has none */
    bool tls;                  /* rtsps */
};

/* -EINVAL with words (never the URL itself: it may hold a password), -ENOMEM. A password may hold '@', ':',
 * '#' and '?' unescaped: the last '@' before the path ends it. */
int rtsp_url_parse(const char *url, struct rtsp_url *ret_url, struct se_err *err);
void rtsp_url_fini(struct rtsp_url *url);
/* Is it one, whatever follows the scheme? */
bool rtsp_url_absolute(struct text text);

/* Joins a control attribute to its base (RFC 2326 C.1.1): absolute as it is, "*" or empty is the base, else
 * appended behind a slash, after the base's query where it has one, as cameras expect it. malloc'd; NULL: out
 * of memory, or characters that no URL has. */
char *rtsp_url_join(struct text base, struct text control);
/* The same, but before the base's query; and as RFC 3986 5.2 resolves it, in the place of the last segment.
 */
char *rtsp_url_join_path(struct text base, struct text control);
char *rtsp_url_resolve(struct text base, struct text control);

#endif
