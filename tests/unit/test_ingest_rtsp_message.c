/* rtsp/rtsp_message.h, rtsp/rtsp_url.h, rtsp/interleaved.h */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/rtsp_message.h"
#include "rtsp/interleaved.h"
#include "rtsp/rtsp_url.h"

static long parse(const char *text, char *buffer, size_t size, struct rtsp_message *message)
{
    size_t n = strlen(text);
    assert_true(n < size);
    memcpy(buffer, text, n);
    return rtsp_message_parse((uint8_t *)buffer, n, message);
}

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.n, strlen(expected));
    assert_memory_equal(text.p, expected, text.n);
}

static void an_answer_is_read_however_it_is_written(void **state)
{
    char buffer[1024];
    struct rtsp_message m;
    const char *text =
        "RTSP/1.0  200   Fine, thanks\ncseq : 7 \nSESSION:  abc;timeout=20\r\nX-Long: one\r\n two\n"
        "\tthree\nnonsense without colon\nContent-length: 4\n\nbody$rest";
    long n = parse(text, buffer, sizeof(buffer), &m);
    assert_int_equal(n, strlen(text) - 5);
    assert_false(m.request);
    assert_int_equal(m.status, 200);
    assert_text(m.reason, "Fine, thanks");
    assert_text(rtsp_header(&m, "CSeq"), "7");
    assert_text(rtsp_header(&m, "Session"), "abc;timeout=20");
    assert_text(m.body, "body");
    struct text folded = rtsp_header(&m, "x-long");
    assert_null(memchr(folded.p, '\n', folded.n));
    assert_null(memchr(folded.p, '\r', folded.n));
    assert_text((struct text){folded.p + folded.n - 5, 5}, "three");
    assert_null(rtsp_header(&m, "nonsense").p);
}

static void a_request_of_the_camera_is_read(void **state)
{
    char buffer[256];
    struct rtsp_message m;
    assert_true(parse("GET_PARAMETER rtsp://h/a RTSP/1.0\r\nCSeq: 3\r\n\r\n", buffer, sizeof(buffer), &m) >
                0);
    assert_true(m.request);
    assert_text(m.method, "GET_PARAMETER");
    assert_text(m.url, "rtsp://h/a");
}

static void every_prefix_asks_for_more(void **state)
{
    const char *text = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\nabc";
    char buffer[128];
    struct rtsp_message m;
    for (size_t n = 0; n < strlen(text); n++) {
        memcpy(buffer, text, n);
        assert_int_equal(rtsp_message_parse((uint8_t *)buffer, n, &m), 0);
    }
    assert_int_equal(parse(text, buffer, sizeof(buffer), &m), strlen(text));
}

static void lies_and_excess_are_refused(void **state)
{
    char buffer[256];
    struct rtsp_message m;
    assert_int_equal(parse("RTSP/1.0 abc\r\n\r\n", buffer, sizeof(buffer), &m), -EBADMSG);
    assert_int_equal(parse("HTTP/1.1 400 Bad\r\n\r\n", buffer, sizeof(buffer), &m), -EPROTONOSUPPORT);
    assert_int_equal(parse("RTSP/1.0 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", buffer,
                           sizeof(buffer), &m),
                     -EBADMSG);
    assert_int_equal(parse("RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", buffer, sizeof(buffer), &m),
                     -EBADMSG);
    assert_int_equal(
        parse("RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", buffer, sizeof(buffer), &m),
        -EBADMSG);
    assert_int_equal(parse("RTSP/1.0 200 OK\r\nContent-Length: 131073\r\n\r\n", buffer, sizeof(buffer), &m),
                     -EMSGSIZE);

    char *large = malloc(RTSP_HEAD_MAX + 16);
    memset(large, 'a', RTSP_HEAD_MAX + 16);
    memcpy(large, "RTSP/1.0 200 OK\r\nX: ", 20);
    assert_int_equal(rtsp_message_parse((uint8_t *)large, RTSP_HEAD_MAX - 1, &m), 0);
    assert_int_equal(rtsp_message_parse((uint8_t *)large, RTSP_HEAD_MAX + 16, &m), -EMSGSIZE);
    free(large);

    char many[1024] = "RTSP/1.0 200 OK\r\n";
    for (unsigned i = 0; i <= RTSP_HEADERS_MAX; i++)
        memcpy(many + strlen(many), "A: b\r\n", 7);
    memcpy(many + strlen(many), "\r\n", 3);
    assert_int_equal(rtsp_message_parse((uint8_t *)many, strlen(many), &m), -EMSGSIZE);
}

