/* A peer of `./dev bench viewers`: the least that sending one camera to many can cost. One thread, one epoll
 * loop, one send() for each frame and viewer; nothing is looked up, made or checked. Usage: fanout-bare FILE
 * FPS: FILE is what watch-http recorded, an init segment first. Writes
 * {"listen":"ADDRESS:PORT"}; ends on SIGTERM. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CHUNKS_MAX  65536
#define VIEWERS_MAX 20000

struct piece {
    char *data; /* with HTTP's framing around it */
    size_t size;
};
struct viewer {
    int fd;
    bool playing, init;
    uint64_t next; /* number of the frame that comes next */
    size_t sent;   /* of it */
};

static struct piece pieces[CHUNKS_MAX];
static unsigned piece_count;
static struct viewer viewers[VIEWERS_MAX];
static unsigned viewer_count;
static uint64_t now; /* frames that there are so far */

static void read_pieces(const char *file)
{
    FILE *in = fopen(file, "re");
    uint32_t size;
    while (in && piece_count < CHUNKS_MAX && fread(&size, 4, 1, in) == 1) {
        char head[16], *data = malloc(size + 32);
        int n = snprintf(head, sizeof(head), "%x\r\n", size);
        if (!data || fread(data + n, 1, size, in) != size)
            break;
        memcpy(data, head, (size_t)n);
        memcpy(data + n + size, "\r\n", 2);
        pieces[piece_count++] = (struct piece){data, (size_t)n + size + 2};
    }
    if (!in || piece_count < 3) {
        fprintf(stderr, "fanout-bare: nothing in %s\n", file);
        exit(1);
    }
    fclose(in);
}

static void leave(struct viewer *v)
{
    close(v->fd);
    *v = (struct viewer){.fd = -1};
}

static void feed(struct viewer *v)
{
    while (v->playing && v->next < now) {
        const struct piece *p = v->init ? &pieces[1 + v->next % (piece_count - 1)] : &pieces[0];
        ssize_t n = send(v->fd, p->data + v->sent, p->size - v->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (errno != EAGAIN)
                leave(v);
            return;
        }
        v->sent += (size_t)n;
        if (v->sent < p->size)
            return;
        v->sent = 0;
        if (v->init)
            v->next++;
        v->init = true;
    }
}

static void answer(struct viewer *v)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n";
    char request[4096];
    ssize_t n = recv(v->fd, request, sizeof(request), MSG_DONTWAIT);
    if (n > 0 && !v->playing && send(v->fd, head, sizeof(head) - 1, MSG_NOSIGNAL) > 0) {
        v->playing = true;
        v->next = now;
    } else if (n == 0) {
        leave(v);
    }
}

int main(int argc, char **argv)
{
    struct rlimit files = {VIEWERS_MAX + 100, VIEWERS_MAX + 100};
    if (argc != 3)
        return 2;
    setrlimit(RLIMIT_NOFILE, &files);
    read_pieces(argv[1]);
    double fps = strtod(argv[2], NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct timespec each = {.tv_nsec = (long)(1e9 / (fps > 1.01 ? fps : 1.01))};
    struct itimerspec beat = {each, each};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &listen_fd};
    if (bind(listen_fd, (struct sockaddr *)&address, len) < 0 || listen(listen_fd, 4096) < 0 ||
        getsockname(listen_fd, (struct sockaddr *)&address, &len) < 0 ||
        timerfd_settime(timer_fd, 0, &beat, NULL) < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &ev) < 0)
        return 1;
    ev.data.ptr = &timer_fd;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &ev);
    printf("{\"listen\":\"127.0.0.1:%u\"}\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            uint64_t beats;
            if (events[i].data.ptr == &timer_fd) {
                if (read(timer_fd, &beats, sizeof(beats)) == sizeof(beats))
                    now += beats;
                for (unsigned k = 0; k < viewer_count; k++)
                    feed(&viewers[k]);
            } else if (events[i].data.ptr == &listen_fd) {
                int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0 || viewer_count == VIEWERS_MAX)
                    continue;
                struct viewer *v = &viewers[viewer_count++];
                *v = (struct viewer){.fd = fd};
                /* Edge-triggered: no event but when a full socket has room again. */
                struct epoll_event on = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = v};
                epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &on);
            } else {
                struct viewer *v = events[i].data.ptr;
                if (v->fd >= 0 && (events[i].events & EPOLLIN))
                    answer(v);
                feed(v);
            }
        }
    }
}
