/* The audit chain in the store. Entries are made by access_audit(). */
#ifndef GATEWAY_STORE_AUDIT_H
#define GATEWAY_STORE_AUDIT_H

#include <jansson.h>
#include <stdint.h>

#include "base/time.h"
#include "gateway/store.h"

struct audit_row {
    se_wall_ms at_ms;
    const char *user_id, *username, *address, *session_id; /* or NULL */
    const char *action;
    const char *target_type, *target_id; /* or NULL */
    const json_t *detail;                /* or NULL; no secrets */
};
/* Appends, chained to the entry before. Writer only. */
int store_audit_append(struct store_tx *tx, const struct audit_row *row);

struct audit_filter {
    const char *user_id, *action, *target_type, *target_id; /* NULL: any */
    se_wall_ms from_ms, to_ms;                              /* 0: open */
    int64_t before; /* entries below this number; 0: from the newest */
    int limit;
};
/* Newest first: {number,at,user_id,username,address,session_id,action,target_type,target_id,detail,hash}. */
int store_audit_list(struct store_tx *tx, const struct audit_filter *filter, json_t **ret_entries);

/* Walks the chain: {ok,entries,first_bad,reason,head}. first_bad is null, or the number of the first
 * entry whose content, place or link is not what was written. head is the newest hash. */
int store_audit_verify(struct store_tx *tx, json_t **ret_report);

#endif
