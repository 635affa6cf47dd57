#include "rtsp/server.h"

#define ANSWERS   "sharpeyes_rtsp_answers_total"
#define ANSWERS_H "RTSP answers by class of status."
#define REFUSED   "sharpeyes_rtsp_refused_total"
#define REFUSED_H "RTSP connections and sessions refused at a bound."
#define CUT       "sharpeyes_rtsp_cut_total"
#define CUT_H     "RTSP connections ended by the gateway."
#define VIEWERS   "sharpeyes_rtsp_viewers"
#define VIEWERS_H "RTSP sessions that are set up."
#define BYTES     "sharpeyes_rtsp_bytes_total"
#define BYTES_H   "Bytes of media sent over RTSP."

struct se_metric rtsp_metrics[RTSP_M_COUNT_] = {
    [RTSP_M_CONNECTIONS] = {"sharpeyes_rtsp_connections", "Open RTSP connections.", SE_GAUGE, NULL, 0},
    [RTSP_M_VIEWERS_TCP] = {VIEWERS, VIEWERS_H, SE_GAUGE, "transport=\"tcp\"", 0},
    [RTSP_M_VIEWERS_UDP] = {VIEWERS, VIEWERS_H, SE_GAUGE, "transport=\"udp\"", 0},
    [RTSP_M_FEEDS] = {"sharpeyes_rtsp_feeds", "Streams that are put into RTP packets.", SE_GAUGE, NULL, 0},
    [RTSP_M_CACHE_BYTES] = {"sharpeyes_rtsp_cache_bytes", "Packets kept for RTSP viewers, all streams.",
                            SE_GAUGE, NULL, 0},
    [RTSP_M_REQUESTS] = {"sharpeyes_rtsp_requests_total", "RTSP requests.", SE_COUNTER, NULL, 0},
    [RTSP_M_2XX] = {ANSWERS, ANSWERS_H, SE_COUNTER, "class=\"2xx\"", 0},
    [RTSP_M_3XX] = {ANSWERS, ANSWERS_H, SE_COUNTER, "class=\"3xx\"", 0},
    [RTSP_M_4XX] = {ANSWERS, ANSWERS_H, SE_COUNTER, "class=\"4xx\"", 0},
    [RTSP_M_5XX] = {ANSWERS, ANSWERS_H, SE_COUNTER, "class=\"5xx\"", 0},
    [RTSP_M_REFUSED_FULL] = {REFUSED, REFUSED_H, SE_COUNTER, "cause=\"full\"", 0},
    [RTSP_M_REFUSED_ADDRESS] = {REFUSED, REFUSED_H, SE_COUNTER, "cause=\"address\"", 0},
    [RTSP_M_REFUSED_FILES] = {REFUSED, REFUSED_H, SE_COUNTER, "cause=\"files\"", 0},
    [RTSP_M_REFUSED_UDP] = {REFUSED, REFUSED_H, SE_COUNTER, "cause=\"udp\"", 0},
    [RTSP_M_REFUSED_BUSY] = {REFUSED, REFUSED_H, SE_COUNTER, "cause=\"busy\"", 0},
    [RTSP_M_CUT_IDLE] = {CUT, CUT_H, SE_COUNTER, "cause=\"idle\"", 0},
    [RTSP_M_CUT_STALLED] = {CUT, CUT_H, SE_COUNTER, "cause=\"stalled\"", 0},
    [RTSP_M_CUT_SILENT] = {CUT, CUT_H, SE_COUNTER, "cause=\"silent\"", 0},
    [RTSP_M_CUT_REVOKED] = {CUT, CUT_H, SE_COUNTER, "cause=\"revoked\"", 0},
    [RTSP_M_CUT_MALFORMED] = {CUT, CUT_H, SE_COUNTER, "cause=\"malformed\"", 0},
    [RTSP_M_CUT_BACKLOG] = {CUT, CUT_H, SE_COUNTER, "cause=\"backlog\"", 0},
    [RTSP_M_CUT_ENDED] = {CUT, CUT_H, SE_COUNTER, "cause=\"ended\"", 0},
    [RTSP_M_BYTES_TCP] = {BYTES, BYTES_H, SE_COUNTER, "transport=\"tcp\"", 0},
    [RTSP_M_BYTES_UDP] = {BYTES, BYTES_H, SE_COUNTER, "transport=\"udp\"", 0},
    [RTSP_M_SKIPPED] = {"sharpeyes_rtsp_skipped_total", "Frames that slow RTSP viewers jumped over.",
                        SE_COUNTER, NULL, 0},
    [RTSP_M_EVICTED] = {"sharpeyes_rtsp_evicted_total",
                        "Frames given up because a stream's cache for RTSP viewers was full.", SE_COUNTER,
                        NULL, 0},
    [RTSP_M_NO_MEMORY] = {"sharpeyes_rtsp_no_memory_total", "Frames not sent over RTSP for want of memory.",
                          SE_COUNTER, NULL, 0},
    [RTSP_M_UDP_LOST] = {"sharpeyes_rtsp_reported_lost_total", "Packets that RTSP viewers reported as lost.",
                         SE_COUNTER, NULL, 0},
};

void rtsp_metrics_register(void)
{
    static _Atomic bool done;
    if (!atomic_exchange(&done, true))
        se_metrics_register(rtsp_metrics, RTSP_M_COUNT_);
}
