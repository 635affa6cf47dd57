/* Grids: what is wrong with a polygon is said with its place; points find their grid, from many threads. */
#include "events_fixture.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

#include "grid.h"

static void wrong(const char *geometry, const char *field, const char *words)
{
    struct se_err err = {0};
    json_t *json = J(geometry);
    assert_int_equal(grid_check(json, &err), -EINVAL);
    if (strcmp(err.field, field) || !strstr(err.text, words))
        fail_msg("%s: \"%s\" instead of %s: \"%s\"", err.field, err.text, field, words);
    json_decref(json);
}

static void faults_have_a_place(void **state)
{
    (void)state;
    wrong("{'type':'Point','coordinates':[1,2]}", "type", "Polygon");
    wrong("{'type':'Polygon','coordinates':[]}", "coordinates", "rings");
    wrong("{'type':'Polygon','coordinates':[[[0,0],[1,0],[0,0]]]}", "coordinates/0", "at least 4");
    wrong("{'type':'Polygon','coordinates':[[[0,0],[1,0],[1,1],[0,1]]]}", "coordinates/0/3", "not closed");
    wrong("{'type':'Polygon','coordinates':[[[0,0],[1,0],['a',1],[0,0]]]}", "coordinates/0/2", "position");
    wrong("{'type':'Polygon','coordinates':[[[29.8,114.3],[29.9,114.3],[29.9,114.4],[29.8,114.3]]]}",
          "coordinates/0/0", "longitude first");
    wrong("{'type':'Polygon','coordinates':[[[0,0],[2,2],[2,0],[0,2],[0,0]]]}", "coordinates",
          "Self-intersection at longitude 1.000000, latitude 1.000000");
    wrong("{'type':'Polygon','coordinates':[[[0,0],[1,0],[2,0],[0,0]]]}", "coordinates", "");
    wrong(
        "{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,4],[0,4],[0,0]],[[5,5],[6,5],[6,6],[5,6],[5,5]]]}",
        "coordinates", "Hole lies outside shell at longitude 5");
    wrong("{'type':'MultiPolygon','coordinates':[[[[0,0],[2,0],[2,2],[0,2],[0,0]]],[[[1,1],[3,1],[3,3],[1,3],"
          "[1,1]]]]}",
          "coordinates", "at longitude");
    wrong("{'type':'MultiPolygon','coordinates':[[[[0,0],[2,0],[2,2],[0,2],[0,1]]]]}", "coordinates/0/0/4",
          "not closed");
    json_t *good = J("{'type':'Polygon','coordinates':[[[0,0],[1,0],[1,1],[0,0]]]}");
    assert_int_equal(grid_check(good, NULL), 0);
    json_decref(good);
}

/* Two squares of 0.01 degrees side by side, the left one with a hole, and an island in two parts. */
static struct grid_index *make_index(void)
{
    json_t *left =
        J("{'type':'Polygon','coordinates':[[[114.30,29.80],[114.31,29.80],[114.31,29.81],[114.30,29.81],"
          "[114.30,29.80]],[[114.304,29.804],[114.306,29.804],[114.306,29.806],[114.304,29.806],[114.304,29."
          "804]]]}");
    json_t *right =
        J("{'type':'Polygon','coordinates':[[[114.31,29.80],[114.32,29.80],[114.32,29.81],[114.31,29.81],"
          "[114.31,29.80]]]}");
    json_t *parts = J("{'type':'MultiPolygon','coordinates':[[[[114.40,29.80],[114.41,29.80],[114.41,29.81],["
                      "114.40,29.80]]],"
                      "[[[114.42,29.80],[114.43,29.80],[114.43,29.81],[114.42,29.80]]]]}");
    const struct grid_entry entries[] = {
        {"left", "d1", 1, left}, {"right", "d2", 3, right}, {"parts", "d2", 1, parts}};
    struct grid_index *index = NULL;
    assert_int_equal(grid_index_new(entries, 3, &index, NULL), 0);
    json_decref(left);
    json_decref(right);
    json_decref(parts);
    return index;
}

static void points_find_their_grid(void **state)
{
    (void)state;
    struct grid_index *index = make_index();
    struct grid_found found;
    assert_int_equal(grid_locate(index, 29.805, 114.315, 0, &found), 0);
    assert_string_equal(found.grid_id, "right");
    assert_string_equal(found.division_id, "d2");
    assert_int_equal(found.version, 3);
    assert_true(found.distance_m == 0);
    assert_int_equal(grid_locate(index, 29.802, 114.302, 0, &found), 0);
    assert_string_equal(found.grid_id, "left");
    /* On the shared edge: one of them, always the same. */
    assert_int_equal(grid_locate(index, 29.805, 114.31, 0, &found), 0);
    assert_string_equal(found.grid_id, "left");
    assert_int_equal(grid_locate(index, 29.803, 114.4285, 0, &found), 0);
    assert_string_equal(found.grid_id, "parts");
    /* In the hole: outside, and 97 m from its nearest side. */
    assert_int_equal(grid_locate(index, 29.805, 114.305, 0, &found), -ENOENT);
    assert_int_equal(grid_locate(index, 29.805, 114.305, 500, &found), 0);
    assert_string_equal(found.grid_id, "left");
    assert_true(fabs(found.distance_m - 96.5) < 2);
    grid_index_free(index);
}

