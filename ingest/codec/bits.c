#include "bits.h"

uint32_t bits_u(struct bits *bits, unsigned count)
{
    uint32_t value = 0;
    while (count--)
        value = value << 1 | bits_1(bits);
    return value;
}

void bits_skip(struct bits *bits, size_t count)
{
    if (count > bits->size * 8 - bits->at) {
        bits->at = bits->size * 8;
        bits->over = true;
    } else {
        bits->at += count;
    }
}

uint32_t bits_ue(struct bits *bits)
{
    unsigned zeros = 0;
    while (!bits_1(bits)) {
        if (bits->over || ++zeros > 31) {
            bits->over = true;
            return 0;
        }
    }
    return zeros ? (1u << zeros) - 1 + bits_u(bits, zeros) : 0;
}

int32_t bits_se(struct bits *bits)
{
    uint32_t code = bits_ue(bits);
    int64_t magnitude = ((int64_t)code + 1) / 2;
    return (int32_t)(code & 1 ? magnitude : -magnitude);
}

size_t nal_unescape(const uint8_t *nal, size_t nal_size, uint8_t *out, size_t size)
{
    size_t n = 0;
    unsigned zeros = 0;
    for (size_t i = 0; i < nal_size && n < size; i++) {
        if (zeros >= 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = nal[i] ? 0 : zeros + 1;
        out[n++] = nal[i];
    }
    return n;
}
