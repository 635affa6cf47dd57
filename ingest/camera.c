/* What a camera's spec and its viewers want, against what runs. */
#include "camera.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int camera_new(const struct camera_host *host, const char *id, struct se_loop *loop,
               struct camera **ret_camera)
{
    struct camera *camera = calloc(1, sizeof(*camera));
    if (!camera)
        return -ENOMEM;
    atomic_init(&camera->refs, 1);
    camera->host = host;
    camera->loop = loop;
    snprintf(camera->id, sizeof(camera->id), "%s", id);
    pthread_mutex_init(&camera->mutex, NULL);
    for (unsigned role = 0; role < STREAM_ROLES; role++) {
        camera->streams[role].camera = camera;
        camera->streams[role].role = role;
        camera->streams[role].state = SOURCE_DISABLED;
    }
    *ret_camera = camera;
    return 0;
}

struct camera *camera_ref(struct camera *camera)
{
    atomic_fetch_add_explicit(&camera->refs, 1, memory_order_relaxed);
    return camera;
}

static void clear_spec(struct stream *stream)
{
    if (stream->password)
        explicit_bzero(stream->password, strlen(stream->password));
    if (stream->url)
        explicit_bzero(stream->url, strlen(stream->url));
    free(stream->url);
    free(stream->username);
    free(stream->password);
    free(stream->tls_fingerprint);
    free(stream->fault);
    stream->url = stream->username = stream->password = stream->tls_fingerprint = stream->fault = NULL;
}

void camera_unref(struct camera **camera)
{
    struct camera *c = *camera;
    *camera = NULL;
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned role = 0; role < STREAM_ROLES; role++)
        clear_spec(&c->streams[role]);
    free(c->department_id);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

/* --- states ------------------------------------------------------------------ */

/* The stream whose state is the camera's. */
static struct stream *leading(struct camera *camera)
{
    return &camera->streams[camera->streams[STREAM_MAIN].url ? STREAM_MAIN : STREAM_SUB];
}

static void tell(struct camera *camera)
{
    enum source_state state = leading(camera)->state;
    if (!camera->host->on_state || camera->ended || (camera->told_any && camera->told == state))
        return;
    json_t *status;
    if (camera_status(camera, &status) < 0)
        return;
    camera->told = state;
    camera->told_any = true;
    camera->host->on_state(camera->id, camera->department_id, status, camera->host->ctx);
    json_decref(status);
}

void camera_stream_state(struct camera *camera, struct stream *stream)
{
    if (stream->role == STREAM_MAIN && camera->recorder && stream->state != SOURCE_LIVE)
        recorder_cut(camera->recorder, stream->state == SOURCE_OFFLINE   ? "offline"
                                       : stream->state == SOURCE_STALLED ? "stalled"
                                                                         : "stopped");
    if (stream == leading(camera))
        tell(camera);
}

/* --- what is wanted ----------------------------------------------------------- */

static void match_recorder(struct camera *camera)
{
    struct stream *main = &camera->streams[STREAM_MAIN];
    bool wanted = camera->enabled && main->url && camera->record == RECORD_CONTINUOUS && !camera->ended;
    if (!wanted && camera->recorder) {
        recorder_free(camera->recorder);
        camera->recorder = NULL;
    } else if (wanted && !camera->recorder) {
        if (recorder_new(camera->host->volumes, camera->id, &camera->recorder) < 0) {
            camera->recorder = NULL; /* tried again at the next tick */
            return;
        }
        if (main->video.config_size)
            recorder_video(camera->recorder, &main->video);
        if (main->audio.codec == CODEC_AAC)
            recorder_audio(camera->recorder, &main->audio);
    }
}

static void match_stream(struct stream *stream)
{
    struct camera *camera = stream->camera;
    bool watched = atomic_load_explicit(&stream->watched, memory_order_acquire);
    if (watched)
        se_timer_cancel(&stream->linger);
    bool wanted = stream->url && camera->enabled && !camera->ended &&
                  (camera->record != RECORD_ON_DEMAND || watched || stream->linger.slot || stream->fault);
    if (stream->source && (!wanted || stream->changed))
        stream_stop(stream, !camera->enabled ? SOURCE_DISABLED : wanted ? SOURCE_CONNECTING : SOURCE_IDLE);
    stream->changed = false;
    if (wanted && !stream->source)
        stream_start(stream);
    else if (!wanted && stream->url)
        stream_stop(stream, camera->enabled ? SOURCE_IDLE : SOURCE_DISABLED);
}

