/* Coded pictures for the tests of ingest: drawn and encoded here, as a camera would send them. */
#ifndef TESTS_MEDIA_CLIP_H
#define TESTS_MEDIA_CLIP_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access_unit.h"
#include "codec/parameter_sets.h"
#include "mp4/box.h"

/* The encoder library's own, which it never frees. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\n";
}

#define CLIP_MAX 512
struct clip {
    struct video_params params;
    struct access_unit *units[CLIP_MAX]; /* in decoding order; pts_90k from 0 */
    unsigned count;
};

/* Annex B to NAL units behind their lengths, parameter sets aside. */
static inline void clip_unit(struct clip *clip, struct parameter_sets *sets, const AVPacket *packet)
{
    struct mp4_writer w = {0};
    const uint8_t *p = packet->data, *end = p + packet->size, *begin = NULL;
    for (;; p++) {
        bool code = p + 3 <= end && p[0] == 0 && p[1] == 0 && p[2] == 1;
        if ((code || p >= end) && begin) {
            const uint8_t *stop = p < end ? p : end;
            while (stop > begin && stop[-1] == 0)
                stop--;
            unsigned type = sets->codec == CODEC_H264 ? begin[0] & 0x1f : begin[0] >> 1 & 0x3f;
            bool set = sets->codec == CODEC_H264 ? type == 7 || type == 8 : type >= 32 && type <= 34;
            if (set) {
                parameter_sets_add(sets, begin, (size_t)(stop - begin));
            } else {
                mp4_u32(&w, (uint32_t)(stop - begin));
                mp4_bytes(&w, begin, (size_t)(stop - begin));
            }
        }
        if (p >= end)
            break;
        if (code)
            begin = p + 3;
    }
    struct access_unit *unit = access_unit_new(sets->codec, mp4_take(&w));
    unit->keyframe = packet->flags & AV_PKT_FLAG_KEY;
    unit->pts_90k = packet->pts;
    clip->units[clip->count++] = unit;
}

