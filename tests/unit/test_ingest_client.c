/* rtsp/client.h: the RTSP client against a scripted camera on loopback. */
#include "rtsp_camera.h"

/* --- scripts and tests ----------------------------------------------------------- */

static void plain(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(play_five, &camera, &pull, URL);
    assert_int_equal(camera.connections, 1);
    assert_int_equal(camera.teardowns, 1);
    assert_int_equal(pull.stats.packets_lost, 0);
    assert_int_equal(pull.stats.garbage_bytes, 0);
}

/* --- lazy reading ------------------------------------------------------------- */

#define TRICKLE 30u /* pictures, 10 ms apart, twice */

static void trickle(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    for (unsigned i = 0; i < 2 * TRICKLE; i++) {
        put_picture(camera, fd, 0);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    until_gone(camera, fd);
}

static unsigned arrivals_unwatched, units_unwatched;

static bool watched_from_the_middle(struct pull *pull)
{
    if (!arrivals_unwatched && pull->units >= TRICKLE) {
        arrivals_unwatched = pull->arrivals;
        units_unwatched = pull->units;
        pull->source->ops->watched(pull->source, true);
    }
    return pull->units >= 2 * TRICKLE;
}

static void unwatched_is_read_in_large_pieces(void **state)
{
    struct camera camera;
    struct pull pull;
    arrivals_unwatched = 0;
    camera_start(&camera, trickle);
    pull_until(&pull, &camera, "127.0.0.1", URL, watched_from_the_middle);
    camera_stop(&camera);
    assert_int_equal(pull.units, 2 * TRICKLE);
    /* Ten times a second, but for the first pictures; then each for itself, however busy the machine is. */
    assert_in_range(arrivals_unwatched, 2, TRICKLE / 3);
    unsigned arrivals = pull.arrivals - arrivals_unwatched, units = pull.units - units_unwatched;
    assert_true(arrivals * units_unwatched > 2 * arrivals_unwatched * units);
}

static void leave_while_lazy(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    put_picture(camera, fd, 0);
    nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
    put_picture(camera, fd, 0);
}

static void what_came_before_the_end_is_read(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, leave_while_lazy);
    pull_until(&pull, &camera, "127.0.0.1", URL, said_why);
    camera_stop(&camera);
    assert_int_equal(pull.units, 2);
    assert_says(&pull, "closed the connection");
}

static void bytes_one_by_one(struct camera *camera, int fd)
{
    struct request request;
    bool playing = false;
    while (!playing && next_request(camera, fd, &request)) {
        int pair[2];
        char answer[2048];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        playing = behave(pair[0], &request);
        for (unsigned i = 0; playing && i < 5; i++)
            put_picture(camera, pair[0], 0);
        ssize_t n = recv(pair[1], answer, sizeof(answer), 0);
        for (ssize_t i = 0; i < n; i++) {
            put(fd, answer + i, 1);
            if (i % 8 == 0)
                nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        }
        close(pair[0]);
        close(pair[1]);
    }
    until_gone(camera, fd);
}

static void in_single_bytes(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(bytes_one_by_one, &camera, &pull, URL);
}

static void other_channels(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP")) {
            reply(fd, &request, "200 OK", "session: 9\r\nTRANSPORT: RTP/AVP/TCP;interleaved=6-7\r\n", "");
        } else if (behave(fd, &request)) {
            for (unsigned i = 0; i < 5; i++) {
                put_picture(camera, fd, 0); /* of nobody */
                camera->sequence--;
                put_picture(camera, fd, 6);
            }
        }
    }
}

static void channels_are_the_servers_choice(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(other_channels, &camera, &pull, URL);
    assert_int_equal(pull.stats.packets, 5);
}

static void ask_digest(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!request.authorized && strcmp(request.method, "OPTIONS") != 0) {
            reply(fd, &request, "401 Unauthorized", DIGEST("one"), "");
        } else if (behave(fd, &request)) {
            for (unsigned i = 0; i < 5; i++)
                put_picture(camera, fd, 0);
        }
    }
}

