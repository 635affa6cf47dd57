/* base/loop.h on one thread: timers in order, changes from callbacks, posts and their bound, stop. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/loop.h"
#include "base_metrics.h"
#include "timer_heap.h"

static struct se_loop *new_loop(void)
{
    struct se_loop *loop;

    assert_int_equal(se_loop_new("test", &loop), 0);
    return loop;
}

static void stop_on_timer(struct se_timer *timer)
{
    se_loop_stop(timer->ctx);
}

static char order[16];

static void note_timer(struct se_timer *timer)
{
    strncat(order, timer->ctx, sizeof(order) - strlen(order) - 1);
}

static void timers_run_in_order(void **state)
{
    struct se_loop *loop = new_loop();
    static char names[][2] = {"a", "b", "c", "d"};
    struct se_timer a = {.fn = note_timer, .ctx = names[0]}, b = {.fn = note_timer, .ctx = names[1]};
    struct se_timer c = {.fn = note_timer, .ctx = names[2]}, d = {.fn = note_timer, .ctx = names[3]};
    struct se_timer end = {.fn = stop_on_timer, .ctx = loop};
    se_mono_us start = se_mono_now_us();

    order[0] = '\0';
    assert_int_equal(se_timer_in(loop, &end, 30000), 0);
    assert_int_equal(se_timer_in(loop, &c, 15000), 0);
    assert_int_equal(se_timer_in(loop, &a, 5000), 0);
    assert_int_equal(se_timer_in(loop, &b, 60000000), 0);
    assert_int_equal(se_timer_in(loop, &d, 1000), 0);
    assert_int_equal(se_timer_in(loop, &b, 10000), 0); /* moved */
    se_timer_cancel(&d);
    se_timer_cancel(&d); /* twice is fine */
    assert_int_equal(se_loop_run(loop), 0);
    assert_string_equal(order, "abc");
    assert_true(se_mono_now_us() - start >= 30000);
    assert_int_equal(a.slot, 0);
    se_loop_free(loop);
}

struct rearm {
    struct se_timer timer, victim;
    int runs, victim_runs;
};

static void rearm_run(struct se_timer *timer)
{
    struct rearm *t = timer->ctx;

    t->runs++;
    if (t->runs == 1)
        se_timer_cancel(&t->victim); /* due in the same turn */
    if (t->runs < 5)
        assert_int_equal(se_timer_in(timer->loop, timer, 0), 0);
    else
        se_loop_stop(timer->loop);
}

static void victim_run(struct se_timer *timer)
{
    ((struct rearm *)timer->ctx)->victim_runs++;
}

static void timers_change_from_callbacks(void **state)
{
    struct se_loop *loop = new_loop();
    struct rearm t = {0};

    t.timer = (struct se_timer){.fn = rearm_run, .ctx = &t};
    t.victim = (struct se_timer){.fn = victim_run, .ctx = &t};
    assert_int_equal(se_timer_set(loop, &t.timer, 1), 0);
    assert_int_equal(se_timer_set(loop, &t.victim, 2), 0);
    assert_int_equal(se_loop_run(loop), 0);
    assert_int_equal(t.runs, 5);
    assert_int_equal(t.victim_runs, 0);
    se_loop_free(loop);
}

static void free_timer(struct se_timer *timer)
{
    se_loop_stop(timer->loop);
    free(timer);
}

static void timer_may_free_itself(void **state)
{
    struct se_loop *loop = new_loop();
    struct se_timer *t = calloc(1, sizeof(*t));

    t->fn = free_timer;
    assert_int_equal(se_timer_in(loop, t, 0), 0);
    assert_int_equal(se_loop_run(loop), 0);
    se_loop_free(loop);
}

