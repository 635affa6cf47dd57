#include "mp4/box.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *room(struct mp4_writer *w, size_t size)
{
    if (w->oom)
        return NULL;
    if (size > w->cap - w->len) {
        size_t cap = w->cap ? w->cap : 1024;
        while (cap - w->len < size) {
            if (cap > SIZE_MAX / 2) {
                w->oom = true;
                return NULL;
            }
            cap *= 2;
        }
        uint8_t *data = realloc(w->data, cap);
        if (!data) {
            w->oom = true;
            return NULL;
        }
        w->data = data;
        w->cap = cap;
    }
    uint8_t *at = w->data + w->len;
    w->len += size;
    return at;
}

void mp4_bytes(struct mp4_writer *w, const void *data, size_t size)
{
    uint8_t *at = room(w, size);
    if (at && size)
        memcpy(at, data, size);
}

void mp4_zero(struct mp4_writer *w, size_t size)
{
    uint8_t *at = room(w, size);
    if (at && size)
        memset(at, 0, size);
}

void mp4_u8(struct mp4_writer *w, uint8_t v)
{
    mp4_bytes(w, &v, 1);
}

void mp4_u16(struct mp4_writer *w, uint16_t v)
{
    mp4_bytes(w, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

void mp4_u32(struct mp4_writer *w, uint32_t v)
{
    uint8_t *at = room(w, 4);
    if (at)
        mp4_put_u32(at, v);
}

void mp4_u64(struct mp4_writer *w, uint64_t v)
{
    uint8_t *at = room(w, 8);
    if (at)
        mp4_put_u64(at, v);
}

size_t mp4_begin(struct mp4_writer *w, uint32_t type)
{
    size_t mark = w->len;
    mp4_u32(w, 0);
    mp4_u32(w, type);
    return mark;
}

size_t mp4_begin_full(struct mp4_writer *w, uint32_t type, uint8_t version, uint32_t flags)
{
    size_t mark = mp4_begin(w, type);
    mp4_u32(w, (uint32_t)version << 24 | (flags & 0xffffff));
    return mark;
}

void mp4_end(struct mp4_writer *w, size_t mark)
{
    mp4_set_u32(w, mark, (uint32_t)(w->len - mark));
}

void mp4_set_u32(struct mp4_writer *w, size_t at, uint32_t v)
{
    if (!w->oom && at + 4 <= w->len)
        mp4_put_u32(w->data + at, v);
}

void mp4_fini(struct mp4_writer *w)
{
    free(w->data);
    *w = (struct mp4_writer){0};
}

struct se_buf *mp4_take(struct mp4_writer *w)
{
    struct se_buf *buf = w->oom ? NULL : se_buf_copy(w->data, w->len);
    mp4_fini(w);
    return buf;
}
