/* What a stream's loop and its thread share: the queue from one to the other. */
#ifndef INGEST_AV_PULLER_H
#define INGEST_AV_PULLER_H

#include <stdatomic.h>

#include "access_unit.h"
#include "av/session.h"
#include "av/threads.h"
#include "base/ring.h"

enum pulled_kind {
    PULLED_OPENED, /* transport: static text */
    PULLED_VIDEO,  /* video: malloc'd */
    PULLED_AUDIO,  /* audio: malloc'd */
    PULLED_UNIT,   /* unit: a reference */
    PULLED_FAILED, /* failure: malloc'd; the last of its try */
};
struct pulled {
    enum pulled_kind kind;
    union {
        const char *transport;
        struct video_params *video;
        struct audio_params *audio;
        struct access_unit *unit;
        struct av_failure *failure;
    };
};
void pulled_clear(struct pulled *pulled);

struct puller {
    _Atomic unsigned refs;
    _Atomic bool quit;
    struct se_ring *ring; /* of struct pulled */
    _Atomic int64_t queued_bytes;
    struct av_stream_config config;
    _Atomic uint64_t bytes, packets, damaged, too_big, dropped;
};
/* One reference; config is taken over when it went well. -ENOMEM, -EMFILE … */
int puller_new(struct av_stream_config *config, struct puller **ret_puller);
void puller_unref(struct puller **puller);
void av_stream_config_fini(struct av_stream_config *config);
/* The next thing that came, for the loop; pulled_clear() it. */
bool puller_take(struct puller *puller, struct pulled *ret_pulled);
/* Begins a try on a thread of its own; it ends with PULLED_FAILED, or within a second of quit. Errors of
 * av_threads_start(). */
int puller_try(struct puller *puller, struct av_threads *threads);

#endif
