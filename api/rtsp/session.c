/* What the methods do (RFC 2326 10). One connection has one session at most. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/json.h"
#include "rtsp/server.h"

#define METHODS "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
#define PLAIN   "Content-Type: text/plain; charset=utf-8\r\n"

static const struct {
    const char *name;
    enum rtsp_method method; /* METHOD_NONE: known, but not for those who watch */
} methods[] = {
    {"OPTIONS", METHOD_OPTIONS},
    {"DESCRIBE", METHOD_DESCRIBE},
    {"SETUP", METHOD_SETUP},
    {"PLAY", METHOD_PLAY},
    {"PAUSE", METHOD_PAUSE},
    {"TEARDOWN", METHOD_TEARDOWN},
    {"GET_PARAMETER", METHOD_GET_PARAMETER},
    {"SET_PARAMETER", METHOD_SET_PARAMETER},
    {"ANNOUNCE", METHOD_NONE},
    {"RECORD", METHOD_NONE},
    {"REDIRECT", METHOD_NONE},
};

/* --- URLs that we hand out ------------------------------------------------------------------------------ */

/* "rtsp://HOST:PORT/CAMERA[/sub]" as the player wrote it; "" when it named no host. */
static void add_base(struct se_str *out, const struct request *request)
{
    if (request->authority[0])
        se_str_printf(out, "rtsp://%s/%s%s", request->authority, request->resource.camera,
                      request->resource.sub ? "/sub" : "");
}

static void add_query(struct se_str *out, const struct request *request)
{
    if (request->resource.ticket[0])
        se_str_printf(out, "?ticket=%s", request->resource.ticket);
}

/* --- DESCRIBE ------------------------------------------------------------------------------------------- */

static bool answer_description(struct viewer *viewer)
{
    const struct request *request = &viewer->request;
    const struct feed *feed = viewer->feed;
    struct se_str base = {0}, query = {0}, body = {0}, extra = {0};
    add_base(&base, request);
    add_query(&query, request);
    /* A relative control URL would lose the ticket on its way through a player. */
    bool absolute = query.len > 0 && base.len > 0;
    const struct description description = {.video = &feed->video,
                                            .audio = feed->has_audio ? &feed->audio : NULL,
                                            .sets = feed->sets,
                                            .id = feed->id,
                                            .base = absolute ? base.data : NULL,
                                            .query = query.data ? query.data : "",
                                            .ipv6 = strchr(viewer->address, ':') != NULL};
    describe(&description, &body);
    if (base.len)
        se_str_printf(&extra, "Content-Base: %s/%s\r\n", base.data, query.data ? query.data : "");
    se_str_puts(&extra, "Content-Type: application/sdp\r\nCache-Control: no-store\r\n");
    bool oom = body.oom || extra.oom;
    viewer_answer(viewer, oom ? 500 : 200, oom ? "" : extra.data, oom ? NULL : body.data);
    se_str_fini(&base);
    se_str_fini(&query);
    se_str_fini(&body);
    se_str_fini(&extra);
    return true;
}

/* --- SETUP ---------------------------------------------------------------------------------------------- */

static void open_session(struct viewer *viewer, bool udp)
{
    uint8_t random[8];
    if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        memset(random, 0x5e, sizeof(random));
    se_hex_encode(random, sizeof(random), viewer->session);
    viewer->state = VIEWER_READY;
    viewer->udp = udp;
    if (udp)
        viewer->out->udp_count++;
    se_metric_add(&rtsp_metrics[udp ? RTSP_M_VIEWERS_UDP : RTSP_M_VIEWERS_TCP], 1);
}

static bool refuse_transport(struct viewer *viewer)
{
    viewer_answer(viewer, 461, "", NULL);
    return true;
}

