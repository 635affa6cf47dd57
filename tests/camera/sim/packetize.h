/* Coded frames into RTP payloads, once, at load. Pure: bytes in, packets out. */
#ifndef CAMERA_PACKETIZE_H
#define CAMERA_PACKETIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_PAYLOAD_MAX 1400 /* bytes behind the RTP header, so that a datagram fits an Ethernet frame */

/* One RTP payload; the header is written per session when it is sent. */
struct packet_range {
    uint32_t offset; /* into packet_list.bytes */
    uint16_t size;
    bool marker;
};

/* Growing list; zero-initialised is empty. bytes moves while the list grows. */
struct packet_list {
    struct packet_range *items;
    uint32_t count, cap;
    uint8_t *bytes;
    uint32_t size, bytes_cap;
};
void packet_list_fini(struct packet_list *list);

struct nal {
    const uint8_t *data;
    size_t size;
};

/* One access unit of H.264 (RFC 6184, packetization-mode 1: single NAL unit, FU-A, and with
 * aggregate the small NAL units together in STAP-A). The last packet carries the marker.
 * -EINVAL for an empty unit, -ENOMEM. */
int packetize_h264(struct packet_list *list, const struct nal *nals, unsigned count, bool aggregate);
/* The same for H.265 (RFC 7798: single NAL unit, FU, AP; no DONL). */
int packetize_h265(struct packet_list *list, const struct nal *nals, unsigned count, bool aggregate);
/* One raw AAC frame (RFC 3640, mode AAC-hbr: 13 bits of size, 3 of index); a frame over the
 * payload limit is cut into fragments. -EINVAL for 0 or more than 8191 bytes. */
int packetize_aac(struct packet_list *list, const uint8_t *data, size_t size);

/* One packet as it is, with the marker. */
int packetize_whole(struct packet_list *list, const uint8_t *data, size_t size);

/* RTP header, RFC 3550 section 5.1: version 2, no padding, extension or CSRC. Writes 12 bytes. */
#define RTP_HEADER_SIZE 12
void rtp_header_write(uint8_t *out, uint8_t payload_type, bool marker, uint16_t sequence, uint32_t timestamp,
                      uint32_t ssrc);

#endif
