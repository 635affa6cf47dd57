/* A peer of `./dev bench ingest`: the least that pulling cameras over TCP can cost. One thread, one epoll
 * loop, one large buffer; interleaved frames are found by their heads and skipped, nothing is looked at.
 * Usage: pull-bare COUNT rtsp://ADDRESS:PORT/PREFIX: pulls PREFIX/0 to PREFIX/COUNT-1.
 * Writes {"ready":COUNT} when each has its first frame; on SIGTERM ends and writes {"frames":N,"bytes":N}. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX   2000
#define BUFFER      (256u * 1024)
#define HEAD        4 /* '$', channel, length: RFC 2326 10.12 */
#define KEEPALIVE_S 25

struct camera {
    int fd;
    char url[160], session[64];
    bool seen;
    uint8_t head[HEAD]; /* of a frame whose head is not whole yet */
    unsigned head_size;
    size_t skip;         /* bytes of a frame's body still to come */
    unsigned text_match; /* of the empty line that ends an answer; text: inside one */
    bool text;
};

static struct camera cameras[COUNT_MAX];
static uint8_t buffer[BUFFER];
static unsigned long frames, bytes;
static unsigned ready, count;

/* One request and its answer, before the socket is non-blocking. */
static bool ask(struct camera *camera, const char *method, const char *url, const char *more)
{
    char text[1024];
    size_t used = 0;
    int n = snprintf(text, sizeof(text), "%s %s RTSP/1.0\r\nCSeq: 1\r\n%s\r\n", method, url, more);
    if (send(camera->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    while (used < BUFFER - 1) { /* byte by byte: what follows PLAY's answer is media */
        if (recv(camera->fd, buffer + used, 1, 0) != 1)
            return false;
        buffer[++used] = 0;
        if (used >= 4 && !memcmp(buffer + used - 4, "\r\n\r\n", 4))
            break;
    }
    const char *length = strstr((char *)buffer, "Content-Length: ");
    if (length) {
        size_t body = strtoul(length + 16, NULL, 10);
        if (body > BUFFER / 2 || recv(camera->fd, buffer + used, body, MSG_WAITALL) != (ssize_t)body)
            return false;
    }
    const char *session = strstr((char *)buffer, "Session: ");
    if (session)
        snprintf(camera->session, sizeof(camera->session), "Session: %.*s\r\n",
                 (int)strcspn(session + 9, ";\r\n"), session + 9);
    return !memcmp(buffer, "RTSP/1.0 200", 12);
}

static bool play(struct camera *camera, const struct sockaddr_in *address)
{
    char track[192], more[192];
    camera->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (camera->fd < 0 || connect(camera->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return false;
    snprintf(track, sizeof(track), "%s/trackID=0", camera->url);
    if (!ask(camera, "DESCRIBE", camera->url, "") ||
        !ask(camera, "SETUP", track, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"))
        return false;
    snprintf(more, sizeof(more), "%s", camera->session);
    return ask(camera, "PLAY", camera->url, more);
}

/* An answer to a keep-alive, in between: up to its empty line. */
static size_t skip_text(struct camera *camera, const uint8_t *data, size_t size)
{
    static const char end[] = "\r\n\r\n";
    size_t at = 0;
    while (at < size && camera->text) {
        camera->text_match = data[at] == (uint8_t)end[camera->text_match] ? camera->text_match + 1
                             : data[at] == '\r'                           ? 1
                                                                          : 0;
        camera->text = camera->text_match < 4;
        at++;
    }
    return at;
}

static void skip_frames(struct camera *camera, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        if (camera->text) {
            at += skip_text(camera, data + at, size - at);
        } else if (camera->skip) {
            size_t n = camera->skip < size - at ? camera->skip : size - at;
            camera->skip -= n;
            at += n;
        } else if (camera->head_size == 0 && data[at] != '$') {
            camera->text = true;
            camera->text_match = 0;
        } else {
            camera->head[camera->head_size++] = data[at++];
            if (camera->head_size < HEAD)
                continue;
            camera->head_size = 0;
            camera->skip = (size_t)camera->head[2] << 8 | camera->head[3];
            frames++;
            ready += !camera->seen;
            camera->seen = true;
        }
    }
}

static void keep_alive(void)
{
    for (unsigned i = 0; i < count; i++) {
        char text[512];
        int n = snprintf(text, sizeof(text), "GET_PARAMETER %s RTSP/1.0\r\nCSeq: 2\r\n%s\r\n", cameras[i].url,
                         cameras[i].session);
        (void)!send(cameras[i].fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static int run(int epoll_fd, int signal_fd)
{
    struct epoll_event events[256];
    bool said = false;
    time_t next = time(NULL) + KEEPALIVE_S;
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, 1000);
        for (int i = 0; i < n; i++) {
            struct camera *camera = events[i].data.ptr;
            if (!camera) {
                (void)!read(signal_fd, buffer, sizeof(struct signalfd_siginfo));
                printf("{\"frames\":%lu,\"bytes\":%lu}\n", frames, bytes);
                return 0;
            }
            ssize_t got = recv(camera->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
            if (got < 0 && errno == EAGAIN)
                continue;
            if (got <= 0) {
                fprintf(stderr, "pull-bare: %s ended\n", camera->url);
                return 1;
            }
            bytes += (unsigned long)got;
            skip_frames(camera, buffer, (size_t)got);
        }
        if (!said && ready == count) {
            printf("{\"ready\":%u}\n", ready);
            fflush(stdout);
            said = true;
        }
        if (time(NULL) >= next) {
            next = time(NULL) + KEEPALIVE_S;
            keep_alive();
        }
    }
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64], port[8];
    sigset_t set;

    count = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    if (!count || count > COUNT_MAX || sscanf(argv[2], "rtsp://%63[0-9.]:%7[0-9]/", host, port) != 2 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "usage: pull-bare COUNT rtsp://ADDRESS:PORT/PREFIX\n");
        return 2;
    }
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC), signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_fd < 0 || signal_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &event) < 0)
        return 1;
    for (unsigned i = 0; i < count; i++) {
        snprintf(cameras[i].url, sizeof(cameras[i].url), "%.140s/%u", argv[2], i);
        event.data.ptr = &cameras[i];
        if (!play(&cameras[i], &address) || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, cameras[i].fd, &event) < 0) {
            fprintf(stderr, "pull-bare: %s does not play\n", cameras[i].url);
            return 1;
        }
    }
    return run(epoll_fd, signal_fd);
}
