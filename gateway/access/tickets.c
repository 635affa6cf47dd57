/* Media tickets: kept in memory, by digest; gone with a restart. */
#include <errno.h>
#include <string.h>

#include "access/access_private.h"

int access_ticket_new(struct access *access, const struct access_who *who, const char *camera_id,
                      enum access_media action, se_wall_ms from, se_wall_ms to, char ret_ticket[65],
                      se_wall_ms *ret_expires)
{
    char ticket[65];
    unsigned char digest[32];
    access_random_token("tkt_", ticket);
    access_digest(ticket, digest);
    se_wall_ms expires = se_wall_now_ms() + access->ticket_ms;
    if (who->expires_ms && who->expires_ms < expires)
        expires = who->expires_ms; /* it does not outlive the session that asked for it */
    int r = -ENOMEM;
    pthread_mutex_lock(&access->lock);
    uint64_t dropped = access->tickets.dropped;
    struct access_kept *kept = access_keep_put(&access->tickets, digest);
    if (kept) {
        kept->who = *who;
        kept->action = action;
        kept->from_ms = from;
        kept->to_ms = to;
        kept->expires_ms = expires;
        snprintf(kept->camera_id, sizeof(kept->camera_id), "%s", camera_id);
        r = 0;
    }
    se_metric_add(&access_metrics[ACCESS_M_TICKETS_DROPPED], (int64_t)(access->tickets.dropped - dropped));
    pthread_mutex_unlock(&access->lock);
    if (r < 0)
        return r;
    memcpy(ret_ticket, ticket, sizeof(ticket));
    *ret_expires = expires;
    return 0;
}

/* A copy of what is kept under a ticket that is still good: 0, or -EACCES. */
static int find(struct access *access, const char *ticket, struct access_kept *ret_kept)
{
    if (strlen(ticket) < 40 || strlen(ticket) > 64)
        return -EACCES;
    unsigned char digest[32];
    access_digest(ticket, digest);
    pthread_mutex_lock(&access->lock);
    struct access_kept *kept = access_keep_find(&access->tickets, digest);
    if (kept && kept->expires_ms <= se_wall_now_ms()) {
        access_keep_drop(&access->tickets, kept);
        kept = NULL;
    }
    if (kept)
        *ret_kept = *kept;
    pthread_mutex_unlock(&access->lock);
    return kept && access_still(access, &ret_kept->who) ? 0 : -EACCES;
}

int access_ticket_check(struct access *access, const char *ticket, const char *camera_id,
                        enum access_media action, struct access_who *ret_who)
{
    struct access_kept kept;
    int r = find(access, ticket, &kept);
    if (r < 0)
        return r;
    if (kept.action != action || strcmp(kept.camera_id, camera_id) != 0)
        return -EACCES;
    kept.who.expires_ms = kept.expires_ms; /* what it opens ends with it, not with the session */
    *ret_who = kept.who;
    return 0;
}

int access_ticket_range(struct access *access, const char *ticket, se_wall_ms *ret_from, se_wall_ms *ret_to)
{
    struct access_kept kept;
    int r = find(access, ticket, &kept);
    if (r < 0)
        return r;
    *ret_from = kept.from_ms;
    *ret_to = kept.to_ms;
    return 0;
}