static void heap_keeps_order_under_churn(void **state)
{
    enum { COUNT = 500 };
    struct timer_heap heap = {0};
    struct se_timer *timers = calloc(COUNT, sizeof(*timers));
    unsigned random = 1;
    se_mono_us last = -1;
    size_t left = 0;

    for (int i = 0; i < 5000; i++) {
        struct se_timer *t;

        random = random * 1103515245u + 12345u;
        t = &timers[(random >> 16) % COUNT];
        random = random * 1103515245u + 12345u;
        if (t->slot > 0 && (random >> 16) % 3 == 0)
            timer_heap_remove(&heap, t);
        else
            assert_int_equal(timer_heap_set(&heap, t, (random >> 16) % 1000), 0);
    }
    for (int i = 0; i < COUNT; i++)
        left += timers[i].slot > 0;
    assert_int_equal(heap.count, left);
    assert_true(left > 100);
    while (heap.count > 0) {
        struct se_timer *t = timer_heap_first(&heap);

        assert_true(t->due_us >= last);
        last = t->due_us;
        timer_heap_remove(&heap, t);
    }
    timer_heap_fini(&heap);
    free(timers);
}

/* Eight descriptors are readable in one batch. The first to run removes and closes the
 * others, and gives their numbers to new, silent ones: the events that are still
 * pending belong to nobody. */
enum { CROWD = 8 };
struct crowd {
    struct se_watch *watches[CROWD];
    int write_ends[CROWD];
    int runs;
};

static void must_not_run(struct se_watch *watch, uint32_t events)
{
    fail_msg("an event of a removed watch reached descriptor %d's new owner", watch->fd);
}

static void replace_others(struct se_watch *watch, uint32_t events)
{
    struct crowd *c = watch->ctx;
    struct se_loop *loop = watch->loop;

    c->runs++;
    for (int i = 0; i < CROWD; i++) {
        int fd = c->watches[i]->fd, fds[2];

        if (c->watches[i] == watch)
            continue;
        se_watch_del(c->watches[i]);
        assert_int_equal(c->watches[i]->fd, -1);
        free(c->watches[i]);
        close(fd);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        if (fds[1] == fd) /* the write end took the number that is wanted */
            fds[1] = dup(fd);
        if (fds[0] != fd) {
            assert_int_equal(dup2(fds[0], fd), fd);
            close(fds[0]);
        }
        close(c->write_ends[i]);
        c->write_ends[i] = fds[1];
        c->watches[i] = calloc(1, sizeof(struct se_watch));
        c->watches[i]->fn = must_not_run;
        assert_int_equal(se_watch_add(loop, c->watches[i], fd, EPOLLIN), 0);
    }
    /* its own too, which stays readable */
    close(watch->fd);
    se_watch_del(watch);
}

static void pending_events_of_removed_watches_are_dropped(void **state)
{
    struct se_loop *loop = new_loop();
    struct se_timer end = {.fn = stop_on_timer, .ctx = loop};
    struct crowd c = {0};

    for (int i = 0; i < CROWD; i++) {
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(write(fds[1], "x", 1), 1);
        c.write_ends[i] = fds[1];
        c.watches[i] = calloc(1, sizeof(struct se_watch));
        *c.watches[i] = (struct se_watch){.fn = replace_others, .ctx = &c, .fd = -1};
        assert_int_equal(se_watch_add(loop, c.watches[i], fds[0], EPOLLIN), 0);
    }
    assert_int_equal(se_timer_in(loop, &end, 20000), 0);
    assert_int_equal(se_loop_run(loop), 0);
    assert_int_equal(c.runs, 1);
    for (int i = 0; i < CROWD; i++) {
        int fd = c.watches[i]->fd;

        se_watch_del(c.watches[i]);
        if (fd >= 0)
            close(fd);
        close(c.write_ends[i]);
        free(c.watches[i]);
    }
    se_loop_free(loop);
}

static void count_and_stop(struct se_watch *watch, uint32_t events)
{
    ++*(int *)watch->ctx;
    assert_true(events & EPOLLOUT);
    se_loop_stop(watch->loop);
}

