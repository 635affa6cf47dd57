/* Figures of the streams that libavformat pulls. */
#ifndef INGEST_AV_METRICS_H
#define INGEST_AV_METRICS_H

#include "base/metrics.h"

enum {
    AV_METRIC_THREADS, /* gauge */
    AV_METRIC_REFUSED, /* tries that found no free thread */
    AV_METRIC_DROPPED, /* units that found the queue to their loop full */
    AV_METRIC_COUNT
};
extern struct se_metric av_metrics[AV_METRIC_COUNT];
/* Any number of times. */
void av_metrics_register(void);

#endif
