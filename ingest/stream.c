/* One stream: its source's callbacks, and the figures others see. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "camera.h"

/* --- rate ------------------------------------------------------------------- */

void rate_add(struct rate *rate, se_mono_us at_us, uint64_t units, uint64_t bytes)
{
    rate->points[rate->next].at_us = at_us;
    rate->points[rate->next].units = units;
    rate->points[rate->next].bytes = bytes;
    rate->next = (rate->next + 1) % SE_ARRAY_LEN(rate->points);
    if (rate->count < SE_ARRAY_LEN(rate->points))
        rate->count++;
}

void rate_read(const struct rate *rate, double *ret_units, double *ret_bytes)
{
    unsigned size = SE_ARRAY_LEN(rate->points);
    unsigned last = (rate->next + size - 1) % size, first = (rate->next + size - rate->count) % size;
    double seconds =
        rate->count < 2 ? 0 : (double)(rate->points[last].at_us - rate->points[first].at_us) / 1e6;
    *ret_units = *ret_bytes = 0;
    if (seconds < 0.5)
        return;
    *ret_units = (double)(rate->points[last].units - rate->points[first].units) / seconds;
    *ret_bytes = (double)(rate->points[last].bytes - rate->points[first].bytes) / seconds;
}

/* --- figures ---------------------------------------------------------------- */

/* The metric counts what is new since it was last asked. */
static void count(struct stream *stream, const struct source_stats *now)
{
    const struct source_stats *was = &stream->counted;
    const struct {
        unsigned metric;
        uint64_t now, was;
    } table[] = {
        {METRIC_BYTES, now->bytes, was->bytes},
        {METRIC_UNITS, now->units, was->units},
        {METRIC_LOST, now->packets_lost, was->packets_lost},
        {METRIC_DAMAGED, now->units_damaged, was->units_damaged},
        {METRIC_TOO_BIG, now->units_too_big, was->units_too_big},
        {METRIC_GARBAGE, now->garbage_bytes, was->garbage_bytes},
        {METRIC_RECONNECTS, now->reconnects, was->reconnects},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(table); i++)
        se_metric_add(&ingest_metrics[table[i].metric], (int64_t)(table[i].now - table[i].was));
    stream->counted = *now;
}

static void stats_of(struct stream *stream, struct source_stats *ret_stats)
{
    *ret_stats = stream->counted;
    if (stream->source)
        stream->ops->stats(stream->source, ret_stats);
}

void stream_publish(struct stream *stream)
{
    struct camera *camera = stream->camera;
    struct source_stats stats;
    stats_of(stream, &stats);
    struct stream_seen seen = {
        .exists = stream->url != NULL,
        .state = stream->state,
        .since_ms = stream->since_ms,
        .codec = stream->video.codec,
        .width = stream->video.width,
        .height = stream->video.height,
        .packets_lost = stream->before.packets_lost + stats.packets_lost,
        .packets_late = stream->before.packets_late + stats.packets_late,
        .reconnects = stream->before.reconnects + stats.reconnects,
        .jitter_us = stats.jitter_us,
        .transport = stats.transport,
    };
    if (stream->last_frame_us) /* arrival is monotonic; people read wall time */
        seen.last_frame_ms = se_wall_now_ms() - (se_mono_now_us() - stream->last_frame_us) / 1000;
    if (stream->state == SOURCE_LIVE) {
        double bytes;
        rate_read(&stream->rate, &seen.fps, &bytes);
        seen.bitrate_bps = bytes * 8;
    }
    snprintf(seen.last_error, sizeof(seen.last_error), "%s",
             stats.last_error[0] ? stats.last_error : stream->reason);
    snprintf(seen.audio, sizeof(seen.audio), "%s", stream->audio_note);
    snprintf(seen.note, sizeof(seen.note), "%s", stats.note);
    pthread_mutex_lock(&camera->mutex);
    stream->seen = seen;
    pthread_mutex_unlock(&camera->mutex);
}

void stream_tick(struct stream *stream)
{
    if (!stream->url)
        return;
    struct source_stats stats;
    stats_of(stream, &stats);
    if (stream->source) {
        rate_add(&stream->rate, se_loop_now_us(stream->camera->loop), stats.units, stats.bytes);
        count(stream, &stats);
    }
    stream_publish(stream);
}

/* --- the source's callbacks -------------------------------------------------- */

static void set_state(struct stream *stream, enum source_state state, const char *reason)
{
    bool changed = state != stream->state || !stream->counted_state;
    if (!changed && !strcmp(reason, stream->reason))
        return;
    if (changed) {
        if (stream->counted_state)
            se_metric_add(&ingest_metrics[METRIC_STATE + stream->state], -1);
        se_metric_add(&ingest_metrics[METRIC_STATE + state], 1);
        stream->counted_state = true;
        stream->state = state;
        stream->since_ms = se_wall_now_ms();
        stream->rate = (struct rate){0}; /* an outage is no low rate */
    }
    snprintf(stream->reason, sizeof(stream->reason), "%s", reason);
    se_log_write(&stream->told, SE_LOG_INFO, "ingest", "camera %s camera=%s stream=%s reason=\"%s\"",
                 source_state_name(state), stream->camera->id, stream->role == STREAM_MAIN ? "main" : "sub",
                 reason);
    hub_set_state(stream->hub, state, reason);
    stream_publish(stream);
    camera_stream_state(stream->camera, stream);
}