static void watch_errors_leave_the_others_alone(void **state)
{
    struct se_loop *loop = new_loop();
    int runs = 0, fds[2];
    struct se_watch w = {.fn = count_and_stop, .ctx = &runs, .fd = -1};
    struct se_watch twice = {.fn = must_not_run, .fd = -1};

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(se_watch_add(loop, &w, fds[1], EPOLLIN), 0);
    assert_int_equal(se_watch_add(loop, &twice, fds[1], EPOLLOUT), -EEXIST);
    assert_int_equal(twice.fd, -1);
    se_watch_del(&twice);
    assert_int_equal(se_watch_add(loop, &twice, 900, EPOLLIN), -EBADF);
    assert_int_equal(se_watch_set(&w, EPOLLOUT), 0);
    assert_int_equal(se_loop_run(loop), 0);
    assert_int_equal(runs, 1);
    se_watch_del(&w);
    se_watch_del(&w);
    close(fds[0]);
    close(fds[1]);
    se_loop_free(loop);
}

static void nothing(void *ctx)
{
}

static void add_one(void *ctx)
{
    ++*(int *)ctx;
}

static void posts_are_bounded_and_stop_runs_what_is_queued(void **state)
{
    struct se_loop *loop = new_loop();
    int64_t refused = base_metrics[BASE_METRIC_RING_OVERFLOWS].value;
    int ran = 0;

    for (int i = 0; i < 65536; i++)
        assert_int_equal(se_loop_post(loop, add_one, &ran), 0);
    assert_int_equal(se_loop_post(loop, add_one, &ran), -EAGAIN);
    assert_int_equal(base_metrics[BASE_METRIC_RING_OVERFLOWS].value, refused + 1);
    se_loop_stop(loop);
    assert_int_equal(se_loop_run(loop), 0);
    assert_int_equal(ran, 65536);
    assert_int_equal(se_loop_call(loop, nothing, NULL), -ESHUTDOWN);
    se_loop_free(loop);
}

struct chain {
    struct se_loop *loop;
    int runs;
};

/* Posts itself for ever; the loop must still come to its timers. */
static void post_again(void *ctx)
{
    struct chain *c = ctx;

    assert_true(se_loop_here(c->loop));
    c->runs++;
    assert_int_equal(se_loop_post(c->loop, post_again, c), 0);
}

static void endless_posts_do_not_starve_timers(void **state)
{
    struct se_loop *loop = new_loop();
    struct chain c = {.loop = loop};
    struct se_timer end = {.fn = stop_on_timer, .ctx = loop};

    assert_int_equal(se_loop_post(loop, post_again, &c), 0);
    assert_int_equal(se_timer_in(loop, &end, 5000), 0);
    assert_false(se_loop_here(loop));
    assert_int_equal(se_loop_run(loop), 0);
    assert_true(c.runs > 1);
    assert_false(se_loop_here(loop));
    se_loop_free(loop);
    se_loop_free(NULL);
}

static void precise_timer(struct se_timer *timer)
{
    *(se_mono_us *)timer->ctx = se_loop_now_us(timer->loop) - timer->due_us;
    assert_true(se_loop_now_us(timer->loop) == se_loop_now_us(timer->loop));
    se_loop_stop(timer->loop);
}

static void timers_never_run_early(void **state)
{
    for (int i = 0; i < 20; i++) {
        struct se_loop *loop = new_loop();
        se_mono_us late = -1;
        struct se_timer t = {.fn = precise_timer, .ctx = &late};

        assert_int_equal(se_timer_in(loop, &t, 100 + i * 37), 0);
        assert_int_equal(se_loop_run(loop), 0);
        assert_true(late >= 0);
        se_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order),
        cmocka_unit_test(timers_change_from_callbacks),
        cmocka_unit_test(timer_may_free_itself),
        cmocka_unit_test(timers_never_run_early),
        cmocka_unit_test(heap_keeps_order_under_churn),
        cmocka_unit_test(pending_events_of_removed_watches_are_dropped),
        cmocka_unit_test(watch_errors_leave_the_others_alone),
        cmocka_unit_test(posts_are_bounded_and_stop_runs_what_is_queued),
        cmocka_unit_test(endless_posts_do_not_starve_timers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