static void the_nearest_is_taken_within_the_bound(void **state)
{
    (void)state;
    struct grid_index *index = make_index();
    struct grid_found found;
    double lat = 29.8127; /* 300 m north of the right square */
    assert_int_equal(grid_locate(index, lat, 114.315, 250, &found), -ENOENT);
    assert_int_equal(grid_locate(index, lat, 114.315, 500, &found), 0);
    assert_string_equal(found.grid_id, "right");
    assert_true(fabs(found.distance_m - grid_distance_m(29.81, 114.315, lat, 114.315)) < 1);
    assert_int_equal(grid_locate(index, 0, 0, 500, &found), -ENOENT);
    assert_int_equal(grid_locate(index, 90, 180, 500, &found), -ENOENT);
    grid_index_free(index);

    struct grid_index *empty = NULL;
    assert_int_equal(grid_index_new(NULL, 0, &empty, NULL), 0);
    assert_int_equal(grid_locate(empty, 29.8, 114.3, 500, &found), -ENOENT);
    grid_index_free(empty);
}

static void a_bad_grid_is_named(void **state)
{
    (void)state;
    struct se_err err = {0};
    struct grid_index *index = NULL;
    json_t *good = J("{'type':'Polygon','coordinates':[[[0,0],[1,0],[1,1],[0,0]]]}");
    json_t *bad = J("{'type':'Polygon','coordinates':[[[0,0],[1,0],[1,1]]]}");
    const struct grid_entry entries[] = {{"a", "d", 1, good}, {"b", "d", 1, bad}};
    assert_int_equal(grid_index_new(entries, 2, &index, &err), -EINVAL);
    assert_null(index);
    assert_string_equal(err.field, "1/coordinates/0");
    json_decref(good);
    json_decref(bad);
}

/* The tree's grids against even-odd counting, which knows nothing of trees. */
static bool inside(const json_t *ring, double lat, double lon)
{
    bool in = false;
    size_t count = json_array_size(ring) - 1;
    for (size_t i = 0, j = count - 1; i < count; j = i++) {
        double xi = json_number_value(json_array_get(json_array_get(ring, i), 0));
        double yi = json_number_value(json_array_get(json_array_get(ring, i), 1));
        double xj = json_number_value(json_array_get(json_array_get(ring, j), 0));
        double yj = json_number_value(json_array_get(json_array_get(ring, j), 1));
        if ((yi > lat) != (yj > lat) && lon < (xj - xi) * (lat - yi) / (yj - yi) + xi)
            in = !in;
    }
    return in;
}

struct asking {
    const struct grid_index *index;
    const json_t *features;
    unsigned seed;
    int wrong, found;
};

static void *ask(void *ctx)
{
    struct asking *asking = ctx;
    for (int i = 0; i < 2000; i++) {
        double lat = 29.82 + 0.06 * rand_r(&asking->seed) / RAND_MAX;
        double lon = 114.27 + 0.10 * rand_r(&asking->seed) / RAND_MAX;
        const char *expected = NULL;
        size_t n, holds = 0;
        json_t *feature;
        json_array_foreach (asking->features, n, feature) {
            const json_t *geometry = json_object_get(feature, "geometry");
            if (inside(json_array_get(json_object_get(geometry, "coordinates"), 0), lat, lon)) {
                expected = se_json_str(json_object_get(feature, "properties"), "code", NULL);
                holds++;
            }
        }
        struct grid_found found;
        int rc = grid_locate(asking->index, lat, lon, 0, &found);
        asking->found += !rc;
        /* The demonstration's cells share their sides: no point lies in two. */
        if (holds > 1 || (expected ? rc || strcmp(expected, found.grid_id) : rc != -ENOENT))
            asking->wrong++;
    }
    return NULL;
}

static void many_threads_ask_at_once(void **state)
{
    (void)state;
    json_t *file = json_load_file(SEEDS "/grids.geojson", 0, NULL);
    const json_t *features = json_object_get(file, "features");
    size_t count = json_array_size(features), n;
    struct grid_entry *entries = calloc(count, sizeof *entries);
    struct grid_index *index = NULL;
    json_t *feature;
    json_array_foreach (features, n, feature)
        entries[n] = (struct grid_entry){se_json_str(json_object_get(feature, "properties"), "code", ""), "d",
                                         1, json_object_get(feature, "geometry")};
    assert_int_equal(grid_index_new(entries, count, &index, NULL), 0);
    free(entries);
    pthread_t threads[4];
    struct asking asking[4];
    for (unsigned i = 0; i < 4; i++) {
        asking[i] = (struct asking){index, features, i + 1, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &asking[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(asking[i].wrong, 0);
        assert_true(asking[i].found > 500);
    }
    grid_index_free(index);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_have_a_place),
        cmocka_unit_test(points_find_their_grid),
        cmocka_unit_test(the_nearest_is_taken_within_the_bound),
        cmocka_unit_test(a_bad_grid_is_named),
        cmocka_unit_test(many_threads_ask_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
