/* A recorded range as one MP4, as a player sees it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media_clip.h"
#include "media_volume.h"
#include "record/find.h"
#include "record/playback.h"

#define CAMERA "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"
#define PATH   "test_ingest_playback.mp4"
#define FRAME  0.04

static struct clip clip, other, reordered;
static struct place place;
static struct recorder *recorder;
static se_wall_ms begin_ms; /* of the recording */
static se_mono_us begin_us;

static void start(unsigned frames)
{
    place_init(&place, NULL);
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    begin_us = se_mono_now_us() - frames * 40000LL;
    begin_ms = (begin_us + se_wall_now_us() - se_mono_now_us()) / 1000;
}

static void record(const struct clip *from_clip, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        unsigned k = (i - from) % from_clip->count;
        int64_t pts = from * 3600 + (i - from) / from_clip->count * from_clip->count * 3600 +
                      from_clip->units[k]->pts_90k;
        struct access_unit *unit = clip_at(from_clip, k, pts, begin_us + i * 40000LL);
        recorder_push(recorder, unit);
        access_unit_unref(&unit);
    }
}

static void finish(void)
{
    recorder_free(recorder);
    place_restart(&place);
}

/* Reads the range in odd pieces into PATH, and checks the promise of its size. */
static struct seen play(double from_s, double to_s)
{
    struct playback *playback;
    struct se_err err = {0};
    int r = playback_plan(place.volumes, CAMERA, begin_ms + (int64_t)(from_s * 1000),
                          begin_ms + (int64_t)(to_s * 1000), &playback, &err);
    if (r < 0) {
        print_message("%s\n", err.text);
        fail();
    }
    int64_t size = playback_size(playback), at = 0;
    uint8_t *whole = malloc((size_t)size + 1);
    long n;
    unsigned step = 1;
    while ((n = playback_read(playback, at, whole + at, step)) > 0) {
        at += n;
        step = step * 7 % 40009 + 1;
        if (at + step > size)
            step = (unsigned)(size - at + 1);
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, size);
    /* Any part, from anywhere, is the same bytes: what a Range asks for. */
    uint8_t part[1000];
    for (int64_t offset = size - 500; offset >= 0; offset -= size / 50 + 1) {
        n = playback_read(playback, offset, part, sizeof(part));
        assert_true(n == (size - offset < 1000 ? size - offset : 1000));
        assert_memory_equal(part, whole + offset, (size_t)n);
    }
    clip_save(PATH, whole, (size_t)size, "wb");
    free(whole);
    playback_free(playback);
    struct seen seen = clip_watch(PATH);
    remove(PATH);
    assert_int_equal(seen.errors, 0);
    assert_true(seen.ordered);
    assert_true(seen.track_s > 0); /* a browser shows no length without it */
    return seen;
}

static void assert_near(double value, double expected, double by)
{
    if (value < expected - by || value > expected + by) {
        print_message("%f is not near %f\n", value, expected);
        fail();
    }
}

static void all_of_it_across_files(void **state)
{
    start(250);
    recorder_video(recorder, &clip.params);
    record(&clip, 0, 250);
    finish();
    assert_int_equal(place_files(&place), 5);
    struct seen seen = play(-1, 11);
    assert_int_equal(seen.pictures, 250);
    assert_near(seen.first_s, 1, 0.01); /* a second before the first frame keeps its time */
    assert_near(seen.last_s, 1 + 10 - FRAME, 0.01);
    assert_near(seen.duration_s, 11, FRAME);
    place_fini(&place);
}

static void from_and_to_within_a_group(void **state)
{
    start(250);
    recorder_video(recorder, &clip.params);
    record(&clip, 0, 250);
    finish();
    struct seen seen = play(3.5, 7.3);
    /* Sent from the keyframe before, presented from `from` on; ends at `to`. */
    assert_near(seen.first_s, 0, FRAME);
    assert_near(seen.last_s, 3.8 - FRAME, FRAME + 0.001);
    assert_near(seen.duration_s, 3.8, 0.002);
    assert_near(seen.pictures, 95, 1);
    assert_true(seen.packets >= 107); /* half a second more to decode */
    /* Within one fragment. */
    seen = play(5.5, 5.7);
    assert_near(seen.duration_s, 0.2, FRAME);
    seen = play(5.5, 5.6);
    assert_true(seen.pictures >= 1);
    place_fini(&place);
}

static void gaps_keep_their_time(void **state)
{
    start(500);
    recorder_video(recorder, &clip.params);
    record(&clip, 0, 50);
    recorder_cut(recorder, "offline");
    record(&clip, 250, 300);
    finish();
    struct seen seen = play(0, 12);
    assert_int_equal(seen.pictures, 100);
    assert_near(seen.last_s, 12 - FRAME, 0.02);
    assert_near(seen.duration_s, 12, FRAME);
    struct playback *playback;
    struct se_err err = {0};
    assert_int_equal(playback_plan(place.volumes, CAMERA, begin_ms + 4000, begin_ms + 8000, &playback, &err),
                     -ENOENT);
    assert_int_equal(playback_plan(place.volumes, "nobody", begin_ms, begin_ms + 8000, &playback, &err),
                     -ENOENT);
    assert_int_equal(playback_plan(place.volumes, CAMERA, begin_ms, begin_ms, &playback, &err), -EINVAL);
    place_fini(&place);
}

