#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/ring.h"
#include "base/thread.h"
#include "base_metrics.h"
#include "timer_heap.h"

#define POSTS_MAX 65536
#define BATCH_MAX 256

struct post {
    se_loop_fn fn;
    void *ctx;
};

/* Which watch a descriptor belongs to now. An event carries the generation it was
 * asked for with: one that is pending for a watch that a callback of the same batch
 * removed, or for an earlier owner of the same number, does not match any more. */
struct slot {
    struct se_watch *watch;
    uint32_t generation;
};

struct se_loop {
    char name[16];
    pthread_t thread;
    bool started;                 /* se_loop_start() made a thread */
    _Atomic uintptr_t running_on; /* pthread_t of the thread in se_loop_run(), or 0 */
    int epoll_fd;
    struct se_ring *posts; /* its eventfd wakes the loop */
    bool no_pwait2;

    /* the loop's own */
    se_mono_us now_us;
    struct timer_heap timers;
    struct slot *slots; /* by descriptor */
    size_t slot_count;
    bool stop; /* what was posted before se_loop_stop() has run */

    /* under the mutex */
    pthread_mutex_t mutex;
    pthread_cond_t called; /* a se_loop_call() has run, or the loop has ended */
    bool stopping;         /* what was posted before it was set still runs */
    bool ended;
};

int se_loop_new(const char *name, struct se_loop **ret_loop)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    struct se_loop *loop = calloc(1, sizeof(*loop));
    int r;

    if (!loop)
        return -ENOMEM;
    snprintf(loop->name, sizeof(loop->name), "%s", name);
    pthread_mutex_init(&loop->mutex, NULL);
    pthread_cond_init(&loop->called, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r = loop->epoll_fd < 0 ? -errno : se_ring_new(sizeof(struct post), POSTS_MAX, &loop->posts);
    if (r == 0 && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, se_ring_fd(loop->posts), &ev) < 0)
        r = -errno;
    if (r < 0) {
        se_loop_free(loop);
        return r;
    }
    *ret_loop = loop;
    return 0;
}

void se_loop_free(struct se_loop *loop)
{
    if (!loop)
        return;
    assert(!loop->started && atomic_load(&loop->running_on) == 0);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    se_ring_free(loop->posts);
    pthread_cond_destroy(&loop->called);
    pthread_mutex_destroy(&loop->mutex);
    timer_heap_fini(&loop->timers);
    free(loop->slots);
    free(loop);
}

bool se_loop_here(const struct se_loop *loop)
{
    return atomic_load_explicit(&loop->running_on, memory_order_relaxed) == (uintptr_t)pthread_self();
}

se_mono_us se_loop_now_us(const struct se_loop *loop)
{
    /* Before the loop runs there is no turn whose time could be meant. */
    return se_loop_here(loop) ? loop->now_us : se_mono_now_us();
}

/* --- posts ------------------------------------------------------------------ */

int se_loop_post(struct se_loop *loop, se_loop_fn fn, void *ctx)
{
    return se_ring_push(loop->posts, &(struct post){fn, ctx});
}

struct call {
    struct se_loop *loop;
    se_loop_fn fn;
    void *ctx;
    bool done; /* under the loop's mutex */
};

static void run_call(void *ctx)
{
    struct call *call = ctx;
    struct se_loop *loop = call->loop;

    call->fn(call->ctx);
    pthread_mutex_lock(&loop->mutex);
    call->done = true; /* the caller may go, and call with it, once the mutex is free */
    pthread_cond_broadcast(&loop->called);
    pthread_mutex_unlock(&loop->mutex);
}

