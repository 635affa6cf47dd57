/* A page's live body: records, tiles, which stream a tile shows, and sockets that take little at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/json.h"
#include "http/batch.h"
#include "live/session.h"
#include "stream.h" /* ingest's own: the test feeds a hub by hand */

/* What a client makes of the body. */
struct client {
    struct live_session *session;
    struct hub_slot {
        struct hub_watch watch;
        struct client *client;
        struct hub *hub;
    } slots[LIVE_SLOTS];
    unsigned wakes;
    uint8_t bytes[1 << 20];
    size_t len;
    unsigned states, inits, fragments, keepalives;
    json_t *last; /* state of the tile looked at */
    unsigned tile;
};

static struct hub *hub_make(enum codec codec, enum source_state state)
{
    struct hub *hub;
    struct video_params params = {
        .codec = codec, .width = 64, .height = 64, .config = {1}, .config_size = 23};
    snprintf(params.mime, sizeof(params.mime), "%s", codec == CODEC_H264 ? "avc1.64001f" : "hvc1.1.6.L93.B0");
    assert_int_equal(hub_new(NULL, NULL, &hub), 0);
    hub_set_state(hub, state, "");
    hub_set_video(hub, &params);
    return hub;
}

static void push(struct hub *hub, enum codec codec, unsigned count)
{
    static int64_t pts = 0;
    for (unsigned i = 0; i < count; i++, pts += 3600) {
        struct se_buf *data = se_buf_new(3000);
        memset(data->data, 5, data->size);
        struct access_unit *unit = access_unit_new(codec, data);
        unit->keyframe = i == 0;
        unit->pts_90k = pts;
        unit->arrived_us = 1000000 + pts * 100 / 9;
        hub_push(hub, unit);
        access_unit_unref(&unit);
    }
}

static void on_news(struct hub_watch *watch)
{
    struct hub_slot *slot = (struct hub_slot *)watch; /* its first member */
    live_session_news(slot->client->session, (unsigned)(slot - slot->client->slots));
}

static int follow(void *ctx, unsigned number, struct hub *hub)
{
    struct client *c = ctx;
    struct hub_slot *slot = &c->slots[number];
    if (slot->hub) {
        hub_watch_remove(slot->hub, &slot->watch);
        hub_unref(&slot->hub);
    }
    if (hub) {
        slot->hub = hub_ref(hub);
        slot->watch.fn = on_news;
        slot->client = c;
        hub_watch_add(hub, &slot->watch);
    }
    return 0;
}

static void on_wake(void *ctx)
{
    ((struct client *)ctx)->wakes++;
}

/* What the parts of a batch hold, at most `most` bytes; which all went. */
static bool take(struct client *c, struct batch *batch, size_t most)
{
    struct iovec iov[BATCH_IOV];
    unsigned count = batch_iov(batch, iov);
    size_t taken = 0;
    for (unsigned i = 0; i < count && taken < most; i++) {
        size_t n = iov[i].iov_len < most - taken ? iov[i].iov_len : most - taken;
        assert_true(c->len + n <= sizeof(c->bytes));
        memcpy(c->bytes + c->len, iov[i].iov_base, n);
        c->len += n;
        taken += n;
    }
    return batch_sent(batch, taken);
}

/* Reads on, through a socket that takes `step` bytes at a time, and counts what came for the client's tile.
 */
static void client_read(struct client *c, size_t step)
{
    size_t at = 0;
    struct batch batch = {0};
    struct http_part piece = {0};
    c->len = 0;
    for (bool more = true; more;) {
        while (!batch_full(&batch) && (more = live_session_next(c->session, &piece) > 0))
            batch_add(&batch, &piece);
        batch_close(&batch, false);
        while (!take(c, &batch, step))
            assert_int_not_equal(batch.count, 0);
    }
    while (at < c->len) {
        assert_true(c->len - at >= LIVE_HEAD);
        const uint8_t *head = c->bytes + at;
        size_t size = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
        assert_true(size <= c->len - at - LIVE_HEAD);
        assert_int_equal(head[2] | head[3], 0);
        at += LIVE_HEAD + size;
        if (head[0] == LIVE_KEEPALIVE) {
            assert_int_equal(size, 0);
            c->keepalives++;
        }
        if (head[1] != c->tile || head[0] == LIVE_KEEPALIVE)
            continue;
        if (head[0] == LIVE_JSON) {
            json_t *json;
            assert_int_equal(se_json_parse(head + LIVE_HEAD, size, &json, NULL), 0);
            if (json_object_get(json, "live")) {
                json_decref(json);
                continue;
            }
            assert_int_equal(se_json_int(json, "tile", -1), c->tile);
            json_decref(c->last);
            c->last = json;
            c->states++;
        } else if (head[0] == LIVE_INIT) {
            assert_memory_equal(head + LIVE_HEAD + 4, "ftyp", 4);
            c->inits++;
        } else {
            assert_memory_equal(head + LIVE_HEAD + 4, "moof", 4);
            c->fragments++;
        }
    }
}

