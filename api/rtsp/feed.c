/* One stream with viewers: each frame is put into packets once, into a ring that all viewers of it read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "rtsp/server.h"

#define RING_MIN  128u /* grows by doubling */
#define RING_MAX  8192u
#define KEEP_US   SE_US_PER_S /* frames before the newest keyframe stay this long for slow viewers */
#define STALE_US  500000      /* audio older than this is not where one begins */
#define SNAP_PART 50          /* of a second: audio that is expected so near its place is put there */

static void on_news(struct hub_watch *watch)
{
    struct feed *feed = SE_CONTAINER_OF(watch, struct feed, watch);
    static const uint64_t one = 1;
    atomic_store(&feed->news, true);
    if (!atomic_exchange(&feed->out->woken, true))
        (void)!write(feed->out->wake_fd, &one, sizeof(one));
}

static void feed_free(struct feed *feed)
{
    hub_watch_remove(feed->hub, &feed->watch);
    hub_unref(&feed->hub);
    if (feed->prev)
        feed->prev->next = feed->next;
    else
        feed->out->feeds = feed->next;
    if (feed->next)
        feed->next->prev = feed->prev;
    for (uint64_t i = feed->first; i < feed->end; i++)
        packets_unref(&feed->ring[i & (feed->count - 1)]);
    se_metric_add(&rtsp_metrics[RTSP_M_CACHE_BYTES], -(int64_t)feed->bytes);
    se_metric_add(&rtsp_metrics[RTSP_M_FEEDS], -1);
    se_buf_unref(&feed->sets);
    free(feed->ring);
    free(feed->arrived);
    free(feed);
}

static struct feed *find(struct rtsp_out *out, const char *camera_id, enum stream_role role)
{
    for (struct feed *feed = out->feeds; feed; feed = feed->next)
        if (!feed->ended && feed->role == role && strcmp(feed->camera_id, camera_id) == 0)
            return feed;
    return NULL;
}

static void number_tracks(struct feed *feed)
{
    struct {
        uint64_t id;
        uint32_t ssrc[TRACKS], base[TRACKS];
        uint16_t sequence[TRACKS];
    } random;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        memset(&random, 0x5e, sizeof(random));
    feed->id = random.id >> 1;
    for (unsigned i = 0; i < TRACKS; i++) {
        feed->tracks[i] = (struct rtp_track){.payload_type = (uint8_t)PAYLOAD_TYPE(i),
                                             .channel = (uint8_t)(2 * i),
                                             .sequence = random.sequence[i],
                                             .ssrc = random.ssrc[i]};
        feed->base[i] = random.base[i];
    }
}

int feed_get(struct rtsp_out *out, const char *camera_id, enum stream_role role, struct feed **ret_feed)
{
    struct feed *feed = find(out, camera_id, role);
    if (feed) {
        *ret_feed = feed;
        return 0;
    }
    struct hub *hub;
    int r = ingest_hub(out->deps.ingest, camera_id, role, &hub);
    if (r < 0)
        return r;
    feed = calloc(1, sizeof(*feed));
    if (!feed) {
        hub_unref(&hub);
        return -ENOMEM;
    }
    feed->out = out;
    feed->hub = hub;
    feed->role = role;
    feed->first = feed->end = 1;
    memcpy(feed->camera_id, camera_id, sizeof(feed->camera_id));
    number_tracks(feed);
    feed->next = out->feeds;
    if (feed->next)
        feed->next->prev = feed;
    out->feeds = feed;
    feed->watch.fn = on_news;
    hub_watch_add(hub, &feed->watch);
    se_metric_add(&rtsp_metrics[RTSP_M_FEEDS], 1);
    *ret_feed = feed;
    return 0;
}

void feed_join(struct feed *feed, struct viewer *viewer)
{
    viewer->feed = feed;
    viewer->feed_prev = NULL;
    viewer->feed_next = feed->viewers;
    if (viewer->feed_next)
        viewer->feed_next->feed_prev = viewer;
    feed->viewers = viewer;
    hub_viewer_add(feed->hub);
    on_news(&feed->watch); /* what there is already is read at the next turn */
}

void feed_leave(struct viewer *viewer)
{
    struct feed *feed = viewer->feed;
    if (!feed)
        return;
    viewer->feed = NULL;
    if (viewer->feed_prev)
        viewer->feed_prev->feed_next = viewer->feed_next;
    else
        feed->viewers = viewer->feed_next;
    if (viewer->feed_next)
        viewer->feed_next->feed_prev = viewer->feed_prev;
    hub_viewer_remove(feed->hub);
    /* Freed at the end of the turn: whoever walks the feeds now may stand on it. */
}

/* --- the ring ------------------------------------------------------------------------------------------ */