int se_loop_call(struct se_loop *loop, se_loop_fn fn, void *ctx)
{
    struct call call = {.loop = loop, .fn = fn, .ctx = ctx};
    int r;

    if (se_loop_here(loop)) {
        fn(ctx);
        return 0;
    }
    pthread_mutex_lock(&loop->mutex);
    r = loop->ended ? -ESHUTDOWN : se_loop_post(loop, run_call, &call);
    while (r == 0 && !call.done) {
        if (loop->ended)
            r = -ESHUTDOWN; /* nothing runs any more, so nothing will touch call */
        else
            pthread_cond_wait(&loop->called, &loop->mutex);
    }
    pthread_mutex_unlock(&loop->mutex);
    return r;
}

/* Runs what was queued when the turn began: posts that post again do not starve the sockets. */
static void run_posts(struct se_loop *loop)
{
    struct post post;
    size_t count;
    bool stopping;

    pthread_mutex_lock(&loop->mutex);
    stopping = loop->stopping;
    pthread_mutex_unlock(&loop->mutex);
    count =
        se_ring_len(loop->posts); /* counted after the look: all that came before the stop is among them */
    for (; count > 0 && se_ring_pop(loop->posts, &post); count--)
        post.fn(post.ctx);
    loop->stop = stopping;
}

/* --- watches ---------------------------------------------------------------- */

static int reserve_slot(struct se_loop *loop, int fd)
{
    size_t count = loop->slot_count > 0 ? loop->slot_count : 64;
    struct slot *slots;

    if ((size_t)fd < loop->slot_count)
        return 0;
    while (count <= (size_t)fd)
        count *= 2;
    slots = realloc(loop->slots, count * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (size_t i = loop->slot_count; i < count; i++)
        slots[i] = (struct slot){0};
    loop->slots = slots;
    loop->slot_count = count;
    return 0;
}

static struct epoll_event event_of(struct se_loop *loop, int fd, uint32_t events)
{
    uint64_t generation = loop->slots[fd].generation;

    return (struct epoll_event){.events = events, .data.u64 = generation << 32 | (uint32_t)fd};
}

int se_watch_add(struct se_loop *loop, struct se_watch *watch, int fd, uint32_t events)
{
    struct epoll_event ev;
    int r = reserve_slot(loop, fd);

    if (r < 0)
        return r;
    loop->slots[fd].generation++;
    ev = event_of(loop, fd, events);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        r = -errno;
        if (loop->slots[fd].watch)
            loop->slots[fd].generation--; /* EEXIST: the other watch stays as it was */
        return r;
    }
    loop->slots[fd].watch = watch;
    watch->fd = fd;
    watch->loop = loop;
    return 0;
}

int se_watch_set(struct se_watch *watch, uint32_t events)
{
    struct epoll_event ev = event_of(watch->loop, watch->fd, events);

    return epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &ev) < 0 ? -errno : 0;
}

void se_watch_del(struct se_watch *watch)
{
    struct se_loop *loop = watch->loop;

    if (!loop || watch->fd < 0)
        return;
    if (loop->slots[watch->fd].watch == watch) {
        /* Fails only when the owner closed fd before: then the kernel removed it. */
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
        loop->slots[watch->fd].watch = NULL;
        loop->slots[watch->fd].generation++;
    }
    watch->fd = -1;
    watch->loop = NULL;
}

static void run_watch(struct se_loop *loop, const struct epoll_event *ev)
{
    size_t fd = (uint32_t)ev->data.u64;
    uint32_t generation = (uint32_t)(ev->data.u64 >> 32);

    if (ev->data.u64 == UINT64_MAX)
        return; /* posts: run_posts() takes them, and with the last one the descriptor is quiet again */
    if (loop->slots[fd].watch && loop->slots[fd].generation == generation)
        loop->slots[fd].watch->fn(loop->slots[fd].watch, ev->events);
}

/* --- timers ----------------------------------------------------------------- */

int se_timer_set(struct se_loop *loop, struct se_timer *timer, se_mono_us due_us)
{
    assert(timer->slot == 0 || timer->loop == loop);
    timer->loop = loop;
    return timer_heap_set(&loop->timers, timer, due_us);
}

