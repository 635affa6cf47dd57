/* What RTSP players ask for: URLs, transports, answers to challenges; and the reports of both sides. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/rtsp_digest.h"
#include "rtsp/request.h"
#include "rtsp/rtcp.h"

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static void addresses(void **state)
{
    static const struct {
        const char *url, *camera, *ticket, *authority;
        bool sub;
        int track;
    } good[] = {
        {"rtsp://h:8554/cam-1", "cam-1", "", "h:8554", false, -1},
        {"RTSP://h/cam_1/", "cam_1", "", "h", false, -1},
        {"rtsp://h/c/main", "c", "", "h", false, -1},
        {"rtsp://h/c/sub", "c", "", "h", true, -1},
        {"rtsp://h/c/sub/", "c", "", "h", true, -1},
        {"rtsp://[::1]:8554/c/trackID=0", "c", "", "[::1]:8554", false, 0},
        {"rtsp://h/c/sub/trackID=1", "c", "", "h", true, 1},
        {"rtsp://user:p@ss@h/c", "c", "", "h", false, -1},
        {"rtsp://h/c?ticket=tkt_a-B", "c", "tkt_a-B", "h", false, -1},
        {"rtsp://h/c/?ticket=t", "c", "t", "h", false, -1},
        {"rtsp://h/c?x=1&ticket=t&y", "c", "t", "h", false, -1},
        {"rtsp://h/c/trackID=1?ticket=t", "c", "t", "h", false, 1},
        {"rtsp://h/c?ticket=t/trackID=1", "c", "t", "h", false, 1}, /* as players join it */
        {"rtsp://h/c/sub?ticket=t/", "c", "t", "h", true, -1},
        {"/c/sub", "c", "", "", true, -1},
        {"*", "", "", "", false, -1},
        {"rtsp://h", "", "", "h", false, -1},
        {"rtsp://h/", "", "", "h", false, -1},
    };
    static const char *const bad[] = {"",
                                      "c",
                                      "http://h/c",
                                      "rtsp://h/c/other",
                                      "rtsp://h/c/sub/main",
                                      "rtsp://h/c/trackID=0/x",
                                      "rtsp://h/c/trackID=",
                                      "rtsp://h/c/trackID=10",
                                      "rtsp://h/c/trackID=x",
                                      "rtsp://h/../c",
                                      "rtsp://h/%2e",
                                      "rtsp://h/c?ticket=a%20b",
                                      "rtsp://h/c?ticket=t/x",
                                      "rtsp://h/a b",
                                      "rtsp://h/a\r\nb"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(good); i++) {
        struct rtsp_resource resource;
        if (rtsp_resource_parse(text_of(good[i].url), &resource) < 0)
            fail_msg("%s", good[i].url);
        assert_string_equal(resource.camera, good[i].camera);
        assert_string_equal(resource.ticket, good[i].ticket);
        assert_true(text_is(resource.authority, good[i].authority));
        assert_int_equal(resource.sub, good[i].sub);
        assert_int_equal(resource.track, good[i].track);
    }
    for (unsigned i = 0; i < SE_ARRAY_LEN(bad); i++) {
        struct rtsp_resource resource;
        if (rtsp_resource_parse(text_of(bad[i]), &resource) != -EINVAL)
            fail_msg("%s", bad[i]);
    }
    char long_one[RESOURCE_URL_MAX + 2];
    struct rtsp_resource resource;
    memset(long_one, 'a', sizeof(long_one));
    memcpy(long_one, "rtsp://h/", 9);
    assert_int_equal(rtsp_resource_parse((struct text){long_one, sizeof(long_one)}, &resource), -E2BIG);
    assert_int_equal(rtsp_resource_parse((struct text){long_one, 9 + 65}, &resource), -EINVAL);
}

static void transports(void **state)
{
    struct rtsp_delivery t;
    assert_int_equal(rtsp_delivery_choose(text_of("RTP/AVP/TCP;unicast;interleaved=0-1"), &t), 0);
    assert_false(t.udp);
    assert_int_equal(rtsp_delivery_choose(text_of(" rtp/avp ; unicast ; client_port = 5000-5001"), &t), 0);
    assert_true(t.udp);
    assert_int_equal(t.port_rtp, 5000);
    assert_int_equal(t.port_rtcp, 5001);
    assert_int_equal(rtsp_delivery_choose(text_of("RTP/AVP/UDP;unicast;client_port=5000;mode=\"PLAY\""), &t),
                     0);
    assert_int_equal(t.port_rtcp, 5001);
    assert_int_equal(
        rtsp_delivery_choose(text_of("RTP/AVP;multicast,RTP/SAVP;unicast,RTP/AVP/TCP;unicast"), &t), 0);
    assert_false(t.udp);
    assert_int_equal(rtsp_delivery_choose(text_of("RTP/AVP;multicast"), &t), -ENOTSUP);
    assert_int_equal(rtsp_delivery_choose(text_of("RTP/AVP/TCP;unicast;mode=record"), &t), -ENOTSUP);
    assert_int_equal(rtsp_delivery_choose(text_of("RTP/AVP;unicast"), &t), -EINVAL);
    assert_int_equal(rtsp_delivery_choose(text_of("RTP/AVP;unicast;client_port=0-1"), &t), -EINVAL);
    assert_int_equal(rtsp_delivery_choose(text_of("RTP/AVP;unicast;client_port=70000-70001"), &t), -EINVAL);
    assert_int_equal(rtsp_delivery_choose(text_of(""), &t), -ENOTSUP);
}