static inline void clip_drain(struct clip *clip, struct parameter_sets *sets, AVCodecContext *context)
{
    AVPacket *packet = av_packet_alloc();
    while (clip->count < CLIP_MAX && avcodec_receive_packet(context, packet) == 0) {
        clip_unit(clip, sets, packet);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
}

/* frames pictures of a moving bar at fps, a keyframe every gop of them. Aborts on any failure. */
static inline void clip_make(struct clip *clip, enum codec codec, int width, int height, unsigned frames,
                             int fps, int gop, int bframes)
{
    *clip = (struct clip){0};
    struct parameter_sets sets = {.codec = codec};
    av_log_set_level(AV_LOG_ERROR);
    const AVCodec *encoder = avcodec_find_encoder_by_name(codec == CODEC_H264 ? "libx264" : "libx265");
    AVCodecContext *context = encoder ? avcodec_alloc_context3(encoder) : NULL;
    AVFrame *frame = av_frame_alloc();
    if (!context || !frame)
        abort();
    context->width = frame->width = width;
    context->height = frame->height = height;
    context->pix_fmt = frame->format = AV_PIX_FMT_YUV420P;
    context->time_base = (AVRational){1, 90000};
    context->framerate = (AVRational){fps, 1};
    context->gop_size = context->keyint_min = gop;
    context->max_b_frames = bframes;
    context->thread_count = 1;
    av_opt_set(context->priv_data, "preset", "ultrafast", 0);
    char options[160];
    snprintf(options, sizeof(options), "keyint=%d:min-keyint=%d:scenecut=0:bframes=%d:b-adapt=0%s", gop, gop,
             bframes, codec == CODEC_H264 ? ":b-pyramid=0" : ":log-level=none:pools=none:frame-threads=1");
    av_opt_set(context->priv_data, codec == CODEC_H264 ? "x264-params" : "x265-params", options, 0);
    if (avcodec_open2(context, encoder, NULL) < 0 || av_frame_get_buffer(frame, 0) < 0)
        abort();
    for (unsigned i = 0; i < frames; i++) {
        if (av_frame_make_writable(frame) < 0)
            abort();
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                frame->data[0][y * frame->linesize[0] + x] =
                    (uint8_t)((x + (int)i * 8) % width < width / 4 ? 220 : 40);
        for (int plane = 1; plane < 3; plane++)
            memset(frame->data[plane], plane == 1 ? 100 : 150, (size_t)(frame->linesize[plane] * height / 2));
        frame->pts = (int64_t)i * 90000 / fps;
        if (avcodec_send_frame(context, frame) < 0)
            abort();
        clip_drain(clip, &sets, context);
    }
    avcodec_send_frame(context, NULL);
    clip_drain(clip, &sets, context);
    if (parameter_sets_build(&sets, &clip->params) < 0 || clip->count != frames)
        abort();
    av_frame_free(&frame);
    avcodec_free_context(&context);
}

static inline void clip_free(struct clip *clip)
{
    for (unsigned i = 0; i < clip->count; i++)
        access_unit_unref(&clip->units[i]);
}

/* A copy of a unit at another time, sharing its bytes. */
static inline struct access_unit *clip_at(const struct clip *clip, unsigned i, int64_t pts_90k,
                                          se_mono_us arrived_us)
{
    struct access_unit *unit = access_unit_new(clip->units[i]->codec, se_buf_ref(clip->units[i]->data));
    unit->keyframe = clip->units[i]->keyframe;
    unit->pts_90k = pts_90k;
    unit->arrived_us = arrived_us;
    return unit;
}

/* What libavformat and libavcodec make of a file or of bytes: a player's view. */
struct seen {
    unsigned packets, pictures, keyframes, errors;
    int width, height;                           /* of the last picture */
    double first_s, last_s, duration_s, track_s; /* pts of pictures; what the header says */
    bool ordered;                                /* dts grew */
    unsigned sizes;                              /* how often the pictures' size changed */
};
static inline struct seen clip_watch(const char *path)
{
    struct seen seen = {.ordered = true};
    AVFormatContext *format = NULL;
    av_log_set_level(AV_LOG_ERROR);
    if (avformat_open_input(&format, path, NULL, NULL) < 0) {
        seen.errors = 1000;
        return seen;
    }
    avformat_find_stream_info(format, NULL);
    int video = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (video < 0) {
        seen.errors = 1000;
        avformat_close_input(&format);
        return seen;
    }
    AVStream *stream = format->streams[video];
    AVCodecContext *context = avcodec_alloc_context3(avcodec_find_decoder(stream->codecpar->codec_id));
    avcodec_parameters_to_context(context, stream->codecpar);
    context->thread_count = 1;
    context->err_recognition = AV_EF_EXPLODE;
    avcodec_open2(context, NULL, NULL);
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int64_t last_dts = INT64_MIN;
    bool more = true;
    seen.duration_s = format->duration == AV_NOPTS_VALUE ? -1 : (double)format->duration / AV_TIME_BASE;
    seen.track_s =
        stream->duration == AV_NOPTS_VALUE ? -1 : (double)stream->duration * av_q2d(stream->time_base);
    while (more) {
        more = av_read_frame(format, packet) >= 0;
        if (more && packet->stream_index != video) {
            av_packet_unref(packet);
            continue;
        }
        if (more) {
            seen.packets++;
            seen.keyframes += packet->flags & AV_PKT_FLAG_KEY ? 1 : 0;
            if (!(packet->flags & AV_PKT_FLAG_DISCARD)) {
                seen.ordered &= packet->dts > last_dts;
                last_dts = packet->dts;
            }
        }
        if (avcodec_send_packet(context, more ? packet : NULL) < 0)
            seen.errors++;
        av_packet_unref(packet);
        while (avcodec_receive_frame(context, frame) == 0) {
            double at = (double)frame->best_effort_timestamp * av_q2d(stream->time_base);
            if (!seen.pictures++)
                seen.first_s = at;
            seen.last_s = at;
            seen.errors += frame->decode_error_flags || frame->flags & AV_FRAME_FLAG_CORRUPT ? 1 : 0;
            seen.sizes += seen.width && (seen.width != frame->width || seen.height != frame->height);
            seen.width = frame->width;
            seen.height = frame->height;
        }
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&context);
    avformat_close_input(&format);
    return seen;
}

static inline void clip_save(const char *path, const void *data, size_t size, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file || fwrite(data, 1, size, file) != size)
        abort();
    fclose(file);
}

#endif
