#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "camera.h"

/* Seconds of an order; absent: the fallback. For ever is 0. */
static se_mono_us until(const json_t *order, double fallback)
{
    double seconds = se_json_real(order, "seconds", fallback);

    if (seconds <= 0)
        return INT64_MAX / 2;
    return se_mono_now_us() + (int64_t)(seconds * SE_US_PER_S);
}

static void each_client(struct stream *stream, void (*fn)(struct client *client))
{
    struct client *next;

    for (struct client *client = stream->clients; client; client = next) {
        next = client->stream_next;
        if (!client->doomed)
            fn(client);
    }
}

static void mute(struct client *client)
{
    client->mute = true;
    se_watch_del(&client->watch);
}

static void end_cleanly(struct client *client)
{
    shutdown(client->fd, SHUT_RDWR);
}

static int do_stall(struct stream *stream, const json_t *order, struct se_err *err)
{
    stream->faults.stall_until = until(order, 10);
    stream->faults.catch_up = se_json_bool(order, "catch_up", false);
    return 0;
}

static int do_drop(struct stream *stream, const json_t *order, struct se_err *err)
{
    each_client(stream, se_json_bool(order, "reset", true) ? client_reset : end_cleanly);
    return 0;
}

static int do_refuse(struct stream *stream, const json_t *order, struct se_err *err)
{
    stream->faults.refuse_until = until(order, 10);
    each_client(stream, client_reset);
    return 0;
}

static int do_blackhole(struct stream *stream, const json_t *order, struct se_err *err)
{
    stream->faults.blackhole_until = until(order, 10);
    each_client(stream, mute);
    return 0;
}

static int do_garbage(struct stream *stream, const json_t *order, struct se_err *err)
{
    int64_t bytes = se_json_int(order, "bytes", 512), frames = se_json_int(order, "frames", 1);

    if (bytes < 1 || bytes > (1 << 20) || frames < 1 || frames > 1000000)
        return se_fail(err, -EINVAL, "bytes must be 1 to 1048576, frames 1 to 1000000");
    stream->faults.garbage_bytes = (uint32_t)bytes;
    stream->faults.garbage_frames = (uint32_t)frames;
    stream->faults.garbage_any = se_json_bool(order, "any", false);
    return 0;
}

static int do_endless(struct stream *stream, const json_t *order, struct se_err *err)
{
    int64_t bytes = se_json_int(order, "bytes", 20 << 20);

    if (bytes < 1 || bytes > (256 << 20))
        return se_fail(err, -EINVAL, "bytes must be 1 to 268435456");
    for (struct client *client = stream->clients; client; client = client->stream_next)
        client->out_max = (uint32_t)bytes + OUT_BURST_MAX;
    stream->faults.endless_bytes = (uint32_t)bytes;
    return 0;
}

static int do_jump_timestamps(struct stream *stream, const json_t *order, struct se_err *err)
{
    double seconds = se_json_real(order, "seconds", 3600);

    if (seconds < -1e8 || seconds > 1e8)
        return se_fail(err, -EINVAL, "seconds must be within 100000000 of zero");
    stream->ts_shift_us += (int64_t)(seconds * SE_US_PER_S);
    return 0;
}

/* Puts the video's timestamp so that it wraps past 2^32 in so many seconds. */
static int do_wrap_timestamps(struct stream *stream, const json_t *order, struct se_err *err)
{
    int64_t left = (int64_t)(se_json_real(order, "seconds", 2) * 90000);
    uint32_t now = stream_timestamp(stream, 0, stream_now_us(stream));

    for (struct client *client = stream->clients; client; client = client->stream_next)
        client->tracks[0].timestamp_base = (uint32_t)-left - now;
    return 0;
}

static int do_reset_ssrc(struct stream *stream, const json_t *order, struct se_err *err)
{
    for (struct client *client = stream->clients; client; client = client->stream_next) {
        for (unsigned t = 0; t < CLIP_TRACKS; t++) {
            client->tracks[t].ssrc = server_random(stream->server);
            client->tracks[t].timestamp_base = server_random(stream->server);
            client->tracks[t].sequence = (uint16_t)server_random(stream->server);
        }
    }
    return 0;
}

static int do_reset_sequence(struct stream *stream, const json_t *order, struct se_err *err)
{
    for (struct client *client = stream->clients; client; client = client->stream_next)
        for (unsigned t = 0; t < CLIP_TRACKS; t++)
            client->tracks[t].sequence = (uint16_t)server_random(stream->server);
    return 0;
}

static int do_change_params(struct stream *stream, const json_t *order, struct se_err *err)
{
    const char *name = se_json_str(order, "clip", "");
    enum clip_codec before = stream->clip->tracks[0].codec;
    struct clip *clip;
    int r = server_clip(stream->server, name, stream->clip->aggregate, stream->clip->audio, &clip, err);

    if (r < 0)
        return r;
    stream_set_clip(stream, clip);
    if (clip->tracks[0].codec != before) /* a payload type means one codec: they must ask anew */
        each_client(stream, client_reset);
    return 0;
}

