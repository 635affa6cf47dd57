/* A connection: what comes in over it, and what goes out. */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "http/linux_tcp_info.h"
#include "rtsp/server.h"

#define UNSENT_BYTES 65536 /* the kernel may hold no more of a viewer that does not read */
#define LITTLE_BYTES 16384
#define PIECES       32    /* frames given to the kernel at once */
#define TURNS        8     /* of sending, before others have theirs */
#define GONE_MS      10000 /* without an acknowledgement, the other side is gone */

/* --- life ---------------------------------------------------------------------------------------------- */

static void on_socket(struct se_watch *watch, uint32_t events);

static void set_up_socket(int fd)
{
    int one = 1, unsent = UNSENT_BYTES, gone = GONE_MS, idle = 10, interval = 5;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone, sizeof(gone));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
}

/* An IPv4 address may come dressed as IPv6; it is one address all the same. */
static void address_text(const struct sockaddr_storage *peer, char out[INET6_ADDRSTRLEN])
{
    char text[INET6_ADDRSTRLEN] = "?";
    socklen_t size = peer->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    getnameinfo((const struct sockaddr *)peer, size, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
    const char *plain = strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.') ? text + 7 : text;
    snprintf(out, INET6_ADDRSTRLEN, "%s", plain);
}

static bool room_for(struct rtsp_out *out, const char *address)
{
    unsigned its = 0;
    if (out->viewer_count >= out->connections_max) {
        rtsp_count(RTSP_M_REFUSED_FULL);
        return false;
    }
    for (const struct viewer *viewer = out->viewers; viewer; viewer = viewer->next)
        its += strcmp(viewer->address, address) == 0;
    if (its >= out->address_max)
        rtsp_count(RTSP_M_REFUSED_ADDRESS);
    return its < out->address_max;
}

void viewer_accept(struct rtsp_out *out, int fd, const struct sockaddr_storage *peer)
{
    char address[INET6_ADDRSTRLEN];
    address_text(peer, address);
    struct viewer *viewer = room_for(out, address) ? calloc(1, sizeof(*viewer)) : NULL;
    if (!viewer) {
        close(fd);
        return;
    }
    set_up_socket(fd);
    viewer->out = out;
    viewer->peer = *peer;
    memcpy(viewer->address, address, sizeof(address));
    viewer->watch = (struct se_watch){.fn = on_socket, .fd = -1};
    viewer->events = EPOLLIN | EPOLLRDHUP;
    viewer->state_us = viewer->heard_us = se_loop_now_us(out->loop);
    for (unsigned i = 0; i < TRACKS; i++) {
        viewer->pairs[i].rtp = viewer->pairs[i].rtcp = -1;
        viewer->pairs[i].rtp_watch.fd = viewer->pairs[i].rtcp_watch.fd = -1;
    }
    if (se_watch_add(out->loop, &viewer->watch, fd, viewer->events) < 0) {
        rtsp_count(RTSP_M_REFUSED_FILES);
        close(fd);
        free(viewer);
        return;
    }
    viewer->next = out->viewers;
    if (viewer->next)
        viewer->next->prev = viewer;
    out->viewers = viewer;
    out->viewer_count++;
    se_metric_set(&rtsp_metrics[RTSP_M_CONNECTIONS], out->viewer_count);
}

void viewer_free(struct viewer *viewer)
{
    free(viewer->in);
    se_str_fini(&viewer->answers);
    free(viewer);
}

void viewer_leave(struct viewer *viewer)
{
    if (viewer->state != VIEWER_OPEN)
        se_metric_add(&rtsp_metrics[viewer->udp ? RTSP_M_VIEWERS_UDP : RTSP_M_VIEWERS_TCP], -1);
    udp_close(viewer);
    feed_leave(viewer);
    /* A frame that was begun on the connection is ended there, and nothing comes after it. */
    if (viewer->current && !viewer->udp)
        viewer->closing = true;
    else
        packets_unref(&viewer->current);
    viewer->sent = viewer->closing ? viewer->sent : 0;
    viewer->state = VIEWER_OPEN;
    viewer->session[0] = '\0';
    viewer->tracks = 0;
    viewer->at = 0;
    viewer->udp = viewer->waiting = viewer->audited = false;
    viewer->heard_us = viewer->state_us = se_loop_now_us(viewer->out->loop);
    memset(viewer->lost, 0, sizeof(viewer->lost));
}

void viewer_close(struct viewer *viewer)
{
    struct rtsp_out *out = viewer->out;
    int fd = viewer->watch.fd;
    if (viewer->dead)
        return;
    viewer_leave(viewer);
    packets_unref(&viewer->current);
    se_watch_del(&viewer->watch);
    close(fd);
    if (viewer->prev)
        viewer->prev->next = viewer->next;
    else
        out->viewers = viewer->next;
    if (viewer->next)
        viewer->next->prev = viewer->prev;
    out->viewer_count--;
    se_metric_set(&rtsp_metrics[RTSP_M_CONNECTIONS], out->viewer_count);
    viewer->dead = true;
    viewer->next = out->dead;
    out->dead = viewer;
}

void viewer_cut(struct viewer *viewer, enum rtsp_metric why)
{
    if (viewer->dead)
        return;
    rtsp_count(why);
    se_debug("rtsp", "viewer cut address=%s camera=%s cause=\"%s\"", viewer->address, viewer->camera_id,
             rtsp_metrics[why].labels ? rtsp_metrics[why].labels : "");
    if (viewer->state == VIEWER_PLAYING && why != RTSP_M_CUT_STALLED) {
        viewer_report(viewer, true);
        if (!viewer->udp && !viewer->blocked) {
            viewer->closing = true;
            viewer_flush(viewer);
        }
    }
    viewer_close(viewer);
}

/* --- out ----------------------------------------------------------------------------------------------- */

static void watch_for(struct viewer *viewer, uint32_t events)
{
    if (viewer->events != events && se_watch_set(&viewer->watch, events) == 0)
        viewer->events = events;
}

static void watch_what_is_due(struct viewer *viewer)
{
    /* While a request is worked on nothing is read, but a connection that ends is noticed. */
    uint32_t events = EPOLLRDHUP;
    if (!viewer->busy && !viewer->closing)
        events |= EPOLLIN;
    if (viewer->blocked)
        events |= EPOLLOUT;
    watch_for(viewer, events);
}

bool viewer_find_place(struct viewer *viewer)
{
    const struct feed *feed = viewer->feed;
    if (viewer->at < feed->first) {
        if (!feed->newest_key)
            return false;
        if (viewer->at)
            se_metric_add(&rtsp_metrics[RTSP_M_SKIPPED], (int64_t)(feed->newest_key - viewer->at));
        viewer->at = feed->newest_key;
    }
    return viewer->at < feed->end;
}

/* The pieces of one sendmsg(): what was begun, answers, frames. Returns how many; places[i] is the number of
 * the frame behind piece i, 0: not a frame of the ring. */
static unsigned gather(struct viewer *viewer, struct iovec pieces[PIECES], uint64_t places[PIECES])
{
    unsigned n = 0;
    if (viewer->current) {
        pieces[n] =
            (struct iovec){viewer->current->bytes + viewer->sent, viewer->current->size - viewer->sent};
        places[n++] = 0;
    }
    if (viewer->answers.len > viewer->answered) {
        pieces[n] =
            (struct iovec){viewer->answers.data + viewer->answered, viewer->answers.len - viewer->answered};
        places[n++] = 0;
    }
    if (viewer->state != VIEWER_PLAYING || viewer->udp || viewer->closing || !viewer_find_place(viewer))
        return n;
    for (uint64_t i = viewer->at; i < viewer->feed->end && n < PIECES; i++) {
        const struct packets *packets = feed_at(viewer->feed, i);
        if (!(viewer->tracks & 1u << packets->track))
            continue;
        pieces[n] = (struct iovec){packets->bytes, packets->size};
        places[n++] = i;
    }
    if (!n)
        viewer->at = viewer->feed->end; /* none of its tracks */
    return n;
}

/* size bytes have gone. */
static void went(struct viewer *viewer, size_t size, const struct iovec *pieces, const uint64_t *places,
                 unsigned n)
{
    for (unsigned i = 0; i < n && size > 0; i++) {
        size_t part = size < pieces[i].iov_len ? size : pieces[i].iov_len;
        bool whole = part == pieces[i].iov_len;
        size -= part;
        if (places[i]) {
            viewer->at = places[i] + 1;
            if (!whole) {
                viewer->current = packets_ref(feed_at(viewer->feed, places[i]));
                viewer->sent = part;
            }
        } else if (viewer->current && i == 0) {
            viewer->sent += part;
            if (whole) {
                packets_unref(&viewer->current);
                viewer->sent = 0;
            }
        } else {
            viewer->answered += part;
            if (whole) {
                se_str_fini(&viewer->answers);
                viewer->answered = 0;
            }
        }
    }
}

/* 0: all has gone; 1: more is due; -EAGAIN: no room; other: the connection is over. */
static int send_some(struct viewer *viewer)
{
    struct iovec pieces[PIECES];
    uint64_t places[PIECES];
    unsigned n = gather(viewer, pieces, places);
    size_t total = 0;
    if (!n)
        return 0;
    for (unsigned i = 0; i < n; i++)
        total += pieces[i].iov_len;
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = n};
    ssize_t sent = sendmsg(viewer->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EINTR ? 1 : errno == EWOULDBLOCK ? -EAGAIN : -errno;
    if (places[n - 1] || viewer->current)
        se_metric_add(&rtsp_metrics[RTSP_M_BYTES_TCP], sent);
    went(viewer, (size_t)sent, pieces, places, n);
    if ((size_t)sent < total)
        return -EAGAIN;
    return n == PIECES;
}

static void pace(struct rtsp_out *out)
{
    if (!out->pace.slot)
        se_timer_in(out->loop, &out->pace, UDP_TURN_US);
}

void viewer_flush(struct viewer *viewer)
{
    int r = 1;
    if (viewer->dead)
        return;
    for (unsigned i = 0; i < TURNS && r == 1; i++)
        r = send_some(viewer);
    if (r < 0 && r != -EAGAIN) {
        viewer_close(viewer);
        return;
    }
    viewer->blocked = r != 0; /* after so many turns it comes again when the others had theirs */
    if (!viewer->blocked && viewer->closing) {
        viewer_close(viewer);
        return;
    }
    if (viewer->udp && viewer->state == VIEWER_PLAYING && !viewer->closing && udp_flush(viewer))
        pace(viewer->out);
    if (!viewer->dead)
        watch_what_is_due(viewer);
}

void viewer_report(struct viewer *viewer, bool bye)
{
    const struct feed *feed = viewer->feed;
    for (unsigned i = 0; feed && i < TRACKS; i++) {
        uint8_t rtcp[RTCP_MAX], head[INTERLEAVED_FRAME];
        if (!(viewer->tracks & 1u << i))
            continue;
        size_t size = feed_report(feed, i, bye, rtcp);
        if (viewer->udp) {
            udp_report(viewer, i, rtcp, size);
            continue;
        }
        head[0] = '$';
        head[1] = feed->tracks[i].channel + 1;
        head[2] = 0;
        head[3] = (uint8_t)size;
        se_str_add(&viewer->answers, head, sizeof(head));
        se_str_add(&viewer->answers, rtcp, size);
    }
}

static const char *reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {413, "Request Entity Too Large"},
        {414, "Request-URI Too Large"},
        {429, "Too Many Requests"},
        {451, "Parameter Not Understood"},
        {453, "Not Enough Bandwidth"},
        {454, "Session Not Found"},
        {455, "Method Not Valid in This State"},
        {459, "Aggregate Operation Not Allowed"},
        {461, "Unsupported Transport"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "RTSP Version Not Supported"},
        {551, "Option Not Supported"},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Error";
}

