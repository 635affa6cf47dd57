/* Metrics for /metrics (Prometheus text format 0.0.4). Each module declares its
 * counters in a table and registers it once at start. Any thread may add. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/str.h"

enum se_metric_type { SE_COUNTER, SE_GAUGE };

struct se_metric {
    const char *name; /* "sharpeyes_signals_total" */
    const char *help;
    enum se_metric_type type;
    const char *labels; /* fixed labels, e.g. "cause=\"full\"", or NULL */
    _Atomic int64_t value;
};

/* The table lives for ever. Rows of one family (same name) lie together. */
void se_metrics_register(struct se_metric *table, unsigned count);
/* Called at each scrape to write figures that are read, not counted. At most 64. */
void se_metrics_collector(void (*fn)(struct se_str *out, void *ctx), void *ctx);
void se_metrics_collector_remove(void (*fn)(struct se_str *out, void *ctx), void *ctx);
void se_metrics_render(struct se_str *out);

static inline void se_metric_add(struct se_metric *metric, int64_t n)
{
    atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}
static inline void se_metric_set(struct se_metric *metric, int64_t n)
{
    atomic_store_explicit(&metric->value, n, memory_order_relaxed);
}

/* For collectors that write their samples themselves: a label's value, to stand between quotes. */
void se_metrics_escape(struct se_str *out, const char *label_value);
/* For collectors: HELP and TYPE lines, then samples. label values are escaped. */
void se_metrics_family(struct se_str *out, const char *name, const char *help, enum se_metric_type type);
void se_metrics_sample(struct se_str *out, const char *name, const char *label, const char *label_value,
                       double value);

#endif
