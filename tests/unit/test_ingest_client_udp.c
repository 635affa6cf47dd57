/* rtsp/client_udp.c, client_transport.c: a scripted camera that sends over UDP, and what auto makes of it. */
#include "rtsp_camera.h"

#include <poll.h>

/* --- the camera's side ----------------------------------------------------------- */

struct media {
    int fd[2];        /* RTP, RTCP */
    uint16_t port[2]; /* the camera's */
    struct sockaddr_in to[2];
    unsigned lose_every; /* every so many packets one is not sent; 0: all are */
    unsigned sent;
};

static int bound_socket(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void media_open(struct media *media)
{
    *media = (struct media){0};
    for (unsigned i = 0; i < 2; i++)
        media->fd[i] = bound_socket(&media->port[i]);
}

static void media_close(struct media *media)
{
    close(media->fd[0]);
    close(media->fd[1]);
}

static bool asks_udp(const struct request *request)
{
    return strstr(request->text, "client_port=") != NULL;
}

/* Answers a SETUP over UDP; order of the parameters as cameras choose it. */
static void take_setup(struct media *media, int fd, const struct request *request)
{
    unsigned rtp = 0, rtcp = 0;
    char headers[256];
    const char *ports = strstr(request->text, "client_port=");
    assert_int_equal(sscanf(ports, "client_port=%u-%u", &rtp, &rtcp), 2);
    assert_int_equal(rtp % 2, 0);
    assert_int_equal(rtcp, rtp + 1);
    for (unsigned i = 0; i < 2; i++)
        media->to[i] = (struct sockaddr_in){.sin_family = AF_INET,
                                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                            .sin_port = htons((uint16_t)(i ? rtcp : rtp))};
    snprintf(headers, sizeof(headers),
             "Session: 77;timeout=60\r\nTransport: RTP/AVP;server_port=%u-%u;source=127.0.0.1;unicast;"
             "client_port=%u-%u\r\n",
             media->port[0], media->port[1], rtp, rtcp);
    reply(fd, request, "200 OK", headers, "");
}

/* A picture of one packet, the nth of the stream. */
static size_t make_packet(unsigned n, uint8_t out[64])
{
    static const uint8_t nal[] = {0x65, 0x88, 0x11, 0x22};
    uint32_t time = n * 3600;
    memcpy(out,
           (uint8_t[]){0x80, 0xe0, (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)(time >> 24),
                       (uint8_t)(time >> 16), (uint8_t)(time >> 8), (uint8_t)time, 0, 0, 0, 9},
           12);
    memcpy(out + 12, nal, sizeof(nal));
    return 12 + sizeof(nal);
}

static void send_nth(struct media *media, unsigned n)
{
    uint8_t packet[64];
    size_t size = make_packet(n, packet);
    if (media->lose_every && ++media->sent % media->lose_every == 0)
        return;
    (void)!sendto(media->fd[0], packet, size, 0, (struct sockaddr *)&media->to[0], sizeof(media->to[0]));
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Answers as a camera that takes UDP only, until PLAY. */
static bool udp_until_play(struct camera *camera, int fd, struct media *media)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (strcmp(request.method, "SETUP") != 0) {
            if (behave(fd, &request))
                return true;
        } else if (asks_udp(&request)) {
            take_setup(media, fd, &request);
        } else {
            camera->keepalives++; /* counts how often TCP was asked for */
            reply(fd, &request, "461 Unsupported Transport", "", "");
        }
    }
    return false;
}

/* --- tests ------------------------------------------------------------------------ */

static void play_udp(struct camera *camera, int fd)
{
    struct media media;
    media_open(&media);
    if (udp_until_play(camera, fd, &media)) {
        for (unsigned i = 0; i < 5; i++)
            send_nth(&media, 65533 + i);
        until_gone(camera, fd);
        /* The way was opened from inside, to both ports. */
        assert_true(readable(media.fd[0]));
        assert_true(readable(media.fd[1]));
    }
    media_close(&media);
}

static void set_to_udp(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    plays(play_udp, &camera, &pull, URL);
    assert_string_equal(pull.stats.transport, "udp");
    assert_int_equal(camera.connections, 1);
    assert_int_equal(camera.teardowns, 1);
    assert_int_equal(camera.keepalives, 0);
    assert_int_equal(pull.stats.packets, 5);
    assert_int_equal(pull.stats.packets_lost, 0);
}

