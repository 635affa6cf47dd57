/* The life of a stream that libavformat pulls, on its loop: when it is tried, what state it says it is in. */
#include "av/av_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "av/av_log.h"
#include "av/av_metrics.h"
#include "av/http.h"
#include "av/puller.h"

#define TICK_US SE_US_PER_S
#define TURN    64 /* things taken before the loop's other work has its turn */

struct av_source {
    struct source source; /* first */
    struct se_loop *loop;
    struct source_sink sink;
    struct source_stats stats;
    struct backoff backoff;
    struct av_threads *threads;
    struct puller *puller;
    struct se_watch watch; /* of its queue */
    struct se_timer retry, tick;
    enum source_state state;
    bool was_live;
    int64_t stall_us;
    se_mono_us live_since_us, last_video_us; /* of this try; 0: not yet */
};

static void set_state(struct av_source *source, enum source_state state, const char *reason)
{
    if (state == source->state)
        return;
    source->state = state;
    source->sink.state(source->sink.ctx, state, reason);
}

static void fail(struct av_source *source, enum source_failure kind, const char *reason)
{
    int64_t live_us = source->live_since_us ? se_loop_now_us(source->loop) - source->live_since_us : 0;
    source->live_since_us = 0;
    se_timer_cancel(&source->tick);
    snprintf(source->stats.last_error, sizeof(source->stats.last_error), "%s", reason);
    source->stats.transport = NULL;
    int64_t delay = backoff_next(&source->backoff, kind, live_us);
    if (delay != BACKOFF_NEVER)
        (void)se_timer_in(source->loop, &source->retry, delay);
    /* Tries that fail one after the other are one time offline; a new reason is still told. */
    source->state = SOURCE_OFFLINE;
    source->sink.state(source->sink.ctx, SOURCE_OFFLINE, source->stats.last_error);
}

/* --- what comes from the thread ------------------------------------------------------- */

static void tick(struct se_timer *timer)
{
    struct av_source *source = timer->ctx;
    se_mono_us now = se_loop_now_us(source->loop);
    (void)se_timer_in(source->loop, timer, source->stall_us / 8 < TICK_US ? source->stall_us / 8 : TICK_US);
    if (source->state == SOURCE_LIVE && now - source->last_video_us >= source->stall_us)
        set_state(source, SOURCE_STALLED, "the camera sends no video");
}

static void take_unit(struct av_source *source, struct access_unit *unit)
{
    bool video = unit->codec != CODEC_AAC;
    if (video) {
        source->stats.units++;
        source->last_video_us = se_loop_now_us(source->loop);
    }
    if (video && source->state != SOURCE_LIVE) {
        if (!source->live_since_us) {
            source->live_since_us = source->last_video_us;
            source->stats.reconnects += source->was_live;
            source->was_live = true;
            (void)se_timer_in(source->loop, &source->tick, 0);
        }
        set_state(source, SOURCE_LIVE, "");
    }
    if (source->state == SOURCE_LIVE) /* live is what shows pictures */
        source->sink.unit(source->sink.ctx, unit);
}

static void on_pulled(struct se_watch *watch, uint32_t events)
{
    struct av_source *source = watch->ctx;
    struct pulled pulled;
    for (unsigned i = 0; i < TURN && puller_take(source->puller, &pulled); i++) {
        switch (pulled.kind) {
        case PULLED_OPENED:
            source->stats.transport = pulled.transport;
            backoff_accepted(&source->backoff);
            break;
        case PULLED_VIDEO:
            source->sink.video(source->sink.ctx, pulled.video);
            break;
        case PULLED_AUDIO:
            source->sink.audio(source->sink.ctx, pulled.audio);
            break;
        case PULLED_UNIT:
            take_unit(source, pulled.unit);
            break;
        case PULLED_FAILED:
            fail(source, pulled.failure->kind, pulled.failure->text);
            break;
        }
        pulled_clear(&pulled);
    }
}

