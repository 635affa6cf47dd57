#include "http/server.h"

#define ANSWERS   "sharpeyes_http_answers_total"
#define ANSWERS_H "Answers by class of status."
#define CUT       "sharpeyes_http_connections_cut_total"
#define CUT_H     "Connections ended by the gateway because they kept it waiting."
#define ENDED     "sharpeyes_http_streams_ended_total"
#define ENDED_H   "Open streams ended by the gateway."

struct se_metric http_metrics[HTTP_METRIC_COUNT_] = {
    [HTTP_METRIC_CONNECTIONS] = {"sharpeyes_http_connections", "Open connections.", SE_GAUGE, NULL, 0},
    [HTTP_METRIC_FULL] = {"sharpeyes_http_full_seconds_total",
                          "Seconds in which no further connection was let in.", SE_COUNTER, NULL, 0},
    [HTTP_METRIC_REQUESTS] = {"sharpeyes_http_requests_total", "Requests.", SE_COUNTER, NULL, 0},
    [HTTP_METRIC_2XX] = {ANSWERS, ANSWERS_H, SE_COUNTER, "class=\"2xx\"", 0},
    [HTTP_METRIC_3XX] = {ANSWERS, ANSWERS_H, SE_COUNTER, "class=\"3xx\"", 0},
    [HTTP_METRIC_4XX] = {ANSWERS, ANSWERS_H, SE_COUNTER, "class=\"4xx\"", 0},
    [HTTP_METRIC_5XX] = {ANSWERS, ANSWERS_H, SE_COUNTER, "class=\"5xx\"", 0},
    [HTTP_METRIC_QUEUE_FULL] = {"sharpeyes_http_queue_full_total",
                                "Requests answered 503 because all workers were busy.", SE_COUNTER, NULL, 0},
    [HTTP_METRIC_CUT_IDLE] = {CUT, CUT_H, SE_COUNTER, "cause=\"idle\"", 0},
    [HTTP_METRIC_CUT_HEADERS] = {CUT, CUT_H, SE_COUNTER, "cause=\"headers\"", 0},
    [HTTP_METRIC_CUT_BODY] = {CUT, CUT_H, SE_COUNTER, "cause=\"body\"", 0},
    [HTTP_METRIC_CUT_STALLED] = {CUT, CUT_H, SE_COUNTER, "cause=\"stalled\"", 0},
    [HTTP_METRIC_BODIES_REFUSED] = {"sharpeyes_http_bodies_refused_total",
                                    "Requests cut off because all bodies together had reached their bound.",
                                    SE_COUNTER, NULL, 0},
    [HTTP_METRIC_BYTES_OUT] = {"sharpeyes_http_stream_bytes_total", "Bytes given to open streams.",
                               SE_COUNTER, NULL, 0},
    [HTTP_METRIC_STREAMS] = {"sharpeyes_http_streams", "Open streams: live media and events.", SE_GAUGE, NULL,
                             0},
    [HTTP_METRIC_STREAMS_STALLED] = {ENDED, ENDED_H, SE_COUNTER, "cause=\"stalled\"", 0},
    [HTTP_METRIC_STREAMS_GONE] = {ENDED, ENDED_H, SE_COUNTER, "cause=\"gone\"", 0},
    [HTTP_METRIC_STREAMS_REVOKED] = {ENDED, ENDED_H, SE_COUNTER, "cause=\"revoked\"", 0},
    [HTTP_METRIC_STREAMS_REFUSED] = {"sharpeyes_http_streams_refused_total",
                                     "Streams refused because too many were open.", SE_COUNTER, NULL, 0},
    [HTTP_METRIC_REPLAYED] = {"sharpeyes_http_replayed_total",
                              "Answers repeated because their Idempotency-Key had been used.", SE_COUNTER,
                              NULL, 0},
    [HTTP_METRIC_WAITING] = {"sharpeyes_http_waiting", "Requests that wait for something to answer with.",
                             SE_GAUGE, NULL, 0},
    [HTTP_METRIC_WAITS_REFUSED] = {"sharpeyes_http_waits_refused_total",
                                   "Requests answered 503 because too many waited.", SE_COUNTER, NULL, 0},
};

void http_metrics_register(void)
{
    static _Atomic bool done;
    if (!atomic_exchange(&done, true)) {
        se_metrics_register(http_metrics, HTTP_METRIC_COUNT_);
    }
}
