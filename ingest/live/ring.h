/* The newest fragments of one track, numbered. Not locked: the hub's lock is held around all of it. */
#ifndef LIVE_RING_H
#define LIVE_RING_H

#include "stream.h"

struct live_slot {
    struct se_buf *data;
    se_mono_us arrived_us;
    uint32_t init;
    bool keyframe;
};
struct live_ring {
    struct live_slot *slots; /* NULL until the first push */
    unsigned count;
    uint64_t first, next; /* numbers of the oldest kept and of the one to come; from 1 */
    uint64_t newest_key;  /* 0: none in the ring */
    size_t bytes, bytes_max;
    struct se_buf *init;
    uint32_t init_version;
};
void live_ring_init(struct live_ring *ring, size_t bytes_max);
void live_ring_fini(struct live_ring *ring);
void live_ring_clear(struct live_ring *ring);
/* Another init segment, taken; what is there by the old one goes. */
void live_ring_set_init(struct live_ring *ring, struct se_buf *init);
/* Takes data. Returns how many fragments of the newest group went for want of room, or -ENOMEM (data is
 * dropped). */
int live_ring_push(struct live_ring *ring, struct se_buf *data, bool keyframe, se_mono_us arrived_us);
/* What comes next at the cursor; returns how many the viewer was too slow for. */
uint64_t live_ring_read(const struct live_ring *ring, struct hub_cursor *cursor, struct hub_item *ret_item);
bool live_ring_news(const struct live_ring *ring, const struct hub_cursor *cursor);

#endif
