/* The ring of live fragments and the viewers' places in it. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "live/hub.h"
#include "media_clip.h"
#include "mp4/scan.h"
#include "pixels/snapshot.h"
#include "stream.h"

static struct clip clip; /* 250 frames, a keyframe every 25 */
static int viewer_calls, viewers_any;

static void on_viewers(void *ctx, bool any)
{
    viewer_calls++;
    viewers_any = any;
}

static struct hub *hub_make(void)
{
    struct hub *hub;
    assert_int_equal(hub_new(on_viewers, NULL, &hub), 0);
    hub_set_state(hub, SOURCE_LIVE, "");
    hub_set_video(hub, &clip.params);
    return hub;
}

/* Pushes frames [from, to) as if each had come in time. */
static void push(struct hub *hub, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        struct access_unit *unit = clip_at(&clip, i % clip.count, i * 3600, 10000000 + i * 40000LL);
        hub_push(hub, unit);
        access_unit_unref(&unit);
    }
}

static enum hub_kind next(struct hub *hub, struct hub_cursor *cursor, bool *ret_key)
{
    struct hub_item item;
    hub_read(hub, cursor, &item);
    if (ret_key)
        *ret_key = item.keyframe;
    enum hub_kind kind = item.kind;
    hub_item_clear(&item);
    return kind;
}

static void a_new_viewer_starts_at_the_newest_keyframe(void **state)
{
    struct hub *hub = hub_make();
    struct hub_cursor cursor = {0};
    bool key;
    assert_int_equal(next(hub, &cursor, NULL), HUB_NOTHING);
    push(hub, 0, 60);
    assert_int_equal(next(hub, &cursor, NULL), HUB_INIT);
    assert_int_equal(next(hub, &cursor, &key), HUB_FRAGMENT);
    assert_true(key);
    for (int i = 51; i < 60; i++) {
        assert_int_equal(next(hub, &cursor, &key), HUB_FRAGMENT);
        assert_false(key);
    }
    assert_int_equal(next(hub, &cursor, NULL), HUB_NOTHING);
    assert_int_equal(cursor.skipped, 0);
    hub_unref(&hub);
}

static void a_slow_viewer_jumps_to_a_keyframe(void **state)
{
    struct hub *hub = hub_make();
    struct hub_cursor cursor = {0};
    bool key;
    push(hub, 0, 30);
    assert_int_equal(next(hub, &cursor, NULL), HUB_INIT);
    assert_int_equal(next(hub, &cursor, NULL), HUB_FRAGMENT);
    push(hub, 30, 240);
    assert_int_equal(next(hub, &cursor, &key), HUB_FRAGMENT);
    assert_true(key);
    assert_true(cursor.skipped > 150);
    hub_unref(&hub);
}

/* What lies before the newest keyframe is kept for viewers that lag, and for nobody else. */
static void the_group_before_is_kept_while_somebody_watches(void **state)
{
    for (int watched = 0; watched < 2; watched++) {
        struct hub *hub = hub_make();
        struct hub_cursor cursor = {0};
        bool key;
        if (watched)
            hub_viewer_add(hub);
        push(hub, 0, 41);
        while (next(hub, &cursor, NULL) != HUB_NOTHING)
            ;
        push(hub, 41, 52); /* 50 is a keyframe */
        assert_int_equal(next(hub, &cursor, &key), HUB_FRAGMENT);
        assert_int_equal(key, !watched);
        assert_int_equal(cursor.skipped, watched ? 0 : 9);
        if (watched)
            hub_viewer_remove(hub);
        hub_unref(&hub);
    }
}