static void on_state(void *ctx, enum source_state state, const char *reason)
{
    set_state(ctx, state, reason);
}

static bool records(const struct stream *stream)
{
    return stream->role == STREAM_MAIN && stream->camera->recorder;
}

static void on_video(void *ctx, const struct video_params *params)
{
    struct stream *stream = ctx;
    stream->video = *params;
    hub_set_video(stream->hub, params);
    if (records(stream))
        recorder_video(stream->camera->recorder, params);
    stream_publish(stream);
}

/* Why there is no sound, for people. */
static void audio_left_out(const struct audio_params *params, char *out, size_t size)
{
    static const struct {
        const char *name, *words;
    } known[] = {{"PCMA", "G.711 A-law"}, {"PCMU", "G.711 mu-law"}, {"G726-16", "G.726"},
                 {"G726-24", "G.726"},    {"G726-32", "G.726"},     {"G726-40", "G.726"},
                 {"G722", "G.722"},       {"MPA", "MPEG audio"},    {"opus", "Opus"}};
    const char *words = params->name[0] ? params->name : "what the camera sends";
    for (unsigned i = 0; i < SE_ARRAY_LEN(known); i++)
        if (!strcasecmp(params->name, known[i].name))
            words = known[i].words;
    if (!strcasecmp(params->name, "mpeg4-generic") || !strcasecmp(params->name, "AAC"))
        snprintf(out, size, "no sound: the camera's AAC is of a kind that is not known");
    else if (!strcasecmp(params->name, "MP4A-LATM"))
        snprintf(out, size,
                 "no sound: AAC as LATM is not taken, only as MPEG4-GENERIC (set it at the camera)");
    else
        snprintf(out, size, "no sound: %.32s is not kept, only AAC (set it at the camera)", words);
}

static void on_audio(void *ctx, const struct audio_params *params)
{
    struct stream *stream = ctx;
    stream->audio = *params;
    if (params->codec == CODEC_AAC)
        snprintf(stream->audio_note, sizeof(stream->audio_note), "AAC");
    else
        audio_left_out(params, stream->audio_note, sizeof(stream->audio_note));
    hub_set_audio(stream->hub, params);
    if (records(stream) && params->codec == CODEC_AAC)
        recorder_audio(stream->camera->recorder, params);
}

static void on_unit(void *ctx, struct access_unit *unit)
{
    struct stream *stream = ctx;
    if (unit->codec == CODEC_AAC) {
        se_metric_add(&ingest_metrics[METRIC_AUDIO_UNITS], 1);
    } else {
        stream->last_frame_us = unit->arrived_us;
    }
    hub_push(stream->hub, unit);
    if (records(stream))
        recorder_push(stream->camera->recorder, unit);
}

/* --- start and stop ---------------------------------------------------------- */

void stream_start(struct stream *stream)
{
    const struct camera_host *host = stream->camera->host;
    struct source_config config = {
        .url = stream->url,
        .username = stream->username,
        .password = stream->password,
        .transport = stream->transport,
        .tls_fingerprint = stream->tls_fingerprint,
        .options = host->options,
        .pool = host->pool,
        .av_threads = host->av_threads,
        /* A camera counts the tries of both its streams as one user's. */
        .auth_tries = stream->role == STREAM_SUB                ? 1
                      : stream->camera->streams[STREAM_SUB].url ? 2
                                                                : 3,
    };
    struct source_sink sink = {
        .state = on_state, .video = on_video, .audio = on_audio, .unit = on_unit, .ctx = stream};
    struct se_err err = {0};
    stream->rate = (struct rate){0};
    stream->counted = (struct source_stats){0};
    stream->audio_note[0] = 0;
    int r = stream->fault ? se_fail(&err, -EACCES, "%s", stream->fault)
                          : host->pick(stream->url, stream->engine, &stream->ops, &err);
    if (r == 0)
        r = stream->ops->start(stream->camera->loop, &config, &sink, &stream->source);
    if (r < 0) {
        stream->source = NULL;
        set_state(stream, SOURCE_OFFLINE, err.text[0] ? err.text : strerrordesc_np(-r));
    }
    stream_watched(stream);
}

void stream_watched(struct stream *stream)
{
    if (stream->source && stream->ops->watched)
        stream->ops->watched(stream->source, atomic_load_explicit(&stream->watched, memory_order_acquire));
}

void stream_stop(struct stream *stream, enum source_state state)
{
    if (stream->source) {
        struct source_stats stats;
        stats_of(stream, &stats);
        count(stream, &stats);
        stream->ops->stop(stream->source);
        stream->source = NULL;
        stream->before.packets_lost += stats.packets_lost;
        stream->before.packets_late += stats.packets_late;
        stream->before.reconnects += stats.reconnects;
        stream->counted = (struct source_stats){0};
    }
    set_state(stream, state, "");
}
