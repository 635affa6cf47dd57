/* What the public header says of recordings, playback and pictures, handed to those who do it. */
#include <errno.h>

#include "parts.h"
#include "pixels/snapshot.h"
#include "record/find.h"
#include "record/playback.h"

int ingest_snapshot(struct ingest *ingest, const char *camera_id, bool stale, struct se_buf **ret_jpeg,
                    se_wall_ms *ret_at_ms, struct se_err *err)
{
    struct hub *hub;
    int r = ingest_hub(ingest, camera_id, STREAM_MAIN, &hub);
    if (r == -ENOENT)
        r = ingest_hub(ingest, camera_id, STREAM_SUB, &hub);
    if (r < 0)
        return se_fail(err, r, "The camera has no stream");
    struct hub_state state;
    hub_state(hub, &state);
    if (state.state != SOURCE_LIVE && !stale)
        r = se_fail(err, -EAGAIN, "The camera is %s; ask with stale=1 for its last picture",
                    source_state_name(state.state));
    else
        r = snapshot_take(hub, (unsigned)options_int(ingest_options(ingest), "pixels.threads"), ret_jpeg,
                          ret_at_ms, err);
    if (r == -ENOENT && !stale)
        r = -EAGAIN; /* connected, its first keyframe still to come */
    hub_unref(&hub);
    return r;
}

int ingest_recordings(struct ingest *ingest, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                      json_t **ret_recordings, struct se_err *err)
{
    return recordings_list(ingest_volumes(ingest), camera_id, from_ms, to_ms, ret_recordings, err);
}

int playback_open(struct ingest *ingest, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                  struct playback **ret_playback, struct se_err *err)
{
    return playback_plan(ingest_volumes(ingest), camera_id, from_ms, to_ms, ret_playback, err);
}