static void the_ring_is_bounded_by_bytes(void **state)
{
    struct hub *hub = hub_make();
    hub_cache_bytes(hub, 20000);
    size_t kept = 0;
    bool more;
    for (unsigned i = 0; i < 250; i++)
        push(hub, i, i + 1);
    struct hub_cursor cursor = {0};
    struct hub_item item;
    do {
        hub_read(hub, &cursor, &item);
        if (item.kind == HUB_FRAGMENT)
            kept += item.data->size;
        more = item.kind != HUB_NOTHING;
        hub_item_clear(&item);
    } while (more);
    assert_true(kept <= 20000);
    /* A group of pictures larger than the cap: nobody starts in its middle. */
    struct hub_cursor late = {0};
    hub_cache_bytes(hub, 1);
    push(hub, 251, 260);
    assert_int_equal(next(hub, &late, NULL), HUB_NOTHING);
    hub_unref(&hub);
}

static void fragments_make_a_file_that_plays(void **state)
{
    struct hub *hub = hub_make();
    struct hub_cursor cursor = {0};
    struct hub_item item;
    remove("test_ingest_hub.mp4");
    for (unsigned i = 0; i < 50; i++) {
        push(hub, i, i + 1);
        for (;;) {
            hub_read(hub, &cursor, &item);
            if (item.kind == HUB_NOTHING)
                break;
            if (item.head)
                clip_save("test_ingest_hub.mp4", item.head->data, item.head->size, "ab");
            clip_save("test_ingest_hub.mp4", item.data->data, item.data->size, "ab");
            hub_item_clear(&item);
        }
    }
    struct seen seen = clip_watch("test_ingest_hub.mp4");
    assert_int_equal(seen.pictures, 50);
    assert_int_equal(seen.errors, 0);
    assert_true(seen.last_s - seen.first_s > 1.95 && seen.last_s - seen.first_s < 1.97);
    remove("test_ingest_hub.mp4");
    hub_unref(&hub);
}

static void other_parameters_are_a_new_init(void **state)
{
    struct hub *hub = hub_make();
    struct hub_cursor cursor = {0};
    struct hub_state before, after;
    push(hub, 0, 10);
    while (next(hub, &cursor, NULL) != HUB_NOTHING)
        ;
    hub_state(hub, &before);
    assert_non_null(strstr(before.mime, clip.params.mime));
    hub_set_video(hub, &clip.params); /* the same again: nothing new */
    push(hub, 10, 11);
    assert_int_equal(next(hub, &cursor, NULL), HUB_FRAGMENT);
    struct video_params other = clip.params;
    other.width = 640;
    hub_set_video(hub, &other);
    hub_state(hub, &after);
    assert_true(after.version != before.version);
    push(hub, 11, 25); /* none is a keyframe: nothing can be shown by the new init */
    assert_int_equal(next(hub, &cursor, NULL), HUB_NOTHING);
    push(hub, 25, 26);
    assert_int_equal(next(hub, &cursor, NULL), HUB_INIT);
    assert_int_equal(next(hub, &cursor, NULL), HUB_FRAGMENT);
    hub_unref(&hub);
}

static void an_outage_leaves_no_old_picture(void **state)
{
    struct hub *hub = hub_make();
    struct hub_cursor cursor = {0}, late = {0};
    bool key;
    push(hub, 0, 30);
    while (next(hub, &cursor, NULL) != HUB_NOTHING)
        ;
    hub_set_state(hub, SOURCE_OFFLINE, "no answer");
    assert_int_equal(next(hub, &late, NULL), HUB_NOTHING);
    hub_set_state(hub, SOURCE_LIVE, "");
    push(hub, 30, 50); /* comes back in the middle of a group */
    assert_int_equal(next(hub, &cursor, NULL), HUB_NOTHING);
    push(hub, 50, 52);
    assert_int_equal(next(hub, &cursor, &key), HUB_FRAGMENT);
    assert_true(key);
    struct hub_state s;
    hub_state(hub, &s);
    assert_int_equal(s.state, SOURCE_LIVE);
    hub_remove(hub);
    hub_state(hub, &s);
    assert_true(s.removed);
    hub_unref(&hub);
}

