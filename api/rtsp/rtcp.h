/* RTCP of a sender (RFC 3550): reports out, receivers' reports in. Pure. */
#ifndef RTSP_RTCP_H
#define RTSP_RTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define RTCP_MAX 96

struct rtcp_sender {
    uint32_t ssrc, packets, octets;
    uint32_t timestamp; /* RTP time of now */
    se_wall_us now_us;
};
/* A sender report with a CNAME, and with bye the end of the source. Returns the size. */
size_t rtcp_sender_report(const struct rtcp_sender *sender, bool bye, uint8_t out[RTCP_MAX]);
/* Reads what a receiver sent: true when it is RTCP, and how many packets of ours (of that source) it misses
 * in all; 0 when it does not say. */
bool rtcp_receiver_report(const uint8_t *data, size_t size, uint32_t ssrc, uint32_t *ret_lost);

#endif
