/* A binary min-heap of timers by due_us; each timer knows its place, so that any can be taken out. */
#ifndef BASE_PRIVATE_TIMER_HEAP_H
#define BASE_PRIVATE_TIMER_HEAP_H

#include <stddef.h>

#include "base/loop.h"

/* Zero-initialised is empty. */
struct timer_heap {
    struct se_timer **items;
    size_t count, cap;
};

/* Puts a timer in, or moves one that is in. -ENOMEM leaves it out. */
int timer_heap_set(struct timer_heap *heap, struct se_timer *timer, se_mono_us due_us);
void timer_heap_remove(struct timer_heap *heap, struct se_timer *timer);
struct se_timer *timer_heap_first(const struct timer_heap *heap); /* NULL when empty */
/* The timers are their owners'; they are marked as not set. */
void timer_heap_fini(struct timer_heap *heap);

#endif
