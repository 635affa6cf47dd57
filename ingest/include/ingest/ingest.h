/* Ingest: pulls every camera's streams, records them, and holds what live viewers read. */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/id.h"
#include "base/time.h"
#include "gateway/options.h"
#include "gateway/store.h"
#include "ingest/params.h"

enum stream_role { STREAM_MAIN, STREAM_SUB, STREAM_ROLES };
enum source_state { /* in the contract's words, lower case */
                    SOURCE_CONNECTING,
                    SOURCE_LIVE,
                    SOURCE_STALLED,
                    SOURCE_OFFLINE,
                    SOURCE_IDLE,
                    SOURCE_DISABLED
};
const char *source_state_name(enum source_state state);
enum record_mode { RECORD_CONTINUOUS, RECORD_ON_DEMAND, RECORD_OFF };
enum stream_transport { TRANSPORT_AUTO, TRANSPORT_TCP, TRANSPORT_UDP };
/* Who pulls a stream: our own client where it can (rtsp, rtsps), or libavformat whatever the URL. */
enum stream_engine { ENGINE_AUTO, ENGINE_FFMPEG };

/* What ingest must know of a camera. Strings are borrowed for the call. */
struct camera_spec {
    const char *id, *code, *name, *department_id;
    bool enabled;
    enum record_mode record;
    struct camera_stream_spec {
        const char *url;                 /* NULL: the camera has no such stream */
        const char *username, *password; /* plain, or NULL */
        enum stream_transport transport;
        enum stream_engine engine;
        const char *tls_fingerprint; /* SHA-256 of the camera's certificate, 64 hex digits, or NULL */
        const char *fault; /* why it cannot be pulled, in words: it is offline and says so. NULL: it can */
    } streams[STREAM_ROLES];
};

struct ingest;

/* A camera's state changed. Runs on an ingest loop: must not block. status is the
 * camera's /status object, borrowed. */
typedef void (*ingest_state_fn)(const char *camera_id, const char *department_id, const json_t *status,
                                void *ctx);

struct ingest_deps {
    const struct options *options;
    struct store *store;
    ingest_state_fn on_state;
    void *ctx;
};
/* Whether the options that ingest reads make sense (ingest.allow), without starting anything. -EINVAL. */
int ingest_options_check(const struct options *options, struct se_err *err);
/* Repairs what a kill left on the volumes, starts loops, writers. Errors name the volume and what to do. */
int ingest_new(const struct ingest_deps *deps, struct ingest **ret_ingest, struct se_err *err);
/* Ends sources, closes segments, joins all threads. NULL is fine. */
void ingest_free(struct ingest *ingest);

/* Adds or changes one camera; touches no other, and reconnects only the streams that changed.
 * -EINVAL (err: field) for a URL or address that is not allowed, unless the stream has a fault. Any thread
 * but a loop's. */
int ingest_camera_set(struct ingest *ingest, const struct camera_spec *spec, struct se_err *err);
void ingest_camera_remove(struct ingest *ingest, const char *camera_id);
/* Checks a spec without applying it. */
int ingest_camera_check(struct ingest *ingest, const struct camera_spec *spec, struct se_err *err);
/* The same where nothing is running: for commands. */
int ingest_camera_check_alone(const struct options *options, const struct camera_spec *spec,
                              struct se_err *err);
/* {state,since,last_frame_at,streams:[…]} as in the contract; -ENOENT. Any thread. */
int ingest_camera_status(struct ingest *ingest, const char *camera_id, json_t **ret_status);

/* A stream tried without a camera: at most INGEST_TRIES_MAX at once, ingest.try_ms each. Nothing of it is
 * kept. */
#define INGEST_TRIES_MAX 4
struct ingest_try;
/* Begins; done(ctx) is called once, on an ingest loop, when there is a result: it must neither block nor call
 * back, and is not called after ingest_try_free(). -EINVAL (err: field "url" …) for what would not be taken
 * as a stream, -EBUSY too many are under way. Any thread but a loop's. */
int ingest_try_start(struct ingest *ingest, const struct camera_stream_spec *spec, void (*done)(void *ctx),
                     void *ctx, struct ingest_try **ret_try, struct se_err *err);
/* {ok,codec,width,height,fps,audio,transport,reason,took_ms}, a reference of the caller's; NULL: not yet. Any
 * thread. */
json_t *ingest_try_result(struct ingest_try *try);
/* Ends it, whatever it is at. Before ingest_free(). NULL is fine. Any thread. */
void ingest_try_free(struct ingest_try *try);

