/* A stream that is only tried: a source with a sink that keeps nothing, until its first pictures or its first
 * failure. Lives on a loop; its owner, on any thread, sees the result. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "camera.h"
#include "parts.h"

#define PICTURES   4                     /* from whose distances the rate is told … */
#define PICTURE_US (400 * (int64_t)1000) /* … but no longer than this after the first */

static _Atomic unsigned under_way;
static struct se_metric try_metrics[] = {
    {"sharpeyes_ingest_tries_total", "Streams tried without a camera", SE_COUNTER, "result=\"ok\""},
    {"sharpeyes_ingest_tries_total", "Streams tried without a camera", SE_COUNTER, "result=\"failed\""},
    {"sharpeyes_ingest_tries_total", "Streams tried without a camera", SE_COUNTER, "result=\"refused\""},
};
enum { TRY_OK, TRY_FAILED, TRY_REFUSED };

struct ingest_try {
    _Atomic unsigned refs; /* the owner's and the loop's */
    pthread_mutex_t mutex;
    void (*done)(void *ctx);
    void *ctx;
    json_t *result;

    /* The loop's */
    const struct camera_host *host;
    struct se_loop *loop;
    char *url, *username, *password, *tls_fingerprint;
    enum stream_transport transport;
    enum stream_engine engine;
    const struct source_ops *ops;
    struct source *source;
    struct se_timer end; /* of its time; after the result: of the source */
    bool finished, waited;
    se_mono_us began_us;
    struct video_params video;
    struct audio_params audio;
    bool has_audio;
    unsigned pictures;
    int64_t times[PICTURES];
};

static void register_metrics(void)
{
    se_metrics_register(try_metrics, SE_ARRAY_LEN(try_metrics));
}

static void try_unref(struct ingest_try *try)
{
    if (atomic_fetch_sub(&try->refs, 1) != 1)
        return;
    if (try->password)
        explicit_bzero(try->password, strlen(try->password));
    explicit_bzero(try->url, strlen(try->url));
    free(try->url);
    free(try->username);
    free(try->password);
    free(try->tls_fingerprint);
    json_decref(try->result);
    pthread_mutex_destroy(&try->mutex);
    free(try);
}

/* --- on the loop ------------------------------------------------------------------------- */

/* Pictures a second, from the least distance between two: with reordering they do not come in order. */
static double rate_of(const struct ingest_try *try)
{
    int64_t least = INT64_MAX;
    if (try->video.fps > 0)
        return try->video.fps;
    for (unsigned i = 0; i < try->pictures; i++)
        for (unsigned j = 0; j < i; j++) {
            int64_t apart = llabs(try->times[i] - try->times[j]);
            if (apart > 0 && apart < least)
                least = apart;
        }
    return least < 10 * 90000 ? 90000.0 / (double)least : 0;
}

static json_t *describe(const struct ingest_try *try, bool ok, const char *reason)
{
    static const char *const codecs[] = {[CODEC_H264] = "h264", [CODEC_H265] = "h265"};
    const struct video_params *video = &try->video;
    bool known = video->codec == CODEC_H264 || video->codec == CODEC_H265;
    double fps = ok ? rate_of(try) : 0;
    struct source_stats stats = {0};
    char audio[64];
    if (try->source)
        try->ops->stats(try->source, &stats);
    snprintf(audio, sizeof(audio), "%.31s%s", try->audio.codec == CODEC_AAC ? "AAC" : try->audio.name,
             try->audio.codec == CODEC_AAC ? "" : " cannot be kept");
    json_t *json = json_pack("{s:b, s:s?, s:o, s:o, s:o, s:s?, s:s?, s:s?}", "ok", ok, "codec",
                             known ? codecs[video->codec] : NULL, "width",
                             known ? json_integer(video->width) : json_null(), "height",
                             known ? json_integer(video->height) : json_null(), "fps",
                             fps > 0 ? json_real(fps) : json_null(), "audio", try->has_audio ? audio : NULL,
                             "transport", stats.transport, "reason", ok ? NULL : reason);
    if (json)
        json_object_set_new(json, "took_ms", json_integer((se_mono_now_us() - try->began_us) / 1000));
    return json;
}

static void stop(struct ingest_try *try)
{
    se_timer_cancel(&try->end);
    if (try->source)
        try->ops->stop(try->source);
    try->source = NULL;
}

static void stop_later(struct se_timer *timer)
{
    struct ingest_try *try = timer->ctx;
    stop(try);
    atomic_fetch_sub(&under_way, 1);
    try_unref(try);
}

static void finish(struct ingest_try *try, bool ok, const char *reason)
{
    if (try->finished)
        return;
    try->finished = true;
    json_t *result = describe(try, ok, reason);
    se_metric_add(&try_metrics[ok ? TRY_OK : TRY_FAILED], 1);
    pthread_mutex_lock(&try->mutex);
    try->result = result ? result : json_object();
    if (try->done)
        try->done(try->ctx);
    pthread_mutex_unlock(&try->mutex);
    try->end.fn = stop_later; /* not from the source's own callback */
    (void)se_timer_in(try->loop, &try->end, 0);
}

static void time_is_up(struct se_timer *timer)
{
    struct ingest_try *try = timer->ctx;
    struct source_stats stats = {0};
    if (try->source)
        try->ops->stats(try->source, &stats);
    if (try->pictures)
        finish(try, true, NULL);
    else
        finish(try, false, stats.last_error[0] ? stats.last_error : "no picture came in time");
}

