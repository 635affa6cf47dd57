/* A bounded queue of small records between threads, with an eventfd that is
 * readable exactly while it holds something. Any number of producers, one consumer.
 * The event loop's posts travel in one. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct se_ring;

/* Records of item_size bytes, at most bound of them; memory grows with what is queued. -ENOMEM, -EMFILE … */
int se_ring_new(size_t item_size, size_t bound, struct se_ring **ret_ring);
/* What is still queued is dropped: drain it before, when it owns something. NULL is fine. */
void se_ring_free(struct se_ring *ring);
/* Copies the record in. 0; -EAGAIN when full (counted in sharpeyes_ring_overflows_total); -ENOMEM. Never
 * blocks. Any thread. */
int se_ring_push(struct se_ring *ring, const void *item);
/* Copies the oldest record out and removes it; false when there is none. */
bool se_ring_pop(struct se_ring *ring, void *ret_item);
/* To poll or watch for reading; never read or written by others. */
int se_ring_fd(const struct se_ring *ring);
size_t se_ring_len(struct se_ring *ring);

#endif
