#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/thread.h"
#include "base_metrics.h"

struct job {
    void (*fn)(void *ctx);
    void *ctx;
};

/* The mutex guards everything below it; the queue is a ring of bound jobs. */
struct se_pool {
    pthread_t *threads;
    unsigned thread_count;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
    size_t bound, head, count;
    struct job *jobs;
};

static void *work(void *ctx)
{
    struct se_pool *pool = ctx;

    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        struct job job;

        while (pool->count == 0 && !pool->stopping)
            pthread_cond_wait(&pool->wake, &pool->mutex);
        if (pool->count == 0)
            break;
        job = pool->jobs[pool->head];
        pool->head = (pool->head + 1) % pool->bound;
        pool->count--;
        pthread_mutex_unlock(&pool->mutex);
        job.fn(job.ctx);
        pthread_mutex_lock(&pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

int se_pool_new(const char *name, unsigned threads, size_t queue_bound, struct se_pool **ret_pool)
{
    struct se_pool *pool;

    assert(threads > 0 && queue_bound > 0);
    pool = calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->bound = queue_bound;
    pool->jobs = calloc(queue_bound, sizeof(*pool->jobs));
    pool->threads = calloc(threads, sizeof(*pool->threads));
    if (!pool->jobs || !pool->threads) {
        se_pool_free(pool);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < threads; i++) {
        char thread_name[16];
        int r;

        snprintf(thread_name, sizeof(thread_name), "%.11s-%u", name, i % 1000);
        r = se_thread_start(&pool->threads[i], thread_name, work, pool);
        if (r < 0) {
            se_pool_free(pool);
            return r;
        }
        pool->thread_count++;
    }
    *ret_pool = pool;
    return 0;
}

int se_pool_submit(struct se_pool *pool, void (*fn)(void *ctx), void *ctx)
{
    int r = 0;

    pthread_mutex_lock(&pool->mutex);
    if (pool->stopping) {
        r = -ESHUTDOWN;
    } else if (pool->count == pool->bound) {
        r = -EAGAIN;
    } else {
        pool->jobs[(pool->head + pool->count) % pool->bound] = (struct job){fn, ctx};
        pool->count++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->mutex);
    if (r == -EAGAIN)
        se_metric_add(&base_metrics[BASE_METRIC_POOL_REFUSED], 1);
    return r;
}

void se_pool_stop(struct se_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    while (pool->thread_count > 0)
        pthread_join(pool->threads[--pool->thread_count], NULL);
}

void se_pool_free(struct se_pool *pool)
{
    if (!pool)
        return;
    se_pool_stop(pool);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->threads);
    free(pool->jobs);
    free(pool);
}
