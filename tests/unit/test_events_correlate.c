/* Which signals are one happening, and which rules make it a case: on the county of the seeds. */
#include "events_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/time.h"

/* Minutes and seconds past 08:00 of a past day. */
static json_t *signal_at(int seconds, const char *type, const char *more)
{
    char text[1200];
    snprintf(text, sizeof text, "{'source':'box','type':'%s','occurred_at':'2026-11-20T08:%02d:%02dZ'%s%s}",
             type, seconds / 60, seconds % 60, *more ? "," : "", more);
    return J(text);
}

/* Posts it; the incident's id. */
static const char *post(struct fixture *f, json_t *body)
{
    static char id[8][SE_ID_LEN];
    static int next;
    struct call call = {.who = &f->admin};
    char *out = id[next++ % 8];
    if (signals_post(f->events, &call, body))
        fail_msg("%s", call.fault.err.text);
    snprintf(out, SE_ID_LEN, "%s", se_json_str(json_array_get(call.answer, 0), "incident_id", ""));
    call_fini(&call);
    json_decref(body);
    return out;
}

static json_t *get(struct fixture *f, const char *id)
{
    struct call call = {.who = &f->admin};
    assert_int_equal(incident_get(f->events, &call, id), 0);
    json_t *incident = json_incref(call.answer);
    call_fini(&call);
    return incident;
}

static int seeded(void **state)
{
    int rc = fixture_setup(state);
    if (!rc)
        fixture_seed(*state, SEEDS);
    return rc;
}

static void same_camera_and_type_within_the_window(void **state)
{
    struct fixture *f = *state;
    const char *first = post(f, signal_at(0, "illegal_parking", "'camera':'cam01'"));
    assert_string_equal(post(f, signal_at(100, "09009", "'camera':'cam01','severity':'major'")), first);
    assert_string_equal(post(f, signal_at(219, "ILLEGAL_PARKING", "'camera':'cam01','severity':'info'")),
                        first);
    /* Another camera, another type, another key, or too late: another incident. */
    assert_string_not_equal(post(f, signal_at(101, "illegal_parking", "'camera':'cam05'")), first);
    assert_string_not_equal(post(f, signal_at(102, "smoke", "'camera':'cam01'")), first);
    assert_string_not_equal(post(f, signal_at(103, "illegal_parking", "'camera':'cam01','key':'bay 2'")),
                            first);
    assert_string_not_equal(post(f, signal_at(340, "illegal_parking", "'camera':'cam01'")), first);
    /* Late but within: counted, its times not torn. */
    assert_string_equal(post(f, signal_at(50, "illegal_parking", "'camera':'cam01'")), first);
    json_t *incident = get(f, first);
    assert_int_equal(se_json_int(incident, "count", 0), 4);
    assert_string_equal(se_json_str(incident, "severity", ""), "major");
    assert_string_equal(se_json_str(incident, "first_at", ""), "2026-11-20T08:00:00.000Z");
    assert_string_equal(se_json_str(incident, "last_at", ""), "2026-11-20T08:03:39.000Z");
    assert_string_equal(se_json_str(incident, "grid_code", ""), "421202001-04");
    json_decref(incident);
}

static void a_tag_may_have_its_own_window(void **state)
{
    struct fixture *f = *state;
    const char *first = post(f, signal_at(0, "water_level", "'camera':'cam02'"));
    assert_string_equal(post(f, signal_at(590, "water_level", "'camera':'cam02'")), first);
    assert_string_not_equal(post(f, signal_at(1300, "water_level", "'camera':'cam02'")), first);
}

