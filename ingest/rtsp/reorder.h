/* Packets that came out of order put back into it, within bounds of packets, bytes and time. Pure.
 *
 * What is in its place is handed on at once and never copied. What comes ahead of its turn is kept until the
 * packets before it arrive, or until the wait is over and they count as lost. */
#ifndef INGEST_RTSP_REORDER_H
#define INGEST_RTSP_REORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REORDER_PACKETS 512u               /* a power of two */
#define REORDER_BYTES   (2u * 1024 * 1024) /* of packets that wait */

struct reorder_slot {
    uint8_t *data; /* NULL: empty */
    size_t size;
    int64_t arrived_us;
};

/* Zero-initialised is the start. */
struct reorder {
    int64_t wait_us; /* how long a packet waits for those before it; set by the owner */
    bool started;
    uint16_t next; /* sequence number whose turn it is */
    uint32_t ssrc;
    uint16_t behind; /* the last packet from far behind: one that follows it proves a reset */
    bool behind_set;
    struct reorder_slot *slots; /* by sequence number; made when the first packet has to wait */
    unsigned held;
    size_t held_bytes;
    uint64_t given[REORDER_PACKETS / 64]; /* which of the last sequence numbers were handed on */
    uint64_t late;                        /* left out: their turn was over */
    uint64_t duplicates;                  /* left out: they had come already */
    uint64_t reordered;                   /* put back into their place */
};

typedef void (*reorder_fn)(void *ctx, const uint8_t *packet, size_t size);

/* Takes a packet (bytes borrowed) and hands on what has its turn, in order; ssrc and sequence are those in
 * its header. fn must not touch the buffer. */
void reorder_push(struct reorder *reorder, uint32_t ssrc, uint16_t sequence, const uint8_t *packet,
                  size_t size, int64_t now_us, reorder_fn fn, void *ctx);
/* When reorder_expire() has something to do; INT64_MAX: nothing waits. */
int64_t reorder_due_us(const struct reorder *reorder);
/* Gives up on packets that others have waited for long enough, and hands those on. */
void reorder_expire(struct reorder *reorder, int64_t now_us, reorder_fn fn, void *ctx);
/* Drops what waits. Counts stay. */
void reorder_fini(struct reorder *reorder);

#endif
