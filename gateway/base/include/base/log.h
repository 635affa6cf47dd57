/* Log: one line an event to stderr, "time level subject message key=value …".
 * Any thread. Values of secret-looking keys (password, token, ticket, secret,
 * authorization, key) and URL user info are masked before a line is written. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

enum se_log_level { SE_LOG_ERROR, SE_LOG_WARN, SE_LOG_INFO, SE_LOG_DEBUG };

/* One call site's allowance: 10 lines in a burst, then one every 10 s; the next
 * line that gets through says how many were left out. */
struct se_log_limit {
    _Atomic int64_t window_us;
    _Atomic uint32_t used;
    _Atomic uint32_t dropped;
};

void se_log_set_level(enum se_log_level level);
int se_log_level_parse(const char *name, enum se_log_level *ret_level); /* -EINVAL */
/* fmt is the message followed by key=value pairs, e.g. "camera connected camera=%s took_ms=%d".
 * Quote a value that may hold spaces: reason=\"%s\". Control characters are escaped. */
void se_log_write(struct se_log_limit *limit, enum se_log_level level, const char *subject, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

#define SE_LOG_(level, subject, ...)                                                                         \
    do {                                                                                                     \
        static struct se_log_limit se_log_limit_;                                                            \
        se_log_write(&se_log_limit_, level, subject, __VA_ARGS__);                                           \
    } while (0)
#define se_error(subject, ...) SE_LOG_(SE_LOG_ERROR, subject, __VA_ARGS__)
#define se_warn(subject, ...)  SE_LOG_(SE_LOG_WARN, subject, __VA_ARGS__)
#define se_info(subject, ...)  SE_LOG_(SE_LOG_INFO, subject, __VA_ARGS__)
#define se_debug(subject, ...) SE_LOG_(SE_LOG_DEBUG, subject, __VA_ARGS__)

/* Masks secrets of one line in place; exposed for tests and for error texts. */
void se_log_redact(char *line);

#endif
