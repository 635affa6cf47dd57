/* A try on its thread: packets become units, in the time they were meant for, and go to the loop. */
#include "av/puller.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "av/av_log.h"
#include "av/av_metrics.h"
#include "av/input.h"
#include "av/units.h"

#define QUEUE_UNITS   512                /* waiting for the loop */
#define QUEUE_BYTES   (16 * 1024 * 1024) /* likewise; one more unit is let in */
#define QUEUE_OTHER   64                 /* what is no unit finds room behind them */
#define PACE_JUMP_US  (10 * SE_US_PER_S) /* timestamps that lead further ahead have jumped */
#define PACE_LATE_US  (2 * SE_US_PER_S)  /* further behind: not to be made up for */
#define PACE_STEP_MS  50
#define TIME_MAX_90K  (INT64_C(1) << 55) /* nobody's clock */
#define STREAM_NONE   (-1)
#define HELD_UNITS    128 /* at the start, until it is known what sound there is */
#define HELD_BYTES    (4 * 1024 * 1024)
#define HELD_US       SE_US_PER_S
#define HELD_BLIND_US (SE_US_PER_S / 2) /* likewise, where it is not even known whether there is any */
#define FIRST_SIGHT_S 3 /* streams without a list of what is in them may show their video so late */

/* --- the queue ---------------------------------------------------------------------------- */

void pulled_clear(struct pulled *pulled)
{
    switch (pulled->kind) {
    case PULLED_OPENED:
        break;
    case PULLED_VIDEO:
        free(pulled->video);
        break;
    case PULLED_AUDIO:
        free(pulled->audio);
        break;
    case PULLED_UNIT:
        access_unit_unref(&pulled->unit);
        break;
    case PULLED_FAILED:
        free(pulled->failure);
        break;
    }
}

void av_stream_config_fini(struct av_stream_config *config)
{
    media_url_fini(&config->url);
    if (config->password)
        explicit_bzero(config->password, strlen(config->password));
    free(config->username);
    free(config->password);
    free(config->tls_fingerprint);
}

int puller_new(struct av_stream_config *config, struct puller **ret_puller)
{
    struct puller *puller = calloc(1, sizeof(*puller));
    if (!puller)
        return -ENOMEM;
    int r = se_ring_new(sizeof(struct pulled), QUEUE_UNITS + QUEUE_OTHER, &puller->ring);
    if (r < 0) {
        free(puller);
        return r;
    }
    atomic_init(&puller->refs, 1);
    puller->config = *config;
    *config = (struct av_stream_config){0};
    *ret_puller = puller;
    return 0;
}

void puller_unref(struct puller **ref)
{
    struct puller *puller = *ref;
    struct pulled pulled;
    *ref = NULL;
    if (!puller || atomic_fetch_sub(&puller->refs, 1) != 1)
        return;
    while (puller_take(puller, &pulled))
        pulled_clear(&pulled);
    se_ring_free(puller->ring);
    av_stream_config_fini(&puller->config);
    free(puller);
}

bool puller_take(struct puller *puller, struct pulled *ret_pulled)
{
    if (!se_ring_pop(puller->ring, ret_pulled))
        return false;
    if (ret_pulled->kind == PULLED_UNIT)
        atomic_fetch_sub(&puller->queued_bytes, (int64_t)ret_pulled->unit->data->size);
    return true;
}

static bool has_room(struct puller *puller)
{
    return se_ring_len(puller->ring) < QUEUE_UNITS && puller->queued_bytes < QUEUE_BYTES;
}

/* --- a try -------------------------------------------------------------------------------- */

struct
try {
    struct puller *puller;
    struct av_session session;
    struct av_input input;
    int video, audio; /* numbers of the streams that are taken, or STREAM_NONE */
    unsigned streams_seen;
    struct video_units video_units;
    struct audio_units audio_units;
    struct unwrap video_time, audio_time;
    int64_t last_video_90k, last_audio_90k; /* AV_NOPTS_VALUE: none yet */
    bool video_due, audio_due;              /* params are to go before the next unit */
    bool skipping;                          /* the queue was full: up to the next keyframe */
    bool started;                           /* a picture came */
    struct access_unit *held[HELD_UNITS];
    unsigned held_count;
    size_t held_bytes;
    bool released;
    enum { SOUND_UNKNOWN, SOUND_KNOWN } sound; /* whether there is any */
    se_mono_us opened_us, last_video_us;
    se_mono_us pace_us; /* when … */
    int64_t pace_90k;   /* … this was due */
    bool paced;
};