static void match(struct camera *camera)
{
    match_recorder(camera);
    for (unsigned role = 0; role < STREAM_ROLES; role++)
        if (camera->streams[role].url)
            match_stream(&camera->streams[role]);
}

static void linger_over(struct se_timer *timer)
{
    struct stream *stream = timer->ctx;
    match_stream(stream);
}

/* --- viewers ------------------------------------------------------------------ */

struct viewers_news {
    struct camera *camera;
    enum stream_role role;
};

static void viewers_changed(void *ctx)
{
    struct viewers_news *news = ctx;
    struct camera *camera = news->camera;
    struct stream *stream = &camera->streams[news->role];
    stream_watched(stream);
    if (!camera->ended && stream->url && camera->record == RECORD_ON_DEMAND) {
        if (!atomic_load_explicit(&stream->watched, memory_order_acquire) && stream->source) {
            stream->linger.fn = linger_over;
            stream->linger.ctx = stream;
            (void)se_timer_in(camera->loop, &stream->linger, camera->host->linger_us);
        }
        match_stream(stream);
    }
    camera_unref(&camera);
    free(news);
}

/* Any thread. When the loop's queue is full the next tick sees the flag. */
static void on_viewers(void *ctx, bool any)
{
    struct stream *stream = ctx;
    atomic_store_explicit(&stream->watched, any, memory_order_release);
    struct viewers_news *news = malloc(sizeof(*news));
    if (!news)
        return;
    news->camera = camera_ref(stream->camera);
    news->role = stream->role;
    if (se_loop_post(stream->camera->loop, viewers_changed, news) < 0) {
        camera_unref(&news->camera);
        free(news);
    }
}

/* --- specs -------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static int copy(const char *text, char **ret_copy)
{
    *ret_copy = text ? strdup(text) : NULL;
    return text && !*ret_copy ? -ENOMEM : 0;
}

static void drop_hub(struct stream *stream, pthread_mutex_t *hub_lock)
{
    if (!stream->hub)
        return;
    hub_remove(stream->hub);
    pthread_mutex_lock(hub_lock);
    struct hub *hub = stream->hub;
    stream->hub = NULL;
    pthread_mutex_unlock(hub_lock);
    hub_unref(&hub);
    atomic_store(&stream->watched, false);
    se_metric_add(&ingest_metrics[METRIC_STATE + stream->state], -(int64_t)stream->counted_state);
    stream->counted_state = false;
}

static void remove_stream(struct stream *stream, pthread_mutex_t *hub_lock)
{
    se_timer_cancel(&stream->linger);
    if (stream->url)
        stream_stop(stream, SOURCE_DISABLED);
    drop_hub(stream, hub_lock);
    clear_spec(stream);
    stream->video = (struct video_params){0};
    stream->audio = (struct audio_params){0};
    stream->before = (struct source_stats){0};
    stream->last_frame_us = 0;
    stream_publish(stream);
}

static int apply_stream(struct stream *stream, const struct camera_stream_spec *spec,
                        pthread_mutex_t *hub_lock)
{
    if (!spec->url) {
        remove_stream(stream, hub_lock);
        return 0;
    }
    if (stream->url && same(stream->url, spec->url) && same(stream->username, spec->username) &&
        same(stream->password, spec->password) && stream->transport == spec->transport &&
        stream->engine == spec->engine && same(stream->tls_fingerprint, spec->tls_fingerprint) &&
        same(stream->fault, spec->fault))
        return 0;
    if (!stream->hub) {
        struct hub *hub;
        int r = hub_new(on_viewers, stream, &hub);
        if (r < 0)
            return r;
        hub_cache_bytes(hub, (size_t)options_int(stream->camera->host->options, "ingest.gop_cache_bytes"));
        pthread_mutex_lock(hub_lock);
        stream->hub = hub;
        pthread_mutex_unlock(hub_lock);
    }
    char *url, *username = NULL, *password = NULL, *fingerprint = NULL, *fault = NULL;
    int r = copy(spec->url, &url);
    if (r == 0)
        r = copy(spec->username, &username);
    if (r == 0)
        r = copy(spec->tls_fingerprint, &fingerprint);
    if (r == 0)
        r = copy(spec->fault, &fault);
    if (r == 0)
        r = copy(spec->password, &password);
    if (r < 0) {
        free(url);
        free(username);
        free(fingerprint);
        free(fault);
        return r;
    }
    clear_spec(stream);
    stream->url = url;
    stream->username = username;
    stream->password = password;
    stream->transport = spec->transport;
    stream->engine = spec->engine;
    stream->tls_fingerprint = fingerprint;
    stream->fault = fault;
    stream->changed = true;
    return 0;
}

int camera_apply(struct camera *camera, const struct camera_spec *spec, pthread_mutex_t *hub_lock)
{
    char *department;
    int r = copy(spec->department_id ? spec->department_id : "", &department);
    if (r < 0)
        return r;
    free(camera->department_id);
    camera->department_id = department;
    camera->enabled = spec->enabled;
    camera->record = spec->record;
    for (unsigned role = 0; r == 0 && role < STREAM_ROLES; role++)
        r = apply_stream(&camera->streams[role], &spec->streams[role], hub_lock);
    match(camera);
    tell(camera);
    return r;
}

void camera_end(struct camera *camera, pthread_mutex_t *hub_lock)
{
    camera->ended = true;
    match_recorder(camera);
    for (unsigned role = 0; role < STREAM_ROLES; role++)
        remove_stream(&camera->streams[role], hub_lock);
}

void camera_tick(struct camera *camera)
{
    for (unsigned role = 0; role < STREAM_ROLES; role++)
        stream_tick(&camera->streams[role]);
    match(camera); /* what could not be done before */
}

