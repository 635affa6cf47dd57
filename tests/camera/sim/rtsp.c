#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "camera.h"

#define UDP_PORT_TRIES 64

/* One request, pointing into its text (cut into NUL-terminated pieces). */
struct request {
    const char *method, *cseq, *session, *transport, *authorization;
    char path[256]; /* without leading slash and control part */
    int track;      /* -1: the aggregate */
    bool any;       /* "*" */
    bool query;     /* the URL has the query that was described */
};

/* Where the URL's path begins and what it names: "/cam01/sub/trackID=1" is track 1 of "cam01/sub". */
static bool parse_url(const char *url, struct request *request)
{
    const char *at = strstr(url, "://");
    size_t size;
    const char *control;

    request->track = -1;
    request->query = strstr(url, CONTROL_QUERY_TEXT) != NULL;
    request->any = strcmp(url, "*") == 0;
    if (at)
        at = strchr(at + 3, '/');
    else if (url[0] == '/')
        at = url;
    at = at ? at + 1 : "";
    size = strcspn(at, "?#");
    if (size >= sizeof(request->path))
        return false;
    memcpy(request->path, at, size);
    request->path[size] = 0;
    control = strstr(at, "trackID="); /* behind a query too, where that is in the base */
    if (control)
        request->track = control[8] >= '0' && control[8] <= '9' ? control[8] - '0' : CLIP_TRACKS;
    if (control && (size_t)(control - at) < size)
        request->path[control - at] = 0;
    for (size = strlen(request->path); size > 0 && request->path[size - 1] == '/'; size--)
        request->path[size - 1] = 0;
    return true;
}

static const char *header_value(const char *line, const char *name)
{
    size_t size = strlen(name);

    if (strncasecmp(line, name, size) != 0 || line[size] != ':')
        return NULL;
    line += size + 1;
    return line + strspn(line, " \t");
}

static bool parse_request(char *text, struct request *request)
{
    char *save = NULL, *line = strtok_r(text, "\r\n", &save), *word = NULL;
    const char *url;

    if (!line)
        return false;
    request->method = strtok_r(line, " ", &word);
    url = strtok_r(NULL, " ", &word);
    if (!request->method || !url || !parse_url(url, request))
        return false;
    while ((line = strtok_r(NULL, "\r\n", &save))) {
        const char *value;

        if ((value = header_value(line, "CSeq")))
            request->cseq = value;
        else if ((value = header_value(line, "Session")))
            request->session = value;
        else if ((value = header_value(line, "Transport")))
            request->transport = value;
        else if ((value = header_value(line, "Authorization")))
            request->authorization = value;
    }
    return true;
}

static void send_text(struct client *client, const struct se_str *text, bool trickle)
{
    for (size_t at = 0; at < text->len && !client->doomed;) {
        size_t size = trickle ? 1 : text->len;
        struct iovec part = {text->data + at, size};

        if (!client_send(client, &part, 1, size))
            client_reset(client); /* asks, but does not read the answers */
        at += size;
    }
}

static void answer(struct client *client, const struct request *request, int code, const char *reason,
                   const char *headers, const char *body)
{
    static const struct habits plain;
    const struct habits *habits = client->stream ? &client->stream->camera->habits : &plain;
    const char *cseq = request->cseq ? request->cseq : "0";
    struct se_str head = {0}, text = {0};

    if (habits->answers & ANSWER_PROVISIONAL)
        se_str_printf(&text, "RTSP/1.0 100 Continue\r\nCSeq: %s\r\n\r\n", cseq);
    se_str_printf(&head, "RTSP/1.0 %d %s\r\nCSeq: %s\r\nServer: camera-sim\r\n", code, reason, cseq);
    if (client->session[0] && code == 200) {
        bool blanks = (habits->answers & ANSWER_SESSION_BLANKS) != 0;

        se_str_printf(&head, "Session: %s%s%s;%stimeout%s=%s%u\r\n", blanks ? "  " : "", client->session,
                      blanks ? " " : "", blanks ? " " : "", blanks ? " " : "", blanks ? " " : "",
                      client->stream->camera->timeout_s);
    }
    se_str_puts(&head, headers);
    if (body)
        se_str_printf(&head, "Content-Length: %zu\r\n", strlen(body));
    se_str_puts(&head, "\r\n");
    if (!head.oom)
        habits_dress(habits, head.data, &text);
    if (body)
        se_str_puts(&text, body);
    if (!text.oom && !head.oom)
        send_text(client, &text, (habits->answers & ANSWER_TRICKLE) != 0);
    se_str_fini(&head);
    se_str_fini(&text);
}

