/* rtsp/depay.h: H.264, and how access units end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "depay_check.h"

#define SPS "\x67\x42\xc0\x0c\xd9\x01\x60\x96\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\x50\x3c\x50\xa9\x20"
#define PPS "\x68\xcb\x83\xcb\x20"
#define SPS2                                                                                                 \
    "\x67\x64\x00\x28\xac\xd9\x40\x78\x02\x27\xe5\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xc8\x3c\x60"   \
    "\xc6\x58"

static struct video_depay depay;
static struct kept kept;

static int begin(void **state)
{
    struct depay_sink sink = kept_sink(&kept);
    video_depay_init(&depay, CODEC_H264, 90000, &sink);
    return 0;
}

static int end(void **state)
{
    kept_clear(&kept);
    video_depay_fini(&depay);
    return 0;
}

static void packet(int64_t time, bool marker, bool gap, const void *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* exact size, so that reading past it is caught */
    memcpy(copy, data, size);
    struct rtp_packet p = {.marker = marker, .payload = copy, .size = size};
    video_depay_packet(&depay, &p, gap, time, 1);
    free(copy);
}

static void sets(void)
{
    packet(0, false, false, BYTES(SPS));
    packet(0, false, false, BYTES(PPS));
}

static void single_units_end_at_the_marker(void **state)
{
    sets();
    packet(0, false, false, BYTES("\x06\x05\x01")); /* SEI stays */
    packet(0, true, false, BYTES("\x65\x88\x11"));
    packet(3600, false, false, BYTES("\x09\xf0")); /* delimiter */
    packet(3600, false, false, BYTES("\x0c\xff")); /* filler */
    packet(3600, true, false, BYTES("\x41\x9a\x22"));
    assert_int_equal(kept.count, 2);
    assert_unit(&kept, 0, 0, true, BYTES("\0\0\0\3\x06\x05\x01\0\0\0\3\x65\x88\x11"));
    assert_unit(&kept, 1, 3600, false, BYTES("\0\0\0\3\x41\x9a\x22"));
    assert_int_equal(kept.videos, 1);
    assert_int_equal(kept.video.width, 352);
}

static void without_marker_they_end_at_the_next_time(void **state)
{
    sets();
    packet(0, false, false, BYTES("\x65\x88\x11"));
    packet(0, false, false, BYTES("\x65\x08\x12")); /* a second slice */
    assert_int_equal(kept.count, 0);
    packet(3600, false, false, BYTES("\x41\x9a\x22"));
    assert_int_equal(kept.count, 1);
    assert_unit(&kept, 0, 0, true, BYTES("\0\0\0\3\x65\x88\x11\0\0\0\3\x65\x08\x12"));
}

static void a_marker_on_every_slice_is_seen_through(void **state)
{
    sets();
    packet(0, true, false, BYTES("\x65\x88\x11"));
    packet(0, true, false, BYTES("\x65\x08\x12"));
    kept_clear(&kept); /* the first picture came apart: nobody could know */
    packet(3600, true, false, BYTES("\x65\x88\x11"));
    kept_clear(&kept); /* the rest of it */
    packet(3600, true, false, BYTES("\x65\x08\x12"));
    packet(7200, true, false, BYTES("\x41\x9a\x13"));
    assert_int_equal(kept.count, 1);
    assert_unit(&kept, 0, 3600, true, BYTES("\0\0\0\3\x65\x88\x11\0\0\0\3\x65\x08\x12"));
}

static void a_marker_on_parameter_sets_ends_nothing(void **state)
{
    packet(0, true, false, BYTES(SPS));
    packet(0, true, false, BYTES(PPS));
    packet(0, true, false, BYTES("\x65\x88\x11"));
    assert_int_equal(kept.count, 1);
    assert_int_equal(depay.stats.units, 1);
}

static void aggregated(void **state)
{
    sets();
    packet(0, true, false, BYTES("\x78\0\2\x06\x01\0\3\x65\x88\x11"));
    assert_unit(&kept, 0, 0, true, BYTES("\0\0\0\2\x06\x01\0\0\0\3\x65\x88\x11"));
    packet(10, true, false, BYTES("\x78\0\x09\x41\x9a\x11")); /* longer than the packet */
    assert_int_equal(kept.count, 1);
    assert_int_equal(depay.stats.damaged, 1);
}

static void fragmented(void **state)
{
    sets();
    packet(0, false, false, BYTES("\x7c\x85\x88\x01"));
    packet(0, false, false, BYTES("\x7c\x05\x02\x03"));
    packet(0, true, false, BYTES("\x7c\x45\x04"));
    assert_unit(&kept, 0, 0, true, BYTES("\0\0\0\6\x65\x88\1\2\3\4"));
}

