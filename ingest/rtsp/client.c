/* The RTSP client's life: when it tries, what state it says it is in, when it tries again. */
#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "gateway/options.h"

const struct rtsp_url *client_url(const struct rtsp_client *client)
{
    return client->at.request ? &client->at : &client->url;
}

uint64_t client_random(void)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
        value = (uint64_t)se_mono_now_us() * 0x9e3779b97f4a7c15u;
    return value;
}

void client_set_state(struct rtsp_client *client, enum source_state state, const char *reason)
{
    if (state == client->state)
        return;
    client->state = state;
    client_lazy(client);
    client->sink.state(client->sink.ctx, state, reason);
}

void client_deadline(struct rtsp_client *client, int64_t delay_us)
{
    (void)se_timer_in(client->loop, &client->deadline, delay_us);
}

static void end_try(struct rtsp_client *client)
{
    se_timer_cancel(&client->deadline);
    se_timer_cancel(&client->tick);
    client->session_number++;
    client->stats.note[0] = 0;
    client_resolve_cancel(client);
    client_teardown(client);
    client_disconnect(client);
    client_session_fini(client);
    client_media_fini(client, false);
}

void client_fail(struct rtsp_client *client, enum source_failure failure, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(client->stats.last_error, sizeof(client->stats.last_error), fmt, args);
    va_end(args);

    int64_t live_us = client->live_since_us ? se_loop_now_us(client->loop) - client->live_since_us : 0;
    client->live_since_us = 0;
    end_try(client);
    client->phase = PHASE_WAIT;
    int64_t delay = backoff_next(&client->backoff, failure, live_us);
    if (delay != BACKOFF_NEVER)
        client_deadline(client, delay);
    /* Tries that fail one after the other are one time offline; a new reason is still told. */
    client->state = SOURCE_OFFLINE;
    client->sink.state(client->sink.ctx, SOURCE_OFFLINE, client->stats.last_error);
}

static void deadline(struct se_timer *timer)
{
    struct rtsp_client *client = timer->ctx;
    switch (client->phase) {
    case PHASE_WAIT:
        rtsp_url_fini(&client->at);
        client->redirects = 0;
        client->try_began_us = se_loop_now_us(client->loop);
        client_connect(client);
        break;
    case PHASE_RESOLVE:
        client_fail(client, FAILURE_UNREACHABLE, "the name %s was not resolved in time",
                    client_url(client)->host);
        break;
    case PHASE_CONNECT:
        client_connect(client); /* the next address, or the end */
        break;
    default:
        client_session_late(client);
        break;
    }
}

static void client_free(struct rtsp_client *client)
{
    client_session_fini(client);
    client_media_fini(client, true);
    rtsp_url_fini(&client->url);
    rtsp_url_fini(&client->at);
    se_str_fini(&client->out);
    if (client->password)
        explicit_bzero(client->password, strlen(client->password));
    free(client->username);
    free(client->password);
    free(client->fingerprint);
    free(client->rest);
    free(client);
}

static void read_waits(struct rtsp_client *client, const struct options *options)
{
    client->wait.connect_us = options_int(options, "ingest.connect_timeout_ms") * 1000;
    client->wait.answer_us = options_int(options, "ingest.answer_timeout_ms") * 1000;
    client->wait.stall_us = options_int(options, "ingest.stall_ms") * 1000;
    client->wait.keepalive_us = options_int(options, "ingest.keepalive_s") * SE_US_PER_S;
    client->wait.reorder_us = options_int(options, "ingest.udp_reorder_ms") * 1000;
    client->wait.loss_window_us = options_int(options, "ingest.udp_loss_window_ms") * 1000;
    client->wait.transport_retry_us = options_int(options, "ingest.transport_retry_s") * SE_US_PER_S;
    client->loss_percent = (double)options_int(options, "ingest.udp_loss_percent");
}