/* 0, or the status of a refusal. */
static unsigned set_up_udp(struct viewer *viewer, unsigned track, char *transport, size_t size)
{
    const struct rtsp_delivery *asked = &viewer->request.transport;
    struct rtsp_out *out = viewer->out;
    if (viewer->state == VIEWER_OPEN && out->udp_count >= out->udp_max) {
        rtsp_count(RTSP_M_REFUSED_UDP);
        return 461; /* players try TCP then */
    }
    if (udp_open(viewer, track, asked) < 0) {
        rtsp_count(RTSP_M_REFUSED_UDP);
        return 461;
    }
    snprintf(transport, size, "RTP/AVP;unicast;client_port=%u-%u;server_port=%u-%u;ssrc=%08X",
             asked->port_rtp, asked->port_rtcp, viewer->pairs[track].ports[0], viewer->pairs[track].ports[1],
             viewer->feed->tracks[track].ssrc);
    return 0;
}

static bool set_up(struct viewer *viewer)
{
    const struct request *request = &viewer->request;
    const struct feed *feed = viewer->feed;
    char transport[160], extra[192];
    int track = request->resource.track;
    if (track < 0 && !feed->has_audio)
        track = TRACK_VIDEO;
    if (track < 0 || track >= TRACKS || (track == TRACK_AUDIO && !feed->has_audio)) {
        viewer_answer(viewer, track < 0 ? 459 : 404, "", NULL);
        return true;
    }
    if (viewer->state == VIEWER_PLAYING) {
        viewer_answer(viewer, 455, "Allow: OPTIONS, PLAY, PAUSE, TEARDOWN, GET_PARAMETER\r\n", NULL);
        return true;
    }
    if (!request->transport_fits || (viewer->state != VIEWER_OPEN && viewer->udp != request->transport.udp))
        return refuse_transport(viewer);
    if (request->transport.udp) {
        unsigned status = set_up_udp(viewer, (unsigned)track, transport, sizeof(transport));
        if (status)
            return refuse_transport(viewer);
    } else {
        snprintf(transport, sizeof(transport), "RTP/AVP/TCP;unicast;interleaved=%u-%u;ssrc=%08X",
                 feed->tracks[track].channel, feed->tracks[track].channel + 1u, feed->tracks[track].ssrc);
    }
    if (viewer->state == VIEWER_OPEN)
        open_session(viewer, request->transport.udp);
    viewer->tracks |= 1u << track;
    snprintf(extra, sizeof(extra), "Transport: %s\r\n", transport);
    viewer_answer(viewer, 200, extra, NULL);
    return true;
}

/* --- what needs the stream -------------------------------------------------------------------------------
 */

static bool unavailable(struct viewer *viewer, const char *words)
{
    char body[256];
    snprintf(body, sizeof(body), "%s\n", words);
    feed_leave(viewer);
    viewer_answer(viewer, 503, PLAIN "Retry-After: 5\r\n", body);
    return true;
}

static bool not_found(struct viewer *viewer)
{
    viewer_answer(viewer, 404, "", NULL);
    return true;
}

/* The viewer's feed is that of what was asked for, and ready: 1; it is waited for: 0; answered: -1. */
static int have_feed(struct viewer *viewer)
{
    struct hub_state state;
    struct feed *feed = viewer->feed;
    if (feed &&
        (feed->ended || feed->role != viewer->role || strcmp(feed->camera_id, viewer->camera_id) != 0)) {
        feed_leave(viewer);
        feed = NULL;
    }
    if (!feed) {
        int r = feed_get(viewer->out, viewer->camera_id, viewer->role, &feed);
        if (r == 0)
            feed_join(feed, viewer);
        else if (r == -ENOENT)
            not_found(viewer);
        else
            viewer_answer(viewer, 500, "", NULL);
        if (r < 0)
            return -1;
    }
    hub_state(feed->hub, &state);
    if (state.state == SOURCE_OFFLINE || state.state == SOURCE_DISABLED || state.removed) {
        char words[224];
        snprintf(words, sizeof(words), "The camera is %s%s%s", source_state_name(state.state),
                 state.reason[0] ? ": " : "", state.reason);
        unavailable(viewer, words);
        return -1;
    }
    return feed_look(feed);
}

static bool with_feed(struct viewer *viewer)
{
    int r = have_feed(viewer);
    if (r < 0)
        return true;
    if (r > 0)
        return viewer->request.method == METHOD_DESCRIBE ? answer_description(viewer) : set_up(viewer);
    if (!viewer->waiting)
        viewer->waiting_us = se_loop_now_us(viewer->out->loop);
    viewer->waiting = viewer->busy = true;
    return false;
}

