/* When a source that failed tries again. One for all back ends. */
#ifndef INGEST_BACKOFF_H
#define INGEST_BACKOFF_H

#include <stdint.h>

#include "base/time.h"
#include "gateway/options.h"

#define BACKOFF_STEADY_US (10 * SE_US_PER_S) /* a session that lasted this long starts the back-off anew */
#define BACKOFF_NEVER     INT64_MAX

/* Why a try or a session ended; decides when the next one begins. */
enum source_failure {
    FAILURE_UNREACHABLE, /* no address, no connection */
    FAILURE_SILENT,      /* a connection, but no answer */
    FAILURE_ANSWER,      /* an answer that is no use */
    FAILURE_REFUSED,     /* the password */
    FAILURE_LOST,        /* it played, and ended */
    FAILURE_ENDED,       /* a recording that came to its end: it begins again */
    FAILURE_FINAL,       /* nothing will change by trying again */
};

struct backoff {
    int64_t retry_min_us, retry_max_us, unreachable_max_us, auth_retry_us;
    unsigned auth_tries;         /* a refused password is sent so often before auth_retry_us applies */
    unsigned failures, refusals; /* in a row */
};
/* Waits from the options; auth_tries 0: 3. */
void backoff_init(struct backoff *backoff, const struct options *options, unsigned auth_tries);
/* How long to wait after this failure, in microseconds, or BACKOFF_NEVER. live_us: how long the session
 * showed pictures, 0: it never did. */
int64_t backoff_next(struct backoff *backoff, enum source_failure failure, int64_t live_us);
/* The camera took the password. */
void backoff_accepted(struct backoff *backoff);

#endif
