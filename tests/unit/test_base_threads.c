/* What crosses threads in the base library; run under ThreadSanitizer as well. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/id.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/ring.h"
#include "base/thread.h"
#include "base_metrics.h"

enum { THREADS = 4, ROUNDS = 5000 };

/* --- posts from many threads run once each, in each thread's order --- */

struct poster {
    struct se_loop *loop;
    pthread_t thread;
    int sent, seen; /* seen: the loop's alone */
    bool in_order;
};
struct parcel {
    struct poster *from;
    int number;
};

static void receive(void *ctx)
{
    struct parcel *p = ctx;

    if (p->number != p->from->seen)
        p->from->in_order = false;
    p->from->seen++;
    free(p);
}

static void *post_many(void *ctx)
{
    struct poster *me = ctx;

    while (me->sent < ROUNDS) {
        struct parcel *p = malloc(sizeof(*p));

        *p = (struct parcel){me, me->sent};
        if (se_loop_post(me->loop, receive, p) == 0)
            me->sent++;
        else
            free(p);
    }
    return NULL;
}

static void read_seen(void *ctx)
{
    struct poster *p = ctx;

    assert_true(se_loop_here(p->loop));
    p->sent = p->seen;
}

static void posts_from_many_threads(void **state)
{
    struct poster posters[THREADS];
    struct se_loop *loop;

    assert_int_equal(se_loop_new("a-rather-long-loop-name", &loop), 0);
    assert_int_equal(se_loop_start(loop), 0);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){.loop = loop, .in_order = true};
        assert_int_equal(se_thread_start(&posters[i].thread, "poster", post_many, &posters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(posters[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        posters[i].sent = -1;
        assert_int_equal(se_loop_call(loop, read_seen, &posters[i]), 0);
        assert_int_equal(posters[i].sent, ROUNDS);
    }
    se_loop_stop(loop);
    se_loop_join(loop);
    for (int i = 0; i < THREADS; i++)
        assert_true(posters[i].in_order);
    se_loop_free(loop);
}

/* --- calls race with the end of the loop: each either ran or says that it did not --- */

struct caller {
    struct se_loop *loop;
    pthread_t thread;
    int ran, ok;
};

static void count_call(void *ctx)
{
    ++*(int *)ctx;
}

static void *call_until_down(void *ctx)
{
    struct caller *me = ctx;

    while (se_loop_call(me->loop, count_call, &me->ran) == 0)
        me->ok++;
    return NULL;
}

static void stop_later(struct se_timer *timer)
{
    se_loop_stop(timer->loop);
}

static void set_timer(void *ctx)
{
    struct se_timer *timer = ctx;

    assert_int_equal(se_timer_in(timer->loop, timer, 10000), 0);
}

static void calls_end_with_the_loop(void **state)
{
    struct caller callers[THREADS];
    struct se_loop *loop;
    struct se_timer end = {.fn = stop_later};

    assert_int_equal(se_loop_new("calls", &loop), 0);
    end.loop = loop;
    assert_int_equal(se_loop_start(loop), 0);
    assert_int_equal(se_loop_call(loop, set_timer, &end), 0);
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){.loop = loop};
        assert_int_equal(se_thread_start(&callers[i].thread, "caller", call_until_down, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].ran, callers[i].ok);
    }
    se_loop_join(loop);
    se_loop_free(loop);
}

/* --- the ring --- */

static void ring_refuses_when_full(void **state)
{
    struct se_ring *ring;
    int64_t counted = base_metrics[BASE_METRIC_RING_OVERFLOWS].value;
    struct pollfd p = {.events = POLLIN};
    int out = 0;

    assert_int_equal(se_ring_new(sizeof(int), 100, &ring), 0);
    p.fd = se_ring_fd(ring);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_false(se_ring_pop(ring, &out));
    for (int round = 0; round < 3; round++) { /* the places wrap, and memory grows in between */
        for (int i = 0; i < 100; i++)
            assert_int_equal(se_ring_push(ring, &i), 0);
        assert_int_equal(se_ring_push(ring, &out), -EAGAIN);
        assert_int_equal(se_ring_len(ring), 100);
        assert_int_equal(poll(&p, 1, 0), 1);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(poll(&p, 1, 0), 1);
            assert_true(se_ring_pop(ring, &out));
            assert_int_equal(out, i);
        }
        assert_int_equal(poll(&p, 1, 0), 0);
    }
    assert_int_equal(base_metrics[BASE_METRIC_RING_OVERFLOWS].value, counted + 3);
    se_ring_free(ring);
    se_ring_free(NULL);
}

struct producer {
    struct se_ring *ring;
    pthread_t thread;
};

static void *push_many(void *ctx)
{
    struct producer *me = ctx;

    for (int i = 0; i < ROUNDS; i++)
        while (se_ring_push(me->ring, &i) < 0)
            sched_yield();
    return NULL;
}

static void ring_hands_over_everything(void **state)
{
    struct producer producers[2];
    struct se_ring *ring;
    uint64_t sum = 0;

    assert_int_equal(se_ring_new(sizeof(int), 64, &ring), 0);
    for (int t = 0; t < 2; t++) {
        producers[t].ring = ring;
        assert_int_equal(se_thread_start(&producers[t].thread, "producer", push_many, &producers[t]), 0);
    }
    for (int i = 0; i < 2 * ROUNDS; i++) {
        struct pollfd p = {.fd = se_ring_fd(ring), .events = POLLIN};
        int number = 0;

        assert_int_equal(poll(&p, 1, 10000), 1);
        assert_true(se_ring_pop(ring, &number));
        sum += (uint64_t)number;
    }
    assert_int_equal(sum, (uint64_t)ROUNDS * (ROUNDS - 1));
    for (int t = 0; t < 2; t++)
        pthread_join(producers[t].thread, NULL);
    assert_int_equal(se_ring_len(ring), 0);
    se_ring_free(ring);
}