/* What is given beside the URL goes before what is written in it. */
static int take_credentials(struct rtsp_client *client, const struct source_config *config)
{
    const char *username = config->username ? config->username : client->url.username;
    const char *password = config->username || config->password ? config->password : client->url.password;
    client->username = username ? strdup(username) : NULL;
    client->password = password ? strdup(password) : NULL;
    if (!client->username && client->password)
        client->username = strdup("");
    return (username && !client->username) || (password && !client->password) ? -ENOMEM : 0;
}

static int client_start(struct se_loop *loop, const struct source_config *config,
                        const struct source_sink *sink, struct source **ret_source)
{
    struct rtsp_client *client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    client->source.ops = &source_rtsp;
    client->loop = loop;
    client->pool = config->pool;
    client->sink = *sink;
    client->watch.fd = -1;
    client->watch.ctx = client;
    client->deadline = (struct se_timer){.fn = deadline, .ctx = client};
    client->tick.ctx = client;
    client->own_ssrc = (uint32_t)client_random();
    backoff_init(&client->backoff, config->options, config->auth_tries);
    client->way.wanted = config->transport;
    client->tls_ca_file = options_text(config->options, "ingest.tls_ca_file");
    client_udp_metrics_register();
    read_waits(client, config->options);
    int r = address_rules_parse(options_text(config->options, "ingest.allow"), &client->rules, NULL);
    if (r == 0)
        r = rtsp_url_parse(config->url, &client->url, NULL);
    if (r == 0)
        r = udp_ports_parse(options_text(config->options, "ingest.udp_ports"), &client->udp_ports, NULL);
    if (r == 0)
        r = take_credentials(client, config);
    if (r == 0 && config->tls_fingerprint && !(client->fingerprint = strdup(config->tls_fingerprint)))
        r = -ENOMEM;
    if (r == 0) {
        client->state = SOURCE_CONNECTING;
        client->phase = PHASE_WAIT;
        r = se_timer_in(loop, &client->deadline, 0);
    }
    if (r < 0) {
        client_free(client);
        return r;
    }
    *ret_source = &client->source;
    client->sink.state(client->sink.ctx, SOURCE_CONNECTING, "");
    if (client->url.tls && config->transport == TRANSPORT_UDP) {
        se_timer_cancel(&client->deadline);
        client_fail(client, FAILURE_FINAL,
                    "rtsps:// is pulled over its own connection: set the stream's transport to auto or tcp");
    }
    return 0;
}

static void client_stop(struct source *source)
{
    struct rtsp_client *client = SE_CONTAINER_OF(source, struct rtsp_client, source);
    end_try(client);
    client_free(client);
}

static void client_stats(const struct source *source, struct source_stats *ret_stats)
{
    const struct rtsp_client *client = (const struct rtsp_client *)(const void *)source;
    *ret_stats = client->stats;
    ret_stats->packets_lost = client->lost_before;
    ret_stats->packets_late = client->late_before;
    for (unsigned i = 0; i < client->track_count; i++) {
        const struct client_track *track = &client->tracks[i];
        ret_stats->packets_lost += track->receiver.lost;
        ret_stats->packets_late += client_udp_late(track);
        if (track->kind == SDP_VIDEO)
            ret_stats->jitter_us = rtp_jitter_us(&track->receiver, track->clock);
    }
    ret_stats->transport = client->phase == PHASE_PLAYING ? client_transport_name(client) : NULL;
    ret_stats->units = client->video.stats.units;
    ret_stats->units_damaged = client->video.stats.damaged;
    ret_stats->units_too_big = client->video.stats.too_big;
}

static void client_watched(struct source *source, bool watched)
{
    struct rtsp_client *client = SE_CONTAINER_OF(source, struct rtsp_client, source);
    client->watched = watched;
    client_lazy(client);
}

const struct source_ops source_rtsp = {
    .name = "rtsp",
    .start = client_start,
    .stop = client_stop,
    .stats = client_stats,
    .watched = client_watched,
};
