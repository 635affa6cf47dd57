/* RFC 7798: single NAL unit, aggregation and fragmentation packets, without DONL (sprop-max-don-diff is 0 on
 * every camera: it would mean that units come out of order). */
#include "depay.h"

enum { AP = 48, FU = 49 };

static void fragmentation(struct video_depay *depay, const uint8_t *data, size_t size)
{
    if (size < 3) {
        depay_bad(depay);
        return;
    }
    if (data[2] & 0x80) {
        uint8_t header[2] = {(uint8_t)((data[0] & 0x81) | (data[2] & 0x3f) << 1), data[1]};
        depay_fragment_begin(depay, header, data + 3, size - 3);
    } else {
        depay_fragment_add(depay, data + 3, size - 3);
    }
    if (data[2] & 0x40)
        depay_fragment_end(depay);
}

void depay_h265(struct video_depay *depay, const uint8_t *payload, size_t size)
{
    unsigned type = size > 2 ? payload[0] >> 1 & 63 : 63;
    if (type < AP)
        depay_nal(depay, payload, size);
    else if (type == AP)
        depay_aggregate(depay, payload + 2, size - 2);
    else if (type == FU)
        fragmentation(depay, payload, size);
    else if (size)
        depay_bad(depay);
}
