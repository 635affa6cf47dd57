/* base/url.h: what is masked of a camera's URL, and what is left as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/url.h"

static void secrets_are_masked(void **state)
{
    static const struct {
        const char *url, *masked;
    } cases[] = {
        {"rtsp://h/s?user=a&password=b", "rtsp://h/s?user=a&password=***"},
        {"rtsp://h/s?password=b&user=a", "rtsp://h/s?password=***&user=a"},
        {"rtsp://h/s?usr=a&PWD=b;c/d?e=f&x=1", "rtsp://h/s?usr=a&PWD=***&x=1"},
        {"rtsp://h?loginuse=a&loginpas=b", "rtsp://h?loginuse=a&loginpas=***"},
        {"rtsp://h/s?u=a&p=b", "rtsp://h/s?u=a&p=***"},
        {"rtsp://h/s?%70assword=b", "rtsp://h/s?%70assword=***"},
        {"rtsp://h/s?api_key=b&channel=1", "rtsp://h/s?api_key=***&channel=1"},
        {"rtsp://h/s?access_token=b_c=d", "rtsp://h/s?access_token=***"},
        {"http://h/s.flv?secret=b#x", "http://h/s.flv?secret=***"},
        {"rtsp://h/s?authbasic=YTpi==&z", "rtsp://h/s?authbasic=***&z"},
        {"rtsp://h:554/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp?real_stream",
         "rtsp://h:554/user=admin_password=***_channel=1_stream=0.sdp?real_stream"},
        {"rtsp://h:554/user=admin&password=b&channel=1&stream=0.sdp?",
         "rtsp://h:554/user=admin&password=***&channel=1&stream=0.sdp?"},
        {"rtsp://h/pwd=a/pwd=b?pwd=c", "rtsp://h/pwd=***/pwd=***?pwd=***"},
        {"rtsp://h/s?password=***", "rtsp://h/s?password=***"},
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(cases); i++) {
        char *masked = NULL, *again = NULL;
        assert_int_equal(se_url_mask(cases[i].url, &masked), 1);
        assert_string_equal(masked, cases[i].masked);
        assert_true(se_url_is_masked(masked));
        assert_int_equal(se_url_mask(masked, &again), 1);
        assert_string_equal(again, masked);
        free(masked);
        free(again);
    }
}

static void the_rest_is_left_alone(void **state)
{
    static const char *const urls[] = {
        "rtsp://h/s",
        "rtsp://h",
        "",
        "rtsp://h/cam/realmonitor?channel=1&subtype=0",
        "rtsp://h/Streaming/Channels/101?transportmode=unicast&profile=Profile_1",
        "rtsp://h/user=admin_password=_channel=1_stream=0.sdp",
        "rtsp://h/s?password=&user=a",
        "rtsp://h/passage/key?x",
        "rtsp://h/s?***",
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(urls); i++) {
        char *masked = NULL;
        assert_int_equal(se_url_mask(urls[i], &masked), 0);
        assert_null(masked);
        assert_false(se_url_is_masked(urls[i]));
    }
    assert_false(se_url_is_masked("rtsp://h/s?password=b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(the_rest_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