static int do_no_sprop(struct stream *stream, const json_t *order, struct se_err *err)
{
    stream->camera->no_sprop = se_json_bool(order, "on", true);
    return 0;
}

static int percent_of(const json_t *order, unsigned fallback, unsigned *ret_percent, struct se_err *err)
{
    int64_t percent = se_json_int(order, "percent", fallback);

    if (percent < 0 || percent > 100)
        return se_fail(err, -EINVAL, "percent must be 0 to 100");
    *ret_percent = (unsigned)percent;
    return 0;
}

static int do_no_keyframes(struct stream *stream, const json_t *order, struct se_err *err)
{
    stream->faults.no_keyframes_until = until(order, 60);
    return 0;
}

static int do_transports(struct stream *stream, const json_t *order, struct se_err *err)
{
    const char *offer = se_json_str(order, "offer", "both");

    if (strcmp(offer, "both") != 0 && strcmp(offer, "tcp") != 0 && strcmp(offer, "udp") != 0)
        return se_fail(err, -EINVAL, "offer must be both, tcp or udp");
    stream->camera->tcp = strcmp(offer, "udp") != 0;
    stream->camera->udp = strcmp(offer, "tcp") != 0;
    return 0;
}

static int do_loss(struct stream *stream, const json_t *order, struct se_err *err)
{
    return percent_of(order, 5, &stream->faults.loss_percent, err);
}

static int do_duplicate(struct stream *stream, const json_t *order, struct se_err *err)
{
    return percent_of(order, 5, &stream->faults.duplicate_percent, err);
}

static int do_reorder(struct stream *stream, const json_t *order, struct se_err *err)
{
    int64_t distance = se_json_int(order, "distance", 3);

    if (distance < 1 || distance > 200)
        return se_fail(err, -EINVAL, "distance must be 1 to 200 packets");
    stream->faults.reorder_distance = (unsigned)distance;
    return percent_of(order, 5, &stream->faults.reorder_percent, err);
}

static int do_late(struct stream *stream, const json_t *order, struct se_err *err)
{
    int64_t ms = se_json_int(order, "ms", 500);

    if (ms < 1 || ms > 60000)
        return se_fail(err, -EINVAL, "ms must be 1 to 60000");
    stream->faults.late_us = ms * 1000;
    return percent_of(order, 1, &stream->faults.late_percent, err);
}

static int do_wrong_password(struct stream *stream, const json_t *order, struct se_err *err)
{
    stream->camera->reject = se_json_bool(order, "on", true);
    if (stream->camera->reject)
        each_client(stream, client_reset);
    return 0;
}

/* Another address for a camera that has one of its own: the old one refuses from now on. */
static int do_move(struct stream *stream, const json_t *order, struct se_err *err)
{
    if (stream != stream->camera->streams[0])
        return 0;
    each_client(stream, client_reset);
    if (stream->camera->streams[1])
        each_client(stream->camera->streams[1], client_reset);
    return server_move_camera(stream->server, stream->camera, se_json_str(order, "listen", ""), err);
}

static int do_burst(struct stream *stream, const json_t *order, struct se_err *err)
{
    double seconds = se_json_real(order, "seconds", 10);

    if (seconds <= 0 || seconds > 600)
        return se_fail(err, -EINVAL, "seconds must be more than 0 and at most 600");
    stream_burst(stream, (int64_t)(seconds * SE_US_PER_S));
    return 0;
}

/* Takes back what lasts. */
static int do_clear(struct stream *stream, const json_t *order, struct se_err *err)
{
    bool stalled = stream->faults.stall_until != 0;

    memset(&stream->faults, 0, sizeof(stream->faults));
    stream->camera->reject = stream->camera->no_sprop = false;
    for (struct client *client = stream->clients; client; client = client->stream_next)
        client->out_max = OUT_MAX;
    each_client(stream, client_reset);
    if (stalled)
        stream_set_clip(stream, stream->clip);
    return 0;
}

static const struct fault {
    const char *name;
    int (*run)(struct stream *stream, const json_t *order, struct se_err *err);
} table[] = {
    {"stall", do_stall},
    {"drop", do_drop},
    {"refuse", do_refuse},
    {"blackhole", do_blackhole},
    {"garbage", do_garbage},
    {"endless", do_endless},
    {"jump_timestamps", do_jump_timestamps},
    {"wrap_timestamps", do_wrap_timestamps},
    {"reset_ssrc", do_reset_ssrc},
    {"reset_sequence", do_reset_sequence},
    {"change_params", do_change_params},
    {"no_sprop", do_no_sprop},
    {"transports", do_transports},
    {"loss", do_loss},
    {"duplicate", do_duplicate},
    {"reorder", do_reorder},
    {"late", do_late},
    {"wrong_password", do_wrong_password},
    {"no_keyframes", do_no_keyframes},
    {"burst", do_burst},
    {"move", do_move},
    {"clear", do_clear},
};

