/* A bounded queue of pointers between threads, with an eventfd that is readable
 * while it holds something. Any number of producers, one consumer. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stddef.h>
#include <stdint.h>

struct se_ring;

int se_ring_new(size_t capacity, struct se_ring **ret_ring); /* -ENOMEM, -EMFILE … */
/* What is still queued is the caller's to drain before. NULL is fine. */
void se_ring_free(struct se_ring *ring);
/* 0, or -EAGAIN when full (counted). Never blocks. */
int se_ring_push(struct se_ring *ring, void *item);
/* Next item, or NULL when empty. */
void *se_ring_pop(struct se_ring *ring);
/* Waits up to timeout_ms (-1: for ever) for an item; NULL on time-out. */
void *se_ring_pop_wait(struct se_ring *ring, int timeout_ms);
int se_ring_fd(const struct se_ring *ring);
size_t se_ring_len(struct se_ring *ring);
uint64_t se_ring_overflows(struct se_ring *ring);

#endif
