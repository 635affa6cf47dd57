/* One camera's recording: units in, segments out. All memory work; the disk is the writer's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "live/timing.h"
#include "mp4/mux.h"
#include "record/volume.h"
#include "record/volume_private.h"

/* 0.7 s: with what lies unread for 0.1 s, and one frame's wait for the next, a kill loses under a second. */
#define FRAGMENT_90K   63000
#define FRAGMENT_BYTES (8u << 20)
#define FRAGMENT_UNITS 512u    /* of each track */
#define CLOCK_STEP_US  1000000 /* the wall clock was set, not slewed */
#define INDEX_MAX      65536u

struct pending {
    struct access_unit *unit;
    int64_t pts_90k, dts_90k; /* on the media timeline */
    uint32_t duration_90k;    /* predicted */
};

struct recorder {
    struct volumes *volumes;
    char camera_id[SE_ID_LEN];
    int64_t segment_90k;
    struct timing video_timing, audio_timing;
    struct video_params video;
    struct audio_params audio;
    bool has_audio;
    se_wall_ms last_end_ms; /* of the newest segment, and its clock epoch */
    int epoch;

    struct segment *segment; /* NULL: none open; one begins with the next keyframe */
    bool segment_audio;
    int64_t pts0_90k, dts0_90k; /* of its first unit */
    int64_t end_pts_90k;        /* presentation end of what was handed over */
    int64_t anchor_us;          /* wall clock less monotonic clock, when it began */
    uint64_t offset;            /* bytes of it so far */
    uint32_t sequence;
    struct mp4_index_entry *index;
    unsigned index_count, index_cap;

    struct pending pending[2][FRAGMENT_UNITS]; /* the fragment being filled: video, audio */
    unsigned pending_count[2];
    size_t pending_bytes;
};
enum { VIDEO, AUDIO };

int recorder_new(struct volumes *volumes, const char *camera_id, struct recorder **ret_recorder)
{
    if (!segment_camera_ok(camera_id))
        return -EINVAL;
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    if (!recorder)
        return -ENOMEM;
    recorder->volumes = volumes;
    snprintf(recorder->camera_id, sizeof(recorder->camera_id), "%s", camera_id);
    recorder->segment_90k = options_int(volumes_options(volumes), "ingest.segment_s") * MP4_TIMESCALE;
    volumes_last(volumes, camera_id, &recorder->last_end_ms, &recorder->epoch);
    *ret_recorder = recorder;
    return 0;
}

static void drop_pending(struct recorder *recorder, bool count)
{
    for (unsigned track = 0; track < 2; track++) {
        for (unsigned i = 0; i < recorder->pending_count[track]; i++)
            access_unit_unref(&recorder->pending[track][i].unit);
        if (count)
            se_metric_add(&volume_metrics[VOLUME_M_DROPPED], recorder->pending_count[track]);
        recorder->pending_count[track] = 0;
    }
    recorder->pending_bytes = 0;
}

/* Lets go of the segment. The writer ends the file; with index NULL it reads it again to make one. */
static void close_segment(struct recorder *recorder, const char *cause)
{
    struct mp4_writer w = {0};
    if (!recorder->segment)
        return;
    mp4_mfra(&w, recorder->index, recorder->index_count);
    if (w.oom)
        mp4_fini(&w);
    volume_close(recorder->segment, w.data, w.len, cause);
    recorder->last_end_ms =
        recorder->segment->key.start_ms + timing_90k_to_us(recorder->end_pts_90k - recorder->pts0_90k) / 1000;
    volumes_set_last(recorder->volumes, recorder->camera_id, recorder->last_end_ms, recorder->epoch);
    segment_unref(&recorder->segment);
    recorder->index_count = 0;
}