/* A camera that takes TCP and sends nothing is asked for UDP next: that is worth waiting for. */
static bool another_way(struct ingest_try *try)
{
    int64_t stall_us = options_int(try->host->options, "ingest.stall_ms") * 1000;
    bool first = !try->waited;
    try->waited = true;
    return first && try->ops == &source_rtsp && try->transport == TRANSPORT_AUTO &&
           se_mono_now_us() - try->began_us >= stall_us * 3 / 4;
}

static void on_state(void *ctx, enum source_state state, const char *reason)
{
    struct ingest_try *try = ctx;
    if (state == SOURCE_OFFLINE && !another_way(try))
        finish(try, false, reason);
}

static void on_video(void *ctx, const struct video_params *params)
{
    ((struct ingest_try *)ctx)->video = *params;
}

static void on_audio(void *ctx, const struct audio_params *params)
{
    struct ingest_try *try = ctx;
    try->audio = *params;
    try->has_audio = true;
}

static void on_unit(void *ctx, struct access_unit *unit)
{
    struct ingest_try *try = ctx;
    if (unit->codec == CODEC_AAC || try->finished)
        return;
    if (!try->pictures)
        (void)se_timer_in(try->loop, &try->end, PICTURE_US);
    try->times[try->pictures++] = unit->pts_90k;
    if (try->video.fps > 0 || try->pictures == PICTURES)
        finish(try, true, NULL);
}

static void begin(void *ctx)
{
    struct ingest_try *try = ctx;
    struct source_config config = {.url = try->url,
                                   .username = try->username,
                                   .password = try->password,
                                   .transport = try->transport,
                                   .tls_fingerprint = try->tls_fingerprint,
                                   .auth_tries = 1,
                                   .options = try->host->options,
                                   .pool = try->host->pool,
                                   .av_threads = try->host->av_threads};
    struct source_sink sink = {
        .state = on_state, .video = on_video, .audio = on_audio, .unit = on_unit, .ctx = try};
    struct se_err err = {0};
    int64_t patience_us = options_int(config.options, "ingest.try_ms") * 1000;
    try->end = (struct se_timer){.fn = time_is_up, .ctx = try};
    (void)se_timer_in(try->loop, &try->end, patience_us);
    int r = try->host->pick(try->url, try->engine, &try->ops, &err);
    if (r == 0)
        r = try->ops->start(try->loop, &config, &sink, &try->source);
    if (r < 0)
        finish(try, false, err.text[0] ? err.text : strerrordesc_np(-r));
    else if (try->ops->watched)
        try->ops->watched(try->source, true);
}

/* The owner has gone: it need not go on. */
static void abandon(void *ctx)
{
    struct ingest_try *try = ctx;
    if (!try->finished) {
        try->finished = true;
        stop_later(&try->end);
    }
    try_unref(try);
}

/* --- the owner --------------------------------------------------------------------------- */

static int copy(const char *text, char **ret_text)
{
    *ret_text = text ? strdup(text) : NULL;
    return text && !*ret_text ? -ENOMEM : 0;
}

static int try_new(const struct camera_stream_spec *spec, struct ingest_try **ret_try)
{
    struct ingest_try *try = calloc(1, sizeof(*try));
    char *url = strdup(spec->url);
    if (!try || !url) {
        free(try);
        free(url);
        return -ENOMEM;
    }
    atomic_init(&try->refs, 1);
    pthread_mutex_init(&try->mutex, NULL);
    try->url = url;
    try->transport = spec->transport;
    try->engine = spec->engine;
    try->began_us = se_mono_now_us();
    if (copy(spec->username, &try->username) < 0 || copy(spec->password, &try->password) < 0 ||
        copy(spec->tls_fingerprint, &try->tls_fingerprint) < 0) {
        try_unref(try);
        return -ENOMEM;
    }
    *ret_try = try;
    return 0;
}

int ingest_try_start(struct ingest *ingest, const struct camera_stream_spec *spec, void (*done)(void *ctx),
                     void *ctx, struct ingest_try **ret_try, struct se_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ingest_try *try;
    pthread_once(&once, register_metrics);
    int r = spec->fault ? se_fail_field(err, -EINVAL, "password", "%s", spec->fault)
                        : ingest_stream_check(ingest, spec, "", err);
    if (r < 0)
        return r;
    if (atomic_fetch_add(&under_way, 1) >= INGEST_TRIES_MAX) {
        atomic_fetch_sub(&under_way, 1);
        se_metric_add(&try_metrics[TRY_REFUSED], 1);
        return -EBUSY;
    }
    r = try_new(spec, &try);
    if (r < 0) {
        atomic_fetch_sub(&under_way, 1);
        return r;
    }
    try->host = ingest_host(ingest);
    try->loop = ingest_next_loop(ingest);
    try->done = done;
    try->ctx = ctx;
    atomic_fetch_add(&try->refs, 1);
    r = se_loop_post(try->loop, begin, try);
    if (r < 0) {
        atomic_fetch_sub(&under_way, 1);
        try_unref(try);
        try_unref(try);
        return r;
    }
    *ret_try = try;
    return 0;
}

json_t *ingest_try_result(struct ingest_try *try)
{
    pthread_mutex_lock(&try->mutex);
    json_t *result = try->result ? json_deep_copy(try->result) : NULL;
    pthread_mutex_unlock(&try->mutex);
    return result;
}

void ingest_try_free(struct ingest_try *try)
{
    if (!try)
        return;
    pthread_mutex_lock(&try->mutex);
    try->done = NULL;
    pthread_mutex_unlock(&try->mutex);
    if (se_loop_post(try->loop, abandon, try) < 0) /* its time ends it then */
        try_unref(try);
}
