/* Many HTTP viewers in one epoll loop, for `./dev bench viewers|wall|latency|start`: they take the chunks
 * apart, follow the boxes of fMP4 (or the records of GET /api/v1/live around them), and throw the media away.
 *
 *   watch-http ADDRESS:PORT PATH[,PATH…] COUNT [--token T] [--page] [--every MS] [--record FILE --seconds S]
 *
 * They take the paths in turn, and come all at once or one each so many milliseconds.
 * Writes {"pages":[…]} when all pages said their ids (--page), {"ready":COUNT,…} when each has a whole frame,
 * and statistics since the last ones for each line on standard input; ends with it. --record keeps what the
 * first viewer gets, a length of 4 bytes before each chunk: fanout-bare sends it again. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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

#define COUNT_MAX   20000
#define PATHS_MAX   1024
#define BUFFER      (256u * 1024)
#define SAMPLES_MAX (1u << 20)
#define STAMP       "camera-sim-stamp" /* tests/camera/README.md */
#define RECORD_HEAD 8                  /* api/README.md: kind, tile, two zeroes, length */

enum state { HEADERS, CHUNK_HEAD, CHUNK, CHUNK_END, ENDED, BAD };

struct viewer {
    int fd;
    enum state state;
    int64_t asked_us;
    unsigned match; /* of the empty line after the headers */
    char text[16];  /* of the status line, or of a chunk's head */
    unsigned text_len;
    char first[80]; /* a page's first record */
    unsigned first_len;
    size_t chunk;    /* bytes of it still to come */
    uint8_t head[8]; /* of a box or record that is not whole yet */
    unsigned head_len;
    uint64_t record, box; /* bytes of them still to come */
    char type[4];         /* of the box */
    bool media;           /* it is an mdat */
    bool json;            /* the record is a page's first */
    bool identified, ready;
    uint8_t front[48]; /* an mdat's first bytes: a stamp may be there */
    unsigned front_len;
    uint64_t frames;
};

static struct viewer *viewers;
static unsigned count, ready, identified, ended, bad;
static uint64_t bytes, frames, frames_before;
static bool page;
static uint8_t buffer[BUFFER];
static uint32_t *first_us, *latency_us;
static unsigned first_count, latency_count;
static FILE *record;
static int64_t now_us;

/* --- what is in the body -------------------------------------------------------------------------------- */

static void frame_done(struct viewer *v)
{
    char digits[17] = "";
    frames++;
    v->frames++;
    if (!v->ready) {
        v->ready = true;
        ready++;
        first_us[first_count++] = (uint32_t)(now_us - v->asked_us);
    }
    if (v->front_len == sizeof(v->front) && !memcmp(v->front + 7, STAMP, 16)) {
        memcpy(digits, v->front + 7 + 16, 16);
        int64_t took = now_us - (int64_t)strtoull(digits, NULL, 16);
        if (latency_count < SAMPLES_MAX)
            latency_us[latency_count++] = took < 0 ? 0 : (uint32_t)took;
    }
}

