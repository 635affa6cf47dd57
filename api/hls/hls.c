/* Sessions: a stream being cut, its window of segments, and who has asked lately. One thread reads what is
 * new in every session's hub ten times a second and forgets those that nobody asks for; the first request
 * reads what the hub holds by itself, so that it need not wait. */
#include "hls/hls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "hls/hls_metrics.h"

#define SESSIONS_MAX 256u
#define LISTED       8u /* segments in a playlist; more while they are short */
#define LISTED_MAX   16u
#define KEPT_MAX     32u /* listed, and those that were a moment ago */
#define KEPT_US      (20 * SE_US_PER_S)
#define LISTED_90K   (3 * HLS_TARGET_S * 90000LL) /* RFC 8216 6.2.2: no less is left when one is removed */
#define TICK_US      100000
#define HURRY_US     20000 /* while somebody waits for the first frames of a camera that is live */
#define VIEWERS      64u
#define VIEWER_US    (60 * SE_US_PER_S) /* after which somebody who comes again begins again */
#define STALE_US     (30 * SE_US_PER_S) /* a playlist that does not move on is kept up for so long */
#define NUMBERS_FROM_MS                                                                                      \
    1735689600000LL    /* 2025-01-01: two numbers a second, so that they go on over restarts */
#define READ_MAX 8192u /* units a turn */

struct session {
    _Atomic unsigned refs;
    struct session *next;
    struct hls *hls;
    char camera_id[SE_ID_LEN];
    enum stream_role role;

    pthread_mutex_t lock; /* what follows; taken after the list's */
    struct hub *hub;
    struct hub_cursor cursor, audio_cursor;
    struct hls_segmenter segmenter;
    struct audio_params audio; /* of the init */
    bool stale_format;         /* the audio is another one now */
    struct kept {
        struct hls_segment *segment;
        se_mono_us left_us; /* when it left the playlist; 0: it is in */
    } kept[KEPT_MAX];
    unsigned count;
    se_mono_us asked_us, moved_us;
    bool was_empty;
    struct viewer {
        uint64_t who;
        se_mono_us at_us;
    } viewers[VIEWERS];
};

struct hls {
    pthread_t thread;
    bool running;
    void (*wake)(void *ctx);
    void *ctx;
    int64_t idle_us, bytes_max;
    pthread_mutex_t lock; /* the list */
    pthread_cond_t changed;
    struct session *first;
    unsigned count;
    bool stop;
};

/* --- a session ------------------------------------------------------------------------------------------ */

static void session_unref(struct session **psession)
{
    struct session *session = *psession;
    *psession = NULL;
    if (!session || atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) != 1)
        return;
    hls_segmenter_fini(&session->segmenter);
    for (unsigned i = 0; i < session->count; i++)
        hls_segment_unref(&session->kept[i].segment);
    if (session->hub) {
        hub_viewer_remove(session->hub);
        hub_unref(&session->hub);
    }
    pthread_mutex_destroy(&session->lock);
    free(session);
}

static void drop_oldest(struct session *session)
{
    hls_segment_unref(&session->kept[0].segment);
    session->count--;
    memmove(session->kept, session->kept + 1, session->count * sizeof(session->kept[0]));
}

/* Where the playlist begins. */
static unsigned listed_from(const struct session *session)
{
    unsigned from = 0;
    while (from < session->count && session->kept[from].left_us)
        from++;
    return from;
}

/* What is too old leaves the playlist, and what left it long ago goes. */
static void slide(struct session *session, se_mono_us now_us)
{
    unsigned from = listed_from(session);
    int64_t lasts = 0;
    bool full = hls_metrics[HLS_METRIC_BYTES].value > session->hls->bytes_max;
    for (unsigned i = from; i < session->count; i++)
        lasts += session->kept[i].segment->duration_90k;
    for (; from < session->count; from++) {
        unsigned listed = session->count - from;
        lasts -= session->kept[from].segment->duration_90k;
        bool leaves = listed > LISTED_MAX || (listed > LISTED && lasts >= LISTED_90K) || (full && listed > 3);
        if (!leaves)
            break;
        session->kept[from].left_us = now_us;
    }
    while (session->count && session->kept[0].left_us &&
           (full || session->count == KEPT_MAX || now_us - session->kept[0].left_us > KEPT_US)) {
        if (now_us - session->kept[0].left_us <= KEPT_US)
            hls_metric_add(HLS_METRIC_TRIMMED, 1);
        drop_oldest(session);
    }
}

static void segment_done(struct hls_segment *segment, void *ctx)
{
    struct session *session = ctx;
    session->moved_us = se_mono_now_us();
    session->kept[session->count++] = (struct kept){.segment = segment};
    slide(session, session->moved_us);
}

