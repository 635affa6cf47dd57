/* ingest/ingest.h and camera.h: cameras by their specs and viewers, on a fake source. */
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "address_rules.h"
#include "base/json.h"
#include "camera.h"
#include "codec/parameter_sets.h"

/* --- a source that does what the test says ----------------------------------------- */

struct fake {
    struct source source;
    struct source_sink sink;
    struct source_stats stats;
    char url[128];
    bool watched;
};
static struct fake *fakes[8]; /* those that run */
static unsigned fake_starts;
static unsigned last_auth_tries;

static int fake_start(struct se_loop *loop, const struct source_config *config,
                      const struct source_sink *sink, struct source **ret_source);

static void fake_stop(struct source *source)
{
    for (unsigned i = 0; i < SE_ARRAY_LEN(fakes); i++)
        if (fakes[i] && &fakes[i]->source == source)
            fakes[i] = NULL;
    free(source);
}

static void fake_stats(const struct source *source, struct source_stats *ret_stats)
{
    *ret_stats = ((const struct fake *)(const void *)source)->stats;
}

static void fake_watched(struct source *source, bool watched)
{
    ((struct fake *)(void *)source)->watched = watched;
}

static const struct source_ops source_fake = {"fake", fake_start, fake_stop, fake_stats, fake_watched};

static int fake_start(struct se_loop *loop, const struct source_config *config,
                      const struct source_sink *sink, struct source **ret_source)
{
    struct fake *fake = calloc(1, sizeof(*fake));
    fake->source.ops = &source_fake;
    fake->sink = *sink;
    snprintf(fake->url, sizeof(fake->url), "%s", config->url);
    for (unsigned i = 0; i < SE_ARRAY_LEN(fakes); i++) {
        if (fakes[i])
            continue;
        fakes[i] = fake;
        break;
    }
    fake_starts++;
    last_auth_tries = config->auth_tries;
    *ret_source = &fake->source;
    sink->state(sink->ctx, SOURCE_CONNECTING, "");
    return 0;
}

static int fake_pick(const char *url, enum stream_engine engine, const struct source_ops **ret_ops,
                     struct se_err *err)
{
    *ret_ops = &source_fake;
    return 0;
}

static struct fake *running(const char *url)
{
    for (unsigned i = 0; i < SE_ARRAY_LEN(fakes); i++)
        if (fakes[i] && !strcmp(fakes[i]->url, url))
            return fakes[i];
    return NULL;
}

static void fake_live(struct fake *fake, unsigned units)
{
    static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x0c, 0xd9, 0x01, 0x60, 0x96, 0xc0, 0x44, 0x00, 0x00,
                                  0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0x50, 0x3c, 0x50, 0xa9, 0x20};
    static const uint8_t pps[] = {0x68, 0xcb, 0x83, 0xcb, 0x20};
    struct parameter_sets sets = {.codec = CODEC_H264};
    struct video_params params;
    parameter_sets_add(&sets, sps, sizeof(sps));
    parameter_sets_add(&sets, pps, sizeof(pps));
    assert_int_equal(parameter_sets_build(&sets, &params), 0);
    fake->sink.video(fake->sink.ctx, &params);
    fake->sink.state(fake->sink.ctx, SOURCE_LIVE, "");
    for (unsigned i = 0; i < units; i++) {
        struct access_unit *unit = access_unit_new(CODEC_H264, se_buf_copy("\0\0\0\2\x65\x88", 6));
        unit->keyframe = true;
        unit->pts_90k = i * 3600;
        unit->arrived_us = se_mono_now_us();
        fake->stats.units++;
        fake->stats.bytes += 100;
        fake->sink.unit(fake->sink.ctx, unit);
        access_unit_unref(&unit);
    }
}

/* --- a house for one camera --------------------------------------------------------- */

struct house {
    char directory[64];
    struct options *options;
    struct store *store;
    struct camera_host host;
    struct se_loop *loop;
    struct camera *camera;
    pthread_mutex_t hubs;
    struct camera_spec spec;
    char told[256];
    _Atomic unsigned tellings; /* by any of an ingest's loops */
    int result;
};

static void on_state(const char *camera_id, const char *department_id, const json_t *status, void *ctx)
{
    struct house *house = ctx;
    assert_string_equal(department_id, "dep");
    size_t n = strlen(house->told);
    snprintf(house->told + n, sizeof(house->told) - n, "%s ", se_json_str(status, "state", "?"));
}

