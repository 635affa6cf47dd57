/* A camera's URL: its user info comes off, and its place is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cameras.h"

static void user_info_is_split_out(void **state)
{
    static const struct {
        const char *text, *url, *username, *password;
    } cases[] = {
        {"rtsp://10.0.0.1/s", "rtsp://10.0.0.1/s", NULL, NULL},
        {"rtsp://u@10.0.0.1/s", "rtsp://10.0.0.1/s", "u", NULL},
        {"rtsp://u:p@10.0.0.1:8554/s?x=1", "rtsp://10.0.0.1:8554/s?x=1", "u", "p"},
        {"rtsp://u:p%40%3A%2F%23%25@h/s", "rtsp://h/s", "u", "p@:/#%"},
        {"rtsp://u:p@q@h/s", "rtsp://h/s", "u", "p@q"},
        {"rtsp://u:@[fd00::1]:554/s", "rtsp://[fd00::1]:554/s", "u", ""},
        {"rtsp://h/a@b:c", "rtsp://h/a@b:c", NULL, NULL},
        {"rtsp://10.0.0.1:554/a@b", "rtsp://10.0.0.1:554/a@b", NULL, NULL},
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(cases); i++) {
        char *url = NULL, *username = NULL, *password = NULL;
        assert_int_equal(camera_url_split(cases[i].text, &url, &username, &password, NULL), 0);
        assert_string_equal(url, cases[i].url);
        assert_string_equal(username ? username : "(none)", cases[i].username ? cases[i].username : "(none)");
        assert_string_equal(password ? password : "(none)", cases[i].password ? cases[i].password : "(none)");
        free(url);
        free(username);
        free(password);
    }
}

static void nonsense_is_refused_in_words(void **state)
{
    static const char *const bad[] = {
        "",
        "camera",
        "//h/s",
        "rtsp://",
        "rtsp:///s",
        "rtsp://h /",
        "rtsp://h/\r\nX",
        "rtsp://u%zz@h",
        "rtsp://u%0d%0a@h",
        "rtsp://u:p%00@h",
        "rtsp://u%ff@h",
        "rtsp://u:secret#x@h/s",
        "rtsp://u:123/x@h/s",
        "rtsp://u:123?x@h/s",
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++) {
        char *url = NULL, *username = NULL, *password = NULL;
        struct se_err err = {0};
        if (camera_url_split(bad[i], &url, &username, &password, &err) != -EINVAL) {
            fail_msg("%s was taken", bad[i]);
        }
        assert_true(err.text[0]);
        assert_null(strstr(err.text, "secret"));
        assert_null(url);
    }
}

static void places(void **state)
{
    assert_true(camera_url_same_place("rtsp://h/a", "rtsp://H:554/b"));
    assert_true(camera_url_same_place("rtsp://[fd00::1]/a", "rtsp://[fd00::1]:554/a"));
    assert_false(camera_url_same_place("rtsp://h/a", "rtsp://h:8554/a"));
    assert_false(camera_url_same_place("rtsp://h/a", "rtsp://h2/a"));
    assert_false(camera_url_same_place("rtsp://h/a", "http://h/a"));
    assert_true(camera_url_same_place("rtmp://h/live/a", "rtmp://h:1935/live/b"));
    assert_true(camera_url_same_place("rtmps://h/a", "rtmps://h:443/a"));
    assert_true(camera_url_same_place("srt://h:9000?streamid=a", "srt://h:9000"));
    assert_false(camera_url_same_place("srt://h:9000", "srt://h:9001"));
    assert_false(camera_url_same_place(NULL, "rtsp://h/a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_info_is_split_out),
        cmocka_unit_test(nonsense_is_refused_in_words),
        cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