static void remember_keyframe(struct recorder *recorder)
{
    const struct pending *first = &recorder->pending[VIDEO][0];
    if (!recorder->pending_count[VIDEO] || !first->unit->keyframe || recorder->index_count == INDEX_MAX)
        return;
    if (recorder->index_count == recorder->index_cap) {
        unsigned cap = recorder->index_cap ? recorder->index_cap * 2 : 64;
        void *index = realloc(recorder->index, cap * sizeof(*recorder->index));
        if (!index)
            return; /* that keyframe is only not sought to */
        recorder->index = index;
        recorder->index_cap = cap;
    }
    recorder->index[recorder->index_count++] =
        (struct mp4_index_entry){(uint64_t)(first->pts_90k - recorder->dts0_90k), recorder->offset};
}

/* How long the last frame before a cut lasts: as predicted, but not into the future, so that a segment which
 * follows at once does not seem to begin before this one ends. */
static uint32_t last_duration(const struct pending *last)
{
    int64_t elapsed = timing_us_to_90k(se_mono_now_us()) - last->pts_90k;
    return elapsed > 0 && elapsed < last->duration_90k ? (uint32_t)elapsed : last->duration_90k;
}

/* The samples of one track's pending units; next_dts: when the unit after them is decoded, or -1. */
static void fill_samples(const struct recorder *recorder, unsigned track, int64_t next_dts,
                         struct mp4_sample *samples)
{
    unsigned count = recorder->pending_count[track];
    for (unsigned i = 0; i < count; i++) {
        const struct pending *p = &recorder->pending[track][i];
        int64_t next = i + 1 < count ? p[1].dts_90k : next_dts;
        samples[i] = (struct mp4_sample){
            .size = (uint32_t)p->unit->data->size,
            .duration_90k = next > p->dts_90k ? (uint32_t)(next - p->dts_90k) : last_duration(p),
            .cts_90k = (int32_t)(p->pts_90k - p->dts_90k),
            .keyframe = track == AUDIO || p->unit->keyframe,
        };
    }
}

/* Hands the pending units over as one fragment. -EAGAIN: the volume is too slow; they are lost. */
static int flush(struct recorder *recorder, int64_t next_video_dts)
{
    unsigned videos = recorder->pending_count[VIDEO], audios = recorder->pending_count[AUDIO];
    if (!recorder->segment || videos + audios == 0)
        return 0;
    struct mp4_sample *samples = calloc(videos + audios, sizeof(*samples));
    struct access_unit **units = calloc(videos + audios, sizeof(struct access_unit *));
    struct mp4_writer w = {0};
    int r = -ENOMEM;
    if (!samples || !units)
        goto out;
    fill_samples(recorder, VIDEO, next_video_dts, samples);
    fill_samples(recorder, AUDIO, -1, samples + videos);
    struct mp4_track_run runs[2] = {
        {MP4_TRACK_VIDEO, 1, 0, samples, videos},
        {MP4_TRACK_AUDIO, 1, 0, samples + videos, audios},
    };
    if (videos)
        runs[0].dts_90k = (uint64_t)(recorder->pending[VIDEO][0].dts_90k - recorder->dts0_90k);
    if (audios)
        runs[1].dts_90k = (uint64_t)(recorder->pending[AUDIO][0].dts_90k - recorder->dts0_90k);
    mp4_fragment_header(&w, ++recorder->sequence, runs, 2);
    if (w.oom)
        goto out;
    int64_t end = recorder->end_pts_90k;
    for (unsigned i = 0; i < videos; i++) {
        units[i] = recorder->pending[VIDEO][i].unit;
        int64_t sample_end = recorder->pending[VIDEO][i].pts_90k + samples[i].duration_90k;
        end = sample_end > end ? sample_end : end;
    }
    for (unsigned i = 0; i < audios; i++)
        units[videos + i] = recorder->pending[AUDIO][i].unit;
    size_t header = w.len, payload = recorder->pending_bytes;
    se_wall_ms end_ms = recorder->segment->key.start_ms + timing_90k_to_us(end - recorder->pts0_90k) / 1000;
    r = volume_fragment(recorder->segment, w.data, w.len, units, videos + audios, end_ms);
    w = (struct mp4_writer){0}; /* handed over */
    if (r == 0) {
        remember_keyframe(recorder);
        recorder->end_pts_90k = end;
        recorder->offset += header + payload;
    }
out:
    mp4_fini(&w);
    free(samples);
    free((void *)units);
    drop_pending(recorder, r < 0);
    return r;
}

