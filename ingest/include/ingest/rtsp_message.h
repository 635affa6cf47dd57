/* RTSP 1.0 messages (RFC 2326), as cameras and players write them. Pure: bytes in, pieces of them out. */
#ifndef INGEST_RTSP_MESSAGE_H
#define INGEST_RTSP_MESSAGE_H

#include "ingest/text.h"

#define RTSP_HEAD_MAX    (32 * 1024)
#define RTSP_BODY_MAX    (128 * 1024)
#define RTSP_HEADERS_MAX 64

struct rtsp_message {
    bool request;
    unsigned status;                  /* of a response */
    struct text method, url, version; /* of a request */
    struct text reason;
    unsigned header_count;
    struct rtsp_header {
        struct text name, value;
    } headers[RTSP_HEADERS_MAX];
    struct text body;
};

/* Reads the message at the front of data, where anything may follow. Bytes it took (head and body), or
 * 0: more are needed; -EBADMSG: no RTSP message; -EMSGSIZE: larger than the bounds above; -EPROTONOSUPPORT:
 * an HTTP server. Folded header lines are joined in place, so data is changed once the head is whole; the
 * message points into data. Lines may end in LF alone. */
long rtsp_message_parse(uint8_t *data, size_t size, struct rtsp_message *ret_message);

/* The value of the header's nth occurrence, empty when there is none. */
struct text rtsp_header_nth(const struct rtsp_message *message, const char *name, unsigned nth);
struct text rtsp_header(const struct rtsp_message *message, const char *name);

/* Session: its id and time-out in seconds (60 where not said, RFC 2326 12.37). false: no id. */
bool rtsp_session_parse(struct text value, struct text *ret_id, unsigned *ret_timeout_s);
/* What a server made of a SETUP (RFC 2326 12.39). Zero and empty where it does not say. */
struct rtsp_transport {
    enum { RTSP_INTERLEAVED, RTSP_UNICAST, RTSP_MULTICAST } way;
    bool secure;       /* SAVP: encrypted (SRTP) */
    bool has_channels; /* of the interleaved way */
    unsigned channel_rtp, channel_rtcp;
    uint16_t client_port[2], server_port[2]; /* RTP, RTCP */
    struct text source;                      /* the address packets come from */
};
/* Parameters in any order. false: nothing that is RTP, or channels that no frame can have. */
bool rtsp_transport_parse(struct text value, struct rtsp_transport *ret_transport);
/* Is the method among those of a Public header? */
bool rtsp_public_has(struct text value, const char *method);

#endif