/* The stream is made of something now, or of something else. */
static void reformat(struct session *session)
{
    struct video_params video;
    bool audio = hub_audio(session->hub, &session->audio) == 0;
    session->stale_format = false;
    if (!audio)
        session->audio = (struct audio_params){.codec = CODEC_NONE};
    if (hub_video(session->hub, &video) < 0 ||
        hls_segmenter_format(&session->segmenter, &video, audio ? &session->audio : NULL) < 0)
        hls_metric_add(HLS_METRIC_NO_MEMORY, 1);
}

static void read_audio(struct session *session)
{
    struct hub_item item;
    for (unsigned i = 0; i < READ_MAX; i++) {
        hub_read_audio(session->hub, &session->audio_cursor, &item);
        if (item.kind == HUB_NOTHING)
            return;
        if (item.kind == HUB_INIT) {
            struct audio_params now;
            session->stale_format |= session->segmenter.init && hub_audio(session->hub, &now) == 0 &&
                                     (now.config_size != session->audio.config_size ||
                                      memcmp(now.config, session->audio.config, now.config_size) != 0);
        } else {
            struct media_sample sample = {
                .data = item.data, .dts_90k = item.dts_90k, .pts_90k = item.dts_90k};
            hls_segmenter_audio(&session->segmenter, &sample);
        }
        hub_item_clear(&item);
    }
}

/* Takes what is new in the hub. */
static void pump(struct session *session)
{
    struct hub_state state;
    struct hub_item item;
    uint64_t skipped = session->cursor.skipped;
    hub_state(session->hub, &state);
    if (state.state != SOURCE_LIVE && state.state != SOURCE_STALLED)
        hls_segmenter_break(&session->segmenter);
    session->segmenter.wall_at_0_ms = se_wall_now_ms() - se_mono_now_us() / 1000;
    read_audio(session);
    for (unsigned i = 0; i < READ_MAX; i++) {
        hub_read(session->hub, &session->cursor, &item);
        if (item.kind == HUB_NOTHING)
            break;
        if (item.kind == HUB_INIT || (session->stale_format && item.keyframe))
            reformat(session);
        if (session->cursor.skipped != skipped)
            hls_segmenter_break(&session->segmenter);
        skipped = session->cursor.skipped;
        if (item.kind == HUB_FRAGMENT) {
            struct media_sample sample = {.data = item.data,
                                          .dts_90k = item.dts_90k,
                                          .pts_90k = item.pts_90k,
                                          .keyframe = item.keyframe};
            hls_segmenter_video(&session->segmenter, &sample);
        }
        hub_item_clear(&item);
    }
    slide(session, se_mono_now_us());
}

static int session_new(struct hls *hls, const struct hls_ask *ask, struct session **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    int r = ingest_hub(ask->ingest, ask->camera_id, ask->role, &session->hub);
    if (r < 0) {
        free(session);
        return r;
    }
    uint64_t number = (uint64_t)(se_wall_now_ms() - NUMBERS_FROM_MS) / 500;
    session->refs = 1;
    session->hls = hls;
    session->role = ask->role;
    session->asked_us = session->moved_us = se_mono_now_us();
    session->was_empty = true;
    snprintf(session->camera_id, sizeof(session->camera_id), "%s", ask->camera_id);
    hls_segmenter_init(&session->segmenter, number, number, segment_done, session);
    pthread_mutex_init(&session->lock, NULL);
    hub_viewer_add(session->hub);
    *ret_session = session;
    return 0;
}

/* --- the list ------------------------------------------------------------------------------------------- */

/* With the list's lock held. */
static struct session *find(struct hls *hls, const struct hls_ask *ask)
{
    for (struct session *s = hls->first; s; s = s->next)
        if (s->role == ask->role && strcmp(s->camera_id, ask->camera_id) == 0) {
            atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
            return s;
        }
    return NULL;
}

static struct session *unlink_at(struct hls *hls, struct session **at)
{
    struct session *session = *at;
    *at = session->next;
    session->next = NULL;
    hls->count--;
    hls_metric_add(HLS_METRIC_SESSIONS, -1);
    return session;
}