static void digest(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(ask_digest, &camera, &pull, "rtsp://ad%40min:p%3Aw@127.0.0.1:%u/a");
    assert_int_equal(camera.connections, 1);
    assert_int_equal(camera.requests, 1 + 2 + 1 + 1 + 1); /* OPTIONS, DESCRIBE twice, SETUP, PLAY, TEARDOWN */
    assert_non_null(strstr(camera.authorization, "username=\"ad@min\""));
    assert_null(strstr(camera.authorization, "p:w"));
}

static void grow_stale(struct camera *camera, int fd)
{
    struct request request;
    bool stale = false;
    while (next_request(camera, fd, &request)) {
        if (!request.authorized) {
            reply(fd, &request, "401 Unauthorized", DIGEST("one"), "");
        } else if (!strcmp(request.method, "SETUP") && !stale) {
            stale = true;
            reply(fd, &request, "401 Unauthorized",
                  "WWW-Authenticate: Digest realm=\"cam\", nonce=\"two\", stale=true\r\n", "");
        } else if (behave(fd, &request)) {
            for (unsigned i = 0; i < 5; i++)
                put_picture(camera, fd, 0);
        }
    }
}

static void a_stale_nonce_is_renewed(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(grow_stale, &camera, &pull, "rtsp://u:p@127.0.0.1:%u/a");
    assert_int_equal(camera.connections, 1);
    assert_non_null(strstr(camera.authorization, "nonce=\"two\""));
}

static void refuse(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request))
        reply(fd, &request, "401 Unauthorized", DIGEST("one"), "");
}

static se_mono_us third_try_us;

static bool refused_for_long(struct pull *pull)
{
    if (pull->camera->authorized < 3)
        third_try_us = se_mono_now_us();
    return se_mono_now_us() - third_try_us > 500000; /* eight times the longest wait */
}

static void a_refused_password_is_tried_three_times(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, refuse);
    pull_until(&pull, &camera, "127.0.0.1", "rtsp://u:s3cret@127.0.0.1:%u/a", refused_for_long);
    camera_stop(&camera);
    assert_int_equal(camera.authorized, 3);
    assert_says(&pull, "the camera refused the user name or password");
    assert_null(strstr(pull.stats.last_error, "s3cret"));
}

static void no_password(void **state)
{
    fails_with(refuse, "asks for a user name and password, and none is set");
}

static void garble(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    put_picture(camera, fd, 0);
    put_picture(camera, fd, 0);
    uint8_t garbage[3000];
    for (unsigned i = 0; i < sizeof(garbage); i++)
        garbage[i] = (uint8_t)(i * 7 + i / 256);
    static const char traps[] = "$\0\xff\xff\x24$$\1\0\x40$\0\0\x10\x40\xe0RTSP";
    memcpy(garbage + 100, traps, sizeof(traps));
    put(fd, garbage, sizeof(garbage));
    put_picture(camera, fd, 0);
    PUT(fd, "$\0\xff\xff garbage with a lying length");
    put_picture(camera, fd, 0);
    put_picture(camera, fd, 0);
    until_gone(camera, fd);
}

static void garbage_between_frames(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(garble, &camera, &pull, URL);
    assert_int_equal(camera.connections, 1);
    assert_true(pull.stats.garbage_bytes >= 3000);
    assert_int_equal(pull.stats.packets_lost, 0);
}

static void say_nothing(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request))
        ;
}

static void no_answer(void **state)
{
    fails_with(say_nothing, "accepts the connection but does not answer OPTIONS");
}

static void hang_up(struct camera *camera, int fd)
{
    struct request request;
    next_request(camera, fd, &request);
}

static void hung_up(void **state)
{
    fails_with(hang_up, "closed the connection");
}

