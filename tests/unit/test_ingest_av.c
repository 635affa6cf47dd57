/* av/: URLs, packets into access units, timestamps, and what of the library's log goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "av/av_log.h"
#include "av/media_url.h"
#include "av/units.h"
#include "source.h"

/* --- URLs --------------------------------------------------------------------- */

static void urls_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *kept, *host, *rest, *username, *password;
        unsigned port;
    } cases[] = {
        {"rtmp://h/live/cam", "rtmp://h/live/cam", "h", "/live/cam", NULL, NULL, 1935},
        {"RTMPS://H:1/x?k=v", "rtmps://H:1/x?k=v", "H", "/x?k=v", NULL, NULL, 1},
        {"http://u:p%40s@10.0.0.1", "http://10.0.0.1", "10.0.0.1", "", "u", "p@s", 80},
        {"https://[fd00::1]:8443/a.m3u8", "https://[fd00::1]:8443/a.m3u8", "fd00::1", "/a.m3u8", NULL, NULL,
         8443},
        {"http://h?x=1", "http://h?x=1", "h", "?x=1", NULL, NULL, 80},
        {"srt://h:9000?streamid=a&latency=200000", "srt://h:9000?streamid=a&latency=200000", "h",
         "?streamid=a&latency=200000", NULL, NULL, 9000},
        {"srt://h:9000/?mode=caller", "srt://h:9000/?mode=caller", "h", "/?mode=caller", NULL, NULL, 9000},
        {"rtsp://u@h/s", "rtsp://h/s", "h", "/s", "u", NULL, 554},
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(cases); i++) {
        struct media_url url;
        assert_int_equal(media_url_parse(cases[i].text, &url, NULL), 0);
        assert_string_equal(url.text, cases[i].kept);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.rest, cases[i].rest);
        assert_string_equal(url.username ? url.username : "(none)",
                            cases[i].username ? cases[i].username : "(none)");
        assert_string_equal(url.password ? url.password : "(none)",
                            cases[i].password ? cases[i].password : "(none)");
        assert_int_equal(url.port, cases[i].port);
        media_url_fini(&url);
    }
}

