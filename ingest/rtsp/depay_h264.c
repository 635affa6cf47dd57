/* RFC 6184: single NAL unit, STAP-A and FU-A packets (packetization modes 0 and 1). */
#include "depay.h"

enum { STAP_A = 24, FU_A = 28 };

static void fu_a(struct video_depay *depay, const uint8_t *data, size_t size)
{
    if (size < 2) {
        depay_bad(depay);
        return;
    }
    if (data[1] & 0x80) {
        uint8_t header = (data[0] & 0xe0) | (data[1] & 0x1f);
        depay_fragment_begin(depay, &header, data + 2, size - 2);
    } else {
        depay_fragment_add(depay, data + 2, size - 2);
    }
    if (data[1] & 0x40)
        depay_fragment_end(depay);
}

void depay_h264(struct video_depay *depay, const uint8_t *payload, size_t size)
{
    unsigned type = size ? payload[0] & 31 : 0;
    if (type >= 1 && type <= 23)
        depay_nal(depay, payload, size);
    else if (type == STAP_A)
        depay_aggregate(depay, payload + 1, size - 1);
    else if (type == FU_A)
        fu_a(depay, payload, size);
    else if (size) /* interleaved modes, which nobody asked for */
        depay_bad(depay);
}
