#include "ingest/fragment.h"

#include <stdlib.h>

#include "base/error.h"
#include "mp4/mux.h"

struct se_buf *media_init_segment(const struct video_params *video, const struct audio_params *audio)
{
    struct mp4_movie movie = {
        .video = {video}, .video_count = 1, .audio = {audio}, .audio_count = audio != NULL};
    return mp4_init_segment(&movie);
}

static struct mp4_track_run run_of(uint32_t track, struct mp4_sample *to, const struct media_sample *from,
                                   unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        to[i] = (struct mp4_sample){.size = (uint32_t)from[i].data->size,
                                    .duration_90k = from[i].duration_90k,
                                    .cts_90k = (int32_t)(from[i].pts_90k - from[i].dts_90k),
                                    .keyframe = from[i].keyframe || track == MP4_TRACK_AUDIO};
    return (struct mp4_track_run){track, 1, count ? (uint64_t)from[0].dts_90k : 0, to, count};
}

struct se_buf *media_fragment_head(uint32_t sequence, const struct media_sample *video, unsigned video_count,
                                   const struct media_sample *audio, unsigned audio_count)
{
    struct mp4_sample *samples = calloc((size_t)video_count + audio_count + 1, sizeof(*samples));
    if (!samples)
        return NULL;
    struct mp4_track_run runs[] = {
        run_of(MP4_TRACK_VIDEO, samples, video, video_count),
        run_of(MP4_TRACK_AUDIO, samples + video_count, audio, audio_count),
    };
    struct mp4_writer w = {0};
    mp4_fragment_header(&w, sequence, runs, SE_ARRAY_LEN(runs));
    free(samples);
    return mp4_take(&w);
}
