#include "live/hub.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "live/ring.h"
#include "live/timing.h"
#include "mp4/mux.h"

#define RING_BYTES     (16u << 20) /* when nobody said otherwise */
#define AUDIO_BYTES    (256u << 10)
#define AUDIO_ASKED_US 2000000 /* audio is put into fragments while somebody has read it this lately */

static struct se_metric metrics[] = {
    {"sharpeyes_live_fragments_total", "Frames put where live viewers read them", SE_COUNTER},
    {"sharpeyes_live_evicted_total", "Live fragments given up because a stream's cache was full", SE_COUNTER},
    {"sharpeyes_live_skipped_total", "Live fragments that slow viewers jumped over", SE_COUNTER},
    {"sharpeyes_live_viewers", "Viewers of live streams", SE_GAUGE},
    {"sharpeyes_live_no_memory_total", "Frames not shown live for want of memory", SE_COUNTER},
};
enum { M_FRAGMENTS, M_EVICTED, M_SKIPPED, M_VIEWERS, M_NO_MEMORY };

struct hub {
    _Atomic unsigned refs;
    void (*viewers_fn)(void *ctx, bool any);
    void *viewers_ctx;
    pthread_mutex_t viewers_lock; /* held over viewers_fn, so that 0→1 and 1→0 arrive in order */
    _Atomic unsigned viewers;     /* changed under it */

    /* the stream's loop only */
    struct timing timing, audio_timing;
    bool wait_keyframe;
    struct video_params params; /* written under the lock too, so that others may read it there */
    struct audio_params audio;  /* likewise */

    _Atomic se_mono_us audio_asked_us;

    pthread_mutex_t lock; /* what follows; held for a few pointer moves only */
    struct live_ring video_ring, audio_ring;
    struct hub_watch *watches;
    struct hub_state state;
    struct access_unit *key_unit;
    struct video_params key_params;
    se_wall_ms key_at_ms;
    const struct access_unit *jpeg_of; /* compared, never followed; key_unit outlives the match */
    struct se_buf *jpeg;
};

static void register_metrics(void)
{
    se_metrics_register(metrics, SE_ARRAY_LEN(metrics));
}

int hub_new(void (*viewers)(void *ctx, bool any), void *ctx, struct hub **ret_hub)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_metrics);
    struct hub *hub = calloc(1, sizeof(*hub));
    if (!hub)
        return -ENOMEM;
    live_ring_init(&hub->video_ring, MP4_TRACK_VIDEO, RING_BYTES);
    live_ring_init(&hub->audio_ring, MP4_TRACK_AUDIO, AUDIO_BYTES);
    hub->refs = 1;
    hub->viewers_fn = viewers;
    hub->viewers_ctx = ctx;
    hub->wait_keyframe = true;
    hub->state = (struct hub_state){.state = SOURCE_IDLE, .since_ms = se_wall_now_ms(), .version = 1};
    pthread_mutex_init(&hub->lock, NULL);
    pthread_mutex_init(&hub->viewers_lock, NULL);
    *ret_hub = hub;
    return 0;
}

void hub_cache_bytes(struct hub *hub, size_t bytes)
{
    pthread_mutex_lock(&hub->lock);
    hub->video_ring.bytes_max = bytes;
    pthread_mutex_unlock(&hub->lock);
}

struct hub *hub_ref(struct hub *hub)
{
    atomic_fetch_add_explicit(&hub->refs, 1, memory_order_relaxed);
    return hub;
}

void hub_unref(struct hub **phub)
{
    struct hub *hub = *phub;
    *phub = NULL;
    if (!hub || atomic_fetch_sub_explicit(&hub->refs, 1, memory_order_acq_rel) != 1)
        return;
    live_ring_fini(&hub->video_ring);
    live_ring_fini(&hub->audio_ring);
    se_buf_unref(&hub->jpeg);
    access_unit_unref(&hub->key_unit);
    pthread_mutex_destroy(&hub->lock);
    pthread_mutex_destroy(&hub->viewers_lock);
    free(hub);
}

/* --- the stream's side ------------------------------------------------------------------------- */

/* Under the lock, after the news is in place. */
static void tell(struct hub *hub)
{
    for (struct hub_watch *watch = hub->watches; watch; watch = watch->next)
        watch->fn(watch);
}

void hub_set_state(struct hub *hub, enum source_state state, const char *reason)
{
    /* What comes after an outage does not follow from what came before, and old pictures are not live. */
    bool broken = state != SOURCE_LIVE && state != SOURCE_STALLED;
    if (broken)
        hub->wait_keyframe = true;
    pthread_mutex_lock(&hub->lock);
    if (broken) {
        live_ring_clear(&hub->video_ring);
        live_ring_clear(&hub->audio_ring);
    }
    struct hub_state *s = &hub->state;
    if (s->state != state)
        s->since_ms = se_wall_now_ms();
    s->state = state;
    strncpy(s->reason, reason ? reason : "", sizeof(s->reason) - 1);
    s->version++;
    tell(hub);
    pthread_mutex_unlock(&hub->lock);
}

