/* rtsp/client.h: what cameras do that no standard says, one script each. Where it was seen is said. */
#include "rtsp_camera.h"

#include <netdb.h>

#define MAIN "rtsp://127.0.0.1:%u/live?channel=1&subtype=0"

static void play_some(struct camera *camera, int fd, unsigned channel)
{
    for (unsigned i = 0; i < 5; i++)
        put_picture(camera, fd, channel);
}

/* Behaves, but for one method. */
static void but_for(struct camera *camera, int fd, const char *method,
                    void (*answer)(struct camera *camera, int fd, const struct request *request))
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, method))
            answer(camera, fd, &request);
        else if (behave(fd, &request))
            play_some(camera, fd, 0);
    }
}

/* --- CSeq --------------------------------------------------------------------- */

/* HiSilicon's server: each answer has the CSeq 0. */
static void count_from_nothing(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        request.cseq = 0;
        if (behave(fd, &request))
            play_some(camera, fd, 0);
    }
}

static void answers_with_one_cseq(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(count_from_nothing, &camera, &pull, URL);
    assert_int_equal(camera.connections, 1);
}

/* ONVIF cameras sold as C520WS: a keep-alive is refused, with the CSeq of the request before it. */
static void refuse_keepalives(struct camera *camera, int fd)
{
    struct request request;
    bool playing = false;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP"))
            reply(fd, &request, "200 OK", "Session: 1;timeout=1\r\n", "");
        else if (!playing)
            playing = behave(fd, &request);
        else if (strcmp(request.method, "TEARDOWN") != 0) {
            camera->keepalives++;
            request.cseq -= camera->keepalives % 2;
            reply(fd, &request, camera->keepalives % 2 ? "454 Session Not Found" : "400 Bad Request", "", "");
        }
        if (playing)
            play_some(camera, fd, 0);
    }
}

static bool five_keepalives(struct pull *pull)
{
    return pull->camera->keepalives >= 5;
}

static void refused_keepalives_end_nothing(void **state)
{
    struct camera camera;
    struct pull pull;
    given.sets[0] = "ingest.stall_ms=8000";
    camera_start(&camera, refuse_keepalives);
    pull_until(&pull, &camera, "127.0.0.1", URL, five_keepalives);
    camera_stop(&camera);
    assert_int_equal(camera.connections, 1);
    assert_int_equal(pull.state_count, 2);
}

/* 454 is believed when the packets cease, and then at once. */
static void end_the_session(struct camera *camera, int fd)
{
    struct request request;
    bool playing = false;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP"))
            reply(fd, &request, "200 OK", "Session: 1;timeout=1\r\n", "");
        else if (playing)
            reply(fd, &request, "454 Session Not Found", "", "");
        else if ((playing = behave(fd, &request)))
            play_some(camera, fd, 0);
    }
}

static void an_ended_session_is_seen(void **state)
{
    struct camera camera;
    struct pull pull;
    given.sets[0] = "ingest.stall_ms=4000";
    camera_start(&camera, end_the_session);
    pull_until(&pull, &camera, "127.0.0.1", URL, live_twice);
    camera_stop(&camera);
    assert_string_equal(pull.reasons[2], "the camera ended the session");
}

/* --- URLs --------------------------------------------------------------------- */

static const char *setup_url; /* path and query of the only one that is known */

static void know_one_setup(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        const char *path = strchr(request.url + strlen("rtsp://"), '/');
        if (!strcmp(request.method, "SETUP") && (!path || strcmp(path, setup_url) != 0))
            reply(fd, &request, "404 Not Found", "", "");
        else if (behave(fd, &request))
            play_some(camera, fd, 0);
    }
}

static void tracks_are_found_where_they_are(void **state)
{
    static const char *const urls[] = {
        "/live?channel=1&subtype=0/trackID=1", /* Dahua, live555 */
        "/live/trackID=1?channel=1&subtype=0", /* Axis, GStreamer's server */
        "/trackID=1",                          /* by RFC 3986 */
        "/live?channel=1&subtype=0",           /* the stream itself */
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(urls); i++) {
        struct camera camera;
        struct pull pull;
        setup_url = urls[i];
        camera_start(&camera, know_one_setup);
        pull_until(&pull, &camera, "127.0.0.1", MAIN, five_units);
        camera_stop(&camera);
        assert_int_equal(camera.connections, 1);
    }
}

/* Behind address translation: the base names a host that is not ours, and SETUP for it is not known. */
static void name_another_base(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "DESCRIBE"))
            reply(fd, &request, "200 OK", "Content-Base: rtsp://192.168.1.10:554/live/\r\n", SDP);
        else if (strstr(request.url, "192.168.1.10"))
            reply(fd, &request, "404 Not Found", "", "");
        else if (behave(fd, &request))
            play_some(camera, fd, 0);
    }
}

static void a_foreign_base(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(name_another_base, &camera, &pull, URL); /* SETUP and PLAY for the URL that was asked for */
    assert_int_equal(camera.connections, 1);
}