static void without_a_camera_nearness_counts(void **state)
{
    struct fixture *f = *state;
    const char *first = post(f, signal_at(0, "smoke", "'location':{'lat':29.85,'lon':114.32}"));
    /* 44 m north, then 78 m: the first is near, the second is not. */
    assert_string_equal(post(f, signal_at(1, "smoke", "'location':{'lat':29.8504,'lon':114.32}")), first);
    const char *far = post(f, signal_at(2, "smoke", "'location':{'lat':29.8507,'lon':114.32}"));
    assert_string_not_equal(far, first);
    assert_string_not_equal(post(f, signal_at(3, "smoke", "'location':{'lat':29.85,'lon':114.32},'key':'a'")),
                            first);
    assert_string_not_equal(post(f, signal_at(4, "flooding", "'location':{'lat':29.85,'lon':114.32}")),
                            first);
    /* Two unknown types at one place are two things. */
    const char *carpet = post(f, signal_at(5, "carpet", "'location':{'lat':29.85,'lon':114.32}"));
    assert_string_not_equal(post(f, signal_at(6, "kite", "'location':{'lat':29.85,'lon':114.32}")), carpet);
    assert_string_equal(post(f, signal_at(7, "carpet", "'location':{'lat':29.85,'lon':114.32}")), carpet);
    json_t *incident = get(f, first);
    assert_int_equal(se_json_int(incident, "count", 0), 2);
    assert_non_null(se_json_str(incident, "grid_id", NULL));
    json_decref(incident);
}

static void ended_incidents_are_not_joined(void **state)
{
    struct fixture *f = *state;
    const char *first = post(f, signal_at(0, "camera_fault", "'camera':'cam01'"));
    struct call call = {.who = &f->admin};
    json_t *body = J("{'status':'false_alarm'}");
    assert_int_equal(incident_change(f->events, &call, first, body), -EINVAL); /* no reason */
    call_fini(&call);
    json_decref(body);
    body = J("{'status':'false_alarm','reason':'a spider'}");
    call = (struct call){.who = &f->admin};
    assert_int_equal(incident_change(f->events, &call, first, body), 0);
    assert_string_equal(se_json_str(call.answer, "status", ""), "false_alarm");
    call_fini(&call);
    assert_string_not_equal(post(f, signal_at(5, "camera_fault", "'camera':'cam01'")), first);
    call = (struct call){.who = &f->admin};
    assert_int_equal(incident_changes(f->events, &call, first), 0);
    assert_int_equal(json_array_size(call.answer), 1);
    assert_string_equal(se_json_str(json_array_get(call.answer, 0), "reason", ""), "a spider");
    assert_string_equal(se_json_str(json_array_get(call.answer, 0), "user_id", ""), f->admin.user_id);
    call_fini(&call);
    json_decref(body);
    body = J("{'status':'resolved'}");
    call = (struct call){.who = &f->admin};
    assert_int_equal(incident_change(f->events, &call, first, body), -EEXIST);
    call_fini(&call);
    json_decref(body);
}

static void the_recorded_range_follows_the_incident(void **state)
{
    struct fixture *f = *state;
    const char *first = post(f, signal_at(60, "smoke", "'camera':'cam11'"));
    post(f, signal_at(120, "smoke", "'camera':'cam11'"));
    struct call call = {.who = &f->admin};
    assert_int_equal(incident_evidence(f->events, &call, first), 0);
    const json_t *row = json_array_get(call.answer, 0);
    assert_string_equal(se_json_str(row, "kind", ""), "recording");
    assert_string_equal(se_json_str(row, "from", ""), "2026-11-20T08:00:50.000Z");
    assert_string_equal(se_json_str(row, "to", ""), "2026-11-20T08:02:20.000Z");
    assert_non_null(strstr(se_json_str(row, "url", ""), "/playback.mp4?from=2026-11-20T08:00:50.000Z&to="));
    call_fini(&call);
}

struct storm {
    struct fixture *f;
    int wrong;
};

static void *blow(void *ctx)
{
    struct storm *storm = ctx;
    for (int i = 0; i < 5; i++) {
        struct call call = {.who = &storm->f->admin};
        json_t *batch = json_array();
        for (int n = 0; n < 100; n++)
            json_array_append_new(batch, signal_at(i * 10, "smoke", "'camera':'cam11'"));
        storm->wrong += signals_post(storm->f->events, &call, batch) != 0;
        call_fini(&call);
        json_decref(batch);
    }
    return NULL;
}