static const char *said(const struct client *c, const char *member)
{
    return se_json_str(c->last, member, "");
}

static struct client *client_new(void)
{
    struct client *c = calloc(1, sizeof(*c));
    assert_int_equal(live_session_new(1000000000, &(struct live_host){follow, on_wake, c}, &c->session), 0);
    return c;
}

static void client_free(struct client *c)
{
    for (unsigned i = 0; i < LIVE_SLOTS; i++)
        follow(c, i, NULL);
    live_session_unref(&c->session);
    json_decref(c->last);
    free(c);
}

/* Chunks, whatever the socket takes at a time. */
static void a_batch_is_one_chunk(void **state)
{
    for (size_t step = 1; step < 200; step = step * 3 + 1) {
        struct client *c = calloc(1, sizeof(*c));
        struct batch batch = {0};
        struct http_part a = {.prefix = "12345678", .prefix_size = 8, .head = se_buf_copy("head", 4)};
        struct http_part b = {.data = se_buf_copy("the data", 8)};
        batch_add(&batch, &a);
        batch_add(&batch, &b);
        assert_null(a.head); /* taken */
        batch_close(&batch, true);
        while (!take(c, &batch, step)) {
        }
        assert_int_equal(batch.count + batch.sent, 0);
        assert_int_equal(c->len, 4 + 20 + 2);
        assert_memory_equal(c->bytes, "14\r\n12345678headthe data\r\n", c->len);
        for (unsigned i = 0; i < BATCH_PARTS; i++) {
            assert_false(batch_full(&batch));
            b.data = se_buf_copy("x", 1);
            batch_add(&batch, &b);
        }
        assert_true(batch_full(&batch));
        batch_close(&batch, false); /* HTTP/1.0 */
        take(c, &batch, 1);
        assert_int_equal(batch_sent(&batch, 0), false);
        batch_clear(&batch);
        b.data = se_buf_new(BATCH_BYTES);
        batch_add(&batch, &b);
        assert_true(batch_full(&batch));
        batch_clear(&batch);
        batch_close(&batch, true); /* nothing: not even a chunk, which would be the last */
        assert_int_equal(batch_iov(&batch, (struct iovec[BATCH_IOV]){0}), 0);
        assert_true(batch_sent(&batch, 0));
        free(c);
    }
}

/* What one tile has to say does not make the others be looked at. */
static void only_tiles_with_news_are_looked_at(void **state)
{
    struct client *c = client_new();
    struct hub *hub = hub_make(CODEC_H264, SOURCE_LIVE), *other = hub_make(CODEC_H264, SOURCE_LIVE);
    struct hub *hubs[STREAM_ROLES] = {hub_ref(hub), NULL}, *others[STREAM_ROLES] = {hub_ref(other), NULL};
    live_session_open(c->session, 3, LIVE_MAIN, hubs);
    live_session_open(c->session, 40, LIVE_MAIN, others);
    client_read(c, 65536);
    assert_ptr_equal(c->slots[3 * STREAM_ROLES].hub, hub);
    assert_ptr_equal(c->slots[40 * STREAM_ROLES].hub, other);
    hub_watch_remove(other, &c->slots[40 * STREAM_ROLES].watch); /* it says nothing any more */
    push(hub, CODEC_H264, 1);
    push(other, CODEC_H264, 1);
    c->tile = 40;
    c->fragments = 0;
    client_read(c, 65536);
    assert_int_equal(c->fragments, 0);
    hub_watch_add(other, &c->slots[40 * STREAM_ROLES].watch);
    push(other, CODEC_H264, 1);
    client_read(c, 65536);
    assert_int_equal(c->fragments, 1); /* a keyframe each: the newest */
    hub_unref(&hub);
    hub_unref(&other);
    client_free(c);
}