static void push(struct try *try, const struct pulled *pulled)
{
    struct pulled copy = *pulled;
    if (se_ring_push(try->puller->ring, pulled) < 0)
        pulled_clear(&copy);
}

static void push_video(struct try *try)
{
    struct pulled pulled = {.kind = PULLED_VIDEO, .video = malloc(sizeof(*pulled.video))};
    if (!pulled.video)
        return;
    *pulled.video = try->video_units.params;
    try->video_due = false;
    push(try, &pulled);
}

static void push_audio(struct try *try, const struct audio_params *params)
{
    struct pulled pulled = {.kind = PULLED_AUDIO, .audio = malloc(sizeof(*pulled.audio))};
    if (!pulled.audio)
        return;
    *pulled.audio = *params;
    try->audio_due = false;
    push(try, &pulled);
}

/* Takes the unit's reference. What finds no room is left out up to the next keyframe, and counted. */
static void queue_unit(struct try *try, struct access_unit *unit)
{
    bool video = unit->codec != CODEC_AAC, room = has_room(try->puller);
    struct puller *puller = try->puller;
    if (!room)
        try->skipping |= video;
    else if (video && unit->keyframe)
        try->skipping = false;
    if (!room || (video && try->skipping)) {
        puller->dropped++;
        se_metric_add(&av_metrics[AV_METRIC_DROPPED], 1);
        access_unit_unref(&unit);
        return;
    }
    int64_t size = (int64_t)unit->data->size;
    if (video && try->video_due)
        push_video(try);
    if (try->audio_due)
        push_audio(try, &try->audio_units.params);
    atomic_fetch_add(&puller->queued_bytes, size);
    if (se_ring_push(puller->ring, &(struct pulled){.kind = PULLED_UNIT, .unit = unit}) < 0) {
        atomic_fetch_sub(&puller->queued_bytes, size);
        puller->dropped++;
        try->skipping |= video;
        access_unit_unref(&unit);
    }
}

/* A recording takes up what sound there is when it begins, but MPEG-TS tells it with the first frame of
 * sound: so the first pictures wait for that a moment. */
static bool must_hold(const struct try *try)
{
    const AVFormatContext *format = try->input.format;
    if (try->held_count == HELD_UNITS || try->held_bytes > HELD_BYTES)
        return false;
    int64_t waited_us = try->held_count ? se_mono_now_us() - try->held[0]->arrived_us : 0;
    if (try->audio >= 0)
        return try->audio_units.params.config_size == 0 && waited_us < HELD_US;
    return try->sound == SOUND_UNKNOWN && format->ctx_flags & AVFMTCTX_NOHEADER && waited_us < HELD_BLIND_US;
}

static void push_unit(struct try *try, struct access_unit *unit)
{
    if (!try->released && must_hold(try)) {
        try->held[try->held_count++] = unit;
        try->held_bytes += unit->data->size;
        return;
    }
    try->released = true;
    for (unsigned i = 0; i < try->held_count; i++)
        queue_unit(try, try->held[i]);
    try->held_count = 0;
    queue_unit(try, unit);
}

static void drop_held(struct try *try)
{
    while (try->held_count)
        access_unit_unref(&try->held[--try->held_count]);
}

/* --- which streams ------------------------------------------------------------------------ */

static enum codec codec_of(const AVStream *stream)
{
    switch (stream->codecpar->codec_id) {
    case AV_CODEC_ID_H264:
        return CODEC_H264;
    case AV_CODEC_ID_HEVC:
        return CODEC_H265;
    case AV_CODEC_ID_AAC:
        return CODEC_AAC;
    default:
        return CODEC_OTHER;
    }
}

