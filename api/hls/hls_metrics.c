#include "hls/hls_metrics.h"

#include <pthread.h>

struct se_metric hls_metrics[HLS_METRIC_COUNT_] = {
    {"sharpeyes_hls_sessions", "Streams that are cut into HLS segments because somebody asks", SE_GAUGE},
    {"sharpeyes_hls_segments_total", "HLS segments made", SE_COUNTER},
    {"sharpeyes_hls_bytes", "Bytes that HLS segments hold on to", SE_GAUGE},
    {"sharpeyes_hls_refused_total", "HLS viewers turned away", SE_COUNTER, "cause=\"sessions\""},
    {"sharpeyes_hls_refused_total", "HLS viewers turned away", SE_COUNTER, "cause=\"bytes\""},
    {"sharpeyes_hls_trimmed_total", "HLS segments given up early for want of room", SE_COUNTER},
    {"sharpeyes_hls_no_memory_total", "HLS segments given up for want of memory", SE_COUNTER},
};

static void enter(void)
{
    se_metrics_register(hls_metrics, HLS_METRIC_COUNT_);
}

void hls_metrics_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, enter);
}
