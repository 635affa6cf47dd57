/* What the simulated camera cuts apart, the gateway's depacketizers must put together again, byte for byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packetize.h"
#include "rtsp/depay.h"

static const uint8_t h264_sps[] = {0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x06, 0x7e, 0x78, 0x40, 0x00,
                                   0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x07, 0x83, 0xc5, 0x0a, 0xa8};
static const uint8_t h264_pps[] = {0x68, 0xce, 0x1f, 0x20};
static const uint8_t h265_vps[] = {0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00,
                                   0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0xba, 0x02, 0x40};
static const uint8_t h265_sps[] = {0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90,
                                   0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0xa0, 0x0a,
                                   0x08, 0x0c, 0x1f, 0x3e, 0x5b, 0xa4, 0xa4, 0xc2, 0xe6, 0x80,
                                   0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x07, 0x84};
static const uint8_t h265_pps[] = {0x44, 0x01, 0xc0, 0x73, 0xc0, 0x89};

#define SLICES_MAX 8

/* What comes out at the other end. */
struct taken {
    unsigned units, params;
    struct se_buf *last;
    bool keyframe;
};

static void take_params(void *ctx, const struct video_params *params)
{
    struct taken *taken = ctx;

    taken->params++;
    assert_true(params->config_size > 0);
    assert_int_equal(params->width, 320);
    assert_int_equal(params->height, 180);
}

static void take_unit(void *ctx, struct access_unit *unit)
{
    struct taken *taken = ctx;

    taken->units++;
    taken->keyframe = unit->keyframe;
    se_buf_unref(&taken->last);
    taken->last = se_buf_ref(unit->data);
}

/* A slice of that size: a header that says "first slice of a picture" or not, then anything. */
static uint8_t *make_slice(bool h265, bool key, bool first, size_t size)
{
    uint8_t *nal = malloc(size);
    size_t header = h265 ? 2 : 1;

    assert_non_null(nal);
    for (size_t i = 0; i < size; i++)
        nal[i] = (uint8_t)(i * 37 + size);
    if (h265) {
        nal[0] = (uint8_t)((key ? 19 : 1) << 1);
        nal[1] = 1;
    } else {
        nal[0] = key ? 0x65 : 0x41;
    }
    if (size > header)
        nal[header] = first ? 0x88 : 0x08;
    return nal;
}

/* Through the RTP header and back, as one stream; no packet may be larger than allowed. */
static void send_all(struct video_depay *depay, const struct packet_list *list, uint32_t from,
                     uint32_t timestamp)
{
    for (uint32_t i = from; i < list->count; i++) {
        uint8_t wire[RTP_HEADER_SIZE + PACKET_PAYLOAD_MAX];
        const struct packet_range *range = &list->items[i];
        struct rtp_packet packet;

        assert_in_range(range->size, 1, PACKET_PAYLOAD_MAX);
        assert_int_equal(range->marker, i + 1 == list->count); /* on the last one of a unit, and only there */
        rtp_header_write(wire, 96, range->marker, (uint16_t)(65530 + i), timestamp, 0xcafe0001);
        memcpy(wire + RTP_HEADER_SIZE, list->bytes + range->offset, range->size);
        assert_int_equal(rtp_parse(wire, RTP_HEADER_SIZE + range->size, &packet), 0);
        assert_int_equal(packet.payload_type, 96);
        assert_int_equal(packet.sequence, (uint16_t)(65530 + i));
        assert_int_equal(packet.timestamp, timestamp);
        assert_int_equal(packet.ssrc, 0xcafe0001);
        video_depay_packet(depay, &packet, false, timestamp, 1);
    }
}

/* The unit as access_unit.h describes it: each slice behind its length. */
static void expect_unit(const struct taken *taken, const struct nal *slices, unsigned count)
{
    size_t at = 0;

    assert_non_null(taken->last);
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *data = taken->last->data + at;

        assert_true(at + 4 + slices[i].size <= taken->last->size);
        assert_int_equal((size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3],
                         slices[i].size);
        assert_memory_equal(data + 4, slices[i].data, slices[i].size);
        at += 4 + slices[i].size;
    }
    assert_int_equal(taken->last->size, at);
}

