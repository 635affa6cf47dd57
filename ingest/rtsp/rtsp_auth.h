/* Answering a camera's challenge: Basic (RFC 7617) and Digest with MD5 and SHA-256 (RFC 7616, 2617). Pure. */
#ifndef INGEST_RTSP_RTSP_AUTH_H
#define INGEST_RTSP_RTSP_AUTH_H

#include "base/str.h"
#include "ingest/rtsp_message.h"

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_DIGEST_MD5, AUTH_DIGEST_SHA256 }; /* weakest first */

/* The strongest challenge of an answer. Zero-initialised is none; auth_fini() frees. */
struct rtsp_auth {
    enum auth_scheme scheme;
    bool session; /* MD5-sess, SHA-256-sess */
    bool qop;     /* qop=auth */
    bool quoted;  /* the algorithm was, and goes back so: some compare */
    bool stale;   /* the password was right, the nonce too old */
    char *realm, *nonce, *opaque, *algorithm;
    uint32_t uses; /* of this nonce */
};

/* Takes the strongest challenge of all WWW-Authenticate headers. -ENOENT: none that is known, -ENOMEM. */
int rtsp_auth_challenge(struct rtsp_auth *auth, const struct rtsp_message *answer);
void rtsp_auth_fini(struct rtsp_auth *auth);
/* Adds "Authorization: …\r\n" for one request; counts the nonce's use. cnonce: hex digits, fresh each time.
 */
void rtsp_auth_header(struct rtsp_auth *auth, const char *method, const char *url, const char *username,
                      const char *password, const char *cnonce, struct se_str *out);

#endif
