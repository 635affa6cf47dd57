/* rtsp/packetize.h: what goes into packets comes out of our own depacketizers byte for byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "depay_check.h"
#include "rtsp/describe.h"
#include "rtsp/packetize.h"

#define H264_SPS                                                                                             \
    "\x67\x42\xc0\x0c\xd9\x01\x60\x96\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\x50\x3c\x50\xa9\x20"
#define H264_PPS "\x68\xcb\x83\xcb\x20"
#define H265_VPS                                                                                             \
    "\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x78\x95\x98\x09"
#define H265_SPS                                                                                             \
    "\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x78\xa0\x03\xc0\x80\x10\xe5\x96"   \
    "\x56\x69\x24\xca\xf0\x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0f\x04"
#define H265_PPS "\x44\x01\xc1\x72\xb4\x62\x40"

static struct kept kept;

struct unit {
    uint8_t *data;
    size_t size;
};

static void add_nal(struct unit *unit, const void *nal, size_t size)
{
    unit->data = realloc(unit->data, unit->size + 4 + size);
    for (unsigned i = 0; i < 4; i++)
        unit->data[unit->size + i] = (uint8_t)(size >> (24 - 8 * i));
    memcpy(unit->data + unit->size + 4, nal, size);
    unit->size += 4 + size;
}

/* A NAL unit of that size with a header and bytes that differ. */
static void add_made(struct unit *unit, const uint8_t *header, size_t header_size, size_t size)
{
    uint8_t *nal = malloc(size);
    for (size_t i = 0; i < size; i++)
        nal[i] = i < header_size ? header[i] : (uint8_t)(0x80 | (i * 7 + i / 251));
    add_nal(unit, nal, size);
    free(nal);
}

static struct se_buf *take(struct unit *unit)
{
    struct se_buf *buf = se_buf_copy(unit->data, unit->size);
    free(unit->data);
    *unit = (struct unit){0};
    return buf;
}

/* Every packet is framed for the connection, of a datagram's size, in sequence; only the last has the marker.
 */
static void assert_framed(const struct packets *packets, const struct rtp_track *track, uint16_t first,
                          uint32_t timestamp)
{
    size_t at = 0;
    for (unsigned i = 0; i < packets->count; i++) {
        size_t size;
        const uint8_t *p = packets_get(packets, i, &size);
        struct rtp_packet rtp;
        assert_int_equal(packets->at[i], at);
        assert_ptr_equal(p, packets->bytes + at + INTERLEAVED_FRAME);
        assert_int_equal(packets->bytes[at], '$');
        assert_int_equal(packets->bytes[at + 1], track->channel);
        assert_int_equal(packets->bytes[at + 2] << 8 | packets->bytes[at + 3], size);
        assert_true(size <= RTP_HEADER + RTP_PAYLOAD_MAX);
        assert_int_equal(rtp_parse(p, size, &rtp), 0);
        assert_int_equal(rtp.sequence, (uint16_t)(first + i));
        assert_int_equal(rtp.timestamp, timestamp);
        assert_int_equal(rtp.ssrc, track->ssrc);
        assert_int_equal(rtp.payload_type, track->payload_type);
        assert_int_equal(rtp.marker, i + 1 == packets->count);
        at += INTERLEAVED_FRAME + size;
    }
    assert_int_equal(at, packets->size);
    assert_int_equal(track->sequence, (uint16_t)(first + packets->count));
}

static void through(struct video_depay *depay, const struct packets *packets, int64_t time)
{
    for (unsigned i = 0; i < packets->count; i++) {
        size_t size;
        const uint8_t *p = packets_get(packets, i, &size);
        struct rtp_packet rtp;
        uint8_t *copy = malloc(size);
        memcpy(copy, p, size);
        assert_int_equal(rtp_parse(copy, size, &rtp), 0);
        video_depay_packet(depay, &rtp, false, time, 1);
        free(copy);
    }
}

static const size_t sizes[] = {3,    5,    100,  700,  1380, 1394, 1395, 1396, 1397, 1398,
                               1399, 1400, 1401, 1402, 2796, 2797, 2798, 4200, 70000};

