#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "camera.h"

static void want(struct client *client)
{
    if (client->doomed || client->mute)
        return;
    se_watch_set(&client->watch, EPOLLIN | (client->out_size > client->out_at ? EPOLLOUT : 0u));
}

static void doom(struct client *client)
{
    if (client->doomed)
        return;
    client->doomed = true;
    client_session_end(client);
    se_watch_del(&client->watch);
    close(client->fd);
    client->fd = -1;
}

/* Keeps what the socket did not take; the limit was checked before anything was sent. */
static bool keep(struct client *client, const struct iovec *parts, unsigned count, size_t sent, size_t size)
{
    size_t left = size - sent;

    if (client->out_at == client->out_size)
        client->out_at = client->out_size = 0;
    if (client->out_cap - client->out_size < left) {
        size_t waiting = client->out_size - client->out_at;
        size_t cap = 2 * (waiting + left) + (64u << 10); /* doubled: an endless frame comes in pieces */
        uint8_t *out = malloc(cap);

        if (!out)
            return false;
        if (waiting)
            memcpy(out, client->out + client->out_at, waiting);
        free(client->out);
        client->out = out;
        client->out_cap = (uint32_t)cap;
        client->out_at = 0;
        client->out_size = (uint32_t)waiting;
    }
    for (unsigned i = 0; i < count; i++) {
        if (sent >= parts[i].iov_len) {
            sent -= parts[i].iov_len;
            continue;
        }
        memcpy(client->out + client->out_size, (const uint8_t *)parts[i].iov_base + sent,
               parts[i].iov_len - sent);
        client->out_size += (uint32_t)(parts[i].iov_len - sent);
        sent = 0;
    }
    return true;
}

/* Sends what the socket takes and keeps the rest. */
static void put(struct client *client, struct iovec *parts, unsigned count, size_t size)
{
    size_t sent = 0, waiting = client->out_size - client->out_at;
    unsigned first = 0;

    while (waiting == 0 && sent < size) {
        unsigned now = count - first < IOV_MAX ? count - first : IOV_MAX;
        struct msghdr message = {.msg_iov = parts + first, .msg_iovlen = now};
        ssize_t n;
        size_t whole = 0;

        for (unsigned i = 0; i < now; i++)
            whole += parts[first + i].iov_len;
        n = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            doom(client);
            return;
        }
        if (n > 0)
            sent += (size_t)n;
        if (n < 0 || (size_t)n < whole)
            break;
        first += now;
    }
    if (sent < size && !keep(client, parts, count, sent, size)) {
        doom(client); /* half a packet went out: the connection cannot be used any more */
        return;
    }
    if (sent < size)
        want(client);
}

bool client_send_raw(struct client *client, const void *data, size_t size)
{
    struct iovec part = {(void *)data, size};

    if (!client->doomed && !client->mute)
        put(client, &part, 1, size);
    return !client->doomed;
}

bool client_send(struct client *client, struct iovec *parts, unsigned count, size_t size)
{
    size_t waiting = client->out_size - client->out_at;

    if (client->doomed || client->mute)
        return true;
    if (waiting > 0 && waiting + size > client->out_max)
        return false;
    if (!client->tls)
        put(client, parts, count, size);
    else if (!tls_send(client->tls, parts, count))
        doom(client);
    return true;
}

static void flush(struct client *client)
{
    while (client->out_at < client->out_size) {
        ssize_t n = send(client->fd, client->out + client->out_at, client->out_size - client->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                doom(client);
            return;
        }
        client->out_at += (uint32_t)n;
    }
    client->out_at = client->out_size = 0;
    if (client->out_cap > OUT_MAX * 2) {
        free(client->out);
        client->out = NULL;
        client->out_cap = 0;
    }
}

/* Bytes of the request at the front, its body included; 0: not whole yet, -1: not a request. */
static long request_size(const struct client *client, size_t *ret_head)
{
    const char *end = memmem(client->in, client->in_size, "\r\n\r\n", 4);
    size_t body = 0;

    if (!end)
        return client->in_size == REQUEST_MAX ? -1 : 0;
    *ret_head = (size_t)(end - client->in) + 4;
    for (const char *line = client->in; line < end; line++) {
        if (line[0] == '\n' && end - line > 15 && strncasecmp(line + 1, "content-length:", 15) == 0)
            body = strtoul(line + 16, NULL, 10);
    }
    if (body > REQUEST_MAX - *ret_head)
        return -1;
    return *ret_head + body <= client->in_size ? (long)(*ret_head + body) : 0;
}

