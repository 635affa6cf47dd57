/* rtsp/client.h: the RTSP client against a scripted camera on loopback. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/options.h"
#include "source.h"

/* --- the camera ---------------------------------------------------------------- */

#define SPROP "Z0LADNkBYJbARAAAAwAEAAADAFA8UKkg,aMuDyyA="
#define SDP                                                                                                  \
    "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 sprop-parameter-sets=" SPROP "\r\n"  \
    "a=control:trackID=1\r\n"
#define DIGEST(nonce) "WWW-Authenticate: Digest realm=\"cam\", nonce=\"" nonce "\"\r\n"

struct camera;
struct request {
    char text[4096], method[32], url[512];
    int cseq;
    bool authorized;
};
struct camera {
    int fd;
    uint16_t port;
    pthread_t thread;
    void (*script)(struct camera *camera, int fd);
    _Atomic int connections, requests, authorized, teardowns, keepalives;
    _Atomic bool quit;
    char authorization[1024]; /* of the last request that had one; read after camera_stop() */
    uint16_t sequence;
    uint32_t time;
};

static bool read_bytes(int fd, void *out, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = recv(fd, (char *)out + got, size - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* The next request; receiver reports are read past. false: the client went. */
static bool next_request(struct camera *camera, int fd, struct request *request)
{
    size_t n = 0;
    *request = (struct request){0};
    while (n < sizeof(request->text) - 1) {
        if (!read_bytes(fd, request->text + n, 1))
            return false;
        if (n == 0 && request->text[0] == '$') {
            unsigned char head[3], body[65535];
            if (!read_bytes(fd, head, 3) || !read_bytes(fd, body, (size_t)head[1] << 8 | head[2]))
                return false;
            continue;
        }
        if (++n >= 4 && !memcmp(request->text + n - 4, "\r\n\r\n", 4))
            break;
    }
    const char *cseq = strstr(request->text, "CSeq: ");
    request->cseq = cseq ? (int)strtol(cseq + 6, NULL, 10) : 0;
    sscanf(request->text, "%31s %511s", request->method, request->url);
    const char *authorization = strstr(request->text, "Authorization: ");
    request->authorized = authorization != NULL;
    camera->requests++;
    camera->authorized += request->authorized;
    if (authorization)
        snprintf(camera->authorization, sizeof(camera->authorization), "%s", authorization);
    camera->teardowns += !strcmp(request->method, "TEARDOWN");
    return true;
}

static void put(int fd, const void *data, size_t size)
{
    (void)!send(fd, data, size, MSG_NOSIGNAL);
}

#define PUT(fd, literal) put(fd, literal, sizeof(literal) - 1)

static void reply(int fd, const struct request *request, const char *status, const char *headers,
                  const char *body)
{
    char text[4096];
    int n = snprintf(text, sizeof(text), "RTSP/1.0 %s\r\nCSeq: %d\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                     request->cseq, headers, strlen(body), body);
    put(fd, text, (size_t)n);
}

static void put_frame(struct camera *camera, int fd, unsigned channel, const char *nal, size_t size)
{
    uint8_t frame[1500] = {'$', (uint8_t)channel, (uint8_t)((12 + size) >> 8), (uint8_t)(12 + size), 0x80,
                           0xe0};
    camera->sequence++;
    camera->time += 3600;
    frame[6] = (uint8_t)(camera->sequence >> 8);
    frame[7] = (uint8_t)camera->sequence;
    for (unsigned i = 0; i < 4; i++)
        frame[8 + i] = (uint8_t)(camera->time >> (24 - 8 * i));
    frame[15] = 1;
    memcpy(frame + 16, nal, size);
    put(fd, frame, 16 + size);
}

static void put_picture(struct camera *camera, int fd, unsigned channel)
{
    put_frame(camera, fd, channel, "\x65\x88\x11\x22", 4);
}

/* One request as a camera without any trouble answers it. true: it plays now. */
static bool behave(int fd, const struct request *request)
{
    if (!strcmp(request->method, "OPTIONS"))
        reply(fd, request, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n", "");
    else if (!strcmp(request->method, "DESCRIBE"))
        reply(fd, request, "200 OK", "Content-Type: application/sdp\r\n", SDP);
    else if (!strcmp(request->method, "SETUP"))
        reply(fd, request, "200 OK",
              "Session: 1234;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", "");
    else
        reply(fd, request, "200 OK", "Session: 1234\r\n", "");
    return !strcmp(request->method, "PLAY");
}

/* Answers until the client plays. false: it went. */
static bool until_play(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request))
        if (behave(fd, &request))
            return true;
    return false;
}

static void until_gone(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request))
        behave(fd, &request);
}

static void *camera_thread(void *ctx)
{
    struct camera *camera = ctx;
    for (;;) {
        int fd = accept(camera->fd, NULL, NULL);
        if (fd < 0 || camera->quit) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 5}, sizeof(struct timeval));
        camera->connections++;
        camera->script(camera, fd);
        close(fd);
    }
}

static void camera_start(struct camera *camera, void (*script)(struct camera *camera, int fd))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    *camera = (struct camera){.script = script};
    camera->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(camera->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(camera->fd, 8), 0);
    assert_int_equal(getsockname(camera->fd, (struct sockaddr *)&address, &size), 0);
    camera->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&camera->thread, NULL, camera_thread, camera), 0);
}

static void camera_stop(struct camera *camera)
{
    camera->quit = true;
    shutdown(camera->fd, SHUT_RDWR);
    pthread_join(camera->thread, NULL);
    close(camera->fd);
}

/* --- the client ---------------------------------------------------------------- */

