/* Refcounted bytes. Written by their maker before the first share, immutable after. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct se_buf {
    uint8_t *data;
    size_t size;
};

/* New buffer of size bytes (uninitialised), one reference. NULL: out of memory. */
struct se_buf *se_buf_new(size_t size);
struct se_buf *se_buf_copy(const void *data, size_t size);
/* Any thread. */
struct se_buf *se_buf_ref(struct se_buf *buf);
/* Drops one reference and clears the pointer; NULL is fine. Any thread. */
void se_buf_unref(struct se_buf **buf);

#endif
