/* The threads of streams that libavformat pulls: one each, bounded, all joined. */
#ifndef INGEST_AV_THREADS_H
#define INGEST_AV_THREADS_H

#include "base/error.h"

struct av_threads;

/* At most limit threads at once. -ENOMEM */
int av_threads_new(unsigned limit, struct av_threads **ret_threads);
/* Runs fn(ctx) on a thread of its own, named av-N. Never waits. -EBUSY: limit are running; -EAGAIN … */
int av_threads_start(struct av_threads *threads, void (*fn)(void *ctx), void *ctx);
/* Joins all; whoever started them has told them to end. NULL is fine. */
void av_threads_free(struct av_threads *threads);

#endif