static bool grow(struct feed *feed)
{
    uint64_t count = feed->count ? feed->count * 2 : RING_MIN;
    if (count > RING_MAX)
        return false;
    struct packets **ring = calloc(count, sizeof(struct packets *));
    se_mono_us *arrived = calloc(count, sizeof(*arrived));
    if (!ring || !arrived) {
        free(ring);
        free(arrived);
        return false;
    }
    for (uint64_t i = feed->first; i < feed->end; i++) {
        ring[i & (count - 1)] = feed->ring[i & (feed->count - 1)];
        arrived[i & (count - 1)] = feed->arrived[i & (feed->count - 1)];
    }
    free(feed->ring);
    free(feed->arrived);
    feed->ring = ring;
    feed->arrived = arrived;
    feed->count = count;
    return true;
}

static void evict(struct feed *feed)
{
    struct packets **at = &feed->ring[feed->first & (feed->count - 1)];
    feed->bytes -= (*at)->size;
    se_metric_add(&rtsp_metrics[RTSP_M_CACHE_BYTES], -(int64_t)(*at)->size);
    packets_unref(at);
    if (feed->newest_key == feed->first)
        feed->newest_key = 0;
    feed->first++;
}

/* Takes the packets. What is old goes, and what the bounds forbid. */
static void push(struct feed *feed, struct packets *packets, unsigned track, se_mono_us arrived_us)
{
    packets->track = (uint8_t)track;
    if (packets->keyframe)
        feed->newest_key = feed->end;
    if (feed->end - feed->first >= feed->count)
        grow(feed);
    while (feed->first < feed->end) {
        bool full =
            feed->end - feed->first >= feed->count || feed->bytes + packets->size > feed->out->cache_bytes;
        bool before_key = feed->first < feed->newest_key;
        bool old = before_key && arrived_us - feed->arrived[feed->first & (feed->count - 1)] > KEEP_US;
        if (!full && !old)
            break;
        if (!before_key)
            rtsp_count(RTSP_M_EVICTED);
        evict(feed);
    }
    if (!feed->count) {
        rtsp_count(RTSP_M_NO_MEMORY);
        feed->newest_key = 0;
        packets_unref(&packets);
        return;
    }
    feed->ring[feed->end & (feed->count - 1)] = packets;
    feed->arrived[feed->end & (feed->count - 1)] = arrived_us;
    feed->bytes += packets->size;
    se_metric_add(&rtsp_metrics[RTSP_M_CACHE_BYTES], (int64_t)packets->size);
    feed->end++;
}

struct packets *feed_first(const struct feed *feed, uint64_t from, unsigned track)
{
    for (uint64_t i = from; i < feed->end; i++) {
        struct packets *packets = feed_at(feed, i);
        if (packets->track == track && !packets->rtcp)
            return packets;
    }
    return NULL;
}

/* --- from the hub -------------------------------------------------------------------------------------- */

uint32_t feed_time(const struct feed *feed, unsigned track, int64_t t_90k)
{
    if (track == TRACK_AUDIO)
        t_90k = t_90k / 90000 * feed->audio.sample_rate + t_90k % 90000 * feed->audio.sample_rate / 90000;
    return feed->base[track] + (uint32_t)t_90k;
}

static bool same_video(const struct video_params *a, const struct video_params *b)
{
    return a->codec == b->codec && a->config_size == b->config_size &&
           memcmp(a->config, b->config, a->config_size) == 0;
}

static bool same_audio(const struct audio_params *a, const struct audio_params *b)
{
    return a->codec == b->codec && a->config_size == b->config_size &&
           memcmp(a->config, b->config, a->config_size) == 0;
}

bool feed_look(struct feed *feed)
{
    struct hub_state state;
    hub_state(feed->hub, &state);
    if (state.removed)
        feed->ended = true;
    if (feed->ready || hub_video(feed->hub, &feed->video) < 0)
        return feed->ready;
    feed->has_audio = hub_audio(feed->hub, &feed->audio) == 0 && feed->audio.codec == CODEC_AAC &&
                      feed->audio.sample_rate > 0;
    feed->ready = video_parameter_sets(&feed->video, &feed->sets) == 0;
    return feed->ready;
}

static void packed(struct feed *feed, unsigned track, struct packets *packets, se_mono_us arrived_us)
{
    feed->packets[track] += packets->count;
    feed->octets[track] +=
        (uint32_t)(packets->size - (size_t)packets->count * (INTERLEAVED_FRAME + RTP_HEADER));
    push(feed, packets, track, arrived_us);
}

