#include "av/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "av/av_metrics.h"
#include "base/thread.h"

struct av_thread {
    struct av_threads *threads;
    pthread_t thread;
    void (*fn)(void *ctx);
    void *ctx;
    enum { FREE, RUNNING, ENDED } state;
};

struct av_threads {
    pthread_mutex_t mutex;
    unsigned limit;
    struct av_thread slots[];
};

int av_threads_new(unsigned limit, struct av_threads **ret_threads)
{
    struct av_threads *threads = calloc(1, sizeof(*threads) + limit * sizeof(threads->slots[0]));
    if (!threads)
        return -ENOMEM;
    threads->limit = limit;
    pthread_mutex_init(&threads->mutex, NULL);
    for (unsigned i = 0; i < limit; i++)
        threads->slots[i].threads = threads;
    *ret_threads = threads;
    return 0;
}

static void *run(void *ctx)
{
    struct av_thread *slot = ctx;
    slot->fn(slot->ctx);
    se_metric_add(&av_metrics[AV_METRIC_THREADS], -1);
    pthread_mutex_lock(&slot->threads->mutex);
    slot->state = ENDED; /* the last thing it does: joining it then waits for nothing */
    pthread_mutex_unlock(&slot->threads->mutex);
    return NULL;
}

int av_threads_start(struct av_threads *threads, void (*fn)(void *ctx), void *ctx)
{
    int r = -EBUSY;
    pthread_mutex_lock(&threads->mutex);
    for (unsigned i = 0; i < threads->limit && r == -EBUSY; i++) {
        struct av_thread *slot = &threads->slots[i];
        char name[16];
        if (slot->state == RUNNING)
            continue;
        if (slot->state == ENDED)
            pthread_join(slot->thread, NULL);
        slot->state = FREE;
        slot->fn = fn;
        slot->ctx = ctx;
        snprintf(name, sizeof(name), "av-%u", i);
        se_metric_add(&av_metrics[AV_METRIC_THREADS], 1);
        r = se_thread_start(&slot->thread, name, run, slot);
        if (r == 0)
            slot->state = RUNNING; /* under the mutex, which it takes before it ends */
        else
            se_metric_add(&av_metrics[AV_METRIC_THREADS], -1);
    }
    pthread_mutex_unlock(&threads->mutex);
    if (r == -EBUSY)
        se_metric_add(&av_metrics[AV_METRIC_REFUSED], 1);
    return r;
}

void av_threads_free(struct av_threads *threads)
{
    if (!threads)
        return;
    for (unsigned i = 0; i < threads->limit; i++) {
        pthread_mutex_lock(&threads->mutex);
        bool started = threads->slots[i].state != FREE;
        pthread_mutex_unlock(&threads->mutex);
        if (started)
            pthread_join(threads->slots[i].thread, NULL);
    }
    pthread_mutex_destroy(&threads->mutex);
    free(threads);
}
