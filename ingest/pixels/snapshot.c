#include "pixels/snapshot.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
#include <pthread.h>
#include <string.h>

#include "base/metrics.h"
#include "live/hub.h"

#define WAIT_S       2
#define PIXELS_MAX   (8192LL * 8192)
#define JPEG_QUALITY 4 /* of MJPEG's quantizer: 2 best, 31 worst */

static struct se_metric metrics[] = {
    {"sharpeyes_snapshots_total", "Keyframes decoded for pictures", SE_COUNTER},
    {"sharpeyes_snapshots_refused_total", "Pictures refused because all decoders were busy", SE_COUNTER},
    {"sharpeyes_snapshots_failed_total", "Keyframes that did not decode", SE_COUNTER},
};
enum { M_MADE, M_REFUSED, M_FAILED };

/* The budget: how many decode now. */
static pthread_mutex_t budget_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t budget_free;
static unsigned budget_used;

static void setup(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&budget_free, &attr);
    pthread_condattr_destroy(&attr);
    av_log_set_level(AV_LOG_QUIET); /* its words go to stderr, past our log */
    se_metrics_register(metrics, SE_ARRAY_LEN(metrics));
}

static int budget_take(unsigned threads)
{
    struct timespec until;
    int r = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&budget_lock);
    while (budget_used >= threads && r == 0)
        r = pthread_cond_timedwait(&budget_free, &budget_lock, &until);
    if (budget_used < threads) {
        budget_used++;
        r = 0;
    }
    pthread_mutex_unlock(&budget_lock);
    return r ? -EBUSY : 0;
}

static void budget_give(void)
{
    pthread_mutex_lock(&budget_lock);
    budget_used--;
    pthread_cond_signal(&budget_free);
    pthread_mutex_unlock(&budget_lock);
}

/* --- decode and encode ------------------------------------------------------------------------------ */

static int open_decoder(const struct video_params *params, AVCodecContext **ret_context)
{
    const AVCodec *codec =
        avcodec_find_decoder(params->codec == CODEC_H265 ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264);
    AVCodecContext *context = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!context)
        return -ENOMEM;
    context->thread_count = 1;
    context->max_pixels = PIXELS_MAX;
    context->flags |= AV_CODEC_FLAG_LOW_DELAY;
    context->extradata = av_mallocz(params->config_size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!context->extradata) {
        avcodec_free_context(&context);
        return -ENOMEM;
    }
    memcpy(context->extradata, params->config, params->config_size);
    context->extradata_size = (int)params->config_size;
    if (avcodec_open2(context, codec, NULL) < 0) {
        avcodec_free_context(&context);
        return -EBADMSG;
    }
    *ret_context = context;
    return 0;
}

static int decode(const struct access_unit *unit, const struct video_params *params, AVFrame *frame)
{
    AVCodecContext *context;
    int r = open_decoder(params, &context);
    if (r < 0)
        return r;
    AVPacket *packet = av_packet_alloc();
    /* The decoder reads some bytes past the end: the packet is a copy with room for that. */
    if (!packet || unit->data->size > INT_MAX / 2 || av_new_packet(packet, (int)unit->data->size) < 0) {
        r = -ENOMEM;
    } else {
        memcpy(packet->data, unit->data->data, unit->data->size);
        packet->flags |= AV_PKT_FLAG_KEY;
        r = avcodec_send_packet(context, packet) < 0 || avcodec_send_packet(context, NULL) < 0 ||
                    avcodec_receive_frame(context, frame) < 0
                ? -EBADMSG
                : 0;
    }
    av_packet_free(&packet);
    avcodec_free_context(&context);
    return r;
}