static void other_urls_are_refused_in_words(void **state)
{
    static const char *const bad[] = {
        "",
        "file:///etc/passwd",
        "concat:http://h/a|http://h/b",
        "crypto+http://h/a",
        "subfile,,start,0,end,1,,:/etc/passwd",
        "data:text/plain,x",
        "pipe:0",
        "udp://h:1",
        "http:/h",
        "http://",
        "http:///a",
        "http://h:0/",
        "http://h:65536/",
        "http://h:8x/",
        "http://h/a b",
        "http://h/a#b",
        "http://h/\r\nX: y",
        "http://h%00/",
        "http://[::1/",
        "http://[::1]x/",
        "http://u:secret%zz@h/",
        "http://u:secret%0a@h/",
        "srt://h",
        "srt://h:1/path",
        "srt://h:1?mode=listener",
        "srt://h:1?passphrase=secret1234",
        "srt://h:1?localaddr=10.0.0.1",
        "srt://h:1?latency=1&rcvbuf=999999999",
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++) {
        struct media_url url;
        struct se_err err = {0};
        if (media_url_parse(bad[i], &url, &err) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
        assert_true(err.text[0]);
        assert_null(strstr(err.text, "secret"));
    }
}

static void the_host_gives_way_to_an_address(void **state)
{
    struct media_url url;
    assert_int_equal(media_url_parse("rtsp://cam.example/s?x=1", &url, NULL), 0);
    char *text = media_url_at(&url, "10.0.0.1", "u@x", "p:/ä");
    assert_string_equal(text, "rtsp://u%40x:p%3A%2F%C3%A4@10.0.0.1:554/s?x=1");
    free(text);
    text = media_url_at(&url, "fd00::1", NULL, NULL);
    assert_string_equal(text, "rtsp://[fd00::1]:554/s?x=1");
    free(text);
    media_url_fini(&url);
}

static void each_scheme_has_its_engine(void **state)
{
    static const struct {
        const char *url, *name;
        enum stream_engine engine;
    } cases[] = {
        {"rtsp://h/s", "rtsp", ENGINE_AUTO},          {"rtsp://h/s", "libavformat", ENGINE_FFMPEG},
        {"RTMP://h/a/b", "libavformat", ENGINE_AUTO}, {"http://h/a.m3u8", "libavformat", ENGINE_AUTO},
        {"srt://h:1", "libavformat", ENGINE_FFMPEG},  {"file:///etc/passwd", NULL, ENGINE_FFMPEG},
        {"/etc/passwd", NULL, ENGINE_AUTO},           {"rtsps://h/s", NULL, ENGINE_FFMPEG},
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(cases); i++) {
        const struct source_ops *ops = NULL;
        struct se_err err = {0};
        int r = source_pick(cases[i].url, cases[i].engine, &ops, &err);
        assert_int_equal(r, cases[i].name ? 0 : -EINVAL);
        assert_string_equal(ops ? ops->name : "(none)", cases[i].name ? cases[i].name : "(none)");
        assert_true(r == 0 || err.text[0]);
    }
}

/* --- pictures ----------------------------------------------------------------- */

#define SPS  "\x67\x42\xc0\x0d\xd9\x01\x60\x96\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x50\xa9\x20"
#define PPS  "\x68\xcb\x83\xcb\x20"
#define CODE "\x00\x00\x00\x01"

static int take(struct video_units *units, const void *data, size_t size, bool *ret_new,
                struct access_unit **ret_unit)
{
    /* On the heap, to the byte: reading past it is seen. */
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    *ret_unit = NULL;
    int r = video_units_take(units, copy, size, ret_new, ret_unit);
    free(copy);
    return r;
}
#define TAKE(units, literal, new, unit) take(units, literal, sizeof(literal) - 1, new, unit)

static void annex_b_becomes_lengths(void **state)
{
    struct video_units units;
    struct access_unit *unit;
    bool new;
    video_units_init(&units, CODEC_H264);
    assert_int_equal(TAKE(&units, CODE "\x41\x9a\x01", &new, &unit), -EAGAIN); /* no keyframe yet */
    assert_int_equal(
        TAKE(&units, CODE "\x09\x10" CODE SPS CODE PPS "\x00\x00\x01\x06\x05\x01" CODE "\x65\x88\x11\x00\x00",
             &new, &unit),
        0);
    assert_true(new);
    assert_true(unit->keyframe);
    assert_int_equal(unit->data->size, 4 + 3 + 4 + 3);
    assert_memory_equal(unit->data->data, "\x00\x00\x00\x03\x06\x05\x01\x00\x00\x00\x03\x65\x88\x11", 14);
    assert_int_equal(units.params.width, 352);
    access_unit_unref(&unit);
    assert_int_equal(TAKE(&units, CODE "\x41\x9a\x01", &new, &unit), 0);
    assert_false(new);
    assert_false(unit->keyframe);
    access_unit_unref(&unit);
    /* The same sets again are no news; parameter sets alone are no picture. */
    assert_int_equal(TAKE(&units, CODE SPS CODE PPS CODE "\x65\x88", &new, &unit), 0);
    assert_false(new);
    access_unit_unref(&unit);
    assert_int_equal(TAKE(&units, CODE SPS, &new, &unit), -EAGAIN);
    assert_int_equal(TAKE(&units, "", &new, &unit), -EAGAIN);
    assert_int_equal(TAKE(&units, "\x00\x00\x01", &new, &unit), -EAGAIN);
}

static void lengths_stay_lengths(void **state)
{
    struct video_units units;
    struct access_unit *unit;
    bool new;
    static const char config[] =
        "\x01\x42\xc0\x0d\xfd\xe1\x00\x18" SPS "\x01\x00\x05" PPS; /* 2-byte lengths */
    video_units_init(&units, CODEC_H264);
    video_units_config(&units, (const uint8_t *)config, sizeof(config) - 1);
    assert_int_equal(TAKE(&units, "\x00\x03\x65\x88\x11", &new, &unit), 0);
    assert_true(new);
    assert_memory_equal(unit->data->data, "\x00\x00\x00\x03\x65\x88\x11", 7);
    access_unit_unref(&unit);
    assert_int_equal(TAKE(&units, "\x00\x04\x65\x88\x11", &new, &unit), -EBADMSG);
    assert_int_equal(TAKE(&units, "\x00", &new, &unit), -EBADMSG);
    for (size_t n = 0; n < sizeof(config) - 1; n++) { /* a record that is cut short does no harm */
        struct video_units cut;
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, config, n);
        video_units_init(&cut, CODEC_H264);
        video_units_config(&cut, copy, n);
        free(copy);
    }
}

