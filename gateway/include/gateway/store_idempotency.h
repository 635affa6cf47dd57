/* Answers kept under an Idempotency-Key, per user, for 24 hours. */
#ifndef GATEWAY_STORE_IDEMPOTENCY_H
#define GATEWAY_STORE_IDEMPOTENCY_H

#include <jansson.h>

#include "base/time.h"
#include "gateway/store.h"

#define IDEMPOTENCY_KEPT_MS (24 * 3600 * 1000LL)

struct idempotency_row {
    const char *user_id, *key, *fingerprint;
    int status;
    const json_t *answer; /* or NULL */
    se_wall_ms at_ms;
};
/* Adds or replaces, and forgets what is older than 24 h. */
int store_idempotency_put(struct store_tx *tx, const struct idempotency_row *row);
/* {fingerprint,status,answer}; -ENOENT none, or too old. */
int store_idempotency_get(struct store_tx *tx, const char *user_id, const char *key, se_wall_ms now_ms,
                          json_t **ret_row);

#endif
