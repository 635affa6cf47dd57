/* Writing of ISO/IEC 14496-12 boxes into one growing buffer. */
#ifndef MP4_BOX_H
#define MP4_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MP4_FOURCC(a, b, c, d)                                                                               \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* Zero-initialised is empty. An allocation failure sets oom and later writes do nothing. */
struct mp4_writer {
    uint8_t *data;
    size_t len, cap;
    bool oom;
};

void mp4_bytes(struct mp4_writer *w, const void *data, size_t size);
void mp4_zero(struct mp4_writer *w, size_t size);
void mp4_u8(struct mp4_writer *w, uint8_t v);
void mp4_u16(struct mp4_writer *w, uint16_t v);
void mp4_u32(struct mp4_writer *w, uint32_t v);
void mp4_u64(struct mp4_writer *w, uint64_t v);
/* Begins a box (a full box with version and flags); the mark goes to mp4_end(), which sets its size. */
size_t mp4_begin(struct mp4_writer *w, uint32_t type);
size_t mp4_begin_full(struct mp4_writer *w, uint32_t type, uint8_t version, uint32_t flags);
void mp4_end(struct mp4_writer *w, size_t mark);
/* Overwrites four bytes that were written before. */
void mp4_set_u32(struct mp4_writer *w, size_t at, uint32_t v);
void mp4_fini(struct mp4_writer *w);
/* Hands over what was written as a buffer and empties w; NULL: out of memory. */
struct se_buf *mp4_take(struct mp4_writer *w);

static inline uint16_t mp4_get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t mp4_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t mp4_get_u64(const uint8_t *p)
{
    return (uint64_t)mp4_get_u32(p) << 32 | mp4_get_u32(p + 4);
}
static inline void mp4_put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
static inline void mp4_put_u64(uint8_t *p, uint64_t v)
{
    mp4_put_u32(p, (uint32_t)(v >> 32));
    mp4_put_u32(p + 4, (uint32_t)v);
}

#endif
