/* A page's live body: records, tiles, which stream a tile shows, and buffers of every size. */
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
#include "live/session.h"
#include "stream.h" /* ingest's own: the test feeds a hub by hand */

/* What a client makes of the body. */
struct client {
    struct live_session *session;
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
    assert_int_equal(hub_new(NULL, NULL, NULL, &hub), 0);
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

/* Reads on, in buffers of `step` bytes, and counts what came for the client's tile. */
static void client_read(struct client *c, size_t step)
{
    size_t n, at = 0;
    c->len = 0;
    while (c->len + step <= sizeof(c->bytes) &&
           (n = live_session_fill(c->session, c->bytes + c->len, step)) > 0)
        c->len += n;
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
    assert_int_equal(live_session_new(1000000000, &c->session), 0);
    return c;
}

static void client_free(struct client *c)
{
    live_session_unref(&c->session);
    json_decref(c->last);
    free(c);
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
        assert_false(live_session_ready(c->session));
        push(hub, CODEC_H264, 1);
        assert_true(live_session_ready(c->session));
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
    assert_true(live_session_ready(c->session));
    client_read(c, 100);
    client_read(c, 100);
    assert_int_equal(c->states, 1);
    assert_string_equal(said(c, "state"), "denied");
    live_session_open(c->session, 7, LIVE_MAIN, hubs);
    push(hub, CODEC_H264, 2);
    live_session_close(c->session, 7);
    client_read(c, 65536);
    assert_int_equal(c->fragments, 0);
    live_session_end(c->session);
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
    assert_int_equal(live_session_new(20000, &c->session), 0);
    client_read(c, 65536);
    assert_int_equal(c->keepalives, 0);
    nanosleep(&(struct timespec){0, 25000000}, NULL);
    assert_true(live_session_ready(c->session));
    client_read(c, 65536);
    assert_int_equal(c->keepalives, 1);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_whole_in_buffers_of_any_size),
        cmocka_unit_test(auto_is_the_sub_stream_while_it_lives),
        cmocka_unit_test(what_the_page_cannot_play_is_not_sent),
        cmocka_unit_test(refused_and_closed_tiles_say_so_once),
        cmocka_unit_test(audio_comes_when_it_is_asked_for),
        cmocka_unit_test(keep_alives_come_with_and_without_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
