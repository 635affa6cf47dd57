/* Threads by name. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Starts a joinable thread named name (cut to 15 characters) with all signals blocked. -EAGAIN … */
int se_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *ctx), void *ctx);

#endif
