/* The camera's clock onto the media timeline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "live/timing.h"

#define FRAME    3600
#define START_US 5000000

/* Feeds a unit; checks what must hold of every stamp. */
static struct timing_stamp feed(struct timing *t, int64_t pts, se_mono_us arrived, int64_t *last_dts)
{
    struct access_unit unit = {.pts_90k = pts, .arrived_us = arrived};
    struct timing_stamp s = timing_next(t, &unit);
    assert_true(s.dts_90k > *last_dts);
    assert_true(llabs(s.pts_90k - timing_us_to_90k(arrived)) <= 90000);
    assert_true(s.duration_90k > 0 && s.duration_90k <= 4 * 90000);
    *last_dts = s.dts_90k;
    return s;
}

static void keeps_the_cameras_distances(void **state)
{
    struct timing t;
    int64_t last = 0, previous = 0;
    timing_init(&t, 0, 25);
    for (int i = 0; i < 500; i++) {
        /* jitter of arrival must not show */
        struct timing_stamp s = feed(&t, 1000 + i * FRAME, START_US + i * 40000 + (i % 7) * 9000, &last);
        assert_int_equal(s.pts_90k, s.dts_90k);
        if (i > 0)
            assert_int_equal(s.pts_90k - previous, FRAME);
        if (i > 1)
            assert_int_equal(s.duration_90k, FRAME);
        previous = s.pts_90k;
    }
    assert_int_equal(t.jumps, 0);
}

static void survives_jumps_wraps_and_backward_steps(void **state)
{
    const int64_t jumps[] = {1LL << 32,  -(1LL << 32), 90000 * 3600, -90000 * 3600,
                             -90000 * 2, 90000 * 2,    -1800,        40000};
    struct timing t;
    int64_t last = 0, raw = 777;
    se_mono_us at = START_US;
    timing_init(&t, 0, 25);
    for (unsigned j = 0; j < sizeof(jumps) / sizeof(jumps[0]); j++) {
        for (int i = 0; i < 100; i++, raw += FRAME, at += 40000) {
            struct timing_stamp s = feed(&t, raw, at, &last);
            if (i > 2 && j == 0)
                assert_int_equal(s.duration_90k, FRAME);
        }
        raw += jumps[j];
    }
    assert_true(t.jumps >= 6);
}

static void follows_a_clock_that_is_slow_or_fast(void **state)
{
    for (int rate = 3500; rate <= 3700; rate += 200) {
        struct timing t;
        int64_t last = 0;
        timing_init(&t, 0, 25);
        for (int i = 0; i < 20000; i++)
            feed(&t, (int64_t)i * rate, START_US + i * 40000LL, &last);
    }
}

static void a_stall_is_a_gap_not_a_shift(void **state)
{
    struct timing t;
    int64_t last = 0;
    timing_init(&t, 0, 25);
    for (int i = 0; i < 100; i++)
        feed(&t, i * FRAME, START_US + i * 40000, &last);
    /* The camera was stopped for ten seconds and goes on where it was. */
    for (int i = 100; i < 400; i++)
        feed(&t, i * FRAME, START_US + 10000000 + i * 40000, &last);
    struct timing_stamp s = feed(&t, 400 * FRAME, START_US + 10000000 + 400 * 40000, &last);
    assert_true(llabs(s.pts_90k - timing_us_to_90k(START_US + 10000000 + 400 * 40000)) <= 9000 * 2);
}

static void a_burst_after_a_jam_stays_near_arrival(void **state)
{
    struct timing t;
    int64_t last = 0;
    timing_init(&t, 0, 25);
    for (int i = 0; i < 100; i++)
        feed(&t, i * FRAME, START_US + i * 40000, &last);
    /* Five seconds late, all at once, then in time again. */
    for (int i = 100; i < 225; i++)
        feed(&t, i * FRAME, START_US + 225 * 40000, &last);
    for (int i = 225; i < 400; i++)
        feed(&t, i * FRAME, START_US + i * 40000, &last);
    struct timing_stamp s = feed(&t, 400 * FRAME, START_US + 400 * 40000, &last);
    assert_true(llabs(s.pts_90k - timing_us_to_90k(START_US + 400 * 40000)) <= 18000);
}

static void reorders_within_the_window(void **state)
{
    /* I0 P3 B1 B2 P6 B4 B5 … with two frames held back */
    static const int order[] = {0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 15, 13, 14};
    struct timing t;
    int64_t last = 0;
    timing_init(&t, 2, 25);
    for (int i = 0; i < 16; i++) {
        struct timing_stamp s = feed(&t, 90000 + order[i] * FRAME, START_US + i * 40000, &last);
        assert_true(s.dts_90k <= s.pts_90k);
    }
    assert_int_equal(t.jumps, 0);
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Jumps and jams between any two frames of a stream that is reordered: no two are shown at one instant. */
static void reordered_frames_never_share_an_instant(void **state)
{
    static const int order[] = {0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 15, 13, 14};
    static const int64_t jumps[] = {90000 * 3600LL, -90000 * 3600LL, -90000 * 2, 90000 * 2};
    for (int at = 1; at < 16; at++) {
        for (unsigned j = 0; j < 5; j++) {
            struct timing t;
            int64_t last = 0, seen[48];
            timing_init(&t, 2, 25);
            for (int i = 0; i < 48; i++) {
                bool after = i >= 16 + at;
                int64_t raw = 90000 + (i / 16 * 16 + order[i % 16]) * FRAME + (after && j < 4 ? jumps[j] : 0);
                se_mono_us late =
                    j == 4 && after ? 1500000 - (i - 16 - at) * 40000 : 0; /* a jam, then all of it */
                seen[i] = feed(&t, raw, START_US + i * 40000 + (late > 0 ? late : 0), &last).pts_90k;
            }
            qsort(seen, 48, sizeof(seen[0]), ascending);
            for (int i = 1; i < 48; i++)
                assert_true(seen[i] > seen[i - 1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_cameras_distances),
        cmocka_unit_test(survives_jumps_wraps_and_backward_steps),
        cmocka_unit_test(follows_a_clock_that_is_slow_or_fast),
        cmocka_unit_test(a_stall_is_a_gap_not_a_shift),
        cmocka_unit_test(a_burst_after_a_jam_stays_near_arrival),
        cmocka_unit_test(reorders_within_the_window),
        cmocka_unit_test(reordered_frames_never_share_an_instant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
