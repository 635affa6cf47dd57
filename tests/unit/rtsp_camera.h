/* A scripted RTSP camera on loopback, and a client that pulls it until a test has seen enough. */
#ifndef TESTS_UNIT_RTSP_CAMERA_H
#define TESTS_UNIT_RTSP_CAMERA_H

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

static inline bool read_bytes(int fd, void *out, size_t size)
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
static inline bool next_request(struct camera *camera, int fd, struct request *request)
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

static inline void put(int fd, const void *data, size_t size)
{
    (void)!send(fd, data, size, MSG_NOSIGNAL);
}

#define PUT(fd, literal) put(fd, literal, sizeof(literal) - 1)

static inline void reply(int fd, const struct request *request, const char *status, const char *headers,
                         const char *body)
{
    char text[4096];
    int n = snprintf(text, sizeof(text), "RTSP/1.0 %s\r\nCSeq: %d\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                     request->cseq, headers, strlen(body), body);
    put(fd, text, (size_t)n);
}

static inline void put_frame(struct camera *camera, int fd, unsigned channel, const char *nal, size_t size)
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

static inline void put_picture(struct camera *camera, int fd, unsigned channel)
{
    put_frame(camera, fd, channel, "\x65\x88\x11\x22", 4);
}

/* One request as a camera without any trouble answers it. true: it plays now. */
static inline bool behave(int fd, const struct request *request)
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
static inline bool until_play(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request))
        if (behave(fd, &request))
            return true;
    return false;
}

static inline void until_gone(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request))
        behave(fd, &request);
}

static inline void *camera_thread(void *ctx)
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

static inline void camera_start(struct camera *camera, void (*script)(struct camera *camera, int fd))
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

static inline void camera_stop(struct camera *camera)
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

static inline void on_state(void *ctx, enum source_state state, const char *reason)
{
    struct pull *pull = ctx;
    if (pull->state_count == SE_ARRAY_LEN(pull->states))
        return;
    pull->states[pull->state_count] = state;
    snprintf(pull->reasons[pull->state_count++], sizeof(pull->reasons[0]), "%s", reason);
}

static inline void on_video(void *ctx, const struct video_params *params)
{
    struct pull *pull = ctx;
    pull->videos++;
    assert_int_equal(params->width, 352);
}

static inline void on_audio(void *ctx, const struct audio_params *params)
{
}

static bool any_size; /* of units: a test sends others than those of put_picture() */

static inline void on_unit(void *ctx, struct access_unit *unit)
{
    struct pull *pull = ctx;
    pull->units++;
    pull->arrivals += unit->arrived_us != pull->arrived_us;
    pull->arrived_us = unit->arrived_us;
    if (!any_size)
        assert_int_equal(unit->data->size, 8);
}

static inline void check(struct se_timer *timer)
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

static inline void late(struct se_timer *timer)
{
    ((struct pull *)timer->ctx)->timed_out = true;
}

/* What the next pulls are set to. */
static struct {
    enum stream_transport transport;
    const char *fingerprint;
    const char *sets[4]; /* options beside FAST */
} given;

#define FAST                                                                                                 \
    "ingest.connect_timeout_ms=300", "ingest.answer_timeout_ms=300", "ingest.stall_ms=400",                  \
        "ingest.retry_min_ms=20", "ingest.retry_max_ms=60", "ingest.retry_unreachable_max_ms=60"

/* Pulls url ("%u": the port) until done says so, 8 s at most. */
static inline void pull_until(struct pull *pull, struct camera *camera, const char *allow, const char *format,
                              bool (*done)(struct pull *pull))
{
    char url[256], allow_set[64];
    struct se_err err = {0};
    *pull = (struct pull){.done = done, .camera = camera};
    snprintf(allow_set, sizeof(allow_set), "ingest.allow=%s", allow);
    const char *sets[SE_ARRAY_LEN(given.sets) + 16] = {FAST, allow_set};
    unsigned set_count = 0;
    while (sets[set_count])
        set_count++;
    for (unsigned i = 0; i < SE_ARRAY_LEN(given.sets) && given.sets[i]; i++)
        sets[set_count++] = given.sets[i];
    if (options_load(NULL, NULL, sets, set_count, &pull->options, &err) < 0)
        fail_msg("%s", err.text);
    const char *mark = strstr(format, "%u");
    if (mark)
        snprintf(url, sizeof(url), "%.*s%u%s", (int)(mark - format), format, camera->port, mark + 2);
    else
        snprintf(url, sizeof(url), "%s", format);
    assert_int_equal(se_loop_new("test", &pull->loop), 0);
    assert_int_equal(se_pool_new("dns", 1, 8, &pull->pool), 0);
    struct source_config config = {.url = url,
                                   .options = pull->options,
                                   .pool = pull->pool,
                                   .transport = given.transport,
                                   .tls_fingerprint = given.fingerprint};
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

static inline bool five_units(struct pull *pull)
{
    return pull->units >= 5;
}

static inline bool said_why(struct pull *pull)
{
    return pull->stats.last_error[0] != 0;
}

static inline bool live_twice(struct pull *pull)
{
    unsigned live = 0;
    for (unsigned i = 0; i < pull->state_count; i++)
        live += pull->states[i] == SOURCE_LIVE;
    return live == 2;
}

static inline void assert_says(const struct pull *pull, const char *words)
{
    if (!strstr(pull->stats.last_error, words))
        fail_msg("\"%s\" does not say \"%s\"", pull->stats.last_error, words);
}

/* Says in `last_error` words when the camera runs script. */
static inline void fails_with(void (*script)(struct camera *camera, int fd), const char *words)
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

static inline void plays(void (*script)(struct camera *camera, int fd), struct camera *camera,
                         struct pull *pull, const char *url)
{
    camera_start(camera, script);
    pull_until(pull, camera, "127.0.0.1", url, five_units);
    camera_stop(camera);
    assert_int_equal(pull->videos, 1);
    assert_int_equal(pull->states[0], SOURCE_CONNECTING);
    assert_int_equal(pull->states[1], SOURCE_LIVE);
    assert_int_equal(pull->state_count, 2);
}

static inline void play_five(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    for (unsigned i = 0; i < 5; i++)
        put_picture(camera, fd, 0);
    until_gone(camera, fd);
}

#endif
