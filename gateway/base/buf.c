#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/slab.h"

/* The count, what the user sees, the bytes: an allocation of its own, or a part of a slab's piece. */
struct shared_buf {
    _Atomic unsigned refs;
    struct se_piece *piece; /* or NULL */
    struct se_buf buf;
    uint8_t bytes[];
};

struct se_piece {
    _Atomic unsigned refs; /* buffers in it, and the slab while it fills it */
    size_t size;           /* of bytes */
    _Alignas(16) uint8_t bytes[];
};

static void piece_unref(struct se_piece *piece)
{
    if (piece && atomic_fetch_sub_explicit(&piece->refs, 1, memory_order_acq_rel) == 1)
        free(piece);
}

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
    s->piece = NULL;
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
    if (atomic_fetch_sub_explicit(&shared(b)->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (shared(b)->piece)
        piece_unref(shared(b)->piece);
    else
        free(shared(b));
}

/* --- slabs ------------------------------------------------------------------ */

#ifdef __SANITIZE_ADDRESS__
#define PIECE_SIZE 0 /* each buffer on its own, so that the sanitizer sees its bounds */
#else
#define PIECE_SIZE (64u * 1024 - 64) /* 64 KiB with what malloc() and we put in front */
#endif

static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static int new_piece(struct se_slab *slab, size_t need)
{
    size_t size = need > PIECE_SIZE ? need : PIECE_SIZE;
    struct se_piece *piece = malloc(sizeof(*piece) + size);

    if (!piece)
        return -ENOMEM;
    atomic_init(&piece->refs, 1);
    piece->size = size;
    piece_unref(slab->piece);
    slab->piece = piece;
    slab->used = 0;
    return 0;
}

struct se_buf *se_slab_take(struct se_slab *slab, size_t size)
{
    struct shared_buf *s;

    if (size > SIZE_MAX / 2)
        return NULL;
    if ((!slab->piece || slab->piece->size - slab->used < sizeof(*s) + size) &&
        new_piece(slab, sizeof(*s) + size) < 0)
        return NULL;
    s = (struct shared_buf *)(void *)(slab->piece->bytes + slab->used);
    atomic_init(&s->refs, 1);
    atomic_fetch_add_explicit(&slab->piece->refs, 1, memory_order_relaxed);
    s->piece = slab->piece;
    s->buf.data = s->bytes;
    s->buf.size = slab->piece->size - slab->used - sizeof(*s);
    slab->used = slab->piece->size;
    return &s->buf;
}

void se_slab_trim(struct se_slab *slab, struct se_buf *buf, size_t size)
{
    size_t end;

    assert(size <= buf->size && shared(buf)->piece == slab->piece);
    assert(buf->data + buf->size == slab->piece->bytes + slab->piece->size); /* the newest */
    buf->size = size;
    end = aligned((size_t)(buf->data - slab->piece->bytes) + size);
    slab->used = end < slab->piece->size ? end : slab->piece->size;
}

void se_slab_fini(struct se_slab *slab)
{
    piece_unref(slab->piece);
    *slab = (struct se_slab){0};
}
