/* Bits of a parameter set, most significant first. Reading past the end gives zeros and sets `over`. */
#ifndef INGEST_CODEC_BITS_H
#define INGEST_CODEC_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bits {
    const uint8_t *data;
    size_t size; /* bytes */
    size_t at;   /* bit */
    bool over;   /* something was read that is not there */
};

static inline void bits_init(struct bits *bits, const void *data, size_t size)
{
    *bits = (struct bits){.data = data, .size = size};
}

static inline unsigned bits_1(struct bits *bits)
{
    if (bits->at >= bits->size * 8) {
        bits->over = true;
        return 0;
    }
    unsigned bit = (bits->data[bits->at >> 3] >> (7 - (bits->at & 7))) & 1;
    bits->at++;
    return bit;
}

/* At most 32 bits. */
uint32_t bits_u(struct bits *bits, unsigned count);
void bits_skip(struct bits *bits, size_t count);
/* Exp-Golomb codes, H.264 9.1. A code over 32 bits sets `over`. */
uint32_t bits_ue(struct bits *bits);
int32_t bits_se(struct bits *bits);

/* A NAL unit's payload without emulation prevention (H.264 7.3.1), at most size bytes of it. Returns the
 * count. */
size_t nal_unescape(const uint8_t *nal, size_t nal_size, uint8_t *out, size_t size);

#endif
