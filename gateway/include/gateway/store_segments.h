/* The index of recorded files. */
#ifndef GATEWAY_STORE_SEGMENTS_H
#define GATEWAY_STORE_SEGMENTS_H

#include "base/time.h"
#include "gateway/store.h"

/* One file. Strings are borrowed for the call or the visit. */
struct segment_row {
    const char *camera_id;
    se_wall_ms start_ms, end_ms;
    int epoch;
    bool open;
    int64_t bytes;
    const char *volume, *codecs;
    const char *gap; /* cause of the gap that follows, "" for none */
};
typedef int (*segment_visit)(const struct segment_row *row, void *ctx);

/* Adds the file or overwrites what is known of it. */
int store_segment_put(struct store_tx *tx, const struct segment_row *row);
/* Forgets a file that is not there. */
int store_segment_forget(struct store_tx *tx, const char *camera_id, se_wall_ms start_ms, int epoch);
/* Files that overlap [from, to), by start, and before them the newest that ended before `from`
 * (for the cause of a gap that reaches in). No segment is longer than longest_ms. */
int store_segments_range(struct store_tx *tx, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                         int64_t longest_ms, segment_visit visit, void *ctx);
/* Files of a volume that were being written. */
int store_segments_open(struct store_tx *tx, const char *volume, segment_visit visit, void *ctx);
/* Is there a row with this key? 0 or -ENOENT. */
int store_segment_known(struct store_tx *tx, const char *camera_id, se_wall_ms start_ms, int epoch);
/* For each camera, the newest file of its newest clock epoch. */
int store_segments_last(struct store_tx *tx, segment_visit visit, void *ctx);

#endif
