/* The engine: one writer that commits in groups, readers in parallel. */
#include "gateway/store.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "base/time.h"
#include "store/backup.h"
#include "store/conn.h"
#include "store/schema.h"

#define QUEUE_MAX   8192
#define BATCH_MAX   512
#define READERS_MAX 64
#define PROBE_MS    1000
#define CHECK_MS    2000 /* how long the start may look for damage */
#define SLOW_JOB_US 1000000

/* A transaction that waits for the writer: on the stack of who waits, or on the heap. */
struct job {
    struct job *next;
    store_fn fn;
    void (*done)(int result, void *ctx);
    void *ctx;
    int result;
    bool async;
    bool finished;
    pthread_cond_t wake; /* of who waits */
};

struct reader {
    struct store_tx conn;
    struct reader *next_free;
};

struct store {
    char *path;
    int version;
    struct store_tx writer;
    pthread_t thread;
    bool started;
    atomic_bool healthy;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t work;
    struct job *head, **tail;
    size_t queued;
    bool stopping;
    pthread_cond_t reader_free;
    struct reader *free_readers;

    struct reader *readers;
    unsigned reader_count;
};

enum { M_COMMITS, M_JOBS_OK, M_JOBS_FAILED, M_FULL, M_FAILURES, M_QUEUE, M_READ_WAITS };
static struct se_metric metrics[] = {
    [M_COMMITS] = {"sharpeyes_store_commits_total", "Group commits made durable.", SE_COUNTER, NULL, 0},
    [M_JOBS_OK] = {"sharpeyes_store_jobs_total", "Transactions by how they ended.", SE_COUNTER,
                   "result=\"kept\"", 0},
    [M_JOBS_FAILED] = {"sharpeyes_store_jobs_total", "Transactions by how they ended.", SE_COUNTER,
                       "result=\"undone\"", 0},
    [M_FULL] = {"sharpeyes_store_queue_full_total", "Transactions refused because the queue was full.",
                SE_COUNTER, NULL, 0},
    [M_FAILURES] = {"sharpeyes_store_commit_failures_total",
                    "Group commits that failed: disk, lock or damage.", SE_COUNTER, NULL, 0},
    [M_QUEUE] = {"sharpeyes_store_queue", "Transactions that wait for the writer.", SE_GAUGE, NULL, 0},
    [M_READ_WAITS] = {"sharpeyes_store_read_waits_total", "Reads that had to wait for a free connection.",
                      SE_COUNTER, NULL, 0},
};

static pthread_once_t metrics_once = PTHREAD_ONCE_INIT;

static void register_metrics(void)
{
    se_metrics_register(metrics, SE_ARRAY_LEN(metrics));
}

/* ---- the writer ---- */

static void set_healthy(struct store *store, bool healthy, int why)
{
    if (atomic_exchange(&store->healthy, healthy) == healthy)
        return;
    sqlite3_busy_timeout(store->writer.db, healthy ? CONN_BUSY_MS : CONN_STILL_BUSY_MS);
    if (healthy)
        se_info("store", "the database takes writes again path=\"%s\"", store->path);
    else
        se_error("store", "the database does not take writes path=\"%s\" reason=\"%s\" detail=\"%s\"",
                 store->path, strerror(why < 0 ? -why : why), sqlite3_errmsg(store->writer.db));
}

static void undo(struct store *store)
{
    if (!sqlite3_get_autocommit(store->writer.db))
        (void)conn_run(&store->writer, "ROLLBACK");
}

/* Runs one job inside the group; its failure undoes itself only. False: SQLite has given up
 * the whole group (disk full, I/O error), and what ran before in it is lost too. */
static bool run_job(struct store *store, struct job *job)
{
    struct store_tx *tx = &store->writer;
    se_mono_us began = se_mono_now_us();
    job->result = conn_run(tx, "SAVEPOINT job");
    if (job->result == 0) {
        job->result = job->fn(tx, job->ctx);
        if (sqlite3_get_autocommit(tx->db))
            return false;
        if (job->result < 0)
            (void)conn_run(tx, "ROLLBACK TO job");
        int r = conn_run(tx, "RELEASE job");
        if (r < 0 && job->result >= 0)
            job->result = r;
    }
    int64_t took = se_mono_now_us() - began;
    if (took > SLOW_JOB_US)
        se_warn("store", "a transaction held the writer for long ms=%lld", (long long)(took / 1000));
    return !sqlite3_get_autocommit(tx->db);
}

