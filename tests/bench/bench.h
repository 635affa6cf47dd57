/* What the C programs of the benchmarks share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline int64_t clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static inline int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Of samples in microseconds, in milliseconds; -1 where there are none. Sorts them. */
static inline double percentile(uint32_t *samples, unsigned n, unsigned per_mille)
{
    if (!n)
        return -1;
    qsort(samples, n, sizeof(*samples), by_size);
    unsigned at = (unsigned)((uint64_t)n * per_mille / 1000);
    return samples[at < n ? at : n - 1] / 1000.0;
}

#endif
