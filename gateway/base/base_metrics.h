/* What the base library itself counts; rendered by metrics.c before the modules' tables. */
#ifndef BASE_PRIVATE_METRICS_H
#define BASE_PRIVATE_METRICS_H

#include "base/metrics.h"

enum { BASE_METRIC_RING_OVERFLOWS, BASE_METRIC_POOL_REFUSED, BASE_METRIC_LOG_LEFT_OUT, BASE_METRIC_COUNT_ };

extern struct se_metric base_metrics[BASE_METRIC_COUNT_];

#endif