static void records_are_whole_in_buffers_of_any_size(void **state)
{
    for (size_t step = 1; step < 20000; step = step * 5 + 2) {
        struct client *c = client_new();
        struct hub *hub = hub_make(CODEC_H264, SOURCE_LIVE);
        struct hub *hubs[STREAM_ROLES] = {hub_ref(hub), NULL};
        c->tile = 63;
        live_session_open(c->session, 63, LIVE_AUTO, hubs);
        push(hub, CODEC_H264, 20);
        client_read(c, step);
        assert_int_equal(c->inits, 1);
        assert_int_equal(c->fragments, 20);
        assert_true(c->states >= 1);
        assert_string_equal(said(c, "state"), "live");
        assert_string_equal(said(c, "mime"), "video/mp4; codecs=\"avc1.64001f\"");
        client_read(c, step);
        assert_int_equal(c->len, 0); /* nothing new */
        push(hub, CODEC_H264, 1);
        client_read(c, step);
        assert_int_equal(c->fragments, 21);
        hub_unref(&hub);
        client_free(c);
    }
}

static void auto_is_the_sub_stream_while_it_lives(void **state)
{
    struct client *c = client_new();
    struct hub *mains = hub_make(CODEC_H264, SOURCE_LIVE), *sub = hub_make(CODEC_H264, SOURCE_CONNECTING);
    struct hub *hubs[STREAM_ROLES] = {hub_ref(mains), hub_ref(sub)};
    live_session_open(c->session, 0, LIVE_AUTO, hubs);
    push(mains, CODEC_H264, 3);
    client_read(c, 65536);
    assert_string_equal(said(c, "stream"), "main");
    assert_int_equal(c->fragments, 3);
    hub_set_state(sub, SOURCE_LIVE, "");
    push(sub, CODEC_H264, 3);
    push(mains, CODEC_H264, 3);
    client_read(c, 65536);
    assert_string_equal(said(c, "stream"), "sub");
    assert_int_equal(c->inits, 2);
    assert_int_equal(c->fragments, 6); /* and none of main */
    hub_set_state(sub, SOURCE_OFFLINE, "no answer");
    push(mains, CODEC_H264, 3);
    client_read(c, 65536);
    assert_string_equal(said(c, "stream"), "main");
    assert_string_equal(said(c, "state"), "live");
    hub_set_state(mains, SOURCE_OFFLINE, "no answer");
    client_read(c, 65536);
    assert_string_equal(said(c, "state"), "offline");
    assert_string_equal(said(c, "reason"), "no answer");
    hub_remove(mains);
    hub_remove(sub);
    client_read(c, 65536);
    assert_string_equal(said(c, "state"), "offline");
    assert_non_null(strstr(said(c, "reason"), "removed"));
    hub_unref(&mains);
    hub_unref(&sub);
    client_free(c);
}

static void what_the_page_cannot_play_is_not_sent(void **state)
{
    struct client *c = client_new();
    struct hub *mains = hub_make(CODEC_H264, SOURCE_LIVE), *sub = hub_make(CODEC_H265, SOURCE_LIVE);
    struct hub *both[STREAM_ROLES] = {hub_ref(mains), hub_ref(sub)},
               *only[STREAM_ROLES] = {NULL, hub_ref(sub)};
    live_session_accepts(c->session, LIVE_AVC);
    live_session_open(c->session, 0, LIVE_AUTO, both);
    push(mains, CODEC_H264, 2);
    push(sub, CODEC_H265, 2);
    client_read(c, 65536);
    assert_string_equal(said(c, "stream"), "main"); /* rather than a sub stream it cannot show */
    assert_int_equal(c->fragments, 2);
    c->tile = 1;
    c->inits = c->fragments = 0;
    live_session_open(c->session, 1, LIVE_SUB, only);
    client_read(c, 65536);
    assert_string_equal(said(c, "state"), "unsupported");
    assert_true(strlen(said(c, "reason")) > 10);
    assert_int_equal(c->inits + c->fragments, 0);
    live_session_accepts(c->session, LIVE_AVC | LIVE_HEVC);
    client_read(c, 65536);
    assert_string_equal(said(c, "state"), "live");
    assert_int_equal(c->fragments, 2);
    hub_unref(&mains);
    hub_unref(&sub);
    client_free(c);
}

