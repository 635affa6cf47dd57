/* What a player asks for: the URL, the transport, the answer to a challenge. Pure. */
#ifndef RTSP_REQUEST_H
#define RTSP_REQUEST_H

#include "gateway/access.h"
#include "ingest/rtsp_message.h"

#define RESOURCE_URL_MAX 1024

/* rtsp://HOST:PORT/{camera}[/main|/sub][/trackID=N][?ticket=…] */
struct rtsp_resource {
    char camera[65]; /* id or code; "": the server itself ("*" or no path) */
    bool sub;
    int track;             /* -1: all of it */
    char ticket[65];       /* "": none */
    struct text authority; /* HOST:PORT as the player wrote it, in the URL; empty: none */
};
/* -EINVAL: no such address can be of ours; -E2BIG: longer than any of ours. */
int rtsp_resource_parse(struct text url, struct rtsp_resource *ret_resource);

struct rtsp_delivery {
    bool udp;                     /* else interleaved */
    unsigned port_rtp, port_rtcp; /* the player's, with udp */
};
/* The first of a Transport header's that we serve: RTP/AVP over this connection or unicast UDP, to play.
 * -ENOTSUP there is none, -EINVAL no ports. */
int rtsp_delivery_choose(struct text header, struct rtsp_delivery *ret_transport);

/* Authorization: Digest … (RFC 7616, and RFC 2069 without qop). */
struct rtsp_digest_answer {
    bool sha256, qop;
    char username[128], realm[32], nonce[ACCESS_NONCE_LEN], uri[RESOURCE_URL_MAX], response[65], nc[16],
        cnonce[128];
};
/* -EINVAL: not Digest, or a part is missing, too long, or of an algorithm that we did not offer. */
int rtsp_digest_parse(struct text header, struct rtsp_digest_answer *ret_answer);
/* Does it prove the knowledge of the password behind ha1 for that method? */
bool rtsp_digest_right(const struct rtsp_digest_answer *answer, const char *method,
                       const struct access_ha1 *ha1);

#endif
