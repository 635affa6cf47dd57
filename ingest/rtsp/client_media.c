/* What comes in: bytes into messages and interleaved packets, packets into access units, and silence. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

#define TICK_US              SE_US_PER_S
#define REPORT_US            (5 * SE_US_PER_S)
#define GARBAGE_MAX          (1024 * 1024) /* bytes in a row without a frame: not this camera's day */
#define GARBAGE_MAX_AT_START (64 * 1024)

/* --- the scratch of a loop's thread ----------------------------------------- */

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void make_scratch_key(void)
{
    (void)pthread_key_create(&scratch_key, free);
}

/* One large buffer serves all clients of a thread: bytes are parsed where they were received. */
uint8_t *client_scratch(void)
{
    pthread_once(&scratch_once, make_scratch_key);
    uint8_t *buffer = pthread_getspecific(scratch_key);
    if (!buffer) {
        buffer = malloc(CLIENT_SCRATCH);
        if (buffer && pthread_setspecific(scratch_key, buffer) != 0) {
            free(buffer);
            buffer = NULL;
        }
    }
    return buffer;
}

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

void client_rtp(struct rtsp_client *client, struct client_track *track, const uint8_t *data, size_t size)
{
    struct rtp_packet packet;
    if (rtp_parse(data, size, &packet) < 0 || packet.payload_type != track->payload_type)
        return;
    se_mono_us now = se_loop_now_us(client->loop);
    client->stats.packets++;
    enum rtp_order order = rtp_receive(&track->receiver, &packet);
    if (track->kind == SDP_VIDEO)
        client->last_media_us = now;
    if (order == RTP_LATE)
        return;
    if (track->kind == SDP_VIDEO)
        video_depay_packet(&client->video, &packet, order == RTP_GAP, track->receiver.time, now);
    else if (client->audio_ready)
        aac_depay_packet(&client->audio, &packet, order == RTP_GAP, track->receiver.time, now);
}

void client_rtcp(struct rtsp_client *client, struct client_track *track, const uint8_t *data, size_t size)
{
    bool bye = false;
    (void)rtcp_receive(&track->receiver, data, size, se_loop_now_us(client->loop), &bye);
    if (bye && track->kind == SDP_VIDEO)
        client_fail(client, FAILURE_LOST, "the camera ended the stream");
}

static void on_frame(struct rtsp_client *client, unsigned channel, const uint8_t *data, size_t size)
{
    struct client_track *track = &client->tracks[client->channels.channels[channel].track];
    if (client->channels.channels[channel].kind == CHANNEL_RTP)
        client_rtp(client, track, data, size);
    else
        client_rtcp(client, track, data, size);
}

/* --- bytes ------------------------------------------------------------------ */

static bool begins_with(const uint8_t *data, size_t size, const char *word)
{
    size_t n = strlen(word);
    return !memcmp(data, word, size < n ? size : n);
}

/* Could a message begin here, as far as it can be seen? */
static bool message_plausible(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"RTSP/1.",   "OPTIONS ",  "GET_PARAMETER ", "SET_PARAMETER ",
                                        "ANNOUNCE ", "REDIRECT ", "TEARDOWN ",      "HTTP/1."};
    for (unsigned i = 0; i < SE_ARRAY_LEN(words); i++)
        if (begins_with(data, size, words[i]))
            return true;
    return false;
}

/* A frame that is in its place needs less proof than one found among garbage. */
static bool frame_plausible(const struct rtsp_client *client, const uint8_t *data, size_t size)
{
    if (client->lost_sync)
        return interleaved_plausible(&client->channels, data, size);
    unsigned length = (unsigned)data[2] << 8 | data[3];
    return length == 0 || size < 5 || data[4] >> 6 == 2;
}

/* Takes one frame off the front: its size, 0: more bytes are needed, -EBADMSG: no frame. */
static long take_frame(struct rtsp_client *client, const uint8_t *data, size_t size)
{
    if (size < (client->lost_sync ? 6 : INTERLEAVED_HEAD))
        return client->lost_sync && !interleaved_plausible(&client->channels, data, size) ? -EBADMSG : 0;
    if (!frame_plausible(client, data, size))
        return -EBADMSG;
    size_t length = (size_t)data[2] << 8 | data[3];
    if (size < INTERLEAVED_HEAD + length)
        return 0;
    client->lost_sync = false;
    client->garbage_run = 0;
    if (client->channels.channels[data[1]].kind != CHANNEL_NONE) /* others were not asked for */
        on_frame(client, data[1], data + INTERLEAVED_HEAD, length);
    return (long)(INTERLEAVED_HEAD + length);
}