/* --- buffers --- */

struct holder {
    struct se_buf *buf;
    pthread_t thread;
    bool whole;
};

static void *ref_and_unref(void *ctx)
{
    struct holder *me = ctx;

    for (int i = 0; i < ROUNDS; i++) {
        struct se_buf *again = se_buf_ref(me->buf);

        me->whole = me->whole && again->size == 5 && memcmp(again->data, "frame", 5) == 0;
        se_buf_unref(&again);
    }
    se_buf_unref(&me->buf); /* whoever is last frees it */
    return NULL;
}

static void buffers_are_shared_between_threads(void **state)
{
    struct se_buf *buf = se_buf_copy("frame", 5);
    struct holder holders[THREADS];

    assert_non_null(buf);
    for (int i = 0; i < THREADS; i++) {
        holders[i] = (struct holder){.buf = se_buf_ref(buf), .whole = true};
        assert_int_equal(se_thread_start(&holders[i].thread, "holder", ref_and_unref, &holders[i]), 0);
    }
    se_buf_unref(&buf);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(holders[i].thread, NULL);
        assert_true(holders[i].whole);
        assert_null(holders[i].buf);
    }
}

/* --- the pool --- */

static void add_atomic(void *ctx)
{
    atomic_fetch_add((_Atomic int *)ctx, 1);
}

static void pool_runs_everything_before_it_stops(void **state)
{
    struct se_pool *pool;
    _Atomic int ran = 0;
    int accepted = 0;

    assert_int_equal(se_pool_new("workers", 3, 16, &pool), 0);
    while (accepted < 2000) {
        int r = se_pool_submit(pool, add_atomic, &ran);

        assert_true(r == 0 || r == -EAGAIN);
        accepted += r == 0;
    }
    se_pool_stop(pool);
    assert_int_equal(ran, 2000);
    assert_int_equal(se_pool_submit(pool, add_atomic, &ran), -ESHUTDOWN);
    se_pool_free(pool);
    /* Whoever could not make one of several pools ends them all alike. */
    se_pool_stop(NULL);
    se_pool_free(NULL);
}

struct gate {
    pthread_mutex_t mutex;
    _Atomic int entered;
};

static void pass_gate(void *ctx)
{
    struct gate *gate = ctx;

    atomic_fetch_add(&gate->entered, 1);
    pthread_mutex_lock(&gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void pool_queue_is_bounded(void **state)
{
    struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    int64_t counted = base_metrics[BASE_METRIC_POOL_REFUSED].value;
    struct se_pool *pool;

    assert_int_equal(se_pool_new("gated", 1, 2, &pool), 0);
    pthread_mutex_lock(&gate.mutex);
    assert_int_equal(se_pool_submit(pool, pass_gate, &gate), 0);
    while (atomic_load(&gate.entered) == 0)
        sched_yield(); /* the worker has taken the first */
    assert_int_equal(se_pool_submit(pool, pass_gate, &gate), 0);
    assert_int_equal(se_pool_submit(pool, pass_gate, &gate), 0);
    assert_int_equal(se_pool_submit(pool, pass_gate, &gate), -EAGAIN);
    assert_int_equal(base_metrics[BASE_METRIC_POOL_REFUSED].value, counted + 1);
    pthread_mutex_unlock(&gate.mutex);
    se_pool_free(pool);
    assert_int_equal(gate.entered, 3);
}

/* --- ids --- */

struct id_maker {
    pthread_t thread;
    char ids[1000][SE_ID_LEN];
};

static void *make_ids(void *ctx)
{
    struct id_maker *me = ctx;

    for (size_t i = 0; i < SE_ARRAY_LEN(me->ids); i++)
        se_id_new(me->ids[i]);
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ids_of_all_threads_differ(void **state)
{
    struct id_maker *makers = calloc(THREADS, sizeof(*makers));
    size_t each = SE_ARRAY_LEN(makers->ids), count = THREADS * each;
    char(*all)[SE_ID_LEN] = calloc(count, SE_ID_LEN);

    for (int t = 0; t < THREADS; t++)
        assert_int_equal(se_thread_start(&makers[t].thread, "ids", make_ids, &makers[t]), 0);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(makers[t].thread, NULL);
        for (size_t i = 1; i < each; i++)
            assert_true(strcmp(makers[t].ids[i - 1], makers[t].ids[i]) < 0);
        memcpy(all[(size_t)t * each], makers[t].ids, sizeof(makers[t].ids));
    }
    qsort(all, count, SE_ID_LEN, compare_ids);
    for (size_t i = 1; i < count; i++)
        assert_string_not_equal(all[i - 1], all[i]);
    free(all);
    free(makers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_from_many_threads),
        cmocka_unit_test(calls_end_with_the_loop),
        cmocka_unit_test(ring_refuses_when_full),
        cmocka_unit_test(ring_hands_over_everything),
        cmocka_unit_test(buffers_are_shared_between_threads),
        cmocka_unit_test(pool_runs_everything_before_it_stops),
        cmocka_unit_test(pool_queue_is_bounded),
        cmocka_unit_test(ids_of_all_threads_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
