/* Our fragmented MP4, written, read back, and watched by a player. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media_clip.h"
#include "mp4/mux.h"
#include "mp4/scan.h"

#define PATH "test_ingest_mp4.mp4"

/* A whole file of the clip: init, fragments of up to `per` frames, index. */
static struct se_buf *make_file(const struct clip *clip, unsigned per, int64_t lead)
{
    struct mp4_movie movie = {.video = {&clip->params}, .video_count = 1, .edit_media_90k = lead};
    struct se_buf *init = mp4_init_segment(&movie);
    struct mp4_index_entry index[64];
    unsigned entries = 0;
    struct mp4_writer w = {0};
    mp4_bytes(&w, init->data, init->size);
    for (unsigned i = 0; i < clip->count; i += per) {
        struct mp4_sample samples[CLIP_MAX];
        unsigned n = clip->count - i < per ? clip->count - i : per;
        for (unsigned k = 0; k < n; k++) {
            const struct access_unit *u = clip->units[i + k];
            samples[k] =
                (struct mp4_sample){(uint32_t)u->data->size, 3600,
                                    (int32_t)(u->pts_90k + lead - (int64_t)(i + k) * 3600), u->keyframe};
        }
        struct mp4_track_run run = {MP4_TRACK_VIDEO, 1, i * 3600, samples, n};
        if (samples[0].keyframe)
            index[entries++] = (struct mp4_index_entry){i * 3600 + (uint64_t)samples[0].cts_90k, w.len};
        mp4_fragment_header(&w, i + 1, &run, 1);
        for (unsigned k = 0; k < n; k++)
            mp4_bytes(&w, clip->units[i + k]->data->data, clip->units[i + k]->data->size);
    }
    mp4_mfra(&w, index, entries);
    se_buf_unref(&init);
    return mp4_take(&w);
}

static void plays(enum codec codec, int bframes, int64_t lead)
{
    struct clip clip;
    clip_make(&clip, codec, 320, 180, 50, 25, 25, bframes);
    struct se_buf *file = make_file(&clip, 25, lead);
    clip_save(PATH, file->data, file->size, "wb");
    struct seen seen = clip_watch(PATH);
    assert_int_equal(seen.packets, 50);
    assert_int_equal(seen.pictures, 50);
    assert_int_equal(seen.keyframes, 2);
    assert_int_equal(seen.errors, 0);
    assert_true(seen.ordered);
    assert_int_equal(seen.width, 320);
    assert_int_equal(seen.height, 180);
    assert_true(seen.first_s > -0.001 && seen.first_s < 0.001);
    assert_true(seen.last_s > 1.959 && seen.last_s < 1.961);
    remove(PATH);
    se_buf_unref(&file);
    clip_free(&clip);
}

static void h264_plays(void **state)
{
    plays(CODEC_H264, 0, 0);
}

static void h264_with_b_frames_plays(void **state)
{
    plays(CODEC_H264, 2, 2 * 3600);
}

static void h265_plays(void **state)
{
    plays(CODEC_H265, 0, 0);
}

static void reads_back_what_it_wrote(void **state)
{
    struct clip clip;
    struct mp4_init init;
    struct mp4_index index;
    clip_make(&clip, CODEC_H264, 320, 180, 50, 25, 25, 0);
    struct se_buf *file = make_file(&clip, 5, 0);
    struct mp4_input input = mp4_input_memory(file->data, file->size);
    assert_int_equal(mp4_read_init(&input, &init), 0);
    assert_int_equal(init.video.codec, CODEC_H264);
    assert_int_equal(init.video.width, 320);
    assert_int_equal(init.video.height, 180);
    assert_int_equal(init.video.config_size, clip.params.config_size);
    assert_memory_equal(init.video.config, clip.params.config, clip.params.config_size);
    assert_string_equal(init.video.mime, clip.params.mime);
    assert_int_equal(mp4_read_index(&input, &index), 0);
    assert_int_equal(index.count, 2);
    assert_int_equal(index.entries[1].time_90k, 25 * 3600);
    mp4_index_fini(&index);
    struct mp4_fragment f;
    uint64_t at = init.size;
    unsigned samples = 0;
    while (mp4_read_fragment(&input, at, true, &f) == 0) {
        const struct mp4_traf *video = mp4_fragment_track(&f, MP4_TRACK_VIDEO);
        assert_non_null(video);
        assert_int_equal(video->dts_90k, samples * 3600);
        for (unsigned i = 0; i < video->count; i++, samples++)
            assert_int_equal(video->samples[i].size, clip.units[samples]->data->size);
        assert_memory_equal(file->data + video->data_offset, clip.units[samples - video->count]->data->data,
                            video->samples[0].size);
        at = f.end;
        mp4_fragment_fini(&f);
    }
    assert_int_equal(samples, 50);
    se_buf_unref(&file);
    clip_free(&clip);
}

