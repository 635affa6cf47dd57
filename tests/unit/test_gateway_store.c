/* The store: groups, failures that stay their own, readers, upgrades, damage. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/metrics.h"
#include "base/str.h"
#include "base/time.h"
#include "gateway/store.h"
#include "store/conn.h"
#include "store/schema.h"
#include "store/sql.h"

struct place {
    char directory[64], path[96], url[128];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    snprintf(place->directory, sizeof(place->directory), "/tmp/sharpeyes-store-XXXXXX");
    if (!mkdtemp(place->directory))
        return -1;
    snprintf(place->path, sizeof(place->path), "%s/s.db", place->directory);
    snprintf(place->url, sizeof(place->url), "sqlite:%s", place->path);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char pattern[96];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/*", place->directory);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    int r = rmdir(place->directory);
    free(place);
    return r;
}

static struct store *open_store(const struct place *place)
{
    struct store *store = NULL;
    struct se_err err = {0};
    if (store_open(place->url, 2, &store, &err) < 0)
        fail_msg("%s", err.text);
    return store;
}

static int create_table(struct store_tx *tx, void *ctx)
{
    return sql_exec(tx, "CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT UNIQUE CHECK (v <> 'bad'))",
                    SQL_NO_ARGS, NULL);
}

struct insert {
    int n, result;
    int then; /* what the job returns after its insert */
    atomic_bool done;
};

static int insert(struct store_tx *tx, void *ctx)
{
    struct insert *job = ctx;
    char text[16];
    snprintf(text, sizeof(text), "v%d", job->n);
    int r =
        sql_exec(tx, "INSERT INTO t (v, n) VALUES ($2, $1)", SQL_ARGS(SQL_INT(job->n), SQL_TEXT(text)), NULL);
    return r < 0 ? r : job->then;
}

static void inserted(int result, void *ctx)
{
    struct insert *job = ctx;
    job->result = result;
    job->done = true;
}

static int count_rows(struct store_tx *tx, void *ctx)
{
    return sql_int(tx, "SELECT count(*) FROM t", SQL_NO_ARGS, ctx);
}

static int64_t rows(struct store *store)
{
    int64_t count = -1;
    assert_int_equal(store_read(store, count_rows, &count), 0);
    return count;
}

static long metric(const char *name)
{
    struct se_str text = {0};
    se_metrics_render(&text);
    size_t len = strlen(name);
    long value = -1;
    for (const char *line = text.data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ' ')
            value = strtol(line + len, NULL, 10);
    }
    se_str_fini(&text);
    return value;
}

/* ---- a gate holds the writer while jobs pile up behind it ---- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
};

static int pass_gate(struct store_tx *tx, void *ctx)
{
    struct gate *gate = ctx;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return 0;
}

static void close_gate(struct store *store, struct gate *gate)
{
    *gate = (struct gate){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    assert_int_equal(store_write_async(store, pass_gate, NULL, gate), 0);
    pthread_mutex_lock(&gate->lock);
    while (!gate->entered)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

/* ---- tests ---- */

static void a_group_is_one_commit_and_failures_stay_their_own(void **state)
{
    struct store *store = open_store(*state);
    assert_int_equal(store_write(store, create_table, NULL), 0);
    struct gate gate;
    close_gate(store, &gate);
    struct insert jobs[50] = {0};
    for (int i = 0; i < 50; i++) {
        jobs[i].n = i == 20 ? 7 : i; /* 20 takes the number of 7 */
        jobs[i].then = i == 30 ? -EPERM : 0;
        assert_int_equal(store_write_async(store, insert, inserted, &jobs[i]), 0);
    }
    long before = metric("sharpeyes_store_commits_total");
    open_gate(&gate);
    assert_int_equal(rows(store) <= 48, 1);
    store_close(store);                                                    /* runs what is queued */
    assert_int_equal(metric("sharpeyes_store_commits_total") - before, 2); /* the gate's, and one for fifty */
    for (int i = 0; i < 50; i++) {
        assert_true(jobs[i].done);
        assert_int_equal(jobs[i].result, i == 20 ? -EEXIST : i == 30 ? -EPERM : 0);
    }
    store = open_store(*state);
    assert_int_equal(rows(store), 48);
    store_close(store);
}