static void auto_takes_udp_in_the_same_session(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(play_udp, &camera, &pull, URL);
    assert_string_equal(pull.stats.transport, "udp");
    assert_int_equal(camera.connections, 1);
    assert_int_equal(camera.keepalives, 1);
}

static void ports_come_from_the_range(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    given.sets[0] = "ingest.udp_ports=39101-39120";
    plays(play_udp, &camera, &pull, URL);
    given.sets[0] = "ingest.udp_ports=39102-39103"; /* the one pair, free again */
    plays(play_udp, &camera, &pull, URL);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in taken = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(39103)};
    assert_int_equal(bind(fd, (struct sockaddr *)&taken, sizeof(taken)), 0);
    fails_with(play_udp, "no pair of UDP ports is free: make the range ingest.udp_ports larger");
    close(fd);
}

static void refuse_udp(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP") && asks_udp(&request))
            reply(fd, &request, "461 Unsupported Transport", "", "");
        else
            behave(fd, &request);
    }
}

static void set_to_udp_where_it_is_refused(void **state)
{
    given.transport = TRANSPORT_UDP;
    fails_with(refuse_udp, "refuses RTP over UDP (461): set the stream's transport to auto or tcp");
}

static void set_to_tcp_where_it_is_refused(void **state)
{
    given.transport = TRANSPORT_TCP;
    fails_with(play_udp, "refuses RTP over TCP (461): set the stream's transport to auto or udp");
}

static void refuse_both(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP"))
            reply(fd, &request, "461 Unsupported Transport", "", "");
        else
            behave(fd, &request);
    }
}

static void neither_way(void **state)
{
    fails_with(refuse_both, "refuses RTP over TCP and over UDP (461)");
}

/* Takes TCP and then sends nothing over it; UDP it can. */
static void mute_over_tcp(struct camera *camera, int fd)
{
    struct media media;
    struct request request;
    bool udp = false;
    media_open(&media);
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP") && asks_udp(&request)) {
            udp = true;
            take_setup(&media, fd, &request);
        } else if (behave(fd, &request) && udp) {
            for (unsigned i = 0; i < 5; i++)
                send_nth(&media, i);
        }
    }
    media_close(&media);
}

static void auto_turns_from_a_silent_tcp(void **state)
{
    struct camera camera;
    struct pull pull;
    camera_start(&camera, mute_over_tcp);
    pull_until(&pull, &camera, "127.0.0.1", URL, five_units);
    camera_stop(&camera);
    assert_string_equal(pull.stats.transport, "udp");
    assert_int_equal(camera.connections, 2);
    assert_says(&pull, "over TCP but sends no video: trying UDP");
}

/* Refuses TCP at first. Over UDP every tenth packet is lost. */
static _Atomic bool tcp_for_ever_refused;
static void lossy(struct camera *camera, int fd)
{
    struct media media;
    struct request request;
    bool udp = false, playing = false;
    unsigned n = 0;
    media_open(&media);
    media.lose_every = 10;
    while (!playing && next_request(camera, fd, &request)) {
        if (strcmp(request.method, "SETUP") != 0) {
            playing = behave(fd, &request);
        } else if (asks_udp(&request)) {
            udp = true;
            take_setup(&media, fd, &request);
        } else if (camera->keepalives++ == 0 || tcp_for_ever_refused) {
            reply(fd, &request, "461 Unsupported Transport", "", "");
        } else {
            behave(fd, &request);
        }
    }
    while (playing && !readable(fd)) { /* until it says TEARDOWN or goes */
        if (udp)
            send_nth(&media, n++);
        else
            put_picture(camera, fd, 0);
        pause_ms(2);
    }
    media_close(&media);
}

static bool live_over_tcp_again(struct pull *pull)
{
    return pull->stats.transport && !strcmp(pull->stats.transport, "tcp") && pull->stats.reconnects == 1;
}

static void loss_gives_way_to_tcp(void **state)
{
    struct camera camera;
    struct pull pull;
    tcp_for_ever_refused = false;
    given.sets[0] = "ingest.udp_loss_window_ms=200";
    camera_start(&camera, lossy);
    pull_until(&pull, &camera, "127.0.0.1", URL, live_over_tcp_again);
    camera_stop(&camera);
    assert_int_equal(camera.connections, 2);
    assert_true(pull.stats.packets_lost >= 4);
    assert_says(&pull, "% of the packets were lost over UDP: going on over TCP");
}

