#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/time.h"
#include "base_metrics.h"
#include "utf8.h"

#define TEXT_MAX     2048 /* of a message before escaping */
#define LINE_MAX_    4096 /* PIPE_BUF: one write of up to this is never torn */
#define BURST        10
#define REFILL_US    (10 * SE_US_PER_S)
#define ESCAPED_MAX_ (TEXT_MAX * 4 + 1)

static _Atomic int max_level = SE_LOG_INFO;
static const char *const level_names[] = {"error", "warn", "info", "debug"};

void se_log_set_level(enum se_log_level level)
{
    atomic_store(&max_level, (int)level);
}

int se_log_level_parse(const char *name, enum se_log_level *ret_level)
{
    for (size_t i = 0; name && i < SE_ARRAY_LEN(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum se_log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* A bucket of BURST tokens that gains one every REFILL_US; window_us is when it last gained. */
static bool allowed(struct se_log_limit *limit, se_mono_us now, uint32_t *ret_dropped)
{
    int64_t since = atomic_load(&limit->window_us);
    uint32_t used;

    if (since == 0)
        atomic_compare_exchange_strong(&limit->window_us, &since, now);
    else if (now - since >= REFILL_US) {
        int64_t gained = (now - since) / REFILL_US;

        if (atomic_compare_exchange_strong(&limit->window_us, &since, since + gained * REFILL_US)) {
            used = atomic_load(&limit->used);
            while (!atomic_compare_exchange_weak(&limit->used, &used,
                                                 gained >= used ? 0 : used - (uint32_t)gained))
                ;
        }
    }
    used = atomic_load(&limit->used);
    do {
        if (used >= BURST) {
            atomic_fetch_add(&limit->dropped, 1);
            se_metric_add(&base_metrics[BASE_METRIC_LOG_LEFT_OUT], 1);
            return false;
        }
    } while (!atomic_compare_exchange_weak(&limit->used, &used, used + 1));
    *ret_dropped = atomic_exchange(&limit->dropped, 0);
    return true;
}

/* Whoever writes "\n" or an escape sequence into a camera's name does not write our log. */
static void escape(const char *text, size_t len, char out[ESCAPED_MAX_])
{
    const uint8_t *in = (const uint8_t *)text;
    char *at = out;

    for (size_t i = 0; i < len;) {
        size_t n = base_utf8_char(in + i, len - i);
        bool c1 = n == 2 && in[i] == 0xc2 && in[i + 1] < 0xa0; /* U+0080 to U+009F */

        if (in[i] == '\n' || in[i] == '\r' || in[i] == '\t') {
            *at++ = '\\';
            *at++ = in[i] == '\n' ? 'n' : in[i] == '\r' ? 'r' : 't';
            i++;
        } else if (n == 0 || c1 || in[i] < 0x20 || in[i] == 0x7f) {
            at += snprintf(at, 5, "\\x%02x", (unsigned)in[i]);
            i++;
        } else {
            memcpy(at, in + i, n);
            at += n;
            i += n;
        }
    }
    *at = '\0';
}

/* Cuts a message that did not fit at its last space: half a URL could show half a password unmasked. */
static size_t cut_at_space(char text[TEXT_MAX])
{
    char *space = strrchr(text, ' ');
    static const char mark[] = " cut=1";
    size_t len = space ? (size_t)(space - text) : 0;

    if (len > TEXT_MAX - sizeof(mark))
        len = TEXT_MAX - sizeof(mark);
    memcpy(text + len, mark, sizeof(mark));
    return len + sizeof(mark) - 1;
}

static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody reads: there is no better place to say so */
        line += n;
        len -= (size_t)n;
    }
}

void se_log_write(struct se_log_limit *limit, enum se_log_level level, const char *subject, const char *fmt,
                  ...)
{
    char text[TEXT_MAX], escaped[ESCAPED_MAX_], line[LINE_MAX_], time[SE_TIME_LEN], left_out[32] = "";
    uint32_t dropped = 0;
    size_t len;
    va_list args;
    int n;

    if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed))
        return;
    if (limit && !allowed(limit, se_mono_now_us(), &dropped))
        return;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    len = (size_t)n < sizeof(text) ? (size_t)n : cut_at_space(text);
    escape(text, len, escaped);
    se_log_redact(escaped);

    if (dropped > 0)
        snprintf(left_out, sizeof(left_out), " left_out=%u", (unsigned)dropped);
    se_time_format(se_wall_now_ms(), time);
    /* Room for left_out and the newline is kept; the message gives way. */
    n = snprintf(line, sizeof(line) - sizeof(left_out) - 1, "%s %s %s %s", time, level_names[level], subject,
                 escaped);
    len = (size_t)n < sizeof(line) - sizeof(left_out) - 1 ? (size_t)n : sizeof(line) - sizeof(left_out) - 2;
    len += (size_t)snprintf(line + len, sizeof(left_out) + 1, "%s\n", left_out);
    write_line(line, len);
}