/* --- status ------------------------------------------------------------------- */

static json_t *time_json(se_wall_ms ms)
{
    char text[SE_TIME_LEN];
    if (!ms)
        return json_null();
    se_time_format(ms, text);
    return json_string(text);
}

static json_t *stream_json(const struct stream_seen *seen, enum stream_role role)
{
    static const char *const codecs[] = {[CODEC_H264] = "h264", [CODEC_H265] = "h265"};
    const char *codec = seen->codec == CODEC_H264 || seen->codec == CODEC_H265 ? codecs[seen->codec] : NULL;
    /* "?": nulls where nothing is known yet */
    return json_pack(
        "{s:s, s:s, s:o, s:s?, s:o, s:o, s:f, s:I, s:I, s:I, s:f, s:I, s:s?, s:s?, s:s?, s:s?}", "role",
        role == STREAM_MAIN ? "main" : "sub", "state", source_state_name(seen->state), "since",
        time_json(seen->since_ms), "codec", codec, "width", codec ? json_integer(seen->width) : json_null(),
        "height", codec ? json_integer(seen->height) : json_null(), "fps",
        (double)(int64_t)(seen->fps * 100 + 0.5) / 100, "bitrate_bps", (json_int_t)(seen->bitrate_bps + 0.5),
        "packets_lost", (json_int_t)seen->packets_lost, "packets_late", (json_int_t)seen->packets_late,
        "jitter_ms", (double)seen->jitter_us / 1000, "reconnects", (json_int_t)seen->reconnects, "transport",
        seen->transport, "last_error", seen->last_error[0] ? seen->last_error : NULL, "note",
        seen->note[0] ? seen->note : NULL, "audio", seen->audio[0] ? seen->audio : NULL);
}

int camera_status(struct camera *camera, json_t **ret_status)
{
    struct stream_seen seen[STREAM_ROLES];
    pthread_mutex_lock(&camera->mutex);
    for (unsigned role = 0; role < STREAM_ROLES; role++)
        seen[role] = camera->streams[role].seen;
    pthread_mutex_unlock(&camera->mutex);

    const struct stream_seen *lead = &seen[seen[STREAM_MAIN].exists ? STREAM_MAIN : STREAM_SUB];
    json_t *streams = json_array();
    for (unsigned role = 0; role < STREAM_ROLES; role++)
        if (seen[role].exists)
            json_array_append_new(streams, stream_json(&seen[role], role));
    json_t *status = json_pack("{s:s, s:s, s:o, s:o, s:o}", "id", camera->id, "state",
                               source_state_name(lead->state), "since", time_json(lead->since_ms),
                               "last_frame_at", time_json(lead->last_frame_ms), "streams", streams);
    if (!status)
        return -ENOMEM;
    *ret_status = status;
    return 0;
}
