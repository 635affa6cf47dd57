/* Signals as they come in: what is wrong is said with its path, and nothing is kept of a batch that has a
 * fault. */
#include "events_fixture.h"

#include <errno.h>
#include <glob.h>

#include "base/time.h"

static int post(struct fixture *f, const char *body, struct call *call)
{
    json_t *json = J(body);
    *call = (struct call){.who = &f->admin};
    int rc = signals_post(f->events, call, json);
    json_decref(json);
    return rc;
}

static bool has_fault(const struct call *call, const char *field)
{
    size_t n;
    json_t *error;
    json_array_foreach (call->fault.errors, n, error)
        if (!strcmp(se_json_str(error, "field", ""), field))
            return true;
    return false;
}

static void wrong(struct fixture *f, const char *body, const char *field)
{
    struct call call;
    int rc = post(f, body, &call);
    if (rc != -EINVAL || !has_fault(&call, field)) {
        char *errors = se_json_text(call.fault.errors);
        fail_msg("%s: %d, faults %s, not %s", body, rc, errors, field);
    }
    call_fini(&call);
}

static size_t incidents(struct fixture *f)
{
    struct call call = {.who = &f->admin};
    struct incident_query query = {.limit = 1000};
    assert_int_equal(incident_list(f->events, &call, &query), 0);
    size_t count = json_array_size(call.answer);
    call_fini(&call);
    return count;
}

#define GOOD "{'source':'box','type':'smoke','occurred_at':'2026-11-22T08:00:00.000Z'}"

static void every_member_is_checked(void **state)
{
    struct fixture *f = *state;
    wrong(f, "7", "");
    wrong(f, "[]", "");
    wrong(f, "{}", "source");
    wrong(f, "{}", "type");
    wrong(f, "{}", "occurred_at");
    wrong(f, "[" GOOD ",7]", "1");
    wrong(f, "[" GOOD ",{'source':'','type':'smoke','occurred_at':'2026-11-22T08:00:00Z'}]", "1/source");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'yesterday'}", "occurred_at");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2099-01-01T00:00:00Z'}", "occurred_at");
    wrong(f,
          "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','location':{'lat':91,'lon':1}}",
          "location/lat");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','location':{'lat':1}}",
          "location/lon");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','location':[1,2]}",
          "location");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','severity':'loud'}",
          "severity");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','camera':'nowhere'}",
          "camera");
    wrong(f, "[" GOOD ",{'source':'b','type':'s','occurred_at':'2026-11-22T08:00:00Z','camera':'nowhere'}]",
          "1/camera");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','message':7}", "message");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','boxes':{}}", "boxes");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','boxes':['x']}", "boxes");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','image':'!!'}", "image");
    wrong(f, "{'source':'b','type':'smoke','occurred_at':'2026-11-22T08:00:00Z','image':'aGVsbG8gd29ybGQ='}",
          "image");
    char text[400];
    snprintf(text, sizeof text, "{'source':'b','type':'%065d','occurred_at':'2026-11-22T08:00:00Z'}", 0);
    wrong(f, text, "type");
    assert_int_equal(incidents(f), 0);
}

static void a_batch_is_whole_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct call call;
    json_t *batch = json_array();
    for (int i = 0; i < SIGNALS_MAX + 1; i++)
        json_array_append_new(batch, J(GOOD));
    call = (struct call){.who = &f->admin};
    assert_int_equal(signals_post(f->events, &call, batch), -EINVAL);
    call_fini(&call);
    json_array_remove(batch, 0);
    call = (struct call){.who = &f->admin};
    assert_int_equal(signals_post(f->events, &call, batch), 0);
    assert_int_equal(json_array_size(call.answer), SIGNALS_MAX);
    call_fini(&call);
    json_decref(batch);
    assert_int_equal(incidents(f), 1);
}

static size_t pictures(const struct fixture *f)
{
    char pattern[96];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/evidence/*", f->dir);
    size_t count = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
    globfree(&found);
    return count;
}

static int broken_commit(struct call *call, store_fn fn, void *ctx)
{
    (void)call;
    (void)fn;
    (void)ctx;
    return -EIO;
}

static void a_picture_is_kept_with_its_signal(void **state)
{
    struct fixture *f = *state;
    static const char jpeg[] = "\xff\xd8\xff\xe0 the smallest picture there is \xff\xd9\0\0";
    char *base64 = se_base64_encode(jpeg, sizeof jpeg - 1);
    json_t *signal = J(GOOD);
    json_object_set_new(signal, "image", json_string(base64));
    struct call call = {.who = &f->admin};
    assert_int_equal(signals_post(f->events, &call, signal), 0);
    char *incident = strdup(se_json_str(json_array_get(call.answer, 0), "incident_id", ""));
    call_fini(&call);
    assert_int_equal(pictures(f), 1);

    call = (struct call){.who = &f->admin};
    assert_int_equal(incident_evidence(f->events, &call, incident), 0);
    const json_t *row = json_array_get(call.answer, 0);
    assert_string_equal(se_json_str(row, "kind", ""), "image");
    assert_string_equal(se_json_str(row, "media_type", ""), "image/jpeg");
    assert_int_equal(strlen(se_json_str(row, "sha256", "")), 64);
    assert_null(json_object_get(row, "file"));
    char *id = strdup(se_json_str(row, "id", ""));
    call_fini(&call);

    char *path = NULL, bytes[64];
    const char *type = NULL;
    call = (struct call){.who = &f->admin};
    assert_int_equal(incident_evidence_file(f->events, &call, incident, id, &path, &type), 0);
    assert_string_equal(type, "image/jpeg");
    FILE *file = fopen(path, "rb");
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof jpeg - 1);
    assert_memory_equal(bytes, jpeg, sizeof jpeg - 1);
    fclose(file);
    free(path);
    call_fini(&call);
    call = (struct call){.who = &f->admin};
    assert_int_equal(incident_evidence_file(f->events, &call, incident, "../../secret.key", &path, &type),
                     -ENOENT);
    call_fini(&call);

    /* What the database did not take leaves no file behind. */
    call = (struct call){.who = &f->admin, .commit = broken_commit};
    assert_int_equal(signals_post(f->events, &call, signal), -EIO);
    call_fini(&call);
    assert_int_equal(pictures(f), 1);

    json_object_set_new(signal, "image", json_sprintf("%0*d", 3000000, 0));
    call = (struct call){.who = &f->admin};
    assert_int_equal(signals_post(f->events, &call, signal), -EINVAL);
    assert_true(has_fault(&call, "image"));
    call_fini(&call);
    json_decref(signal);
    free(base64);
    free(incident);
    free(id);
}

static void an_unknown_type_is_kept(void **state)
{
    struct fixture *f = *state;
    struct call call;
    assert_int_equal(
        post(f, "{'source':'b','type':'Flying Carpet','occurred_at':'2026-11-22T08:00:00Z'}", &call), 0);
    char *id = strdup(se_json_str(json_array_get(call.answer, 0), "incident_id", ""));
    call_fini(&call);
    call = (struct call){.who = &f->admin};
    assert_int_equal(incident_get(f->events, &call, id), 0);
    assert_string_equal(se_json_str(call.answer, "tag", ""), "other");
    assert_string_equal(se_json_str(call.answer, "tag_text", ""), "Flying Carpet");
    assert_true(json_is_null(json_object_get(call.answer, "camera_id")));
    assert_true(json_is_null(json_object_get(call.answer, "location")));
    call_fini(&call);
    free(id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_member_is_checked, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_batch_is_whole_or_nothing, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_picture_is_kept_with_its_signal, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_unknown_type_is_kept, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