static void say_404(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request))
        reply(fd, &request, "404 Not Found", "", "");
}

static void unknown_path(void **state)
{
    fails_with(say_404, "404");
}

static void speak_http(struct camera *camera, int fd)
{
    struct request request;
    if (next_request(camera, fd, &request))
        PUT(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    until_gone(camera, fd);
}

static void a_web_server(void **state)
{
    fails_with(speak_http, "speaks HTTP");
}

static bool failed_twice(struct pull *pull)
{
    return pull->camera->connections >= 2;
}

static void hang_up_until_second(struct camera *camera, int fd)
{
}

static void it_tries_again(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, hang_up_until_second);
    pull_until(&pull, &camera, "127.0.0.1", URL, failed_twice);
    camera_stop(&camera);
}

static void nobody_listens(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, refuse);
    camera_stop(&camera);
    pull_until(&pull, &camera, "127.0.0.1", URL, said_why);
    assert_says(&pull, "refuses connections");
}

static void loopback_must_be_listed(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, play_five);
    pull_until(&pull, &camera, "10.0.0.0/8", URL, said_why);
    assert_says(&pull, "ingest.allow");
    pull_until(&pull, &camera, "0.0.0.0/0", "rtsp://localhost:%u/a", said_why); /* nor is it in everything */
    assert_says(&pull, "ingest.allow");
    pull_until(&pull, &camera, "127.0.0.0/8,::1", "rtsp://localhost:%u/a", five_units); /* by name */
    camera_stop(&camera);
}

static void redirect(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        char location[96];
        snprintf(location, sizeof(location), "Location: rtsp://127.0.0.1:%u/b\r\n", camera->port);
        if (!strcmp(request.method, "DESCRIBE") && strstr(request.url, "/a")) {
            reply(fd, &request, "302 Moved", location, "");
            return;
        }
        if (behave(fd, &request))
            for (unsigned i = 0; i < 5; i++)
                put_picture(camera, fd, 0);
    }
}

static void a_redirect_is_followed(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(redirect, &camera, &pull, URL);
    assert_int_equal(camera.connections, 2);
}

static void redirect_always(struct camera *camera, int fd)
{
    struct request request;
    char location[96];
    snprintf(location, sizeof(location), "Location: rtsp://127.0.0.1:%u/a\r\n", camera->port);
    if (next_request(camera, fd, &request))
        reply(fd, &request, "302 Moved", location, "");
}

static void redirects_are_bounded(void **state)
{
    fails_with(redirect_always, "redirects in a circle");
}

static void redirect_away(struct camera *camera, int fd)
{
    struct request request;
    if (next_request(camera, fd, &request))
        reply(fd, &request, "302 Moved", "Location: rtsp://169.254.169.254/a\r\n", "");
}

static void redirects_lead_nowhere_forbidden(void **state)
{
    fails_with(redirect_away, "ingest.allow");
}

static void describe(struct camera *camera, int fd, const char *sdp)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "DESCRIBE"))
            reply(fd, &request, "200 OK", "", sdp);
        else
            behave(fd, &request);
    }
}

static void inject(struct camera *camera, int fd)
{
    describe(camera, fd,
             "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:a\rInjected: b\r\n");
}

static void line_ends_in_a_control_url(void **state)
{
    fails_with(inject, "broken URL");
}

static void offer_jpeg(struct camera *camera, int fd)
{
    describe(camera, fd, "v=0\r\nm=video 0 RTP/AVP 26\r\na=control:a\r\n");
}

static void nothing_to_pull(void **state)
{
    fails_with(offer_jpeg, "no H.264 or H.265 video but JPEG");
}

static void lie_about_length(struct camera *camera, int fd)
{
    struct request request;
    if (next_request(camera, fd, &request))
        PUT(fd, "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 999999999\r\n\r\n");
    until_gone(camera, fd);
}

