#include "timer_heap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void place(struct timer_heap *heap, size_t at, struct se_timer *timer)
{
    heap->items[at] = timer;
    timer->slot = (uint32_t)at + 1;
}

static void sift_up(struct timer_heap *heap, size_t at, struct se_timer *timer)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (heap->items[parent]->due_us <= timer->due_us)
            break;
        place(heap, at, heap->items[parent]);
        at = parent;
    }
    place(heap, at, timer);
}

static void sift_down(struct timer_heap *heap, size_t at, struct se_timer *timer)
{
    for (;;) {
        size_t child = at * 2 + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->items[child + 1]->due_us < heap->items[child]->due_us)
            child++;
        if (heap->items[child]->due_us >= timer->due_us)
            break;
        place(heap, at, heap->items[child]);
        at = child;
    }
    place(heap, at, timer);
}

static void sift(struct timer_heap *heap, size_t at, struct se_timer *timer)
{
    if (at > 0 && timer->due_us < heap->items[(at - 1) / 2]->due_us)
        sift_up(heap, at, timer);
    else
        sift_down(heap, at, timer);
}

int timer_heap_set(struct timer_heap *heap, struct se_timer *timer, se_mono_us due_us)
{
    if (timer->slot > 0) {
        assert(heap->items[timer->slot - 1] == timer);
        timer->due_us = due_us;
        sift(heap, timer->slot - 1, timer);
        return 0;
    }
    if (heap->count == heap->cap) {
        size_t cap = heap->cap > 0 ? heap->cap * 2 : 32;
        struct se_timer **items = realloc(heap->items, cap * sizeof(struct se_timer *));

        if (!items)
            return -ENOMEM;
        heap->items = items;
        heap->cap = cap;
    }
    timer->due_us = due_us;
    sift_up(heap, heap->count++, timer);
    return 0;
}

void timer_heap_remove(struct timer_heap *heap, struct se_timer *timer)
{
    size_t at = timer->slot - 1;
    struct se_timer *last;

    assert(timer->slot > 0 && at < heap->count && heap->items[at] == timer);
    timer->slot = 0;
    last = heap->items[--heap->count];
    if (last != timer)
        sift(heap, at, last);
}

struct se_timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}

void timer_heap_fini(struct timer_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->items[i]->slot = 0;
    free(heap->items);
    *heap = (struct timer_heap){0};
}
