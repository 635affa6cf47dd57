#include "hls/segmenter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "hls/hls_metrics.h"

#define STARTING      3     /* segments */
#define GUESS_90K     3600  /* a frame's duration when nothing tells it */
#define LATE_90K      45000 /* audio that lags the video by more is made up for with silence */
#define SILENT_FRAMES 512u  /* at a time */

/* --- segments -------------------------------------------------------------------------------------- */

struct hls_segment *hls_segment_ref(struct hls_segment *segment)
{
    atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
    return segment;
}

void hls_segment_unref(struct hls_segment **psegment)
{
    struct hls_segment *segment = *psegment;
    *psegment = NULL;
    if (!segment || atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
        return;
    hls_metric_add(HLS_METRIC_BYTES, -(int64_t)segment->bytes);
    for (unsigned i = 0; i < segment->count; i++)
        se_buf_unref(&segment->pieces[i]);
    free(segment->pieces);
    se_buf_unref(&segment->init);
    free(segment);
}

/* Takes piece, which may be NULL: no memory. */
static int segment_add(struct hls_segment *segment, struct se_buf *piece)
{
    if (piece && segment->count == segment->cap) {
        unsigned cap = segment->cap ? segment->cap * 2 : 128;
        struct se_buf **pieces = realloc(segment->pieces, cap * sizeof(*pieces));
        if (!pieces)
            se_buf_unref(&piece);
        else {
            segment->pieces = pieces;
            segment->cap = cap;
        }
    }
    if (!piece)
        return -ENOMEM;
    segment->pieces[segment->count++] = piece;
    segment->bytes += piece->size;
    hls_metric_add(HLS_METRIC_BYTES, (int64_t)piece->size);
    return 0;
}

/* --- runs of samples -------------------------------------------------------------------------------- */

static int run_add(struct hls_run *run, const struct media_sample *sample)
{
    if (run->count == run->cap) {
        unsigned cap = run->cap ? run->cap * 2 : 64;
        struct media_sample *samples = realloc(run->samples, cap * sizeof(*samples));
        if (!samples)
            return -ENOMEM;
        run->samples = samples;
        run->cap = cap;
    }
    run->samples[run->count] = *sample;
    se_buf_ref(sample->data);
    run->count++;
    return 0;
}

/* The first count samples leave. */
static void run_drop(struct hls_run *run, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        se_buf_unref(&run->samples[i].data);
    if (count)
        memmove(run->samples, run->samples + count, (run->count - count) * sizeof(*run->samples));
    run->count -= count;
}

static void run_fini(struct hls_run *run)
{
    run_drop(run, run->count);
    free(run->samples);
    *run = (struct hls_run){0};
}

static struct media_sample *run_last(struct hls_run *run)
{
    return run->count ? &run->samples[run->count - 1] : NULL;
}

/* --- audio ------------------------------------------------------------------------------------------- */

/* One frame of AAC-LC that holds nothing (ISO/IEC 14496-3 4.4.2.1): an element without scale factor bands,
 * and the end. */
static struct se_buf *silent_frame(const struct audio_params *audio)
{
    static const uint8_t mono[] = {0x00, 0x00, 0x00, 0x07};
    static const uint8_t stereo[] = {0x21, 0x00, 0x00, 0x00, 0x00, 0x1c};
    bool lc = audio->config_size >= 2 && audio->config[0] >> 3 == 2;
    if (!lc || audio->channels < 1 || audio->channels > 2)
        return NULL;
    return audio->channels == 1 ? se_buf_copy(mono, sizeof(mono)) : se_buf_copy(stereo, sizeof(stereo));
}

/* Silence from where the audio ends as far as whole frames reach up to `to`, so that a player which waits for
 * both tracks need not. */
static void audio_fill(struct hls_segmenter *s, int64_t to_90k)
{
    for (unsigned i = 0; s->silence && i < SILENT_FRAMES && s->audio_end_90k + s->audio_step_90k <= to_90k;
         i++) {
        struct media_sample sample = {.data = s->silence,
                                      .dts_90k = s->audio_end_90k,
                                      .pts_90k = s->audio_end_90k,
                                      .duration_90k = (uint32_t)s->audio_step_90k};
        if (s->audio.count == HLS_FRAGMENT_COUNT || run_add(&s->audio, &sample) < 0)
            return;
        s->audio_end_90k += s->audio_step_90k;
    }
}

void hls_segmenter_audio(struct hls_segmenter *s, const struct media_sample *sample)
{
    int64_t step = s->audio_step_90k, at = sample->dts_90k;
    if (!s->has_audio || !s->open || at < s->audio_end_90k - step / 2 || s->audio.count == HLS_FRAGMENT_COUNT)
        return; /* before the video, or where silence was put already */
    audio_fill(s, at + step / 2);
    struct media_sample *last = run_last(&s->audio);
    struct media_sample mine = *sample;
    if (at < s->audio_end_90k)
        at = s->audio_end_90k;
    if (last)
        last->duration_90k = (uint32_t)(at - last->dts_90k);
    mine.dts_90k = mine.pts_90k = at;
    mine.duration_90k = (uint32_t)step;
    if (run_add(&s->audio, &mine) == 0)
        s->audio_end_90k = at + step;
    s->audio_started = true;
}

/* --- fragments and segments ---------------------------------------------------------------------------- */

static void drop_open(struct hls_segmenter *s)
{
    run_drop(&s->video, s->video.count);
    run_drop(&s->audio, s->audio.count);
    hls_segment_unref(&s->open);
    s->open_bytes = 0;
}

static void fail(struct hls_segmenter *s)
{
    hls_metric_add(HLS_METRIC_NO_MEMORY, 1);
    drop_open(s);
    s->broken = s->begun;
    s->wait_key = s->fresh = true;
}

/* Puts the open samples, video up to end (where the next frame is), into the open segment. */
static int close_fragment(struct hls_segmenter *s, int64_t end_90k)
{
    struct media_sample *last = run_last(&s->video);
    unsigned audio = 0;
    /* Each fragment has both tracks, from the first one on: players that see a track late may never show it.
     */
    if (s->has_audio && (!s->audio_started || s->audio_end_90k < end_90k - LATE_90K))
        audio_fill(s, end_90k);
    while (audio < s->audio.count && s->audio.samples[audio].dts_90k < end_90k)
        audio++;
    if (!last && !audio)
        return 0;
    if (last)
        last->duration_90k = end_90k > last->dts_90k ? (uint32_t)(end_90k - last->dts_90k) : GUESS_90K;
    int r = segment_add(s->open, media_fragment_head(++s->sequence, s->video.samples, s->video.count,
                                                     s->audio.samples, audio));
    for (unsigned i = 0; r == 0 && i < s->video.count; i++)
        r = segment_add(s->open, se_buf_ref(s->video.samples[i].data));
    for (unsigned i = 0; r == 0 && i < audio; i++)
        r = segment_add(s->open, se_buf_ref(s->audio.samples[i].data));
    run_drop(&s->video, s->video.count);
    run_drop(&s->audio, audio);
    return r;
}

/* Hands the open segment over, which ends where the next frame is. */
static void close_segment(struct hls_segmenter *s, int64_t end_90k)
{
    if (!s->open)
        return;
    if (close_fragment(s, end_90k) < 0) {
        fail(s);
        return;
    }
    struct hls_segment *segment = SE_TAKE(s->open);
    s->open_bytes = 0;
    segment->duration_90k = end_90k - segment->start_90k;
    s->starting -= s->starting > 0;
    s->number++;
    s->discontinuities = segment->discontinuities;
    s->broken = false;
    s->begun = true;
    hls_metric_add(HLS_METRIC_SEGMENTS, 1);
    s->done(segment, s->ctx);
}

static int open_segment(struct hls_segmenter *s, const struct media_sample *first)
{
    struct hls_segment *segment = calloc(1, sizeof(*segment));
    if (!segment)
        return -ENOMEM;
    if (!s->init_number)
        s->init_number = s->number;
    *segment = (struct hls_segment){.refs = 1,
                                    .number = s->number,
                                    .init = se_buf_ref(s->init),
                                    .init_number = s->init_number,
                                    .discontinuities = s->discontinuities + s->broken,
                                    .discontinuity = s->broken,
                                    .independent = first->keyframe,
                                    .start_90k = first->dts_90k,
                                    .at_ms = s->wall_at_0_ms + first->pts_90k / 90};
    s->open = segment;
    if (s->fresh) {
        run_drop(&s->audio, s->audio.count);
        s->audio_end_90k = first->dts_90k;
        s->audio_started = s->fresh = false;
    }
    return 0;
}

/* Where the stream is left: the last frame's end is guessed from the one before. */
static void finish(struct hls_segmenter *s)
{
    const struct media_sample *last = run_last(&s->video);
    if (!last)
        return;
    int64_t step = s->video.count > 1 ? last->dts_90k - last[-1].dts_90k : GUESS_90K;
    close_segment(s, last->dts_90k + step);
}

void hls_segmenter_init(struct hls_segmenter *s, uint64_t number, uint64_t discontinuities,
                        void (*done)(struct hls_segment *segment, void *ctx), void *ctx)
{
    *s = (struct hls_segmenter){.done = done,
                                .ctx = ctx,
                                .number = number,
                                .discontinuities = discontinuities,
                                .wait_key = true,
                                .fresh = true,
                                .starting = STARTING};
}

void hls_segmenter_fini(struct hls_segmenter *s)
{
    drop_open(s);
    run_fini(&s->video);
    run_fini(&s->audio);
    se_buf_unref(&s->init);
    se_buf_unref(&s->silence);
}

int hls_segmenter_format(struct hls_segmenter *s, const struct video_params *video,
                         const struct audio_params *audio)
{
    struct se_buf *init = media_init_segment(video, audio);
    if (!init)
        return -ENOMEM;
    hls_segmenter_break(s);
    se_buf_unref(&s->init);
    se_buf_unref(&s->silence);
    s->init = init;
    s->init_number = 0;
    s->has_audio = audio != NULL;
    if (audio) {
        s->silence = silent_frame(audio);
        s->audio_step_90k = audio->sample_rate ? 1024 * 90000LL / audio->sample_rate : 1920;
    }
    return 0;
}

void hls_segmenter_break(struct hls_segmenter *s)
{
    finish(s);
    drop_open(s);
    s->broken = s->begun;
    s->wait_key = s->fresh = true;
}

/* Must the segment end where this frame begins? */
static bool ends_before(const struct hls_segmenter *s, const struct media_sample *sample)
{
    int64_t lasts = sample->dts_90k - s->open->start_90k;
    int64_t enough = s->starting ? HLS_STARTING_90K : HLS_SHORTEST_90K;
    return s->open_bytes + sample->data->size > HLS_SEGMENT_BYTES ||
           (sample->keyframe && (lasts >= enough || !s->open->independent));
}

/* A segment that would become too long ends before its newest frame, whose time nobody knew until now. */
static int split(struct hls_segmenter *s)
{
    struct media_sample last = *run_last(&s->video);
    s->video.count--;
    if (s->video.count || s->open->count)
        close_segment(s, last.dts_90k);
    int r = s->open || s->wait_key ? 0 : open_segment(s, &last);
    if (r == 0 && s->open) {
        r = run_add(&s->video, &last);
        s->open_bytes += last.data->size;
    }
    se_buf_unref(&last.data);
    return r;
}

void hls_segmenter_video(struct hls_segmenter *s, const struct media_sample *sample)
{
    struct media_sample *last = run_last(&s->video);
    if (!s->init || (s->wait_key && !sample->keyframe))
        return;
    if (last && (sample->dts_90k - last->dts_90k > HLS_LONGEST_90K || sample->dts_90k <= last->dts_90k)) {
        hls_segmenter_break(s);
        if (!sample->keyframe)
            return;
        last = NULL;
    }
    int r = 0;
    if (last)
        last->duration_90k = (uint32_t)(sample->dts_90k - last->dts_90k);
    if (last && sample->dts_90k - s->open->start_90k > HLS_LONGEST_90K)
        r = split(s);
    if (r == 0 && s->open && s->video.count && ends_before(s, sample))
        close_segment(s, sample->dts_90k);
    if (r == 0 && s->open && s->video.count &&
        (sample->dts_90k - s->video.samples[0].dts_90k >= HLS_FRAGMENT_90K ||
         s->video.count == HLS_FRAGMENT_COUNT))
        r = close_fragment(s, sample->dts_90k);
    if (s->wait_key && !sample->keyframe) /* there was no memory */
        return;
    if (r == 0 && !s->open)
        r = open_segment(s, sample);
    if (r == 0)
        r = run_add(&s->video, sample);
    if (r < 0) {
        fail(s);
        return;
    }
    s->open_bytes += sample->data->size;
    s->wait_key = false;
}

void hls_segmenter_cut(struct hls_segmenter *s)
{
    bool more = s->open && (s->video.count > 1 || (s->video.count == 1 && s->open->count > 0));
    if (more && split(s) < 0)
        fail(s);
}