/* A keyframe with its parameter sets, then a frame without, of slices of these sizes. */
static void round_trip(bool h265, bool aggregate, const size_t *sizes, unsigned count)
{
    struct packet_list list = {0};
    struct taken taken = {0};
    struct depay_sink sink = {.video = take_params, .unit = take_unit, .ctx = &taken};
    struct video_depay depay;
    int (*packetize)(struct packet_list *, const struct nal *, unsigned, bool) =
        h265 ? packetize_h265 : packetize_h264;

    video_depay_init(&depay, h265 ? CODEC_H265 : CODEC_H264, 90000, &sink);
    for (int key = 1; key >= 0; key--) {
        struct nal nals[3 + SLICES_MAX];
        unsigned sets = 0, from = list.count;

        if (key && h265)
            nals[sets++] = (struct nal){h265_vps, sizeof(h265_vps)};
        if (key) {
            nals[sets++] =
                h265 ? (struct nal){h265_sps, sizeof(h265_sps)} : (struct nal){h264_sps, sizeof(h264_sps)};
            nals[sets++] =
                h265 ? (struct nal){h265_pps, sizeof(h265_pps)} : (struct nal){h264_pps, sizeof(h264_pps)};
        }
        for (unsigned i = 0; i < count; i++)
            nals[sets + i] = (struct nal){make_slice(h265, key, i == 0, sizes[i]), sizes[i]};
        assert_int_equal(packetize(&list, nals, sets + count, aggregate), 0);
        send_all(&depay, &list, from, key ? 1000 : 4600);
        assert_int_equal(taken.units, key ? 1 : 2);
        assert_int_equal(taken.keyframe, key);
        expect_unit(&taken, nals + sets, count);
        for (unsigned i = 0; i < count; i++)
            free((void *)(uintptr_t)nals[sets + i].data);
    }
    assert_int_equal(taken.params, 1);
    assert_int_equal(depay.stats.damaged, 0);
    video_depay_fini(&depay);
    se_buf_unref(&taken.last);
    packet_list_fini(&list);
}

static void every_size(bool h265, bool aggregate)
{
    static const size_t edges[] = {4,    100,  1385, 1396, 1397, 1398,  1399,
                                   1400, 1401, 1402, 2797, 2800, 60000, 300000};
    static const size_t slices[] = {700, 300, 1400, 9000, 20, 20, 20, 1401};

    for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
        round_trip(h265, aggregate, &edges[i], 1);
    round_trip(h265, aggregate, slices, SLICES_MAX);
}

static void test_h264(void **state)
{
    every_size(false, false);
}

static void test_h264_aggregated(void **state)
{
    every_size(false, true);
}

static void test_h265(void **state)
{
    every_size(true, false);
}

static void test_h265_aggregated(void **state)
{
    every_size(true, true);
}

/* The small NAL units go together: one packet for the sets and the slice. */
static void test_aggregation_is_one_packet(void **state)
{
    struct packet_list list = {0};
    uint8_t *slice = make_slice(false, true, true, 200);
    struct nal nals[] = {{h264_sps, sizeof(h264_sps)}, {h264_pps, sizeof(h264_pps)}, {slice, 200}};

    assert_int_equal(packetize_h264(&list, nals, 3, true), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.bytes[0] & 0x1f, 24);
    packet_list_fini(&list);
    assert_int_equal(packetize_h264(&list, nals, 3, false), 0);
    assert_int_equal(list.count, 3);
    packet_list_fini(&list);
    free(slice);
}

static void test_aac(void **state)
{
    static const size_t sizes[] = {1, 371, 1395, 1396, 1397, 2792, 2793, 8191};
    static const struct aac_format format = {.size_bits = 13, .index_bits = 3, .delta_bits = 3};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct packet_list list = {0};
        struct taken taken = {0};
        struct depay_sink sink = {.video = take_params, .unit = take_unit, .ctx = &taken};
        struct aac_depay depay;
        uint8_t *frame = make_slice(false, false, false, sizes[i]);

        aac_depay_init(&depay, &format, 32000, &sink);
        assert_int_equal(packetize_aac(&list, frame, sizes[i]), 0);
        for (uint32_t p = 0; p < list.count; p++) {
            const struct packet_range *range = &list.items[p];
            struct rtp_packet packet = {
                .marker = range->marker, .payload = list.bytes + range->offset, .size = range->size};

            assert_in_range(range->size, 5, PACKET_PAYLOAD_MAX);
            aac_depay_packet(&depay, &packet, false, 32000, 1);
        }
        assert_int_equal(taken.units, 1);
        assert_int_equal(taken.last->size, sizes[i]);
        assert_memory_equal(taken.last->data, frame, sizes[i]);
        aac_depay_fini(&depay);
        se_buf_unref(&taken.last);
        packet_list_fini(&list);
        free(frame);
    }
}

static void test_refusals(void **state)
{
    static const uint8_t bytes[8192] = {0x65};
    struct packet_list list = {0};
    struct nal header_only = {bytes, 1}, h265_header_only = {bytes, 2};

    assert_int_equal(packetize_h264(&list, NULL, 0, false), -EINVAL);
    assert_int_equal(packetize_h264(&list, &header_only, 1, false), -EINVAL);
    assert_int_equal(packetize_h265(&list, &h265_header_only, 1, true), -EINVAL);
    assert_int_equal(packetize_aac(&list, bytes, 0), -EINVAL);
    assert_int_equal(packetize_aac(&list, bytes, 8192), -EINVAL);
    assert_int_equal(list.count, 0);
    packet_list_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h264),
        cmocka_unit_test(test_h264_aggregated),
        cmocka_unit_test(test_h265),
        cmocka_unit_test(test_h265_aggregated),
        cmocka_unit_test(test_aggregation_is_one_packet),
        cmocka_unit_test(test_aac),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