/* To what MJPEG takes: 4:2:0 in full range. */
static int convert(const AVFrame *in, AVFrame *out)
{
    out->format = AV_PIX_FMT_YUVJ420P;
    out->width = in->width;
    out->height = in->height;
    if (av_frame_get_buffer(out, 0) < 0)
        return -ENOMEM;
    struct SwsContext *scale = sws_getContext(in->width, in->height, in->format, out->width, out->height,
                                              AV_PIX_FMT_YUV420P, SWS_BILINEAR, NULL, NULL, NULL);
    if (!scale)
        return -EBADMSG;
    const int *matrix = sws_getCoefficients(SWS_CS_DEFAULT);
    bool full = in->color_range == AVCOL_RANGE_JPEG || in->format == AV_PIX_FMT_YUVJ420P;
    sws_setColorspaceDetails(scale, matrix, full, matrix, 1, 0, 1 << 16, 1 << 16);
    int lines = sws_scale(scale, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data,
                          out->linesize);
    sws_freeContext(scale);
    return lines == out->height ? 0 : -EBADMSG;
}

static int encode(AVFrame *frame, struct se_buf **ret_jpeg)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *context = codec ? avcodec_alloc_context3(codec) : NULL;
    AVPacket *packet = av_packet_alloc();
    int r = -ENOMEM;
    if (!context || !packet)
        goto out;
    context->width = frame->width;
    context->height = frame->height;
    context->pix_fmt = AV_PIX_FMT_YUVJ420P;
    context->color_range = AVCOL_RANGE_JPEG;
    context->time_base = (AVRational){1, 25};
    context->thread_count = 1;
    context->flags |= AV_CODEC_FLAG_QSCALE;
    context->global_quality = JPEG_QUALITY * FF_QP2LAMBDA;
    frame->quality = context->global_quality;
    frame->pts = 0;
    r = avcodec_open2(context, codec, NULL) < 0 || avcodec_send_frame(context, frame) < 0 ||
                avcodec_receive_packet(context, packet) < 0
            ? -EBADMSG
            : 0;
    if (r == 0) {
        struct se_buf *jpeg = se_buf_copy(packet->data, (size_t)packet->size);
        if (jpeg)
            *ret_jpeg = jpeg;
        else
            r = -ENOMEM;
    }
out:
    av_packet_free(&packet);
    avcodec_free_context(&context);
    return r;
}

int snapshot_encode(const struct access_unit *unit, const struct video_params *params,
                    struct se_buf **ret_jpeg)
{
    AVFrame *coded = av_frame_alloc(), *picture = av_frame_alloc();
    int r = coded && picture ? decode(unit, params, coded) : -ENOMEM;
    if (r == 0)
        r = convert(coded, picture);
    if (r == 0)
        r = encode(picture, ret_jpeg);
    av_frame_free(&coded);
    av_frame_free(&picture);
    return r;
}

int snapshot_take(struct hub *hub, unsigned threads, struct se_buf **ret_jpeg, se_wall_ms *ret_at_ms,
                  struct se_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, setup);
    struct access_unit *unit;
    struct video_params params;
    int r = hub_keyframe(hub, &unit, &params, ret_at_ms);
    if (r < 0)
        return se_fail(err, r, "The camera has not sent a picture yet");
    struct se_buf *jpeg = hub_jpeg_get(hub, unit);
    if (!jpeg) {
        r = budget_take(threads);
        if (r < 0) {
            se_metric_add(&metrics[M_REFUSED], 1);
            se_fail(err, r, "Too many pictures are being made; try again in a moment");
        } else {
            jpeg = hub_jpeg_get(hub, unit); /* somebody may have made it meanwhile */
            if (!jpeg)
                r = snapshot_encode(unit, &params, &jpeg);
            budget_give();
            se_metric_add(&metrics[r == 0 ? M_MADE : M_FAILED], 1);
            if (r == 0)
                hub_jpeg_put(hub, unit, jpeg);
            else
                se_fail(err, r, "The camera's newest keyframe does not decode");
        }
    }
    access_unit_unref(&unit);
    if (r == 0)
        *ret_jpeg = jpeg;
    return r;
}