void viewer_answer(struct viewer *viewer, unsigned status, const char *extra, const char *body)
{
    static const enum rtsp_metric classes[] = {RTSP_M_2XX, RTSP_M_3XX, RTSP_M_4XX, RTSP_M_5XX};
    struct se_str *out = &viewer->answers;
    rtsp_count(classes[status / 100 - 2]);
    se_debug("rtsp", "answered address=%s method=%d status=%u", viewer->address, viewer->request.method,
             status);
    se_str_printf(out, "RTSP/1.0 %u %s\r\nCSeq: %s\r\n", status, reason(status), viewer->request.cseq);
    se_str_puts(out, "Server: sharpeyes\r\n");
    if (viewer->session[0])
        se_str_printf(out, "Session: %s;timeout=%u\r\n", viewer->session, viewer->out->session_s);
    se_str_puts(out, extra ? extra : "");
    if (body)
        se_str_printf(out, "Content-Length: %zu\r\n", strlen(body));
    se_str_puts(out, "\r\n");
    se_str_puts(out, body ? body : "");
}

/* --- in ------------------------------------------------------------------------------------------------ */

void viewer_heard(struct viewer *viewer, unsigned track, const uint8_t *data, size_t size)
{
    uint32_t lost;
    viewer->heard_us = se_loop_now_us(viewer->out->loop);
    if (!viewer->feed || !rtcp_receiver_report(data, size, viewer->feed->tracks[track].ssrc, &lost))
        return;
    if (lost > viewer->lost[track])
        se_metric_add(&rtsp_metrics[RTSP_M_UDP_LOST], lost - viewer->lost[track]);
    viewer->lost[track] = lost;
}