static void base_is_a_path(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "DESCRIBE"))
            reply(fd, &request, "200 OK", "Content-Base: /elsewhere/\r\n", SDP);
        else if (!strcmp(request.method, "SETUP") && !strstr(request.url, "/elsewhere/trackID=1"))
            reply(fd, &request, "451 Parameter Not Understood", "", "");
        else if (behave(fd, &request))
            play_some(camera, fd, 0);
    }
}

static void a_base_without_host(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(base_is_a_path, &camera, &pull, URL);
}

static void refuse_aggregate(struct camera *camera, int fd, const struct request *request)
{
    if (!strstr(request->url, "trackID=1"))
        reply(fd, request, "459 Aggregate Operation Not Allowed", "", "");
    else if (behave(fd, request))
        play_some(camera, fd, 0);
}

static void play_each_track(struct camera *camera, int fd)
{
    but_for(camera, fd, "PLAY", refuse_aggregate);
}

static void tracks_played_one_by_one(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(play_each_track, &camera, &pull, URL);
    assert_int_equal(camera.connections, 1);
}

static void blanks_in_session(struct camera *camera, int fd, const struct request *request)
{
    reply(fd, request, "200 OK", "Session:  ab cd  ; timeout = 30 \r\nsession: other\r\n", "");
}

static void session_with_blanks(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP"))
            blanks_in_session(camera, fd, &request);
        else if (!strcmp(request.method, "PLAY") && !strstr(request.text, "Session: ab cd\r\n"))
            reply(fd, &request, "454 Session Not Found", "", "");
        else if (behave(fd, &request))
            play_some(camera, fd, 0);
    }
}

static void a_session_with_blanks(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(session_with_blanks, &camera, &pull, URL);
}

/* --- in mid-stream ---------------------------------------------------------------- */

static void announce(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    put_picture(camera, fd, 0);
    PUT(fd, "ANNOUNCE rtsp://h/a RTSP/1.0\r\nCSeq: 9\r\nContent-Length: 5\r\n\r\nv=0\r\n");
    PUT(fd, "rtsp/1.0 100 continue\r\n\r\n");
    PUT(fd, "RTSP/1.0 200 OK\r\nCSeq: 4000\r\nContent-Length: 3\r\n\r\n$$$");
    for (unsigned i = 0; i < 4; i++)
        put_picture(camera, fd, 0);
    until_gone(camera, fd);
}

static void what_nobody_asked_for(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(announce, &camera, &pull, URL);
    assert_int_equal(pull.stats.garbage_bytes, 0);
}

static void leave_with_a_word(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    play_some(camera, fd, 0);
    PUT(fd, "TEARDOWN rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    until_gone(camera, fd);
}

static void a_camera_that_takes_leave(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, leave_with_a_word);
    pull_until(&pull, &camera, "127.0.0.1", URL, live_twice);
    camera_stop(&camera);
    assert_string_equal(pull.reasons[2], "the camera ended the stream");
}

static void turned_channels(struct camera *camera, int fd)
{
    if (until_play(camera, fd))
        play_some(camera, fd, 1);
    until_gone(camera, fd);
}

static void packets_on_the_other_channel(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(turned_channels, &camera, &pull, URL);
}

/* Described as 97, sent as 96. */
static void other_type(struct camera *camera, int fd)
{
    static const char sdp[] = "v=0\r\nm=video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"
                              "a=fmtp:97 sprop-parameter-sets=" SPROP "\r\n";
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "DESCRIBE"))
            reply(fd, &request, "200 OK", "", sdp);
        else if (behave(fd, &request))
            for (unsigned i = 0; i < 25; i++)
                put_picture(camera, fd, 0);
    }
}

static void a_payload_type_that_was_not_described(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(other_type, &camera, &pull, URL);
}

/* --- descriptions --------------------------------------------------------------------- */

static const char *description;

static void describe_so(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "DESCRIBE"))
            reply(fd, &request, "200 OK", "Content-Type: application/sdp\r\n", description);
        else if (behave(fd, &request))
            play_some(camera, fd, 0);
    }
}

static void odd_descriptions(void **state)
{
    static const char *const texts[] = {
        "v=0\nm=video 0 RTP/AVP 96\na=fmtp:96 packetization-mode=1;sprop-parameter-sets=" SPROP "\n",
        "v=0\rm=video 0 RTP/AVP 96\ra=RTPMAP:96 h264/90000\ra=fmtp:96 sprop-parameter-sets=" SPROP "\r",
        "m=video  0  RTP/AVP  96 \r\na=rtpmap:96\tH264\r\na=fmtp:96\tsprop-parameter-sets = \"" SPROP
        "\" ;\r\n",
        "v=0\r\nm=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:m\r\n"
        "m=video 0 RTP/AVP 26\r\na=control:jpeg\r\nm=audio 0 RTP/AVP 8\r\na=control:a\r\n" SDP
        "m=video 0 RTP/AVP 98\r\na=rtpmap:98 H264/90000\r\na=control:second\r\n",
        "v=0\r\na=control:*\r\n\r\nm=video 0 RTP/AVP 96\r\na=control:\r\na=rtpmap:96 H264/90000/1\r\n"
        "a=fmtp:96 profile-level-id=64000c;sprop-parameter-sets=" SPROP ",\r\ngarbage\r\na=\r\n",
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(texts); i++) {
        struct camera camera;
        struct pull pull;
        description = texts[i];
        plays(describe_so, &camera, &pull, URL);
    }
}