static void retry(struct se_timer *timer)
{
    struct av_source *source = timer->ctx;
    char words[128];
    int r = puller_try(source->puller, source->threads);
    if (r == -EBUSY)
        snprintf(words, sizeof(words),
                 "as many streams as ingest.av_streams allows are being pulled with libavformat");
    else if (r < 0)
        snprintf(words, sizeof(words), "no thread can be started: %s", strerrordesc_np(-r));
    if (r < 0)
        fail(source, FAILURE_UNREACHABLE, words);
}

/* --- start and stop --------------------------------------------------------------------- */

static int copy(const char *text, char **ret_text)
{
    *ret_text = text ? strdup(text) : NULL;
    return text && !*ret_text ? -ENOMEM : 0;
}

/* What is given beside the URL goes before what is written in it. */
static int configure(const struct source_config *from, struct av_stream_config *config)
{
    int r = media_url_parse(from->url, &config->url, NULL);
    if (r < 0)
        return r;
    bool beside = from->username || from->password;
    const char *username = beside ? from->username : config->url.username;
    const char *password = beside ? from->password : config->url.password;
    if (copy(username   ? username
             : password ? ""
                        : NULL,
             &config->username) < 0 ||
        copy(password, &config->password) < 0 || copy(from->tls_fingerprint, &config->tls_fingerprint) < 0)
        return -ENOMEM;
    config->pool = from->pool;
    config->connect_us = options_int(from->options, "ingest.connect_timeout_ms") * 1000;
    config->answer_us = options_int(from->options, "ingest.answer_timeout_ms") * 1000;
    config->stall_us = options_int(from->options, "ingest.stall_ms") * 1000;
    return address_rules_parse(options_text(from->options, "ingest.allow"), &config->rules, NULL);
}

static int av_start(struct se_loop *loop, const struct source_config *config, const struct source_sink *sink,
                    struct source **ret_source)
{
    struct av_source *source = calloc(1, sizeof(*source));
    struct av_stream_config stream = {0};
    if (!source)
        return -ENOMEM;
    av_log_init();
    av_http_init();
    av_metrics_register();
    source->source.ops = &source_av;
    source->loop = loop;
    source->sink = *sink;
    source->threads = config->av_threads;
    source->watch = (struct se_watch){.fn = on_pulled, .ctx = source, .fd = -1};
    source->retry = (struct se_timer){.fn = retry, .ctx = source};
    source->tick = (struct se_timer){.fn = tick, .ctx = source};
    source->state = SOURCE_CONNECTING;
    backoff_init(&source->backoff, config->options, config->auth_tries);
    int r = configure(config, &stream);
    source->stall_us = stream.stall_us;
    if (r == 0)
        r = puller_new(&stream, &source->puller);
    av_stream_config_fini(&stream);
    if (r == 0)
        r = se_watch_add(loop, &source->watch, se_ring_fd(source->puller->ring), EPOLLIN);
    if (r == 0)
        r = se_timer_in(loop, &source->retry, 0);
    if (r < 0) {
        se_watch_del(&source->watch);
        puller_unref(&source->puller);
        free(source);
        return r;
    }
    *ret_source = &source->source;
    source->sink.state(source->sink.ctx, SOURCE_CONNECTING, "");
    return 0;
}

static void av_stop(struct source *base)
{
    struct av_source *source = SE_CONTAINER_OF(base, struct av_source, source);
    se_timer_cancel(&source->retry);
    se_timer_cancel(&source->tick);
    se_watch_del(&source->watch);
    source->puller->quit = true; /* its thread ends by itself; whoever comes last frees what they share */
    puller_unref(&source->puller);
    free(source);
}

static void av_stats(const struct source *base, struct source_stats *ret_stats)
{
    const struct av_source *source = (const struct av_source *)(const void *)base;
    *ret_stats = source->stats;
    ret_stats->bytes = source->puller->bytes;
    ret_stats->packets = source->puller->packets;
    ret_stats->packets_lost = source->puller->dropped;
    ret_stats->units_damaged = source->puller->damaged;
    ret_stats->units_too_big = source->puller->too_big;
}

const struct source_ops source_av = {
    .name = "libavformat",
    .start = av_start,
    .stop = av_stop,
    .stats = av_stats,
};