struct pull {
    struct se_loop *loop;
    struct se_pool *pool;
    struct options *options;
    struct source *source;
    struct se_timer late, check;
    bool (*done)(struct pull *pull);
    struct camera *camera;
    bool timed_out;
    enum source_state states[64];
    char reasons[64][160];
    unsigned state_count, videos, units;
    unsigned arrivals; /* moments at which units came */
    se_mono_us arrived_us;
    struct source_stats stats;
};

static void on_state(void *ctx, enum source_state state, const char *reason)
{
    struct pull *pull = ctx;
    if (pull->state_count == SE_ARRAY_LEN(pull->states))
        return;
    pull->states[pull->state_count] = state;
    snprintf(pull->reasons[pull->state_count++], sizeof(pull->reasons[0]), "%s", reason);
}

static void on_video(void *ctx, const struct video_params *params)
{
    struct pull *pull = ctx;
    pull->videos++;
    assert_int_equal(params->width, 352);
}

static void on_audio(void *ctx, const struct audio_params *params)
{
}

static void on_unit(void *ctx, struct access_unit *unit)
{
    struct pull *pull = ctx;
    pull->units++;
    pull->arrivals += unit->arrived_us != pull->arrived_us;
    pull->arrived_us = unit->arrived_us;
    assert_int_equal(unit->data->size, 8);
}

static void check(struct se_timer *timer)
{
    struct pull *pull = timer->ctx;
    pull->source->ops->stats(pull->source, &pull->stats);
    if (pull->done(pull) || pull->timed_out) {
        pull->source->ops->stop(pull->source);
        se_timer_cancel(&pull->late);
        se_loop_stop(pull->loop);
        return;
    }
    se_timer_in(pull->loop, timer, 2000);
}

static void late(struct se_timer *timer)
{
    ((struct pull *)timer->ctx)->timed_out = true;
}

#define FAST                                                                                                 \
    "ingest.connect_timeout_ms=300", "ingest.answer_timeout_ms=300", "ingest.stall_ms=400",                  \
        "ingest.retry_min_ms=20", "ingest.retry_max_ms=60", "ingest.retry_unreachable_max_ms=60"

/* Pulls url ("%u": the port) until done says so, 8 s at most. */
static void pull_until(struct pull *pull, struct camera *camera, const char *allow, const char *format,
                       bool (*done)(struct pull *pull))
{
    char url[256], allow_set[64];
    struct se_err err = {0};
    *pull = (struct pull){.done = done, .camera = camera};
    snprintf(allow_set, sizeof(allow_set), "ingest.allow=%s", allow);
    const char *sets[] = {FAST, allow_set};
    if (options_load(NULL, NULL, sets, SE_ARRAY_LEN(sets), &pull->options, &err) < 0)
        fail_msg("%s", err.text);
    const char *mark = strstr(format, "%u");
    if (mark)
        snprintf(url, sizeof(url), "%.*s%u%s", (int)(mark - format), format, camera->port, mark + 2);
    else
        snprintf(url, sizeof(url), "%s", format);
    assert_int_equal(se_loop_new("test", &pull->loop), 0);
    assert_int_equal(se_pool_new("dns", 1, 8, &pull->pool), 0);
    struct source_config config = {.url = url, .options = pull->options, .pool = pull->pool};
    struct source_sink sink = {on_state, on_video, on_audio, on_unit, pull};
    assert_int_equal(source_rtsp.start(pull->loop, &config, &sink, &pull->source), 0);
    pull->late = (struct se_timer){.fn = late, .ctx = pull};
    pull->check = (struct se_timer){.fn = check, .ctx = pull};
    se_timer_in(pull->loop, &pull->late, 8 * SE_US_PER_S);
    se_timer_in(pull->loop, &pull->check, 2000);
    assert_int_equal(se_loop_run(pull->loop), 0);
    se_pool_free(pull->pool);
    se_loop_free(pull->loop);
    options_free(pull->options);
    if (pull->timed_out)
        fail_msg("nothing came of it: last state %s \"%s\"",
                 source_state_name(pull->states[pull->state_count - 1]),
                 pull->reasons[pull->state_count - 1]);
}

#define URL "rtsp://127.0.0.1:%u/a"

static bool five_units(struct pull *pull)
{
    return pull->units >= 5;
}

static bool said_why(struct pull *pull)
{
    return pull->stats.last_error[0] != 0;
}

static void assert_says(const struct pull *pull, const char *words)
{
    if (!strstr(pull->stats.last_error, words))
        fail_msg("\"%s\" does not say \"%s\"", pull->stats.last_error, words);
}

/* Says in `last_error` words when the camera runs script. */
static void fails_with(void (*script)(struct camera *camera, int fd), const char *words)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, script);
    pull_until(&pull, &camera, "127.0.0.1", URL, said_why);
    camera_stop(&camera);
    assert_says(&pull, words);
    assert_int_equal(pull.states[pull.state_count - 1], SOURCE_OFFLINE);
    assert_int_equal(pull.units, 0);
}

static void plays(void (*script)(struct camera *camera, int fd), struct camera *camera, struct pull *pull,
                  const char *url)
{
    camera_start(camera, script);
    pull_until(pull, camera, "127.0.0.1", url, five_units);
    camera_stop(camera);
    assert_int_equal(pull->videos, 1);
    assert_int_equal(pull->states[0], SOURCE_CONNECTING);
    assert_int_equal(pull->states[1], SOURCE_LIVE);
    assert_int_equal(pull->state_count, 2);
}

/* --- scripts and tests ----------------------------------------------------------- */

static void play_five(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    for (unsigned i = 0; i < 5; i++)
        put_picture(camera, fd, 0);
    until_gone(camera, fd);
}

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

static bool live_twice(struct pull *pull)
{
    unsigned live = 0;
    for (unsigned i = 0; i < pull->state_count; i++)
        live += pull->states[i] == SOURCE_LIVE;
    return live == 2;
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