static void a_storm_is_one_incident_and_one_case(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    struct storm storms[4];
    for (int i = 0; i < 4; i++) {
        storms[i] = (struct storm){f, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, blow, &storms[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(storms[i].wrong, 0);
    }
    struct call call = {.who = &f->admin};
    struct incident_query query = {.limit = 100};
    assert_int_equal(incident_list(f->events, &call, &query), 0);
    assert_int_equal(json_array_size(call.answer), 1);
    assert_int_equal(se_json_int(json_array_get(call.answer, 0), "count", 0), 2000);
    call_fini(&call);
    struct case_query cases = {.limit = 100};
    call = (struct call){.who = &f->admin};
    assert_int_equal(case_list(f->events, &call, &cases), 0);
    assert_int_equal(json_array_size(call.answer), 1);
    call_fini(&call);
}

static void a_restart_goes_on_counting(void **state)
{
    struct fixture *f = *state;
    char first[SE_ID_LEN];
    snprintf(first, sizeof first, "%s", post(f, signal_at(0, "smoke", "'camera':'cam11'")));
    fixture_stop(f);
    fixture_start(f);
    assert_string_equal(post(f, signal_at(30, "smoke", "'camera':'cam11'")), first);
    json_t *incident = get(f, first);
    assert_int_equal(se_json_int(incident, "count", 0), 2);
    assert_non_null(se_json_str(incident, "case_id", NULL));
    json_decref(incident);
}

/* ---- what the bus is told of it ---- */

struct told {
    int created, updated;
    int64_t count;
    pthread_mutex_t lock;
};

static void hear(const struct bus_event *event, void *ctx)
{
    struct told *told = ctx;
    pthread_mutex_lock(&told->lock);
    told->created += !strcmp(event->type, "incident.created");
    told->updated += !strcmp(event->type, "incident.updated");
    if (!strncmp(event->type, "incident.", 9))
        told->count = se_json_int(event->data, "count", 0);
    pthread_mutex_unlock(&told->lock);
}

static int64_t heard_count(struct told *told)
{
    pthread_mutex_lock(&told->lock);
    int64_t count = told->count;
    pthread_mutex_unlock(&told->lock);
    return count;
}

static void a_storm_is_told_once_a_second_and_to_its_end(void **state)
{
    struct fixture *f = *state;
    struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(bus_subscribe(f->bus, hear, &told), 0);
    se_mono_us began = se_mono_now_us();
    for (int i = 0; i < 100; i++)
        post(f, signal_at(i / 10, "smoke", "'camera':'cam11'"));
    int64_t seconds = (se_mono_now_us() - began) / SE_US_PER_S + 2;
    while (heard_count(&told) < 100 && se_mono_now_us() - began < 20 * SE_US_PER_S)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    bus_unsubscribe(f->bus, hear, &told);
    assert_int_equal(told.count, 100); /* the last word is right */
    assert_int_equal(told.created, 1);
    assert_in_range(told.updated, 2, 2 * seconds);

    /* The second one is told at once, and so is what is more than a count. */
    told.updated = 0;
    const char *first = post(f, signal_at(0, "flooding", "'camera':'cam12','severity':'minor'"));
    assert_int_equal(bus_subscribe(f->bus, hear, &told), 0);
    post(f, signal_at(1, "flooding", "'camera':'cam12','severity':'minor'"));
    assert_int_equal(told.updated, 1);
    assert_string_equal(post(f, signal_at(2, "flooding", "'camera':'cam12','severity':'critical'")), first);
    assert_int_equal(told.updated, 2);
    bus_unsubscribe(f->bus, hear, &told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_camera_and_type_within_the_window, seeded, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_tag_may_have_its_own_window, seeded, fixture_teardown),
        cmocka_unit_test_setup_teardown(without_a_camera_nearness_counts, seeded, fixture_teardown),
        cmocka_unit_test_setup_teardown(ended_incidents_are_not_joined, seeded, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_recorded_range_follows_the_incident, seeded, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_storm_is_one_incident_and_one_case, seeded, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_storm_is_told_once_a_second_and_to_its_end, seeded,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_restart_goes_on_counting, seeded, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