static bool noted(struct pull *pull)
{
    return pull->stats.note[0] != 0;
}

static void loss_stays_where_only_udp_is(void **state)
{
    struct camera camera;
    struct pull pull;
    tcp_for_ever_refused = true;
    given.sets[0] = "ingest.udp_loss_window_ms=200";
    camera_start(&camera, lossy);
    pull_until(&pull, &camera, "127.0.0.1", URL, noted);
    camera_stop(&camera);
    assert_int_equal(camera.connections, 2); /* TCP had its second chance */
    assert_int_equal(camera.keepalives, 2);
    assert_string_equal(pull.stats.transport, "udp");
    assert_non_null(
        strstr(pull.stats.note, "of the packets are lost over UDP, and the camera offers nothing"));
    assert_int_equal(pull.states[pull.state_count - 1], SOURCE_LIVE);
}

static void set_to_udp_keeps_to_it(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    given.sets[0] = "ingest.udp_loss_window_ms=200";
    camera_start(&camera, lossy);
    pull_until(&pull, &camera, "127.0.0.1", URL, noted);
    camera_stop(&camera);
    assert_int_equal(camera.connections, 1);
    assert_non_null(strstr(pull.stats.note, "of the packets are lost over UDP"));
    assert_null(strstr(pull.stats.note, "offers nothing"));
}

static void shuffle(struct camera *camera, int fd)
{
    static const unsigned order[] = {10, 13, 12, 12, 11, 15, 14, 14, 17};
    struct media media;
    media_open(&media);
    if (udp_until_play(camera, fd, &media)) {
        for (unsigned i = 0; i < SE_ARRAY_LEN(order); i++)
            send_nth(&media, order[i]);
        pause_ms(900);        /* longer than 16 is waited for */
        send_nth(&media, 16); /* too late */
        for (unsigned i = 18; i < 20; i++)
            send_nth(&media, i);
        until_gone(camera, fd);
    }
    media_close(&media);
}

static bool nine_units(struct pull *pull)
{
    return pull->units >= 9;
}

static void order_is_restored(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    given.sets[0] = "ingest.udp_reorder_ms=600"; /* longer than a busy machine pauses */
    given.sets[1] = "ingest.stall_ms=4000";
    camera_start(&camera, shuffle);
    pull_until(&pull, &camera, "127.0.0.1", URL, nine_units);
    camera_stop(&camera);
    assert_int_equal(pull.stats.packets_lost, 1);
    assert_int_equal(pull.stats.packets_late, 1);
    assert_int_equal(pull.stats.packets, 9);
}

static void close_and_go_on(struct camera *camera, int fd)
{
    struct media media;
    media_open(&media);
    if (udp_until_play(camera, fd, &media)) {
        for (unsigned i = 0; i < 50 && !camera->quit; i++) {
            send_nth(&media, i);
            if (i == 5)
                shutdown(fd, SHUT_RDWR);
            pause_ms(10);
        }
    }
    media_close(&media);
}

static bool forty_units(struct pull *pull)
{
    return pull->units >= 40;
}

static void the_connection_may_close_while_packets_come(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    given.sets[0] = "ingest.stall_ms=6000"; /* a quarter of it without a packet is the end */
    camera_start(&camera, close_and_go_on);
    pull_until(&pull, &camera, "127.0.0.1", URL, forty_units);
    camera_stop(&camera);
    assert_int_equal(camera.connections, 1);
    assert_int_equal(pull.state_count, 2); /* connecting, live */
}

static void packets_end_after_it(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    camera_start(&camera, close_and_go_on);
    pull_until(&pull, &camera, "127.0.0.1", URL, live_twice);
    camera_stop(&camera);
    assert_string_equal(pull.reasons[2], "the camera closed the connection");
}

static void stall_udp(struct camera *camera, int fd)
{
    struct media media;
    struct request request;
    media_open(&media);
    if (udp_until_play(camera, fd, &media)) {
        for (unsigned i = 0; i < 5; i++)
            send_nth(&media, i);
        while (next_request(camera, fd, &request))
            ;
    }
    media_close(&media);
}

static void silence_is_a_stall(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    camera_start(&camera, stall_udp);
    pull_until(&pull, &camera, "127.0.0.1", URL, live_twice);
    camera_stop(&camera);
    assert_int_equal(pull.states[2], SOURCE_STALLED);
    assert_string_equal(pull.reasons[3], "the camera fell silent");
}