static void count_state(const char *camera_id, const char *department_id, const json_t *status, void *ctx)
{
    struct house *house = ctx;
    house->tellings++;
}

static int open_store(struct house *house)
{
    struct se_err err = {0};
    char url[96], data_dir[96];
    snprintf(house->directory, sizeof(house->directory), "/tmp/sharpeyes-manager-XXXXXX");
    assert_non_null(mkdtemp(house->directory));
    snprintf(data_dir, sizeof(data_dir), "gateway.data_dir=%s", house->directory);
    snprintf(url, sizeof(url), "sqlite:%s/store.db", house->directory);
    const char *sets[] = {data_dir, "ingest.allow=127.0.0.1,10.0.0.0/8", "ingest.loops=2",
                          "ingest.retry_min_ms=20", "ingest.retry_unreachable_max_ms=20"};
    if (options_load(NULL, NULL, sets, SE_ARRAY_LEN(sets), &house->options, &err) < 0 ||
        store_open(url, 2, &house->store, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void close_store(struct house *house)
{
    store_close(house->store);
    options_free(house->options);
    nftw(house->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int begin(void **state)
{
    struct house *house = calloc(1, sizeof(*house));
    struct se_err err = {0};
    *state = house;
    open_store(house);
    house->host = (struct camera_host){
        .options = house->options, .pick = fake_pick, .on_state = on_state, .ctx = house, .linger_us = 50000};
    ingest_metrics_register();
    if (volumes_start(house->options, house->store, &house->host.volumes, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(se_loop_new("test", &house->loop), 0);
    assert_int_equal(se_loop_start(house->loop), 0);
    pthread_mutex_init(&house->hubs, NULL);
    assert_int_equal(camera_new(&house->host, "cam", house->loop, &house->camera), 0);
    house->spec = (struct camera_spec){.id = "cam", .department_id = "dep", .enabled = true};
    house->spec.streams[STREAM_MAIN].url = "rtsp://10.0.0.1/main";
    house->spec.streams[STREAM_SUB].url = "rtsp://10.0.0.1/sub";
    return 0;
}

static void end_camera(void *ctx)
{
    struct house *house = ctx;
    camera_end(house->camera, &house->hubs);
}

static int end(void **state)
{
    struct house *house = *state;
    se_loop_call(house->loop, end_camera, house);
    assert_null(running("rtsp://10.0.0.1/main"));
    camera_unref(&house->camera);
    se_loop_stop(house->loop);
    se_loop_join(house->loop);
    se_loop_free(house->loop);
    volumes_stop(house->host.volumes);
    pthread_mutex_destroy(&house->hubs);
    close_store(house);
    free(house);
    return 0;
}

static void apply_on_loop(void *ctx)
{
    struct house *house = ctx;
    house->result = camera_apply(house->camera, &house->spec, &house->hubs);
}

static void apply(struct house *house)
{
    assert_int_equal(se_loop_call(house->loop, apply_on_loop, house), 0);
    assert_int_equal(house->result, 0);
}

static void main_live_on_loop(void *ctx)
{
    fake_live(running("rtsp://10.0.0.1/main"), 10);
}

static void nothing(void *ctx)
{
}

static json_t *status_of(struct house *house)
{
    json_t *status;
    assert_int_equal(camera_status(house->camera, &status), 0);
    return status;
}

static const char *stream_state(struct house *house, unsigned at)
{
    static char text[32];
    json_t *status = status_of(house);
    const json_t *streams = json_object_get(status, "streams");
    snprintf(text, sizeof(text), "%s", se_json_str(json_array_get(streams, at), "state", "none"));
    json_decref(status);
    return text;
}

/* --- tests --------------------------------------------------------------------------- */

static void a_camera_is_pulled_seen_and_told(void **state)
{
    struct house *house = *state;
    apply(house);
    assert_non_null(running("rtsp://10.0.0.1/main"));
    assert_non_null(running("rtsp://10.0.0.1/sub"));
    assert_int_equal(last_auth_tries, 1);
    se_loop_call(house->loop, main_live_on_loop, NULL);

    json_t *status = status_of(house);
    const json_t *main = json_array_get(json_object_get(status, "streams"), 0);
    assert_string_equal(se_json_str(status, "state", ""), "live");
    assert_string_equal(se_json_str(main, "role", ""), "main");
    assert_string_equal(se_json_str(main, "codec", ""), "h264");
    assert_int_equal(se_json_int(main, "width", 0), 352);
    assert_true(json_is_null(json_object_get(main, "last_error")));
    assert_string_equal(se_json_str(json_array_get(json_object_get(status, "streams"), 1), "state", ""),
                        "connecting");
    json_decref(status);
    assert_string_equal(house->told, "connecting live ");

    struct hub_cursor cursor = {0};
    struct hub_item item;
    hub_read(house->camera->streams[STREAM_MAIN].hub, &cursor, &item);
    assert_int_equal(item.kind, HUB_INIT);
    hub_item_clear(&item);
    hub_read(house->camera->streams[STREAM_MAIN].hub, &cursor, &item);
    assert_int_equal(item.kind, HUB_FRAGMENT);
    hub_item_clear(&item);
}

static void go_offline(void *ctx)
{
    struct fake *fake = running("rtsp://10.0.0.1/main");
    fake->sink.state(fake->sink.ctx, SOURCE_OFFLINE, "it is gone");
    fake->sink.state(fake->sink.ctx, SOURCE_OFFLINE, "it is gone");
    fake->sink.state(fake->sink.ctx, SOURCE_OFFLINE, "it refuses");
}

static void reasons_are_told_states_once(void **state)
{
    struct house *house = *state;
    apply(house);
    se_loop_call(house->loop, main_live_on_loop, NULL);
    se_loop_call(house->loop, go_offline, NULL);
    assert_string_equal(house->told, "connecting live offline ");
    json_t *status = status_of(house);
    const json_t *main = json_array_get(json_object_get(status, "streams"), 0);
    assert_string_equal(se_json_str(main, "last_error", ""), "it refuses");
    assert_true(json_is_string(json_object_get(status, "last_frame_at")));
    json_decref(status);
    struct hub_state seen;
    hub_state(house->camera->streams[STREAM_MAIN].hub, &seen);
    assert_int_equal(seen.state, SOURCE_OFFLINE);
    assert_string_equal(seen.reason, "it refuses");
}

static void only_what_changed_is_started_anew(void **state)
{
    struct house *house = *state;
    apply(house);
    struct fake *main = running("rtsp://10.0.0.1/main");
    unsigned starts = fake_starts;
    apply(house);
    assert_int_equal(fake_starts, starts);
    house->spec.streams[STREAM_SUB].password = "new";
    apply(house);
    assert_int_equal(fake_starts, starts + 1);
    assert_ptr_equal(running("rtsp://10.0.0.1/main"), main);
    house->spec.streams[STREAM_SUB].url = NULL;
    apply(house);
    assert_null(running("rtsp://10.0.0.1/sub"));
    assert_null(house->camera->streams[STREAM_SUB].hub);
    assert_string_equal(stream_state(house, 1), "none");
    assert_ptr_equal(running("rtsp://10.0.0.1/main"), main);
}

static void on_demand_pulls_while_somebody_watches(void **state)
{
    struct house *house = *state;
    house->spec.record = RECORD_ON_DEMAND;
    apply(house);
    assert_null(running("rtsp://10.0.0.1/main"));
    assert_string_equal(stream_state(house, 0), "idle");
    struct hub *hub = hub_ref(house->camera->streams[STREAM_MAIN].hub);
    hub_viewer_add(hub);
    se_loop_call(house->loop, nothing, NULL);
    assert_non_null(running("rtsp://10.0.0.1/main"));
    assert_null(running("rtsp://10.0.0.1/sub"));
    hub_viewer_remove(hub);
    hub_viewer_add(hub); /* a new one comes while it lingers */
    nanosleep(&(struct timespec){.tv_nsec = 120000000}, NULL);
    assert_string_equal(stream_state(house, 0), "connecting");
    se_mono_us left_us = se_mono_now_us();
    hub_viewer_remove(hub);
    for (unsigned i = 0; i < 200 && strcmp(stream_state(house, 0), "idle") != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(se_mono_now_us() - left_us >= house->host.linger_us);
    assert_string_equal(stream_state(house, 0), "idle");
    hub_unref(&hub);
}

static void a_source_is_told_who_watches(void **state)
{
    struct house *house = *state;
    apply(house);
    assert_false(running("rtsp://10.0.0.1/main")->watched);
    struct hub *hub = hub_ref(house->camera->streams[STREAM_MAIN].hub);
    hub_viewer_add(hub);
    hub_viewer_add(hub);
    hub_viewer_remove(hub);
    se_loop_call(house->loop, nothing, NULL);
    assert_true(running("rtsp://10.0.0.1/main")->watched);
    assert_false(running("rtsp://10.0.0.1/sub")->watched);
    house->spec.streams[STREAM_MAIN].username = "other"; /* it begins anew, and the viewer stays */
    apply(house);
    assert_true(running("rtsp://10.0.0.1/main")->watched);
    hub_viewer_remove(hub);
    se_loop_call(house->loop, nothing, NULL);
    assert_false(running("rtsp://10.0.0.1/main")->watched);
    hub_unref(&hub);
}

static void disabled_and_off(void **state)
{
    struct house *house = *state;
    apply(house);
    assert_non_null(house->camera->recorder);
    house->spec.record = RECORD_OFF;
    apply(house);
    assert_null(house->camera->recorder);
    assert_non_null(running("rtsp://10.0.0.1/main"));
    house->spec.enabled = false;
    apply(house);
    assert_null(running("rtsp://10.0.0.1/main"));
    assert_string_equal(stream_state(house, 0), "disabled");
    assert_string_equal(house->told, "connecting disabled ");
    house->spec.enabled = true;
    house->spec.record = RECORD_CONTINUOUS;
    apply(house);
    assert_non_null(house->camera->recorder);
    assert_non_null(running("rtsp://10.0.0.1/main"));
}

static void rates_are_of_the_last_seconds(void **state)
{
    struct rate rate = {0};
    double units, bytes;
    rate_read(&rate, &units, &bytes);
    assert_true(units == 0);
    for (unsigned i = 0; i < 20; i++)
        rate_add(&rate, i * SE_US_PER_S, i < 10 ? i * 25 : 250 + (i - 10) * 10, i * 1000);
    rate_read(&rate, &units, &bytes);
    assert_true(units > 9.99 && units < 10.01);
    assert_true(bytes > 999 && bytes < 1001);
}

static void check_fails(struct ingest *ingest, const char *url, const char *field)
{
    struct camera_spec spec = {.id = "x", .department_id = "dep", .enabled = true, .streams = {{.url = url}}};
    struct se_err err = {0};
    assert_int_equal(ingest_camera_set(ingest, &spec, &err), -EINVAL);
    assert_string_equal(err.field, field);
    assert_true(err.text[0]);
    json_t *status;
    assert_int_equal(ingest_camera_status(ingest, "x", &status), -ENOENT);
}

static void cameras_come_and_go(void **state)
{
    struct house house = {0};
    struct se_err err = {0};
    struct ingest *ingest;
    open_store(&house);
    struct ingest_deps deps = {
        .options = house.options, .store = house.store, .on_state = count_state, .ctx = &house};
    if (ingest_new(&deps, &ingest, &err) < 0)
        fail_msg("%s", err.text);
    check_fails(ingest, "file:///etc/passwd", "streams/0/url");
    check_fails(ingest, "rtsp://8.8.8.8/a", "streams/0/url");
    check_fails(ingest, "rtsp://169.254.169.254/a", "streams/0/url");
    check_fails(ingest, "rtsp://[::1]/a", "streams/0/url");
    check_fails(ingest, "rtsp://10.0.0.1/a\r\nX: y", "streams/0/url");

    /* A port where nobody listens: taken from the kernel and given back. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char url[64], id[16];
    snprintf(url, sizeof(url), "rtsp://127.0.0.1:%u/a", ntohs(address.sin_port));
    for (unsigned i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "cam%u", i);
        struct camera_spec spec = {.id = id,
                                   .department_id = "dep",
                                   .enabled = true,
                                   .record = RECORD_OFF,
                                   .streams = {{.url = url}}};
        assert_int_equal(ingest_camera_set(ingest, &spec, &err), 0);
    }
    json_t *status = NULL;
    bool offline = false;
    for (unsigned i = 0; i < 200 && !offline; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        assert_int_equal(ingest_camera_status(ingest, "cam7", &status), 0);
        offline = !strcmp(se_json_str(status, "state", ""), "offline");
        json_decref(status);
    }
    assert_true(offline);
    close(fd);

    struct hub *hub;
    struct hub_state seen;
    assert_int_equal(ingest_hub(ingest, "cam7", STREAM_SUB, &hub), -ENOENT);
    assert_int_equal(ingest_hub(ingest, "cam7", STREAM_MAIN, &hub), 0);
    ingest_camera_remove(ingest, "cam7");
    ingest_camera_remove(ingest, "cam7");
    assert_int_equal(ingest_camera_status(ingest, "cam7", &status), -ENOENT);
    hub_state(hub, &seen);
    assert_true(seen.removed);
    hub_unref(&hub);
    ingest_free(ingest);
    assert_true(house.tellings >= 21); /* each began to connect, and one went offline for sure */
    close_store(&house);
}

static bool allowed(const char *list, const char *host)
{
    struct address_rules rules;
    struct sockaddr_storage address;
    assert_int_equal(address_rules_parse(list, &rules, NULL), 0);
    assert_true(address_parse(host, &address));
    return address_allowed(&rules, (struct sockaddr *)&address);
}

static void addresses(void **state)
{
    static const char standard[] = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7";
    assert_true(allowed(standard, "10.255.1.2"));
    assert_true(allowed(standard, "172.31.0.1"));
    assert_false(allowed(standard, "172.32.0.1"));
    assert_true(allowed(standard, "fd12::1"));
    assert_true(allowed(standard, "::ffff:10.0.0.1"));
    assert_false(allowed(standard, "::ffff:127.0.0.1"));
    assert_false(allowed(standard, "127.0.0.1"));
    assert_false(allowed(standard, "8.8.8.8"));
    static const char all[] = "0.0.0.0/0, ::/0";
    assert_true(allowed(all, "8.8.8.8"));
    static const char *const never[] = {
        "127.0.0.1", "::1",     "0.0.0.0",        "::", "169.254.1.1", "fe80::1", "::ffff:169.254.169.254",
        "224.0.0.1", "ff02::1", "255.255.255.255"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(never); i++)
        assert_false(allowed(all, never[i]));
    assert_true(allowed("127.0.0.0/8", "127.0.0.1"));
    assert_true(allowed("127.0.0.1", "127.0.0.1"));
    assert_false(allowed("127.0.0.1", "127.0.0.2"));
    assert_true(allowed("::1", "::1"));
    assert_false(allowed("169.254.0.0/16", "169.254.1.1"));
    assert_false(allowed("", "10.0.0.1"));
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0",     "fd00::/129",
                                      "10.0.0.0/",   "10.0.0.0/x", "host"};
    struct address_rules rules;
    for (unsigned i = 0; i < SE_ARRAY_LEN(bad); i++) {
        struct se_err err = {0};
        assert_int_equal(address_rules_parse(bad[i], &rules, &err), -EINVAL);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

static void what_cannot_be_pulled_says_why(void **state)
{
    struct house *house = *state;
    house->spec.record = RECORD_ON_DEMAND;
    house->spec.streams[STREAM_MAIN].fault = "its password does not open";
    apply(house);
    assert_null(running("rtsp://10.0.0.1/main"));
    assert_string_equal(stream_state(house, 0), "offline");
    assert_string_equal(stream_state(house, 1), "idle");
    json_t *status = status_of(house);
    const json_t *main = json_array_get(json_object_get(status, "streams"), 0);
    assert_string_equal(se_json_str(main, "last_error", ""), "its password does not open");
    json_decref(status);
    house->spec.record = RECORD_OFF;
    house->spec.streams[STREAM_MAIN].fault = NULL;
    apply(house);
    assert_non_null(running("rtsp://10.0.0.1/main"));
    assert_string_equal(stream_state(house, 0), "connecting");
    house->spec.enabled = false;
    house->spec.streams[STREAM_MAIN].fault = "its password does not open";
    apply(house);
    assert_string_equal(stream_state(house, 0), "disabled");
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_camera_is_pulled_seen_and_told),   T(reasons_are_told_states_once),
        T(only_what_changed_is_started_anew),  T(on_demand_pulls_while_somebody_watches),
        T(a_source_is_told_who_watches),       T(disabled_and_off),
        T(what_cannot_be_pulled_says_why),     cmocka_unit_test(rates_are_of_the_last_seconds),
        cmocka_unit_test(cameras_come_and_go), cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
