/* The county's tables: what is append-only stays, numbers do not repeat, an incident has one case. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "gateway/store_cases.h"
#include "gateway/store_county.h"
#include "store/sql.h"

struct place {
    char dir[48], url[80];
    struct store *store;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    struct se_err err = {0};
    snprintf(place->dir, sizeof place->dir, "/tmp/sharpeyes-cases-XXXXXX");
    if (!mkdtemp(place->dir))
        return -1;
    snprintf(place->url, sizeof place->url, "sqlite:%s/s.db", place->dir);
    *state = place;
    return store_open(place->url, 1, &place->store, &err);
}

static int tear_down(void **state)
{
    static const char *const files[] = {"s.db", "s.db-wal", "s.db-shm"};
    struct place *place = *state;
    store_close(place->store);
    for (size_t i = 0; i < SE_ARRAY_LEN(files); i++) {
        char path[80];
        snprintf(path, sizeof path, "%s/%s", place->dir, files[i]);
        unlink(path);
    }
    int rc = rmdir(place->dir);
    free(place);
    return rc;
}

static int add_incident(struct store_tx *tx, const char *id)
{
    return store_incident_insert(tx, &(struct incident_row){.id = id,
                                                            .tag = "other",
                                                            .severity = "minor",
                                                            .status = "new",
                                                            .source = "test",
                                                            .first_ms = 1,
                                                            .last_ms = 1,
                                                            .count = 1});
}

static int add_case(struct store_tx *tx, const char *id, const char *number, const char *incident_id)
{
    return store_case_insert(tx, &(struct case_row){.id = id,
                                                    .number = number,
                                                    .kind = "k",
                                                    .kind_version = 1,
                                                    .stage = "a",
                                                    .loop = "collect",
                                                    .status = "open",
                                                    .title = "t",
                                                    .severity = "minor",
                                                    .incident_id = incident_id,
                                                    .opened_ms = 1,
                                                    .stage_ms = 1});
}

static int fill(struct store_tx *tx, void *ctx)
{
    enum store_put put;
    (void)ctx;
    json_t *kind = json_pack("{s:s}", "code", "k");
    int rc = store_kind_put(tx, "k", kind, &put);
    json_decref(kind);
    assert_int_equal(rc, 0);
    assert_int_equal(add_incident(tx, "i1"), 0);
    assert_int_equal(add_case(tx, "c1", "N-1", "i1"), 0);
    assert_int_equal(
        store_transition_insert(
            tx,
            &(struct transition_row){.id = "t1", .case_id = "c1", .action = "open", .to = "a", .at_ms = 1}),
        0);
    assert_int_equal(store_signal_insert(tx, &(struct signal_row){.id = "s1",
                                                                  .incident_id = "i1",
                                                                  .source = "x",
                                                                  .type = "y",
                                                                  .tag = "other",
                                                                  .severity = "minor"}),
                     0);
    return store_incident_change(tx, "i1", &(struct incident_change_row){.status = "acknowledged"});
}

static int refused(struct store_tx *tx, void *ctx)
{
    return sql_exec(tx, ctx, SQL_NO_ARGS, NULL);
}

static void what_was_done_stays_done(void **state)
{
    struct place *place = *state;
    assert_int_equal(store_write(place->store, fill, NULL), 0);
    static const char *const acts[] = {
        "UPDATE transition SET note = 'x'",         "DELETE FROM transition",
        "UPDATE signal SET source = 'x'",           "DELETE FROM signal",
        "UPDATE incident_change SET reason = 'x'",  "DELETE FROM incident_change",
        "UPDATE case_kind_version SET version = 2", "DELETE FROM case_kind_version",
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(acts); i++) {
        char text[80];
        snprintf(text, sizeof text, "%s", acts[i]);
        if (store_write(place->store, refused, text) != -ENOLINK)
            fail_msg("%s was done", text);
    }
}

static int second_case(struct store_tx *tx, void *ctx)
{
    (void)ctx;
    return add_case(tx, "c2", "N-2", "i1");
}

static int same_number(struct store_tx *tx, void *ctx)
{
    (void)ctx;
    return add_case(tx, "c3", "N-1", NULL);
}

static void one_case_an_incident_one_number_a_case(void **state)
{
    struct place *place = *state;
    assert_int_equal(store_write(place->store, fill, NULL), 0);
    assert_int_equal(store_write(place->store, second_case, NULL), -EEXIST);
    assert_int_equal(store_write(place->store, same_number, NULL), -EEXIST);
}

static int count_up(struct store_tx *tx, void *ctx)
{
    int64_t number = 0;
    (void)ctx;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(store_case_next_number(tx, "XA", "20261122", &number), 0);
        assert_int_equal(number, i);
    }
    assert_int_equal(store_case_next_number(tx, "XA", "20261123", &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(store_case_next_number(tx, "JY", "20261122", &number), 0);
    assert_int_equal(number, 1);
    return 0;
}

static int undone(struct store_tx *tx, void *ctx)
{
    int64_t number;
    (void)ctx;
    assert_int_equal(store_case_next_number(tx, "XA", "20261122", &number), 0);
    assert_int_equal(number, 4);
    return -ECANCELED;
}

static void numbers_count_by_county_and_day(void **state)
{
    struct place *place = *state;
    assert_int_equal(store_write(place->store, count_up, NULL), 0);
    /* What is undone gives its number back. */
    assert_int_equal(store_write(place->store, undone, NULL), -ECANCELED);
    assert_int_equal(store_write(place->store, undone, NULL), -ECANCELED);
}

static int change_grid(struct store_tx *tx, void *ctx)
{
    enum store_put put;
    (void)ctx;
    json_t *division = json_pack("{s:s,s:s,s:s}", "id", "421202000000", "name", "d", "level", "county");
    json_t *grid = json_pack("{s:s,s:s,s:s,s:{s:s}}", "code", "g", "name", "g", "division_id", "421202000000",
                             "geometry", "type", "Polygon");
    assert_int_equal(store_division_put(tx, division, &put), 0);
    assert_int_equal(put, STORE_ADDED);
    assert_int_equal(store_grid_put(tx, grid, &put, NULL), 0);
    assert_int_equal(put, STORE_ADDED);
    assert_int_equal(store_grid_put(tx, grid, &put, NULL), 0);
    assert_int_equal(put, STORE_UNCHANGED);
    json_object_set_new(grid, "geometry", json_pack("{s:s}", "type", "MultiPolygon"));
    assert_int_equal(store_grid_put(tx, grid, &put, NULL), 0);
    assert_int_equal(put, STORE_CHANGED);
    int64_t versions = 0, now = 0;
    assert_int_equal(sql_int(tx, "SELECT count(*) FROM grid_version", SQL_NO_ARGS, &versions), 0);
    assert_int_equal(sql_int(tx, "SELECT version FROM grid", SQL_NO_ARGS, &now), 0);
    assert_int_equal(versions, 2);
    assert_int_equal(now, 2);
    json_decref(division);
    json_decref(grid);
    return 0;
}

static void a_grid_keeps_its_old_shapes(void **state)
{
    struct place *place = *state;
    assert_int_equal(store_write(place->store, change_grid, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_done_stays_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_case_an_incident_one_number_a_case, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_count_by_county_and_day, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_grid_keeps_its_old_shapes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
