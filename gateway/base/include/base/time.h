/* Time. Monotonic for waits and media arrival, wall for what people read; the
 * unit is in the name and the two never mix. Any thread. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t se_mono_us; /* CLOCK_MONOTONIC */
typedef int64_t se_wall_us; /* CLOCK_REALTIME since 1970, UTC */
typedef int64_t se_wall_ms;

#define SE_US_PER_S 1000000LL

se_mono_us se_mono_now_us(void);
se_wall_us se_wall_now_us(void);
se_wall_ms se_wall_now_ms(void);

/* RFC 3339 UTC with milliseconds, "2026-11-22T08:00:00.000Z": 24 characters and NUL. */
#define SE_TIME_LEN 25
void se_time_format(se_wall_ms ms, char out[SE_TIME_LEN]);
/* RFC 3339 section 5.6 with any offset and fraction. -EINVAL otherwise; years 1970 to 9999. */
int se_time_parse(const char *text, se_wall_ms *ret_ms);

#endif