static void take_input(struct client *client)
{
    uint32_t at = 0;

    while (at < client->in_size && !client->doomed && !client->mute && !client->close_after) {
        uint32_t left = client->in_size - at;
        size_t head = 0;
        long size;

        if (client->skip > 0) {
            uint32_t n = left < client->skip ? left : client->skip;
            client->skip -= n;
            at += n;
            continue;
        }
        if (client->in[at] == '$') { /* a receiver report: it says that the viewer lives */
            if (left < 4)
                break;
            client->skip = 4 + ((uint32_t)(uint8_t)client->in[at + 2] << 8 | (uint8_t)client->in[at + 3]);
            if (client->stream && (client->stream->camera->keepalive == KEEPALIVE_ANY ||
                                   client->stream->camera->keepalive == KEEPALIVE_RTCP))
                client->alive_us = se_mono_now_us();
            continue;
        }
        if (client->in[at] == '\r' || client->in[at] == '\n') { /* RFC 2326: empty lines before a request */
            at++;
            continue;
        }
        memmove(client->in, client->in + at, left);
        client->in_size = left;
        at = 0;
        size = request_size(client, &head);
        if (size < 0) {
            doom(client);
            return;
        }
        if (size == 0)
            break;
        client->in[head - 2] = 0; /* in the middle of the last CRLF: each header line ends with one */
        rtsp_request(client, client->in, head - 2);
        at = (uint32_t)size;
    }
    memmove(client->in, client->in + at, client->in_size - at);
    client->in_size -= at;
}

static ssize_t receive(struct client *client)
{
    void *to = client->in + client->in_size;
    size_t size = REQUEST_MAX - client->in_size;

    return client->tls ? tls_recv(client->tls, to, size) : recv(client->fd, to, size, 0);
}

static void on_client(struct se_watch *watch, uint32_t events)
{
    struct client *client = watch->ctx;
    bool more = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;

    if (events & EPOLLOUT)
        flush(client);
    while (more && !client->doomed && !client->mute) {
        ssize_t n = receive(client);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            doom(client);
            return;
        }
        if (n > 0) {
            client->in_size += (uint32_t)n;
            take_input(client);
        }
        more = client->tls && n > 0; /* a record may hold more than was asked for */
    }
    if (client->close_after && client->out_at == client->out_size)
        doom(client);
    want(client);
}

static struct client *client_new(struct listener *listener, int fd)
{
    struct server *server = listener->server;
    struct client *client = server->client_count < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
    int one = 1;

    if (!client) {
        server->too_many++;
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    client->server = server;
    client->fd = fd;
    client->out_max = OUT_MAX;
    client->alive_us = se_mono_now_us();
    for (unsigned i = 0; i < CLIP_TRACKS; i++)
        client->tracks[i] =
            (struct client_track){.rtp_fd = -1, .rtcp_fd = -1, .rtcp.fd = -1, .client = client};
    client->watch = (struct se_watch){.fn = on_client, .ctx = client, .fd = -1};
    client->tls = listener->tls ? tls_session(server->tls, client) : NULL;
    if ((listener->tls && !client->tls) || se_watch_add(server->loop, &client->watch, fd, EPOLLIN) < 0) {
        if (client->tls)
            gnutls_deinit(client->tls);
        free(client);
        return NULL;
    }
    return client;
}

void client_accept(struct listener *listener, int fd)
{
    struct server *server = listener->server;
    struct client *client = client_new(listener, fd);

    if (!client) {
        close(fd);
        return;
    }
    server->accepted++;
    client->next = server->clients;
    client->link = &server->clients;
    if (client->next)
        client->next->link = &client->next;
    server->clients = client;
    server->client_count++;
}

void client_bind(struct client *client, struct stream *stream)
{
    if (client->stream == stream)
        return;
    client_session_end(client);
    if (client->stream_link) {
        *client->stream_link = client->stream_next;
        if (client->stream_next)
            client->stream_next->stream_link = client->stream_link;
    }
    client->stream = stream;
    client->stream_link = NULL;
    if (!stream)
        return;
    client->stream_next = stream->clients;
    client->stream_link = &stream->clients;
    if (client->stream_next)
        client->stream_next->stream_link = &client->stream_next;
    stream->clients = client;
}

void client_session_end(struct client *client)
{
    bool was_playing = client->playing;

    client->playing = false;
    client->session[0] = 0;
    for (unsigned i = 0; i < CLIP_TRACKS; i++) {
        struct client_track *track = &client->tracks[i];

        se_watch_del(&track->rtcp);
        if (track->rtp_fd >= 0)
            close(track->rtp_fd);
        if (track->rtcp_fd >= 0)
            close(track->rtcp_fd);
        track->rtp_fd = track->rtcp_fd = -1;
        udp_forget(track);
        track->set_up = false;
    }
    if (was_playing)
        stream_settle(client->stream);
}

void client_reset(struct client *client)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    doom(client);
}

/* Only from the sweep, or at the end: nobody else on the stack holds the client. */
void client_free(struct client *client)
{
    doom(client);
    client_bind(client, NULL);
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    client->server->client_count--;
    if (client->tls)
        gnutls_deinit(client->tls);
    free(client->out);
    free(client);
}
