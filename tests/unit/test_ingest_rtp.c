/* rtsp/rtp.h */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/rtp.h"

static void headers(void **state)
{
    struct rtp_packet p;
    const uint8_t plain[] = {0x80, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 1, 2, 3, 4, 'a', 'b'};
    assert_int_equal(rtp_parse(plain, sizeof(plain), &p), 0);
    assert_true(p.marker);
    assert_int_equal(p.payload_type, 96);
    assert_int_equal(p.sequence, 0x1234);
    assert_int_equal(p.timestamp, 9);
    assert_int_equal(p.ssrc, 0x01020304);
    assert_int_equal(p.size, 2);
    assert_memory_equal(p.payload, "ab", 2);

    /* one CSRC, an extension of one word, padding of two */
    const uint8_t full[] = {0xb1, 0x60, 0,    1,    0, 0, 0, 0, 0, 0, 0,   0, 9, 9,
                            9,    9,    0xbe, 0xde, 0, 1, 1, 2, 3, 4, 'x', 0, 2};
    assert_int_equal(rtp_parse(full, sizeof(full), &p), 0);
    assert_int_equal(p.size, 1);
    assert_int_equal(p.payload[0], 'x');
    for (size_t n = 0; n < sizeof(full); n++) {
        uint8_t *copy = malloc(n + 1);
        memcpy(copy, full, n);
        (void)rtp_parse(copy, n, &p);
        free(copy);
    }
    const uint8_t padding[] = {0xa0, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 'x', 3};
    assert_int_equal(rtp_parse(padding, sizeof(padding), &p), -EBADMSG);
    const uint8_t version[] = {0x40, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(rtp_parse(version, sizeof(version), &p), -EBADMSG);
}

static enum rtp_order receive(struct rtp_receiver *r, uint16_t sequence, uint32_t timestamp, uint32_t ssrc)
{
    struct rtp_packet p = {.sequence = sequence, .timestamp = timestamp, .ssrc = ssrc};
    return rtp_receive(r, &p);
}

static void sequence_wraps_and_losses_are_counted(void **state)
{
    struct rtp_receiver r = {0};
    assert_int_equal(receive(&r, 65534, 0, 1), RTP_IN_ORDER);
    assert_int_equal(receive(&r, 65535, 0, 1), RTP_IN_ORDER);
    assert_int_equal(receive(&r, 0, 0, 1), RTP_IN_ORDER);
    assert_int_equal(r.lost, 0);
    assert_int_equal(receive(&r, 3, 0, 1), RTP_GAP);
    assert_int_equal(r.lost, 2);
    assert_int_equal(receive(&r, 2, 0, 1), RTP_LATE);
    assert_int_equal(receive(&r, 4, 0, 1), RTP_IN_ORDER);
    assert_int_equal(r.lost, 2);
    assert_int_equal(receive(&r, 4, 0, 1), RTP_LATE); /* twice */
}

static void a_reset_is_believed_at_the_second_packet(void **state)
{
    struct rtp_receiver r = {0};
    receive(&r, 1000, 0, 1);
    assert_int_equal(receive(&r, 40000, 90, 1), RTP_LATE);
    assert_int_equal(receive(&r, 40001, 180, 1), RTP_GAP);
    assert_int_equal(receive(&r, 40002, 180, 1), RTP_IN_ORDER);
    assert_int_equal(receive(&r, 39990, 180, 1), RTP_LATE); /* back by a little, and again */
    assert_int_equal(receive(&r, 39991, 270, 1), RTP_GAP);
    assert_int_equal(r.lost, 0);
    assert_int_equal(receive(&r, 5, 360, 2), RTP_GAP); /* a new source */
    assert_int_equal(receive(&r, 6, 360, 2), RTP_IN_ORDER);
}

static void time_unwraps(void **state)
{
    struct rtp_receiver r = {0};
    receive(&r, 0, 0xffffff00u, 1);
    assert_int_equal(r.time, 0);
    receive(&r, 1, 0x00000100u, 1);
    assert_int_equal(r.time, 0x200);
    receive(&r, 2, 0xffffff80u, 1);
    assert_int_equal(r.time, 0x80);
}

static void reports(void **state)
{
    struct rtp_receiver r = {0};
    uint8_t out[RTCP_REPORT_MAX];
    receive(&r, 1, 0, 0x01020304);
    receive(&r, 4, 0, 0x01020304);
    const uint8_t sr[] = {0x80, 200,  0, 6, 1, 2,  3, 4, 0xaa, 0xbb, 0xcc, 0xdd, 0x11, 0x22,
                          0x33, 0x44, 0, 0, 0, 77, 0, 0, 0,    1,    0,    0,    0,    1};
    bool bye;
    assert_int_equal(rtcp_receive(&r, sr, sizeof(sr), 1000000, &bye), 0);
    assert_false(bye);
    assert_int_equal(r.sr_timestamp, 77);
    size_t n = rtcp_report(&r, 0x0a0b0c0d, 1500000, out);
    assert_true(n <= sizeof(out) && n % 4 == 0);
    const uint8_t head[] = {0x81, 201, 0, 7, 0x0a, 0x0b, 0x0c, 0x0d, 1, 2, 3, 4};
    assert_memory_equal(out, head, sizeof(head));
    assert_int_equal(out[12], 2 * 256 / 3); /* two of three were lost since the start */
    const uint8_t rest[] = {0, 0, 2, 0, 1, 0, 4, 0, 0, 0, 0, 0xcc, 0xdd, 0x11, 0x22, 0, 0, 0x80, 0};
    assert_memory_equal(out + 13, rest, sizeof(rest)); /* lost, highest, jitter, LSR, half a second */
    assert_int_equal(out[33], 202);
    assert_int_equal(32 + 4 * (1 + ((size_t)out[34] << 8 | out[35])), n);

    const uint8_t gone[] = {0x81, 203, 0, 1, 1, 2, 3, 4};
    assert_int_equal(rtcp_receive(&r, gone, sizeof(gone), 0, &bye), 0);
    assert_true(bye);
    const uint8_t other[] = {0x81, 203, 0, 1, 9, 2, 3, 4};
    assert_int_equal(rtcp_receive(&r, other, sizeof(other), 0, &bye), 0);
    assert_false(bye);
    const uint8_t lying[] = {0x81, 203, 0, 9, 1, 2, 3, 4};
    assert_int_equal(rtcp_receive(&r, lying, sizeof(lying), 0, &bye), -EBADMSG);
}

static void jitter_is_measured(void **state)
{
    /* Every 40 ms by the camera's clock; arriving 10 ms early and late by turns: 20 ms from one to the next.
     */
    struct rtp_receiver r = {0};
    for (unsigned i = 0; i < 500; i++) {
        struct rtp_packet p = {.sequence = (uint16_t)i, .timestamp = 0xffff0000u + i * 3600};
        rtp_receive(&r, &p);
        rtp_arrived(&r, &p, 90000, 1000000000000 + (int64_t)i * 40000 + (i % 2 ? 10000 : -10000));
    }
    assert_in_range(rtp_jitter_us(&r, 90000), 19500, 20500);
    uint8_t report[RTCP_REPORT_MAX];
    rtcp_report(&r, 1, 0, report);
    assert_in_range((uint32_t)report[20] << 24 | (uint32_t)report[21] << 16 | (uint32_t)report[22] << 8 |
                        report[23],
                    1755, 1845);
    /* Even arrival lets it go; a jump of the camera's clock is none. */
    for (unsigned i = 500; i < 1000; i++) {
        struct rtp_packet p = {.sequence = (uint16_t)i, .timestamp = i * 3600 + (i >= 700 ? 1u << 30 : 0)};
        rtp_receive(&r, &p);
        rtp_arrived(&r, &p, 90000, 1000000000000 + (int64_t)i * 40000);
    }
    assert_in_range(rtp_jitter_us(&r, 90000), 0, 1000);
    assert_int_equal(rtp_jitter_us(&r, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(sequence_wraps_and_losses_are_counted),
        cmocka_unit_test(a_reset_is_believed_at_the_second_packet),
        cmocka_unit_test(time_unwraps),
        cmocka_unit_test(reports),
        cmocka_unit_test(jitter_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