static int find_or_begin(struct hls *hls, const struct hls_ask *ask, struct session **ret_session,
                         struct se_err *err)
{
    int r = 0;
    pthread_mutex_lock(&hls->lock);
    struct session *session = find(hls, ask);
    if (!session && (hls->count >= SESSIONS_MAX || hls->stop)) {
        hls_metric_add(HLS_METRIC_REFUSED_SESSIONS, 1);
        r = se_fail(err, -EBUSY, "Too many streams are being watched over HLS. Try again later.");
    } else if (!session && hls_metrics[HLS_METRIC_BYTES].value > hls->bytes_max) {
        hls_metric_add(HLS_METRIC_REFUSED_BYTES, 1);
        r = se_fail(err, -EBUSY,
                    "HLS has no memory left for another stream (http.hls_bytes). Try again later.");
    } else if (!session) {
        r = session_new(hls, ask, &session);
        if (r == 0) {
            atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed); /* the list's */
            session->next = hls->first;
            hls->first = session;
            hls->count++;
            hls_metric_add(HLS_METRIC_SESSIONS, 1);
            pthread_cond_signal(&hls->changed);
        }
    }
    pthread_mutex_unlock(&hls->lock);
    if (r == 0)
        *ret_session = session;
    return r;
}

/* One turn over all sessions. Returns whether a request that waits may find something now. *ret_hurry: one is
 * about to. */
static bool turn(struct hls *hls, bool *ret_hurry)
{
    struct hub_state state;
    struct session *all[SESSIONS_MAX], *gone[SESSIONS_MAX];
    unsigned count = 0, left = 0;
    bool news = false, hurry = false;
    se_mono_us now_us = se_mono_now_us();
    pthread_mutex_lock(&hls->lock);
    for (struct session **at = &hls->first; *at;) {
        struct session *session = *at;
        hub_state(session->hub, &state);
        pthread_mutex_lock(&session->lock);
        bool over = state.removed || now_us - session->asked_us > hls->idle_us;
        pthread_mutex_unlock(&session->lock);
        if (over || hls->stop) {
            gone[left++] = unlink_at(hls, at);
            continue;
        }
        atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
        all[count++] = session;
        at = &session->next;
    }
    pthread_mutex_unlock(&hls->lock);
    for (unsigned i = 0; i < left; i++)
        session_unref(&gone[i]);
    for (unsigned i = 0; i < count; i++) {
        pthread_mutex_lock(&all[i]->lock);
        pump(all[i]);
        if (!all[i]->count && all[i]->segmenter.open)
            hls_segmenter_cut(&all[i]->segmenter); /* somebody waits for the first one */
        news |= all[i]->was_empty && all[i]->count;
        all[i]->was_empty = all[i]->count == 0;
        hub_state(all[i]->hub, &state);
        hurry |= all[i]->was_empty && state.state == SOURCE_LIVE;
        pthread_mutex_unlock(&all[i]->lock);
        session_unref(&all[i]);
    }
    *ret_hurry = hurry;
    return news;
}

static void wait_until(struct hls *hls, se_mono_us at_us)
{
    struct timespec at = {at_us / SE_US_PER_S, at_us % SE_US_PER_S * 1000};
    pthread_cond_timedwait(&hls->changed, &hls->lock, &at);
}

static void *run(void *ctx)
{
    struct hls *hls = ctx;
    se_mono_us woken_us = 0;
    pthread_mutex_lock(&hls->lock);
    for (;;) {
        while (!hls->stop && !hls->first)
            pthread_cond_wait(&hls->changed, &hls->lock);
        bool stop = hls->stop;
        pthread_mutex_unlock(&hls->lock);
        bool hurry = false, news = turn(hls, &hurry);
        se_mono_us now_us = se_mono_now_us();
        if (news || now_us - woken_us >= SE_US_PER_S) {
            woken_us = now_us;
            hls->wake(hls->ctx);
        }
        pthread_mutex_lock(&hls->lock);
        if (stop)
            break;
        if (!hls->stop)
            wait_until(hls, now_us + (hurry ? HURRY_US : TICK_US));
    }
    pthread_mutex_unlock(&hls->lock);
    return NULL;
}