static bool session_fits(const struct client *client, const struct request *request)
{
    size_t size = strlen(client->session);

    return size > 0 && request->session && strncmp(request->session, client->session, size) == 0;
}

static void local_host(const struct client *client, char *out, size_t size)
{
    struct listener local = {.address_size = sizeof(local.address)};
    char *colon;

    if (getsockname(client->fd, (struct sockaddr *)&local.address, &local.address_size) < 0)
        local.address.ss_family = AF_INET;
    listener_text(&local, out, size);
    colon = strrchr(out, ':');
    if (colon)
        *colon = 0;
}

/* The listener by which the client came. */
static const struct listener *entrance(const struct client *client)
{
    const struct server *server = client->server;

    if (client->stream->camera->own)
        return client->stream->camera->own;
    return client->tls ? server->secure : server->listener;
}

/* Where the description's relative URLs begin, as the camera tells it. */
static char *base_header(const struct client *client, const char *base, const char *address)
{
    const char *path = client->stream->path;

    switch (client->stream->camera->habits.base) {
    case BASE_OWN:
        return se_asprintf("Content-Base: %s\r\n", base);
    case BASE_NONE:
        return se_asprintf("%s", "");
    case BASE_OTHER: /* behind a router, it knows only its inner address */
        return se_asprintf("Content-Base: rtsp://192.0.2.7:5540/%s/\r\n", path);
    case BASE_LOCATION:
        return se_asprintf("Content-Location: %s\r\n", base);
    case BASE_QUERY:
        return se_asprintf("Content-Base: rtsp://%s/%s?channel=1&subtype=0/\r\n", address, path);
    }
    return NULL;
}

static void describe(struct client *client, const struct request *request)
{
    const struct hostile *hostile = client->stream->camera->habits.hostile;
    se_free_ char *sdp = NULL, *headers = NULL, *base = NULL, *where = NULL;
    char address[80], host[80];

    if (hostile && hostile->describe) {
        hostile->describe(client, request->cseq ? request->cseq : "0");
        return;
    }
    local_host(client, host, sizeof(host));
    listener_text(entrance(client), address, sizeof(address));
    base = se_asprintf("%s://%s/%s/", client->tls ? "rtsps" : "rtsp", address, client->stream->path);
    sdp = base ? sdp_text(client->stream, host, base) : NULL;
    where = base ? base_header(client, base, address) : NULL;
    headers = where ? se_asprintf("Content-Type: application/sdp\r\n%s", where) : NULL;
    if (sdp && headers)
        answer(client, request, 200, "OK", headers, sdp);
    else
        answer(client, request, 500, "Internal Server Error", "", NULL);
}