static void viewers_are_counted(void **state)
{
    struct hub *hub = hub_make();
    viewer_calls = 0;
    hub_viewer_add(hub);
    hub_viewer_add(hub);
    assert_int_equal(viewer_calls, 1);
    assert_int_equal(viewers_any, 1);
    hub_viewer_remove(hub);
    assert_int_equal(viewer_calls, 1);
    hub_viewer_remove(hub);
    assert_int_equal(viewer_calls, 2);
    assert_int_equal(viewers_any, 0);
    hub_viewer_add(hub);
    hub_remove(hub);
    hub_viewer_remove(hub);
    assert_int_equal(viewer_calls, 3); /* none after the hub was removed */
    hub_unref(&hub);
}

struct told {
    struct hub_watch watch;
    unsigned times;
};

static void on_news(struct hub_watch *watch)
{
    ((struct told *)watch)->times++; /* watch is its first member */
}

static void watchers_are_told_of_their_hub_only(void **state)
{
    struct hub *hub = hub_make(), *other = hub_make();
    struct told a = {.watch.fn = on_news}, b = a, c = a;
    hub_watch_add(hub, &a.watch);
    hub_watch_add(hub, &b.watch);
    hub_watch_add(other, &c.watch);
    push(hub, 0, 3);
    assert_int_equal(a.times, 3);
    assert_int_equal(b.times, 3);
    assert_int_equal(c.times, 0);
    uint32_t version = hub_version(hub);
    hub_watch_remove(hub, &b.watch);
    hub_set_state(hub, SOURCE_OFFLINE, "gone");
    assert_int_equal(a.times, 4);
    assert_int_equal(b.times, 3);
    assert_int_not_equal(hub_version(hub), version);
    hub_remove(hub);
    assert_int_equal(a.times, 5);
    hub_watch_remove(hub, &a.watch);
    hub_watch_remove(other, &c.watch);
    hub_unref(&hub);
    hub_unref(&other);
}

static void a_snapshot_is_a_jpeg_of_the_newest_keyframe(void **state)
{
    struct hub *hub = hub_make();
    struct se_buf *jpeg = NULL, *again = NULL;
    se_wall_ms at;
    struct se_err err = {0};
    assert_int_equal(snapshot_take(hub, 1, &jpeg, &at, &err), -ENOENT);
    push(hub, 0, 30);
    assert_int_equal(snapshot_take(hub, 1, &jpeg, &at, &err), 0);
    assert_int_equal(snapshot_take(hub, 1, &again, &at, &err), 0);
    assert_ptr_equal(jpeg, again); /* made once */
    assert_true(jpeg->size > 500 && jpeg->data[0] == 0xff && jpeg->data[1] == 0xd8);
    clip_save("test_ingest_hub.jpg", jpeg->data, jpeg->size, "wb");
    struct seen seen = clip_watch("test_ingest_hub.jpg");
    assert_int_equal(seen.pictures, 1);
    assert_int_equal(seen.width, 320);
    assert_int_equal(seen.height, 180);
    remove("test_ingest_hub.jpg");
    se_buf_unref(&jpeg);
    se_buf_unref(&again);
    hub_unref(&hub);
}

static int setup(void **state)
{
    clip_make(&clip, CODEC_H264, 320, 180, 250, 25, 25, 0);
    return 0;
}

static int teardown(void **state)
{
    clip_free(&clip);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_viewer_starts_at_the_newest_keyframe),
        cmocka_unit_test(a_slow_viewer_jumps_to_a_keyframe),
        cmocka_unit_test(the_group_before_is_kept_while_somebody_watches),
        cmocka_unit_test(the_ring_is_bounded_by_bytes),
        cmocka_unit_test(fragments_make_a_file_that_plays),
        cmocka_unit_test(other_parameters_are_a_new_init),
        cmocka_unit_test(an_outage_leaves_no_old_picture),
        cmocka_unit_test(viewers_are_counted),
        cmocka_unit_test(watchers_are_told_of_their_hub_only),
        cmocka_unit_test(a_snapshot_is_a_jpeg_of_the_newest_keyframe),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
