/* base/log.h: the shape of a line, the limit per place, and that no secret passes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "base_metrics.h"

/* Collects what is written to stderr between capture() and captured(). */
static int saved_stderr, pipe_end;
static char got[65536];

static void capture(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    pipe_end = fds[0];
}

static const char *captured(void)
{
    size_t len = 0;
    ssize_t n;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    while ((n = read(pipe_end, got + len, sizeof(got) - 1 - len)) > 0)
        len += (size_t)n;
    close(pipe_end);
    got[len] = '\0';
    return got;
}

static int lines(const char *text)
{
    int n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

static void a_line_has_time_level_subject(void **state)
{
    const char *line;
    char time[SE_TIME_LEN];
    se_wall_ms ms;

    capture();
    se_warn("rtsp", "camera lost camera=%s after_ms=%d", "c1", 12);
    line = captured();
    assert_int_equal(lines(line), 1);
    snprintf(time, sizeof(time), "%s", line);
    assert_int_equal(se_time_parse(time, &ms), 0);
    assert_string_equal(line + 24, " warn rtsp camera lost camera=c1 after_ms=12\n");
}

static void levels_filter(void **state)
{
    enum se_log_level level = SE_LOG_WARN;
    const char *text;

    assert_int_equal(se_log_level_parse("loud", &level), -EINVAL);
    assert_int_equal(se_log_level_parse(NULL, &level), -EINVAL);
    assert_int_equal(level, SE_LOG_WARN);
    assert_int_equal(se_log_level_parse("error", &level), 0);
    se_log_set_level(level);
    capture();
    se_error("x", "one");
    se_warn("x", "two");
    se_log_set_level(SE_LOG_DEBUG);
    se_debug("x", "three");
    se_log_set_level(SE_LOG_INFO);
    se_debug("x", "four");
    text = captured();
    assert_int_equal(lines(text), 2);
    assert_non_null(strstr(text, "one"));
    assert_non_null(strstr(text, "three"));
}

static void foreign_text_stays_on_its_line(void **state)
{
    const char *text;

    capture();
    se_info("x", "name=\"%s\"", "a\nb\r\tc\x1b[31m\x7f\xff\xc2\x9b咸宁 é");
    text = captured();
    assert_int_equal(lines(text), 1);
    assert_non_null(strstr(text, "name=\"a\\nb\\r\\tc\\x1b[31m\\x7f\\xff\\xc2\\x9b咸宁 é\"\n"));
}

static void long_messages_are_cut(void **state)
{
    char big[5000], spaced[5000], control[2000];
    const char *text;

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    for (size_t i = 0; i < sizeof(spaced) - 1; i++)
        spaced[i] = i % 100 == 99 ? ' ' : 'y';
    spaced[sizeof(spaced) - 1] = '\0';
    memset(control, 1, sizeof(control) - 1); /* grows fourfold */
    control[sizeof(control) - 1] = '\0';

    capture();
    se_info("x", "url=rtsp://user:canary%s@host/", big);
    se_info("x", "%s", spaced);
    se_info("x", "%s", control);
    text = captured();
    assert_int_equal(lines(text), 3);
    assert_null(strstr(text, "canary"));
    assert_non_null(strstr(text, "cut=1\n"));
    for (const char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1)
        assert_true(end + 1 - at <= 4096); /* PIPE_BUF: whole lines from many threads */
}

static void one_place_cannot_flood(void **state)
{
    struct se_log_limit limit = {0};
    int64_t counted = base_metrics[BASE_METRIC_LOG_LEFT_OUT].value;
    const char *text;

    capture();
    for (int i = 0; i < 1000; i++)
        se_log_write(&limit, SE_LOG_INFO, "x", "line=%d", i);
    text = captured();
    assert_int_equal(lines(text), 10);
    assert_null(strstr(text, "left_out"));
    assert_int_equal(base_metrics[BASE_METRIC_LOG_LEFT_OUT].value, counted + 990);

    /* ten seconds on, one more gets through, and says what was missed */
    atomic_fetch_sub(&limit.window_us, 10 * SE_US_PER_S);
    capture();
    for (int i = 0; i < 5; i++)
        se_log_write(&limit, SE_LOG_INFO, "x", "later=%d", i);
    text = captured();
    assert_int_equal(lines(text), 1);
    assert_non_null(strstr(text, "later=0 left_out=990\n"));

    /* after a long silence the burst is whole again, and not more */
    atomic_fetch_sub(&limit.window_us, 100000 * SE_US_PER_S);
    capture();
    for (int i = 0; i < 50; i++)
        se_log_write(&limit, SE_LOG_INFO, "x", "again=%d", i);
    assert_int_equal(lines(captured()), 10);
}

static void redacts(const char *in, const char *out)
{
    char line[512];

    snprintf(line, sizeof(line), "%s", in);
    se_log_redact(line);
    assert_string_equal(line, out);
}

static void secrets_are_masked(void **state)
{
    redacts("login password=hunter2 user=li", "login password=*** user=li");
    redacts("login Password=\"a b\\\" c\" user=li", "login Password=\"***\" user=li");
    redacts("{\"password\":\"hunter2\",\"user\":\"li\"}", "{\"password\":\"***\",\"user\":\"li\"}");
    redacts("{\"password\": \"x\\\\\", \"user\":\"li\"}", "{\"password\": \"***\", \"user\":\"li\"}");
    redacts("body=\"{\\\"token\\\":\\\"abcdef\\\",\\\"n\\\":1}\"",
            "body=\"{\\\"token\\\":\\\"***\\\",\\\"n\\\":1}\"");
    redacts("token=ab", "token=**");
    redacts("token=", "token=");
    redacts("api_token=abcdef", "api_token=***");
    redacts("stream-password: abcdef x", "stream-password: *** x");
    redacts("GET /live/c1/main.mp4?ticket=abcdef&from=1 status=200",
            "GET /live/c1/main.mp4?ticket=***&from=1 status=200");
    redacts("GET /x?a=1&ticket=abcdef\" done", "GET /x?a=1&ticket=***\" done");
    redacts("Authorization: Digest username=\"li\", response=\"0f\"", "Authorization: ***");
    redacts("Proxy-Authorization: Basic bGk6eA==", "Proxy-Authorization: ***");
    redacts("Cookie: se=abcdef; x=1", "Cookie: ***");
    redacts("sent Bearer abcdefghijklmnopqrst here", "sent Bearer *** here");
    redacts("a bearer token is missing", "a bearer token is missing");
    redacts("key=0123456789 x=1", "key=*** x=1");
    redacts("client_secret='abc def' x=1", "client_secret='***' x=1");
    redacts("url=rtsp://admin:p@ss/w:rd@10.0.0.1:554/h264 x=1", "url=rtsp://***@10.0.0.1:554/h264 x=1");
    redacts("url=\"rtsp://admin:secret@cam/1\" then rtsp://u:p2345@h/2",
            "url=\"rtsp://***@cam/1\" then rtsp://***@h/2");
    redacts("rtsp://u:p@h/live?token=abcdef&x=1", "rtsp://***@h/live?token=***&x=1");
    redacts("password=\"never closed", "password=\"***");
    redacts("password=[\"a\",\"b\"] x=1", "password=*** x=1");
    redacts("password", "password");
    redacts("password=", "password=");
    redacts("", "");
}

static void what_is_no_secret_stays(void **state)
{
    static const char *const same[] = {
        "keyframe=1 keyframes=2 monkey=3",       "password_file=/etc/x token_id=0192f0c1",
        "url=rtsp://10.0.0.1:554/h264 mail=a@b", "token expired user=li",
        "camera connected camera=c1 took_ms=12", "wrong password for user=li",
    };

    for (size_t i = 0; i < SE_ARRAY_LEN(same); i++)
        redacts(same[i], same[i]);
}

static void a_written_line_is_redacted(void **state)
{
    const char *text;

    capture();
    se_info("x", "url=%s password=%s", "rtsp://admin:canary@h/", "can\nary");
    text = captured();
    assert_non_null(strstr(text, "url=rtsp://***@h/ password=***\n"));
    assert_null(strstr(text, "ary"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_subject),  cmocka_unit_test(levels_filter),
        cmocka_unit_test(foreign_text_stays_on_its_line), cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(one_place_cannot_flood),         cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(what_is_no_secret_stays),        cmocka_unit_test(a_written_line_is_redacted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