static void put_pending(struct recorder *recorder, unsigned track, struct access_unit *unit,
                        struct timing_stamp stamp)
{
    recorder->pending[track][recorder->pending_count[track]++] =
        (struct pending){access_unit_ref(unit), stamp.pts_90k, stamp.dts_90k, stamp.duration_90k};
    recorder->pending_bytes += unit->data->size;
}

/* Where and when a segment that begins with this frame would begin. */
static void next_key(struct recorder *recorder, int64_t pts_90k, int64_t anchor_us,
                     struct segment_key *ret_key)
{
    struct segment_key key = {.start_ms = (timing_90k_to_us(pts_90k) + anchor_us) / 1000};
    memcpy(key.camera_id, recorder->camera_id, sizeof(key.camera_id));
    if (key.start_ms < recorder->last_end_ms - CLOCK_STEP_US / 1000) {
        recorder->epoch++; /* the wall clock was set back: the hour comes twice */
        se_warn("recorder", "the clock was set back camera=%s epoch=%d", recorder->camera_id,
                recorder->epoch);
    } else if (key.start_ms < recorder->last_end_ms) {
        key.start_ms = recorder->last_end_ms; /* rounding, and the clock being slewed */
    }
    key.epoch = recorder->epoch;
    *ret_key = key;
}

static int open_segment(struct recorder *recorder, struct timing_stamp stamp)
{
    struct volume *volume = volumes_pick(recorder->volumes, recorder->camera_id);
    if (!volume)
        return -EIO;
    int64_t anchor_us = se_wall_now_us() - se_mono_now_us();
    struct segment_key key;
    next_key(recorder, stamp.pts_90k, anchor_us, &key);
    bool audio = recorder->has_audio && mp4_audio_supported(&recorder->audio);
    struct mp4_movie movie = {
        .video = {&recorder->video},
        .video_count = 1,
        .audio = {&recorder->audio},
        .audio_count = audio,
        .edit_media_90k = stamp.pts_90k - stamp.dts_90k,
        .created_ms = key.start_ms,
    };
    struct se_buf *init = mp4_init_segment(&movie);
    if (!init)
        return -ENOMEM;
    char codecs[64];
    snprintf(codecs, sizeof(codecs), "%s", recorder->video.mime);
    if (audio)
        snprintf(codecs + strlen(codecs), sizeof(codecs) - strlen(codecs), ",mp4a.40.%u",
                 recorder->audio.config[0] >> 3);
    struct segment *segment = segment_new(volume, &key, codecs);
    int r = segment ? volume_open(segment, init) : -ENOMEM;
    if (r == 0) {
        recorder->segment = segment;
        recorder->segment_audio = audio;
        recorder->pts0_90k = recorder->end_pts_90k = stamp.pts_90k;
        recorder->dts0_90k = stamp.dts_90k;
        recorder->anchor_us = anchor_us;
        recorder->offset = init->size;
        recorder->sequence = 0;
    } else {
        segment_unref(&segment);
    }
    se_buf_unref(&init);
    return r;
}

/* Is this keyframe where the next segment begins? The cause is of the gap that may lie between. */
static bool time_to_cut(struct recorder *recorder, struct timing_stamp stamp, const char **ret_cause)
{
    int64_t step_us = se_wall_now_us() - se_mono_now_us() - recorder->anchor_us;
    *ret_cause = "";
    if (step_us > CLOCK_STEP_US || step_us < -CLOCK_STEP_US) {
        *ret_cause = "clock";
        return true;
    }
    return stamp.pts_90k - recorder->pts0_90k >= recorder->segment_90k - MP4_TIMESCALE / 50;
}

static void lose(struct recorder *recorder, const char *cause)
{
    drop_pending(recorder, true);
    close_segment(recorder, cause);
}