static void unusable_descriptions(void **state)
{
    static const char *const texts[][2] = {
        {"v=0\r\nm=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\n", "encrypts the stream (SRTP)"},
        {"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/0\r\n", "no H.264 or H.265 video but H264"},
        {"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 JPEG2000/90000\r\n", "but JPEG2000"},
        {"<html>", "cannot be read"},
        {"", "cannot be read"},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(texts); i++) {
        description = texts[i][0];
        fails_with(describe_so, texts[i][1]);
    }
}

/* --- signing in --------------------------------------------------------------------------- */

/* Closes the connection with each challenge; the nonce is good on the next. */
static void challenge_and_close(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!request.authorized && strcmp(request.method, "OPTIONS") != 0) {
            reply(fd, &request, "401 Unauthorized", DIGEST("one") "Connection: close\r\n", "");
            return;
        }
        if (behave(fd, &request))
            play_some(camera, fd, 0);
    }
}

static void a_challenge_closes_the_connection(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(challenge_and_close, &camera, &pull, "rtsp://u:p@127.0.0.1:%u/a");
    assert_int_equal(camera.connections, 2);
}

/* The first 401 has a challenge, those after the password have none. */
static void refuse_without_challenge(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request))
        reply(fd, &request, "401 Unauthorized", request.authorized ? "" : DIGEST("one"), "");
}

static se_mono_us third_us;

static bool long_after_the_third(struct pull *pull)
{
    if (pull->camera->authorized < 3)
        third_us = se_mono_now_us();
    return se_mono_now_us() - third_us > 400000;
}

static void a_refusal_without_challenge_is_one(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, refuse_without_challenge);
    pull_until(&pull, &camera, "127.0.0.1", "rtsp://u:p@127.0.0.1:%u/a", long_after_the_third);
    camera_stop(&camera);
    assert_int_equal(camera.authorized, 3);
    assert_says(&pull, "refused the user name or password");
}

/* --- addresses ----------------------------------------------------------------------------- */

/* The name server of these tests: camera.test is at an address that nobody has, then where the camera is. */
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out);
int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out);
static _Atomic unsigned questions;

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    if (strcmp(host, "camera.test") != 0)
        return __real_getaddrinfo(host, port, hints, out);
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    return __real_getaddrinfo(questions++ < 2 ? "127.0.0.77" : "127.0.0.1", port, hints, out);
}

static void a_name_that_moves(void **state)
{
    struct camera camera;
    struct pull pull;
    questions = 0;
    camera_start(&camera, play_five);
    pull_until(&pull, &camera, "127.0.0.0/8", "rtsp://camera.test:%u/a", five_units);
    camera_stop(&camera);
    assert_int_equal(questions, 3); /* asked anew for each try */
    assert_int_equal(camera.connections, 1);
}

/* --- a flood ---------------------------------------------------------------------------------- */

#define FLOOD 10000u /* packets of 1250 bytes: a second of 100 Mbit/s */

static void flood(struct camera *camera, int fd)
{
    char nal[1238];
    if (!until_play(camera, fd))
        return;
    put_picture(camera, fd, 0);
    memset(nal, 0x11, sizeof(nal));
    nal[0] = 0x65;
    for (unsigned i = 0; i < FLOOD; i++)
        put_frame(camera, fd, 0, nal, sizeof(nal));
    until_gone(camera, fd);
}

static bool all_of_the_flood(struct pull *pull)
{
    return pull->stats.packets > FLOOD;
}

static void a_burst_of_100_mbits(void **state)
{
    struct camera camera;
    struct pull pull;
    any_size = true;
    camera_start(&camera, flood);
    pull_until(&pull, &camera, "127.0.0.1", URL, all_of_the_flood);
    camera_stop(&camera);
    any_size = false;
    assert_int_equal(pull.stats.packets_lost, 0);
    assert_int_equal(pull.stats.garbage_bytes, 0);
    assert_int_equal(pull.units, FLOOD + 1);
}

static int reset(void **state)
{
    memset(&given, 0, sizeof(given));
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_with_one_cseq),
        TEST(refused_keepalives_end_nothing),
        TEST(an_ended_session_is_seen),
        TEST(tracks_are_found_where_they_are),
        TEST(a_foreign_base),
        TEST(a_base_without_host),
        TEST(tracks_played_one_by_one),
        TEST(a_session_with_blanks),
        TEST(what_nobody_asked_for),
        TEST(a_camera_that_takes_leave),
        TEST(packets_on_the_other_channel),
        TEST(a_payload_type_that_was_not_described),
        TEST(odd_descriptions),
        TEST(unusable_descriptions),
        TEST(a_challenge_closes_the_connection),
        TEST(a_refusal_without_challenge_is_one),
        TEST(a_name_that_moves),
        TEST(a_burst_of_100_mbits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
