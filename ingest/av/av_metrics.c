#include "av/av_metrics.h"

#include <pthread.h>

struct se_metric av_metrics[AV_METRIC_COUNT] = {
    [AV_METRIC_THREADS] = {"sharpeyes_ingest_av_threads", "Threads that pull a stream with libavformat",
                           SE_GAUGE},
    [AV_METRIC_REFUSED] = {"sharpeyes_ingest_av_refused_total",
                           "Tries of a stream that found ingest.av_streams threads busy", SE_COUNTER},
    [AV_METRIC_DROPPED] = {"sharpeyes_ingest_av_dropped_total",
                           "Frames from libavformat left out because their loop was behind", SE_COUNTER},
};

static void register_once(void)
{
    se_metrics_register(av_metrics, AV_METRIC_COUNT);
}

void av_metrics_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_once);
}
