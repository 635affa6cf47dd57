/* The newest access units of one track, numbered, and the fragments made of those that are read. Not locked:
 * the hub's lock is held around all of it. */
#ifndef LIVE_RING_H
#define LIVE_RING_H

#include "live/timing.h"
#include "stream.h"

struct live_slot {
    struct access_unit *unit;
    se_mono_us arrived_us; /* the unit's, and its size: looked at when its memory has long gone cold */
    size_t size;
    struct timing_stamp stamp;
    uint32_t sequence;   /* of the fragment, in mfhd */
    uint32_t init;       /* version of the init segment it goes with */
    struct se_buf *head; /* NULL until somebody reads it */
};
struct live_ring {
    uint32_t track;          /* MP4_TRACK_… */
    struct live_slot *slots; /* NULL until the first push */
    unsigned count;
    uint64_t first, next; /* numbers of the oldest kept and of the one to come; from 1 */
    uint64_t newest_key;  /* 0: none in the ring */
    size_t bytes, bytes_max;
    bool lagging; /* somebody reads, and may be behind the newest keyframe */
    struct se_buf *init;
    uint32_t init_version, sequence;
};
void live_ring_init(struct live_ring *ring, uint32_t track, size_t bytes_max);
void live_ring_fini(struct live_ring *ring);
void live_ring_clear(struct live_ring *ring);
/* Another init segment, taken; what is there by the old one goes. */
void live_ring_set_init(struct live_ring *ring, struct se_buf *init);
/* References unit. Returns how many fragments of the newest group went for want of room, or -ENOMEM. */
int live_ring_push(struct live_ring *ring, struct access_unit *unit, struct timing_stamp stamp,
                   bool keyframe);
/* What comes next at the cursor; returns how many the viewer was too slow for. HUB_NOTHING also where there
 * is no memory for a fragment's head; the cursor has not moved then. */
uint64_t live_ring_read(struct live_ring *ring, struct hub_cursor *cursor, struct hub_item *ret_item);

#endif
