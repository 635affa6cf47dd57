/* RTP and RTCP packets (RFC 3550). Pure. */
#ifndef INGEST_RTSP_RTP_H
#define INGEST_RTSP_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtp_packet {
    bool marker;
    uint8_t payload_type;
    uint16_t sequence;
    uint32_t timestamp, ssrc;
    const uint8_t *payload;
    size_t size;
};

/* -EBADMSG: not version 2, or shorter than it says. */
int rtp_parse(const uint8_t *data, size_t size, struct rtp_packet *ret_packet);

/* What one RTP stream has seen: order, loss and time. Zero-initialised is the start. */
struct rtp_receiver {
    bool started;
    uint32_t ssrc;
    uint64_t highest; /* sequence number, unwrapped */
    uint16_t retry;   /* where a second packet in order would prove a reset */
    bool retry_set;
    uint64_t received, lost;
    uint64_t report_highest, report_received; /* at the last receiver report */
    uint32_t timestamp;
    int64_t time;          /* timestamp unwrapped: grows over a wrap, jumps where the camera's does */
    uint32_t sr_middle;    /* of the last sender report: the middle 32 bits of its NTP time */
    int64_t sr_arrived_us; /* 0: none came */
    uint64_t sr_ntp;       /* the camera's wall clock … */
    uint32_t sr_timestamp; /* … at this RTP time */
    bool transit_set;
    uint32_t transit;   /* of the packet before: arrival less timestamp, in units of the clock */
    uint32_t jitter_16; /* sixteen times the jitter, in units of the clock; 0 where nobody measures it */
};
enum rtp_order {
    RTP_IN_ORDER,
    RTP_GAP,  /* packets are missing before this one, or the camera began anew */
    RTP_LATE, /* seen before, or too late: leave it out */
};
/* Takes a packet into account; on RTP_LATE nothing but its retry place changes. */
enum rtp_order rtp_receive(struct rtp_receiver *receiver, const struct rtp_packet *packet);

/* Measures jitter (RFC 3550 6.4.1, A.8). For every packet as it arrives, before it is put into order. */
void rtp_arrived(struct rtp_receiver *receiver, const struct rtp_packet *packet, uint32_t clock,
                 int64_t now_us);
uint32_t rtp_jitter_us(const struct rtp_receiver *receiver, uint32_t clock);

/* Reads a compound packet: the sender report of the receiver's source, if one is in it. bye: the source left.
 */
int rtcp_receive(struct rtp_receiver *receiver, const uint8_t *data, size_t size, int64_t now_us,
                 bool *ret_bye);
/* A receiver report with a CNAME (RFC 3550 6.1). Returns its size, at most RTCP_REPORT_MAX. */
#define RTCP_REPORT_MAX 64
size_t rtcp_report(struct rtp_receiver *receiver, uint32_t own_ssrc, int64_t now_us,
                   uint8_t out[RTCP_REPORT_MAX]);

#endif