static long take_message(struct rtsp_client *client, uint8_t *data, size_t size)
{
    if (!message_plausible(data, size))
        return -EBADMSG;
    struct rtsp_message message;
    long n = rtsp_message_parse(data, size, &message);
    if (n > 0) {
        client->garbage_run = 0;
        client->lost_sync = false;
        client_answer(client, &message);
    } else if (n < 0 && client->phase != PHASE_PLAYING) {
        if (n == -EPROTONOSUPPORT)
            client_fail(client, FAILURE_ANSWER, "that port speaks HTTP, not RTSP");
        else
            client_fail(client, FAILURE_ANSWER, "the camera's answer %s",
                        n == -EMSGSIZE ? "is larger than any should be" : "cannot be read");
    }
    return n;
}

static size_t skip_garbage(struct rtsp_client *client, const uint8_t *data, size_t size)
{
    size_t skipped = 1 + interleaved_resync(&client->channels, data + 1, size - 1);
    client->lost_sync = true;
    client->stats.garbage_bytes += skipped;
    client->garbage_run += skipped;
    if (client->garbage_run > (client->phase == PHASE_PLAYING ? GARBAGE_MAX : GARBAGE_MAX_AT_START))
        client_fail(client, client->phase == PHASE_PLAYING ? FAILURE_LOST : FAILURE_ANSWER,
                    "what the camera sends is not RTSP");
    return skipped;
}

static bool open_still(const struct rtsp_client *client, unsigned connection)
{
    return client->watch.fd >= 0 && client->connection == connection;
}

/* Takes all whole items off the front; returns how many bytes they had. The connection may be gone after. */
static size_t take_items(struct rtsp_client *client, unsigned connection, uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size && open_still(client, connection)) {
        if (data[at] == '\r' || data[at] == '\n') { /* between messages */
            at++;
            continue;
        }
        long n = data[at] == '$' ? take_frame(client, data + at, size - at)
                                 : take_message(client, data + at, size - at);
        if (n == 0)
            break;
        if (n > 0)
            at += (size_t)n;
        else if (open_still(client, connection))
            at += skip_garbage(client, data + at, size - at);
    }
    return at;
}

static void keep_rest(struct rtsp_client *client, const uint8_t *data, size_t size)
{
    if (size > client->rest_cap || (client->rest_cap > 128 * 1024 && size < 16 * 1024)) {
        size_t cap = (size + 4095) & ~(size_t)4095;
        uint8_t *larger = realloc(client->rest, cap ? cap : 4096);
        if (!larger) {
            client_fail(client, FAILURE_LOST, "out of memory");
            return;
        }
        client->rest = larger;
        client->rest_cap = cap ? cap : 4096;
    }
    if (size)
        memcpy(client->rest, data, size);
    client->rest_size = size;
}

static void connection_ended(struct rtsp_client *client, int error)
{
    bool played = client->phase == PHASE_PLAYING;
    if (played && client->way.now == TRANSPORT_UDP && client->state == SOURCE_LIVE) {
        /* There are cameras that close it and go on. When the packets end, this was the end. */
        client->control_lost = true;
        client_disconnect(client);
        return;
    }
    if (!error)
        client_fail(client, played ? FAILURE_LOST : FAILURE_ANSWER, "the camera closed the connection");
    else if (error == ETIMEDOUT)
        client_fail(client, FAILURE_LOST, "the camera cannot be reached any more");
    else
        client_fail(client, played ? FAILURE_LOST : FAILURE_UNREACHABLE,
                    "the connection to the camera broke: %s", strerrordesc_np(error));
}

/* Once. false: there is nothing more, or the connection is gone. */
static bool read_once(struct rtsp_client *client)
{
    uint8_t *data = client_scratch();
    if (!data) {
        client_fail(client, FAILURE_LOST, "out of memory");
        return false;
    }
    size_t have = client->rest_size;
    ssize_t n = client_recv(client, data + have, CLIENT_SCRATCH - have);
    if (n == -EAGAIN)
        return false;
    if (n <= 0) {
        connection_ended(client, n < 0 ? (int)-n : 0);
        return false;
    }
    client->stats.bytes += (uint64_t)n;
    if (have)
        memcpy(data, client->rest, have);
    client->rest_size = 0;
    unsigned connection = client->connection;
    size_t size = have + (size_t)n, taken = take_items(client, connection, data, size);
    if (open_still(client, connection))
        keep_rest(client, data + taken, size - taken);
    return open_still(client, connection);
}

void client_read(struct rtsp_client *client)
{
    for (unsigned i = 1; read_once(client) && client_recv_more(client, i); i++)
        ;
}

/* --- silence, keep-alives, reports ------------------------------------------ */

