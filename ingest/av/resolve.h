/* A name looked up on the dns pool while a thread waits for it, not longer than it must. */
#ifndef INGEST_AV_RESOLVE_H
#define INGEST_AV_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/pool.h"

/* Up to max addresses; numbers are taken as they are. 0 with at least one; -ENOENT the name cannot be
 * resolved; -EAGAIN too many names are waiting; -EINTR interrupted(ctx) said so (asked every 50 ms); -ENOMEM.
 * May wait: not on a loop. */
int av_resolve(struct se_pool *pool, const char *host, uint16_t port, int (*interrupted)(void *ctx),
               void *ctx, struct sockaddr_storage *ret_addresses, unsigned max, unsigned *ret_count);

#endif