static void a_missing_packet_costs_its_picture_only(void **state)
{
    sets();
    packet(0, true, false, BYTES("\x65\x88\x11"));
    packet(10, false, false, BYTES("\x5c\x81\x9a\x01"));
    packet(10, true, true, BYTES("\x5c\x41\x04")); /* the middle is missing */
    packet(20, true, false, BYTES("\x41\x9a\x22"));
    assert_int_equal(kept.count, 2);
    assert_int_equal(depay.stats.damaged, 1);
    packet(30, false, true, BYTES("\x5c\x01\x9a\x01")); /* the beginning is missing */
    packet(30, true, false, BYTES("\x5c\x41\x04"));
    packet(40, false, false, BYTES("\x5c\x81\x9a\x01")); /* the end is missing */
    packet(50, true, true, BYTES("\x41\x9a\x22"));
    assert_int_equal(depay.stats.damaged, 3);
    assert_int_equal(kept.count, 3);
    assert_unit(&kept, 2, 50, false, BYTES("\0\0\0\3\x41\x9a\x22"));
}

static void nothing_comes_before_a_keyframe_with_its_sets(void **state)
{
    packet(0, true, false, BYTES("\x65\x88\x11"));
    packet(10, true, false, BYTES("\x41\x9a\x22"));
    assert_int_equal(kept.count, 0);
    assert_int_equal(depay.stats.unready, 2);
    packet(20, false, false, BYTES(SPS));
    packet(20, false, false, BYTES(PPS));
    packet(20, true, false, BYTES("\x41\x9a\x22"));
    assert_int_equal(kept.count, 0);
    packet(30, true, false, BYTES("\x65\x88\x11"));
    assert_int_equal(kept.count, 1);
}

static void sets_that_change_are_told_once(void **state)
{
    sets();
    packet(0, true, false, BYTES("\x65\x88\x11"));
    packet(10, false, false, BYTES(SPS "\0"));
    packet(10, false, false, BYTES(PPS));
    packet(10, true, false, BYTES("\x65\x88\x11"));
    assert_int_equal(kept.videos, 1);
    packet(20, false, false, BYTES("\x67\x64")); /* broken: the old one stays */
    packet(20, true, false, BYTES("\x65\x88\x11"));
    assert_int_equal(kept.videos, 1);
    packet(30, false, false, BYTES(SPS2));
    packet(30, false, false, BYTES(PPS));
    packet(30, true, false, BYTES("\x65\x88\x11"));
    assert_int_equal(kept.videos, 2);
    assert_int_equal(kept.video.width, 1920);
    video_depay_restart(&depay);
    packet(40, true, false, BYTES("\x41\x9a\x22"));
    assert_int_equal(kept.count, 4); /* after a restart, too, a keyframe comes first */
    packet(50, true, false, BYTES("\x65\x88\x11"));
    assert_int_equal(kept.count, 5);
    assert_int_equal(kept.videos, 2);
}

static void an_endless_unit_is_cut_off(void **state)
{
    static uint8_t part[60000];
    sets();
    memcpy(part, "\x7c\x85\x88", 3);
    packet(0, false, false, part, sizeof(part));
    part[1] = 5;
    for (unsigned i = 0; i < ACCESS_UNIT_MAX / sizeof(part) + 10; i++)
        packet(0, false, false, part, sizeof(part));
    assert_int_equal(depay.stats.too_big, 1);
    assert_null(depay.buf);
    packet(10, true, false, BYTES("\x65\x88\x11"));
    assert_int_equal(kept.count, 1);
    assert_unit(&kept, 0, 10, true, BYTES("\0\0\0\3\x65\x88\x11"));
}

static void nonsense_is_survived(void **state)
{
    sets();
    packet(0, false, false, "", 0);
    packet(0, false, false, BYTES("\x65"));
    packet(0, false, false, BYTES("\x7c"));
    packet(0, false, false, BYTES("\x7c\x85"));
    packet(0, false, false, BYTES("\x78"));
    packet(0, false, false, BYTES("\x78\0"));
    packet(0, false, false, BYTES("\x7d\x85\x88"));
    packet(0, true, false, BYTES("\x79\x85\x88"));
    packet(0, true, false, BYTES("\x00\x85\x88"));
    assert_int_equal(kept.count, 0);
    packet(10, true, false, BYTES("\x65\x88\x11"));
    assert_int_equal(kept.count, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(single_units_end_at_the_marker),
        T(without_marker_they_end_at_the_next_time),
        T(a_marker_on_every_slice_is_seen_through),
        T(a_marker_on_parameter_sets_ends_nothing),
        T(aggregated),
        T(fragmented),
        T(a_missing_packet_costs_its_picture_only),
        T(nothing_comes_before_a_keyframe_with_its_sets),
        T(sets_that_change_are_told_once),
        T(an_endless_unit_is_cut_off),
        T(nonsense_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
