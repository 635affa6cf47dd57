/* What live HLS counts. */
#ifndef HLS_METRICS_H
#define HLS_METRICS_H

#include "base/metrics.h"

enum hls_metric {
    HLS_METRIC_SESSIONS,
    HLS_METRIC_SEGMENTS,
    HLS_METRIC_BYTES,
    HLS_METRIC_REFUSED_SESSIONS,
    HLS_METRIC_REFUSED_BYTES,
    HLS_METRIC_TRIMMED,
    HLS_METRIC_NO_MEMORY,
    HLS_METRIC_COUNT_
};
extern struct se_metric hls_metrics[HLS_METRIC_COUNT_];
void hls_metrics_register(void);
static inline void hls_metric_add(enum hls_metric metric, int64_t n)
{
    se_metric_add(&hls_metrics[metric], n);
}

#endif
