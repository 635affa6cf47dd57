#include "encode.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define AUDIO_RATE 32000 /* so that a minute is a whole number of frames of 1024 */

struct encoder {
    char *file, *part;
    AVFormatContext *format;
    AVCodecContext *video, *audio;
    AVStream *video_stream, *audio_stream;
    struct SwsContext *scaler;
    AVFrame *picture, *sound;
    AVPacket *packet;
    int64_t pictures, samples;
    unsigned fps;
    int source_height;
};

static int av_fail(struct se_err *err, const struct encoder *encoder, const char *what, int code)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";

    av_strerror(code, text, sizeof(text));
    return se_fail(err, -EIO, "%s: %s: %s", encoder->file, what, text);
}

static int open_video(struct encoder *e, const struct encode_settings *s, struct se_err *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(s->h265 ? "libx265" : "libx264");
    char text[160];
    int r;

    if (!codec)
        return se_fail(err, -ENOENT, "libavcodec lacks %s", s->h265 ? "libx265" : "libx264");
    e->video = avcodec_alloc_context3(codec);
    if (!e->video)
        return -ENOMEM;
    e->video->width = (int)s->width;
    e->video->height = (int)s->height;
    e->video->pix_fmt = AV_PIX_FMT_YUV420P;
    e->video->time_base = (AVRational){1, (int)s->fps};
    e->video->framerate = (AVRational){(int)s->fps, 1};
    e->video->gop_size = (int)s->gop;
    e->video->max_b_frames = (int)s->b_frames;
    e->video->thread_count = 1; /* clips are drawn side by side */
    e->video->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (s->h265) {
        snprintf(text, sizeof(text),
                 "log-level=error:pools=none:frame-threads=1:keyint=%u:min-keyint=%u:bframes=%u:scenecut=0:"
                 "open-gop=0:crf=26:vbv-maxrate=%u:vbv-bufsize=%u",
                 s->gop, s->gop, s->b_frames, s->bits_per_second / 1000, s->bits_per_second / 500);
        av_opt_set(e->video->priv_data, "x265-params", text, 0);
        av_opt_set(e->video->priv_data, "preset", "ultrafast", 0);
        e->video->codec_tag = MKTAG('h', 'v', 'c', '1');
    } else {
        av_opt_set(e->video->priv_data, "preset", s->b_frames ? "veryfast" : "ultrafast", 0);
        av_opt_set(e->video->priv_data, "x264-params", "scenecut=0:open-gop=0", 0);
        av_opt_set_double(e->video->priv_data, "crf", 25, 0);
        e->video->rc_max_rate = s->bits_per_second;
        e->video->rc_buffer_size = (int)s->bits_per_second * 2;
    }
    r = avcodec_open2(e->video, codec, NULL);
    if (r < 0)
        return av_fail(err, e, "video encoder", r);
    e->video_stream = avformat_new_stream(e->format, NULL);
    if (!e->video_stream)
        return -ENOMEM;
    e->video_stream->time_base = e->video->time_base;
    return avcodec_parameters_from_context(e->video_stream->codecpar, e->video) < 0 ? -ENOMEM : 0;
}

static int open_audio(struct encoder *e, struct se_err *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    int r;

    if (!codec)
        return se_fail(err, -ENOENT, "libavcodec lacks an AAC encoder");
    e->audio = avcodec_alloc_context3(codec);
    e->sound = av_frame_alloc();
    if (!e->audio || !e->sound)
        return -ENOMEM;
    e->audio->sample_rate = AUDIO_RATE;
    e->audio->sample_fmt = AV_SAMPLE_FMT_FLTP;
    e->audio->bit_rate = 48000;
    e->audio->time_base = (AVRational){1, AUDIO_RATE};
    e->audio->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&e->audio->ch_layout, 1);
    r = avcodec_open2(e->audio, codec, NULL);
    if (r < 0)
        return av_fail(err, e, "audio encoder", r);
    e->sound->format = AV_SAMPLE_FMT_FLTP;
    e->sound->sample_rate = AUDIO_RATE;
    e->sound->nb_samples = e->audio->frame_size;
    av_channel_layout_default(&e->sound->ch_layout, 1);
    if (av_frame_get_buffer(e->sound, 0) < 0)
        return -ENOMEM;
    e->audio_stream = avformat_new_stream(e->format, NULL);
    if (!e->audio_stream)
        return -ENOMEM;
    e->audio_stream->time_base = e->audio->time_base;
    return avcodec_parameters_from_context(e->audio_stream->codecpar, e->audio) < 0 ? -ENOMEM : 0;
}

