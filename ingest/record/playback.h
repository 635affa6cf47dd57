/* A recorded range as one MP4, over the stored bytes. */
#ifndef RECORD_PLAYBACK_H
#define RECORD_PLAYBACK_H

#include "stream.h"

/* playback_open() of ingest.h, without the rest of ingest. */
int playback_plan(struct volumes *volumes, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                  struct playback **ret_playback, struct se_err *err);

#endif
