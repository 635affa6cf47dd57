/* GET /api/v1/events: what happens, as server-sent events (WHATWG HTML, section 9.2). An id is this run of
 * the gateway and a number of the bus, so that one from before a restart is known as too old. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/str.h"
#include "http/server.h"
#include "routes.h"

struct bus_stream {
    struct http_stream base;
    struct api *api;
    struct access_who who;
    uint64_t seen;        /* number of the last event looked at */
    bool reset;           /* say that some are missing */
    struct se_str text;   /* the next thing to say */
    se_mono_us spoken_us; /* when something was sent last */
};

static bool may_see(const struct bus_stream *stream, const struct bus_event *event)
{
    enum access_permission permission;
    if (access_permission_parse(event->permission, &permission) < 0) {
        return false;
    }
    struct access_target target = {.department_id = event->department_id[0] ? event->department_id : NULL};
    return access_decide(stream->api->deps.access, &stream->who, permission, &target).allowed;
}

static void write_id(struct bus_stream *stream)
{
    se_str_printf(&stream->text, "id: %s-%" PRIu64 "\n", stream->api->boot, stream->seen);
}

static void write_event(struct bus_stream *stream, const struct bus_event *event)
{
    se_free_ char *data = se_json_text(event->data); /* one line: JSON escapes line breaks */
    write_id(stream);
    se_str_printf(&stream->text, "event: %s\ndata: %s\n\n", event->type, data ? data : "null");
}

/* The next thing to say, into text. False: nothing now. */
static bool say_next(struct bus_stream *stream)
{
    struct bus_event *event = NULL;
    if (stream->reset) {
        stream->reset = false;
        write_id(stream);
        se_str_puts(&stream->text, "event: reset\ndata: {}\n\n");
        return true;
    }
    for (int looked = 0; looked < 1000; looked++) {
        int r = bus_next(stream->api->deps.bus, stream->seen, &event);
        if (r == -ESTALE) {
            stream->seen = bus_newest(stream->api->deps.bus);
            stream->reset = true;
            return say_next(stream);
        }
        if (r < 0) {
            break;
        }
        stream->seen = event->number;
        bool visible = may_see(stream, event);
        if (visible) {
            write_event(stream, event);
        }
        bus_event_unref(&event);
        if (visible) {
            return true;
        }
    }
    /* Asked once a second: early enough that the next time would be too late. */
    int64_t quiet_us = ((int64_t)stream->api->keepalive_s - 1) * SE_US_PER_S - SE_US_PER_S / 5;
    if (se_mono_now_us() - stream->spoken_us >= quiet_us) {
        se_str_puts(&stream->text, ": still here\n\n");
        return true;
    }
    return false;
}

static int next(struct http_stream *base, struct http_part *ret_part)
{
    struct bus_stream *stream = SE_CONTAINER_OF(base, struct bus_stream, base);
    if (!stream->text.len && !say_next(stream)) {
        return 0;
    }
    if (!stream->text.oom) {
        ret_part->data = se_buf_copy(stream->text.data, stream->text.len);
    }
    se_str_fini(&stream->text);
    stream->text = (struct se_str){0};
    stream->spoken_us = se_mono_now_us();
    return ret_part->data ? 1 : HTTP_STREAM_END; /* no memory: the client asks again, from where it was */
}

static void stream_free(struct http_stream *base)
{
    struct bus_stream *stream = SE_CONTAINER_OF(base, struct bus_stream, base);
    se_str_fini(&stream->text);
    free(stream);
}

/* Where to go on from: what the client saw last, else now. */
static void resume_from(struct bus_stream *stream, const char *id)
{
    size_t boot = strlen(stream->api->boot);
    stream->seen = bus_newest(stream->api->deps.bus);
    if (!id || !*id) {
        return;
    }
    char *end = NULL;
    uint64_t number = 0;
    if (strncmp(id, stream->api->boot, boot) == 0 && id[boot] == '-') {
        number = strtoull(id + boot + 1, &end, 10);
    }
    if (!end || *end || end == id + boot + 1 || number > stream->seen) {
        stream->reset = true;
    } else {
        stream->seen = number;
    }
}

static int events(struct http_request *req, struct http_response *res)
{
    struct bus_stream *stream = calloc(1, sizeof(*stream));
    if (!stream) {
        return -ENOMEM;
    }
    const char *id = http_query(req, "last_event_id");
    stream->base = (struct http_stream){.next = next, .free = stream_free, .on_bus = true};
    stream->api = req->api;
    stream->who = req->who;
    stream->spoken_us = se_mono_now_us();
    resume_from(stream, req->last_event_id ? req->last_event_id : id);
    se_str_puts(&stream->text, "retry: 2000\n\n");
    res->stream = &stream->base;
    res->content_type = "text/event-stream";
    http_header(res, "X-Accel-Buffering", "no"); /* a proxy in between passes each event on at once */
    return 0;
}

static const struct http_route rows[] = {
    ROUTE(GET, "/api/v1/events", SELF, HTTP_QUIET | HTTP_STREAM, 0, NULL, events),
};
const struct http_route_table routes_bus = {rows, SE_ARRAY_LEN(rows)};
