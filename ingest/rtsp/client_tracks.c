/* What a description offers, and what becomes of it: tracks, their depacketizers, access units. */
#include <stdlib.h>

#include "client.h"

/* --- units ------------------------------------------------------------------ */

static void on_video(void *ctx, const struct video_params *params)
{
    struct rtsp_client *client = ctx;
    client->sink.video(client->sink.ctx, params);
}

static void on_unit(void *ctx, struct access_unit *unit)
{
    struct rtsp_client *client = ctx;
    if (client->state != SOURCE_LIVE) {
        if (!client->live_since_us) {
            client->live_since_us = se_loop_now_us(client->loop);
            client->stats.reconnects += client->was_live;
            client->was_live = true;
            client_transport_live(client);
        }
        client_set_state(client, SOURCE_LIVE, "");
    }
    client->sink.unit(client->sink.ctx, unit);
}

static void on_audio_unit(void *ctx, struct access_unit *unit)
{
    struct rtsp_client *client = ctx;
    if (client->state == SOURCE_LIVE) /* live is what shows pictures */
        client->sink.unit(client->sink.ctx, unit);
}

/* --- tracks ----------------------------------------------------------------- */

static struct client_track *add_track(struct rtsp_client *client, const struct sdp_media *media,
                                      const char *base)
{
    struct client_track *track = &client->tracks[client->track_count];
    *track = (struct client_track){
        .kind = media->kind, .payload_type = (uint8_t)media->payload, .clock = media->clock};
    track->channel_rtp = client->track_count * 2;
    track->channel_rtcp = track->channel_rtp + 1;
    track->url = rtsp_url_join((struct text){base, strlen(base)}, media->control);
    track->control = strndup(media->control.n ? media->control.p : "", media->control.n);
    if (!track->url || !track->control) {
        free(track->url);
        free(track->control);
        return NULL;
    }
    client->track_count++;
    return track;
}

/* The decoder's needs outlive a session: a camera that comes back unchanged is no news to anybody. */
static void take_video(struct rtsp_client *client, const struct sdp_media *media)
{
    struct depay_sink sink = {.video = on_video, .unit = on_unit, .ctx = client};
    if (!client->video_ready || client->video.codec != media->codec) {
        struct depay_stats stats = client->video.stats;
        if (client->video_ready)
            video_depay_fini(&client->video);
        video_depay_init(&client->video, media->codec, media->clock, &sink);
        client->video.stats = stats;
        client->video_ready = true;
    }
    client->video.clock = media->clock;
    sdp_parameter_sets(media, &client->video.sets);
}

static void take_audio(struct rtsp_client *client, const struct sdp_media *media, const char *base)
{
    struct audio_params params = {
        .codec = CODEC_OTHER, .sample_rate = media->clock, .channels = media->channels};
    struct aac_format format;
    snprintf(params.name, sizeof(params.name), "%.*s", (int)(media->name.n < 31 ? media->name.n : 31),
             media->name.n ? media->name.p : "");
    if (media->codec == CODEC_AAC && sdp_aac(media, &format, &params) == 0 &&
        add_track(client, media, base)) {
        struct depay_sink sink = {.unit = on_audio_unit, .ctx = client};
        aac_depay_init(&client->audio, &format, media->clock, &sink);
        client->audio_ready = true;
    }
    client->sink.audio(client->sink.ctx, &params);
}

/* What servers expect differs, most of all where the URL has a query or the base names another host. */
static char *join_otherwise(const struct rtsp_client *client, const struct client_track *track, unsigned form)
{
    const char *own = client_url(client)->request;
    struct text control = {track->control, strlen(track->control)};
    switch (form) {
    case 1: /* behind the URL that was asked for */
        return rtsp_url_join((struct text){own, strlen(own)}, control);
    case 2: /* before its query */
        return rtsp_url_join_path((struct text){own, strlen(own)}, control);
    case 3: /* in the place of its last part (RFC 3986 5.2) */
        return rtsp_url_resolve((struct text){client->base, strlen(client->base)}, control);
    default: /* the stream itself: it has one track */
        return client->track_count == 1 ? strdup(own) : NULL;
    }
}

void client_track_first_url(struct rtsp_client *client, struct client_track *track)
{
    struct text base = {client->base, strlen(client->base)};
    char *url =
        track->url_form ? rtsp_url_join(base, (struct text){track->control, strlen(track->control)}) : NULL;
    if (!url)
        return;
    free(track->url);
    track->url = url;
    track->url_form = 0;
}

bool client_track_other_url(struct rtsp_client *client, struct client_track *track)
{
    while (++track->url_form <= 4) {
        char *url = join_otherwise(client, track, track->url_form);
        if (url && strcmp(url, track->url) != 0) {
            free(track->url);
            track->url = url;
            return true;
        }
        free(url);
    }
    return false;
}

bool client_media_describe(struct rtsp_client *client, const struct sdp *sdp, const char *base)
{
    const struct sdp_media *video = NULL, *audio = NULL, *other = NULL;
    bool encrypted = false;
    for (unsigned i = 0; i < sdp->media_count; i++) {
        const struct sdp_media *media = &sdp->media[i];
        encrypted |= media->encrypted;
        if (media->kind == SDP_VIDEO && (media->codec == CODEC_H264 || media->codec == CODEC_H265))
            video = video ? video : media;
        else if (media->kind == SDP_VIDEO)
            other = other ? other : media;
        else if (media->kind == SDP_AUDIO &&
                 (!audio || (audio->codec != CODEC_AAC && media->codec == CODEC_AAC)))
            audio = media;
    }
    if (!video && encrypted && !other) {
        client_fail(client, FAILURE_ANSWER, "the camera encrypts the stream (SRTP), which is not supported");
        return false;
    }
    if (!video) {
        client_fail(client, FAILURE_ANSWER, "the camera offers no H.264 or H.265 video%s%.*s",
                    other && other->name.n ? " but " : "",
                    other ? (int)(other->name.n < 24 ? other->name.n : 24) : 0,
                    other && other->name.n ? other->name.p : "");
        return false;
    }
    client->channels = (struct interleaved){0};
    client->track_count = 0;
    if (!add_track(client, video, base)) {
        client_fail(client, FAILURE_ANSWER, "the camera's description of the stream holds a broken URL");
        return false;
    }
    take_video(client, video);
    if (audio)
        take_audio(client, audio, base);
    return true;
}

void client_media_fini(struct rtsp_client *client, bool for_good)
{
    for (unsigned i = 0; i < client->track_count; i++) {
        client->lost_before += client->tracks[i].receiver.lost;
        client_udp_close(&client->tracks[i]);
        free(client->tracks[i].url);
        free(client->tracks[i].control);
    }
    client->track_count = 0;
    client->channels = (struct interleaved){0};
    client->lost_sync = false;
    client->garbage_run = 0;
    if (client->audio_ready)
        aac_depay_fini(&client->audio);
    client->audio_ready = false;
    if (!client->video_ready)
        return;
    if (for_good)
        video_depay_fini(&client->video);
    else
        video_depay_restart(&client->video);
}
