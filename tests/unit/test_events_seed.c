/* Seeds: the county of the tree loads, twice changes nothing, and what is wrong is named with its place. */
#include "events_fixture.h"

#include <errno.h>
#include <sys/stat.h>

#include "gateway/store_cameras.h"
#include "gateway/store_county.h"

static struct seed_deps deps_of(const struct fixture *f)
{
    return (struct seed_deps){
        .options = f->options, .store = f->store, .access = f->access, .events = f->events};
}

static int64_t count_of(const json_t *report, const char *what, const char *how)
{
    return se_json_int(json_object_get(report, what), how, -1);
}

static void note_camera(const char *camera_id, void *ctx)
{
    assert_int_equal(strlen(camera_id), 36);
    ++*(int *)ctx;
}

static void the_tree_loads_once(void **state)
{
    struct fixture *f = *state;
    struct seed_deps deps = deps_of(f);
    struct se_err err = {0};
    json_t *first = NULL, *second = NULL;
    int cameras = 0;
    deps.camera_changed = note_camera;
    deps.ctx = &cameras;
    if (seed_load(SEEDS, &deps, &first, &err))
        fail_msg("%s", err.text);
    assert_int_equal(count_of(first, "cameras", "added"), 12);
    assert_int_equal(cameras, 12);
    assert_int_equal(count_of(first, "grids", "added"), 48);
    assert_true(count_of(first, "divisions", "added") > 90);
    assert_true(count_of(first, "tags", "added") > 140);
    assert_true(json_array_size(json_object_get(first, "new_users")) >= 5);

    cameras = 0;
    assert_int_equal(seed_load(SEEDS, &deps, &second, &err), 0);
    const char *what;
    json_t *counts;
    json_object_foreach (second, what, counts) {
        if (!json_is_object(counts))
            continue;
        assert_int_equal(count_of(second, what, "added"), 0);
        assert_int_equal(count_of(second, what, "changed"), 0);
        assert_true(count_of(second, what, "unchanged") > 0);
    }
    assert_int_equal(json_array_size(json_object_get(second, "new_users")), 0);
    assert_int_equal(cameras, 0);
    json_decref(first);
    json_decref(second);
}