static int64_t bitrate_of(const AVStream *stream)
{
    const AVDictionaryEntry *said = av_dict_get(stream->metadata, "variant_bitrate", NULL, 0);
    return said ? strtoll(said->value, NULL, 10) : stream->codecpar->bit_rate;
}

/* The best picture there is; of several variants the one of most bits. */
static int find_video(const AVFormatContext *format)
{
    int best = STREAM_NONE;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        enum codec codec = codec_of(format->streams[i]);
        if ((codec == CODEC_H264 || codec == CODEC_H265) &&
            (best < 0 || bitrate_of(format->streams[i]) > bitrate_of(format->streams[best])))
            best = (int)i;
    }
    return best;
}

/* Sound that belongs to the picture, AAC before others. */
static int find_audio(AVFormatContext *format, int video)
{
    int best = STREAM_NONE, best_rank = -1;
    const AVProgram *program = video >= 0 ? av_find_program_from_stream(format, NULL, video) : NULL;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        const AVStream *stream = format->streams[i];
        bool near = false;
        if (stream->codecpar->codec_type != AVMEDIA_TYPE_AUDIO)
            continue;
        for (unsigned n = 0; program && n < program->nb_stream_indexes; n++)
            near |= program->stream_index[n] == i;
        int rank = (near ? 2 : 0) + (codec_of(stream) == CODEC_AAC ? 1 : 0);
        if (rank > best_rank) {
            best = (int)i;
            best_rank = rank;
        }
    }
    return best;
}

static void begin_video(struct try *try)
{
    const AVStream *stream = try->input.format->streams[try->video];
    video_units_init(&try->video_units, codec_of(stream));
    video_units_config(&try->video_units, stream->codecpar->extradata,
                       stream->codecpar->extradata_size > 0 ? (size_t)stream->codecpar->extradata_size : 0);
}

static void begin_audio(struct try *try)
{
    const AVStream *stream = try->input.format->streams[try->audio];
    const AVCodecParameters *par = stream->codecpar;
    try->audio_units = (struct audio_units){0};
    int r = 0;
    if (codec_of(stream) == CODEC_AAC && par->extradata_size > 0)
        r = audio_units_config(&try->audio_units, par->extradata, (size_t)par->extradata_size);
    if (codec_of(stream) == CODEC_AAC && r == 0) {
        try->audio_due = try->audio_units.params.config_size > 0;
        return;
    }
    struct audio_params other = {.codec = CODEC_OTHER,
                                 .sample_rate = par->sample_rate > 0 ? (unsigned)par->sample_rate : 0};
    snprintf(other.name, sizeof(other.name), "%s",
             r < 0 ? "AAC of this kind" : avcodec_get_name(par->codec_id));
    push_audio(try, &other);
    try->audio = STREAM_NONE;
}

/* Looks again whenever there are more streams than before. */
static void choose(struct try *try)
{
    AVFormatContext *format = try->input.format;
    if (format->nb_streams == try->streams_seen)
        return;
    try->streams_seen = format->nb_streams;
    int video = try->started ? try->video : find_video(format);
    int audio = find_audio(format, video);
    if (video != try->video && video >= 0) {
        try->video = video;
        begin_video(try);
    }
    if (audio >= 0)
        try->sound = SOUND_KNOWN;
    if (audio != try->audio && audio >= 0 && !(try->started && try->audio >= 0)) {
        try->audio = audio;
        begin_audio(try);
    }
    for (unsigned i = 0; try->video >= 0 && i < format->nb_streams; i++)
        format->streams[i]->discard =
            (int)i == try->video || (int)i == try->audio ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}