static void sessions(void **state)
{
    struct text id;
    unsigned timeout;
    assert_true(rtsp_session_parse(TEXT(" 12345678 ; Timeout = 20"), &id, &timeout));
    assert_text(id, "12345678");
    assert_int_equal(timeout, 20);
    assert_true(rtsp_session_parse(TEXT("a;timeout=0"), &id, &timeout));
    assert_int_equal(timeout, 60);
    assert_false(rtsp_session_parse(TEXT(";timeout=20"), &id, &timeout));
    assert_true(rtsp_public_has(TEXT("OPTIONS, get_parameter,PLAY"), "GET_PARAMETER"));
    assert_false(rtsp_public_has(TEXT("OPTIONS, SET_PARAMETER"), "GET_PARAMETER"));
}

static void transports(void **state)
{
    struct rtsp_transport t;
    assert_true(rtsp_transport_parse(TEXT("RTP/AVP/TCP;unicast;ssrc=12;interleaved=4-5;mode=play"), &t));
    assert_int_equal(t.way, RTSP_INTERLEAVED);
    assert_true(t.has_channels);
    assert_int_equal(t.channel_rtp, 4);
    assert_int_equal(t.channel_rtcp, 5);
    assert_true(rtsp_transport_parse(TEXT("rtp/avp/tcp;interleaved=8"), &t));
    assert_int_equal(t.channel_rtcp, 9);
    assert_true(rtsp_transport_parse(TEXT("RTP/AVP/TCP;unicast"), &t)); /* Genetec, old gortsplib */
    assert_int_equal(t.way, RTSP_INTERLEAVED);
    assert_false(t.has_channels);
    assert_true(rtsp_transport_parse(TEXT("RTP/AVP;unicast; interleaved = 0 - 1"), &t)); /* TCP left out */
    assert_int_equal(t.way, RTSP_INTERLEAVED);
    assert_false(rtsp_transport_parse(TEXT("RTP/AVP/TCP;interleaved=300-301"), &t));
    assert_false(rtsp_transport_parse(TEXT("RTP/AVP/TCP;interleaved=255"), &t));

    assert_true(rtsp_transport_parse(
        TEXT("RTP/AVP/UDP;source=10.0.0.9;unicast;server_port=6970-6971;ssrc=1;client_port=5000-5001"), &t));
    assert_int_equal(t.way, RTSP_UNICAST);
    assert_int_equal(t.client_port[1], 5001);
    assert_int_equal(t.server_port[0], 6970);
    assert_int_equal(t.server_port[1], 6971);
    assert_text(t.source, "10.0.0.9");
    assert_true(rtsp_transport_parse(TEXT("RTP/AVP ; server_port=7000 ; source=\"fd00::1\""), &t));
    assert_int_equal(t.server_port[1], 7001);
    assert_text(t.source, "fd00::1");
    assert_true(rtsp_transport_parse(TEXT("RTP/AVP;unicast;server_port=99999-2"), &t));
    assert_int_equal(t.server_port[0], 0);
    assert_true(rtsp_transport_parse(TEXT("RTP/AVP;server_port=65535"), &t));
    assert_int_equal(t.server_port[1], 0);
    assert_true(rtsp_transport_parse(TEXT("RTP/AVP;multicast;destination=239.1.2.3;port=5000-5001"), &t));
    assert_int_equal(t.way, RTSP_MULTICAST);
    assert_true(rtsp_transport_parse(TEXT("RTP/SAVP/TCP;interleaved=0-1"), &t));
    assert_true(t.secure);
    assert_false(rtsp_transport_parse(TEXT("RAW/RAW/UDP;unicast"), &t));
    assert_false(rtsp_transport_parse(TEXT(""), &t));
}

static void urls_give_up_their_secrets(void **state)
{
    struct rtsp_url url;
    assert_int_equal(rtsp_url_parse("rtsp://ad%40min:p@s:s%2F%23%25?x@10.0.0.1:8554/a/b?c=1&d=2", &url, NULL),
                     0);
    assert_string_equal(url.username, "ad@min");
    assert_string_equal(url.password, "p@s:s/#%?x");
    assert_string_equal(url.host, "10.0.0.1");
    assert_int_equal(url.port, 8554);
    assert_string_equal(url.request, "rtsp://10.0.0.1:8554/a/b?c=1&d=2");
    rtsp_url_fini(&url);

    assert_int_equal(rtsp_url_parse("RTSP://[fd00::1]", &url, NULL), 0);
    assert_string_equal(url.host, "fd00::1");
    assert_int_equal(url.port, 554);
    assert_string_equal(url.request, "rtsp://[fd00::1]/");
    assert_null(url.username);
    rtsp_url_fini(&url);

    assert_int_equal(rtsp_url_parse("rtsp://h?a=1", &url, NULL), 0);
    assert_string_equal(url.request, "rtsp://h/?a=1");
    rtsp_url_fini(&url);
}

