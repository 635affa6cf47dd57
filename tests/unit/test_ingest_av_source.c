/* av/av_source.h: a stream pulled with libavformat, from an HTTP-FLV server on loopback that sends as fast as
 * it can, to a loop that is held up. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "av/av_source.h"
#include "gateway/options.h"

#define SPS        "\x67\x42\xc0\x0d\xd9\x01\x60\x96\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x50\xa9\x20"
#define PPS        "\x68\xcb\x83\xcb\x20"
#define GROUP      15   /* pictures from one keyframe to the next */
#define PICTURES   4000 /* more than the queue of a stream holds */
#define HELD_UP_MS 1000

/* --- the server ----------------------------------------------------------------- */

struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
    _Atomic bool quit;
    _Atomic unsigned connections;
};

static void put_tag(uint8_t **out, unsigned type, unsigned time_ms, const void *data, size_t size)
{
    uint8_t *p = *out;
    const uint8_t head[] = {(uint8_t)type,
                            (uint8_t)(size >> 16),
                            (uint8_t)(size >> 8),
                            (uint8_t)size,
                            (uint8_t)(time_ms >> 16),
                            (uint8_t)(time_ms >> 8),
                            (uint8_t)time_ms,
                            (uint8_t)(time_ms >> 24),
                            0,
                            0,
                            0};
    memcpy(p, head, sizeof(head));
    memcpy(p + 11, data, size);
    size_t whole = 11 + size;
    const uint8_t tail[] = {(uint8_t)(whole >> 24), (uint8_t)(whole >> 16), (uint8_t)(whole >> 8),
                            (uint8_t)whole};
    memcpy(p + whole, tail, 4);
    *out = p + whole + 4;
}

static bool send_all(struct server *server, int fd, const uint8_t *data, size_t size)
{
    while (size && !server->quit) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 50);
        else if (n == 0)
            return false;
        else
            data += n, size -= (size_t)n;
    }
    return !size;
}

/* A header, then pictures that each carry their number: 4 bytes behind the slice's first two. */
static void serve(struct server *server, int fd)
{
    static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n"
                                "FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00";
    static const char config[] =
        "\x17\x00\x00\x00\x00\x01\x42\xc0\x0d\xff\xe1\x00\x18" SPS "\x01\x00\x05" PPS;
    char request[2048];
    uint8_t buffer[256], *end = buffer;
    (void)!recv(fd, request, sizeof(request), 0);
    put_tag(&end, 9, 0, config, sizeof(config) - 1);
    if (!send_all(server, fd, (const uint8_t *)hello, sizeof(hello) - 1) ||
        !send_all(server, fd, buffer, (size_t)(end - buffer)))
        return;
    for (unsigned i = 0; i < PICTURES; i++) {
        bool key = i % GROUP == 0;
        const uint8_t picture[] = {key ? 0x17 : 0x27,
                                   1,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0,
                                   6,
                                   key ? 0x65 : 0x41,
                                   0x88,
                                   (uint8_t)(0x80 | i >> 21),
                                   (uint8_t)(0x80 | (i >> 14 & 127)),
                                   (uint8_t)(0x80 | (i >> 7 & 127)),
                                   (uint8_t)(0x80 | (i & 127))};
        end = buffer;
        put_tag(&end, 9, i * 40, picture, sizeof(picture));
        if (!send_all(server, fd, buffer, (size_t)(end - buffer)))
            return;
    }
    while (!server->quit) /* stays, and says no more */
        poll(NULL, 0, 20);
}

static void *server_thread(void *ctx)
{
    struct server *server = ctx;
    while (!server->quit) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            break;
        server->connections++;
        serve(server, fd);
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    *server = (struct server){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, server_thread, server), 0);
}

