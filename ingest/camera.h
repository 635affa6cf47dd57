/* One camera inside ingest: its streams, each with its source and hub, and the recorder of the main one.
 *
 * A camera belongs to one loop, where all of it changes and runs. Other threads see its `seen` figures, under
 * its mutex, which is taken on a change of state and once a second, never for a packet. */
#ifndef INGEST_CAMERA_H
#define INGEST_CAMERA_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/metrics.h"
#include "source.h"
#include "stream.h"

/* What all cameras of an ingest share. Fixed while cameras live. */
struct camera_host {
    const struct options *options;
    int (*pick)(const char *url, enum stream_engine engine, const struct source_ops **ret_ops,
                struct se_err *err); /* source_pick() */
    struct se_pool *pool;
    struct av_threads *av_threads;
    struct volumes *volumes;
    ingest_state_fn on_state;
    void *ctx;
    int64_t linger_us;
};

#define RATE_SECONDS 5 /* figures are of this many seconds at most */

/* Totals of the last seconds, one a second. */
struct rate {
    struct {
        se_mono_us at_us;
        uint64_t units, bytes;
    } points[RATE_SECONDS + 1];
    unsigned count, next;
};
void rate_add(struct rate *rate, se_mono_us at_us, uint64_t units, uint64_t bytes);
/* Per second over the window; 0 while there is less than a second of it. */
void rate_read(const struct rate *rate, double *ret_units, double *ret_bytes);

/* A stream as others see it. */
struct stream_seen {
    bool exists;
    enum source_state state;
    se_wall_ms since_ms, last_frame_ms; /* 0: none yet */
    enum codec codec;
    unsigned width, height;
    double fps, bitrate_bps;
    uint64_t packets_lost, packets_late, reconnects;
    uint32_t jitter_us;
    const char *transport; /* static text or NULL */
    char last_error[160];
    char note[120]; /* what is not as it should be while it plays; "": nothing */
    char audio[96]; /* "AAC", or why there is none; "" : not known */
};

struct stream {
    struct camera *camera;
    enum stream_role role;
    char *url, *username, *password; /* url NULL: the camera has none */
    enum stream_transport transport;
    enum stream_engine engine;
    char *tls_fingerprint; /* or NULL */
    char *fault;           /* what keeps it offline whatever the camera does, or NULL */
    struct hub *hub;       /* written under the table's mutex, see ingest.c */
    _Atomic bool watched;  /* set by any thread */
    bool changed;          /* the source must be started anew */
    struct se_timer linger;
    struct source *source;
    const struct source_ops *ops;
    struct source_stats counted; /* what metrics have of this source */
    struct source_stats before;  /* totals of the sources before this one */
    enum source_state state;
    bool counted_state;
    se_wall_ms since_ms;
    struct se_log_limit told; /* each stream has its own: one that flaps does not silence the others */
    se_mono_us last_frame_us;
    char reason[160], audio_note[96];
    struct video_params video;
    struct audio_params audio;
    struct rate rate;
    struct stream_seen seen; /* under camera->mutex */
};

struct camera {
    _Atomic unsigned refs;
    const struct camera_host *host;
    struct se_loop *loop;
    unsigned loop_number;
    struct camera *next, **link; /* of its loop's list; loop's */
    char id[SE_ID_LEN];
    char *department_id;
    bool enabled, ended;
    enum record_mode record;
    struct recorder *recorder;
    struct stream streams[STREAM_ROLES];
    enum source_state told; /* the last state that on_state was told */
    bool told_any;
    pthread_mutex_t mutex;
};

int camera_new(const struct camera_host *host, const char *id, struct se_loop *loop,
               struct camera **ret_camera);
struct camera *camera_ref(struct camera *camera);
void camera_unref(struct camera **camera);

/* On the loop. Takes a spec over, touching only what differs. hub_lock guards the hub pointers. */
int camera_apply(struct camera *camera, const struct camera_spec *spec, pthread_mutex_t *hub_lock);
/* On the loop. Ends sources, recorder and hubs. */
void camera_end(struct camera *camera, pthread_mutex_t *hub_lock);
/* On the loop, once a second. */
void camera_tick(struct camera *camera);
/* Any thread. The contract's status object. -ENOMEM. */
int camera_status(struct camera *camera, json_t **ret_status);

/* stream.c, for camera.c: on the loop. */
void stream_start(struct stream *stream);
void stream_stop(struct stream *stream, enum source_state state);
void stream_watched(struct stream *stream); /* `watched` changed */
void stream_publish(struct stream *stream);
void stream_tick(struct stream *stream);
/* camera.c, for stream.c: main changed state, or a stream has news for the recorder. */
void camera_stream_state(struct camera *camera, struct stream *stream);

/* metrics.c */
enum {
    METRIC_STATE,
    METRIC_BYTES = SOURCE_DISABLED + 1,
    METRIC_UNITS,
    METRIC_LOST,
    METRIC_DAMAGED,
    METRIC_TOO_BIG,
    METRIC_GARBAGE,
    METRIC_RECONNECTS,
    METRIC_AUDIO_UNITS,
    METRIC_COUNT
};
extern struct se_metric ingest_metrics[METRIC_COUNT];
void ingest_metrics_register(void);

#endif