static void bad_urls_are_refused_without_telling_them(void **state)
{
    static const char *const bad[] = {
        "http://h/",       "file:///etc/passwd",    "rtsp://",
        "rtsp:///a",       "rtsp://u:s3cret@/a",    "rtsp://h:0/",
        "rtsp://h:65536/", "rtsp://h:80x/",         "rtsp://[fd00::1/a",
        "rtsp://h/a b",    "rtsp://h/a\r\nX: y",    "rtsp://u:s3cret%0d%0a@h/",
        "rtsp://h<>/",     "rtsp://u:s3cret%00@h/",
    };
    struct rtsp_url url;
    for (unsigned i = 0; i < SE_ARRAY_LEN(bad); i++) {
        struct se_err err = {0};
        assert_int_equal(rtsp_url_parse(bad[i], &url, &err), -EINVAL);
        assert_true(err.text[0]);
        assert_null(strstr(err.text, "s3cret"));
    }
}

static void joined(const char *base, const char *control, const char *expected)
{
    se_free_ char *url =
        rtsp_url_join((struct text){base, strlen(base)}, (struct text){control, strlen(control)});
    if (!expected)
        assert_null(url);
    else
        assert_string_equal(url, expected);
}

static void controls_join_their_base(void **state)
{
    joined("rtsp://h/a", "trackID=1", "rtsp://h/a/trackID=1");
    joined("rtsp://h/a/", "trackID=1", "rtsp://h/a/trackID=1");
    joined("rtsp://h/a?channel=1&subtype=0", "trackID=0", "rtsp://h/a?channel=1&subtype=0/trackID=0");
    joined("rtsp://h/a", "rtsp://other/b", "rtsp://other/b");
    joined("rtsp://h:8554/a/b", "/c", "rtsp://h:8554/c");
    joined("rtsp://h/a", "*", "rtsp://h/a");
    joined("rtsp://h/a", "", "rtsp://h/a");
    joined("rtsp://h/a", "x\r\nInjected: y", NULL);
    joined("rtsp://h/a", "x y", NULL);
}

static void frames_are_found_among_garbage(void **state)
{
    struct interleaved map = {0};
    map.channels[0].kind = CHANNEL_RTP;
    map.channels[0].payload_type = 96;
    map.channels[1].kind = CHANNEL_RTCP;
    const uint8_t frame[] = {'$', 0, 0, 12, 0x80, 0xe0, 0, 1};
    assert_true(interleaved_plausible(&map, frame, sizeof(frame)));
    assert_true(interleaved_plausible(&map, frame, 1));
    const uint8_t other_type[] = {'$', 0, 0, 12, 0x80, 0xe1};
    assert_false(interleaved_plausible(&map, other_type, sizeof(other_type)));
    const uint8_t other_channel[] = {'$', 7, 0, 12, 0x80, 0xe0};
    assert_false(interleaved_plausible(&map, other_channel, sizeof(other_channel)));
    const uint8_t too_short[] = {'$', 0, 0, 4, 0x80, 0xe0};
    assert_false(interleaved_plausible(&map, too_short, sizeof(too_short)));
    const uint8_t report[] = {'$', 1, 0, 28, 0x80, 200};
    assert_true(interleaved_plausible(&map, report, sizeof(report)));

    uint8_t data[64] = "xx$$\0\xff\xffgarbage$\1\2RT";
    memcpy(data + 30, frame, sizeof(frame));
    assert_int_equal(interleaved_resync(&map, data, 38), 30);
    assert_int_equal(interleaved_resync(&map, (const uint8_t *)"$$$RTSP/1.0", 11), 3);
    assert_int_equal(interleaved_resync(&map, (const uint8_t *)"abcRTS", 6), 3);
    assert_int_equal(interleaved_resync(&map, (const uint8_t *)"abc", 3), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_however_it_is_written),
        cmocka_unit_test(a_request_of_the_camera_is_read),
        cmocka_unit_test(every_prefix_asks_for_more),
        cmocka_unit_test(lies_and_excess_are_refused),
        cmocka_unit_test(sessions),
        cmocka_unit_test(transports),
        cmocka_unit_test(urls_give_up_their_secrets),
        cmocka_unit_test(bad_urls_are_refused_without_telling_them),
        cmocka_unit_test(controls_join_their_base),
        cmocka_unit_test(frames_are_found_among_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
