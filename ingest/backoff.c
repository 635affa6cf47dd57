#include "backoff.h"

#include <sys/random.h>

void backoff_init(struct backoff *backoff, const struct options *options, unsigned auth_tries)
{
    *backoff = (struct backoff){
        .retry_min_us = options_int(options, "ingest.retry_min_ms") * 1000,
        .retry_max_us = options_int(options, "ingest.retry_max_ms") * 1000,
        .unreachable_max_us = options_int(options, "ingest.retry_unreachable_max_ms") * 1000,
        .auth_retry_us = options_int(options, "ingest.auth_retry_s") * SE_US_PER_S,
        .auth_tries = auth_tries ? auth_tries : 3,
    };
}

static uint64_t random_number(void)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
        value = (uint64_t)se_mono_now_us() * 0x9e3779b97f4a7c15u;
    return value;
}

/* Doubles from the least wait, up to what the failure allows; between half of it and all of it. */
int64_t backoff_next(struct backoff *backoff, enum source_failure failure, int64_t live_us)
{
    int64_t most = backoff->unreachable_max_us;
    if (live_us >= BACKOFF_STEADY_US)
        backoff->failures = 0;
    switch (failure) {
    case FAILURE_REFUSED:
        if (++backoff->refusals >= backoff->auth_tries)
            return backoff->auth_retry_us;
        break;
    case FAILURE_ANSWER:
        most = backoff->retry_max_us;
        break;
    case FAILURE_SILENT:
        most = most * 3 / 5; /* the wait for its answer comes on top */
        break;
    case FAILURE_ENDED:
        return backoff->retry_min_us;
    case FAILURE_FINAL:
        return BACKOFF_NEVER;
    case FAILURE_UNREACHABLE:
    case FAILURE_LOST:
        break;
    }
    int64_t delay = backoff->retry_min_us;
    for (unsigned i = 0; i < backoff->failures && delay < most; i++)
        delay *= 2;
    backoff->failures++;
    if (delay > most)
        delay = most;
    return delay / 2 + (int64_t)(random_number() % (uint64_t)(delay / 2 + 1));
}

void backoff_accepted(struct backoff *backoff)
{
    backoff->refusals = 0;
}
