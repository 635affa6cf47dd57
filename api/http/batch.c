#include "http/batch.h"

#include <assert.h>
#include <stdio.h>

static size_t size_of(const struct se_buf *buf)
{
    return buf ? buf->size : 0;
}

void batch_add(struct batch *batch, struct http_part *part)
{
    assert(!batch_full(batch) && batch->sent == 0);
    batch->parts[batch->count++] = *part;
    batch->body_size += part->prefix_size + size_of(part->head) + size_of(part->data);
    *part = (struct http_part){0};
}

void batch_close(struct batch *batch, bool chunked)
{
    batch->head_size = batch->tail_size = 0;
    if (chunked && batch->body_size > 0) { /* a chunk of no bytes would be the last */
        batch->head_size = (size_t)snprintf(batch->head, sizeof(batch->head), "%zx\r\n", batch->body_size);
        batch->tail_size = 2;
    }
}

struct vector {
    struct iovec *iov;
    unsigned count;
    size_t skip; /* bytes that went already */
};

static void put(struct vector *vector, const void *data, size_t size)
{
    if (size <= vector->skip) {
        vector->skip -= size;
        return;
    }
    vector->iov[vector->count++] =
        (struct iovec){(char *)(uintptr_t)data + vector->skip, size - vector->skip};
    vector->skip = 0;
}

unsigned batch_iov(const struct batch *batch, struct iovec iov[BATCH_IOV])
{
    struct vector vector = {iov, 0, batch->sent};
    put(&vector, batch->head, batch->head_size);
    for (unsigned i = 0; i < batch->count; i++) {
        const struct http_part *part = &batch->parts[i];
        put(&vector, part->prefix, part->prefix_size);
        if (part->head)
            put(&vector, part->head->data, part->head->size);
        if (part->data)
            put(&vector, part->data->data, part->data->size);
    }
    put(&vector, "\r\n", batch->tail_size);
    return vector.count;
}

bool batch_sent(struct batch *batch, size_t bytes)
{
    batch->sent += bytes;
    if (batch->sent < batch->head_size + batch->body_size + batch->tail_size)
        return false;
    batch_clear(batch);
    return true;
}

void batch_clear(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        se_buf_unref(&batch->parts[i].head);
        se_buf_unref(&batch->parts[i].data);
    }
    batch->count = 0;
    batch->head_size = batch->body_size = batch->tail_size = batch->sent = 0;
}