/* false: the stream has no video that we take, and never will. */
static bool may_have_video(struct try *try)
{
    const AVFormatContext *format = try->input.format;
    if (try->video >= 0 || format->nb_streams == 0)
        return true;
    const char *other = NULL;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        const AVCodecParameters *par = format->streams[i]->codecpar;
        if (par->codec_type == AVMEDIA_TYPE_VIDEO && par->codec_id != AV_CODEC_ID_NONE)
            other = avcodec_get_name(par->codec_id);
    }
    bool may_come = !other && (format->ctx_flags & AVFMTCTX_NOHEADER) &&
                    se_mono_now_us() - try->opened_us < FIRST_SIGHT_S * SE_US_PER_S;
    if (!may_come)
        av_session_fail(&try->session, FAILURE_ANSWER, "the stream has no H.264 or H.265 video%s%.24s",
                        other ? " but " : "", other ? other : "");
    return may_come;
}

/* --- packets ------------------------------------------------------------------------------ */

static int64_t in_90k(const AVStream *stream, int64_t time)
{
    return av_rescale_q(time, stream->time_base, (AVRational){1, 90000});
}

/* Waits until a packet's time has come. What is late, or has jumped, sets the clock anew. */
static void pace(struct try *try, int64_t time_90k)
{
    se_mono_us now = se_mono_now_us(), due = try->pace_us + (time_90k - try->pace_90k) * 100 / 9;
    if (!try->paced || due - now > PACE_JUMP_US || now - due > PACE_LATE_US) {
        try->paced = true;
        try->pace_us = now;
        try->pace_90k = time_90k;
        return;
    }
    while (now < due && !try->puller->quit) {
        int64_t left_ms = (due - now) / 1000 + 1;
        poll(NULL, 0, left_ms < PACE_STEP_MS ? (int)left_ms : PACE_STEP_MS);
        now = se_mono_now_us();
    }
}

static const uint8_t *new_config(const AVPacket *packet, size_t *ret_size)
{
    return av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, ret_size);
}

static void take_video(struct try *try, const AVPacket *packet, struct access_unit **ret_unit)
{
    size_t size;
    bool new = false;
    const uint8_t *config = new_config(packet, &size);
    if (config)
        video_units_config(&try->video_units, config, size);
    int r = video_units_take(&try->video_units, packet->data, (size_t)packet->size, &new, ret_unit);
    try->video_due |= new;
    if (r == -EBADMSG)
        try->puller->damaged++;
    else if (r == -EMSGSIZE)
        try->puller->too_big++;
}

static void take_audio(struct try *try, const AVPacket *packet, struct access_unit **ret_unit)
{
    size_t size;
    bool new = false;
    const uint8_t *config = new_config(packet, &size);
    if (config && audio_units_config(&try->audio_units, config, size) == 0)
        try->audio_due = true;
    (void)audio_units_take(&try->audio_units, packet->data, (size_t)packet->size, &new, ret_unit);
    try->audio_due |= new;
}

/* Where a packet stands: when it is shown, and in which order it came. Of several frames that came in one
 * piece only the first has a time; the others follow it. */
static bool times_of(struct try *try, const AVPacket *packet, int64_t *ret_time, int64_t *ret_order)
{
    bool video = packet->stream_index == try->video;
    int64_t *last = video ? &try->last_video_90k : &try->last_audio_90k;
    const AVStream *stream = try->input.format->streams[packet->stream_index];
    int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    int64_t order = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    if (time != AV_NOPTS_VALUE) {
        time = in_90k(stream, time);
        order = in_90k(stream, order);
    } else if (*last == AV_NOPTS_VALUE) {
        return false;
    } else {
        unsigned rate = try->audio_units.params.sample_rate;
        double fps = try->video_units.params.fps;
        int64_t step = video ? (int64_t)(90000 / (fps > 1 ? fps : 25)) : rate ? 1024 * 90000 / rate : 1920;
        time = order = *last + step;
    }
    if (time > TIME_MAX_90K || time < -TIME_MAX_90K || order > TIME_MAX_90K || order < -TIME_MAX_90K)
        return false;
    *last = time;
    *ret_time = time;
    *ret_order = order;
    return true;
}

