#include "av/resolve.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "name_lookup.h"

#define ADDRESSES_MAX 4
#define STEP_NS       50000000L

/* Shared by the thread that waits and the pool's; the last of them frees it. */
struct question {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    unsigned refs;
    bool done, nobody_waits;
    char host[256];
    uint16_t port;
    int result;
    unsigned count;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
};

static void let_go(struct question *question)
{
    bool last = --question->refs == 0;
    pthread_mutex_unlock(&question->mutex);
    if (!last)
        return;
    pthread_cond_destroy(&question->answered);
    pthread_mutex_destroy(&question->mutex);
    free(question);
}

static void ask(void *ctx)
{
    struct question *question = ctx;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    unsigned count = 0;
    int result = -1;
    pthread_mutex_lock(&question->mutex);
    bool wanted = !question->nobody_waits;
    pthread_mutex_unlock(&question->mutex);
    if (wanted)
        result = name_look_up(question->host, question->port, false, addresses, ADDRESSES_MAX, &count);
    pthread_mutex_lock(&question->mutex);
    question->result = result;
    question->count = count;
    memcpy(question->addresses, addresses, count * sizeof(addresses[0]));
    question->done = true;
    pthread_cond_signal(&question->answered);
    let_go(question);
}

static struct question *question_new(const char *host, uint16_t port)
{
    struct question *question = calloc(1, sizeof(*question));
    if (!question)
        return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&question->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&question->mutex, NULL);
    question->refs = 2;
    question->port = port;
    snprintf(question->host, sizeof(question->host), "%s", host);
    return question;
}

static void wait_a_step(struct question *question)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += STEP_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&question->answered, &question->mutex, &until);
}

int av_resolve(struct se_pool *pool, const char *host, uint16_t port, int (*interrupted)(void *ctx),
               void *ctx, struct sockaddr_storage *ret_addresses, unsigned max, unsigned *ret_count)
{
    if (name_look_up(host, port, true, ret_addresses, max, ret_count) == 0 && *ret_count)
        return 0;
    struct question *question = question_new(host, port);
    if (!question)
        return -ENOMEM;
    if (se_pool_submit(pool, ask, question) < 0) {
        pthread_mutex_lock(&question->mutex);
        question->refs = 1;
        let_go(question);
        return -EAGAIN;
    }
    int r = 0;
    pthread_mutex_lock(&question->mutex);
    while (!question->done && r == 0) {
        wait_a_step(question);
        if (!question->done && interrupted(ctx))
            r = -EINTR;
    }
    question->nobody_waits = true;
    if (r == 0 && (question->result != 0 || !question->count))
        r = -ENOENT;
    if (r == 0) {
        *ret_count = question->count < max ? question->count : max;
        memcpy(ret_addresses, question->addresses, *ret_count * sizeof(ret_addresses[0]));
    }
    let_go(question);
    return r;
}
