/* Cutting samples into segments, and the playlist of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "hls/playlist.h"

#define SECOND 90000
#define MOST   64

struct cutter {
    struct hls_segmenter segmenter;
    struct hls_segment *segments[MOST];
    unsigned count;
    int64_t now; /* of the next frame */
    struct se_buf *data, *audio;
};

static void done(struct hls_segment *segment, void *ctx)
{
    struct cutter *c = ctx;
    assert_true(c->count < MOST);
    c->segments[c->count++] = segment;
}

static const struct audio_params aac = {
    .codec = CODEC_AAC, .sample_rate = 48000, .channels = 1, .config = {0x11, 0x88}, .config_size = 2};

static void format(struct cutter *c, unsigned width, bool audio)
{
    struct video_params video = {
        .codec = CODEC_H264, .width = width, .height = 64, .config = {1}, .config_size = 23};
    assert_int_equal(hls_segmenter_format(&c->segmenter, &video, audio ? &aac : NULL), 0);
}

static struct cutter *cutter_new(bool audio)
{
    struct cutter *c = calloc(1, sizeof(*c));
    hls_segmenter_init(&c->segmenter, 100, 7, done, c);
    c->data = se_buf_new(1000);
    memset(c->data->data, 5, 1000);
    c->audio = se_buf_new(50);
    memset(c->audio->data, 6, 50);
    c->now = 100 * SECOND;
    format(c, 64, audio);
    return c;
}

static void cutter_free(struct cutter *c)
{
    hls_segmenter_fini(&c->segmenter);
    for (unsigned i = 0; i < c->count; i++)
        hls_segment_unref(&c->segments[i]);
    se_buf_unref(&c->data);
    se_buf_unref(&c->audio);
    free(c);
}

static void frame(struct cutter *c, bool keyframe, int64_t lasts)
{
    struct media_sample sample = {
        .data = c->data, .dts_90k = c->now, .pts_90k = c->now, .keyframe = keyframe};
    hls_segmenter_video(&c->segmenter, &sample);
    c->now += lasts;
}

/* Frames of 25 a second, a keyframe every `group` of them. */
static void frames(struct cutter *c, unsigned count, unsigned group)
{
    for (unsigned i = 0; i < count; i++)
        frame(c, i % group == 0, 3600);
}

static void sound(struct cutter *c, int64_t at)
{
    struct media_sample sample = {.data = c->audio, .dts_90k = at, .pts_90k = at};
    hls_segmenter_audio(&c->segmenter, &sample);
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The segment as it goes out is whole boxes, moof and mdat in turn; how many bytes of media it holds. */
static size_t media_bytes(const struct hls_segment *segment)
{
    uint8_t *all = malloc(segment->bytes);
    size_t len = 0, media = 0;
    for (unsigned i = 0; i < segment->count; i++) {
        memcpy(all + len, segment->pieces[i]->data, segment->pieces[i]->size);
        len += segment->pieces[i]->size;
    }
    assert_int_equal(len, segment->bytes);
    for (size_t at = 0, n = 0; at < len; n++) {
        uint32_t size = u32(all + at);
        assert_true(size >= 8 && size <= len - at);
        assert_memory_equal(all + at + 4, n % 2 ? "mdat" : "moof", 4);
        media += n % 2 ? size - 8 : 0;
        at += size;
    }
    free(all);
    return media;
}

/* Without a break the segments follow each other, and hold every frame. */
static void check_sequence(const struct cutter *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        const struct hls_segment *s = c->segments[i];
        assert_int_equal(s->number, 100 + i);
        assert_true(s->duration_90k > 0 && s->duration_90k <= HLS_LONGEST_90K);
        if (i && !s->discontinuity)
            assert_int_equal(s->start_90k, c->segments[i - 1]->start_90k + c->segments[i - 1]->duration_90k);
    }
}

static void segments_end_at_keyframes(void **state)
{
    struct cutter *c = cutter_new(false);
    frames(c, 50 * 10 + 1, 50);
    assert_int_equal(c->count, 10);
    check_sequence(c);
    for (unsigned i = 0; i < c->count; i++) {
        assert_true(c->segments[i]->independent);
        assert_int_equal(c->segments[i]->duration_90k, 2 * SECOND);
        assert_int_equal(media_bytes(c->segments[i]), 50 * 1000);
        assert_false(c->segments[i]->discontinuity);
        assert_ptr_equal(c->segments[i]->init, c->segments[0]->init);
    }
    /* no copy of media: the pieces are the samples themselves */
    assert_ptr_equal(c->segments[0]->pieces[1], c->data);
    cutter_free(c);
}

