/* Frames into RTP packets, as they go over an RTSP connection (RFC 2326 10.12): each behind "$", its channel
 * and its length, so that the same bytes serve every viewer of a stream, and a datagram is a piece of them.
 * Pure. */
#ifndef RTSP_PACKETIZE_H
#define RTSP_PACKETIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ingest/params.h"

#define RTP_PAYLOAD_MAX   1400 /* behind the RTP header, so that a datagram fits an Ethernet frame */
#define RTP_HEADER        12
#define INTERLEAVED_FRAME 4 /* "$", channel, length */

/* What the packets of one track have in common. */
struct rtp_track {
    uint8_t payload_type, channel;
    uint16_t sequence; /* of the next packet */
    uint32_t ssrc;
};

/* The packets of one frame, or one RTCP packet. Referenced by one thread only; immutable. */
struct packets {
    unsigned refs;
    uint8_t track; /* set by who keeps them */
    bool rtcp, keyframe;
    uint16_t sequence;  /* of the first packet */
    uint32_t timestamp; /* RTP time */
    uint8_t *bytes;
    size_t size;
    uint32_t *at; /* where each packet begins in bytes */
    unsigned count;
};
struct packets *packets_ref(struct packets *packets);
void packets_unref(struct packets **packets);
/* The RTP packet of that number, without what stands before it on a connection. */
const uint8_t *packets_get(const struct packets *packets, unsigned number, size_t *ret_size);

/* One H.264 (RFC 6184, packetization-mode 1) or H.265 (RFC 7798, no DONL) access unit: NAL units behind
 * 4-byte lengths. sets: parameter sets in the same form that go before it, or NULL. Takes sequence numbers
 * from the track. -EBADMSG: lengths that do not fit or an empty unit, -ENOMEM; the track is as it was then.
 */
int packetize_video(enum codec codec, const struct se_buf *sets, const struct se_buf *unit,
                    struct rtp_track *track, uint32_t timestamp, struct packets **ret_packets);
/* One raw AAC frame (RFC 3640, AAC-hbr: 13 bits of size, 3 of index). -EBADMSG: none, or over 8191 bytes. */
int packetize_aac(const struct se_buf *frame, struct rtp_track *track, uint32_t timestamp,
                  struct packets **ret_packets);
/* An RTCP packet on the track's second channel. -ENOMEM. */
int packetize_rtcp(const uint8_t *rtcp, size_t size, const struct rtp_track *track,
                   struct packets **ret_packets);

#endif