void session_go_on(struct viewer *viewer)
{
    if (with_feed(viewer))
        viewer_done(viewer);
}

void session_late(struct viewer *viewer)
{
    unavailable(viewer, "The camera does not send yet.");
    viewer_done(viewer);
}

/* --- PLAY, PAUSE, TEARDOWN -------------------------------------------------------------------------------
 */

static void audit(struct viewer *viewer)
{
    if (viewer->audited)
        return;
    se_json_ *detail =
        json_pack("{s:s, s:s, s:s}", "via", "rtsp", "stream", viewer->role == STREAM_SUB ? "sub" : "main",
                  "transport", viewer->udp ? "udp" : "tcp");
    access_audit_later(viewer->out->deps.access, &viewer->who, "camera.live", "camera", viewer->camera_id,
                       detail);
    viewer->audited = true;
}

/* Where each track begins. Left out while that is not known: a wrong place is worse than none. */
static void add_rtp_info(struct viewer *viewer, struct se_str *out)
{
    const struct feed *feed = viewer->feed;
    bool any = false;
    for (unsigned i = 0; i < TRACKS && feed->newest_key; i++) {
        const struct packets *first = feed_first(feed, feed->newest_key, i);
        if (!(viewer->tracks & 1u << i) || !first)
            continue;
        struct se_str base = {0};
        add_base(&base, &viewer->request);
        se_str_printf(out, "%surl=%s/trackID=%u;seq=%u;rtptime=%u",
                      any ? "," : "RTP-Info: ", base.data ? base.data : "", i, first->sequence,
                      first->timestamp);
        se_str_fini(&base);
        any = true;
    }
    if (any)
        se_str_puts(out, "\r\n");
}

static void play(struct viewer *viewer)
{
    struct se_str extra = {0};
    se_str_puts(&extra, "Range: npt=now-\r\n");
    if (viewer->state == VIEWER_READY) {
        viewer->at = viewer->feed->newest_key;
        add_rtp_info(viewer, &extra);
    }
    viewer_answer(viewer, 200, extra.data, NULL);
    se_str_fini(&extra);
    if (viewer->state == VIEWER_READY) {
        viewer->state = VIEWER_PLAYING;
        viewer->heard_us = se_loop_now_us(viewer->out->loop);
        viewer_report(viewer, false);
        audit(viewer);
    }
}

static void in_session(struct viewer *viewer, const struct rtsp_message *message)
{
    switch (viewer->request.method) {
    case METHOD_PLAY:
        play(viewer);
        break;
    case METHOD_PAUSE:
        viewer->state = VIEWER_READY;
        viewer->at = 0;
        viewer_answer(viewer, 200, "", NULL);
        break;
    case METHOD_TEARDOWN:
        viewer_answer(viewer, 200, "", NULL);
        viewer_leave(viewer);
        break;
    default: /* the empty ones keep the session; there are no parameters */
        viewer_answer(viewer, text_trim(message->body).n ? 451 : 200, "", NULL);
        break;
    }
}

/* --- a request -------------------------------------------------------------------------------------------
 */

static int find_method(struct text name, enum rtsp_method *ret_method)
{
    for (unsigned i = 0; i < SE_ARRAY_LEN(methods); i++) {
        if (text_is(name, methods[i].name)) {
            *ret_method = methods[i].method;
            return 0;
        }
    }
    return -ENOENT;
}

static bool wants_sdp(const struct rtsp_message *message)
{
    struct text accept = rtsp_header(message, "Accept");
    bool wants = !accept.n;
    while (accept.n) {
        struct text part = text_cut(&accept, ','), type = text_trim(text_cut(&part, ';'));
        wants |= text_is(type, "application/sdp") || text_is(type, "*/*") || text_is(type, "application/*");
    }
    return wants;
}

/* Is it about what this connection was let in for? */
static bool same_camera(const struct viewer *viewer, const struct rtsp_resource *resource)
{
    return (strcmp(resource->camera, viewer->camera_name) == 0 ||
            strcmp(resource->camera, viewer->camera_id) == 0) &&
           (viewer->role == STREAM_SUB) == resource->sub;
}

