#include "clip.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define CLIP_BYTES_MAX  (512u << 20)
#define CLIP_FRAMES_MAX 500000u
#define UNIT_NALS_MAX   256
#define SETS_MAX        8

/* What is needed only while a file is read. */
struct reader {
    AVFormatContext *format;
    AVBSFContext *annexb; /* video packets become Annex B, whatever the container */
    AVPacket *packet;
    int video, audio;          /* stream indexes; audio -1: none */
    int64_t first_dts;         /* of the video, in its time base */
    struct nal sets[SETS_MAX]; /* parameter sets, copied */
    unsigned set_count;
};

static void reader_fini(struct reader *reader)
{
    for (unsigned i = 0; i < reader->set_count; i++)
        free((void *)(uintptr_t)reader->sets[i].data);
    av_packet_free(&reader->packet);
    av_bsf_free(&reader->annexb);
    avformat_close_input(&reader->format);
}

static unsigned nal_type(enum clip_codec codec, const uint8_t *data)
{
    return codec == CLIP_H265 ? data[0] >> 1 & 0x3fu : data[0] & 0x1fu;
}

static bool is_parameter_set(enum clip_codec codec, const uint8_t *data)
{
    unsigned type = nal_type(codec, data);

    return codec == CLIP_H265 ? type >= 32 && type <= 34 : type == 7 || type == 8;
}

static bool is_delimiter(enum clip_codec codec, const uint8_t *data)
{
    return nal_type(codec, data) == (codec == CLIP_H265 ? 35u : 9u);
}

/* Splits Annex B bytes (ITU-T H.264 annex B) into NAL units; at most max, the rest is left out. */
static unsigned split_annexb(const uint8_t *data, size_t size, struct nal *nals, unsigned max)
{
    unsigned count = 0;
    size_t start = SIZE_MAX;

    for (size_t i = 0; i + 2 < size && count < max; i++) {
        if (data[i] || data[i + 1] || data[i + 2] != 1)
            continue;
        if (start != SIZE_MAX)
            nals[count++] = (struct nal){data + start, i - start};
        start = i + 3;
        i += 2;
    }
    if (start != SIZE_MAX && count < max)
        nals[count++] = (struct nal){data + start, size - start};
    for (unsigned i = 0; i < count; i++)
        while (nals[i].size > 0 && nals[i].data[nals[i].size - 1] == 0)
            nals[i].size--; /* trailing_zero_8bits */
    return count;
}

/* Keeps the parameter sets of a piece of the stream, each once, in the order they came. */
static int keep_sets(struct reader *reader, enum clip_codec codec, const struct nal *nals, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bool known = false;
        uint8_t *copy;

        if (nals[i].size < 4 || !is_parameter_set(codec, nals[i].data))
            continue;
        for (unsigned j = 0; j < reader->set_count && !known; j++)
            known = reader->sets[j].size == nals[i].size &&
                    memcmp(reader->sets[j].data, nals[i].data, nals[i].size) == 0;
        if (known || reader->set_count == SETS_MAX)
            continue;
        copy = malloc(nals[i].size);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, nals[i].data, nals[i].size);
        reader->sets[reader->set_count++] = (struct nal){copy, nals[i].size};
    }
    return 0;
}