static void short_groups_are_put_together(void **state)
{
    struct cutter *c = cutter_new(false);
    frames(c, 25 * 20 + 1, 25);
    check_sequence(c);
    assert_true(c->count >= 10 && c->count <= 12);
    assert_int_equal(c->segments[0]->duration_90k, SECOND); /* the first are short */
    assert_int_equal(c->segments[8]->duration_90k, 2 * SECOND);
    cutter_free(c);
}

static void long_groups_are_cut_within(void **state)
{
    struct cutter *c = cutter_new(false);
    frames(c, 250 * 3, 250);
    check_sequence(c);
    unsigned independent = 0;
    for (unsigned i = 0; i < c->count; i++)
        independent += c->segments[i]->independent;
    assert_int_equal(independent, 3);
    assert_true(c->segments[0]->independent && !c->segments[1]->independent);
    cutter_free(c);
}

static void the_first_one_is_what_is_there(void **state)
{
    struct cutter *c = cutter_new(false);
    hls_segmenter_cut(&c->segmenter);
    assert_int_equal(c->count, 0);
    frame(c, true, 3600);
    hls_segmenter_cut(&c->segmenter);
    assert_int_equal(c->count, 0); /* nobody knows yet how long it lasts */
    frame(c, false, 3600);
    hls_segmenter_cut(&c->segmenter);
    assert_int_equal(c->count, 1);
    assert_true(c->segments[0]->independent);
    assert_int_equal(c->segments[0]->duration_90k, 3600);
    frames(c, 1, 2); /* a keyframe: independence is back at once */
    assert_int_equal(c->count, 2);
    assert_false(c->segments[1]->independent);
    check_sequence(c);
    cutter_free(c);
}

static void slow_and_irregular_frames(void **state)
{
    struct cutter *c = cutter_new(false);
    for (unsigned i = 0; i < 20; i++)
        frame(c, true, 3 * SECOND); /* a frame every three seconds */
    assert_int_equal(c->count, 19);
    for (unsigned i = 0; i < 20; i++)
        frame(c, i % 5 == 0, i % 2 ? 2 * SECOND : 3600);
    check_sequence(c);
    cutter_free(c);
}

static void a_gap_or_a_loss_is_a_discontinuity(void **state)
{
    struct cutter *c = cutter_new(false);
    frames(c, 75, 50);
    c->now += 20 * SECOND; /* the camera stood still; what follows needs a keyframe */
    for (unsigned i = 0; i < 10; i++)
        frame(c, false, 3600);
    frames(c, 101, 50);
    assert_true(c->count >= 4);
    assert_int_equal(c->segments[1]->duration_90k, 25 * 3600);
    assert_true(c->segments[2]->discontinuity);
    assert_int_equal(c->segments[2]->discontinuities, 8);
    assert_true(c->segments[2]->independent);
    unsigned before = c->count;
    hls_segmenter_break(&c->segmenter);
    frames(c, 101, 50);
    assert_true(c->segments[before + 1]->discontinuity || c->segments[before]->discontinuity);
    check_sequence(c);
    cutter_free(c);
}

static void another_format_is_another_init(void **state)
{
    struct cutter *c = cutter_new(false);
    frames(c, 51, 50);
    format(c, 128, false);
    frames(c, 51, 50);
    assert_int_equal(c->count, 3);
    assert_int_equal(c->segments[0]->init_number, 100);
    assert_int_equal(c->segments[1]->init_number, 100);
    assert_int_equal(c->segments[2]->init_number, 102);
    assert_ptr_not_equal(c->segments[2]->init, c->segments[0]->init);
    assert_true(c->segments[2]->discontinuity);
    cutter_free(c);
}

static void audio_goes_along_and_its_gaps_are_filled(void **state)
{
    struct cutter *c = cutter_new(true);
    int64_t began = c->now, at;
    frames(c, 40, 50);
    hls_segmenter_cut(&c->segmenter); /* before the first sound came */
    assert_int_equal(c->count, 1);
    /* a silent frame of 4 bytes for each 1024 samples of 48 kHz */
    unsigned silent = (unsigned)((39 * 3600) / 1920);
    assert_int_equal(media_bytes(c->segments[0]), 39 * 1000 + silent * 4);
    at = began + 39 * 3600 + 700;
    for (unsigned i = 0; i < 400; i++) {
        for (; at < c->now; at += 1920)
            if (i < 100 || i > 160) /* nothing for two seconds and more */
                sound(c, at);
        frame(c, (i + 40) % 50 == 0, 3600);
    }
    size_t media = 0, frames_in = 0;
    for (unsigned i = 0; i < c->count; i++) {
        media += media_bytes(c->segments[i]);
        frames_in += (size_t)(c->segments[i]->duration_90k / 3600);
    }
    size_t sounds = media - frames_in * 1000;
    assert_true(sounds > 300 * 1920 / 1920 * 50 / 2); /* most are real ones */
    check_sequence(c);
    cutter_free(c);
}

