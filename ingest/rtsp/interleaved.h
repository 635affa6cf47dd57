/* RTP on the RTSP connection (RFC 2326 10.12): "$", a channel, a length, the packet. Cameras put other bytes
 * between them; this finds the way back. Pure. */
#ifndef INGEST_RTSP_INTERLEAVED_H
#define INGEST_RTSP_INTERLEAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum channel_kind { CHANNEL_NONE, CHANNEL_RTP, CHANNEL_RTCP };

/* What each channel carries. */
struct interleaved {
    struct {
        uint8_t kind;
        uint8_t payload_type; /* of RTP */
        uint8_t track;
    } channels[256];
};

#define INTERLEAVED_HEAD 4

/* Could a frame begin here? Looks at as much of it as there is. */
bool interleaved_plausible(const struct interleaved *map, const uint8_t *data, size_t size);
/* Bytes to leave out until a frame or a message begins. What remains may be too short to be sure: come again
 * with more. */
size_t interleaved_resync(const struct interleaved *map, const uint8_t *data, size_t size);

#endif
