/* The peer of `./dev bench ingest`: what a gateway costs that gives each camera a thread and libavformat.
 * Packets are counted and thrown away. Usage: pull-libav COUNT URL-PREFIX: pulls PREFIX/0 to PREFIX/COUNT-1.
 * Writes {"ready":COUNT} when each has its first packet; on SIGTERM ends and writes {"packets":N}. */
#include <libavformat/avformat.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 2000

static _Atomic bool quit;
static _Atomic unsigned ready, failed;
static _Atomic unsigned long packets;

static int interrupted(void *ctx)
{
    return quit;
}

static void *pull(void *ctx)
{
    const char *url = ctx;
    AVDictionary *options = NULL;
    AVFormatContext *input = avformat_alloc_context();
    AVPacket *packet = av_packet_alloc();
    bool first = true;

    av_dict_set(&options, "rtsp_transport", "tcp", 0);
    if (!input || !packet) {
        failed++;
        goto out;
    }
    input->interrupt_callback.callback = interrupted;
    /* No probing of the streams: the description says all, and it is what costs most memory. */
    if (avformat_open_input(&input, url, NULL, &options) < 0) {
        failed++;
        goto out;
    }
    while (!quit && av_read_frame(input, packet) >= 0) {
        ready += first;
        first = false;
        packets++;
        av_packet_unref(packet);
    }
    if (first)
        failed++;
out:
    avformat_close_input(&input);
    av_packet_free(&packet);
    av_dict_free(&options);
    return NULL;
}

int main(int argc, char **argv)
{
    static pthread_t threads[COUNT_MAX];
    static char urls[COUNT_MAX][128];
    unsigned count = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    int signal_number;
    sigset_t set;

    if (!count || count > COUNT_MAX) {
        fprintf(stderr, "usage: pull-libav COUNT URL-PREFIX\n");
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    av_log_set_level(AV_LOG_ERROR);
    avformat_network_init();
    for (unsigned i = 0; i < count; i++) {
        snprintf(urls[i], sizeof(urls[i]), "%s/%u", argv[2], i);
        if (pthread_create(&threads[i], NULL, pull, urls[i]) != 0) {
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
        pthread_join(threads[i], NULL);
    printf("{\"packets\":%lu}\n", packets);
    return failed ? 1 : 0;
}