static void nothing_grows_without_end(void **state)
{
    struct cutter *c = cutter_new(true);
    frame(c, true, 3600);
    for (unsigned i = 0; i < 100000; i++)
        sound(c, c->now + i * 1920); /* sound, and no picture any more */
    assert_true(c->segmenter.audio.count <= HLS_FRAGMENT_COUNT);
    se_buf_unref(&c->data);
    c->data = se_buf_new(8u << 20); /* enormous frames: the segment ends early */
    memset(c->data->data, 5, 4096);
    for (unsigned i = 0; i < 20; i++)
        frame(c, false, 360);
    assert_true(c->count >= 3);
    for (unsigned i = 0; i < c->count; i++)
        assert_true(c->segments[i]->bytes <= HLS_SEGMENT_BYTES + (1u << 20));
    cutter_free(c);
}

static void the_playlist_is_as_rfc_8216_says(void **state)
{
    struct cutter *c = cutter_new(false);
    struct se_str text = {0};
    c->segmenter.wall_at_0_ms = 1795334400000 - 100000;
    frames(c, 51, 50);
    format(c, 128, false);
    frames(c, 51, 50);
    hls_playlist_write(&text, c->segments, 3, "main/", "tkt_x");
    assert_string_equal(text.data, "#EXTM3U\n"
                                   "#EXT-X-VERSION:7\n"
                                   "#EXT-X-TARGETDURATION:4\n"
                                   "#EXT-X-MEDIA-SEQUENCE:100\n"
                                   "#EXT-X-DISCONTINUITY-SEQUENCE:7\n"
                                   "#EXT-X-MAP:URI=\"main/100.mp4?ticket=tkt_x\"\n"
                                   "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T08:00:00.000Z\n"
                                   "#EXTINF:2.000,\n"
                                   "main/100.m4s?ticket=tkt_x\n"
                                   "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T08:00:02.000Z\n"
                                   "#EXTINF:0.040,\n"
                                   "main/101.m4s?ticket=tkt_x\n"
                                   "#EXT-X-DISCONTINUITY\n"
                                   "#EXT-X-MAP:URI=\"main/102.mp4?ticket=tkt_x\"\n"
                                   "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T08:00:02.040Z\n"
                                   "#EXTINF:2.000,\n"
                                   "main/102.m4s?ticket=tkt_x\n");
    text.len = 0;
    hls_playlist_write(&text, c->segments + 2, 1, "", NULL);
    /* What left the list is counted, what is in it is not. */
    assert_non_null(strstr(text.data, "#EXT-X-DISCONTINUITY-SEQUENCE:7\n#EXT-X-DISCONTINUITY\n"));
    assert_non_null(strstr(text.data, "\n102.m4s\n"));
    se_str_fini(&text);
    cutter_free(c);
}

static void names_of_parts(void **state)
{
    uint64_t number = 0;
    bool init = false;
    assert_int_equal(hls_part_parse("17.m4s", &number, &init), 0);
    assert_true(number == 17 && !init);
    assert_int_equal(hls_part_parse("123456789012345678.mp4", &number, &init), 0);
    assert_true(number == 123456789012345678 && init);
    static const char *const bad[] = {"",       ".m4s",    "17",     "17.m4sx", "x17.m4s",
                                      "-1.m4s", "1.5.mp4", "17.M4S", "1 .mp4",  "1234567890123456789.mp4"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(bad); i++)
        assert_int_equal(hls_part_parse(bad[i], &number, &init), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_end_at_keyframes),
        cmocka_unit_test(short_groups_are_put_together),
        cmocka_unit_test(long_groups_are_cut_within),
        cmocka_unit_test(the_first_one_is_what_is_there),
        cmocka_unit_test(slow_and_irregular_frames),
        cmocka_unit_test(a_gap_or_a_loss_is_a_discontinuity),
        cmocka_unit_test(another_format_is_another_init),
        cmocka_unit_test(audio_goes_along_and_its_gaps_are_filled),
        cmocka_unit_test(nothing_grows_without_end),
        cmocka_unit_test(the_playlist_is_as_rfc_8216_says),
        cmocka_unit_test(names_of_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
