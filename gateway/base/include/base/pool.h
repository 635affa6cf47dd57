/* A worker pool with a bounded queue, for what may block: store reads, DNS, hashing, files. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct se_pool;

/* Starts the threads, named NAME-0 … (of NAME, the first 11 bytes); queue_bound is in jobs. -ENOMEM, or what
 * pthread_create() says. */
int se_pool_new(const char *name, unsigned threads, size_t queue_bound, struct se_pool **ret_pool);
/* 0, or -EAGAIN when the queue is full, -ESHUTDOWN after stop. Any thread. */
int se_pool_submit(struct se_pool *pool, void (*fn)(void *ctx), void *ctx);
/* Runs what is queued, then joins; not from one of its own threads. NULL is fine. */
void se_pool_stop(struct se_pool *pool);
void se_pool_free(struct se_pool *pool); /* stops first; NULL is fine */

#endif
