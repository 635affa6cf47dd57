/* The bus: order, what a late reader gets, and who owns what. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/bus.h"

static void publish(struct bus *bus, int value)
{
    bus_publish(bus, "camera.state", "camera.read", "d1", json_pack("{s:i}", "n", value));
}

static int value_of(const struct bus_event *event)
{
    return (int)json_integer_value(json_object_get(event->data, "n"));
}

static void a_reader_follows_in_order(void **state)
{
    struct bus *bus;
    assert_int_equal(bus_new(8, &bus), 0);
    uint64_t at = bus_newest(bus);
    assert_true(at > 0);
    struct bus_event *event = NULL;
    assert_int_equal(bus_next(bus, at, &event), -ENOENT);
    for (int i = 0; i < 3; i++)
        publish(bus, i);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bus_next(bus, at, &event), 0);
        assert_int_equal(event->number, at + 1);
        assert_int_equal(value_of(event), i);
        assert_string_equal(event->type, "camera.state");
        assert_string_equal(event->permission, "camera.read");
        assert_string_equal(event->department_id, "d1");
        at = event->number;
        bus_event_unref(&event);
        assert_null(event);
    }
    assert_int_equal(bus_next(bus, at, &event), -ENOENT);
    bus_free(bus);
}

static void what_fell_off_is_stale(void **state)
{
    struct bus *bus;
    assert_int_equal(bus_new(4, &bus), 0);
    uint64_t start = bus_newest(bus);
    for (int i = 0; i < 10; i++)
        publish(bus, i);
    struct bus_event *event = NULL;
    assert_int_equal(bus_next(bus, start, &event), -ESTALE);
    assert_int_equal(bus_next(bus, start + 5, &event), -ESTALE); /* 6 fell off */
    assert_int_equal(bus_next(bus, start + 6, &event), 0);
    assert_int_equal(value_of(event), 6);
    bus_event_unref(&event);
    assert_int_equal(bus_next(bus, bus_newest(bus) + 1, &event), -ESTALE); /* not of this bus */
    assert_int_equal(bus_next(bus, 1, &event), -ESTALE);
    bus_free(bus);
}

static void an_event_outlives_the_bus(void **state)
{
    struct bus *bus;
    assert_int_equal(bus_new(1, &bus), 0);
    uint64_t at = bus_newest(bus);
    publish(bus, 7);
    struct bus_event *event;
    assert_int_equal(bus_next(bus, at, &event), 0);
    bus_free(bus);
    assert_int_equal(value_of(event), 7);
    bus_event_unref(&event);
}

static void numbers_go_on_after_a_restart(void **state)
{
    struct bus *first, *second;
    assert_int_equal(bus_new(4, &first), 0);
    publish(first, 1);
    uint64_t seen = bus_newest(first);
    bus_free(first);
    assert_int_equal(bus_new(4, &second), 0);
    struct bus_event *event = NULL;
    for (int i = 0; i < 6; i++)
        publish(second, i);
    assert_int_equal(bus_next(second, seen, &event), -ESTALE);
    bus_free(second);
}

struct heard {
    int count, last;
    bool in_order;
};

static void hear(const struct bus_event *event, void *ctx)
{
    struct heard *heard = ctx;
    if ((int)event->number <= heard->last)
        heard->in_order = false;
    heard->last = (int)event->number;
    heard->count++;
}

static void *publish_many(void *ctx)
{
    for (int i = 0; i < 500; i++)
        publish(ctx, i);
    return NULL;
}

static void subscribers_hear_all_in_order_from_many_threads(void **state)
{
    struct bus *bus;
    assert_int_equal(bus_new(16, &bus), 0);
    struct heard heard = {.in_order = true}, other = {.in_order = true};
    heard.last = other.last = (int)bus_newest(bus);
    assert_int_equal(bus_subscribe(bus, hear, &heard), 0);
    assert_int_equal(bus_subscribe(bus, hear, &other), 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish_many, bus), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(heard.count, 2000);
    assert_true(heard.in_order);
    bus_unsubscribe(bus, hear, &heard);
    publish(bus, 1);
    assert_int_equal(heard.count, 2000);
    assert_int_equal(other.count, 2001);
    bus_free(bus);
}

static void subscribers_are_bounded(void **state)
{
    struct bus *bus;
    struct heard heard[17] = {{0}};
    assert_int_equal(bus_new(1, &bus), 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(bus_subscribe(bus, hear, &heard[i]), 0);
    assert_int_equal(bus_subscribe(bus, hear, &heard[16]), -ENOSPC);
    bus_free(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_follows_in_order),
        cmocka_unit_test(what_fell_off_is_stale),
        cmocka_unit_test(an_event_outlives_the_bus),
        cmocka_unit_test(numbers_go_on_after_a_restart),
        cmocka_unit_test(subscribers_hear_all_in_order_from_many_threads),
        cmocka_unit_test(subscribers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