static bool same_video(const struct video_params *a, const struct video_params *b)
{
    return a->codec == b->codec && a->width == b->width && a->height == b->height &&
           a->config_size == b->config_size && memcmp(a->config, b->config, a->config_size) == 0;
}

void hub_set_video(struct hub *hub, const struct video_params *params)
{
    if (hub->timing.started)
        timing_params(&hub->timing, params->reorder_frames, params->fps);
    else
        timing_init(&hub->timing, params->reorder_frames, params->fps);
    if (same_video(params, &hub->params))
        return;
    struct mp4_movie movie = {.video = {params}, .video_count = 1};
    struct se_buf *init = mp4_init_segment(&movie);
    if (!init) {
        se_metric_add(&metrics[M_NO_MEMORY], 1);
        se_error("hub", "no init segment for a stream codec=%s", params->mime);
        return;
    }
    hub->wait_keyframe = true;
    pthread_mutex_lock(&hub->lock);
    hub->params = *params;
    live_ring_set_init(&hub->video_ring, init);
    hub->state.version++;
    snprintf(hub->state.mime, sizeof(hub->state.mime), "video/mp4; codecs=\"%s\"", params->mime);
    tell(hub);
    pthread_mutex_unlock(&hub->lock);
}

void hub_set_audio(struct hub *hub, const struct audio_params *params)
{
    struct audio_params *now = &hub->audio;
    bool same = now->codec == params->codec && now->config_size == params->config_size &&
                memcmp(now->config, params->config, now->config_size) == 0;
    if (same || !mp4_audio_supported(params))
        return;
    struct mp4_movie movie = {.audio = {params}, .audio_count = 1};
    struct se_buf *init = mp4_init_segment(&movie);
    if (!init) {
        se_metric_add(&metrics[M_NO_MEMORY], 1);
        return;
    }
    timing_init(&hub->audio_timing, 0, params->sample_rate / 1024.0);
    pthread_mutex_lock(&hub->lock);
    hub->audio = *params;
    live_ring_set_init(&hub->audio_ring, init);
    hub->state.version++;
    snprintf(hub->state.audio_mime, sizeof(hub->state.audio_mime), "audio/mp4; codecs=\"mp4a.40.%u\"",
             params->config[0] >> 3);
    tell(hub);
    pthread_mutex_unlock(&hub->lock);
}

static void push_audio(struct hub *hub, struct access_unit *unit)
{
    bool asked =
        unit->arrived_us - atomic_load_explicit(&hub->audio_asked_us, memory_order_relaxed) < AUDIO_ASKED_US;
    if (!asked || unit->codec != hub->audio.codec || !unit->data->size)
        return;
    struct timing_stamp stamp = timing_next(&hub->audio_timing, unit);
    pthread_mutex_lock(&hub->lock);
    live_ring_push(&hub->audio_ring, unit, stamp, true);
    tell(hub);
    pthread_mutex_unlock(&hub->lock);
}

void hub_push(struct hub *hub, struct access_unit *unit)
{
    if (unit->codec != CODEC_H264 && unit->codec != CODEC_H265) {
        push_audio(hub, unit);
        return;
    }
    if (unit->codec != hub->params.codec || !unit->data->size || (hub->wait_keyframe && !unit->keyframe))
        return;
    struct timing_stamp stamp = timing_next(&hub->timing, unit);
    struct access_unit *old_key = NULL;
    struct se_buf *old_jpeg = NULL;
    pthread_mutex_lock(&hub->lock);
    if (unit->keyframe) {
        old_key = SE_TAKE(hub->key_unit);
        old_jpeg = SE_TAKE(hub->jpeg);
        hub->jpeg_of = NULL;
        hub->key_unit = access_unit_ref(unit);
        hub->key_params = hub->params;
        hub->key_at_ms = se_wall_now_ms() - (se_mono_now_us() - unit->arrived_us) / 1000;
    }
    hub->video_ring.lagging = atomic_load_explicit(&hub->viewers, memory_order_relaxed) > 0;
    int lost = live_ring_push(&hub->video_ring, unit, stamp, unit->keyframe);
    tell(hub);
    pthread_mutex_unlock(&hub->lock);
    access_unit_unref(&old_key);
    se_buf_unref(&old_jpeg);
    hub->wait_keyframe = lost < 0;
    if (lost < 0)
        se_metric_add(&metrics[M_NO_MEMORY], 1);
    se_metric_add(&metrics[M_FRAGMENTS], 1);
    if (lost > 0)
        se_metric_add(&metrics[M_EVICTED], lost);
}

void hub_remove(struct hub *hub)
{
    pthread_mutex_lock(&hub->viewers_lock);
    hub->viewers_fn = NULL;
    pthread_mutex_unlock(&hub->viewers_lock);
    pthread_mutex_lock(&hub->lock);
    hub->state.removed = true;
    hub->state.version++;
    live_ring_clear(&hub->video_ring);
    live_ring_clear(&hub->audio_ring);
    tell(hub);
    pthread_mutex_unlock(&hub->lock);
}

