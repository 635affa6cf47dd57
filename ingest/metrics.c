#include "camera.h"

#define STATE(name)                                                                                          \
    {                                                                                                        \
        "sharpeyes_ingest_streams", "Streams by state", SE_GAUGE, "state=\"" name "\""                       \
    }

struct se_metric ingest_metrics[METRIC_COUNT] = {
    [METRIC_STATE + SOURCE_CONNECTING] = STATE("connecting"),
    [METRIC_STATE + SOURCE_LIVE] = STATE("live"),
    [METRIC_STATE + SOURCE_STALLED] = STATE("stalled"),
    [METRIC_STATE + SOURCE_OFFLINE] = STATE("offline"),
    [METRIC_STATE + SOURCE_IDLE] = STATE("idle"),
    [METRIC_STATE + SOURCE_DISABLED] = STATE("disabled"),
    [METRIC_BYTES] = {"sharpeyes_ingest_bytes_total", "Bytes received from cameras", SE_COUNTER},
    [METRIC_UNITS] = {"sharpeyes_ingest_frames_total", "Video frames received whole", SE_COUNTER},
    [METRIC_LOST] = {"sharpeyes_ingest_packets_lost_total", "RTP packets that never came", SE_COUNTER},
    [METRIC_DAMAGED] = {"sharpeyes_ingest_frames_damaged_total", "Video frames left out for missing packets",
                        SE_COUNTER},
    [METRIC_TOO_BIG] = {"sharpeyes_ingest_frames_too_big_total", "Video frames cut off at 16 MiB",
                        SE_COUNTER},
    [METRIC_GARBAGE] = {"sharpeyes_ingest_garbage_bytes_total", "Bytes between frames that were no frame",
                        SE_COUNTER},
    [METRIC_RECONNECTS] = {"sharpeyes_ingest_reconnects_total", "Streams that came back", SE_COUNTER},
    [METRIC_AUDIO_UNITS] = {"sharpeyes_ingest_audio_frames_total", "Audio frames received", SE_COUNTER},
};

static void register_once(void)
{
    se_metrics_register(ingest_metrics, METRIC_COUNT);
}

void ingest_metrics_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_once);
}
