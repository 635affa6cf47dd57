#include "base/buf.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"

/* One allocation: the count, what the user sees, the bytes. */
struct shared_buf {
    _Atomic unsigned refs;
    struct se_buf buf;
    uint8_t bytes[];
};

static struct shared_buf *shared(struct se_buf *buf)
{
    return SE_CONTAINER_OF(buf, struct shared_buf, buf);
}

struct se_buf *se_buf_new(size_t size)
{
    struct shared_buf *s;

    if (size > SIZE_MAX - sizeof(*s))
        return NULL;
    s = malloc(sizeof(*s) + size);
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->buf.data = s->bytes;
    s->buf.size = size;
    return &s->buf;
}

struct se_buf *se_buf_copy(const void *data, size_t size)
{
    struct se_buf *buf = se_buf_new(size);

    if (buf && size > 0)
        memcpy(buf->data, data, size);
    return buf;
}

struct se_buf *se_buf_ref(struct se_buf *buf)
{
    atomic_fetch_add_explicit(&shared(buf)->refs, 1, memory_order_relaxed);
    return buf;
}

void se_buf_unref(struct se_buf **buf)
{
    struct se_buf *b = *buf;

    *buf = NULL;
    if (!b)
        return;
    /* acq_rel: whoever frees sees everything that the other holders did. */
    if (atomic_fetch_sub_explicit(&shared(b)->refs, 1, memory_order_acq_rel) == 1)
        free(shared(b));
}

void se_buf_shrink(struct se_buf *buf, size_t size)
{
    assert(size <= buf->size);
    assert(atomic_load_explicit(&shared(buf)->refs, memory_order_relaxed) == 1);
    buf->size = size;
}
