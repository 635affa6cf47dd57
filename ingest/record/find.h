/* What is recorded of a camera over a range: the store's rows and what is not there yet, as one list. */
#ifndef RECORD_FIND_H
#define RECORD_FIND_H

#include <jansson.h>

#include "base/error.h"
#include "record/segment.h"
#include "stream.h"

struct found {
    struct segment_key key;
    se_wall_ms end_ms;
    int64_t bytes;
    bool open;
    char volume[64];
    char gap[12];
};
struct found_list {
    struct found *items; /* by start, then epoch */
    size_t count, cap;
    bool has_before;
    struct found before; /* the newest that ended before the range */
};
/* Reads the store: pool threads. */
int find_segments(struct volumes *volumes, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                  struct found_list *ret_list);
void found_list_fini(struct found_list *list);

/* {ranges:[{from,to,bytes}],gaps:[{from,to,cause}]} within the range. */
int recordings_list(struct volumes *volumes, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                    json_t **ret_recordings, struct se_err *err);

#endif