static void a_lying_content_length(void **state)
{
    fails_with(lie_about_length, "larger than any should be");
}

static void endless_headers(struct camera *camera, int fd)
{
    struct request request;
    if (!next_request(camera, fd, &request))
        return;
    PUT(fd, "RTSP/1.0 200 OK\r\n");
    for (unsigned i = 0; i < 8192; i++)
        PUT(fd, "X: yyyy\r\n");
    until_gone(camera, fd);
}

static void headers_without_end(void **state)
{
    fails_with(endless_headers, "larger than any should be");
}

static void stall(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    for (unsigned i = 0; i < 5; i++)
        put_picture(camera, fd, 0);
    struct request request;
    while (next_request(camera, fd, &request)) /* hears, but does not answer any more */
        camera->keepalives++;
}

static void silence_is_a_stall_and_then_the_end(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, stall);
    pull_until(&pull, &camera, "127.0.0.1", URL, live_twice);
    camera_stop(&camera);
    static const enum source_state expected[] = {SOURCE_CONNECTING, SOURCE_LIVE, SOURCE_STALLED,
                                                 SOURCE_OFFLINE, SOURCE_LIVE};
    assert_int_equal(pull.state_count, SE_ARRAY_LEN(expected));
    assert_memory_equal(pull.states, expected, sizeof(expected));
    assert_string_equal(pull.reasons[3], "the camera fell silent");
    assert_true(camera.keepalives >= 1); /* it was asked */
    assert_int_equal(pull.stats.reconnects, 1);
    assert_int_equal(pull.videos, 1); /* nothing new to a decoder */
}

static void short_session(struct camera *camera, int fd)
{
    struct request request;
    bool playing = false;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "OPTIONS") && !playing)
            reply(fd, &request, "200 OK", "Public: OPTIONS, GET_PARAMETER\r\n", "");
        else if (!strcmp(request.method, "SETUP"))
            reply(fd, &request, "200 OK", "Session: 1;timeout=1\r\n", "");
        else if (behave(fd, &request))
            playing = true;
        else if (playing && strcmp(request.method, "TEARDOWN") != 0)
            camera->keepalives |= !strcmp(request.method, "GET_PARAMETER") ? 1 : 2;
        if (playing)
            put_picture(camera, fd, 0);
    }
}

static bool both_keepalives(struct pull *pull)
{
    return pull->camera->keepalives == 3;
}

static void a_session_is_kept_alive_both_ways(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, short_session);
    pull_until(&pull, &camera, "127.0.0.1", URL, both_keepalives);
    camera_stop(&camera);
    assert_int_equal(camera.connections, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(unwatched_is_read_in_large_pieces),
        cmocka_unit_test(what_came_before_the_end_is_read),
        cmocka_unit_test(in_single_bytes),
        cmocka_unit_test(channels_are_the_servers_choice),
        cmocka_unit_test(digest),
        cmocka_unit_test(a_stale_nonce_is_renewed),
        cmocka_unit_test(a_refused_password_is_tried_three_times),
        cmocka_unit_test(no_password),
        cmocka_unit_test(garbage_between_frames),
        cmocka_unit_test(no_answer),
        cmocka_unit_test(hung_up),
        cmocka_unit_test(unknown_path),
        cmocka_unit_test(a_web_server),
        cmocka_unit_test(it_tries_again),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(loopback_must_be_listed),
        cmocka_unit_test(a_redirect_is_followed),
        cmocka_unit_test(redirects_are_bounded),
        cmocka_unit_test(redirects_lead_nowhere_forbidden),
        cmocka_unit_test(line_ends_in_a_control_url),
        cmocka_unit_test(nothing_to_pull),
        cmocka_unit_test(a_lying_content_length),
        cmocka_unit_test(headers_without_end),
        cmocka_unit_test(silence_is_a_stall_and_then_the_end),
        cmocka_unit_test(a_session_is_kept_alive_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
