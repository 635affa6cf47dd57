/* rtsp/reorder.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/reorder.h"

struct out {
    uint16_t got[4096];
    unsigned count;
};

static void take(void *ctx, const uint8_t *packet, size_t size)
{
    struct out *out = ctx;
    assert_true(size >= 2 && out->count < 4096);
    out->got[out->count++] = (uint16_t)(packet[0] << 8 | packet[1]);
}

static void push_size(struct reorder *r, struct out *out, unsigned sequence, size_t size, int64_t now_us)
{
    uint8_t *packet = calloc(1, size);
    packet[0] = (uint8_t)(sequence >> 8);
    packet[1] = (uint8_t)sequence;
    reorder_push(r, 7, (uint16_t)sequence, packet, size, now_us, take, out);
    free(packet);
}

static void push(struct reorder *r, struct out *out, unsigned sequence, int64_t now_us)
{
    push_size(r, out, sequence, 2, now_us);
}

static void assert_run(const struct out *out, unsigned at, unsigned first, unsigned count)
{
    assert_true(out->count >= at + count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(out->got[at + i], (uint16_t)(first + i));
}

static void in_order_nothing_is_kept(void **state)
{
    struct reorder r = {.wait_us = 100};
    struct out out = {0};
    for (unsigned i = 65500; i < 65600; i++) /* over the wrap */
        push(&r, &out, i, 0);
    assert_run(&out, 0, 65500, 100);
    assert_null(r.slots);
    assert_int_equal(reorder_due_us(&r), INT64_MAX);
    reorder_fini(&r);
}

static void swapped_over_the_wrap(void **state)
{
    static const unsigned order[] = {65534, 1, 0, 65535, 3, 2};
    struct reorder r = {.wait_us = 100};
    struct out out = {0};
    for (unsigned i = 0; i < 6; i++)
        push(&r, &out, order[i], 0);
    assert_run(&out, 0, 65534, 6);
    assert_int_equal(out.count, 6);
    assert_int_equal(r.late + r.duplicates, 0);
    assert_int_equal(r.held, 0);
    reorder_fini(&r);
}

static void a_missing_one_is_waited_for_and_given_up(void **state)
{
    struct reorder r = {.wait_us = 100};
    struct out out = {0};
    push(&r, &out, 1, 0);
    push(&r, &out, 3, 10);
    push(&r, &out, 4, 50);
    assert_int_equal(out.count, 1);
    assert_int_equal(reorder_due_us(&r), 110);
    reorder_expire(&r, 109, take, &out);
    assert_int_equal(out.count, 1);
    reorder_expire(&r, 110, take, &out);
    assert_run(&out, 1, 3, 2);
    push(&r, &out, 2, 120); /* too late */
    push(&r, &out, 3, 120); /* again */
    assert_int_equal(out.count, 3);
    assert_int_equal(r.late, 1);
    assert_int_equal(r.duplicates, 1);
    push(&r, &out, 5, 130);
    assert_int_equal(out.count, 4);
    reorder_fini(&r);
}

static void what_waits_is_bounded_in_packets(void **state)
{
    struct reorder r = {.wait_us = INT64_MAX / 2};
    struct out out = {0};
    push(&r, &out, 0, 0);
    for (unsigned i = 2; i < 1000; i++)
        push(&r, &out, i, 0);
    assert_true(r.held < REORDER_PACKETS);
    push(&r, &out, 1000, 0);
    /* 1 was given up at the bound: all others came through, in order. */
    assert_int_equal(out.got[1], 2);
    for (unsigned i = 1; i + 1 < out.count; i++)
        assert_int_equal(out.got[i + 1], out.got[i] + 1);
    assert_int_equal(out.count, 1000);
    reorder_fini(&r);
}

static void what_waits_is_bounded_in_bytes(void **state)
{
    struct reorder r = {.wait_us = INT64_MAX / 2};
    struct out out = {0};
    push(&r, &out, 0, 0);
    for (unsigned i = 2; i < 100; i++) {
        push_size(&r, &out, i, 60000, 0);
        assert_true(r.held_bytes <= REORDER_BYTES);
    }
    assert_int_equal(out.count, 99);
    reorder_fini(&r);
}

static void a_reset_is_followed(void **state)
{
    struct reorder r = {.wait_us = 100};
    struct out out = {0};
    push(&r, &out, 20000, 0);
    push(&r, &out, 20002, 0);
    push(&r, &out, 5, 0); /* far behind: once is an accident */
    assert_int_equal(r.late, 1);
    push(&r, &out, 6, 0); /* twice in a row is a new beginning */
    push(&r, &out, 7, 0);
    assert_int_equal(out.got[1], 20002);
    assert_run(&out, 2, 6, 2);
    push(&r, &out, 30000, 0); /* far ahead */
    assert_int_equal(out.got[4], 30000);
    reorder_push(&r, 8, 2, (const uint8_t *)"\0\2", 2, 0, take, &out); /* another source */
    assert_int_equal(out.got[5], 2);
    reorder_fini(&r);
}

static void any_shuffle_within_the_window(void **state)
{
    struct reorder r = {.wait_us = 1000000};
    struct out out = {0};
    unsigned order[2000];
    uint32_t random = 1;
    for (unsigned i = 0; i < 2000; i++)
        order[i] = i;
    for (unsigned i = 1; i < 2000; i++) { /* within each hundred; the first packet stays the first */
        random = random * 1664525u + 1013904223u;
        unsigned begin = i / 100 * 100 + (i < 100), other = begin + (random >> 8) % (i - begin + 1);
        unsigned swap = order[i];
        order[i] = order[other];
        order[other] = swap;
    }
    for (unsigned i = 0; i < 2000; i++)
        push(&r, &out, order[i], i);
    assert_int_equal(out.count, 2000);
    assert_run(&out, 0, 0, 2000);
    reorder_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_nothing_is_kept),
        cmocka_unit_test(swapped_over_the_wrap),
        cmocka_unit_test(a_missing_one_is_waited_for_and_given_up),
        cmocka_unit_test(what_waits_is_bounded_in_packets),
        cmocka_unit_test(what_waits_is_bounded_in_bytes),
        cmocka_unit_test(a_reset_is_followed),
        cmocka_unit_test(any_shuffle_within_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