/* --- the viewers' side ------------------------------------------------------------------------- */

void hub_read(struct hub *hub, struct hub_cursor *cursor, struct hub_item *ret_item)
{
    pthread_mutex_lock(&hub->lock);
    uint64_t skipped = live_ring_read(&hub->video_ring, cursor, ret_item);
    pthread_mutex_unlock(&hub->lock);
    if (skipped)
        se_metric_add(&metrics[M_SKIPPED], (int64_t)skipped);
}

void hub_read_audio(struct hub *hub, struct hub_cursor *cursor, struct hub_item *ret_item)
{
    atomic_store_explicit(&hub->audio_asked_us, se_mono_now_us(), memory_order_relaxed);
    pthread_mutex_lock(&hub->lock);
    live_ring_read(&hub->audio_ring, cursor, ret_item);
    pthread_mutex_unlock(&hub->lock);
}

void hub_item_clear(struct hub_item *item)
{
    se_buf_unref(&item->head);
    se_buf_unref(&item->data);
    item->kind = HUB_NOTHING;
}

void hub_watch_add(struct hub *hub, struct hub_watch *watch)
{
    pthread_mutex_lock(&hub->lock);
    watch->prev = NULL;
    watch->next = hub->watches;
    if (watch->next)
        watch->next->prev = watch;
    hub->watches = watch;
    pthread_mutex_unlock(&hub->lock);
}

void hub_watch_remove(struct hub *hub, struct hub_watch *watch)
{
    pthread_mutex_lock(&hub->lock);
    if (watch->prev)
        watch->prev->next = watch->next;
    else
        hub->watches = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    watch->prev = watch->next = NULL;
    pthread_mutex_unlock(&hub->lock);
}

uint32_t hub_version(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    uint32_t version = hub->state.version;
    pthread_mutex_unlock(&hub->lock);
    return version;
}

void hub_state(struct hub *hub, struct hub_state *ret_state)
{
    pthread_mutex_lock(&hub->lock);
    *ret_state = hub->state;
    pthread_mutex_unlock(&hub->lock);
}

int hub_video(struct hub *hub, struct video_params *ret_params)
{
    pthread_mutex_lock(&hub->lock);
    bool known = hub->params.config_size > 0;
    if (known)
        *ret_params = hub->params;
    pthread_mutex_unlock(&hub->lock);
    return known ? 0 : -ENOENT;
}

int hub_audio(struct hub *hub, struct audio_params *ret_params)
{
    pthread_mutex_lock(&hub->lock);
    bool known = hub->audio.codec != CODEC_NONE;
    if (known)
        *ret_params = hub->audio;
    pthread_mutex_unlock(&hub->lock);
    return known ? 0 : -ENOENT;
}

void hub_viewer_add(struct hub *hub)
{
    pthread_mutex_lock(&hub->viewers_lock);
    se_metric_add(&metrics[M_VIEWERS], 1);
    if (hub->viewers++ == 0 && hub->viewers_fn)
        hub->viewers_fn(hub->viewers_ctx, true);
    pthread_mutex_unlock(&hub->viewers_lock);
}

void hub_viewer_remove(struct hub *hub)
{
    pthread_mutex_lock(&hub->viewers_lock);
    se_metric_add(&metrics[M_VIEWERS], -1);
    if (--hub->viewers == 0 && hub->viewers_fn)
        hub->viewers_fn(hub->viewers_ctx, false);
    pthread_mutex_unlock(&hub->viewers_lock);
}

int hub_keyframe(struct hub *hub, struct access_unit **ret_unit, struct video_params *ret_params,
                 se_wall_ms *ret_at_ms)
{
    int r = -ENOENT;
    pthread_mutex_lock(&hub->lock);
    if (hub->key_unit) {
        *ret_unit = access_unit_ref(hub->key_unit);
        *ret_params = hub->key_params;
        *ret_at_ms = hub->key_at_ms;
        r = 0;
    }
    pthread_mutex_unlock(&hub->lock);
    return r;
}

struct se_buf *hub_jpeg_get(struct hub *hub, const struct access_unit *unit)
{
    pthread_mutex_lock(&hub->lock);
    struct se_buf *jpeg = hub->jpeg && hub->jpeg_of == unit ? se_buf_ref(hub->jpeg) : NULL;
    pthread_mutex_unlock(&hub->lock);
    return jpeg;
}

void hub_jpeg_put(struct hub *hub, struct access_unit *unit, struct se_buf *jpeg)
{
    struct se_buf *old = NULL;
    pthread_mutex_lock(&hub->lock);
    if (hub->key_unit == unit) {
        old = SE_TAKE(hub->jpeg);
        hub->jpeg = se_buf_ref(jpeg);
        hub->jpeg_of = unit;
    }
    pthread_mutex_unlock(&hub->lock);
    se_buf_unref(&old);
}