static void the_queue_is_bounded_and_counted(void **state)
{
    struct store *store = open_store(*state);
    struct gate gate;
    close_gate(store, &gate);
    long before = metric("sharpeyes_store_queue_full_total");
    int r = 0;
    unsigned queued = 0;
    struct gate open = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, true};
    while (r == 0 && queued < 100000)
        if ((r = store_write_async(store, pass_gate, NULL, &open)) == 0)
            queued++;
    assert_int_equal(r, -EBUSY);
    assert_int_equal(queued, 8192);
    assert_int_equal(store_write(store, pass_gate, &open), -EBUSY);
    assert_int_equal(metric("sharpeyes_store_queue_full_total") - before, 2);
    open_gate(&gate);
    store_close(store);
}

struct writer {
    struct store *store;
    int from;
    int failures;
};

static void *write_hundred(void *ctx)
{
    struct writer *writer = ctx;
    for (int i = 0; i < 100; i++) {
        struct insert job = {.n = writer->from + i};
        if (store_write(writer->store, insert, &job) != 0 || rows(writer->store) < 1)
            writer->failures++;
    }
    return NULL;
}

static void many_threads_write_and_read(void **state)
{
    struct store *store = open_store(*state);
    assert_int_equal(store_write(store, create_table, NULL), 0);
    struct writer writers[6];
    pthread_t threads[6];
    for (int i = 0; i < 6; i++) {
        writers[i] = (struct writer){store, i * 1000, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, write_hundred, &writers[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].failures, 0);
    }
    assert_int_equal(rows(store), 600);
    store_close(store);
}

static int insert_bad(struct store_tx *tx, void *ctx)
{
    return sql_exec(tx, "INSERT INTO t (v) VALUES ('bad')", SQL_NO_ARGS, NULL);
}

static int wrong_count(struct store_tx *tx, void *ctx)
{
    return sql_exec(tx, "DELETE FROM t WHERE n = $1", SQL_ARGS(SQL_INT(1), SQL_INT(2)), NULL);
}

static int no_sql(struct store_tx *tx, void *ctx)
{
    return sql_exec(tx, "DELETE FROM nowhere", SQL_NO_ARGS, NULL);
}

static void mistakes_have_their_codes(void **state)
{
    struct store *store = open_store(*state);
    assert_int_equal(store_write(store, create_table, NULL), 0);
    assert_int_equal(store_write(store, insert_bad, NULL), -ENOLINK);
    assert_int_equal(store_write(store, wrong_count, NULL), -EINVAL);
    assert_int_equal(store_write(store, no_sql, NULL), -EINVAL);
    struct insert job = {.n = 1};
    assert_int_equal(store_read(store, insert, &job), -EROFS);
    assert_true(store_healthy(store));
    store_close(store);
}

static int json_of_all(struct store_tx *tx, void *ctx)
{
    return sql_json_rows(tx,
                         "SELECT $2 AS \"b:bool\", $1 AS \"t:time\", '{\"x\":[1]}' AS \"j:json\", "
                         "NULL AS \"none:time\", $4 AS \"r\", $3 AS \"s\"",
                         SQL_ARGS(SQL_INT(0), SQL_INT(1), SQL_TEXT("名"), SQL_REAL(1.5)), ctx);
}

static void rows_become_json_and_parameters_bind_by_name(void **state)
{
    struct store *store = open_store(*state);
    json_t *got = NULL;
    assert_int_equal(store_read(store, json_of_all, &got), 0);
    char *text = se_json_text(got);
    assert_string_equal(text, "[{\"b\":true,\"j\":{\"x\":[1]},\"none\":null,\"r\":1.5,\"s\":\"名\","
                              "\"t\":\"1970-01-01T00:00:00.000Z\"}]");
    free(text);
    json_decref(got);
    store_close(store);
}

/* Caps the file a few pages above its size, as a full disk would. */
static int cap_pages(struct store_tx *tx, void *ctx)
{
    char sql[64];
    int64_t pages = 0;
    int r = sql_int(tx, "PRAGMA page_count", SQL_NO_ARGS, &pages);
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", ctx ? 1000000LL : (long long)pages + 2);
    return r < 0 ? r : conn_run(tx, sql);
}

static int fill(struct store_tx *tx, void *ctx)
{
    return sql_exec(tx, "INSERT INTO t (v) SELECT hex(randomblob(20000))", SQL_NO_ARGS, NULL);
}