static void fail_all(struct job *jobs, const struct job *end, int code)
{
    for (; jobs && jobs != end; jobs = jobs->next)
        jobs->result = code;
}

/* What a failed group is to those who wait: the disk's fault, unless SQLite names another. */
static int group_error(int code)
{
    return code == -EBUSY || code == -EROFS || code == -ENOMEM ? code : -EIO;
}

static void group_failed(struct store *store, struct job *jobs, const struct job *end, int code)
{
    int r = group_error(code);
    set_healthy(store, false, r);
    se_metric_add(&metrics[M_FAILURES], 1);
    undo(store);
    fail_all(jobs, end, r);
}

/* One group: BEGIN, every job in a savepoint, COMMIT. Sets the results of the jobs it went
 * through and returns the first it did not reach, for a group of its own. */
static struct job *run_group(struct store *store, struct job *jobs)
{
    store->writer.disk_failed = false;
    int r = conn_run(&store->writer, "BEGIN IMMEDIATE");
    for (struct job *job = jobs; r == 0 && job; job = job->next) {
        if (!run_job(store, job)) {
            group_failed(store, jobs, job->next, job->result < 0 ? job->result : -EIO);
            return job->next;
        }
    }
    if (r == 0)
        r = conn_run(&store->writer, "COMMIT");
    if (r < 0) {
        group_failed(store, jobs, NULL, r);
        return NULL;
    }
    se_metric_add(&metrics[M_COMMITS], 1);
    set_healthy(store, !store->writer.disk_failed, -EIO);
    return NULL;
}

static void finish_batch(struct store *store, struct job *jobs)
{
    for (struct job *job = jobs, *next; job; job = next) {
        next = job->next;
        se_metric_add(&metrics[job->result < 0 ? M_JOBS_FAILED : M_JOBS_OK], 1);
        if (job->async) {
            if (job->done)
                job->done(job->result, job->ctx);
            free(job);
            continue;
        }
        pthread_mutex_lock(&store->lock);
        job->finished = true;
        pthread_cond_signal(&job->wake); /* under the lock: the job lies on the waiter's stack */
        pthread_mutex_unlock(&store->lock);
    }
}

/* While writes fail and nobody writes, try: the first success makes the store healthy again. */
static void probe(struct store *store)
{
    int r = conn_run(&store->writer, "BEGIN IMMEDIATE");
    if (r == 0)
        r = conn_run(&store->writer, "INSERT INTO store_probe VALUES (1, strftime('%s','now') * 1000) "
                                     "ON CONFLICT (id) DO UPDATE SET at = excluded.at");
    if (r == 0)
        r = conn_run(&store->writer, "COMMIT");
    if (r < 0)
        undo(store);
    else
        set_healthy(store, true, 0);
}