int encoder_new(const struct encode_settings *s, struct encoder **ret_encoder, struct se_err *err)
{
    struct encoder *e = calloc(1, sizeof(*e));
    int r = -ENOMEM;

    if (!e)
        return -ENOMEM;
    e->fps = s->fps;
    e->source_height = (int)s->source_height;
    e->file = se_asprintf("%s", s->file);
    e->part = se_asprintf("%s.part", s->file);
    e->packet = av_packet_alloc();
    e->picture = av_frame_alloc();
    if (!e->file || !e->part || !e->packet || !e->picture ||
        avformat_alloc_output_context2(&e->format, NULL, "mp4", e->part) < 0)
        goto fail;
    e->scaler = sws_getContext((int)s->source_width, (int)s->source_height, AV_PIX_FMT_BGR0, (int)s->width,
                               (int)s->height, AV_PIX_FMT_YUV420P,
                               s->source_width == s->width ? SWS_POINT : SWS_AREA, NULL, NULL, NULL);
    e->picture->format = AV_PIX_FMT_YUV420P;
    e->picture->width = (int)s->width;
    e->picture->height = (int)s->height;
    if (!e->scaler || av_frame_get_buffer(e->picture, 0) < 0)
        goto fail;
    r = open_video(e, s, err);
    if (r == 0 && s->audio)
        r = open_audio(e, err);
    if (r < 0)
        goto fail;
    r = avio_open(&e->format->pb, e->part, AVIO_FLAG_WRITE);
    if (r >= 0)
        r = avformat_write_header(e->format, NULL);
    if (r < 0) {
        r = av_fail(err, e, "cannot be written", r);
        goto fail;
    }
    *ret_encoder = e;
    return 0;
fail:
    if (err && err->code == 0)
        se_fail(err, r, "%s: cannot start encoding", s->file);
    encoder_free(e);
    return r;
}

/* frame NULL: flush. */
static int encode(struct encoder *e, AVCodecContext *codec, AVStream *stream, AVFrame *frame,
                  struct se_err *err)
{
    int r = avcodec_send_frame(codec, frame);

    while (r >= 0) {
        r = avcodec_receive_packet(codec, e->packet);
        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return 0;
        if (r < 0)
            break;
        if (codec == e->video)
            e->packet->duration = 1;
        av_packet_rescale_ts(e->packet, codec->time_base, stream->time_base);
        e->packet->stream_index = stream->index;
        r = av_interleaved_write_frame(e->format, e->packet);
    }
    return av_fail(err, e, "encoding", r);
}

/* A quiet hum with a slow beat: says that there is sound, and nothing more. */
static int hum(struct encoder *e, struct se_err *err)
{
    float *out;
    int r;

    if (av_frame_make_writable(e->sound) < 0)
        return -ENOMEM;
    out = (float *)e->sound->data[0];
    for (int i = 0; i < e->sound->nb_samples; i++) {
        double t = (double)(e->samples + i) / AUDIO_RATE;
        out[i] = (float)(0.03 * sin(2 * M_PI * 110 * t) * (0.7 + 0.3 * sin(2 * M_PI * 0.5 * t)) +
                         0.012 * sin(2 * M_PI * 220 * t));
    }
    e->sound->pts = e->samples;
    e->samples += e->sound->nb_samples;
    r = encode(e, e->audio, e->audio_stream, e->sound, err);
    return r;
}

int encoder_picture(struct encoder *e, const uint8_t *pixels, int stride, struct se_err *err)
{
    int r;

    if (av_frame_make_writable(e->picture) < 0)
        return -ENOMEM;
    sws_scale(e->scaler, &pixels, &stride, 0, e->source_height, e->picture->data, e->picture->linesize);
    e->picture->pts = e->pictures++;
    r = encode(e, e->video, e->video_stream, e->picture, err);
    while (r == 0 && e->audio && e->samples * e->fps < e->pictures * AUDIO_RATE)
        r = hum(e, err);
    return r;
}

int encoder_finish(struct encoder *e, struct se_err *err)
{
    int r = encode(e, e->video, e->video_stream, NULL, err);

    if (r == 0 && e->audio)
        r = encode(e, e->audio, e->audio_stream, NULL, err);
    if (r < 0)
        return r;
    r = av_write_trailer(e->format);
    if (r >= 0)
        r = avio_closep(&e->format->pb);
    if (r < 0)
        return av_fail(err, e, "cannot be written", r);
    if (rename(e->part, e->file) < 0)
        return se_fail(err, -errno, "%s: %s", e->file, strerror(errno));
    return 0;
}

void encoder_free(struct encoder *e)
{
    if (!e)
        return;
    avcodec_free_context(&e->video);
    avcodec_free_context(&e->audio);
    if (e->format && e->format->pb)
        avio_closep(&e->format->pb);
    avformat_free_context(e->format);
    sws_freeContext(e->scaler);
    av_frame_free(&e->picture);
    av_frame_free(&e->sound);
    av_packet_free(&e->packet);
    free(e->file);
    free(e->part);
    free(e);
}