/* What is recorded, a frame (or the init segment) at a time. */
static void keep(const uint8_t *data, size_t size, bool last)
{
    static uint8_t *whole;
    static size_t used, cap;
    if (used + size > cap) {
        cap = (used + size) * 2;
        whole = realloc(whole, cap);
        if (!whole)
            abort();
    }
    memcpy(whole + used, data, size);
    used += size;
    if (last) {
        uint32_t length = (uint32_t)used;
        fwrite(&length, 4, 1, record);
        fwrite(whole, 1, used, record);
        used = 0;
    }
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Boxes; false: these are none. */
static bool boxes(struct viewer *v, const uint8_t *data, size_t size)
{
    while (size) {
        if (v->box) {
            size_t n = v->box < size ? v->box : size;
            if (v->media && v->front_len < sizeof(v->front)) {
                size_t room = sizeof(v->front) - v->front_len, take = n < room ? n : room;
                memcpy(v->front + v->front_len, data, take);
                v->front_len += (unsigned)take;
            }
            v->box -= n;
            if (record && v == viewers)
                keep(data, n, !v->box && (v->media || !memcmp(v->type, "moov", 4)));
            data += n;
            size -= n;
            if (!v->box && v->media)
                frame_done(v);
            continue;
        }
        v->head[v->head_len++] = *data++;
        size--;
        if (v->head_len < 8)
            continue;
        v->head_len = 0;
        uint32_t length = be32(v->head);
        if (length <= 8 || (memcmp(v->head + 4, "moof", 4) && memcmp(v->head + 4, "mdat", 4) &&
                            memcmp(v->head + 4, "ftyp", 4) && memcmp(v->head + 4, "moov", 4)))
            return false;
        v->box = length - 8;
        memcpy(v->type, v->head + 4, 4);
        v->media = !memcmp(v->type, "mdat", 4);
        if (record && v == viewers)
            keep(v->head, 8, false);
        v->front_len = 0;
    }
    return true;
}

/* A page's records: kind, tile, 0, 0, length. The first says which page this is; media are boxes. */
static bool records(struct viewer *v, const uint8_t *data, size_t size)
{
    while (size) {
        if (!v->record) {
            v->head[v->head_len++] = *data++;
            size--;
            if (v->head_len < RECORD_HEAD)
                continue;
            v->head_len = 0;
            v->record = be32(v->head + 4);
            v->json = v->head[0] == 0;
            if (v->head[0] > 3 || v->head[2] || v->head[3])
                return false;
            continue;
        }
        size_t n = v->record < size ? v->record : size;
        if (v->json) {
            for (size_t i = 0; i < n && !v->identified && v->first_len < sizeof(v->first) - 1; i++)
                v->first[v->first_len++] = (char)data[i];
        } else if (!boxes(v, data, n)) {
            return false;
        }
        v->record -= n;
        data += n;
        size -= n;
        if (!v->record && v->json && !v->identified) {
            v->first[v->first_len] = 0;
            v->identified = true;
            identified++;
        }
    }
    return true;
}

/* --- HTTP ----------------------------------------------------------------------------------------------- */

static size_t headers(struct viewer *v, const uint8_t *data, size_t size)
{
    static const char end[] = "\r\n\r\n";
    size_t at = 0;
    while (at < size && v->match < 4) {
        if (v->text_len < 12)
            v->text[v->text_len++] = (char)data[at];
        v->match = data[at] == (uint8_t)end[v->match] ? v->match + 1 : data[at] == '\r';
        at++;
    }
    if (v->match == 4) {
        v->state = memcmp(v->text, "HTTP/1.1 200", 12) ? BAD : CHUNK_HEAD;
        v->text_len = 0;
    }
    return at;
}

/* The size in hexadecimal and CR LF. */
static size_t chunk_head(struct viewer *v, const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        char c = (char)data[at++];
        if (c == '\n') {
            char *stop;
            v->text[v->text_len] = 0;
            v->chunk = strtoul(v->text, &stop, 16);
            v->state = stop == v->text || *stop != '\r' ? BAD : v->chunk ? CHUNK : ENDED;
            v->text_len = 0;
            break;
        }
        if (v->text_len >= 12) {
            v->state = BAD;
            break;
        }
        v->text[v->text_len++] = c;
    }
    return at;
}

static void parse(struct viewer *v, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size && v->state < ENDED;) {
        if (v->state == HEADERS) {
            at += headers(v, data + at, size - at);
        } else if (v->state == CHUNK_HEAD) {
            at += chunk_head(v, data + at, size - at);
        } else if (v->state == CHUNK) {
            size_t n = v->chunk < size - at ? v->chunk : size - at;
            if (!(page ? records(v, data + at, n) : boxes(v, data + at, n)))
                v->state = BAD;
            v->chunk -= n;
            at += n;
            if (!v->chunk && v->state != BAD) {
                v->state = CHUNK_END;
                v->match = 0;
            }
        } else {
            if (data[at++] != (unsigned char)"\r\n"[v->match++])
                v->state = BAD;
            else if (v->match == 2)
                v->state = CHUNK_HEAD;
        }
    }
}

static void leave(struct viewer *v)
{
    close(v->fd);
    v->fd = -1;
}

static void receive(struct viewer *v)
{
    ssize_t n = recv(v->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    now_us = clock_us();
    if (n > 0) {
        bytes += (uint64_t)n;
        parse(v, buffer, (size_t)n);
    }
    if (v->state == BAD || n < 0)
        bad++;
    else if (n == 0 || v->state == ENDED)
        ended++;
    else
        return;
    leave(v);
}

/* --- the loop ------------------------------------------------------------------------------------------- */

static struct {
    struct sockaddr_in address;
    char host[64];
    char *paths[PATHS_MAX];
    unsigned path_count;
    const char *token;
    int64_t every_us, next_us;
    unsigned asked;
} crowd;

static void ask(int epoll_fd)
{
    struct viewer *v = &viewers[crowd.asked];
    const char *path = crowd.paths[crowd.asked % crowd.path_count];
    char request[2048];
    crowd.asked++;
    crowd.next_us += crowd.every_us;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n",
             path, crowd.host, crowd.token);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = v};
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (v->fd < 0 || connect(v->fd, (const struct sockaddr *)&crowd.address, sizeof(crowd.address)) < 0) {
        perror("watch-http: connect");
        exit(1);
    }
    v->asked_us = clock_us();
    if (send(v->fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, v->fd, &ev) < 0) {
        perror("watch-http: send");
        exit(1);
    }
}

static void say_pages(void)
{
    printf("{\"pages\":[");
    for (unsigned i = 0; i < count; i++)
        printf("%s%s", i ? "," : "", viewers[i].first);
    printf("]}\n");
    fflush(stdout);
}