/* Takes up to BATCH_MAX jobs off the queue; waits for the first. NULL: stopping, or time to probe. */
static struct job *take_batch(struct store *store, bool *ret_stop)
{
    pthread_mutex_lock(&store->lock);
    while (!store->head && !store->stopping) {
        if (atomic_load(&store->healthy)) {
            pthread_cond_wait(&store->work, &store->lock);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PROBE_MS / 1000;
        if (pthread_cond_timedwait(&store->work, &store->lock, &until) == ETIMEDOUT)
            break;
    }
    struct job *first = store->head, **end = &first;
    unsigned count = 0;
    while (*end && count < BATCH_MAX) {
        end = &(*end)->next;
        count++;
    }
    store->head = count ? *end : store->head;
    if (count)
        *end = NULL;
    if (!store->head)
        store->tail = &store->head;
    store->queued -= count;
    se_metric_set(&metrics[M_QUEUE], (int64_t)store->queued);
    *ret_stop = store->stopping && !first;
    pthread_mutex_unlock(&store->lock);
    return first;
}

static void *writer_main(void *ctx)
{
    struct store *store = ctx;
    bool stop = false;
    while (!stop) {
        struct job *jobs = take_batch(store, &stop);
        if (jobs) {
            for (struct job *rest = jobs; rest;)
                rest = run_group(store, rest);
            finish_batch(store, jobs);
        } else if (!stop) {
            probe(store);
        }
    }
    return NULL;
}

/* ---- for callers ---- */

static int enqueue(struct store *store, struct job *job)
{
    if (store->stopping)
        return -ESHUTDOWN;
    if (store->queued >= QUEUE_MAX) {
        se_metric_add(&metrics[M_FULL], 1);
        return -EBUSY;
    }
    job->next = NULL;
    *store->tail = job;
    store->tail = &job->next;
    store->queued++;
    se_metric_set(&metrics[M_QUEUE], (int64_t)store->queued);
    pthread_cond_signal(&store->work);
    return 0;
}

int store_write(struct store *store, store_fn fn, void *ctx)
{
    if (pthread_equal(pthread_self(), store->thread)) {
        se_error("store", "store_write was called on the writer's own thread");
        return -EDEADLK;
    }
    struct job job = {.fn = fn, .ctx = ctx};
    pthread_cond_init(&job.wake, NULL);
    pthread_mutex_lock(&store->lock);
    int r = enqueue(store, &job);
    while (r == 0 && !job.finished)
        pthread_cond_wait(&job.wake, &store->lock);
    pthread_mutex_unlock(&store->lock);
    pthread_cond_destroy(&job.wake);
    return r < 0 ? r : job.result;
}

int store_write_async(struct store *store, store_fn fn, void (*done)(int result, void *ctx), void *ctx)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return -ENOMEM;
    *job = (struct job){.fn = fn, .done = done, .ctx = ctx, .async = true};
    pthread_mutex_lock(&store->lock);
    int r = enqueue(store, job);
    pthread_mutex_unlock(&store->lock);
    if (r < 0)
        free(job);
    return r;
}

int store_read(struct store *store, store_fn fn, void *ctx)
{
    pthread_mutex_lock(&store->lock);
    if (!store->free_readers)
        se_metric_add(&metrics[M_READ_WAITS], 1);
    while (!store->free_readers)
        pthread_cond_wait(&store->reader_free, &store->lock);
    struct reader *reader = store->free_readers;
    store->free_readers = reader->next_free;
    pthread_mutex_unlock(&store->lock);

    int r = conn_run(&reader->conn, "BEGIN");
    if (r == 0) {
        r = fn(&reader->conn, ctx);
        if (!sqlite3_get_autocommit(reader->conn.db))
            (void)conn_run(&reader->conn, "ROLLBACK");
    }

    pthread_mutex_lock(&store->lock);
    reader->next_free = store->free_readers;
    store->free_readers = reader;
    pthread_cond_signal(&store->reader_free);
    pthread_mutex_unlock(&store->lock);
    return r;
}

bool store_healthy(struct store *store)
{
    return atomic_load(&store->healthy);
}

int store_schema_version(struct store *store)
{
    return store->version;
}

int store_backup(struct store *store, const char *path, struct se_err *err)
{
    struct store_tx conn = {0};
    int r = conn_open(&conn, store->path, false, err);
    if (r < 0)
        return r;
    r = conn_run(&conn, "PRAGMA query_only=OFF"); /* it would forbid writing the copy, too */
    if (r == 0)
        r = backup_into(conn.db, path, err);
    conn_close(&conn);
    return r;
}

/* ---- opening and closing ---- */

static int past_deadline(void *ctx)
{
    return se_mono_now_us() > *(se_mono_us *)ctx;
}

static int note_damage(void *ctx, int columns, char **values, char **names)
{
    char *words = ctx;
    if (columns > 0 && values[0] && strcmp(values[0], "ok") != 0 && !*words)
        snprintf(words, 120, "%s", values[0]);
    return 0;
}