static void round_trip(enum codec codec, const uint8_t *key, const uint8_t *other, size_t header)
{
    struct rtp_track track = {.payload_type = 96, .channel = 2, .sequence = 65530, .ssrc = 0x12345678};
    struct depay_sink sink = kept_sink(&kept);
    struct video_depay depay;
    struct unit unit = {0};
    video_depay_init(&depay, codec, 90000, &sink);
    if (codec == CODEC_H264) {
        add_nal(&unit, BYTES(H264_SPS));
        add_nal(&unit, BYTES(H264_PPS));
    } else {
        add_nal(&unit, BYTES(H265_VPS));
        add_nal(&unit, BYTES(H265_SPS));
        add_nal(&unit, BYTES(H265_PPS));
    }
    struct se_buf *sets = take(&unit);
    for (unsigned a = 0; a < sizeof(sizes) / sizeof(*sizes); a++) {
        for (unsigned b = 0; b < sizeof(sizes) / sizeof(*sizes); b++) {
            struct packets *packets = NULL;
            uint16_t first = track.sequence;
            int64_t time = 3600 * (1 + a * 100 + b);
            add_made(&unit, b ? other : key, header, sizes[a]);
            add_made(&unit, b ? other : key, header, sizes[b]);
            struct se_buf *buf = take(&unit);
            buf->data[4 + header] |= 0x80;                /* first slice of its picture … */
            buf->data[4 + sizes[a] + 4 + header] &= 0x7f; /* … and another of the same */
            assert_int_equal(packetize_video(codec, b ? NULL : sets, buf, &track, (uint32_t)time, &packets),
                             0);
            assert_framed(packets, &track, first, (uint32_t)time);
            through(&depay, packets, time);
            packets_unref(&packets);
            assert_int_equal(kept.count, 1);
            assert_int_equal(kept.units[0]->keyframe, b == 0);
            assert_int_equal(kept.units[0]->data->size, buf->size);
            assert_memory_equal(kept.units[0]->data->data, buf->data, buf->size);
            kept_clear(&kept);
            se_buf_unref(&buf);
        }
    }
    assert_int_equal(kept.videos, 1);
    assert_int_equal(depay.stats.damaged, 0);
    se_buf_unref(&sets);
    video_depay_fini(&depay);
}

static void h264_comes_out_as_it_went_in(void **state)
{
    round_trip(CODEC_H264, (const uint8_t[]){0x65}, (const uint8_t[]){0x41}, 1);
}

static void h265_comes_out_as_it_went_in(void **state)
{
    round_trip(CODEC_H265, (const uint8_t[]){0x26, 0x01}, (const uint8_t[]){0x02, 0x01}, 2);
}

static void small_units_go_together(void **state)
{
    struct rtp_track track = {.payload_type = 96};
    struct packets *packets;
    struct unit unit = {0};
    add_nal(&unit, BYTES(H264_SPS));
    add_nal(&unit, BYTES(H264_PPS));
    add_nal(&unit, BYTES("\x65\x88\x11"));
    struct se_buf *buf = take(&unit);
    assert_int_equal(packetize_video(CODEC_H264, NULL, buf, &track, 0, &packets), 0);
    assert_int_equal(packets->count, 1);
    assert_int_equal(packets->bytes[INTERLEAVED_FRAME + RTP_HEADER], 0x60 | 24); /* the highest NRI */
    packets_unref(&packets);
    se_buf_unref(&buf);
    for (unsigned i = 0; i < 100; i++)
        add_nal(&unit, BYTES("\x65\x88\x11"));
    buf = take(&unit);
    assert_int_equal(packetize_video(CODEC_H264, NULL, buf, &track, 0, &packets), 0);
    assert_int_equal(packets->count, 4); /* 32 at most in one */
    packets_unref(&packets);
    se_buf_unref(&buf);
}

static void what_is_no_unit_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{BYTES("")},
               {BYTES("\0\0\0")},
               {BYTES("\0\0\0\4\x65\x88\x11")},
               {BYTES("\0\0\0\0")},
               {BYTES("\xff\xff\xff\xff\x65")},
               {BYTES("\0\0\0\1\x65")}};
    struct rtp_track track = {.sequence = 7};
    struct packets *packets = NULL;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct se_buf *buf = se_buf_copy(bad[i].bytes, bad[i].size);
        assert_int_equal(packetize_video(CODEC_H264, NULL, buf, &track, 0, &packets), -EBADMSG);
        assert_null(packets);
        assert_int_equal(track.sequence, 7);
        se_buf_unref(&buf);
    }
    struct se_buf *frame = se_buf_new(8192);
    assert_int_equal(packetize_aac(frame, &track, 0, &packets), -EBADMSG);
    se_buf_unref(&frame);
    frame = se_buf_new(0);
    assert_int_equal(packetize_aac(frame, &track, 0, &packets), -EBADMSG);
    se_buf_unref(&frame);
}

