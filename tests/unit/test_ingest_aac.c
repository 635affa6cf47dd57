/* rtsp/depay.h: AAC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "depay_check.h"

static struct aac_depay depay;
static struct kept kept;

static void begin_with(unsigned size_bits, unsigned index_bits)
{
    struct depay_sink sink = kept_sink(&kept);
    struct aac_format format = {size_bits, index_bits, index_bits};
    aac_depay_init(&depay, &format, 16000, &sink);
}

static int begin(void **state)
{
    begin_with(13, 3);
    return 0;
}

static int end(void **state)
{
    kept_clear(&kept);
    aac_depay_fini(&depay);
    return 0;
}

static void packet(int64_t time, bool gap, const void *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct rtp_packet p = {.payload = copy, .size = size};
    aac_depay_packet(&depay, &p, gap, time, 1);
    free(copy);
}

static void frames_of_one_packet(void **state)
{
    packet(16000, false,
           BYTES("\0\x20\0\x10\0\x18"
                 "ab"
                 "cde")); /* two headers: 2 and 3 bytes */
    assert_int_equal(kept.count, 2);
    assert_int_equal(kept.units[0]->codec, CODEC_AAC);
    assert_unit(&kept, 0, 90000, true, "ab", 2);
    assert_unit(&kept, 1, 90000 + 1024 * 90000 / 16000, true, "cde", 3);
}

static void low_bit_rate_headers(void **state)
{
    aac_depay_fini(&depay);
    begin_with(6, 2);
    packet(0, false,
           BYTES("\0\x08\x0c"
                 "abc"));
    assert_int_equal(kept.count, 1);
    assert_unit(&kept, 0, 0, true, "abc", 3);
}

static void a_frame_over_packets(void **state)
{
    packet(0, false,
           BYTES("\0\x10\0\x30"
                 "abcd"));
    assert_int_equal(kept.count, 0);
    packet(0, false,
           BYTES("\0\x10\0\x30"
                 "ef"));
    assert_int_equal(kept.count, 1);
    assert_unit(&kept, 0, 0, true, "abcdef", 6);
    packet(10, false,
           BYTES("\0\x10\0\x30"
                 "abcd"));
    packet(20, true,
           BYTES("\0\x10\0\x10"
                 "xy")); /* its end is missing */
    assert_int_equal(kept.count, 2);
    assert_int_equal(depay.stats.damaged, 1);
}

static void lies_are_survived(void **state)
{
    packet(0, false, "", 0);
    packet(0, false, BYTES("\0"));
    packet(0, false,
           BYTES("\xff\xff\0\x10"
                 "ab"));
    packet(0, false, BYTES("\0\x08\0"));
    packet(0, false,
           BYTES("\0\x10\0\0"
                 "ab"));
    packet(0, false,
           BYTES("\0\x10\xff\xf8"
                 "a")); /* 8191 bytes: waits for them */
    packet(0, false,
           BYTES("\0\x20\0\x10\xff\xf8"
                 "ab"
                 "c"));
    assert_true(kept.count <= 1);
    kept_clear(&kept);
    packet(99, false,
           BYTES("\0\x10\0\x10"
                 "ok"));
    assert_int_equal(kept.count, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(frames_of_one_packet), T(low_bit_rate_headers),
                                       T(a_frame_over_packets), T(lies_are_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
