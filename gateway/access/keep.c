#include "access/keep.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int access_keep_init(struct access_keep *keep, unsigned max)
{
    *keep = (struct access_keep){.bucket_mask = max - 1, .max = max};
    keep->buckets = calloc(max, sizeof(struct access_kept *));
    return keep->buckets ? 0 : -ENOMEM;
}

void access_keep_fini(struct access_keep *keep)
{
    while (keep->oldest)
        access_keep_drop(keep, keep->oldest);
    free(keep->buckets);
    keep->buckets = NULL;
}

/* The digest is uniform and nobody can choose it: its first bytes are hash enough. */
static struct access_kept **bucket(struct access_keep *keep, const unsigned char digest[32])
{
    unsigned hash;
    memcpy(&hash, digest, sizeof(hash));
    return &keep->buckets[hash & keep->bucket_mask];
}

struct access_kept *access_keep_find(struct access_keep *keep, const unsigned char digest[32])
{
    for (struct access_kept *kept = *bucket(keep, digest); kept; kept = kept->bucket_next)
        if (sodium_memcmp(kept->digest, digest, sizeof(kept->digest)) == 0)
            return kept;
    return NULL;
}

struct access_kept *access_keep_put(struct access_keep *keep, const unsigned char digest[32])
{
    struct access_kept *kept = access_keep_find(keep, digest);
    if (kept)
        access_keep_drop(keep, kept);
    if (keep->count == keep->max) {
        if (keep->oldest->expires_ms == 0 || keep->oldest->expires_ms > se_wall_now_ms())
            keep->dropped++;
        access_keep_drop(keep, keep->oldest);
    }
    kept = calloc(1, sizeof(*kept));
    if (!kept)
        return NULL;
    memcpy(kept->digest, digest, sizeof(kept->digest));
    struct access_kept **head = bucket(keep, digest);
    kept->bucket_next = *head;
    *head = kept;
    kept->older = keep->newest;
    if (keep->newest)
        keep->newest->newer = kept;
    else
        keep->oldest = kept;
    keep->newest = kept;
    keep->count++;
    return kept;
}

void access_keep_drop(struct access_keep *keep, struct access_kept *kept)
{
    struct access_kept **at = bucket(keep, kept->digest);
    while (*at != kept)
        at = &(*at)->bucket_next;
    *at = kept->bucket_next;
    *(kept->older ? &kept->older->newer : &keep->oldest) = kept->newer;
    *(kept->newer ? &kept->newer->older : &keep->newest) = kept->older;
    keep->count--;
    free(kept);
}

void access_keep_drop_id(struct access_keep *keep, const char *id)
{
    for (struct access_kept *kept = keep->oldest, *next; kept; kept = next) {
        next = kept->newer;
        if (!id || strcmp(kept->who.session_id, id) == 0 || strcmp(kept->who.user_id, id) == 0)
            access_keep_drop(keep, kept);
    }
}