static void malformed(struct viewer *viewer, unsigned status)
{
    rtsp_count(RTSP_M_CUT_MALFORMED);
    viewer->request.cseq[0] = '0';
    viewer->request.cseq[1] = '\0';
    viewer_answer(viewer, status, "Connection: close\r\n", NULL);
    viewer->closing = true;
}

/* "$", channel, length: what a player says to us there are reports. Bytes it took; 0: more are needed. */
static size_t take_frame(struct viewer *viewer, const uint8_t *data, size_t size)
{
    if (size < INTERLEAVED_FRAME)
        return 0;
    size_t length = INTERLEAVED_FRAME + ((size_t)data[2] << 8 | data[3]);
    bool report = data[1] < 2 * TRACKS && data[1] % 2 && length <= 2048;
    if (size < length) {
        if (report)
            return 0;
        viewer->skip = length - size;
        return size;
    }
    if (report)
        viewer_heard(viewer, data[1] / 2, data + INTERLEAVED_FRAME, length - INTERLEAVED_FRAME);
    return length;
}

/* One thing off the front: bytes it took, 0: more are needed. */
static size_t take(struct viewer *viewer, uint8_t *data, size_t size)
{
    struct rtsp_message message;
    if (viewer->skip) {
        size_t n = size < viewer->skip ? size : viewer->skip;
        viewer->skip -= n;
        return n;
    }
    if (data[0] == '\r' || data[0] == '\n')
        return 1;
    if (data[0] == '$')
        return take_frame(viewer, data, size);
    long n = rtsp_message_parse(data, size, &message);
    if (n < 0 || (n == 0 && size >= INPUT_MAX)) {
        malformed(viewer, n == -EBADMSG || n == -EPROTONOSUPPORT ? 400 : 413);
        return size;
    }
    viewer->heard_us = se_loop_now_us(viewer->out->loop);
    if (n > 0 && message.request) {
        rtsp_count(RTSP_M_REQUESTS);
        session_request(viewer, &message);
    }
    return (size_t)n;
}