static void both_halves_of_a_change_play(void **state)
{
    start(200);
    recorder_video(recorder, &clip.params);
    record(&clip, 0, 100);
    recorder_video(recorder, &other.params);
    record(&other, 100, 200);
    finish();
    struct seen seen = play(1, 8);
    assert_int_equal(seen.sizes, 1);
    assert_int_equal(seen.width, 160);
    assert_int_equal(seen.pictures, 175);
    assert_near(seen.duration_s, 7, FRAME);
    place_fini(&place);
}

static void reordered_frames_stay_in_time(void **state)
{
    start(200);
    recorder_video(recorder, &reordered.params);
    record(&reordered, 0, 200);
    finish();
    struct seen seen = play(0, 8);
    assert_near(seen.last_s - seen.first_s, 8 - FRAME, 0.1);
    assert_near(seen.duration_s, 8, 0.1);
    place_fini(&place);
}

static void sound_comes_along(void **state)
{
    struct audio_params audio = {
        .codec = CODEC_AAC, .sample_rate = 48000, .channels = 2, .config = {0x11, 0x90}, .config_size = 2};
    static const uint8_t frame[6] = {0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c};
    struct se_buf *bytes = se_buf_copy(frame, sizeof(frame));
    start(250);
    recorder_video(recorder, &clip.params);
    recorder_audio(recorder, &audio);
    unsigned sound = 0;
    for (unsigned i = 0; i < 250; i++) {
        record(&clip, 0, 0);
        struct access_unit *unit = clip_at(&clip, i % clip.count, i * 3600, begin_us + i * 40000LL);
        recorder_push(recorder, unit);
        access_unit_unref(&unit);
        for (; sound * 1920 < (i + 1) * 3600; sound++) {
            unit = access_unit_new(CODEC_AAC, se_buf_ref(bytes));
            unit->pts_90k = 555555 + sound * 1920;
            unit->arrived_us = begin_us + sound * 1920 * 100LL / 9;
            recorder_push(recorder, unit);
            access_unit_unref(&unit);
        }
    }
    finish();
    struct playback *playback;
    struct se_err err = {0};
    assert_int_equal(playback_plan(place.volumes, CAMERA, begin_ms + 3500, begin_ms + 7300, &playback, &err),
                     0);
    size_t size = (size_t)playback_size(playback);
    uint8_t *whole = malloc(size);
    assert_int_equal(playback_read(playback, 0, whole, size), size);
    clip_save(PATH, whole, size, "wb");
    free(whole);
    playback_free(playback);
    AVFormatContext *format = NULL;
    assert_int_equal(avformat_open_input(&format, PATH, NULL, NULL), 0);
    int index = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    assert_true(index >= 0);
    AVPacket *packet = av_packet_alloc();
    int64_t first = INT64_MAX, last = INT64_MIN;
    unsigned packets = 0;
    while (av_read_frame(format, packet) >= 0) {
        if (packet->stream_index == index && !(packet->flags & AV_PKT_FLAG_DISCARD)) {
            assert_memory_equal(packet->data, frame, sizeof(frame));
            assert_true(packet->pts > last);
            first = packet->pts < first ? packet->pts : first;
            last = packet->pts;
            packets++;
        }
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&format);
    remove(PATH);
    assert_near((double)first / 90000, 0, 0.1);
    assert_near((double)last / 90000, 3.8, 0.1);
    assert_near(packets, 3.8 * 48000 / 1024, 4);
    se_buf_unref(&bytes);
    place_fini(&place);
}

static void what_is_being_written_plays(void **state)
{
    start(200);
    recorder_video(recorder, &clip.params);
    record(&clip, 0, 200);
    struct found_list list = {0};
    for (int i = 0; i < 500; i++) { /* until the writer has got so far */
        found_list_fini(&list);
        assert_int_equal(find_segments(place.volumes, CAMERA, begin_ms + 6100, begin_ms + 9000, &list), 0);
        if (list.count && list.items[list.count - 1].end_ms >= begin_ms + 6900)
            break;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    assert_true(list.count && list.items[list.count - 1].open);
    found_list_fini(&list);
    struct seen seen = play(6.1, 9);
    assert_true(seen.pictures >= 20);
    assert_near(seen.first_s, 0, FRAME);
    finish();
    place_fini(&place);
}

static void an_hour_that_came_twice_plays_twice(void **state)
{
    start(100);
    recorder_video(recorder, &clip.params);
    record(&clip, 0, 100);
    recorder_free(recorder);
    /* The clock was set back: the same four seconds come again. */
    volumes_set_last(place.volumes, CAMERA, se_wall_now_ms() + 3600000, 0);
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    record(&clip, 0, 100);
    finish();
    struct seen seen = play(-0.5, 4.5);
    assert_int_equal(seen.pictures, 200);
    place_fini(&place);
}

static int setup(void **state)
{
    clip_make(&clip, CODEC_H264, 320, 180, 100, 25, 25, 0);
    clip_make(&other, CODEC_H264, 160, 90, 100, 25, 25, 0);
    clip_make(&reordered, CODEC_H264, 320, 180, 100, 25, 50, 2);
    return 0;
}

static int teardown(void **state)
{
    clip_free(&clip);
    clip_free(&other);
    clip_free(&reordered);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_across_files),
        cmocka_unit_test(from_and_to_within_a_group),
        cmocka_unit_test(gaps_keep_their_time),
        cmocka_unit_test(both_halves_of_a_change_play),
        cmocka_unit_test(reordered_frames_stay_in_time),
        cmocka_unit_test(sound_comes_along),
        cmocka_unit_test(what_is_being_written_plays),
        cmocka_unit_test(an_hour_that_came_twice_plays_twice),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
