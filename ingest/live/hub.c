#include "live/hub.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "live/timing.h"
#include "live/wake.h"
#include "mp4/mux.h"

#define RING_COUNT_MIN 128u /* fragments; grows by doubling */
#define RING_COUNT_MAX 4096u
#define RING_BYTES     (16u << 20) /* when nobody said otherwise */
#define RING_KEEP_US   1000000     /* frames before the newest keyframe stay this long for slow viewers */

static struct se_metric metrics[] = {
    {"sharpeyes_live_fragments_total", "Single-frame fragments built for live viewers", SE_COUNTER},
    {"sharpeyes_live_evicted_total", "Live fragments given up because a stream's cache was full", SE_COUNTER},
    {"sharpeyes_live_skipped_total", "Live fragments that slow viewers jumped over", SE_COUNTER},
    {"sharpeyes_live_viewers", "Viewers of live streams", SE_GAUGE},
    {"sharpeyes_live_no_memory_total", "Frames not shown live for want of memory", SE_COUNTER},
};
enum { M_FRAGMENTS, M_EVICTED, M_SKIPPED, M_VIEWERS, M_NO_MEMORY };

struct slot {
    struct se_buf *data;
    se_mono_us arrived_us;
    uint32_t init;
    bool keyframe;
};

struct hub {
    _Atomic unsigned refs;
    struct hub_shared *shared;
    void (*viewers_fn)(void *ctx, bool any);
    void *viewers_ctx;
    pthread_mutex_t viewers_lock; /* held over viewers_fn, so that 0→1 and 1→0 arrive in order */
    unsigned viewers;

    /* the stream's loop only */
    struct timing timing;
    struct video_params params;
    bool wait_keyframe;
    uint32_t sequence;

    pthread_mutex_t lock; /* what follows; held for a few pointer moves only */
    struct slot *ring;
    unsigned ring_count;
    uint64_t first, next; /* numbers of the oldest kept and of the one to come; from 1 */
    uint64_t newest_key;  /* 0: none in the ring */
    size_t bytes, bytes_max;
    struct se_buf *init;
    uint32_t init_version;
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

int hub_new(struct hub_shared *shared, void (*viewers)(void *ctx, bool any), void *ctx, struct hub **ret_hub)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_metrics);
    struct hub *hub = calloc(1, sizeof(*hub));
    if (!hub)
        return -ENOMEM;
    hub->ring_count = RING_COUNT_MIN;
    hub->ring = calloc(hub->ring_count, sizeof(*hub->ring));
    if (!hub->ring) {
        free(hub);
        return -ENOMEM;
    }
    hub->refs = 1;
    hub->shared = shared;
    hub->viewers_fn = viewers;
    hub->viewers_ctx = ctx;
    hub->first = hub->next = 1;
    hub->bytes_max = RING_BYTES;
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
    hub->bytes_max = bytes;
    pthread_mutex_unlock(&hub->lock);
}

struct hub *hub_ref(struct hub *hub)
{
    atomic_fetch_add_explicit(&hub->refs, 1, memory_order_relaxed);
    return hub;
}

static void evict(struct hub *hub)
{
    struct slot *slot = &hub->ring[hub->first % hub->ring_count];
    hub->bytes -= slot->data->size;
    se_buf_unref(&slot->data);
    if (hub->newest_key == hub->first)
        hub->newest_key = 0;
    hub->first++;
}