static void passwords_are_kept_for_one_reader(void **state)
{
    struct fixture *f = *state;
    char path[96], line[128];
    struct stat st;
    fixture_seed(f, SEEDS);
    snprintf(path, sizeof path, "%s/demo-users", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    char *password = strchr(line, ' ');
    assert_non_null(password);
    *password++ = '\0';
    password[strcspn(password, "\n")] = '\0';
    char token[65];
    se_wall_ms expires;
    struct access_who who;
    int retry;
    assert_int_equal(access_sign_in(f->access, line, password, "127.0.0.1", token, &expires, &who, &retry),
                     0);
}

static int check_sealed(const struct camera_row *row, void *ctx)
{
    struct fixture *f = ctx;
    if (!row->code || strcmp(row->code, "cam05"))
        return 0;
    char *plain = NULL;
    assert_string_equal(row->streams[0].url, "rtsp://10.1.2.3:8554/cam05");
    assert_string_equal(row->streams[0].username, "sharp");
    assert_null(strstr(row->streams[0].password_sealed, "n0t-in-the-clear"));
    assert_int_equal(access_unseal(f->access, row->streams[0].password_sealed, &plain), 0);
    assert_string_equal(plain, "n0t-in-the-clear");
    free(plain);
    return 1;
}

static int see_cameras(struct store_tx *tx, void *ctx)
{
    return store_camera_each(tx, NULL, check_sealed, ctx) == 1 ? 0 : -ENOENT;
}

static void variables_and_secrets(void **state)
{
    struct fixture *f = *state;
    struct seed_deps deps = deps_of(f);
    struct se_err err = {0};
    json_t *report = NULL;
    const char *sets[] = {"camera_base=rtsp://10.1.2.3:8554", "camera_password=n0t-in-the-clear"};
    deps.sets = sets;
    deps.set_count = 2;
    assert_int_equal(seed_load(SEEDS, &deps, &report, &err), 0);
    char *text = se_json_text(report);
    assert_null(strstr(text, "n0t-in-the-clear"));
    free(text);
    json_decref(report);
    assert_int_equal(store_read(f->store, see_cameras, f), 0);

    const char *unknown[] = {"nonsense=1"};
    deps.sets = unknown;
    deps.set_count = 1;
    assert_int_equal(seed_load(SEEDS, &deps, &report, &err), -EINVAL);
    assert_non_null(strstr(err.text, "nonsense"));
}

/* ---- what is wrong is named ---- */

static void write_file(const struct fixture *f, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/seeds", f->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/seeds/kinds", f->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/seeds/%s", f->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int count_divisions(struct store_tx *tx, void *ctx)
{
    se_json_ *rows = NULL;
    int rc = store_division_list(tx, NULL, NULL, NULL, 10, &rows);
    *(size_t *)ctx = json_array_size(rows);
    return rc;
}

/* Loads f->dir/seeds, which must fail, say both texts, and leave the store as it was. */
static void refused(struct fixture *f, const char *where, const char *why)
{
    struct seed_deps deps = deps_of(f);
    struct se_err err = {0};
    json_t *report = NULL;
    char dir[96];
    size_t divisions = 99;
    snprintf(dir, sizeof dir, "%s/seeds", f->dir);
    assert_int_not_equal(seed_load(dir, &deps, &report, &err), 0);
    assert_null(report);
    if (strncmp(err.text, where, strlen(where)) || !strstr(err.text, why))
        fail_msg("\"%s\" should begin with \"%s\" and hold \"%s\"", err.text, where, why);
    assert_int_equal(store_read(f->store, count_divisions, &divisions), 0);
    assert_int_equal(divisions, 0);
}

static void the_place_of_a_fault_is_named(void **state)
{
    struct fixture *f = *state;
    const char *good = "code,name,level,parent_id\n421200000000,City,city,\n";
    write_file(f, "divisions.csv",
               "code,name,level,parent_id\n421200000000,City,city,\n4212,Short,county,421200000000\n");
    refused(f, "divisions.csv:3: ", "12 digits");
    write_file(f, "divisions.csv", "code,name,level,parent_id\n\n421200000000,City\n");
    refused(f, "divisions.csv:3: ", "2 cells");
    write_file(f, "divisions.csv", "code,name,level,parent_id\n421200000000,\"City,city,\n");
    refused(f, "divisions.csv:2: ", "quote");
    write_file(f, "divisions.csv",
               "code,name,level,parent_id\n421200000000,City,city,\n421202000000,X,county,429900000000\n");
    refused(f, "divisions.csv:3: ", "no division");

    write_file(f, "divisions.csv", good);
    write_file(f, "rules.json",
               "[\n{\"code\":\"a\",\"name\":\"A\",\"when\":{},\"then\":{\"kind\":\"none\"}},\n]");
    refused(f, "rules.json: ", "3");
    write_file(
        f, "rules.json",
        "[{\"code\":\"a\",\"name\":\"A\",\"when\":{\"min_severity\":\"loud\"},\"then\":{\"kind\":\"x\"}}]");
    refused(f, "rules.json: ", "0/when/min_severity");
    write_file(f, "rules.json", "[{\"code\":\"a\",\"name\":\"A\",\"when\":{},\"then\":{\"kind\":\"none\"}}]");
    refused(f, "rules.json: ", "then/kind");

    write_file(f, "rules.json", "[]");
    write_file(f, "kinds/k.json",
               "{\"code\":\"k\",\"name\":{\"zh\":\"k\",\"en\":\"k\"},\"initial\":\"a\",\"stages\":[],"
               "\"actions\":[]}");
    refused(f, "kinds/k.json: ", "stages");
    char kind_file[160];
    snprintf(kind_file, sizeof kind_file, "%s/seeds/kinds/k.json", f->dir);
    unlink(kind_file);

    write_file(f, "grids.geojson",
               "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"properties\":{\"code\":"
               "\"g\",\"name\":\"g\","
               "\"division_id\":\"421200000000\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[0,0],"
               "[1,1],[1,0],[0,1],[0,0]]]}}]}");
    refused(f, "grids.geojson: features/0/geometry", "Self-intersection at longitude 0.5");
}

static void a_seed_directory_must_be_one(void **state)
{
    struct fixture *f = *state;
    struct seed_deps deps = deps_of(f);
    struct se_err err = {0};
    json_t *report = NULL;
    assert_int_equal(seed_load("/nonexistent/seeds", &deps, &report, &err), -ENOENT);
    assert_int_equal(seed_load(f->dir, &deps, &report, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_tree_loads_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(passwords_are_kept_for_one_reader, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(variables_and_secrets, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_place_of_a_fault_is_named, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_seed_directory_must_be_one, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
