/* One recorded file: its name, and what is known of it while it is being written. */
#ifndef RECORD_SEGMENT_H
#define RECORD_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/time.h"

/* No file is longer: recording starts a new one even when no keyframe comes. */
#define SEGMENT_LONGEST_MS (7200 * 1000LL)

struct segment_key {
    char camera_id[SE_ID_LEN];
    se_wall_ms start_ms;
    int epoch; /* grows with each backward step of the wall clock */
};

/* CAMERA_ID/YYYY/MM/DD/HHMMSSmmmZ[-EPOCH].mp4 */
#define SEGMENT_PATH_MAX 96
void segment_path(const struct segment_key *key, char out[SEGMENT_PATH_MAX]);
/* The day's directory, CAMERA_ID/YYYY/MM/DD. */
void segment_day_path(const char *camera_id, se_wall_ms day_ms, char out[SEGMENT_PATH_MAX]);
/* The key of a file called name in that day's directory. -EINVAL: not one of ours. */
int segment_parse(const char *camera_id, se_wall_ms day_ms, const char *name, struct segment_key *ret_key);
/* May it stand as a directory's name? */
bool segment_camera_ok(const char *camera_id);

struct volume;
/* Shared by the recorder that fills it and the writer that writes it. */
struct segment {
    _Atomic unsigned refs;
    struct volume *volume;
    struct segment_key key;
    char codecs[64];
    _Atomic bool failed; /* the disk refused: what is still to come is dropped */

    /* the writer's */
    int fd;
    bool dirty, closing;
    bool syncing, sync_last; /* a flush is under way; it is the one after the last write */

    /* under the volume's lock */
    struct segment *prev, *next;
    bool listed, open;
    se_wall_ms end_ms;
    int64_t bytes; /* whole fragments written */
    char cause[12];
    bool row_due, row_busy, row_stored, row_last;
};
struct segment *segment_new(struct volume *volume, const struct segment_key *key, const char *codecs);
struct segment *segment_ref(struct segment *segment);
void segment_unref(struct segment **segment); /* closes what is open */

#endif
