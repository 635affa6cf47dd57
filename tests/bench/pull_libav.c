/* The peer of `./dev bench ingest` and `record`: what a gateway costs that gives each camera a thread and
 * libavformat. Packets are counted, and thrown away or, with a directory, put into one fragmented MP4 a
 * camera. Usage: pull-libav COUNT URL-PREFIX [DIRECTORY]: pulls PREFIX/0 to PREFIX/COUNT-1. Writes
 * {"ready":COUNT} when each has its first packet; on SIGTERM ends and writes {"packets":N}. */
#include <libavformat/avformat.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 2000

static _Atomic bool quit;
static _Atomic unsigned ready, failed;
static _Atomic unsigned long packets;
static const char *directory;

struct camera {
    pthread_t thread;
    unsigned number;
    char url[128];
};

static int interrupted(void *ctx)
{
    return quit;
}

/* As `ffmpeg -c copy -movflags frag_keyframe+empty_moov` would write it. */
static AVFormatContext *open_file(const struct camera *camera, const AVFormatContext *input)
{
    AVFormatContext *output = NULL;
    AVDictionary *options = NULL;
    char path[512];

    snprintf(path, sizeof(path), "%.480s/%u.mp4", directory, camera->number);
    if (avformat_alloc_output_context2(&output, NULL, "mp4", path) < 0)
        return NULL;
    for (unsigned i = 0; i < input->nb_streams; i++) {
        AVStream *stream = avformat_new_stream(output, NULL);
        if (!stream || avcodec_parameters_copy(stream->codecpar, input->streams[i]->codecpar) < 0)
            goto fail;
        stream->codecpar->codec_tag = 0;
        if (!stream->codecpar->width) { /* without probing nobody has read it out of the SPS */
            stream->codecpar->width = 1280;
            stream->codecpar->height = 720;
        }
    }
    av_dict_set(&options, "movflags", "frag_keyframe+empty_moov+default_base_moof", 0);
    int r = avio_open(&output->pb, path, AVIO_FLAG_WRITE);
    if (r >= 0)
        r = avformat_write_header(output, &options);
    av_dict_free(&options);
    if (r >= 0)
        return output;
fail:
    if (output->pb)
        avio_closep(&output->pb);
    avformat_free_context(output);
    return NULL;
}

static int write_packet(AVFormatContext *output, const AVFormatContext *input, AVPacket *packet)
{
    av_packet_rescale_ts(packet, input->streams[packet->stream_index]->time_base,
                         output->streams[packet->stream_index]->time_base);
    if (packet->dts == AV_NOPTS_VALUE)
        packet->dts = packet->pts;
    packet->pos = -1;
    return av_write_frame(output, packet);
}

static void close_file(AVFormatContext *output)
{
    if (!output)
        return;
    av_write_trailer(output);
    avio_closep(&output->pb);
    avformat_free_context(output);
}

static void *pull(void *ctx)
{
    const struct camera *camera = ctx;
    AVDictionary *options = NULL;
    AVFormatContext *input = avformat_alloc_context(), *output = NULL;
    AVPacket *packet = av_packet_alloc();
    bool first = true;

    av_dict_set(&options, "rtsp_transport", "tcp", 0);
    if (!input || !packet) {
        failed++;
        goto out;
    }
    input->interrupt_callback.callback = interrupted;
    /* No probing of the streams: the description says all, and it is what costs most memory. */
    if (avformat_open_input(&input, camera->url, NULL, &options) < 0) {
        failed++;
        goto out;
    }
    while (!quit && av_read_frame(input, packet) >= 0) {
        if (first && directory)
            output = open_file(camera, input);
        if (directory && (!output || write_packet(output, input, packet) < 0))
            break;
        ready += first;
        first = false;
        packets++;
        av_packet_unref(packet);
    }
    if (first)
        failed++;
    else if (!quit)
        fprintf(stderr, "pull-libav: %s ended\n", camera->url);
out:
    close_file(output);
    avformat_close_input(&input);
    av_packet_free(&packet);
    av_dict_free(&options);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct camera cameras[COUNT_MAX];
    unsigned count = argc == 3 || argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    struct rlimit limit;
    int signal_number;
    sigset_t set;

    if (!count || count > COUNT_MAX) {
        fprintf(stderr, "usage: pull-libav COUNT URL-PREFIX [DIRECTORY]\n");
        return 2;
    }
    directory = argc == 4 ? argv[3] : NULL;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    av_log_set_level(AV_LOG_ERROR);
    avformat_network_init();
    for (unsigned i = 0; i < count; i++) {
        cameras[i].number = i;
        snprintf(cameras[i].url, sizeof(cameras[i].url), "%.100s/%u", argv[2], i);
        if (pthread_create(&cameras[i].thread, NULL, pull, &cameras[i]) != 0) {
            fprintf(stderr, "no thread for %u\n", i);
            return 1;
        }
    }
    while (ready + failed < count)
        (void)sigtimedwait(&set, NULL, &(struct timespec){.tv_nsec = 20000000});
    printf("{\"ready\":%u,\"failed\":%u}\n", ready, failed);
    fflush(stdout);
    sigwait(&set, &signal_number);
    quit = true;
    for (unsigned i = 0; i < count; i++)
        pthread_join(cameras[i].thread, NULL);
    printf("{\"packets\":%lu}\n", packets);
    return failed ? 1 : 0;
}
