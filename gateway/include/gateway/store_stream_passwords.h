/* Stream passwords in the store: what RTSP out signs viewers in by. */
#ifndef GATEWAY_STORE_STREAM_PASSWORDS_H
#define GATEWAY_STORE_STREAM_PASSWORDS_H

#include <jansson.h>

#include "base/id.h"
#include "base/time.h"
#include "gateway/store.h"

struct stream_password_row {
    const char *id, *user_id, *name;
    const char *ha1_sealed;  /* access_seal()'s text */
    se_wall_ms last_used_ms; /* read only; 0: never */
};
/* -ENOLINK no such user, or a value out of its bounds. */
int store_stream_password_insert(struct store_tx *tx, const struct stream_password_row *row);
/* One of that user's; -ENOENT. */
int store_stream_password_delete(struct store_tx *tx, const char *id, const char *user_id);
int store_stream_password_count(struct store_tx *tx, const char *user_id, int64_t *ret_count);
int store_stream_password_used(struct store_tx *tx, const char *id, se_wall_ms at_ms);
/* {id,name,username,created_at,last_used_at} in the order of ids; after NULL: from the start. */
int store_stream_password_list(struct store_tx *tx, const char *user_id, const char *after, int limit,
                               json_t **ret_items);
/* Visits those of an enabled user by name; the row lives until the visitor returns, its non-zero result ends
 * the visit and is returned. 0 when there is no such user. */
int store_stream_password_each(struct store_tx *tx, const char *username,
                               int (*visit)(const struct stream_password_row *row, void *ctx), void *ctx);

#endif