/* "cam01" is both its streams, "cam01/sub" the one, "*" all there are. */
static bool meant(const struct stream *stream, const char *who)
{
    return strcmp(who, "*") == 0 || strcmp(who, stream->path) == 0 || strcmp(who, stream->camera->name) == 0;
}

static json_t *stream_stats(const struct stream *stream)
{
    const struct stream_counters *c = &stream->counters;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"frames", c->frames},
        {"bytes", c->bytes},
        {"gops_dropped", c->gops_dropped},
        {"packets_lost", c->packets_lost},
        {"packets_reordered", c->packets_reordered},
        {"packets_late", c->packets_late},
        {"packets_duplicated", c->packets_duplicated},
        {"sessions", c->sessions},
        {"requests", c->requests},
        {"refused", c->refused},
        {"auth_failures", c->auth_failures},
        {"expired", c->expired},
        {"frames_late", c->frames_late},
        {"setups_tcp", c->setups_tcp},
        {"setups_udp", c->setups_udp},
        {"replies", c->replies},
        {"injected", c->injected},
    };
    unsigned clients = 0;
    json_t *out;

    for (const struct client *client = stream->clients; client; client = client->stream_next)
        clients += !client->doomed;
    out = json_pack("{s:s,s:s,s:i,s:i,s:f}", "path", stream->path, "clip", stream->clip->name, "clients",
                    clients, "playing", stream->playing, "position_s",
                    (double)(stream_now_us(stream) % stream->clip->length_us) / SE_US_PER_S);
    for (unsigned i = 0; out && i < SE_ARRAY_LEN(counts); i++)
        json_object_set_new(out, counts[i].name, json_integer((json_int_t)counts[i].value));
    return out;
}

static json_t *stats(struct server *server, const char *who)
{
    json_t *streams = json_array();
    uint64_t bytes = 0, frames = 0;

    for (struct camera *camera = server->cameras; camera; camera = camera->next) {
        for (unsigned i = 0; i < 2; i++) {
            if (!camera->streams[i])
                continue;
            bytes += camera->streams[i]->counters.bytes;
            frames += camera->streams[i]->counters.frames;
            if (meant(camera->streams[i], who))
                json_array_append_new(streams, stream_stats(camera->streams[i]));
        }
    }
    return json_pack("{s:b,s:i,s:I,s:I,s:I,s:I,s:o}", "ok", 1, "clients", server->client_count, "accepted",
                     (json_int_t)server->accepted, "too_many", (json_int_t)server->too_many, "bytes",
                     (json_int_t)bytes, "frames", (json_int_t)frames, "streams", streams);
}

static json_t *failed(const struct se_err *err)
{
    return json_pack("{s:s}", "error", err->text[0] ? err->text : "failed");
}

json_t *faults_order(struct server *server, const json_t *order)
{
    const char *name = se_json_str(order, "do", ""), *who = se_json_str(order, "camera", "*");
    const struct fault *fault = NULL;
    struct se_err err = {0};
    unsigned hits = 0;
    char address[80];

    if (strcmp(name, "stats") == 0)
        return stats(server, who);
    if (strcmp(name, "add") == 0) {
        if (server_add_camera(server, order, &err) < 0)
            return failed(&err);
        listener_text(server->cameras->own ? server->cameras->own : server->listener, address,
                      sizeof(address));
        return json_pack("{s:b,s:s}", "ok", 1, "address", address);
    }
    for (unsigned i = 0; i < SE_ARRAY_LEN(table); i++)
        if (strcmp(table[i].name, name) == 0)
            fault = &table[i];
    if (!fault)
        return json_pack("{s:s}", "error", "\"do\" is none of the orders in README.md");
    for (struct camera *camera = server->cameras; camera; camera = camera->next) {
        for (unsigned i = 0; i < 2; i++) {
            if (!camera->streams[i] || !meant(camera->streams[i], who))
                continue;
            hits++;
            if (fault->run(camera->streams[i], order, &err) < 0)
                return failed(&err);
        }
    }
    if (hits == 0)
        return json_pack("{s:s}", "error", "there is no such camera");
    return json_pack("{s:b,s:i}", "ok", 1, "streams", hits);
}

void faults_sweep(struct server *server, se_mono_us now)
{
    for (struct camera *camera = server->cameras; camera; camera = camera->next) {
        for (unsigned i = 0; i < 2; i++) {
            struct stream *stream = camera->streams[i];

            if (!stream || stream->faults.blackhole_until == 0 || now < stream->faults.blackhole_until)
                continue;
            stream->faults.blackhole_until = 0;
            each_client(stream, client_reset); /* back from the dead: it knows nothing of its old sessions */
        }
    }
}
