#include "reorder.h"

#include <stdlib.h>
#include <string.h>

static struct reorder_slot *slot_of(const struct reorder *reorder, uint16_t sequence)
{
    return &reorder->slots[sequence % REORDER_PACKETS];
}

static bool was_given(const struct reorder *reorder, uint16_t sequence)
{
    return reorder->given[sequence % REORDER_PACKETS / 64] >> (sequence % 64) & 1;
}

static void mark(struct reorder *reorder, uint16_t sequence, bool given)
{
    uint64_t bit = (uint64_t)1 << (sequence % 64), *word = &reorder->given[sequence % REORDER_PACKETS / 64];
    *word = given ? *word | bit : *word & ~bit;
}

static void hand_on(struct reorder *reorder, const uint8_t *packet, size_t size, reorder_fn fn, void *ctx)
{
    mark(reorder, reorder->next, true);
    reorder->next++;
    fn(ctx, packet, size);
}

/* The packet whose turn it is, if it waits here. */
static bool hand_on_held(struct reorder *reorder, reorder_fn fn, void *ctx)
{
    struct reorder_slot *slot = slot_of(reorder, reorder->next);
    if (!slot->data)
        return false;
    struct reorder_slot taken = *slot;
    slot->data = NULL;
    reorder->held--;
    reorder->held_bytes -= taken.size;
    hand_on(reorder, taken.data, taken.size, fn, ctx);
    free(taken.data);
    return true;
}

/* Gives up on packets that are missing, up to the first that waits, and hands on that and what follows. */
static void skip_gap(struct reorder *reorder, reorder_fn fn, void *ctx)
{
    while (reorder->held && !slot_of(reorder, reorder->next)->data)
        mark(reorder, reorder->next++, false);
    while (reorder->held && hand_on_held(reorder, fn, ctx))
        ;
}

static void begin(struct reorder *reorder, uint32_t ssrc, uint16_t sequence, reorder_fn fn, void *ctx)
{
    while (reorder->held)
        skip_gap(reorder, fn, ctx);
    memset(reorder->given, 0, sizeof(reorder->given));
    reorder->started = true;
    reorder->ssrc = ssrc;
    reorder->next = sequence;
    reorder->behind_set = false;
}

static bool hold(struct reorder *reorder, uint16_t sequence, const uint8_t *packet, size_t size,
                 int64_t now_us)
{
    if (!reorder->slots)
        reorder->slots = calloc(REORDER_PACKETS, sizeof(*reorder->slots));
    struct reorder_slot *slot = reorder->slots ? slot_of(reorder, sequence) : NULL;
    if (!slot)
        return false;
    if (slot->data) {
        reorder->duplicates++;
        return true;
    }
    slot->data = malloc(size ? size : 1);
    if (!slot->data)
        return false;
    memcpy(slot->data, packet, size);
    slot->size = size;
    slot->arrived_us = now_us;
    reorder->held++;
    reorder->held_bytes += size;
    reorder->reordered++;
    return true;
}

void reorder_push(struct reorder *reorder, uint32_t ssrc, uint16_t sequence, const uint8_t *packet,
                  size_t size, int64_t now_us, reorder_fn fn, void *ctx)
{
    if (!reorder->started || ssrc != reorder->ssrc)
        begin(reorder, ssrc, sequence, fn, ctx);
    uint16_t ahead = (uint16_t)(sequence - reorder->next);
    if (ahead >= 0x8000) { /* behind its turn */
        uint16_t back = (uint16_t)-ahead;
        if (back <= REORDER_PACKETS) {
            if (was_given(reorder, sequence))
                reorder->duplicates++;
            else
                reorder->late++;
            return;
        }
        bool follows = reorder->behind_set && sequence == (uint16_t)(reorder->behind + 1);
        reorder->behind = sequence;
        reorder->behind_set = true;
        if (!follows) {
            reorder->late++;
            return;
        }
        begin(reorder, ssrc, sequence, fn, ctx);
        ahead = 0;
    }
    if (ahead >= REORDER_PACKETS) { /* more is missing than could wait */
        begin(reorder, ssrc, sequence, fn, ctx);
        ahead = 0;
    }
    if (ahead == 0) {
        hand_on(reorder, packet, size, fn, ctx);
        while (reorder->held && hand_on_held(reorder, fn, ctx))
            ;
        return;
    }
    while (reorder->held && reorder->held_bytes + size > REORDER_BYTES)
        skip_gap(reorder, fn, ctx);
    if ((uint16_t)(sequence - reorder->next) >= 0x8000 || sequence == reorder->next) {
        reorder_push(reorder, ssrc, sequence, packet, size, now_us, fn, ctx); /* its turn came meanwhile */
        return;
    }
    if (!hold(reorder, sequence, packet, size, now_us))
        begin(reorder, ssrc, (uint16_t)(sequence + 1), fn, ctx); /* out of memory: it is lost */
}

/* The packet that stands nearest to its turn has waited longest, but for reordering within the wait: good
 * enough, as each packet before it is waited for anew for a wait at most. */
static const struct reorder_slot *first_held(const struct reorder *reorder)
{
    for (uint16_t sequence = reorder->next;; sequence++)
        if (slot_of(reorder, sequence)->data)
            return slot_of(reorder, sequence);
}

int64_t reorder_due_us(const struct reorder *reorder)
{
    return reorder->held ? first_held(reorder)->arrived_us + reorder->wait_us : INT64_MAX;
}

void reorder_expire(struct reorder *reorder, int64_t now_us, reorder_fn fn, void *ctx)
{
    while (reorder->held && first_held(reorder)->arrived_us + reorder->wait_us <= now_us)
        skip_gap(reorder, fn, ctx);
}

void reorder_fini(struct reorder *reorder)
{
    for (unsigned i = 0; reorder->slots && i < REORDER_PACKETS; i++)
        free(reorder->slots[i].data);
    free(reorder->slots);
    reorder->slots = NULL;
    reorder->held = 0;
    reorder->held_bytes = 0;
    reorder->started = false;
}