/* Cut anywhere, the walk ends at the last whole fragment and reads nothing outside. */
static void a_torn_file_ends_at_its_last_whole_fragment(void **state)
{
    struct clip clip;
    struct mp4_init init;
    clip_make(&clip, CODEC_H264, 64, 64, 20, 25, 5, 0);
    struct se_buf *file = make_file(&clip, 5, 0);
    struct mp4_input whole = mp4_input_memory(file->data, file->size);
    assert_int_equal(mp4_read_init(&whole, &init), 0);
    uint64_t last = 0;
    for (size_t cut = 0; cut <= file->size; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1); /* so that a read past the cut is seen */
        memcpy(copy, file->data, cut);
        struct mp4_input input = mp4_input_memory(copy, cut);
        struct mp4_init i;
        struct mp4_index index;
        int64_t end;
        int r = mp4_read_init(&input, &i);
        assert_int_equal(r, cut < init.size ? -EBADMSG : 0);
        if (r == 0) {
            assert_int_equal(mp4_walk(&input, i.size, &index, &end), 0);
            assert_true(index.data_end <= cut && index.data_end >= last);
            last = index.data_end;
            mp4_index_fini(&index);
        }
        free(copy);
    }
    assert_true(last > init.size && last < file->size);
    se_buf_unref(&file);
    clip_free(&clip);
}

static void audio_beside_video_plays(void **state)
{
    struct clip clip;
    clip_make(&clip, CODEC_H264, 64, 64, 25, 25, 25, 0);
    struct audio_params audio = {
        .codec = CODEC_AAC, .sample_rate = 48000, .channels = 2, .config = {0x11, 0x90}, .config_size = 2};
    struct mp4_movie movie = {.video = {&clip.params}, .video_count = 1, .audio = {&audio}, .audio_count = 1};
    struct se_buf *init = mp4_init_segment(&movie);
    struct mp4_sample video[25], sound[46];
    /* A silent stereo frame: two single-channel elements with nothing in them would need real coding;
     * any bytes do for what the container must carry. */
    uint8_t frame[8] = {0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c};
    for (unsigned i = 0; i < 25; i++)
        video[i] = (struct mp4_sample){(uint32_t)clip.units[i]->data->size, 3600, 0, i == 0};
    for (unsigned i = 0; i < 46; i++)
        sound[i] = (struct mp4_sample){6, 1920, 0, true};
    struct mp4_track_run runs[] = {{MP4_TRACK_VIDEO, 1, 0, video, 25}, {MP4_TRACK_AUDIO, 1, 0, sound, 46}};
    struct mp4_writer w = {0};
    mp4_bytes(&w, init->data, init->size);
    mp4_fragment_header(&w, 1, runs, 2);
    for (unsigned i = 0; i < 25; i++)
        mp4_bytes(&w, clip.units[i]->data->data, clip.units[i]->data->size);
    for (unsigned i = 0; i < 46; i++)
        mp4_bytes(&w, frame, 6);
    clip_save(PATH, w.data, w.len, "wb");
    struct seen seen = clip_watch(PATH);
    assert_int_equal(seen.pictures, 25);
    assert_int_equal(seen.errors, 0);
    AVFormatContext *format = NULL;
    assert_int_equal(avformat_open_input(&format, PATH, NULL, NULL), 0);
    int index = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    assert_true(index >= 0);
    assert_int_equal(format->streams[index]->codecpar->sample_rate, 48000);
    assert_int_equal(format->streams[index]->codecpar->codec_id, AV_CODEC_ID_AAC);
    unsigned packets = 0;
    AVPacket *packet = av_packet_alloc();
    while (av_read_frame(format, packet) >= 0) {
        if (packet->stream_index == index) {
            assert_int_equal(packet->size, 6);
            assert_memory_equal(packet->data, frame, 6);
            packets++;
        }
        av_packet_unref(packet);
    }
    assert_int_equal(packets, 46);
    av_packet_free(&packet);
    avformat_close_input(&format);
    remove(PATH);
    struct mp4_init back;
    struct mp4_input input = mp4_input_memory(w.data, w.len);
    assert_int_equal(mp4_read_init(&input, &back), 0);
    assert_int_equal(back.audio.codec, CODEC_AAC);
    assert_int_equal(back.audio.config_size, 2);
    assert_int_equal(back.audio.sample_rate, 48000);
    mp4_fini(&w);
    se_buf_unref(&init);
    clip_free(&clip);
}

static void what_mp4_cannot_carry_is_refused(void **state)
{
    struct video_params other = {.codec = CODEC_OTHER};
    struct mp4_movie movie = {.video = {&other}, .video_count = 1};
    assert_null(mp4_init_segment(&movie));
    struct audio_params g711 = {.codec = CODEC_OTHER, .sample_rate = 8000, .channels = 1};
    assert_false(mp4_audio_supported(&g711));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264_plays),
        cmocka_unit_test(h264_with_b_frames_plays),
        cmocka_unit_test(h265_plays),
        cmocka_unit_test(reads_back_what_it_wrote),
        cmocka_unit_test(a_torn_file_ends_at_its_last_whole_fragment),
        cmocka_unit_test(audio_beside_video_plays),
        cmocka_unit_test(what_mp4_cannot_carry_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