static struct access_ha1 ha1_of(const char *username, const char *password)
{
    struct access_ha1 ha1;
    char hash[RTSP_DIGEST_LEN];
    const char *const parts[] = {username, ACCESS_REALM, password};
    rtsp_digest(RTSP_DIGEST_MD5, parts, 3, hash);
    memcpy(ha1.md5, hash, sizeof(ha1.md5));
    rtsp_digest(RTSP_DIGEST_SHA256, parts, 3, hash);
    memcpy(ha1.sha256, hash, sizeof(ha1.sha256));
    return ha1;
}

/* Made with Python's hashlib for user "u", password "p", realm "sharpeyes", nonce "n", uri "rtsp://h/c". */
#define HEAD  "Digest username=\"u\", realm=\"sharpeyes\", nonce=\"n\", uri=\"rtsp://h/c\", "
#define PLAIN HEAD "response=\"e806c8cee70bd01d887f36c2bb19e388\""
#define QOP                                                                                                  \
    HEAD "algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"x\", "                                          \
         "response=\"37a5fee06552b49c8a9adbcb96dcd6c5d0361bde3ccb3d5cd5496f5d310057f6\""

static void answers_to_challenges(void **state)
{
    struct access_ha1 ha1 = ha1_of("u", "p"), other = ha1_of("u", "q");
    struct rtsp_digest_answer answer;
    assert_int_equal(rtsp_digest_parse(text_of(PLAIN), &answer), 0);
    assert_string_equal(answer.username, "u");
    assert_true(rtsp_digest_right(&answer, "DESCRIBE", &ha1));
    assert_false(rtsp_digest_right(&answer, "SETUP", &ha1));
    assert_false(rtsp_digest_right(&answer, "DESCRIBE", &other));
    answer.response[0] = (char)(answer.response[0] == '0' ? '1' : '0');
    assert_false(rtsp_digest_right(&answer, "DESCRIBE", &ha1));
    assert_int_equal(rtsp_digest_parse(text_of(QOP), &answer), 0);
    assert_true(answer.sha256 && answer.qop);
    assert_true(rtsp_digest_right(&answer, "DESCRIBE", &ha1));
    answer.nc[7] = '2';
    assert_false(rtsp_digest_right(&answer, "DESCRIBE", &ha1));
    answer.response[0] = '\0';
    assert_false(rtsp_digest_right(&answer, "DESCRIBE", &ha1));

    assert_int_equal(
        rtsp_digest_parse(text_of("digest username = \"a\\\"b\" , nonce=n,uri=u ,response=r"), &answer), 0);
    assert_string_equal(answer.username, "a\"b");
    static const char *const bad[] = {"",
                                      "Basic dTpw",
                                      "Digest ",
                                      "Digest username=\"u\"",
                                      HEAD "response=\"\"",
                                      HEAD "response=\"r\", algorithm=SHA-512",
                                      HEAD "response=\"r\", qop=auth-int",
                                      HEAD "response=\"r\", qop=auth",
                                      "Digest username=\"u\r\nX: y\", nonce=n, uri=u, response=r"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(bad); i++)
        if (rtsp_digest_parse(text_of(bad[i]), &answer) != -EINVAL)
            fail_msg("%s", bad[i]);
    char long_one[400];
    snprintf(long_one, sizeof(long_one), "Digest username=\"%0200d\", nonce=n, uri=u, response=r", 1);
    assert_int_equal(rtsp_digest_parse(text_of(long_one), &answer), -EINVAL);
}

static void reports(void **state)
{
    const struct rtcp_sender sender = {
        .ssrc = 0x01020304, .packets = 5, .octets = 6, .timestamp = 7, .now_us = 1500000};
    uint8_t out[RTCP_MAX];
    size_t plain = rtcp_sender_report(&sender, false, out);
    uint32_t lost = 9;
    assert_int_equal(plain % 4, 0);
    assert_memory_equal(out, "\x80\xc8\0\6\1\2\3\4\x83\xaa\x7e\x81\x80\0\0\0\0\0\0\7\0\0\0\5\0\0\0\6\x81\xca",
                        30);
    assert_true(rtcp_receiver_report(out, plain, 1, &lost)); /* well formed */
    assert_int_equal(lost, 0);
    size_t bye = rtcp_sender_report(&sender, true, out);
    assert_int_equal(bye, plain + 8);
    assert_memory_equal(out + plain, "\x81\xcb\0\1\1\2\3\4", 8);
    assert_true(rtcp_receiver_report(out, bye, 1, &lost));

    uint8_t report[32] = "\x81\xc9\0\7"
                         "from"
                         "\1\2\3\4"
                         "\0\0\1\2";
    assert_true(rtcp_receiver_report(report, 32, 0x01020304, &lost));
    assert_int_equal(lost, 0x102);
    assert_true(rtcp_receiver_report(report, 32, 0x01020305, &lost));
    assert_int_equal(lost, 0);
    report[13] = 0xff; /* more came than were sent: repeated ones */
    assert_true(rtcp_receiver_report(report, 32, 0x01020304, &lost));
    assert_int_equal(lost, 0);
    assert_false(rtcp_receiver_report(report, 28, 0x01020304, &lost));
    assert_false(rtcp_receiver_report((const uint8_t *)"GET / HTTP", 10, 1, &lost));
    assert_false(rtcp_receiver_report(report, 3, 1, &lost));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(transports),
        cmocka_unit_test(answers_to_challenges),
        cmocka_unit_test(reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