/* Live. A hub is one stream's ring of single-frame fragments, built once for all viewers. */
struct hub;
/* Referenced; lives on (ended) after the camera is removed. -ENOENT no such camera or stream. */
int ingest_hub(struct ingest *ingest, const char *camera_id, enum stream_role role, struct hub **ret_hub);
struct hub *hub_ref(struct hub *hub);
void hub_unref(struct hub **hub);
/* A viewer's place. Zero-initialise: starts at the newest keyframe, init first. */
struct hub_cursor {
    uint64_t next;    /* number of the next fragment */
    uint32_t init;    /* init the viewer has; 0: none */
    uint64_t skipped; /* fragments jumped over because the viewer was slow */
};
enum hub_kind { HUB_NOTHING, HUB_INIT, HUB_FRAGMENT };
struct hub_item {
    enum hub_kind kind;
    struct se_buf *head; /* of a fragment: moof and the head of mdat, made once for all viewers; else NULL */
    struct se_buf *data; /* an init segment; or the fragment's one sample: NAL units behind their 4-byte
                            lengths, or an AAC frame. It follows head. */
    bool keyframe;
    int64_t dts_90k, pts_90k; /* on the media timeline, see live/timing.h */
    se_mono_us arrived_us;
};
/* Drops what an item refers to. */
void hub_item_clear(struct hub_item *item);
/* What comes next at the cursor, which moves on; hub_item_clear() it. HUB_NOTHING: caught up. Never blocks.
 * Any thread. */
void hub_read(struct hub *hub, struct hub_cursor *cursor, struct hub_item *ret_item);
/* The same of the stream's audio, which has an init, fragments and a cursor of its own. It is made while
 * somebody reads it at least every second. */
void hub_read_audio(struct hub *hub, struct hub_cursor *cursor, struct hub_item *ret_item);
/* State in words, since when, and the MIME type ("video/mp4; codecs=\"avc1.64001f\""; "" while unknown). Any
 * thread. */
struct hub_state {
    enum source_state state;
    se_wall_ms since_ms;
    char mime[96];
    char audio_mime[48]; /* of the audio beside it; "": none that MP4 takes */
    char reason[160];
    uint32_t version; /* changes whenever one of these does */
    bool removed;     /* the camera or stream is gone: no more will come */
};
void hub_state(struct hub *hub, struct hub_state *ret_state);
/* What the stream is made of now; -ENOENT not known yet, or (audio) none that MP4 takes. Any thread. */
int hub_video(struct hub *hub, struct video_params *ret_params);
int hub_audio(struct hub *hub, struct audio_params *ret_params);
/* Counts who watches: an on_demand stream is pulled only while somebody does. */
void hub_viewer_add(struct hub *hub);
void hub_viewer_remove(struct hub *hub);
/* Told of one hub's news: a frame, an init, a state. In the owner's memory, fn set, else zero-initialised. fn
 * runs on the thread that brought the news, mostly an ingest loop, with the hub locked: it sets a flag, wakes
 * another thread, and calls nothing of the hub. A hub that nobody watches wakes nobody. */
struct hub_watch {
    void (*fn)(struct hub_watch *watch);
    struct hub_watch *prev, *next; /* the hub's */
};
/* Any thread; when remove has returned, fn does not run any more. */
void hub_watch_add(struct hub *hub, struct hub_watch *watch);
void hub_watch_remove(struct hub *hub, struct hub_watch *watch);
/* hub_state()'s version alone. Any thread. */
uint32_t hub_version(struct hub *hub);

/* A JPEG of the newest keyframe; decodes on the caller's thread within the pixel budget.
 * -EAGAIN not live (stale: the last one is given when there is one), -ENOENT, -EBUSY budget. */
int ingest_snapshot(struct ingest *ingest, const char *camera_id, bool stale, struct se_buf **ret_jpeg,
                    se_wall_ms *ret_at_ms, struct se_err *err);

/* Recordings. {ranges:[{from,to,bytes}],gaps:[{from,to,cause}]}, the open segment included. Reads the store.
 */
int ingest_recordings(struct ingest *ingest, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                      json_t **ret_recordings, struct se_err *err);
/* playback.mp4 of a range: opened (planned) here, read in pieces. -ENOENT nothing recorded there. Pool
 * threads. */
struct playback;
int playback_open(struct ingest *ingest, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                  struct playback **ret_playback, struct se_err *err);
int64_t playback_size(const struct playback *playback); /* bytes, exact */
/* Up to size bytes from offset; 0 at the end; -EIO. */
long playback_read(struct playback *playback, int64_t offset, void *out, size_t size);
void playback_free(struct playback *playback);

/* How much is waiting for disks and decoders, for /readyz. */
bool ingest_healthy(struct ingest *ingest, struct se_err *err);

#endif