static void take_video(struct feed *feed, const struct hub_item *item)
{
    struct packets *packets;
    int r =
        packetize_video(feed->video.codec, item->keyframe ? feed->sets : NULL, item->data,
                        &feed->tracks[TRACK_VIDEO], feed_time(feed, TRACK_VIDEO, item->pts_90k), &packets);
    if (r == 0) {
        packets->keyframe = item->keyframe;
        packed(feed, TRACK_VIDEO, packets, item->arrived_us);
    } else if (r == -ENOMEM) {
        rtsp_count(RTSP_M_NO_MEMORY);
    }
}

/* The media timeline counts in 90 kHz, which is no whole number of samples: frames that follow each other are
 * put exactly behind each other. */
static uint32_t audio_time(struct feed *feed, int64_t pts_90k)
{
    uint32_t time = feed_time(feed, TRACK_AUDIO, pts_90k);
    int32_t off = (int32_t)(time - feed->audio_next), near = (int32_t)feed->audio.sample_rate / SNAP_PART;
    if (feed->audio_started && off < near && off > -near)
        time = feed->audio_next;
    feed->audio_started = true;
    feed->audio_next = time + 1024;
    return time;
}

static void take_audio(struct feed *feed, const struct hub_item *item)
{
    struct packets *packets;
    if (!feed->audio_started && se_mono_now_us() - item->arrived_us > STALE_US)
        return; /* from when somebody listened last */
    int r = packetize_aac(item->data, &feed->tracks[TRACK_AUDIO], audio_time(feed, item->pts_90k), &packets);
    if (r == 0)
        packed(feed, TRACK_AUDIO, packets, item->arrived_us);
    else if (r == -ENOMEM)
        rtsp_count(RTSP_M_NO_MEMORY);
}

/* All that is new of the video; false when what comes is no longer what was described. */
static bool read_video(struct feed *feed)
{
    struct hub_item item;
    bool same = true;
    for (;;) {
        hub_read(feed->hub, &feed->cursor, &item);
        if (item.kind == HUB_NOTHING)
            return same;
        if (item.kind == HUB_INIT) {
            struct video_params now;
            same = hub_video(feed->hub, &now) == 0 && same_video(&now, &feed->video);
        } else if (same) {
            take_video(feed, &item);
        }
        hub_item_clear(&item);
        if (!same)
            return false;
    }
}

static bool read_audio(struct feed *feed)
{
    struct hub_item item;
    for (;;) {
        hub_read_audio(feed->hub, &feed->audio_cursor, &item);
        if (item.kind == HUB_NOTHING)
            return true;
        bool same = true;
        if (item.kind == HUB_INIT) {
            struct audio_params now;
            same = hub_audio(feed->hub, &now) == 0 && same_audio(&now, &feed->audio);
        } else {
            take_audio(feed, &item);
        }
        hub_item_clear(&item);
        if (!same)
            return false;
    }
}

/* Its viewers go; who comes again finds the new one. */
static void end(struct feed *feed)
{
    feed->ended = true;
    for (struct viewer *viewer = feed->viewers, *next; viewer; viewer = next) {
        next = viewer->feed_next;
        viewer_cut(viewer, RTSP_M_CUT_ENDED);
    }
}

void feed_read(struct feed *feed)
{
    if (!feed_look(feed) && !feed->ended)
        return;
    if (feed->ended || !read_video(feed) || (feed->has_audio && !read_audio(feed))) {
        end(feed);
        return;
    }
    for (struct viewer *viewer = feed->viewers, *next; viewer; viewer = next) {
        next = viewer->feed_next;
        if (viewer->waiting)
            session_go_on(viewer);
        else if (viewer->state == VIEWER_PLAYING && !viewer->blocked)
            viewer_flush(viewer);
    }
}

size_t feed_report(const struct feed *feed, unsigned track, bool bye, uint8_t out[RTCP_MAX])
{
    const struct rtcp_sender sender = {.ssrc = feed->tracks[track].ssrc,
                                       .packets = feed->packets[track],
                                       .octets = feed->octets[track],
                                       .timestamp = feed_time(feed, track, se_mono_now_us() * 9 / 100),
                                       .now_us = se_wall_now_us()};
    return rtcp_sender_report(&sender, bye, out);
}

static void report(struct feed *feed, se_mono_us now_us)
{
    for (unsigned i = 0; i < TRACKS; i++) {
        uint8_t rtcp[RTCP_MAX];
        struct packets *packets;
        if (feed->packets[i] &&
            packetize_rtcp(rtcp, feed_report(feed, i, false, rtcp), &feed->tracks[i], &packets) == 0)
            push(feed, packets, i, now_us);
    }
}

void feed_second(struct feed *feed, se_mono_us now_us)
{
    if (!feed->viewers) {
        feed_free(feed);
        return;
    }
    if (now_us >= feed->report_at_us && feed->ready) {
        report(feed, now_us);
        feed->report_at_us = now_us + REPORT_US;
    }
    feed_read(feed); /* asks for audio once a second, too, and sends the reports */
}
