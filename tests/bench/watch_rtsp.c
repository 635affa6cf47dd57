/* Many RTSP viewers in one epoll loop, for `./dev bench viewers`: each sets up the video of one URL over TCP,
 * takes the interleaved packets apart, counts pictures by their markers, and throws the media away.
 *
 *   watch-rtsp ADDRESS:PORT PATH[?QUERY] COUNT
 *
 * Writes {"ready":COUNT,…} when each has a whole picture, and statistics since the last ones for each line on
 * standard input; ends with it. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define COUNT_MAX 20000
#define BUFFER    (256u * 1024)
#define TEXT_MAX  8192

enum state { DESCRIBED, SET_UP, PLAYING, BAD };

struct viewer {
    int fd;
    enum state state;
    int64_t asked_us;
    char *text; /* of an answer that is not whole yet, or a packet's head */
    size_t text_len;
    size_t packet; /* bytes of it still to come */
    char session[64];
    bool ready;
    uint64_t frames;
};

static struct viewer *viewers;
static unsigned count, ready, ended, bad, first_count;
static uint64_t bytes, frames, frames_before;
static uint8_t buffer[BUFFER];
static uint32_t *first_us;
static struct sockaddr_in address;
static char host[64], path[512], query[256];

static void ask(struct viewer *v, const char *method, const char *track, const char *headers, unsigned cseq)
{
    char request[2048];
    int n = snprintf(request, sizeof(request), "%s rtsp://%s/%s%s%s RTSP/1.0\r\nCSeq: %u\r\n%s\r\n", method,
                     host, path, track, query, cseq, headers);
    if (send(v->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        v->state = BAD;
}

static void answered(struct viewer *v)
{
    char headers[256];
    if (strncmp(v->text, "RTSP/1.0 200", 12) != 0) {
        v->state = BAD;
    } else if (v->state == DESCRIBED) {
        v->state = SET_UP;
        ask(v, "SETUP", "/trackID=0", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", 2);
    } else if (v->state == SET_UP) {
        const char *session = strcasestr(v->text, "\nSession:");
        if (session)
            snprintf(v->session, sizeof(v->session), "%.*s", (int)strcspn(session + 10, ";\r\n"),
                     session + 10);
        v->state = PLAYING;
        snprintf(headers, sizeof(headers), "Session: %s\r\n", v->session);
        ask(v, "PLAY", "", headers, 3);
    }
}

/* Adds a byte of an answer; true when it was its last. */
static bool text_byte(struct viewer *v, char c)
{
    if (v->text_len + 1 >= TEXT_MAX) {
        v->state = BAD;
        return false;
    }
    v->text[v->text_len++] = c;
    v->text[v->text_len] = 0;
    char *end = strstr(v->text, "\r\n\r\n");
    const char *length = end ? strcasestr(v->text, "\nContent-Length:") : NULL;
    return end && v->text_len == (size_t)(end + 4 - v->text) + (length ? strtoul(length + 16, NULL, 10) : 0);
}

static void picture(struct viewer *v)
{
    frames++;
    v->frames++;
    if (v->ready)
        return;
    v->ready = true;
    ready++;
    first_us[first_count++] = (uint32_t)(clock_us() - v->asked_us);
}

static void parse(struct viewer *v, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size && v->state != BAD;) {
        if (v->packet) {
            size_t n = v->packet < size - at ? v->packet : size - at;
            v->packet -= n;
            at += n;
        } else if (v->text_len ? v->text[0] == '$' : data[at] == '$') {
            v->text[v->text_len++] = (char)data[at++];
            if (v->text_len < 6)
                continue;
            const uint8_t *head = (const uint8_t *)v->text;
            v->packet = ((size_t)head[2] << 8 | head[3]) - 2;
            if (head[1] == 0 && head[5] & 0x80)
                picture(v);
            v->text_len = 0;
        } else if (text_byte(v, (char)data[at++])) {
            answered(v);
            v->text_len = 0;
        }
    }
}

static void receive(struct viewer *v)
{
    ssize_t n = recv(v->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        bytes += (uint64_t)n;
        parse(v, buffer, (size_t)n);
    }
    if (n > 0 && v->state != BAD)
        return;
    if (n == 0)
        ended++;
    else
        bad++;
    close(v->fd);
    v->fd = -1;
}

static void come(struct viewer *v, int epoll_fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = v};
    v->text = malloc(TEXT_MAX);
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!v->text || v->fd < 0 || connect(v->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, v->fd, &ev) < 0) {
        perror("watch-rtsp: connect");
        exit(1);
    }
    v->asked_us = clock_us();
    ask(v, "DESCRIBE", "", "Accept: application/sdp\r\n", 1);
}

static void say_ready(void)
{
    double p50 = percentile(first_us, first_count, 500), p99 = percentile(first_us, first_count, 990);
    double most = percentile(first_us, first_count, 1000);
    printf("{\"ready\":%u,\"first_ms\":{\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f}}\n", ready, p50, p99, most);
    fflush(stdout);
}

static void say_statistics(void)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        least = viewers[i].frames < least ? viewers[i].frames : least;
        viewers[i].frames = 0;
    }
    printf("{\"viewers\":%u,\"ended\":%u,\"bad\":%u,\"bytes\":%" PRIu64 ",\"frames\":%" PRIu64
           ",\"fewest_frames\":%" PRIu64 "}\n",
           count, ended, bad, bytes, frames - frames_before, least);
    fflush(stdout);
    frames_before = frames;
    bytes = 0;
}

static void run(int epoll_fd)
{
    struct epoll_event events[256], in = {.events = EPOLLIN, .data.ptr = NULL};
    bool said = false;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &in);
    for (unsigned i = 0; i < count; i++)
        come(&viewers[i], epoll_fd);
    while (ended + bad < count) {
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            char line[256];
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else if (read(STDIN_FILENO, line, sizeof(line)) > 0)
                say_statistics();
            else
                return;
        }
        if (!said && ready == count) {
            said = true;
            say_ready();
        }
    }
    say_statistics();
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: watch-rtsp ADDRESS:PORT PATH[?QUERY] COUNT\n", stderr);
        return 2;
    }
    struct rlimit files = {COUNT_MAX + 100, COUNT_MAX + 100};
    setrlimit(RLIMIT_NOFILE, &files);
    char ip[64], *colon;
    snprintf(host, sizeof(host), "%s", argv[1]);
    snprintf(ip, sizeof(ip), "%s", argv[1]);
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(argv[2], "?"), argv[2]);
    snprintf(query, sizeof(query), "%s", argv[2] + strlen(path));
    count = (unsigned)strtoul(argv[3], NULL, 10);
    colon = strrchr(ip, ':');
    if (!colon || !count || count > COUNT_MAX)
        return 2;
    *colon = 0;
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, ip, &address.sin_addr) != 1)
        return 2;
    viewers = calloc(count, sizeof(*viewers));
    first_us = calloc(count, sizeof(*first_us));
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!viewers || !first_us || epoll_fd < 0)
        return 1;
    run(epoll_fd);
    return 0;
}