static int reader_open(struct reader *reader, const char *file, struct clip *clip, struct se_err *err)
{
    const AVBitStreamFilter *filter;
    const AVCodecParameters *par;
    struct nal nals[UNIT_NALS_MAX];

    if (avformat_open_input(&reader->format, file, NULL, NULL) < 0)
        return se_fail(err, -ENOENT, "clip %s cannot be read: make the clips with clip-draw", file);
    if (avformat_find_stream_info(reader->format, NULL) < 0)
        return se_fail(err, -EINVAL, "clip %s: no streams found in it", file);
    reader->video = av_find_best_stream(reader->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    reader->audio = av_find_best_stream(reader->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (reader->video < 0)
        return se_fail(err, -EINVAL, "clip %s has no video", file);
    par = reader->format->streams[reader->video]->codecpar;
    if (par->codec_id != AV_CODEC_ID_H264 && par->codec_id != AV_CODEC_ID_HEVC)
        return se_fail(err, -EINVAL, "clip %s: video must be H.264 or H.265", file);
    clip->tracks[0].codec = par->codec_id == AV_CODEC_ID_HEVC ? CLIP_H265 : CLIP_H264;
    clip->width = (unsigned)par->width;
    clip->height = (unsigned)par->height;

    filter = av_bsf_get_by_name(par->codec_id == AV_CODEC_ID_HEVC ? "hevc_mp4toannexb" : "h264_mp4toannexb");
    reader->packet = av_packet_alloc();
    if (!reader->packet || !filter || av_bsf_alloc(filter, &reader->annexb) < 0 ||
        avcodec_parameters_copy(reader->annexb->par_in, par) < 0)
        return -ENOMEM;
    reader->annexb->time_base_in = reader->format->streams[reader->video]->time_base;
    if (av_bsf_init(reader->annexb) < 0)
        return se_fail(err, -EINVAL, "clip %s: bad parameter sets", file);
    return keep_sets(reader, clip->tracks[0].codec, nals,
                     split_annexb(reader->annexb->par_out->extradata,
                                  (size_t)reader->annexb->par_out->extradata_size, nals, UNIT_NALS_MAX));
}

static int add_frame(struct clip_track *track, const struct clip_frame *frame)
{
    if ((track->frame_count & (track->frame_count - 1)) == 0) {
        size_t cap = track->frame_count ? (size_t)track->frame_count * 2 : 1;
        struct clip_frame *frames = realloc(track->frames, cap * sizeof(*frames));

        if (!frames)
            return -ENOMEM;
        track->frames = frames;
    }
    track->frames[track->frame_count++] = *frame;
    return 0;
}

static int add_video(struct clip *clip, struct reader *reader, const AVPacket *packet)
{
    static const AVRational rtp_clock = {1, 90000}, us_clock = {1, 1000000};
    struct clip_track *track = &clip->tracks[0];
    AVRational base = reader->format->streams[reader->video]->time_base;
    struct nal in[UNIT_NALS_MAX], out[UNIT_NALS_MAX + SETS_MAX];
    unsigned in_count = split_annexb(packet->data, (size_t)packet->size, in, UNIT_NALS_MAX), out_count = 0;
    struct clip_frame frame = {.keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0,
                               .packet = track->packets.count};
    uint32_t before = track->packets.size;
    int r = keep_sets(reader, track->codec, in, in_count);

    if (r < 0)
        return r;
    if (frame.keyframe)
        for (unsigned i = 0; i < reader->set_count; i++)
            out[out_count++] = reader->sets[i];
    for (unsigned i = 0; i < in_count; i++)
        if (in[i].size > 2 && !is_parameter_set(track->codec, in[i].data) &&
            !is_delimiter(track->codec, in[i].data))
            out[out_count++] = in[i];
    if (out_count == 0)
        return 0;
    r = track->codec == CLIP_H265 ? packetize_h265(&track->packets, out, out_count, clip->aggregate)
                                  : packetize_h264(&track->packets, out, out_count, clip->aggregate);
    if (r < 0)
        return r;
    if (track->frame_count == 0)
        reader->first_dts = packet->dts;
    frame.pts = av_rescale_q(packet->pts - reader->first_dts, base, rtp_clock);
    frame.send_us = av_rescale_q(packet->dts - reader->first_dts, base, us_clock);
    frame.packets = track->packets.count - frame.packet;
    frame.bytes = track->packets.size - before;
    clip->length_us = av_rescale_q(packet->dts + packet->duration - reader->first_dts, base, us_clock);
    return add_frame(track, &frame);
}

/* Audio keeps its own clock, from the video's start; what lies before it is the encoder's lead-in. */
static int add_audio(struct clip *clip, struct reader *reader, const AVPacket *packet)
{
    static const AVRational us_clock = {1, 1000000};
    struct clip_track *track = &clip->tracks[1];
    const AVStream *video = reader->format->streams[reader->video],
                   *audio = reader->format->streams[reader->audio];
    AVRational rate = {1, (int)track->clock_rate};
    struct clip_frame frame = {.keyframe = true, .packet = track->packets.count};
    uint32_t before = track->packets.size;
    int r;

    if (clip->tracks[0].frame_count == 0)
        return 0;
    frame.pts = av_rescale_q(packet->pts, audio->time_base, rate) -
                av_rescale_q(reader->first_dts, video->time_base, rate);
    if (frame.pts < 0)
        return 0;
    frame.send_us = av_rescale_q(frame.pts, rate, us_clock);
    r = packetize_aac(&track->packets, packet->data, (size_t)packet->size);
    if (r < 0)
        return r;
    frame.packets = track->packets.count - frame.packet;
    frame.bytes = track->packets.size - before;
    return add_frame(track, &frame);
}

static int read_frames(struct clip *clip, struct reader *reader, const char *file, struct se_err *err)
{
    AVPacket *packet = reader->packet;

    while (av_read_frame(reader->format, packet) >= 0) {
        int r = 0;

        if (packet->stream_index == reader->video) {
            if (av_bsf_send_packet(reader->annexb, packet) < 0)
                return se_fail(err, -EINVAL, "clip %s: a video frame cannot be read", file);
            while (r == 0 && av_bsf_receive_packet(reader->annexb, packet) >= 0) {
                r = packet->pts == AV_NOPTS_VALUE || packet->dts == AV_NOPTS_VALUE
                        ? -EINVAL
                        : add_video(clip, reader, packet);
                av_packet_unref(packet);
            }
        } else if (packet->stream_index == reader->audio && clip->track_count == 2) {
            r = add_audio(clip, reader, packet);
        }
        av_packet_unref(packet);
        if (r < 0)
            return se_fail(err, r, "clip %s: a frame has no timestamps or is not valid", file);
        if (clip->tracks[0].packets.size > CLIP_BYTES_MAX || clip->tracks[0].frame_count > CLIP_FRAMES_MAX ||
            clip->tracks[1].frame_count > CLIP_FRAMES_MAX)
            return se_fail(err, -EFBIG, "clip %s is too long: cut it to a minute", file);
    }
    if (clip->tracks[0].frame_count == 0 || !clip->tracks[0].frames[0].keyframe || clip->length_us <= 0)
        return se_fail(err, -EINVAL, "clip %s must begin with a keyframe", file);
    return 0;
}

/* "a,b" or one set in base64 after its parameter's name. */
static int add_sets_text(struct se_str *text, const struct reader *reader, enum clip_codec codec,
                         unsigned type, const char *before)
{
    for (unsigned i = 0; i < reader->set_count; i++) {
        char *b64;

        if (nal_type(codec, reader->sets[i].data) != type)
            continue;
        b64 = se_base64_encode(reader->sets[i].data, reader->sets[i].size);
        if (!b64)
            return -ENOMEM;
        se_str_puts(text, before);
        se_str_puts(text, b64);
        free(b64);
        before = ",";
    }
    return 0;
}

static int describe_video(struct clip_track *track, const struct reader *reader)
{
    struct se_str sprop = {0};

    if (track->codec == CLIP_H265) {
        if (add_sets_text(&sprop, reader, CLIP_H265, 32, ";sprop-vps=") < 0 ||
            add_sets_text(&sprop, reader, CLIP_H265, 33, ";sprop-sps=") < 0 ||
            add_sets_text(&sprop, reader, CLIP_H265, 34, ";sprop-pps=") < 0)
            sprop.oom = true;
        track->rtpmap = se_asprintf("H265/90000");
        track->fmtp = se_asprintf("tx-mode=SRST");
    } else {
        const uint8_t *sps = NULL;

        for (unsigned i = 0; i < reader->set_count && !sps; i++)
            if (nal_type(CLIP_H264, reader->sets[i].data) == 7)
                sps = reader->sets[i].data;
        if (!sps)
            return -EINVAL;
        if (add_sets_text(&sprop, reader, CLIP_H264, 7, ";sprop-parameter-sets=") < 0 ||
            add_sets_text(&sprop, reader, CLIP_H264, 8, ",") < 0)
            sprop.oom = true;
        track->rtpmap = se_asprintf("H264/90000");
        track->fmtp =
            se_asprintf("packetization-mode=1;profile-level-id=%02X%02X%02X", sps[1], sps[2], sps[3]);
    }
    track->sprop = se_str_take(&sprop);
    return track->sprop && track->rtpmap && track->fmtp ? 0 : -ENOMEM;
}

static int describe_audio(struct clip_track *track, const AVCodecParameters *par)
{
    char config[2 * 64 + 1];

    if (par->extradata_size < 2 || par->extradata_size > 64)
        return -EINVAL;
    se_hex_encode(par->extradata, (size_t)par->extradata_size, config);
    track->rtpmap = se_asprintf("MPEG4-GENERIC/%d/%d", par->sample_rate, par->ch_layout.nb_channels);
    track->fmtp = se_asprintf("streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
                              "indexdeltalength=3;config=%s",
                              config);
    track->sprop = se_asprintf("%s", "");
    return track->sprop && track->rtpmap && track->fmtp ? 0 : -ENOMEM;
}

static int compare_steps(const void *a, const void *b)
{
    const struct clip_step *x = a, *y = b;

    if (x->send_us != y->send_us)
        return x->send_us < y->send_us ? -1 : 1;
    if (x->track != y->track)
        return x->track < y->track ? -1 : 1;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static int plan(struct clip *clip)
{
    clip->steps =
        calloc((size_t)clip->tracks[0].frame_count + clip->tracks[1].frame_count + 1, sizeof(*clip->steps));
    if (!clip->steps)
        return -ENOMEM;
    for (unsigned t = 0; t < clip->track_count; t++) {
        const struct clip_track *track = &clip->tracks[t];

        clip->bytes += track->packets.size;
        for (uint32_t i = 0; i < track->frame_count; i++)
            if (track->frames[i].send_us < clip->length_us) /* audio may outlast the video: it is left out */
                clip->steps[clip->step_count++] = (struct clip_step){(uint8_t)t, i, track->frames[i].send_us};
    }
    qsort(clip->steps, clip->step_count, sizeof(*clip->steps), compare_steps);
    return 0;
}

int clip_load(const char *file, const char *name, bool aggregate, int kind, struct clip **ret_clip,
              struct se_err *err)
{
    struct reader reader = {.audio = -1};
    struct clip *clip = calloc(1, sizeof(*clip));
    const AVCodecParameters *audio;
    int r = -ENOMEM;

    if (!clip || !(clip->name = se_asprintf("%s", name)))
        goto fail;
    clip->aggregate = aggregate;
    clip->audio = kind;
    clip->track_count = 1;
    r = reader_open(&reader, file, clip, err);
    if (r < 0)
        goto fail;
    clip->tracks[0].clock_rate = 90000;
    clip->tracks[0].payload_type = 96;
    audio = reader.audio >= 0 ? reader.format->streams[reader.audio]->codecpar : NULL;
    if (kind == CLIP_OWN_AUDIO && audio && audio->codec_id == AV_CODEC_ID_AAC) {
        clip->track_count = 2;
        clip->tracks[1].codec = CLIP_AAC;
        clip->tracks[1].clock_rate = (unsigned)audio->sample_rate;
        clip->tracks[1].payload_type = 97;
        r = describe_audio(&clip->tracks[1], audio);
        if (r < 0)
            goto fail;
    }
    r = read_frames(clip, &reader, file, err);
    if (r < 0)
        goto fail;
    r = describe_video(&clip->tracks[0], &reader);
    if (r < 0)
        goto fail;
    if (kind != CLIP_OWN_AUDIO)
        r = clip_audio_fill(clip, kind);
    if (r == 0)
        r = plan(clip);
    if (r < 0)
        goto fail;
    reader_fini(&reader);
    *ret_clip = clip;
    return 0;
fail:
    if (err && err->code == 0)
        se_fail(err, r, "clip %s cannot be used", file);
    reader_fini(&reader);
    clip_free(clip);
    return r;
}

void clip_free(struct clip *clip)
{
    if (!clip)
        return;
    for (unsigned t = 0; t < CLIP_TRACKS; t++) {
        free(clip->tracks[t].frames);
        packet_list_fini(&clip->tracks[t].packets);
        free(clip->tracks[t].rtpmap);
        free(clip->tracks[t].fmtp);
        free(clip->tracks[t].sprop);
    }
    free(clip->steps);
    free(clip->name);
    free(clip);
}

uint32_t clip_step_at(const struct clip *clip, int64_t position_us)
{
    uint32_t low = 0, high = clip->step_count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (clip->steps[mid].send_us < position_us)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