/* Understands what it can of size bytes and keeps the rest. data may be the kept bytes themselves. */
static void take_all(struct viewer *viewer, uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size && !viewer->busy && !viewer->closing && !viewer->dead) {
        size_t n = take(viewer, data + at, size - at);
        if (!n)
            break;
        at += n;
        if (viewer->answers.len - viewer->answered > ANSWERS_MAX) {
            viewer_cut(viewer, RTSP_M_CUT_BACKLOG);
            return;
        }
    }
    if (viewer->dead)
        return;
    size_t left = viewer->closing ? 0 : size - at;
    if (!left) {
        free(viewer->in);
        viewer->in = NULL;
    } else if (data == viewer->in) {
        memmove(viewer->in, viewer->in + at, left);
    } else if ((viewer->in = malloc(INPUT_MAX))) {
        memcpy(viewer->in, data + at, left);
    } else {
        viewer_close(viewer);
        return;
    }
    viewer->in_size = left;
}

void viewer_done(struct viewer *viewer)
{
    viewer->busy = viewer->waiting = false;
    if (viewer->in && !viewer->dead)
        take_all(viewer, viewer->in, viewer->in_size);
    viewer_flush(viewer);
}

static void read_some(struct viewer *viewer)
{
    struct rtsp_out *out = viewer->out;
    uint8_t *into = viewer->in ? viewer->in + viewer->in_size : out->input;
    size_t room = INPUT_MAX - (viewer->in ? viewer->in_size : 0);
    ssize_t n = recv(viewer->watch.fd, into, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        viewer_close(viewer);
        return;
    }
    take_all(viewer, viewer->in ? viewer->in : out->input, (viewer->in ? viewer->in_size : 0) + (size_t)n);
    viewer_flush(viewer);
}