static void refused_and_closed_tiles_say_so_once(void **state)
{
    struct client *c = client_new();
    struct hub *hub = hub_make(CODEC_H264, SOURCE_LIVE);
    struct hub *hubs[STREAM_ROLES] = {hub_ref(hub), NULL};
    c->tile = 7;
    live_session_refuse(c->session, 7, "denied", "not yours");
    live_session_wake(c->session);
    assert_int_equal(c->wakes, 1);
    client_read(c, 100);
    client_read(c, 100);
    assert_int_equal(c->states, 1);
    assert_string_equal(said(c, "state"), "denied");
    live_session_open(c->session, 7, LIVE_MAIN, hubs);
    push(hub, CODEC_H264, 2);
    live_session_close(c->session, 7);
    client_read(c, 65536);
    assert_int_equal(c->fragments, 0);
    assert_ptr_equal(c->slots[7 * STREAM_ROLES].hub, NULL); /* nor followed any more */
    live_session_end(c->session);
    live_session_wake(c->session);
    assert_int_equal(c->wakes, 1);
    struct hub *late[STREAM_ROLES] = {hub_ref(hub), NULL};
    live_session_open(c->session, 7, LIVE_MAIN, late); /* came while the page was being closed */
    client_read(c, 65536);
    assert_int_equal(c->fragments, 0);
    hub_unref(&hub);
    client_free(c);
}

static void audio_comes_when_it_is_asked_for(void **state)
{
    struct client *c = client_new();
    struct hub *hub = hub_make(CODEC_H264, SOURCE_LIVE);
    struct hub *hubs[STREAM_ROLES] = {hub_ref(hub), NULL};
    struct audio_params aac = {
        .codec = CODEC_AAC, .sample_rate = 48000, .channels = 2, .config = {0x11, 0x90}, .config_size = 2};
    hub_set_audio(hub, &aac);
    c->tile = 5 + LIVE_AUDIO;
    live_session_open(c->session, 5, LIVE_AUTO, hubs);
    for (int round = 0; round < 2; round++) {
        push(hub, CODEC_H264, 2);
        client_read(c, 65536); /* in the second round somebody has begun to read it */
        for (int i = 0; i < 10; i++) {
            struct access_unit *unit = access_unit_new(CODEC_AAC, se_buf_copy("sound", 5));
            unit->pts_90k = (round * 10 + i) * 1920;
            unit->arrived_us = se_mono_now_us();
            hub_push(hub, unit);
            access_unit_unref(&unit);
            client_read(c, 65536);
        }
        if (round == 0) {
            assert_int_equal(c->states + c->inits + c->fragments, 0);
            live_session_audio(c->session, true);
        }
    }
    assert_string_equal(said(c, "mime"), "audio/mp4; codecs=\"mp4a.40.2\"");
    assert_int_equal(c->states, 1);
    assert_int_equal(c->inits, 1);
    assert_int_equal(c->fragments, 10);
    hub_unref(&hub);
    client_free(c);
}

static void keep_alives_come_with_and_without_traffic(void **state)
{
    struct client *c = calloc(1, sizeof(*c));
    assert_int_equal(live_session_new(20000, &(struct live_host){follow, on_wake, c}, &c->session), 0);
    client_read(c, 65536);
    assert_int_equal(c->keepalives, 0);
    nanosleep(&(struct timespec){0, 25000000}, NULL);
    client_read(c, 65536);
    assert_int_equal(c->keepalives, 1);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_one_chunk),
        cmocka_unit_test(only_tiles_with_news_are_looked_at),
        cmocka_unit_test(records_are_whole_in_buffers_of_any_size),
        cmocka_unit_test(auto_is_the_sub_stream_while_it_lives),
        cmocka_unit_test(what_the_page_cannot_play_is_not_sent),
        cmocka_unit_test(refused_and_closed_tiles_say_so_once),
        cmocka_unit_test(audio_comes_when_it_is_asked_for),
        cmocka_unit_test(keep_alives_come_with_and_without_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