void hub_unref(struct hub **phub)
{
    struct hub *hub = *phub;
    *phub = NULL;
    if (!hub || atomic_fetch_sub_explicit(&hub->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (hub->first < hub->next)
        evict(hub);
    se_buf_unref(&hub->init);
    se_buf_unref(&hub->jpeg);
    access_unit_unref(&hub->key_unit);
    pthread_mutex_destroy(&hub->lock);
    pthread_mutex_destroy(&hub->viewers_lock);
    free(hub->ring);
    free(hub);
}

/* --- the stream's side ------------------------------------------------------------------------- */

static void wake(struct hub *hub)
{
    if (hub->shared)
        hub_shared_wake(hub->shared);
}

void hub_set_state(struct hub *hub, enum source_state state, const char *reason)
{
    /* What comes after an outage does not follow from what came before, and old pictures are not live. */
    bool broken = state != SOURCE_LIVE && state != SOURCE_STALLED;
    if (broken)
        hub->wait_keyframe = true;
    pthread_mutex_lock(&hub->lock);
    while (broken && hub->first < hub->next)
        evict(hub);
    struct hub_state *s = &hub->state;
    if (s->state != state)
        s->since_ms = se_wall_now_ms();
    s->state = state;
    strncpy(s->reason, reason ? reason : "", sizeof(s->reason) - 1);
    s->version++;
    pthread_mutex_unlock(&hub->lock);
    wake(hub);
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
    hub->params = *params;
    hub->wait_keyframe = true;
    pthread_mutex_lock(&hub->lock);
    while (hub->first < hub->next)
        evict(hub);
    se_buf_unref(&hub->init);
    hub->init = init;
    hub->init_version++;
    hub->state.version++;
    snprintf(hub->state.mime, sizeof(hub->state.mime), "video/mp4; codecs=\"%s\"", params->mime);
    pthread_mutex_unlock(&hub->lock);
    wake(hub);
}

static struct se_buf *build(struct hub *hub, const struct access_unit *unit)
{
    struct timing_stamp stamp = timing_next(&hub->timing, unit);
    struct mp4_sample sample = {
        .size = (uint32_t)unit->data->size,
        .duration_90k = stamp.duration_90k,
        .cts_90k = (int32_t)(stamp.pts_90k - stamp.dts_90k),
        .keyframe = unit->keyframe,
    };
    struct mp4_track_run run = {MP4_TRACK_VIDEO, 1, (uint64_t)stamp.dts_90k, &sample, 1};
    struct mp4_writer w = {0};
    mp4_fragment_header(&w, ++hub->sequence, &run, 1);
    struct se_buf *buf = w.oom ? NULL : se_buf_new(w.len + unit->data->size);
    if (buf) {
        memcpy(buf->data, w.data, w.len);
        memcpy(buf->data + w.len, unit->data->data, unit->data->size);
    }
    mp4_fini(&w);
    return buf;
}

/* Doubles the ring; when there is no memory it stays, and old fragments go instead. */
static void grow(struct hub *hub)
{
    unsigned count = hub->ring_count * 2;
    struct slot *ring = count <= RING_COUNT_MAX ? calloc(count, sizeof(*ring)) : NULL;
    if (!ring)
        return;
    for (uint64_t i = hub->first; i < hub->next; i++)
        ring[i % count] = hub->ring[i % hub->ring_count];
    free(hub->ring);
    hub->ring = ring;
    hub->ring_count = count;
}

/* Makes room for size bytes more: what is old goes, and what the caps forbid. */
static void trim(struct hub *hub, size_t size, se_mono_us now_us)
{
    if (hub->next - hub->first >= hub->ring_count)
        grow(hub);
    while (hub->first < hub->next) {
        bool full = hub->next - hub->first >= hub->ring_count || hub->bytes + size > hub->bytes_max;
        bool old = hub->first < hub->newest_key &&
                   now_us - hub->ring[hub->first % hub->ring_count].arrived_us > RING_KEEP_US;
        if (!full && !old)
            return;
        if (full && hub->first >= hub->newest_key)
            se_metric_add(&metrics[M_EVICTED], 1);
        evict(hub);
    }
}

void hub_push(struct hub *hub, struct access_unit *unit)
{
    if (hub->params.codec == CODEC_NONE || unit->codec != hub->params.codec || !unit->data->size)
        return;
    if (hub->wait_keyframe && !unit->keyframe)
        return;
    struct se_buf *buf = build(hub, unit);
    if (!buf) {
        se_metric_add(&metrics[M_NO_MEMORY], 1);
        hub->wait_keyframe = true;
        return;
    }
    hub->wait_keyframe = false;
    struct access_unit *old_key = NULL;
    struct se_buf *old_jpeg = NULL;
    pthread_mutex_lock(&hub->lock);
    if (unit->keyframe) {
        hub->newest_key = hub->next;
        old_key = SE_TAKE(hub->key_unit);
        old_jpeg = SE_TAKE(hub->jpeg);
        hub->jpeg_of = NULL;
        hub->key_unit = access_unit_ref(unit);
        hub->key_params = hub->params;
        hub->key_at_ms = se_wall_now_ms() - (se_mono_now_us() - unit->arrived_us) / 1000;
    }
    trim(hub, buf->size, unit->arrived_us);
    hub->ring[hub->next % hub->ring_count] = (struct slot){
        .data = buf, .arrived_us = unit->arrived_us, .init = hub->init_version, .keyframe = unit->keyframe};
    hub->bytes += buf->size;
    hub->next++;
    pthread_mutex_unlock(&hub->lock);
    access_unit_unref(&old_key);
    se_buf_unref(&old_jpeg);
    se_metric_add(&metrics[M_FRAGMENTS], 1);
    wake(hub);
}

void hub_remove(struct hub *hub)
{
    pthread_mutex_lock(&hub->viewers_lock);
    hub->viewers_fn = NULL;
    pthread_mutex_unlock(&hub->viewers_lock);
    pthread_mutex_lock(&hub->lock);
    hub->state.removed = true;
    hub->state.version++;
    while (hub->first < hub->next)
        evict(hub);
    pthread_mutex_unlock(&hub->lock);
    wake(hub);
    hub->shared = NULL;
}

/* --- the viewers' side ------------------------------------------------------------------------- */

void hub_read(struct hub *hub, struct hub_cursor *cursor, struct hub_item *ret_item)
{
    *ret_item = (struct hub_item){.kind = HUB_NOTHING};
    pthread_mutex_lock(&hub->lock);
    if (cursor->next < hub->first || cursor->next == 0) {
        /* New here, or too slow: on from the newest keyframe, once there is one. */
        if (!hub->newest_key)
            goto out;
        if (cursor->next) {
            cursor->skipped += hub->newest_key - cursor->next;
            se_metric_add(&metrics[M_SKIPPED], (int64_t)(hub->newest_key - cursor->next));
        }
        cursor->next = hub->newest_key;
    }
    if (cursor->next >= hub->next)
        goto out;
    struct slot *slot = &hub->ring[cursor->next % hub->ring_count];
    if (slot->init != cursor->init) {
        *ret_item = (struct hub_item){
            .kind = HUB_INIT, .data = se_buf_ref(hub->init), .arrived_us = slot->arrived_us};
        cursor->init = slot->init;
        goto out;
    }
    *ret_item = (struct hub_item){.kind = HUB_FRAGMENT,
                                  .data = se_buf_ref(slot->data),
                                  .keyframe = slot->keyframe,
                                  .arrived_us = slot->arrived_us};
    cursor->next++;
out:
    pthread_mutex_unlock(&hub->lock);
}

bool hub_news(struct hub *hub, const struct hub_cursor *cursor, uint32_t version)
{
    pthread_mutex_lock(&hub->lock);
    bool behind = cursor->next < hub->first ? hub->newest_key != 0 : cursor->next < hub->next;
    bool news = behind || hub->state.version != version;
    pthread_mutex_unlock(&hub->lock);
    return news;
}

void hub_state(struct hub *hub, struct hub_state *ret_state)
{
    pthread_mutex_lock(&hub->lock);
    *ret_state = hub->state;
    pthread_mutex_unlock(&hub->lock);
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
