/* Imports one after the other, on a thread of their own. */
#include "api/imports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "base/thread.h"
#include "gateway/store_imports.h"
#include "import/job.h"

#define WAITING_MAX 4u

enum { M_IMPORTS, M_WAITING, M_REFUSED };
static struct se_metric metrics[] = {
    [M_IMPORTS] = {"sharpeyes_camera_imports_total", "Imports of cameras that were begun", SE_COUNTER},
    [M_WAITING] = {"sharpeyes_camera_imports_waiting", "Imports of cameras that run or wait", SE_GAUGE},
    [M_REFUSED] = {"sharpeyes_camera_imports_refused_total",
                   "Imports of cameras refused because others waited", SE_COUNTER},
};

struct imports {
    struct imports_deps deps;
    pthread_t thread;
    bool running;
    _Atomic bool stopping;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    struct job *first; /* the one that runs, and those that wait */
    unsigned count;
};

static void register_metrics(void)
{
    se_metrics_register(metrics, SE_ARRAY_LEN(metrics));
}

static void *run(void *ctx)
{
    struct imports *imports = ctx;
    pthread_mutex_lock(&imports->lock);
    for (;;) {
        while (!imports->first && !imports->stopping)
            pthread_cond_wait(&imports->changed, &imports->lock);
        struct job *job = imports->first;
        if (!job)
            break;
        pthread_mutex_unlock(&imports->lock);
        job_run(job);
        pthread_mutex_lock(&imports->lock);
        imports->first = job->next;
        imports->count--;
        se_metric_set(&metrics[M_WAITING], imports->count);
        job_free(job);
    }
    pthread_mutex_unlock(&imports->lock);
    return NULL;
}

static int fail_old(struct store_tx *tx, void *ctx)
{
    return store_imports_fail(tx, "The gateway was restarted. Import the list again.");
}

int imports_new(const struct imports_deps *deps, struct imports **ret_imports, struct se_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct imports *imports = calloc(1, sizeof(*imports));
    if (!imports)
        return se_fail(err, -ENOMEM, "out of memory");
    pthread_once(&once, register_metrics);
    imports->deps = *deps;
    pthread_mutex_init(&imports->lock, NULL);
    pthread_cond_init(&imports->changed, NULL);
    int r = store_write(deps->store, fail_old, NULL);
    if (r == 0) {
        r = se_thread_start(&imports->thread, "import", run, imports);
        imports->running = r == 0;
    }
    if (r < 0) {
        imports_free(imports);
        return se_fail(err, r, "imports of cameras cannot be taken up: %s", strerror(-r));
    }
    *ret_imports = imports;
    return 0;
}

void imports_stop(struct imports *imports)
{
    if (!imports || !imports->running)
        return;
    pthread_mutex_lock(&imports->lock);
    imports->stopping = true;
    pthread_cond_signal(&imports->changed);
    pthread_mutex_unlock(&imports->lock);
    pthread_join(imports->thread, NULL);
    imports->running = false;
}

void imports_free(struct imports *imports)
{
    if (!imports)
        return;
    imports_stop(imports);
    pthread_cond_destroy(&imports->changed);
    pthread_mutex_destroy(&imports->lock);
    free(imports);
}

/* A place in the row of those that wait; before anything is stored. */
static int take_place(struct imports *imports, struct se_err *err)
{
    pthread_mutex_lock(&imports->lock);
    bool room = imports->count < WAITING_MAX && !imports->stopping;
    imports->count += room;
    pthread_mutex_unlock(&imports->lock);
    if (room)
        return 0;
    se_metric_add(&metrics[M_REFUSED], 1);
    return se_fail(err, -EBUSY, "Other imports are under way. Try again when they are done.");
}

int imports_start(struct imports *imports, const struct import_ask *ask, char ret_id[SE_ID_LEN],
                  struct se_err *err)
{
    struct job *job = NULL;
    int r = take_place(imports, err);
    if (r < 0)
        return r;
    r = job_new(&imports->deps, ask, &job, err);
    r = r < 0 ? r : job_enter(job);
    pthread_mutex_lock(&imports->lock);
    if (r < 0) {
        imports->count--;
    } else {
        struct job **at = &imports->first;
        while (*at)
            at = &(*at)->next;
        *at = job;
        job->stopping = &imports->stopping;
        memcpy(ret_id, job->id, SE_ID_LEN);
        se_metric_add(&metrics[M_IMPORTS], 1);
        se_metric_set(&metrics[M_WAITING], imports->count);
        pthread_cond_signal(&imports->changed);
    }
    pthread_mutex_unlock(&imports->lock);
    if (r < 0)
        job_free(job);
    return r;
}

void imports_cancel(struct imports *imports, const char *id)
{
    pthread_mutex_lock(&imports->lock);
    for (struct job *job = imports->first; job; job = job->next)
        if (strcmp(job->id, id) == 0)
            job->cancelled = true;
    pthread_mutex_unlock(&imports->lock);
}
