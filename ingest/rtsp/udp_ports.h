/* Pairs of UDP ports for RTP and RTCP (RFC 3550 11): an even one and the one above it. */
#ifndef INGEST_RTSP_UDP_PORTS_H
#define INGEST_RTSP_UDP_PORTS_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

/* first 0: the kernel chooses. */
struct udp_ports {
    uint16_t first, last;
};
/* "40000-49999", or empty. -EINVAL with words. */
int udp_ports_parse(const char *text, struct udp_ports *ret_ports, struct se_err *err);

/* Two non-blocking sockets bound to an even port and the next one, at the address local (its port is not
 * looked at). -EADDRINUSE: no pair is free, -EMFILE … */
int udp_ports_open(const struct udp_ports *ports, const struct sockaddr_storage *local, int ret_fds[2],
                   uint16_t ret_ports[2]);

#endif