static void server_stop(struct server *server)
{
    server->quit = true;
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

/* --- the pull --------------------------------------------------------------------- */

struct pull {
    struct se_loop *loop;
    struct se_pool *pool;
    struct options *options;
    struct av_threads *threads;
    struct source *source;
    char url[64];
    /* the loop's */
    unsigned units, gaps, torn, videos;
    int64_t last;
    _Atomic bool over, live; /* it was */
    bool held_up;
    struct source_stats stats;
};

static void on_state(void *ctx, enum source_state state, const char *reason)
{
    struct pull *pull = ctx;
    pull->live |= state == SOURCE_LIVE;
    pull->over |= state == SOURCE_STALLED || state == SOURCE_OFFLINE;
}

static void on_video(void *ctx, const struct video_params *params)
{
    ((struct pull *)ctx)->videos++;
}

static void on_audio(void *ctx, const struct audio_params *params)
{
}

static void on_unit(void *ctx, struct access_unit *unit)
{
    struct pull *pull = ctx;
    const uint8_t *p = unit->data->data + unit->data->size - 4;
    int64_t number = (int64_t)(p[0] & 127) << 21 | (p[1] & 127) << 14 | (p[2] & 127) << 7 | (p[3] & 127);
    if (!pull->units && pull->held_up)
        poll(NULL, 0, HELD_UP_MS); /* the loop has other things to do */
    if (pull->units++ && number != pull->last + 1) {
        pull->gaps++;
        pull->torn += !unit->keyframe;
    }
    pull->last = number;
}

static void start(void *ctx)
{
    struct pull *pull = ctx;
    struct source_config config = {
        .url = pull->url, .options = pull->options, .pool = pull->pool, .av_threads = pull->threads};
    struct source_sink sink = {
        .state = on_state, .video = on_video, .audio = on_audio, .unit = on_unit, .ctx = pull};
    assert_int_equal(source_av.start(pull->loop, &config, &sink, &pull->source), 0);
}

static void stop(void *ctx)
{
    struct pull *pull = ctx;
    source_av.stats(pull->source, &pull->stats);
    source_av.stop(pull->source);
}

static void pull_start(struct pull *pull, const struct server *server, bool held_up)
{
    static const char *const sets[] = {"ingest.allow=127.0.0.1", "ingest.stall_ms=1500"};
    *pull = (struct pull){.held_up = held_up};
    snprintf(pull->url, sizeof(pull->url), "http://127.0.0.1:%u/live.flv", server->port);
    assert_int_equal(options_load(NULL, NULL, sets, 2, &pull->options, NULL), 0);
    assert_int_equal(se_pool_new("dns", 1, 8, &pull->pool), 0);
    assert_int_equal(av_threads_new(1, &pull->threads), 0);
    assert_int_equal(se_loop_new("ingest", &pull->loop), 0);
    assert_int_equal(se_loop_start(pull->loop), 0);
    assert_int_equal(se_loop_call(pull->loop, start, pull), 0);
}

/* How long its end took. */
static int64_t pull_stop(struct pull *pull)
{
    se_mono_us began_us = se_mono_now_us();
    assert_int_equal(se_loop_call(pull->loop, stop, pull), 0);
    int64_t stopped_us = se_mono_now_us() - began_us;
    assert_true(stopped_us < 500000); /* the loop does not wait for the thread */
    av_threads_free(pull->threads);
    int64_t took_us = se_mono_now_us() - began_us;
    se_pool_free(pull->pool);
    se_loop_stop(pull->loop);
    se_loop_join(pull->loop);
    se_loop_free(pull->loop);
    options_free(pull->options);
    return took_us;
}

static bool soon(bool (*so)(struct pull *pull), struct pull *pull)
{
    se_mono_us end_us = se_mono_now_us() + 15 * SE_US_PER_S;
    while (!so(pull) && se_mono_now_us() < end_us)
        poll(NULL, 0, 10);
    return so(pull);
}

static bool is_live(struct pull *pull)
{
    return pull->live;
}

static bool is_over(struct pull *pull)
{
    return pull->over;
}

static void a_full_queue_leaves_out_whole_groups(void **state)
{
    struct server server;
    struct pull pull;
    server_start(&server);
    pull_start(&pull, &server, true);
    assert_true(soon(is_live, &pull));
    assert_true(soon(is_over, &pull)); /* all is sent, nothing more comes */
    int64_t took_us = pull_stop(&pull);
    server_stop(&server);
    assert_true(pull.units > 100);
    assert_true(pull.stats.packets_lost > 0);
    assert_int_equal(pull.units + pull.stats.packets_lost, PICTURES);
    assert_int_equal(pull.torn, 0); /* each gap ends at a keyframe */
    assert_int_equal(pull.videos, 1);
    assert_true(took_us < 1500000);
}

static void it_ends_while_it_waits(void **state)
{
    struct server server;
    struct pull pull;
    server_start(&server);
    pull_start(&pull, &server, false);
    assert_true(soon(is_live, &pull));
    assert_true(pull_stop(&pull) < 1500000);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_leaves_out_whole_groups),
        cmocka_unit_test(it_ends_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
