/* Requests and answers of one session: OPTIONS, DESCRIBE, SETUP for each track, PLAY, then keep-alive. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

#define REDIRECTS_MAX   3
#define AUTH_ROUNDS_MAX 4
#define OUT_MAX         (64 * 1024)

/* --- writing --------------------------------------------------------------- */

void client_write_more(struct rtsp_client *client)
{
    struct se_str *out = &client->out;
    ssize_t n = out->len ? client_send(client, out->data, out->len) : 0;
    if (n < 0 && n != -EAGAIN && client->auth_fresh && client->phase < PHASE_PLAYING) {
        client_session_again(client);
        return;
    }
    if (n < 0 && n != -EAGAIN) {
        client_fail(client, client->phase == PHASE_PLAYING ? FAILURE_LOST : FAILURE_UNREACHABLE,
                    "the connection to the camera broke: %s", strerrordesc_np((int)-n));
        return;
    }
    if (n > 0) {
        memmove(out->data, out->data + n, out->len - (size_t)n);
        out->len -= (size_t)n;
    }
    if (client->writing != (out->len > 0)) {
        client->writing = out->len > 0;
        (void)se_watch_set(&client->watch, client->writing ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

void client_write(struct rtsp_client *client, const void *data, size_t size)
{
    if (client->watch.fd < 0)
        return;
    bool waiting = client->out.len > 0;
    if (client->out.len + size > OUT_MAX) {
        client_fail(client, FAILURE_LOST, "the camera does not read what is sent to it");
        return;
    }
    se_str_add(&client->out, data, size);
    if (!waiting)
        client_write_more(client);
}

static void request(struct rtsp_client *client, const char *method, const char *url, const char *headers)
{
    struct se_str text = {0};
    se_str_printf(&text, "%s %s RTSP/1.0\r\nCSeq: %u\r\nUser-Agent: sharpeyes\r\n", method, url,
                  ++client->cseq);
    if (client->session)
        se_str_printf(&text, "Session: %s\r\n", client->session);
    if (client->username) {
        char cnonce[17];
        uint64_t value = client_random();
        se_hex_encode(&value, sizeof(value), cnonce);
        rtsp_auth_header(&client->auth, method, url, client->username,
                         client->password ? client->password : "", cnonce, &text);
    }
    se_str_printf(&text, "%s\r\n", headers);
    if (!text.oom)
        client_write(client, text.data, text.len);
    if (text.data)
        explicit_bzero(text.data, text.len);
    se_str_fini(&text);
}

static const char *play_url(const struct rtsp_client *client)
{
    if (client->play_form == PLAY_TRACKS)
        return client->tracks[client->play_at].url;
    return client->play_form == PLAY_URL ? client_url(client)->request : client->aggregate;
}

/* The request that the phase stands for. */
static void send_phase(struct rtsp_client *client)
{
    const struct rtsp_url *url = client_url(client);
    switch (client->phase) {
    case PHASE_OPTIONS:
        request(client, "OPTIONS", url->request, "");
        break;
    case PHASE_DESCRIBE:
        request(client, "DESCRIBE", url->request, "Accept: application/sdp\r\n");
        break;
    case PHASE_SETUP: {
        struct client_track *track = &client->tracks[client->setup_at];
        char transport[96];
        if (client_transport_offer(client, track, transport, sizeof(transport)))
            request(client, "SETUP", track->url, transport);
        break;
    }
    case PHASE_PLAY:
        request(client, "PLAY", play_url(client), client->without_range ? "" : "Range: npt=0.000-\r\n");
        break;
    default:
        break;
    }
}

static void enter(struct rtsp_client *client, enum client_phase phase)
{
    client->phase = phase;
    client->auth_fresh = false;
    client->auth_rounds = 0;
    client_deadline(client, client->wait.answer_us);
    send_phase(client);
}

int64_t client_answer_left(const struct rtsp_client *client)
{
    int64_t left = client->try_began_us + client->wait.answer_us - se_loop_now_us(client->loop);
    return left > SE_US_PER_S ? left : SE_US_PER_S;
}

void client_session_begin(struct rtsp_client *client)
{
    client->cseq = 0;
    client->session_timeout_s = 60;
    client->doubt = NULL;
    client->cseq_true = false;
    client->play_form = PLAY_AGGREGATE;
    client_transport_begin(client);
    client->has_get_parameter = client->without_range = client->keepalive_flip = false;
    enter(client, PHASE_OPTIONS);
    /* One that accepts and never answers is given up after the same time, connecting included. */
    if (client->phase == PHASE_OPTIONS)
        client_deadline(client, client_answer_left(client));
}

void client_session_late(struct rtsp_client *client)
{
    static const char *const names[] = {[PHASE_OPTIONS] = "OPTIONS",
                                        [PHASE_DESCRIBE] = "DESCRIBE",
                                        [PHASE_SETUP] = "SETUP",
                                        [PHASE_PLAY] = "PLAY"};
    if (client->phase == PHASE_TLS) {
        client_fail(client, FAILURE_SILENT,
                    "the camera accepts the connection but does not answer the TLS handshake");
        return;
    }
    client_fail(client, FAILURE_SILENT, "the camera accepts the connection but does not answer %s",
                client->phase < PHASE_PLAYING && names[client->phase] ? names[client->phase] : "");
}

void client_session_fini(struct rtsp_client *client)
{
    rtsp_auth_fini(&client->auth);
    free(client->base);
    free(client->aggregate);
    free(client->session);
    client->base = client->aggregate = client->session = NULL;
    client->auth_fresh = client->auth_again = false;
}

void client_teardown(struct rtsp_client *client)
{
    if (!client->session || client->watch.fd < 0 || client->out.len)
        return;
    struct se_str text = {0};
    const char *url = client->aggregate ? client->aggregate : client_url(client)->request;
    se_str_printf(&text, "TEARDOWN %s RTSP/1.0\r\nCSeq: %u\r\nSession: %s\r\n", url, ++client->cseq,
                  client->session);
    if (client->username && client->auth.scheme != AUTH_NONE) {
        uint64_t value = client_random();
        char cnonce[17];
        se_hex_encode(&value, sizeof(value), cnonce);
        rtsp_auth_header(&client->auth, "TEARDOWN", url, client->username,
                         client->password ? client->password : "", cnonce, &text);
    }
    se_str_puts(&text, "\r\n");
    if (!text.oom) /* as far as it goes: nobody waits for the answer */
        (void)client_send(client, text.data, text.len);
    se_str_fini(&text);
    if (!client->tls)
        shutdown(client->watch.fd, SHUT_WR);
}

/* --- answers --------------------------------------------------------------- */

static void challenged(struct rtsp_client *client, const struct rtsp_message *message)
{
    if (!client->username) {
        client_fail(client, FAILURE_ANSWER, "the camera asks for a user name and password, and none is set");
        return;
    }
    int r = rtsp_auth_challenge(&client->auth, message);
    if (r < 0 && client->auth_fresh) {
        client_fail(client, FAILURE_REFUSED, "the camera refused the user name or password");
        return;
    }
    if (r < 0) {
        client_fail(client, FAILURE_ANSWER, "the camera asks for a way of signing in that is not supported");
        return;
    }
    bool elsewhere = client->at.request && strcasecmp(client->at.host, client->url.host) != 0;
    if (client->auth.scheme == AUTH_BASIC && elsewhere) {
        client_fail(client, FAILURE_ANSWER,
                    "the camera redirects to %s, which asks for the password in the clear", client->at.host);
        return;
    }
    if ((client->auth_fresh && !client->auth.stale) || ++client->auth_rounds > AUTH_ROUNDS_MAX) {
        client_fail(client, FAILURE_REFUSED, "the camera refused the user name or password");
        return;
    }
    client->auth_fresh = true;
    send_phase(client);
}

static void redirected(struct rtsp_client *client, const struct rtsp_message *message)
{
    struct text location = rtsp_header(message, "Location");
    if (++client->redirects > REDIRECTS_MAX) {
        client_fail(client, FAILURE_ANSWER, "the camera redirects in a circle");
        return;
    }
    se_free_ char *copy = strndup(location.n ? location.p : "", location.n);
    struct rtsp_url url;
    struct se_err err;
    if (!copy || rtsp_url_parse(copy, &url, &err) < 0) {
        client_fail(client, FAILURE_ANSWER, "the camera redirects to a place that is no rtsp:// URL");
        return;
    }
    if (client_url(client)->tls && !url.tls) {
        rtsp_url_fini(&url);
        client_fail(client, FAILURE_ANSWER, "the camera redirects from rtsps:// to a place without TLS");
        return;
    }
    se_timer_cancel(&client->deadline);
    client->session_number++;
    client_disconnect(client);
    client_session_fini(client);
    client_media_fini(client, false);
    rtsp_url_fini(&client->at);
    client->at = url;
    client->phase = PHASE_WAIT;
    client->try_began_us = se_loop_now_us(client->loop);
    client_connect(client);
}

static void described(struct rtsp_client *client, const struct rtsp_message *message)
{
    struct sdp sdp;
    if (sdp_parse(message->body.p, message->body.n, &sdp) < 0) {
        client_fail(client, FAILURE_ANSWER, "the camera's description of the stream cannot be read");
        return;
    }
    /* RFC 2326 C.1.1 */
    struct text base = rtsp_header(message, "Content-Base");
    if (!base.n)
        base = rtsp_header(message, "Content-Location");
    const char *own = client_url(client)->request;
    bool usable = base.n <= RTSP_URL_MAX && text_printable(base, false);
    free(client->base);
    free(client->aggregate);
    client->aggregate = NULL;
    if (usable && rtsp_url_absolute(base))
        client->base = strndup(base.p, base.n);
    else if (usable && base.n && base.p[0] == '/') /* a path alone */
        client->base = rtsp_url_join((struct text){own, strlen(own)}, base);
    else
        client->base = strdup(own);
    if (client->base)
        client->aggregate = rtsp_url_join((struct text){client->base, strlen(client->base)}, sdp.control);
    if (!client->aggregate) {
        client_fail(client, FAILURE_ANSWER, "the camera's description of the stream holds a broken URL");
        return;
    }
    if (!client_media_describe(client, &sdp, client->base))
        return;
    client->setup_at = 0;
    enter(client, PHASE_SETUP);
}

static void next_setup(struct rtsp_client *client)
{
    struct client_track *track = &client->tracks[client->setup_at];
    if (!track->set_up)
        client_udp_close(track);
    if (++client->setup_at < client->track_count)
        enter(client, PHASE_SETUP);
    else
        enter(client, PHASE_PLAY);
}

static void not_taken(struct rtsp_client *client, enum client_taken taken)
{
    switch (taken) {
    case TAKEN_OTHER:
        if (client_transport_other(client))
            enter(client, PHASE_SETUP);
        else
            client_transport_refused(client, 200);
        break;
    case TAKEN_MULTICAST:
        client_fail(client, FAILURE_ANSWER, "the camera offers the stream to a multicast group only");
        break;
    case TAKEN_ENCRYPTED:
        client_fail(client, FAILURE_ANSWER, "the camera encrypts the stream (SRTP), which is not supported");
        break;
    default:
        client_fail(client, FAILURE_ANSWER, "the camera's answer to SETUP names no transport that is known");
        break;
    }
}

static void set_up(struct rtsp_client *client, const struct rtsp_message *message)
{
    struct client_track *track = &client->tracks[client->setup_at];
    struct text id;
    unsigned timeout_s;
    if (rtsp_session_parse(rtsp_header(message, "Session"), &id, &timeout_s) && !client->session) {
        client->session = strndup(id.p, id.n);
        client->session_timeout_s = timeout_s;
    }
    enum client_taken taken = client_transport_take(client, track, rtsp_header(message, "Transport"));
    track->set_up = taken == TAKEN;
    if (track->set_up && track->udp)
        client_udp_punch(track);
    if (track->set_up || track->kind != SDP_VIDEO)
        next_setup(client);
    else
        not_taken(client, taken);
}

static int64_t keepalive_every(const struct rtsp_client *client)
{
    if (client->wait.keepalive_us)
        return client->wait.keepalive_us;
    return (int64_t)client->session_timeout_s * SE_US_PER_S / (client->has_get_parameter ? 3 : 2);
}

static void playing(struct rtsp_client *client)
{
    client->keepalive_due_us = se_loop_now_us(client->loop) + keepalive_every(client);
    backoff_accepted(&client->backoff);
    client->phase = PHASE_PLAYING;
    se_timer_cancel(&client->deadline);
    client_media_play(client);
}

/* Answers to a SETUP that mean its Transport; 461 is the word for it, the others are what cameras say. */
static bool transport_status(unsigned status)
{
    return status == 461 || status == 400 || status == 406 || status == 415 || status == 451 ||
           status == 500 || status == 501 || status == 551;
}

/* … and those that mean a URL it does not know. */
static bool url_status(unsigned status)
{
    return status == 400 || status == 404 || status == 415 || status == 454 || status == 459 ||
           status == 460 || status == 500;
}

/* Some want PLAY for the URL that was asked for, some for each track. */
static bool play_otherwise(struct rtsp_client *client, unsigned status)
{
    if (client->play_form == PLAY_TRACKS || !url_status(status))
        return false;
    if (client->play_form == PLAY_AGGREGATE && strcmp(client->aggregate, client_url(client)->request) != 0) {
        client->play_form = PLAY_URL;
    } else {
        client->play_form = PLAY_TRACKS;
        client->play_at = 0;
    }
    enter(client, PHASE_PLAY);
    return true;
}

/* PLAY for each track: the next one that was set up. false: that was the last. */
static bool play_next(struct rtsp_client *client)
{
    if (client->play_form != PLAY_TRACKS)
        return false;
    while (++client->play_at < client->track_count)
        if (client->tracks[client->play_at].set_up) {
            enter(client, PHASE_PLAY);
            return true;
        }
    return false;
}

static void refused(struct rtsp_client *client, const struct rtsp_message *message)
{
    unsigned status = message->status;
    if (client->phase == PHASE_OPTIONS) { /* some do not know it, or want to be asked for a session first */
        enter(client, PHASE_DESCRIBE);
        return;
    }
    if (client->phase == PHASE_SETUP && client->tracks[client->setup_at].kind != SDP_VIDEO) {
        next_setup(client);
        return;
    }
    if (client->phase == PHASE_SETUP && url_status(status) &&
        client_track_other_url(client, &client->tracks[client->setup_at])) {
        enter(client, PHASE_SETUP);
        return;
    }
    if (client->phase == PHASE_SETUP && transport_status(status)) {
        if (client_transport_other(client))
            enter(client, PHASE_SETUP);
        else if (status == 400 || status == 415 || status == 500) /* it may have meant anything */
            client_fail(client, FAILURE_ANSWER, "the camera answered SETUP with error %u", status);
        else
            client_transport_refused(client, status);
        return;
    }
    if (client->phase == PHASE_PLAY && status == 457 && !client->without_range) {
        client->without_range = true;
        enter(client, PHASE_PLAY);
        return;
    }
    if (client->phase == PHASE_PLAY && play_otherwise(client, status))
        return;
    if (client->phase == PHASE_PLAY && client->play_form == PLAY_TRACKS && client->play_at > 0) {
        if (!play_next(client)) /* without the sound */
            playing(client);
        return;
    }
    if (status == 404)
        client_fail(client, FAILURE_ANSWER, "the camera knows no such stream (404): check the URL's path");
    else if (status == 403)
        client_fail(client, FAILURE_ANSWER, "the camera forbids this stream (403)");
    else if (status == 453 || status == 503)
        client_fail(client, FAILURE_ANSWER, "the camera has no room for another viewer (%u)", status);
    else
        client_fail(client, FAILURE_ANSWER, "the camera answered with error %u", status);
}

static void succeeded(struct rtsp_client *client, const struct rtsp_message *message)
{
    switch (client->phase) {
    case PHASE_OPTIONS:
        client->has_get_parameter = rtsp_public_has(rtsp_header(message, "Public"), "GET_PARAMETER");
        enter(client, PHASE_DESCRIBE);
        break;
    case PHASE_DESCRIBE:
        described(client, message);
        break;
    case PHASE_SETUP:
        set_up(client, message);
        break;
    case PHASE_PLAY:
        if (!play_next(client))
            playing(client);
        break;
    default:
        break;
    }
}

/* While playing, answers are to keep-alives. */
static void kept_alive(struct rtsp_client *client, const struct rtsp_message *message)
{
    client->probe_answered = true;
    if (message->status == 454) {
        client->doubt = "the camera ended the session";
    } else if (message->status == 401) {
        if (client->username && rtsp_auth_challenge(&client->auth, message) == 0 && !client->auth_fresh) {
            client->auth_fresh = true; /* once for each keep-alive */
            client_keepalive(client);
        }
    } else {
        client->auth_fresh = false;
        if (message->status >= 400 && client->keepalive_flip)
            client->has_get_parameter = false;
    }
}

/* Cameras ask, too. */
static void serve(struct rtsp_client *client, const struct rtsp_message *message)
{
    static const char *const methods[] = {"OPTIONS",  "GET_PARAMETER", "SET_PARAMETER",
                                          "ANNOUNCE", "REDIRECT",      "TEARDOWN"};
    bool known = false;
    for (unsigned i = 0; i < SE_ARRAY_LEN(methods); i++)
        known |= text_is(message->method, methods[i]);
    int64_t cseq = text_number(rtsp_header(message, "CSeq"), UINT32_MAX);
    char answer[96];
    int n = snprintf(answer, sizeof(answer), "RTSP/1.0 %s\r\nCSeq: %lld\r\n\r\n",
                     known ? "200 OK" : "501 Not Implemented", (long long)(cseq < 0 ? 0 : cseq));
    unsigned session = client->session_number;
    client_write(client, answer, (size_t)n);
    /* It goes away, or wants us to: found again, and where it is then, by a new try. */
    if (client->session_number == session && client->phase == PHASE_PLAYING &&
        (text_is(message->method, "TEARDOWN") || text_is(message->method, "REDIRECT")))
        client_fail(client, FAILURE_LOST, "the camera ended the stream");
}

/* There are cameras that answer all requests with one CSeq, or none. Those that showed that they know better
 * are taken at their word. */
static bool answers_us(struct rtsp_client *client, const struct rtsp_message *message)
{
    int64_t cseq = text_number(rtsp_header(message, "CSeq"), UINT32_MAX);
    if (cseq == (int64_t)client->cseq)
        client->cseq_true = true;
    return cseq < 0 || cseq == (int64_t)client->cseq || !client->cseq_true;
}

void client_session_again(struct rtsp_client *client)
{
    if (client->auth_again) {
        client_fail(client, FAILURE_REFUSED,
                    "the camera closes the connection when it is given the password");
        return;
    }
    se_timer_cancel(&client->deadline);
    client->session_number++;
    client_disconnect(client);
    client_media_fini(client, false);
    free(client->session);
    client->session = NULL;
    client->auth_again = true;
    client->phase = PHASE_WAIT;
    client_connect(client);
}

void client_answer(struct rtsp_client *client, const struct rtsp_message *message)
{
    if (message->request) {
        serve(client, message);
        return;
    }
    if (message->status < 200 || !answers_us(client, message))
        return; /* provisional, or to a request that nobody made or waits for any more */
    if (client->phase == PHASE_PLAYING)
        kept_alive(client, message);
    else if (client->phase < PHASE_OPTIONS)
        return;
    else if (message->status == 401)
        challenged(client, message);
    else if (message->status >= 300 && message->status < 400)
        redirected(client, message);
    else if (message->status >= 400)
        refused(client, message);
    else
        succeeded(client, message);
}

/* GET_PARAMETER and OPTIONS take turns where the camera announced the first: there are cameras to which only
 * one of them counts, and some of these announce both. */
void client_keepalive(struct rtsp_client *client)
{
    client->keepalive_due_us = se_loop_now_us(client->loop) + keepalive_every(client);
    client->keepalive_flip = client->has_get_parameter && !client->keepalive_flip;
    request(client, client->keepalive_flip ? "GET_PARAMETER" : "OPTIONS", client->aggregate, "");
}
