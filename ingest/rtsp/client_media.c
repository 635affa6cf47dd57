/* What comes in: bytes into messages and interleaved packets, and these to their tracks. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

#define GARBAGE_MAX          (1024 * 1024) /* bytes in a row without a frame: not this camera's day */
#define OTHER_TYPE_PROOF     16            /* packets in a row of a payload type that was not described */
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

/* --- packets ---------------------------------------------------------------- */

/* Some number their payload otherwise than they describe it. */
static bool type_fits(struct rtsp_client *client, struct client_track *track, uint8_t type)
{
    if (type == track->payload_type) {
        track->others = 0;
        return true;
    }
    track->others = type == track->other_type ? track->others + 1 : 1;
    track->other_type = type;
    if (track->receiver.started || track->others < OTHER_TYPE_PROOF || type < 96)
        return false;
    track->payload_type = type;
    client->channels.channels[track->channel_rtp].payload_type = type;
    return true;
}

void client_rtp(struct rtsp_client *client, struct client_track *track, const uint8_t *data, size_t size)
{
    struct rtp_packet packet;
    if (rtp_parse(data, size, &packet) < 0 || !type_fits(client, track, packet.payload_type))
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

/* Some turn a track's two channels round, or use one for both: what it is shows (RFC 5761 4). */
static void on_frame(struct rtsp_client *client, unsigned channel, const uint8_t *data, size_t size)
{
    struct client_track *track = &client->tracks[client->channels.channels[channel].track];
    if (size >= 2 && data[1] >= 200 && data[1] <= 207)
        client_rtcp(client, track, data, size);
    else
        client_rtp(client, track, data, size);
}

/* --- bytes ------------------------------------------------------------------ */

static bool begins_with(const uint8_t *data, size_t size, const char *word)
{
    size_t n = strlen(word);
    return !strncasecmp((const char *)data, word, size < n ? size : n);
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
        client->doubt = "the camera closed the connection";
        client_disconnect(client);
        return;
    }
    if (client->auth_fresh && client->phase >= PHASE_OPTIONS && !played) {
        client_session_again(client);
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