/* --- sound -------------------------------------------------------------------- */

static void adts_tells_the_config_and_goes(void **state)
{
    struct audio_units units = {0};
    struct access_unit *unit = NULL;
    bool new;
    /* AAC LC, 48 kHz, stereo; 7 bytes of header and 3 of frame */
    static const uint8_t frame[] = {0xff, 0xf1, 0x4c, 0x80, 0x01, 0x5f, 0xfc, 0x21, 0x10, 0x05};
    assert_int_equal(audio_units_take(&units, frame + 7, 3, &new, &unit), -EAGAIN);
    assert_int_equal(audio_units_take(&units, frame, sizeof(frame), &new, &unit), 0);
    assert_true(new);
    assert_int_equal(units.params.sample_rate, 48000);
    assert_int_equal(units.params.channels, 2);
    assert_int_equal(unit->data->size, 3);
    access_unit_unref(&unit);
    assert_int_equal(audio_units_take(&units, frame + 7, 3, &new, &unit), 0); /* raw, once it is known */
    assert_false(new);
    access_unit_unref(&unit);
    assert_int_equal(audio_units_take(&units, frame, 7, &new, &unit), 0); /* a raw frame that looks alike */
    access_unit_unref(&unit);
}

/* --- time, log ---------------------------------------------------------------- */

static void time_runs_on_over_a_wrap(void **state)
{
    struct unwrap unwrap = {0};
    const int64_t round = INT64_C(1) << 33;
    assert_int_equal(unwrap_90k(&unwrap, round - 3000, 33), round - 3000);
    assert_int_equal(unwrap_90k(&unwrap, 600, 33), round + 600);
    assert_int_equal(unwrap_90k(&unwrap, round - 100, 33), round - 100); /* a straggler */
    assert_int_equal(unwrap_90k(&unwrap, 4200, 33), round + 4200);
    assert_int_equal(unwrap_90k(&unwrap, 0, 64), 0); /* clocks of many bits jump, they do not wrap */
}

static void urls_are_no_matter_for_a_log(void **state)
{
    char line[] = "Connection to tcp://10.0.0.1:1935?x=secret failed; 'rtsp://u:secret@h/s' a://b";
    av_log_redact(line);
    assert_string_equal(line, "Connection to URL failed; 'URL' URL");
    char plain[] = "Error : / number";
    av_log_redact(plain);
    assert_string_equal(plain, "Error : / number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(other_urls_are_refused_in_words),
        cmocka_unit_test(the_host_gives_way_to_an_address),
        cmocka_unit_test(each_scheme_has_its_engine),
        cmocka_unit_test(annex_b_becomes_lengths),
        cmocka_unit_test(lengths_stay_lengths),
        cmocka_unit_test(adts_tells_the_config_and_goes),
        cmocka_unit_test(time_runs_on_over_a_wrap),
        cmocka_unit_test(urls_are_no_matter_for_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
