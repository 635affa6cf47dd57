/* A source pulls one stream from one place and says what happens. Back ends: the
 * native RTSP client (rtsp/client.c), libavformat (av/av_source.c), and fakes in tests. */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include "access_unit.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"
#include "ingest/ingest.h"

/* Where a source hands what it gets. All calls on the source's loop; a callback may not free the source. */
struct source_sink {
    void (*state)(void *ctx, enum source_state state, const char *reason); /* on change only */
    void (*video)(void *ctx, const struct video_params *params);           /* new or changed in meaning */
    void (*audio)(void *ctx, const struct audio_params *params);
    void (*unit)(void *ctx, struct access_unit *unit); /* borrowed: ref it to keep */
    void *ctx;
};

/* Figures of a source, kept by it, read on its loop. */
struct source_stats {
    uint64_t bytes, units, packets, packets_lost, garbage_bytes, reconnects;
    uint64_t units_damaged, units_too_big;
    uint64_t packets_late; /* over UDP: behind their place in the reordering buffer, left out */
    uint32_t jitter_us;    /* of arrival, RFC 3550 6.4.1; 0: not known */
    const char *transport; /* in use: "tcp", "udp", "tls", "http" …; static text, NULL: not connected */
    char last_error[160];  /* plain words, no secret */
    char note[120];        /* what is not as it should be while it plays, in plain words; "": nothing */
};

struct source_config {
    const char *url, *username, *password;
    enum stream_transport transport;
    const char *tls_fingerprint; /* or NULL; see camera_spec */
    unsigned auth_tries;         /* before it waits ingest.auth_retry_s; 0: 3 */
    const struct options *options;
    struct se_pool *pool;          /* DNS; NULL: no names */
    struct av_threads *av_threads; /* for libavformat's streams, see av/threads.h */
};

struct source;
struct source_ops {
    const char *name;
    /* Copies config; starts at once on loop (called there). */
    int (*start)(struct se_loop *loop, const struct source_config *config, const struct source_sink *sink,
                 struct source **ret_source);
    /* On the loop; no sink call comes after it. */
    void (*stop)(struct source *source);
    void (*stats)(const struct source *source, struct source_stats *ret_stats);
    /* On the loop: whether somebody watches, and wants every frame at once; until told, nobody does. Without
     * a viewer frames may come up to 100 ms late and several together. NULL: it makes no difference. */
    void (*watched)(struct source *source, bool watched);
};
/* Every back end's struct begins with this. */
struct source {
    const struct source_ops *ops;
};
extern const struct source_ops source_rtsp;
/* The back end for a stream: by scheme and engine. -EINVAL with words for what is not supported or not
 * allowed.
 */
int source_pick(const char *url, enum stream_engine engine, const struct source_ops **ret_ops,
                struct se_err *err);
#define SOURCE_HOST_MAX 256
/* Whether a stream could be pulled as it is described, and from which host (a name, or an address without
 * brackets). -EINVAL with words, which hold nothing of the URL. */
int source_check(const struct camera_stream_spec *spec, char ret_host[SOURCE_HOST_MAX], struct se_err *err);

#endif