static void say_ready(void)
{
    double p50 = percentile(first_us, first_count, 500), p99 = percentile(first_us, first_count, 990);
    double most = percentile(first_us, first_count, 1000);
    printf("{\"ready\":%u,\"first_ms\":{\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f}}\n", ready, p50, p99, most);
    fflush(stdout);
}

/* Since the last time. */
static void say_statistics(void)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        least = viewers[i].frames < least ? viewers[i].frames : least;
        viewers[i].frames = 0;
    }
    double p50 = percentile(latency_us, latency_count, 500), p99 = percentile(latency_us, latency_count, 990);
    double most = percentile(latency_us, latency_count, 1000);
    printf("{\"viewers\":%u,\"ended\":%u,\"bad\":%u,\"bytes\":%" PRIu64 ",\"frames\":%" PRIu64
           ",\"fewest_frames\":%" PRIu64 ",\"latency\":{\"count\":%u,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"max_ms\":%.3f}}\n",
           count, ended, bad, bytes, frames - frames_before, least, latency_count, p50, p99, most);
    fflush(stdout);
    frames_before = frames;
    bytes = 0;
    latency_count = 0;
}

static void run(int epoll_fd, int64_t until_us)
{
    struct epoll_event events[256];
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = NULL};
    bool said_pages = !page, said_ready = false;
    if (!record)
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &in);
    while (!until_us || clock_us() < until_us) {
        int64_t left_us = crowd.next_us - clock_us();
        for (; crowd.asked < count && left_us <= 0; left_us = crowd.next_us - clock_us())
            ask(epoll_fd);
        int wait_ms = crowd.asked < count ? (int)(left_us / 1000) + 1 : until_us ? 100 : -1;
        int n = epoll_wait(epoll_fd, events, 256, wait_ms);
        for (int i = 0; i < n; i++) {
            char line[256];
            if (events[i].data.ptr) {
                receive(events[i].data.ptr);
            } else if (read(STDIN_FILENO, line, sizeof(line)) > 0) {
                say_statistics();
            } else {
                return;
            }
        }
        if (!said_pages && identified == count) {
            said_pages = true;
            say_pages();
        }
        if (!said_ready && ready == count) {
            said_ready = true;
            say_ready();
        }
        if (ended + bad == count)
            return;
        if (bad && !said_ready) { /* nobody would wait for that to become all of them */
            fprintf(stderr, "watch-http: %u of %u were refused or sent nonsense\n", bad, count);
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"token", required_argument, NULL, 't'},  {"page", no_argument, NULL, 'p'},
        {"record", required_argument, NULL, 'r'}, {"seconds", required_argument, NULL, 's'},
        {"every", required_argument, NULL, 'e'},  {0}};
    const char *file = NULL;
    double seconds = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 't')
            crowd.token = optarg;
        else if (option == 'p')
            page = true;
        else if (option == 'r')
            file = optarg;
        else if (option == 's')
            seconds = strtod(optarg, NULL);
        else if (option == 'e')
            crowd.every_us = strtol(optarg, NULL, 10) * 1000;
        else
            return 2;
    }
    if (argc - optind != 3) {
        fputs("usage: watch-http ADDRESS:PORT PATH[,PATH...] COUNT [--token T] [--page] [--every MS] "
              "[--record FILE --seconds S]\n",
              stderr);
        return 2;
    }
    struct rlimit files = {COUNT_MAX + 100, COUNT_MAX + 100};
    setrlimit(RLIMIT_NOFILE, &files);
    snprintf(crowd.host, sizeof(crowd.host), "%s", argv[optind]);
    for (char *rest = argv[optind + 1]; rest && crowd.path_count < PATHS_MAX;)
        crowd.paths[crowd.path_count++] = strsep(&rest, ",");
    count = (unsigned)strtoul(argv[optind + 2], NULL, 10);
    char ip[64], *colon;
    snprintf(ip, sizeof(ip), "%s", crowd.host);
    colon = strrchr(ip, ':');
    if (!colon || !count || count > COUNT_MAX || !crowd.path_count)
        return 2;
    *colon = 0;
    crowd.address.sin_family = AF_INET;
    crowd.address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, ip, &crowd.address.sin_addr) != 1)
        return 2;
    viewers = calloc(count, sizeof(*viewers));
    first_us = calloc(count, sizeof(*first_us));
    latency_us = calloc(SAMPLES_MAX, sizeof(*latency_us));
    record = file ? fopen(file, "we") : NULL;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!viewers || !first_us || !latency_us || (file && !record) || epoll_fd < 0)
        return 1;
    crowd.next_us = clock_us();
    run(epoll_fd, seconds > 0 ? clock_us() + (int64_t)(seconds * 1e6) : 0);
    return record && fclose(record) ? 1 : 0;
}