/* Some cameras take reports for the sign of life, so they come well within the session's time. */
static int64_t report_every(const struct rtsp_client *client)
{
    int64_t third = (int64_t)client->session_timeout_s * SE_US_PER_S / 3;
    return third < REPORT_US ? third : REPORT_US;
}

static void report(struct rtsp_client *client)
{
    for (unsigned i = 0; i < client->track_count && client->phase == PHASE_PLAYING; i++) {
        struct client_track *track = &client->tracks[i];
        if (!track->set_up || !track->receiver.started)
            continue;
        uint8_t frame[INTERLEAVED_HEAD + RTCP_REPORT_MAX];
        size_t size = rtcp_report(&track->receiver, client->own_ssrc + i, se_loop_now_us(client->loop),
                                  frame + INTERLEAVED_HEAD);
        if (track->udp) {
            client_udp_report(track, frame + INTERLEAVED_HEAD, size);
            continue;
        }
        frame[0] = '$';
        frame[1] = (uint8_t)track->channel_rtcp;
        frame[2] = (uint8_t)(size >> 8);
        frame[3] = (uint8_t)size;
        client_write(client, frame, INTERLEAVED_HEAD + size);
    }
}

/* Silent for stall_us: stalled, and the camera is asked whether it is there. One that answers but sends
 * nothing has lost the stream; one that does not answer for half that time more is taken for gone. */
static void check_silence(struct rtsp_client *client, se_mono_us now)
{
    int64_t silent = now - client->last_media_us, stall = client->wait.stall_us;
    if (client->control_lost && silent > stall / 4) {
        client_fail(client, FAILURE_LOST, "the camera closed the connection");
        return;
    }
    if (silent < stall)
        return;
    if (!client->live_since_us) {
        client_transport_silent(client);
    } else if (client->state != SOURCE_STALLED) {
        client->probe_us = now;
        client->probe_answered = false;
        client_set_state(client, SOURCE_STALLED, "the camera sends no video");
        client_keepalive(client);
    } else if (client->probe_answered && now - client->probe_us > stall / 4) {
        client_fail(client, FAILURE_LOST, "the camera answers but sends no video");
    } else if (silent > stall + stall / 2) {
        client_fail(client, FAILURE_LOST, "the camera fell silent");
    }
}

static void tick(struct se_timer *timer)
{
    struct rtsp_client *client = timer->ctx;
    se_mono_us now = se_loop_now_us(client->loop);
    int64_t step = client->wait.stall_us / 8 < TICK_US ? client->wait.stall_us / 8 : TICK_US;
    (void)se_timer_in(client->loop, timer, step);
    check_silence(client, now);
    if (client->phase == PHASE_PLAYING)
        client_transport_watch(client, now);
    if (client->phase == PHASE_PLAYING && now >= client->report_due_us) {
        client->report_due_us = now + report_every(client);
        report(client);
    }
    if (client->watch.fd >= 0 && now >= client->keepalive_due_us)
        client_keepalive(client);
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
    if (!track->url)
        return NULL;
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

bool client_media_describe(struct rtsp_client *client, const struct sdp *sdp, const char *base)
{
    const struct sdp_media *video = NULL, *audio = NULL, *other = NULL;
    for (unsigned i = 0; i < sdp->media_count; i++) {
        const struct sdp_media *media = &sdp->media[i];
        if (media->kind == SDP_VIDEO && (media->codec == CODEC_H264 || media->codec == CODEC_H265))
            video = video ? video : media;
        else if (media->kind == SDP_VIDEO)
            other = other ? other : media;
        else if (media->kind == SDP_AUDIO &&
                 (!audio || (audio->codec != CODEC_AAC && media->codec == CODEC_AAC)))
            audio = media;
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

void client_media_play(struct rtsp_client *client)
{
    se_mono_us now = se_loop_now_us(client->loop);
    client->last_media_us = now;
    client->report_due_us = now + report_every(client);
    for (unsigned i = 0; i < client->track_count; i++)
        if (client->tracks[i].udp && client->tracks[i].set_up)
            client_udp_punch(&client->tracks[i]);
    client->tick.fn = tick;
    client->tick.ctx = client;
    (void)se_timer_in(client->loop, &client->tick,
                      TICK_US < client->wait.stall_us / 8 ? TICK_US : client->wait.stall_us / 8);
    client_lazy(client); /* some cameras send before they answer */
}

void client_media_fini(struct rtsp_client *client, bool for_good)
{
    for (unsigned i = 0; i < client->track_count; i++) {
        client->lost_before += client->tracks[i].receiver.lost;
        client_udp_close(&client->tracks[i]);
        free(client->tracks[i].url);
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