static void push_video(struct recorder *recorder, struct access_unit *unit)
{
    if (recorder->video.codec != unit->codec || !unit->data->size)
        return;
    struct timing_stamp stamp = timing_next(&recorder->video_timing, unit);
    if (recorder->segment && atomic_load(&recorder->segment->failed))
        lose(recorder, "disk");
    if (recorder->segment) {
        const struct pending *first = &recorder->pending[VIDEO][0];
        bool due = unit->keyframe || recorder->pending_count[VIDEO] == FRAGMENT_UNITS ||
                   recorder->pending_bytes + unit->data->size > FRAGMENT_BYTES ||
                   (recorder->pending_count[VIDEO] && stamp.dts_90k - first->dts_90k >= FRAGMENT_90K);
        const char *cause;
        if (due && flush(recorder, stamp.dts_90k) < 0)
            lose(recorder, "disk");
        else if (unit->keyframe && time_to_cut(recorder, stamp, &cause))
            close_segment(recorder, volumes_pick(recorder->volumes, recorder->camera_id) ? cause : "disk");
        else if (stamp.pts_90k - recorder->pts0_90k > (SEGMENT_LONGEST_MS - 60000) * 90)
            lose(recorder, "stopped"); /* no keyframe for so long */
    }
    if (!recorder->segment && (!unit->keyframe || open_segment(recorder, stamp) < 0)) {
        se_metric_add(&volume_metrics[VOLUME_M_DROPPED], 1);
        return;
    }
    put_pending(recorder, VIDEO, unit, stamp);
}

static void push_audio(struct recorder *recorder, struct access_unit *unit)
{
    if (!recorder->has_audio || unit->codec != recorder->audio.codec || !unit->data->size)
        return;
    struct timing_stamp stamp = timing_next(&recorder->audio_timing, unit);
    if (!recorder->segment || !recorder->segment_audio || stamp.dts_90k < recorder->dts0_90k)
        return;
    if (recorder->pending_count[AUDIO] == FRAGMENT_UNITS && flush(recorder, -1) < 0) {
        lose(recorder, "disk");
        return;
    }
    put_pending(recorder, AUDIO, unit, stamp);
}

void recorder_push(struct recorder *recorder, struct access_unit *unit)
{
    if (unit->codec == CODEC_H264 || unit->codec == CODEC_H265)
        push_video(recorder, unit);
    else
        push_audio(recorder, unit);
}

void recorder_video(struct recorder *recorder, const struct video_params *params)
{
    struct video_params *v = &recorder->video;
    bool same = v->codec == params->codec && v->width == params->width && v->height == params->height &&
                v->config_size == params->config_size &&
                memcmp(v->config, params->config, v->config_size) == 0;
    if (recorder->video_timing.started)
        timing_params(&recorder->video_timing, params->reorder_frames, params->fps);
    else
        timing_init(&recorder->video_timing, params->reorder_frames, params->fps);
    if (!same)
        recorder_cut(recorder, ""); /* what follows does not decode by that file's parameters */
    recorder->video = *params;
}

void recorder_audio(struct recorder *recorder, const struct audio_params *params)
{
    struct audio_params *a = &recorder->audio;
    bool same = recorder->has_audio && a->codec == params->codec && a->config_size == params->config_size &&
                memcmp(a->config, params->config, a->config_size) == 0;
    if (same)
        return;
    double fps = params->sample_rate ? params->sample_rate / 1024.0 : 0;
    timing_init(&recorder->audio_timing, 0, fps);
    recorder->audio = *params;
    recorder->has_audio = true;
    /* What comes now is of another kind than the open file's track: it waits for the next file. */
    if (recorder->segment) {
        if (flush(recorder, -1) < 0)
            lose(recorder, "disk");
        recorder->segment_audio = false;
    }
}

void recorder_cut(struct recorder *recorder, const char *cause)
{
    if (!recorder->segment)
        return;
    flush(recorder, -1);
    close_segment(recorder, cause);
}

void recorder_free(struct recorder *recorder)
{
    if (!recorder)
        return;
    recorder_cut(recorder, "stopped");
    drop_pending(recorder, false);
    free(recorder->index);
    free(recorder);
}
