/* What happens to the units of one stream after its source: timing, hub, recorder.
 * Made and fed on the stream's loop. */
#ifndef INGEST_STREAM_H
#define INGEST_STREAM_H

#include "access_unit.h"
#include "ingest/ingest.h"

/* live/hub.c: the live side. One hub per camera and stream; it survives reconnects. */
/* viewers: called (any thread) when the number of viewers goes 0→1 or 1→0. */
int hub_new(void (*viewers)(void *ctx, bool any), void *ctx, struct hub **ret_hub);
void hub_cache_bytes(struct hub *hub, size_t bytes); /* ingest.gop_cache_bytes; 16 MiB until said */
void hub_set_state(struct hub *hub, enum source_state state, const char *reason);
void hub_set_video(struct hub *hub, const struct video_params *params); /* new init for all viewers */
void hub_set_audio(struct hub *hub,
                   const struct audio_params *params);    /* beside it; ignored when MP4 cannot take it */
void hub_push(struct hub *hub, struct access_unit *unit); /* decides timestamps, builds the fragment */
void hub_remove(struct hub *hub); /* ends it for its viewers; no viewers() call after */
/* The newest keyframe and its parameters, referenced; -ENOENT. Any thread. */
int hub_keyframe(struct hub *hub, struct access_unit **ret_unit, struct video_params *ret_params,
                 se_wall_ms *ret_at_ms);

/* record/recorder.c: one camera's segments. Loop's thread; the disk is the volume writer's. */
struct volumes; /* all volumes and their writers; record/volume.h */
struct recorder;
int recorder_new(struct volumes *volumes, const char *camera_id, struct recorder **ret_recorder);
void recorder_video(struct recorder *recorder, const struct video_params *params);
void recorder_audio(struct recorder *recorder, const struct audio_params *params);
void recorder_push(struct recorder *recorder, struct access_unit *unit);
/* Ends the open segment: the cause of the gap that follows ("offline", "stalled", "stopped", "clock"). */
void recorder_cut(struct recorder *recorder, const char *cause);
void recorder_free(struct recorder *recorder); /* cut("stopped") first when still open */

/* record/volume.c: started before, stopped after all recorders. start repairs what a kill left. */
int volumes_start(const struct options *options, struct store *store, struct volumes **ret_volumes,
                  struct se_err *err);
void volumes_stop(struct volumes *volumes); /* writes what is queued, closes, joins, frees */

#endif