/* What is wrong with it before we ask who sends it: a status, or 0. */
static unsigned judge(struct viewer *viewer, const struct rtsp_message *message, char extra[256])
{
    struct request *request = &viewer->request;
    struct text cseq = rtsp_header(message, "CSeq"), require = rtsp_header(message, "Require");
    struct text id;
    unsigned timeout_s;
    extra[0] = '\0';
    bool numbered = cseq.n && cseq.n < sizeof(request->cseq) && text_number(cseq, INT64_MAX / 16) >= 0;
    snprintf(request->cseq, sizeof(request->cseq), "%.*s", numbered ? (int)cseq.n : 1,
             numbered ? cseq.p : "0");
    if (!numbered || !text_printable(cseq, false))
        return 400;
    if (!text_is(message->version, "RTSP/1.0"))
        return 505;
    if (require.n) {
        if (text_printable(require, true))
            snprintf(extra, 256, "Unsupported: %.*s\r\n", require.n < 200 ? (int)require.n : 200, require.p);
        return 551;
    }
    if (find_method(message->method, &request->method) < 0)
        return 501;
    if (request->method == METHOD_NONE) {
        snprintf(extra, 256, "Allow: " METHODS "\r\n");
        return 405;
    }
    int r = rtsp_resource_parse(message->url, &request->resource);
    if (r < 0)
        return r == -E2BIG ? 414 : 404;
    struct text authority = request->resource.authority;
    if (authority.n >= sizeof(request->authority))
        return 414;
    snprintf(request->authority, sizeof(request->authority), "%.*s", (int)authority.n,
             authority.n ? authority.p : "");
    request->resource.authority = (struct text){NULL, 0};
    struct text session = rtsp_header(message, "Session");
    if (session.n && (!rtsp_session_parse(session, &id, &timeout_s) || !viewer->session[0] ||
                      id.n != strlen(viewer->session) || memcmp(id.p, viewer->session, id.n) != 0))
        return 454;
    return 0;
}

/* What only makes sense within a session. */
static void about_session(struct viewer *viewer, const struct rtsp_message *message)
{
    const struct request *request = &viewer->request;
    if (!viewer->session[0])
        viewer_answer(viewer, 454, "", NULL);
    else if (request->resource.camera[0] && !same_camera(viewer, &request->resource))
        viewer_answer(viewer, 404, "", NULL);
    else if (viewer->feed && viewer->feed->ended)
        viewer_answer(viewer, 454, "", NULL);
    else
        in_session(viewer, message);
}

static void about_stream(struct viewer *viewer, const struct rtsp_message *message)
{
    struct request *request = &viewer->request;
    struct text transport = rtsp_header(message, "Transport");
    if (request->method == METHOD_DESCRIBE && !wants_sdp(message)) {
        viewer_answer(viewer, 406, "", NULL);
        return;
    }
    request->transport_fits = transport.n && rtsp_delivery_choose(transport, &request->transport) == 0;
    if (!request->resource.camera[0])
        not_found(viewer);
    else if (viewer->session[0] && !same_camera(viewer, &request->resource))
        viewer_answer(viewer, 455, "", NULL); /* one session a connection */
    else if (viewer->granted && same_camera(viewer, &request->resource))
        with_feed(viewer);
    else
        auth_begin(viewer, message);
}

void session_request(struct viewer *viewer, const struct rtsp_message *message)
{
    char extra[256];
    viewer->request = (struct request){.method = METHOD_NONE};
    unsigned status = judge(viewer, message, extra);
    if (status) {
        viewer_answer(viewer, status, extra, NULL);
        return;
    }
    switch (viewer->request.method) {
    case METHOD_OPTIONS:
        viewer_answer(viewer, 200, "Public: " METHODS "\r\n", NULL);
        break;
    case METHOD_DESCRIBE:
    case METHOD_SETUP:
        about_stream(viewer, message);
        break;
    default:
        about_session(viewer, message);
        break;
    }
}