static void aac_comes_out_as_it_went_in(void **state)
{
    static const size_t frames[] = {1, 200, 1395, 1396, 1397, 2792, 2793, 8191};
    struct rtp_track track = {.payload_type = 97, .channel = 2, .ssrc = 5};
    struct depay_sink sink = kept_sink(&kept);
    struct aac_format format = {13, 3, 3};
    struct aac_depay depay;
    aac_depay_init(&depay, &format, 16000, &sink);
    for (unsigned i = 0; i < sizeof(frames) / sizeof(*frames); i++) {
        struct packets *packets;
        uint16_t first = track.sequence;
        struct se_buf *frame = se_buf_new(frames[i]);
        for (size_t k = 0; k < frame->size; k++)
            frame->data[k] = (uint8_t)(k * 13 + i);
        assert_int_equal(packetize_aac(frame, &track, 16000 * i, &packets), 0);
        assert_framed(packets, &track, first, 16000 * i);
        for (unsigned k = 0; k < packets->count; k++) {
            size_t size;
            const uint8_t *p = packets_get(packets, k, &size);
            struct rtp_packet rtp;
            assert_int_equal(rtp_parse(p, size, &rtp), 0);
            aac_depay_packet(&depay, &rtp, false, 16000 * i, 1);
        }
        packets_unref(&packets);
        assert_int_equal(kept.count, 1);
        assert_unit(&kept, 0, 90000 * i, true, frame->data, frame->size);
        kept_clear(&kept);
        se_buf_unref(&frame);
    }
    aac_depay_fini(&depay);
}

static void reports_have_the_second_channel(void **state)
{
    struct rtp_track track = {.channel = 2, .sequence = 9};
    struct packets *packets;
    size_t size;
    assert_int_equal(packetize_rtcp((const uint8_t *)"abcdefgh", 8, &track, &packets), 0);
    assert_memory_equal(packets->bytes, "$\3\0\10abcdefgh", 12);
    assert_memory_equal(packets_get(packets, 0, &size), "abcdefgh", 8);
    assert_int_equal(size, 8);
    assert_int_equal(track.sequence, 9);
    packets_unref(&packets);
}

/* What we describe, our own client understands. */
static void the_description_is_understood(void **state)
{
    struct unit unit = {0};
    struct video_params video = {.codec = CODEC_H265, .config = {1, 0x21}, .fps = 25};
    struct audio_params audio = {
        .codec = CODEC_AAC, .sample_rate = 16000, .channels = 1, .config = {0x14, 0x08}, .config_size = 2};
    add_nal(&unit, BYTES(H265_VPS));
    add_nal(&unit, BYTES(H265_SPS));
    add_nal(&unit, BYTES(H265_PPS));
    struct se_buf *sets = take(&unit);
    struct description d = {
        .video = &video, .audio = &audio, .sets = sets, .base = "rtsp://h/c", .query = "?ticket=t"};
    struct se_str text = {0};
    describe(&d, &text);
    struct sdp sdp;
    struct parameter_sets found = {.codec = CODEC_H265};
    struct video_params built;
    struct audio_params heard;
    struct aac_format format;
    assert_int_equal(sdp_parse(text.data, text.len, &sdp), 0);
    assert_int_equal(sdp.media_count, 2);
    assert_true(text_is(sdp.control, "rtsp://h/c?ticket=t"));
    assert_true(text_is(sdp.media[0].control, "rtsp://h/c/trackID=0?ticket=t"));
    assert_int_equal(sdp.media[0].codec, CODEC_H265);
    sdp_parameter_sets(&sdp.media[0], &found);
    assert_int_equal(parameter_sets_build(&found, &built), 0);
    assert_int_equal(built.width, 1920);
    assert_int_equal(sdp_aac(&sdp.media[1], &format, &heard), 0);
    assert_int_equal(heard.sample_rate, 16000);
    assert_int_equal(format.size_bits, 13);
    se_str_fini(&text);
    se_buf_unref(&sets);

    video.codec = CODEC_H264;
    add_nal(&unit, BYTES(H264_SPS));
    add_nal(&unit, BYTES(H264_PPS));
    sets = take(&unit);
    d = (struct description){.video = &video, .sets = sets, .query = ""};
    describe(&d, &text);
    found = (struct parameter_sets){.codec = CODEC_H264};
    assert_int_equal(sdp_parse(text.data, text.len, &sdp), 0);
    assert_int_equal(sdp.media_count, 1);
    assert_true(text_is(sdp.media[0].control, "trackID=0"));
    sdp_parameter_sets(&sdp.media[0], &found);
    assert_int_equal(parameter_sets_build(&found, &built), 0);
    assert_int_equal(built.width, 352);
    se_str_fini(&text);
    se_buf_unref(&sets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264_comes_out_as_it_went_in),  cmocka_unit_test(h265_comes_out_as_it_went_in),
        cmocka_unit_test(small_units_go_together),       cmocka_unit_test(what_is_no_unit_is_refused),
        cmocka_unit_test(aac_comes_out_as_it_went_in),   cmocka_unit_test(reports_have_the_second_channel),
        cmocka_unit_test(the_description_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
