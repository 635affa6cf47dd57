/* A bounded table of people by the digest of what they showed: tokens seen lately, tickets given out.
 * Not thread-safe: the owner locks. */
#ifndef ACCESS_KEEP_H
#define ACCESS_KEEP_H

#include "gateway/access.h"

struct access_kept {
    unsigned char digest[32];
    struct access_who who;
    se_mono_us loaded_us;
    se_wall_ms expires_ms; /* 0: never */
    char camera_id[SE_ID_LEN];
    enum access_media action;
    se_wall_ms from_ms, to_ms;
    struct access_kept *bucket_next;
    struct access_kept *older, *newer; /* in the order they were put */
};

struct access_keep {
    struct access_kept **buckets;
    unsigned bucket_mask, count, max;
    struct access_kept *oldest, *newest;
    uint64_t dropped; /* pushed out by newer ones before their time */
};

int access_keep_init(struct access_keep *keep, unsigned max); /* max: a power of two */
void access_keep_fini(struct access_keep *keep);
struct access_kept *access_keep_find(struct access_keep *keep, const unsigned char digest[32]);
/* A new, zeroed entry under digest (which it replaces); the oldest makes room. NULL: out of memory. */
struct access_kept *access_keep_put(struct access_keep *keep, const unsigned char digest[32]);
void access_keep_drop(struct access_keep *keep, struct access_kept *kept);
/* Drops those of a session or user; id NULL: all. */
void access_keep_drop_id(struct access_keep *keep, const char *id);

#endif