static int udp_socket(const struct sockaddr_storage *local, socklen_t size, uint16_t port)
{
    struct sockaddr_storage address = *local;
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    /* sin_port and sin6_port lie at the same place. */
    ((struct sockaddr_in *)&address)->sin_port = htons(port);
    if (bind(fd, (struct sockaddr *)&address, size) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void on_rtcp(struct se_watch *watch, uint32_t events)
{
    struct client_track *track = watch->ctx;
    struct client *client = track->client;
    uint8_t packet[1500];

    for (unsigned i = 0; i < 16 && recv(watch->fd, packet, sizeof(packet), 0) > 0; i++)
        if (client->stream->camera->keepalive == KEEPALIVE_ANY ||
            client->stream->camera->keepalive == KEEPALIVE_RTCP)
            client->alive_us = se_mono_now_us();
}

/* Opens a pair of ports next to each other and connects it to the viewer's. */
static int open_udp(struct client *client, struct client_track *track, unsigned peer_port, uint16_t *ret_port)
{
    struct sockaddr_storage local, peer;
    socklen_t local_size = sizeof(local), peer_size = sizeof(peer);
    uint16_t port = 0;

    if (getsockname(client->fd, (struct sockaddr *)&local, &local_size) < 0 ||
        getpeername(client->fd, (struct sockaddr *)&peer, &peer_size) < 0)
        return -errno;
    for (unsigned i = 0; i < UDP_PORT_TRIES && track->rtcp_fd < 0; i++) {
        port = (uint16_t)(20000 + server_random(client->server) % 20000 * 2 % 40000);
        track->rtp_fd = udp_socket(&local, local_size, port);
        if (track->rtp_fd < 0)
            continue;
        track->rtcp_fd = udp_socket(&local, local_size, port + 1);
        if (track->rtcp_fd < 0) {
            close(track->rtp_fd);
            track->rtp_fd = -1;
        }
    }
    if (track->rtcp_fd < 0)
        return -EADDRINUSE;
    ((struct sockaddr_in *)&peer)->sin_port = htons((uint16_t)peer_port);
    if (connect(track->rtp_fd, (struct sockaddr *)&peer, peer_size) < 0)
        return -errno;
    ((struct sockaddr_in *)&peer)->sin_port = htons((uint16_t)(peer_port + 1));
    if (connect(track->rtcp_fd, (struct sockaddr *)&peer, peer_size) < 0)
        return -errno;
    track->rtcp = (struct se_watch){.fn = on_rtcp, .ctx = track, .fd = -1};
    *ret_port = port;
    return se_watch_add(client->server->loop, &track->rtcp, track->rtcp_fd, EPOLLIN);
}

/* The first of the offered transports that the camera has, RFC 2326 12.39. */
static bool choose_transport(const struct camera *camera, const char *header, bool *ret_tcp,
                             unsigned *ret_port)
{
    for (const char *at = header; at && *at; at += *at == ',') {
        size_t size = strcspn(at, ",");
        char one[256];
        const char *port;

        at += strspn(at, " ");
        if (size < sizeof(one)) {
            memcpy(one, at, size);
            one[size] = 0;
            if (strncasecmp(one, "RTP/AVP/TCP", 11) == 0 && camera->tcp) {
                port = strstr(one, "interleaved=");
                *ret_tcp = true;
                *ret_port = port ? (unsigned)strtoul(port + 12, NULL, 10) : 256;
                return true;
            }
            port = strstr(one, "client_port=");
            if (strncasecmp(one, "RTP/AVP", 7) == 0 && strncasecmp(one, "RTP/AVP/TCP", 11) != 0 &&
                camera->udp && port && !strstr(one, "multicast")) {
                *ret_tcp = false;
                *ret_port = (unsigned)strtoul(port + 12, NULL, 10);
                return *ret_port > 0 && *ret_port < 65535;
            }
        }
        at += size;
    }
    return false;
}

static bool start_session(struct client *client)
{
    uint8_t random[8];

    if (client->session[0])
        return true;
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return false;
    se_hex_encode(random, sizeof(random), client->session);
    client->stream->counters.sessions++;
    return true;
}

/* Sections in front of the real ones can be set up too; nothing is ever sent on them. */
static bool set_up_extra(struct client *client, const struct request *request)
{
    const struct habits *habits = &client->stream->camera->habits;
    unsigned t = (unsigned)request->track;

    if (t < EXTRA_TRACK_FIRST || t >= EXTRA_TRACK_FIRST + habits->extra_count)
        return false;
    if (start_session(client))
        answer(client, request, 200, "OK", "Transport: RTP/AVP/TCP;unicast;interleaved=240-241\r\n", NULL);
    else
        answer(client, request, 500, "Internal Server Error", "", NULL);
    return true;
}

/* The track that a SETUP means: by its number, or the next one where the description named none. */
static bool track_meant(const struct client *client, const struct request *request, unsigned *ret_track)
{
    const struct habits *habits = &client->stream->camera->habits;
    unsigned count = client->stream->clip->track_count;
    bool unnamed = habits->control == CONTROL_STAR || habits->control == CONTROL_MISSING, first = count == 1;

    if (request->track >= 0) {
        *ret_track = (unsigned)request->track;
        return *ret_track < count && (habits->control != CONTROL_QUERY || request->query);
    }
    *ret_track = unnamed && client->tracks[0].set_up && count > 1 ? 1 : 0;
    return unnamed || first;
}

/* Channels for RTP and RTCP: as asked for, or by the camera's own will. */
static void choose_channels(const struct camera *camera, unsigned t, unsigned asked,
                            struct client_track *track)
{
    unsigned channel = asked < 255 ? asked & ~1u : t * 2;

    if (camera->habits.channels == CHANNELS_OWN)
        channel = 36 + t * 8;
    track->channel = (uint8_t)channel;
    track->rtcp_channel = (uint8_t)(channel + 1);
    if (camera->habits.channels == CHANNELS_REVERSED) {
        track->channel = (uint8_t)(channel + 1);
        track->rtcp_channel = (uint8_t)channel;
    }
}

static void begin_track(struct client *client, struct client_track *track)
{
    track->set_up = true;
    track->sequence = (uint16_t)server_random(client->server);
    track->timestamp_base = server_random(client->server);
    track->ssrc = server_random(client->server);
    track->packets = track->octets = 0;
}

static void set_up(struct client *client, const struct request *request)
{
    struct stream *stream = client->stream;
    struct client_track *track;
    unsigned t = 0, port = 0;
    bool tcp = false, other = client->tracks[0].set_up || client->tracks[1].set_up;
    se_free_ char *headers = NULL;
    uint16_t own_port = 0;

    if (set_up_extra(client, request))
        return;
    if (!track_meant(client, request, &t)) {
        answer(client, request, 404, "Stream Not Found", "", NULL);
        return;
    }
    if (!choose_transport(stream->camera, request->transport, &tcp, &port) || (other && tcp != client->tcp)) {
        answer(client, request, 461, "Unsupported Transport", "", NULL);
        return;
    }
    track = &client->tracks[t];
    if (track->set_up || client->playing) {
        answer(client, request, 455, "Method Not Valid in This State", "", NULL);
        return;
    }
    if ((!tcp && open_udp(client, track, port, &own_port) < 0) || !start_session(client)) {
        answer(client, request, 500, "Internal Server Error", "", NULL);
        return;
    }
    client->tcp = tcp;
    choose_channels(stream->camera, t, port, track);
    begin_track(client, track);
    if (tcp)
        stream->counters.setups_tcp++;
    else
        stream->counters.setups_udp++;
    headers =
        tcp ? se_asprintf("Transport: RTP/AVP/TCP;unicast;interleaved=%u-%u;ssrc=%08X\r\n", track->channel,
                          track->rtcp_channel, track->ssrc)
            : se_asprintf("Transport: RTP/AVP;unicast;client_port=%u-%u;server_port=%u-%u;ssrc=%08X\r\n",
                          port, port + 1, own_port, own_port + 1u, track->ssrc);
    answer(client, request, headers ? 200 : 500, headers ? "OK" : "Internal Server Error",
           headers ? headers : "", NULL);
}

static void play(struct client *client, const struct request *request)
{
    struct stream *stream = client->stream;
    struct se_str headers = {0};
    const char *comma = "";

    se_str_puts(&headers, "Range: npt=now-\r\nRTP-Info: ");
    for (unsigned t = 0; t < CLIP_TRACKS; t++) {
        const struct client_track *track = &client->tracks[t];

        if (!track->set_up)
            continue;
        se_str_printf(&headers, "%surl=trackID=%u;seq=%u;rtptime=%u", comma, t, track->sequence,
                      stream_first_timestamp(stream, t) + track->timestamp_base);
        comma = ",";
    }
    se_str_puts(&headers, "\r\n");
    answer(client, request, 200, "OK", headers.oom ? "" : headers.data, NULL);
    se_str_fini(&headers);
    if (client->playing || client->doomed)
        return;
    client->playing = true;
    client->wait_key = true;
    client->out_max = OUT_MAX;
    client->sr_us = 0;
    client->keyframe_us = 0;
    client->chatter_us = se_mono_now_us();
    if (stream->camera->habits.hostile && stream->camera->habits.hostile->play)
        stream->camera->habits.hostile->play(client);
    client_report(client); /* before the first frame, so that tracks are in step from the start */
    stream_wake(stream);
}

static void pause_session(struct client *client, const struct request *request)
{
    if (client->playing) {
        client->playing = false;
        stream_settle(client->stream);
    }
    answer(client, request, 200, "OK", "", NULL);
}

static void tear_down(struct client *client, const struct request *request)
{
    answer(client, request, 200, "OK", "", NULL);
    client_session_end(client);
}

/* What the camera was ordered to do instead of answering. */
static bool refused(struct client *client)
{
    struct stream *stream = client->stream;
    se_mono_us now = se_mono_now_us();

    if (now < stream->faults.refuse_until) {
        stream->counters.refused++;
        client_reset(client);
        return true;
    }
    if (now < stream->faults.blackhole_until) {
        client->mute = true;
        se_watch_del(&client->watch);
        return true;
    }
    return false;
}

static void note_alive(struct client *client, const char *method)
{
    enum keepalive kind = client->stream->camera->keepalive;

    if (kind == KEEPALIVE_ANY || !client->playing ||
        (kind == KEEPALIVE_OPTIONS && strcmp(method, "OPTIONS") == 0) ||
        (kind == KEEPALIVE_GET_PARAMETER && strcmp(method, "GET_PARAMETER") == 0))
        client->alive_us = se_mono_now_us();
}

/* A row's function runs for a known stream with the right credentials. */
static const struct method {
    const char *name;
    void (*run)(struct client *client, const struct request *request);
    bool needs_session;
} methods[] = {
    {"DESCRIBE", describe, false},  {"SETUP", set_up, false},      {"PLAY", play, true},
    {"PAUSE", pause_session, true}, {"TEARDOWN", tear_down, true},
};

/* Another camera, or another place altogether. */
static void redirect(struct client *client, const struct request *request)
{
    const char *to = client->stream->camera->habits.redirect;
    se_free_ char *headers = NULL;
    char address[80];

    listener_text(entrance(client), address, sizeof(address));
    headers = strstr(to, "://") ? se_asprintf("Location: %s\r\n", to)
                                : se_asprintf("Location: rtsp://%s/%s\r\n", address, to);
    answer(client, request, 302, "Moved Temporarily", headers ? headers : "", NULL);
}

/* What the camera always answers to a method, whatever is asked. */
static bool refuses(struct client *client, const struct request *request)
{
    const struct habits *habits = &client->stream->camera->habits;

    if (habits->redirect && strcmp(request->method, "DESCRIBE") == 0) {
        redirect(client, request);
        return true;
    }
    if (!habits->refuse_status || strcmp(request->method, habits->refuse_method) != 0)
        return false;
    answer(client, request, (int)habits->refuse_status, "Refused", "Content-Type: text/html\r\n",
           "<html><body>$ no RTSP/1.0 200 OK here</body></html>\r\n");
    return true;
}

static void run_method(struct client *client, const struct request *request)
{
    struct stream *stream = client->stream;
    struct se_str challenge = {0};

    if (!auth_check(client, stream->camera, request->method, request->authorization)) {
        if (request->authorization)
            stream->counters.auth_failures++;
        auth_challenge(client, stream->camera, &challenge);
        answer(client, request, 401, "Unauthorized", challenge.oom || !challenge.data ? "" : challenge.data,
               NULL);
        se_str_fini(&challenge);
        return;
    }
    note_alive(client, request->method);
    if (refuses(client, request))
        return;
    if (strcmp(request->method, "GET_PARAMETER") == 0 || strcmp(request->method, "SET_PARAMETER") == 0) {
        answer(client, request, 200, "OK", "", NULL);
        return;
    }
    for (unsigned i = 0; i < SE_ARRAY_LEN(methods); i++) {
        if (strcmp(request->method, methods[i].name) != 0)
            continue;
        if (methods[i].needs_session && !session_fits(client, request))
            answer(client, request, 454, "Session Not Found", "", NULL);
        else
            methods[i].run(client, request);
        return;
    }
    answer(client, request, 501, "Not Implemented", "", NULL);
}

void rtsp_request(struct client *client, char *text, size_t size)
{
    struct request request = {0};
    bool injected = strstr(text, "X-Injected") != NULL;
    struct stream *stream;

    if (strncmp(text, "RTSP/", 5) == 0) { /* the answer to something that the camera asked */
        if (client->stream)
            client->stream->counters.replies++;
        return;
    }
    if (!parse_request(text, &request)) {
        answer(client, &request, 400, "Bad Request", "", NULL);
        client->close_after = true;
        return;
    }
    stream = server_stream(client->server, request.path);
    if (stream && (!client->stream || !client->session[0]))
        client_bind(client, stream);
    if (client->stream) {
        client->stream->counters.requests++;
        client->stream->counters.injected += injected;
        if (refused(client))
            return;
    }
    if (strcmp(request.method, "OPTIONS") == 0) { /* answered without a password, as cameras do */
        if (client->stream)
            note_alive(client, request.method);
        answer(client, &request, 200, "OK",
               "Public: OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN\r\n",
               NULL);
        return;
    }
    if (!client->stream || (!request.any && stream != client->stream)) {
        answer(client, &request, 404, "Stream Not Found", "", NULL);
        return;
    }
    run_method(client, &request);
}
