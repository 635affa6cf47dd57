/* The whole client, from the first answer to access units: what a camera sends on its connection, in pieces.
 * Each piece is a length of two bytes and so many bytes. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/options.h"
#include "rtsp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_state(void *ctx, enum source_state state, const char *reason)
{
    if (strlen(reason) >= sizeof(((struct source_stats *)0)->last_error))
        abort();
}

static void on_video(void *ctx, const struct video_params *params)
{
    if (!params->config_size || params->config_size > sizeof(params->config))
        abort();
}

static void on_audio(void *ctx, const struct audio_params *params)
{
}

static void on_unit(void *ctx, struct access_unit *unit)
{
    if (!unit->data->size || unit->data->size > ACCESS_UNIT_MAX)
        abort();
}

static struct se_loop *loop;
static struct options *options;

static void prepare(void)
{
    struct se_err err;
    static const char *const sets[] = {"ingest.allow=127.0.0.0/8"};
    if (se_loop_new("fuzz", &loop) < 0 ||
        options_load(NULL, NULL, (const char **)sets, 1, &options, &err) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!loop)
        prepare();
    struct source_config config = {.url = "rtsp://user:secret@127.0.0.1/a?b=c", .options = options};
    struct source_sink sink = {on_state, on_video, on_audio, on_unit, NULL};
    struct source *source;
    int pair[2];
    if (source_rtsp.start(loop, &config, &sink, &source) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    /* The loop never runs: its timers stay where they are, and the connection is ours. */
    struct rtsp_client *client = SE_CONTAINER_OF(source, struct rtsp_client, source);
    if (se_watch_add(loop, &client->watch, pair[0], EPOLLIN) < 0)
        abort();
    client->connection++;
    client_session_begin(client);
    while (size >= 2 && client->watch.fd >= 0) {
        size_t length = (size_t)data[0] << 8 | data[1];
        length = length < size - 2 ? length : size - 2;
        if (length && send(pair[1], data + 2, length, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            client_read(client);
        data += 2 + length;
        size -= 2 + length;
        char sink_of_requests[4096];
        while (recv(pair[1], sink_of_requests, sizeof(sink_of_requests), MSG_DONTWAIT) > 0)
            ;
    }
    struct source_stats stats;
    source->ops->stats(source, &stats);
    if (strstr(stats.last_error, "secret"))
        abort();
    source->ops->stop(source);
    close(pair[1]);
    return 0;
}
