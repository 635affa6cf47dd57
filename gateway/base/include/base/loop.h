/* An epoll loop: one thread, its descriptors, its timers. An object belongs to
 * its loop; other threads reach it only through se_loop_post(). */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/time.h"

struct se_loop;
typedef void (*se_loop_fn)(void *ctx);

int se_loop_new(const char *name, struct se_loop **ret_loop);
/* Runs on the calling thread until se_loop_stop(). */
int se_loop_run(struct se_loop *loop);
/* Runs on a thread of its own, named as the loop. */
int se_loop_start(struct se_loop *loop);
/* Any thread: asks the loop to end after what is queued. */
void se_loop_stop(struct se_loop *loop);
/* Joins the thread that se_loop_start() made. Not from the loop itself. */
void se_loop_join(struct se_loop *loop);
/* After stop and join. Posted work that never ran is dropped. NULL is fine. */
void se_loop_free(struct se_loop *loop);
bool se_loop_here(const struct se_loop *loop); /* is this the loop's thread? */

/* Any thread. Runs fn(ctx) on the loop, in order. -ENOMEM, or -EAGAIN past 65,536 queued. */
int se_loop_post(struct se_loop *loop, se_loop_fn fn, void *ctx);
/* Posts and waits for fn to have run (runs it at once on the loop's own thread).
 * Only while the loop runs. */
int se_loop_call(struct se_loop *loop, se_loop_fn fn, void *ctx);

/* A watched descriptor, in the owner's memory. All on the loop's thread; a watch may be
 * changed or removed from any callback, its own included. */
struct se_watch {
    void (*fn)(struct se_watch *watch, uint32_t events); /* EPOLLIN … */
    void *ctx;
    int fd; /* -1: not added */
    struct se_loop *loop;
};
int se_watch_add(struct se_loop *loop, struct se_watch *watch, int fd, uint32_t events);
int se_watch_set(struct se_watch *watch, uint32_t events);
void se_watch_del(struct se_watch *watch); /* does not close fd; fine when not added */

/* A one-shot timer in the owner's memory, zero-initialised. Loop's thread only;
 * may be set again or cancelled from any callback. */
struct se_timer {
    void (*fn)(struct se_timer *timer);
    void *ctx;
    se_mono_us due_us;
    struct se_loop *loop;
    uint32_t slot; /* heap position + 1; 0: not set */
};
int se_timer_set(struct se_loop *loop, struct se_timer *timer, se_mono_us due_us); /* absolute; -ENOMEM */
int se_timer_in(struct se_loop *loop, struct se_timer *timer, int64_t delay_us);
void se_timer_cancel(struct se_timer *timer);
/* Monotonic time of this turn of the loop: one clock read for all its callbacks. */
se_mono_us se_loop_now_us(const struct se_loop *loop);

#define SE_CONTAINER_OF(ptr, type, member)                                                                   \
    ((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))

#endif
