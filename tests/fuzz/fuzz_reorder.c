/* The reordering buffer: each four bytes are a packet (two of sequence, one of size, one of time), what comes
 * out is in order, within the bounds, and nothing is lost that is not counted. */
#include <stdlib.h>

#include "rtsp/reorder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct out {
    struct reorder *reorder;
    uint64_t count;
    uint16_t last; /* for a debugger */
};

static void take(void *ctx, const uint8_t *packet, size_t size)
{
    struct out *out = ctx;
    uint16_t sequence = (uint16_t)(packet[0] << 8 | packet[1]);
    if (size < 2 || out->reorder->held >= REORDER_PACKETS)
        abort();
    out->count++;
    out->last = sequence;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reorder reorder = {.wait_us = 100};
    struct out out = {.reorder = &reorder};
    uint64_t pushed = 0;
    int64_t now = 0;
    for (; size >= 4; data += 4, size -= 4) {
        size_t length = 2 + (size_t)data[2] * 64;
        uint8_t *packet = calloc(1, length);
        packet[0] = data[0];
        packet[1] = data[1];
        now += data[3] & 0x7f;
        reorder_push(&reorder, data[3] >> 7, (uint16_t)(data[0] << 8 | data[1]), packet, length, now, take,
                     &out);
        pushed++;
        free(packet);
        if (reorder_due_us(&reorder) <= now)
            reorder_expire(&reorder, now, take, &out);
        if (reorder.held_bytes > REORDER_BYTES || (reorder.held && reorder_due_us(&reorder) <= now))
            abort();
        if (out.count + reorder.held + reorder.late + reorder.duplicates != pushed)
            abort();
    }
    reorder_expire(&reorder, INT64_MAX, take, &out);
    if (reorder.held || out.count + reorder.late + reorder.duplicates != pushed)
        abort();
    reorder_fini(&reorder);
    return 0;
}