/* Another address sends to the client's port: 127.0.0.2. */
static void intrude(struct camera *camera, int fd)
{
    struct media media;
    media_open(&media);
    if (udp_until_play(camera, fd, &media)) {
        struct sockaddr_in other = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};
        int intruder = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(intruder, (struct sockaddr *)&other, sizeof(other)), 0);
        uint8_t packet[64];
        for (unsigned i = 0; i < 20; i++) {
            size_t size = make_packet(i + 1000, packet);
            (void)!sendto(intruder, packet, size, 0, (struct sockaddr *)&media.to[0], sizeof(media.to[0]));
        }
        close(intruder);
        for (unsigned i = 0; i < 5; i++)
            send_nth(&media, i);
        until_gone(camera, fd);
    }
    media_close(&media);
}

static void packets_of_others_are_left_out(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    plays(intrude, &camera, &pull, URL);
    assert_int_equal(pull.stats.packets, 5);
}

static void offer_multicast(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP"))
            reply(fd, &request, "200 OK",
                  "Session: 1\r\nTransport: RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001\r\n", "");
        else
            behave(fd, &request);
    }
}

static void a_multicast_group_is_not_joined(void **state)
{
    fails_with(offer_multicast, "to a multicast group only");
}

/* One that has UDP only, and other words for it. */
static const char *words;
static void say_otherwise(struct camera *camera, int fd)
{
    struct media media;
    struct request request;
    media_open(&media);
    while (next_request(camera, fd, &request)) {
        if (strcmp(request.method, "SETUP") != 0) {
            bool plays_now = behave(fd, &request);
            for (unsigned i = 0; plays_now && i < 5; i++)
                send_nth(&media, i);
        } else if (asks_udp(&request)) {
            take_setup(&media, fd, &request);
        } else if (*words) {
            reply(fd, &request, words, "", "");
        } else { /* takes it, and means UDP */
            reply(fd, &request, "200 OK", "Transport: RTP/AVP;unicast;server_port=9000-9001\r\n", "");
        }
    }
    media_close(&media);
}

static void other_words_for_461(void **state)
{
    static const char *const all[] = {"406 TCP TRANSPORT IS NOT SUPPORTED", "451 Parameter Not Understood",
                                      "551 Option Not Supported",           "400 Bad Request",
                                      "500 Internal Server Error",          ""};
    for (unsigned i = 0; i < SE_ARRAY_LEN(all); i++) {
        struct camera camera;
        struct pull pull;
        words = all[i];
        camera_start(&camera, say_otherwise);
        pull_until(&pull, &camera, "127.0.0.1", URL, five_units);
        camera_stop(&camera);
        assert_string_equal(pull.stats.transport, "udp");
        assert_int_equal(camera.connections, 1);
    }
}

/* Takes TCP whatever it is asked for, but at first refuses to be asked for it. */
static void interleave_always(struct camera *camera, int fd)
{
    struct request request;
    while (next_request(camera, fd, &request)) {
        if (!strcmp(request.method, "SETUP") && !asks_udp(&request))
            reply(fd, &request, "461 Unsupported Transport", "", "");
        else if (behave(fd, &request))
            for (unsigned i = 0; i < 5; i++)
                put_picture(camera, fd, 0);
    }
}

static void interleaved_where_udp_was_asked_for(void **state)
{
    struct camera camera;
    struct pull pull;
    plays(interleave_always, &camera, &pull, URL);
    assert_string_equal(pull.stats.transport, "tcp");
    given.transport = TRANSPORT_UDP;
    fails_with(interleave_always, "does not send RTP over UDP: set the stream's transport to auto or tcp");
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
        TEST(set_to_udp),
        TEST(auto_takes_udp_in_the_same_session),
        TEST(ports_come_from_the_range),
        TEST(set_to_udp_where_it_is_refused),
        TEST(set_to_tcp_where_it_is_refused),
        TEST(neither_way),
        TEST(auto_turns_from_a_silent_tcp),
        TEST(loss_gives_way_to_tcp),
        TEST(loss_stays_where_only_udp_is),
        TEST(set_to_udp_keeps_to_it),
        TEST(order_is_restored),
        TEST(the_connection_may_close_while_packets_come),
        TEST(packets_end_after_it),
        TEST(silence_is_a_stall),
        TEST(packets_of_others_are_left_out),
        TEST(a_multicast_group_is_not_joined),
        TEST(other_words_for_461),
        TEST(interleaved_where_udp_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