int hls_new(const struct options *options, void (*wake)(void *ctx), void *ctx, struct hls **ret_hls)
{
    struct hls *hls = calloc(1, sizeof(*hls));
    pthread_condattr_t monotonic;
    if (!hls)
        return -ENOMEM;
    hls_metrics_register();
    hls->wake = wake;
    hls->ctx = ctx;
    hls->idle_us = options_int(options, "http.hls_idle_s") * SE_US_PER_S;
    hls->bytes_max = options_int(options, "http.hls_bytes");
    pthread_mutex_init(&hls->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&hls->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int r = se_thread_start(&hls->thread, "hls", run, hls);
    hls->running = r == 0;
    if (r < 0) {
        hls_free(hls);
        return r;
    }
    *ret_hls = hls;
    return 0;
}

void hls_stop(struct hls *hls)
{
    if (!hls || !hls->running)
        return;
    pthread_mutex_lock(&hls->lock);
    hls->stop = true;
    pthread_cond_signal(&hls->changed);
    pthread_mutex_unlock(&hls->lock);
    pthread_join(hls->thread, NULL);
    hls->running = false;
}

void hls_free(struct hls *hls)
{
    if (!hls)
        return;
    hls_stop(hls);
    pthread_cond_destroy(&hls->changed);
    pthread_mutex_destroy(&hls->lock);
    free(hls);
}

/* --- requests --------------------------------------------------------------------------------------------
 */

static uint64_t viewer_hash(const struct access_who *who)
{
    uint64_t hash = 14695981039346656037ull; /* FNV-1a */
    for (const char *p = who->session_id; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211ull;
    for (const char *p = who->address; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211ull;
    return hash;
}

/* Somebody who has asked lately; NULL: they begin to watch. */
static struct viewer *viewer_find(struct session *session, const struct access_who *who, se_mono_us now_us)
{
    uint64_t hash = viewer_hash(who);
    for (struct viewer *v = session->viewers; v < session->viewers + VIEWERS; v++)
        if (v->at_us && v->who == hash && now_us - v->at_us <= VIEWER_US)
            return v;
    return NULL;
}

/* Notes who asks; true when they begin to watch. */
static bool viewer_note(struct session *session, const struct access_who *who, se_mono_us now_us)
{
    struct viewer *viewer = viewer_find(session, who, now_us), *oldest = session->viewers;
    for (struct viewer *v = session->viewers; v < session->viewers + VIEWERS; v++)
        oldest = v->at_us < oldest->at_us ? v : oldest;
    *(viewer ? viewer : oldest) = (struct viewer){viewer_hash(who), now_us};
    return !viewer;
}

/* Is there anything to show: 0, or why not. */
static int look(struct session *session, const struct hls_ask *ask, struct se_err *err)
{
    struct hub_state state;
    char since[SE_TIME_LEN];
    se_mono_us now_us = se_mono_now_us();
    hub_state(session->hub, &state);
    bool dead = state.removed || state.state == SOURCE_OFFLINE || state.state == SOURCE_DISABLED;
    /* Nobody is shown old pictures as live; who watched already keeps the playlist through a short outage. */
    bool old = now_us - session->moved_us > STALE_US || !viewer_find(session, ask->who, now_us);
    if (dead && old) {
        se_time_format(state.since_ms, since);
        return se_fail(err, -ENOLINK, "The camera is %s since %s%s%s",
                       state.removed ? "gone" : source_state_name(state.state), since,
                       state.reason[0] ? ": " : "", state.reason);
    }
    if (session->count && (!old || state.state == SOURCE_LIVE))
        return 0;
    return se_fail(err, -EAGAIN, "The camera is %s; there is nothing to show yet. Try again in a moment.",
                   source_state_name(state.state));
}

int hls_playlist(struct hls *hls, const struct hls_ask *ask, struct se_str *out, bool *ret_begins,
                 struct se_err *err)
{
    struct session *session;
    struct hls_segment *listed[KEPT_MAX];
    int r = find_or_begin(hls, ask, &session, err);
    if (r < 0)
        return r;
    pthread_mutex_lock(&session->lock);
    session->asked_us = se_mono_now_us();
    if (!session->count) {
        pump(session);
        hls_segmenter_cut(&session->segmenter);
    }
    r = look(session, ask, err);
    if (r == 0) {
        unsigned from = listed_from(session), count = session->count - from;
        for (unsigned i = 0; i < count; i++)
            listed[i] = session->kept[from + i].segment;
        *ret_begins = viewer_note(session, ask->who, session->asked_us);
        hls_playlist_write(out, listed, count, ask->prefix, ask->ticket);
        r = out->oom ? -ENOMEM : 0;
    }
    pthread_mutex_unlock(&session->lock);
    session_unref(&session);
    return r;
}

int hls_part(struct hls *hls, const struct hls_ask *ask, const char *name, struct hls_segment **ret_segment,
             struct se_buf **ret_init)
{
    uint64_t number;
    bool init;
    int r = hls_part_parse(name, &number, &init);
    if (r < 0)
        return r;
    pthread_mutex_lock(&hls->lock);
    struct session *session = find(hls, ask);
    pthread_mutex_unlock(&hls->lock);
    if (!session)
        return -ENOENT;
    r = -ENOENT;
    pthread_mutex_lock(&session->lock);
    session->asked_us = se_mono_now_us();
    for (unsigned i = 0; i < session->count && r < 0; i++) {
        struct hls_segment *segment = session->kept[i].segment;
        if ((init ? segment->init_number : segment->number) != number)
            continue;
        if (init)
            *ret_init = se_buf_ref(segment->init);
        else
            *ret_segment = hls_segment_ref(segment);
        r = 0;
    }
    pthread_mutex_unlock(&session->lock);
    session_unref(&session);
    return r;
}
