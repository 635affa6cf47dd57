#include "live/ring.h"

#include <errno.h>
#include <stdlib.h>

#include "mp4/mux.h"

#define COUNT_MIN 64u /* fragments; grows by doubling */
#define COUNT_MAX 4096u
#define KEEP_US   1000000 /* frames before the newest keyframe stay this long, where there are viewers */

void live_ring_init(struct live_ring *ring, uint32_t track, size_t bytes_max)
{
    *ring = (struct live_ring){.track = track, .first = 1, .next = 1, .bytes_max = bytes_max};
}

static void evict(struct live_ring *ring)
{
    struct live_slot *slot = &ring->slots[ring->first % ring->count];
    ring->bytes -= slot->size;
    access_unit_unref(&slot->unit);
    se_buf_unref(&slot->head);
    if (ring->newest_key == ring->first)
        ring->newest_key = 0;
    ring->first++;
}

void live_ring_clear(struct live_ring *ring)
{
    while (ring->first < ring->next)
        evict(ring);
}

void live_ring_fini(struct live_ring *ring)
{
    live_ring_clear(ring);
    se_buf_unref(&ring->init);
    free(ring->slots);
    *ring = (struct live_ring){0};
}

void live_ring_set_init(struct live_ring *ring, struct se_buf *init)
{
    live_ring_clear(ring);
    se_buf_unref(&ring->init);
    ring->init = init;
    ring->init_version++;
}

/* Doubles the ring; when there is no memory it stays, and old fragments go instead. */
static void grow(struct live_ring *ring)
{
    unsigned count = ring->count ? ring->count * 2 : COUNT_MIN;
    struct live_slot *slots = count <= COUNT_MAX ? calloc(count, sizeof(*slots)) : NULL;
    if (!slots)
        return;
    for (uint64_t i = ring->first; ring->count && i < ring->next; i++)
        slots[i % count] = ring->slots[i % ring->count];
    free(ring->slots);
    ring->slots = slots;
    ring->count = count;
}

/* Makes room for size bytes more: what is old goes, and then what the caps forbid. */
static int trim(struct live_ring *ring, size_t size, se_mono_us now_us)
{
    int lost = 0;
    int64_t keep_us = ring->lagging ? KEEP_US : -1;
    while (ring->first < ring->newest_key && ring->first < ring->next &&
           now_us - ring->slots[ring->first % ring->count].arrived_us > keep_us)
        evict(ring);
    if (ring->next - ring->first >= ring->count)
        grow(ring);
    while (ring->first < ring->next &&
           (ring->next - ring->first >= ring->count || ring->bytes + size > ring->bytes_max)) {
        lost += ring->first >= ring->newest_key;
        evict(ring);
    }
    return lost;
}

int live_ring_push(struct live_ring *ring, struct access_unit *unit, struct timing_stamp stamp, bool keyframe)
{
    if (keyframe)
        ring->newest_key = ring->next;
    int lost = trim(ring, unit->data->size, unit->arrived_us);
    if (!ring->count) {
        ring->newest_key = 0;
        return -ENOMEM;
    }
    ring->slots[ring->next % ring->count] = (struct live_slot){
        .unit = access_unit_ref(unit),
        .arrived_us = unit->arrived_us,
        .size = unit->data->size,
        .stamp = stamp,
        .sequence = ++ring->sequence,
        .init = ring->init_version,
    };
    ring->bytes += unit->data->size;
    ring->next++;
    return lost;
}

/* The boxes in front of one unit. */
static struct se_buf *make_head(const struct live_ring *ring, const struct live_slot *slot)
{
    struct mp4_sample sample = {
        .size = (uint32_t)slot->unit->data->size,
        .duration_90k = slot->stamp.duration_90k,
        .cts_90k = (int32_t)(slot->stamp.pts_90k - slot->stamp.dts_90k),
        .keyframe = slot->unit->keyframe || ring->track == MP4_TRACK_AUDIO,
    };
    struct mp4_track_run run = {ring->track, 1, (uint64_t)slot->stamp.dts_90k, &sample, 1};
    struct mp4_writer w = {0};
    mp4_fragment_header(&w, slot->sequence, &run, 1);
    struct se_buf *head = w.oom ? NULL : se_buf_copy(w.data, w.len);
    mp4_fini(&w);
    return head;
}

uint64_t live_ring_read(struct live_ring *ring, struct hub_cursor *cursor, struct hub_item *ret_item)
{
    uint64_t jumped = 0;
    *ret_item = (struct hub_item){.kind = HUB_NOTHING};
    if (cursor->next < ring->first || cursor->next == 0) {
        /* New here, or too slow: on from the newest keyframe, once there is one. */
        if (!ring->newest_key)
            return 0;
        if (cursor->next)
            jumped = ring->newest_key - cursor->next;
        cursor->skipped += jumped;
        cursor->next = ring->newest_key;
    }
    if (cursor->next >= ring->next)
        return jumped;
    struct live_slot *slot = &ring->slots[cursor->next % ring->count];
    if (slot->init != cursor->init) {
        *ret_item = (struct hub_item){
            .kind = HUB_INIT, .data = se_buf_ref(ring->init), .arrived_us = slot->unit->arrived_us};
        cursor->init = slot->init;
        return jumped;
    }
    if (!slot->head)
        slot->head = make_head(ring, slot);
    if (!slot->head)
        return jumped;
    *ret_item = (struct hub_item){.kind = HUB_FRAGMENT,
                                  .head = se_buf_ref(slot->head),
                                  .data = se_buf_ref(slot->unit->data),
                                  .keyframe = slot->unit->keyframe,
                                  .dts_90k = slot->stamp.dts_90k,
                                  .pts_90k = slot->stamp.pts_90k,
                                  .arrived_us = slot->unit->arrived_us};
    cursor->next++;
    return jumped;
}
