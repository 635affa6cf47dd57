/* Parts of an endless body on their way into a socket, without being copied: one chunk of HTTP/1.1 around
 * them (RFC 9112 7.1), or nothing for HTTP/1.0. Pure. */
#ifndef HTTP_BATCH_H
#define HTTP_BATCH_H

#include <sys/uio.h>

#include "http/route.h"

#define BATCH_PARTS 32
#define BATCH_BYTES 65536 /* no further part once there are so many */
#define BATCH_IOV   (3 * BATCH_PARTS + 2)

struct batch {
    unsigned count;
    struct http_part parts[BATCH_PARTS];
    char head[12]; /* the chunk's */
    size_t head_size, body_size, tail_size;
    size_t sent; /* of the three together */
};
/* A batch is empty when zero-initialised, and again when all of it was sent. */
static inline bool batch_full(const struct batch *batch)
{
    return batch->count == BATCH_PARTS || batch->body_size >= BATCH_BYTES;
}
void batch_add(struct batch *batch, struct http_part *part); /* takes what it refers to; not when full */
void batch_close(struct batch *batch, bool chunked);         /* nothing is added any more */
/* What is still to be sent; how many vectors. */
unsigned batch_iov(const struct batch *batch, struct iovec iov[BATCH_IOV]);
/* So much more was sent. True: all, and the batch is empty. */
bool batch_sent(struct batch *batch, size_t bytes);
void batch_clear(struct batch *batch);

#endif