static void a_full_disk_is_an_error_that_ends(void **state)
{
    struct store *store = open_store(*state);
    assert_int_equal(store_write(store, create_table, NULL), 0);
    assert_int_equal(store_write(store, cap_pages, NULL), 0);
    int r = 0;
    for (int i = 0; i < 20 && r == 0; i++)
        r = store_write(store, fill, NULL);
    assert_int_equal(r, -EIO);
    assert_false(store_healthy(store));
    assert_true(rows(store) >= 0); /* reading goes on */
    assert_int_equal(store_write(store, cap_pages, (void *)1), 0);
    assert_int_equal(store_write(store, fill, NULL), 0);
    assert_true(store_healthy(store));
    store_close(store);
}

/* ---- upgrades ---- */

static const struct schema_upgrade first[] = {{"0001-one", "CREATE TABLE one (a INTEGER);"}, {NULL, NULL}};
static const struct schema_upgrade second[] = {{"0001-one", "CREATE TABLE one (a INTEGER);"},
                                               {"0003-three", "CREATE TABLE three (a INTEGER);"},
                                               {NULL, NULL}};
static const struct schema_upgrade between[] = {{"0001-one", "CREATE TABLE one (a INTEGER);"},
                                                {"0002-two", "CREATE TABLE two (a INTEGER);"},
                                                {"0003-three", "CREATE TABLE three (a INTEGER);"},
                                                {NULL, NULL}};
static const struct schema_upgrade edited[] = {{"0001-one", "CREATE TABLE one (a INTEGER, b INTEGER);"},
                                               {NULL, NULL}};
static const struct schema_upgrade broken[] = {{"0001-one", "CREATE TABLE one (a INTEGER);"},
                                               {"0002-two", "CREATE TABLE two (a INTEGER); CREATE GARBAGE;"},
                                               {NULL, NULL}};

static int upgrade(const struct place *place, const struct schema_upgrade *upgrades, int *ret_version,
                   struct se_err *err)
{
    struct store_tx conn = {0};
    int r = conn_open(&conn, place->path, true, err);
    assert_int_equal(r, 0);
    r = schema_upgrade(conn.db, place->path, upgrades, ret_version, err);
    conn_close(&conn);
    return r;
}

