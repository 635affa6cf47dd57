/* rtsp/depay.h: H.265. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "depay_check.h"

#define VPS "\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x78\x95\x98\x09"
#define SPS                                                                                                  \
    "\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x78\xa0\x03\xc0\x80\x10\xe5\x96"   \
    "\x56\x69\x24\xca\xf0\x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0f\x04"
#define PPS "\x44\x01\xc1\x72\xb4\x62\x40"

static struct video_depay depay;
static struct kept kept;

static int begin(void **state)
{
    struct depay_sink sink = kept_sink(&kept);
    video_depay_init(&depay, CODEC_H265, 45000, &sink);
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
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct rtp_packet p = {.marker = marker, .payload = copy, .size = size};
    video_depay_packet(&depay, &p, gap, time, 1);
    free(copy);
}

static void sets(void)
{
    packet(0, false, false, BYTES(VPS));
    packet(0, false, false, BYTES(SPS));
    packet(0, false, false, BYTES(PPS));
}

static void single_and_aggregated(void **state)
{
    sets();
    packet(0, true, false, BYTES("\x26\x01\xaf\x11"));                                /* IDR_W_RADL */
    packet(1800, false, false, BYTES("\x46\x01\x10"));                                /* delimiter */
    packet(1800, true, false, BYTES("\x60\x01\0\3\x4e\x01\x05\0\4\x02\x01\xd0\x22")); /* SEI, TRAIL_R */
    packet(3600, true, false, BYTES("\x2a\x01\xaf\x33"));                             /* CRA */
    assert_int_equal(kept.count, 3);
    assert_unit(&kept, 0, 0, true, BYTES("\0\0\0\4\x26\x01\xaf\x11"));
    assert_unit(&kept, 1, 3600, false, BYTES("\0\0\0\3\x4e\x01\x05\0\0\0\4\x02\x01\xd0\x22"));
    assert_unit(&kept, 2, 7200, true, BYTES("\0\0\0\4\x2a\x01\xaf\x33"));
    assert_string_equal(kept.video.mime, "hvc1.1.6.L120.90");
}

static void fragmented(void **state)
{
    sets();
    packet(0, false, false, BYTES("\x62\x01\x93\xaf\x01"));
    packet(0, false, false, BYTES("\x62\x01\x13\x02"));
    packet(0, true, false, BYTES("\x62\x01\x53\x03"));
    assert_int_equal(kept.count, 1);
    assert_unit(&kept, 0, 0, true, BYTES("\0\0\0\6\x26\x01\xaf\1\2\3"));
    packet(10, false, true, BYTES("\x62\x01\x01\x02"));
    packet(10, true, false, BYTES("\x62\x01\x41\x03"));
    assert_int_equal(kept.count, 1);
    assert_int_equal(depay.stats.damaged, 1);
}

static void nonsense_is_survived(void **state)
{
    sets();
    packet(0, false, false, "", 0);
    packet(0, false, false, BYTES("\x62\x01"));
    packet(0, false, false, BYTES("\x62\x01\x93"));
    packet(0, false, false, BYTES("\x60\x01"));
    packet(0, false, false, BYTES("\x60\x01\0\x40\x02"));
    packet(0, true, false, BYTES("\x64\x01\0\x40\x02")); /* PACI, which nobody asked for */
    assert_int_equal(kept.count, 0);
    packet(10, true, false, BYTES("\x26\x01\xaf\x11"));
    assert_int_equal(kept.count, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(single_and_aggregated), T(fragmented), T(nonsense_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