static void take_packet(struct try *try, const AVPacket *packet)
{
    bool video = packet->stream_index == try->video;
    struct access_unit *unit = NULL;
    const AVStream *stream = try->input.format->streams[packet->stream_index];
    int64_t time, order;
    if ((!video && packet->stream_index != try->audio) || packet->size <= 0 ||
        !times_of(try, packet, &time, &order))
        return;
    if (try->input.paced)
        pace(try, order);
    if (video)
        take_video(try, packet, &unit);
    else
        take_audio(try, packet, &unit);
    if (!unit)
        return;
    unit->pts_90k = unwrap_90k(video ? &try->video_time : &try->audio_time, time,
                               stream->pts_wrap_bits > 0 ? (unsigned)stream->pts_wrap_bits : 64);
    unit->arrived_us = se_mono_now_us();
    try->started |= video;
    push_unit(try, unit);
}

/* How long the next packet may take: what is no video does not count. */
static se_mono_us patience(const struct try *try)
{
    const struct av_stream_config *config = &try->puller->config;
    return try->last_video_us ? try->last_video_us + config->stall_us + config->stall_us / 2
                              : try->opened_us + config->answer_us;
}

static void read_packets(struct try *try, AVPacket *packet)
{
    struct av_session *session = &try->session;
    while (!try->puller->quit) {
        session->deadline_us = patience(try);
        int r = av_read_frame(try->input.format, packet);
        if (r == AVERROR(EAGAIN) && !av_session_interrupted(session)) {
            poll(NULL, 0, 10);
            continue;
        }
        if (r == AVERROR_EOF && try->input.finite && !session->failure.known) {
            av_session_fail(session, FAILURE_ENDED, "the recording came to its end and begins again");
            return;
        }
        if (r < 0 && session->late && !try->last_video_us)
            av_session_fail(session, FAILURE_SILENT, "the stream plays but brings no video");
        if (r < 0) {
            av_input_explain(session, r);
            return;
        }
        choose(try);
        try->puller->packets++;
        try->puller->bytes += (uint64_t)packet->size;
        if (packet->stream_index == try->video)
            try->last_video_us = se_mono_now_us();
        take_packet(try, packet);
        if (packet->stream_index == try->video && try->input.paced)
            try->last_video_us = se_mono_now_us(); /* it was held back by us */
        av_packet_unref(packet);
        if (!may_have_video(try))
            return;
    }
}

static void push_failure(struct try *try)
{
    struct pulled pulled = {.kind = PULLED_FAILED, .failure = NULL};
    while (!try->puller->quit) { /* the loop waits for this one: it must get through */
        if (!pulled.failure)
            pulled.failure = malloc(sizeof(*pulled.failure));
        if (pulled.failure) {
            *pulled.failure = try->session.failure;
            if (se_ring_push(try->puller->ring, &pulled) == 0)
                return;
        }
        poll(NULL, 0, 20);
    }
    free(pulled.failure);
}

static void run(void *ctx)
{
    struct puller *puller = ctx;
    struct try try = {.puller = puller,
                      .video = STREAM_NONE,
                      .audio = STREAM_NONE,
                      .last_video_90k = AV_NOPTS_VALUE,
                      .last_audio_90k = AV_NOPTS_VALUE};
    try.session =
        (struct av_session){.config = &puller->config, .quit = &puller->quit, .deadline_us = INT64_MAX};
    AVPacket *packet = av_packet_alloc();
    av_log_session(&try.session);
    if (!packet) {
        av_session_fail(&try.session, FAILURE_LOST, "out of memory");
    } else if (av_input_open(&try.session, &try.input) == 0) {
        try.opened_us = se_mono_now_us();
        push(&try, &(struct pulled){.kind = PULLED_OPENED, .transport = try.input.transport});
        choose(&try);
        if (may_have_video(&try))
            read_packets(&try, packet);
        drop_held(&try);
        av_input_close(&try.session, &try.input);
    }
    av_log_session(NULL);
    av_packet_free(&packet);
    av_session_fail(&try.session, FAILURE_LOST, "the stream ended");
    push_failure(&try);
    puller_unref(&puller);
}

int puller_try(struct puller *puller, struct av_threads *threads)
{
    atomic_fetch_add(&puller->refs, 1);
    int r = av_threads_start(threads, run, puller);
    if (r < 0)
        atomic_fetch_sub(&puller->refs, 1);
    return r;
}
