/* The hashes of Digest sign-in (RFC 7616), for the client and for the server. Pure. */
#ifndef INGEST_RTSP_DIGEST_H
#define INGEST_RTSP_DIGEST_H

enum rtsp_digest { RTSP_DIGEST_MD5, RTSP_DIGEST_SHA256 };
#define RTSP_DIGEST_LEN 65 /* of the longer one in hexadecimal, and NUL */

/* H() of the parts joined by colons, in lower-case hexadecimal; empty when there is no memory. */
void rtsp_digest(enum rtsp_digest algorithm, const char *const *parts, unsigned count,
                 char out[RTSP_DIGEST_LEN]);

#endif