static size_t backups(const struct place *place)
{
    char pattern[128];
    glob_t found = {0};
    snprintf(pattern, sizeof(pattern), "%s.before-*", place->path);
    size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static bool has_table(const struct place *place, const char *name)
{
    struct store_tx conn = {0};
    char sql[64];
    assert_int_equal(conn_open(&conn, place->path, true, NULL), 0);
    snprintf(sql, sizeof(sql), "SELECT 1 FROM %s", name);
    bool has = conn_run(&conn, sql) == 0;
    conn_close(&conn);
    return has;
}

static void upgrades_are_applied_once_with_a_backup_before(void **state)
{
    struct place *place = *state;
    struct se_err err = {0};
    int version = 0;
    assert_int_equal(upgrade(place, first, &version, &err), 0);
    assert_int_equal(version, 1);
    assert_int_equal(backups(place), 0); /* there was nothing to lose */
    assert_int_equal(upgrade(place, first, &version, &err), 0);
    assert_int_equal(backups(place), 0);
    assert_int_equal(upgrade(place, second, &version, &err), 0);
    assert_int_equal(version, 3);
    assert_int_equal(backups(place), 1);
    assert_int_equal(upgrade(place, between, &version, &err), 0); /* one that was missing in between */
    assert_true(has_table(place, "two"));
    assert_int_equal(backups(place), 2);
}

static void edited_and_newer_upgrades_are_refused(void **state)
{
    struct place *place = *state;
    struct se_err err = {0};
    int version = -1;
    assert_int_equal(upgrade(place, second, &version, &err), 0);
    assert_int_equal(upgrade(place, first, &version, &err), -ENOTSUP);
    assert_non_null(strstr(err.text, "newer program (0003-three)"));
    assert_int_equal(upgrade(place, edited, &version, &err), -ENOTSUP);
    assert_non_null(strstr(err.text, "0001-one reads differently"));
    assert_int_equal(version, 3); /* untouched on failure */
}

static void a_broken_upgrade_leaves_nothing_behind(void **state)
{
    struct place *place = *state;
    struct se_err err = {0};
    int version = 0;
    assert_int_equal(upgrade(place, first, &version, &err), 0);
    assert_true(upgrade(place, broken, &version, &err) < 0);
    assert_non_null(strstr(err.text, "0002-two failed and was undone"));
    assert_false(has_table(place, "two"));
    assert_int_equal(upgrade(place, second, &version, &err), 0);
}

/* ---- opening ---- */

static void refuse_open(const char *url, int code, const char *piece)
{
    struct store *store = (struct store *)0x1;
    struct se_err err = {0};
    assert_int_equal(store_open(url, 1, &store, &err), code);
    if (!strstr(err.text, piece))
        fail_msg("\"%s\" does not say \"%s\"", err.text, piece);
    assert_ptr_equal(store, 0x1);
}

static void bad_urls_and_places(void **state)
{
    struct place *place = *state;
    char url[160];
    refuse_open("postgresql://x", -ENOTSUP, "PostgreSQL");
    refuse_open("mysql:x", -EINVAL, "sqlite:PATH");
    snprintf(url, sizeof(url), "sqlite:%s/no/s.db", place->directory);
    refuse_open(url, -ENOENT, "Does its directory exist");
    refuse_open("sqlite:/proc/s.db", -ENOENT, "may this user write");
}

static void damage_is_named(void **state)
{
    struct place *place = *state;
    FILE *out = fopen(place->path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", out);
    fclose(out);
    refuse_open(place->url, -EIO, "is damaged");
    unlink(place->path);

    struct store *store = open_store(place);
    assert_int_equal(store_write(store, create_table, NULL), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(store_write(store, fill, NULL), 0);
    store_close(store);
    struct stat st;
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int fd = open(place->path, O_WRONLY);
    static const char garbage[8192] = {0x55};
    for (off_t at = 4096; at < st.st_size; at += 8192)
        assert_int_equal(pwrite(fd, garbage, 4096, at), 4096);
    close(fd);
    refuse_open(place->url, -EIO, "is damaged");
}

static void a_backup_is_a_whole_database(void **state)
{
    struct place *place = *state;
    struct store *store = open_store(place);
    struct se_err err = {0};
    assert_int_equal(store_write(store, create_table, NULL), 0);
    struct insert job = {.n = 5};
    assert_int_equal(store_write(store, insert, &job), 0);
    char copy[128];
    snprintf(copy, sizeof(copy), "%s/copy.db", place->directory);
    assert_int_equal(store_backup(store, copy, &err), 0);
    assert_int_equal(store_backup(store, copy, &err), -EEXIST);
    store_close(store);
    struct stat st;
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char url[160];
    snprintf(url, sizeof(url), "sqlite:%s", copy);
    assert_int_equal(store_open(url, 1, &store, &err), 0);
    assert_int_equal(rows(store), 1);
    assert_true(store_schema_version(store) >= 2);
    store_close(store);
}

static void another_program_that_locks_makes_writes_busy(void **state)
{
    struct place *place = *state;
    struct store *store = open_store(place);
    assert_int_equal(store_write(store, create_table, NULL), 0);
    struct store_tx other = {0};
    assert_int_equal(conn_open(&other, place->path, true, NULL), 0);
    assert_int_equal(conn_run(&other, "BEGIN IMMEDIATE"), 0);
    struct insert job = {.n = 1};
    assert_int_equal(store_write(store, insert, &job), -EBUSY); /* after the 5 s it waits */
    assert_false(store_healthy(store));
    assert_int_equal(rows(store), 0);
    se_mono_us began = se_mono_now_us();
    assert_int_equal(store_write(store, insert, &job), -EBUSY); /* and now it says so soon */
    assert_true(se_mono_now_us() - began < 2 * SE_US_PER_S);
    assert_int_equal(conn_run(&other, "ROLLBACK"), 0);
    conn_close(&other);
    for (int i = 0; i < 50 && !store_healthy(store); i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000000},
                  NULL); /* it finds out by itself within a second or so */
    assert_true(store_healthy(store));
    assert_int_equal(store_write(store, insert, &job), 0);
    store_close(store);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_group_is_one_commit_and_failures_stay_their_own),
        TEST(the_queue_is_bounded_and_counted),
        TEST(many_threads_write_and_read),
        TEST(mistakes_have_their_codes),
        TEST(rows_become_json_and_parameters_bind_by_name),
        TEST(a_full_disk_is_an_error_that_ends),
        TEST(upgrades_are_applied_once_with_a_backup_before),
        TEST(edited_and_newer_upgrades_are_refused),
        TEST(a_broken_upgrade_leaves_nothing_behind),
        TEST(bad_urls_and_places),
        TEST(damage_is_named),
        TEST(a_backup_is_a_whole_database),
        TEST(another_program_that_locks_makes_writes_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
