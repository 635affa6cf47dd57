/* Pictures of keyframes. */
#ifndef PIXELS_SNAPSHOT_H
#define PIXELS_SNAPSHOT_H

#include "stream.h"

/* A JPEG of the hub's newest keyframe, made once for each. Decodes on the caller's thread, at most
 * `threads` at a time in the program. -ENOENT no keyframe yet; -EBUSY waited 2 s for its turn;
 * -EBADMSG it does not decode. */
int snapshot_take(struct hub *hub, unsigned threads, struct se_buf **ret_jpeg, se_wall_ms *ret_at_ms,
                  struct se_err *err);
/* The same of any coded keyframe, without cache or budget. */
int snapshot_encode(const struct access_unit *unit, const struct video_params *params,
                    struct se_buf **ret_jpeg);

#endif