int se_timer_in(struct se_loop *loop, struct se_timer *timer, int64_t delay_us)
{
    se_mono_us now = se_loop_now_us(loop);

    if (delay_us < 0)
        delay_us = 0;
    return se_timer_set(loop, timer, delay_us > INT64_MAX - now ? INT64_MAX : now + delay_us);
}

void se_timer_cancel(struct se_timer *timer)
{
    if (timer->slot > 0)
        timer_heap_remove(&timer->loop->timers, timer);
}

/* At most as many as were set when the turn began, so that one that sets itself due
 * again at once takes turns with the sockets. */
static void run_timers(struct se_loop *loop)
{
    for (size_t left = loop->timers.count; left > 0; left--) {
        struct se_timer *timer = timer_heap_first(&loop->timers);

        if (!timer || timer->due_us > loop->now_us)
            return;
        timer_heap_remove(&loop->timers, timer);
        timer->fn(timer);
    }
}

/* --- the turn --------------------------------------------------------------- */

/* How long the loop may sleep; -1: until something happens. */
static int64_t sleep_us(struct se_loop *loop)
{
    const struct se_timer *timer = timer_heap_first(&loop->timers);
    int64_t wait = -1;

    if (timer) {
        wait = timer->due_us - se_mono_now_us();
        if (wait < 0)
            wait = 0;
    }
    return wait;
}

static int wait_events(struct se_loop *loop, struct epoll_event *events, int64_t wait_us)
{
    struct timespec ts = {.tv_sec = (time_t)(wait_us / SE_US_PER_S),
                          .tv_nsec = (long)(wait_us % SE_US_PER_S) * 1000};
    int64_t ms;
    int n;

    if (!loop->no_pwait2) {
        n = epoll_pwait2(loop->epoll_fd, events, BATCH_MAX, wait_us < 0 ? NULL : &ts, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        loop->no_pwait2 = true; /* before Linux 5.11, or a seccomp filter of that age */
    }
    ms = wait_us < 0 ? -1 : (wait_us + 999) / 1000; /* up: early would spin */
    return epoll_wait(loop->epoll_fd, events, BATCH_MAX, ms > 3600000 ? 3600000 : (int)ms);
}

int se_loop_run(struct se_loop *loop)
{
    struct epoll_event events[BATCH_MAX];
    int r = 0;

    assert(atomic_load(&loop->running_on) == 0);
    loop->now_us = se_mono_now_us();
    atomic_store(&loop->running_on, (uintptr_t)pthread_self());
    while (!loop->stop) {
        int n = wait_events(loop, events, sleep_us(loop));

        if (n < 0 && errno != EINTR) {
            r = -errno;
            break;
        }
        loop->now_us = se_mono_now_us();
        for (int i = 0; i < n; i++)
            run_watch(loop, &events[i]);
        run_timers(loop);
        run_posts(loop);
    }
    atomic_store(&loop->running_on, 0);
    pthread_mutex_lock(&loop->mutex);
    loop->ended = true;
    pthread_cond_broadcast(&loop->called);
    pthread_mutex_unlock(&loop->mutex);
    return r;
}

static void *run_thread(void *ctx)
{
    se_loop_run(ctx);
    return NULL;
}

int se_loop_start(struct se_loop *loop)
{
    int r;

    assert(!loop->started);
    r = se_thread_start(&loop->thread, loop->name, run_thread, loop);
    if (r == 0)
        loop->started = true;
    return r;
}

static void wake(void *ctx)
{
}

void se_loop_stop(struct se_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->stopping = true;
    (void)se_loop_post(loop, wake, NULL); /* a ring that takes no more keeps the loop awake by itself */
    pthread_mutex_unlock(&loop->mutex);   /* not before: the loop may end, and be freed, once it is seen */
}

void se_loop_join(struct se_loop *loop)
{
    if (!loop->started)
        return;
    pthread_join(loop->thread, NULL);
    loop->started = false;
}