static void on_socket(struct se_watch *watch, uint32_t events)
{
    struct viewer *viewer = SE_CONTAINER_OF(watch, struct viewer, watch);
    if (events & (EPOLLERR | EPOLLHUP)) {
        viewer_close(viewer);
        return;
    }
    if (events & EPOLLIN)
        read_some(viewer);
    else if (events & EPOLLRDHUP)
        viewer_close(viewer);
    if (!viewer->dead && (events & EPOLLOUT))
        viewer_flush(viewer);
}

/* --- once a second ------------------------------------------------------------------------------------- */

/* Did it read in the last second? Its kernel takes megabytes for it before it takes no more, so that says
 * little; that it makes as much room as it takes says it at once. Of a few bytes nobody can tell. */
static bool reads(struct viewer *viewer)
{
    uint64_t acked = viewer->acked, edge = viewer->edge;
    if (!tcp_room(viewer->watch.fd, &acked, &edge))
        return true; /* over in a moment, and noticed otherwise */
    uint64_t taken = acked - viewer->acked, room = edge - viewer->edge;
    if (taken < LITTLE_BYTES)
        return !viewer->blocked;
    viewer->acked = acked;
    viewer->edge = edge;
    return room >= taken / 4;
}

/* Has it read nothing for too long? The kernel of one that does not read makes some room now and then by
 * packing what it holds, so one second says nothing. */
static bool stalled(struct viewer *viewer)
{
    bool now = reads(viewer);
    if (now && viewer->read_before)
        viewer->dry = 0;
    else if (!now)
        viewer->dry++;
    viewer->read_before = now;
    return viewer->dry >= viewer->out->stall_s;
}

/* How long one may be connected without watching: the less, the fuller the house. */
static int64_t patience(const struct rtsp_out *out)
{
    bool crowded = out->viewer_count > out->connections_max / 4 * 3;
    return crowded && out->idle_us > 3 * SE_US_PER_S ? 3 * SE_US_PER_S : out->idle_us;
}

void viewer_second(struct viewer *viewer, se_mono_us now_us)
{
    struct rtsp_out *out = viewer->out;
    int64_t session_us = out->session_s * SE_US_PER_S * 5 / 4; /* what players are told, and some more */
    if (viewer->granted && !access_still(out->deps.access, &viewer->who)) {
        viewer_cut(viewer, RTSP_M_CUT_REVOKED);
    } else if (stalled(viewer)) {
        viewer_cut(viewer, RTSP_M_CUT_STALLED);
    } else if (viewer->waiting && now_us - viewer->waiting_us >= out->start_us) {
        session_late(viewer);
    } else if (viewer->state == VIEWER_PLAYING && viewer->udp && now_us - viewer->heard_us >= session_us) {
        viewer_cut(viewer, RTSP_M_CUT_SILENT);
    } else if (viewer->state != VIEWER_PLAYING && !viewer->busy) {
        /* Paused ones keep their session by asking for something, and open ones have a while to begin. */
        int64_t silence = now_us - (viewer->granted ? viewer->heard_us : viewer->state_us);
        int64_t allowed = viewer->state == VIEWER_READY ? session_us : patience(out);
        if (silence >= allowed)
            viewer_cut(viewer, RTSP_M_CUT_IDLE);
    }
}