/* Looks for damage, as far as CHECK_MS reaches: a big database is not read whole at each start. */
static int check_damage(sqlite3 *db, const char *path, struct se_err *err)
{
    char words[120] = "";
    se_mono_us deadline = se_mono_now_us() + CHECK_MS * 1000;
    sqlite3_progress_handler(db, 10000, past_deadline, &deadline);
    int code = sqlite3_exec(db, "PRAGMA quick_check(1)", note_damage, words, NULL);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    for (char *p = words; *p; p++)
        if (*p == '\n')
            *p = ' ';
    if (*words)
        return se_fail(err, -EIO,
                       "%s is damaged (%.80s). Move it and its -wal and -shm files away and put the newest "
                       "backup in its place",
                       path, words);
    if (code != SQLITE_OK && code != SQLITE_INTERRUPT)
        return conn_fail(db, code, path, err);
    return 0;
}

static int open_readers(struct store *store, unsigned count, struct se_err *err)
{
    store->readers = calloc(count, sizeof(*store->readers));
    if (!store->readers)
        return se_fail(err, -ENOMEM, "out of memory");
    for (unsigned i = 0; i < count; i++) {
        int r = conn_open(&store->readers[i].conn, store->path, false, err);
        if (r < 0)
            return r;
        store->readers[i].next_free = store->free_readers;
        store->free_readers = &store->readers[i];
        store->reader_count++;
    }
    return 0;
}

static int parse_url(const char *url, const char **ret_path, struct se_err *err)
{
    if (strncmp(url, "postgresql:", 11) == 0 || strncmp(url, "postgres:", 9) == 0)
        return se_fail_field(err, -ENOTSUP, "store.url",
                             "store.url: this program does not speak PostgreSQL; use sqlite:PATH");
    if (strncmp(url, "sqlite:", 7) != 0 || url[7] == '\0')
        return se_fail_field(err, -EINVAL, "store.url", "store.url must be sqlite:PATH");
    *ret_path = url + 7;
    return 0;
}

int store_url_check(const char *url, struct se_err *err)
{
    const char *path;
    return parse_url(url, &path, err);
}

static void init_sync(struct store *store)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->work, &attr);
    pthread_cond_init(&store->reader_free, NULL);
    pthread_condattr_destroy(&attr);
    store->tail = &store->head;
    atomic_init(&store->healthy, true);
}

int store_open(const char *url, unsigned readers, struct store **ret_store, struct se_err *err)
{
    const char *path = NULL;
    int r = parse_url(url, &path, err);
    if (r < 0 || !path)
        return r;
    if (sodium_init() < 0)
        return se_fail(err, -EIO, "libsodium does not start: no source of random numbers");
    pthread_once(&metrics_once, register_metrics);
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return se_fail(err, -ENOMEM, "out of memory");
    init_sync(store);
    store->path = strdup(path);
    if (!store->path) {
        r = se_fail(err, -ENOMEM, "out of memory");
        goto fail;
    }
    r = conn_open(&store->writer, path, true, err);
    if (r < 0)
        goto fail;
    r = check_damage(store->writer.db, path, err);
    if (r < 0)
        goto fail;
    r = schema_upgrade(store->writer.db, path, schema_upgrades, &store->version, err);
    if (r < 0)
        goto fail;
    r = open_readers(store, readers < 1 ? 1 : readers > READERS_MAX ? READERS_MAX : readers, err);
    if (r < 0)
        goto fail;
    r = se_thread_start(&store->thread, "store-writer", writer_main, store);
    if (r < 0) {
        r = se_fail(err, r, "the store's writer does not start: %s", strerror(-r));
        goto fail;
    }
    store->started = true;
    *ret_store = store;
    return 0;

fail:
    store_close(store);
    return r;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->started) {
        pthread_mutex_lock(&store->lock);
        store->stopping = true;
        pthread_cond_signal(&store->work);
        pthread_mutex_unlock(&store->lock);
        pthread_join(store->thread, NULL);
    }
    for (unsigned i = 0; i < store->reader_count; i++)
        conn_close(&store->readers[i].conn);
    conn_close(&store->writer); /* last: it checkpoints */
    pthread_cond_destroy(&store->reader_free);
    pthread_cond_destroy(&store->work);
    pthread_mutex_destroy(&store->lock);
    free(store->readers);
    free(store->path);
    free(store);
}
