/* The module as a whole: its parts, the county it holds, and what every call shares. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "internal.h"

#define PICTURE_THREADS 2
#define PICTURE_QUEUE   64

static struct se_metric metrics[M_COUNT] = {
    [M_SIGNALS] = {"sharpeyes_signals_total", "Signals by what became of them.", SE_COUNTER,
                   "result=\"kept\"", 0},
    [M_SIGNALS_REFUSED] = {"sharpeyes_signals_total", "Signals by what became of them.", SE_COUNTER,
                           "result=\"refused\"", 0},
    [M_INCIDENTS] = {"sharpeyes_incidents_total", "Incidents opened.", SE_COUNTER, NULL, 0},
    [M_JOINED] = {"sharpeyes_signals_joined_total", "Signals that joined an incident that was there.",
                  SE_COUNTER, NULL, 0},
    [M_CASES] = {"sharpeyes_cases_total", "Cases opened.", SE_COUNTER, NULL, 0},
    [M_TRANSITIONS] = {"sharpeyes_case_actions_total", "Actions on cases by what became of them.", SE_COUNTER,
                       "result=\"done\"", 0},
    [M_TRANSITIONS_REFUSED] = {"sharpeyes_case_actions_total", "Actions on cases by what became of them.",
                               SE_COUNTER, "result=\"refused\"", 0},
    [M_SNAPSHOTS] = {"sharpeyes_evidence_snapshots_total", "Snapshots taken for incidents.", SE_COUNTER,
                     "result=\"ready\"", 0},
    [M_SNAPSHOTS_FAILED] = {"sharpeyes_evidence_snapshots_total", "Snapshots taken for incidents.",
                            SE_COUNTER, "result=\"failed\"", 0},
};
static pthread_once_t metrics_once = PTHREAD_ONCE_INIT;

static void register_metrics(void)
{
    se_metrics_register(metrics, M_COUNT);
}

void events_count(enum events_metric metric, int64_t n)
{
    se_metric_add(&metrics[metric], n);
}

static int forget_pending(struct store_tx *tx, void *ctx)
{
    (void)ctx;
    return store_evidence_fail_pending(tx, "the gateway stopped before it was taken");
}

static int make_evidence_dir(struct events *events, struct se_err *err)
{
    const char *data_dir = options_text(events->options, "gateway.data_dir");
    events->evidence_dir = se_asprintf("%s/evidence", data_dir);
    if (!events->evidence_dir)
        return se_fail(err, -ENOMEM, "out of memory");
    if (mkdir(events->evidence_dir, 0700) && errno != EEXIST)
        return se_fail(err, -errno, "%s cannot be made: %s", events->evidence_dir, strerror(errno));
    return 0;
}

int events_new(const struct events_deps *deps, struct events **ret_events, struct se_err *err)
{
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        return se_fail(err, -ENOMEM, "out of memory");
    pthread_once(&metrics_once, register_metrics);
    events->options = deps->options;
    events->store = deps->store;
    events->bus = deps->bus;
    events->access = deps->access;
    events->ingest = deps->ingest;
    events->window_ms = options_int(deps->options, "events.correlation_window_s") * 1000;
    events->join_distance_m = options_real(deps->options, "events.correlation_distance_m");
    events->grid_distance_m = options_real(deps->options, "events.grid_distance_m");
    events->before_ms = options_int(deps->options, "events.evidence_before_s") * 1000;
    events->after_ms = options_int(deps->options, "events.evidence_after_s") * 1000;
    pthread_mutex_init(&events->lock, NULL);
    pthread_mutex_init(&events->reload_lock, NULL);
    pthread_cond_init(&events->jobs_done, NULL);

    int rc = make_evidence_dir(events, err);
    if (!rc)
        rc = notices_new(events, &events->notices);
    if (!rc)
        rc = se_pool_new("evidence", PICTURE_THREADS, PICTURE_QUEUE, &events->pictures);
    if (!rc)
        rc = store_write(events->store, forget_pending, NULL);
    if (!rc)
        rc = events_reload(events, err);
    if (rc) {
        if (err && !err->code)
            se_fail(err, rc, "events do not start: %s", strerror(-rc));
        events_free(events);
        return rc;
    }
    *ret_events = events;
    return 0;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    se_pool_free(events->pictures);
    evidence_finish(events); /* what the pool took is still on its way through the store */
    notices_free(events->notices);
    county_unref(&events->county);
    pthread_cond_destroy(&events->jobs_done);
    pthread_mutex_destroy(&events->lock);
    pthread_mutex_destroy(&events->reload_lock);
    free(events->evidence_dir);
    free(events);
}

int events_reload(struct events *events, struct se_err *err)
{
    struct county *county = NULL;
    pthread_mutex_lock(&events->reload_lock);
    int rc = county_load(events->store, &county, err);
    if (!rc) {
        pthread_mutex_lock(&events->lock);
        struct county *old = events->county;
        events->county = county;
        pthread_mutex_unlock(&events->lock);
        county_unref(&old);
    }
    pthread_mutex_unlock(&events->reload_lock);
    return rc;
}

struct county *events_county(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    struct county *county = county_ref(events->county);
    pthread_mutex_unlock(&events->lock);
    return county;
}

void events_publish(struct events *events, const char *type, const char *permission, json_t *data)
{
    if (events->bus && data) {
        /* To the bus no department is everybody's; here it is nobody's own, which county-wide roles see. */
        const char *department = se_json_str(data, "department_id", "-");
        bus_publish(events->bus, type, permission, department, data);
    } else {
        json_decref(data);
    }
}

/* ---- acts ---- */

void call_fini(struct call *call)
{
    fault_fini(&call->fault);
    json_decref(call->answer);
    call->answer = NULL;
}

int call_commit(struct events *events, struct call *call, store_fn fn, void *ctx)
{
    return call->commit ? call->commit(call, fn, ctx) : store_write(events->store, fn, ctx);
}

struct store_scope call_scope(const struct call *call)
{
    if (!call->who || call->who->all_departments)
        return (struct store_scope){0};
    return (struct store_scope){call->who->department_id, call->who->user_id};
}

int call_audit(struct events *events, struct call *call, struct store_tx *tx, const char *action,
               const char *type, const char *id, const json_t *detail)
{
    return events->access && call->who ? access_audit(tx, call->who, action, type, id, detail) : 0;
}

int call_failed(struct call *call, int rc)
{
    struct se_err *err = &call->fault.err;
    if (!rc || err->code)
        return rc;
    switch (rc) {
    case -ENOENT:
        return se_fail(err, rc, "there is no such thing");
    case -ESTALE:
        return se_fail(err, rc, "somebody else changed it meanwhile: read it again");
    case -EBUSY:
        return se_fail(err, rc, "the gateway is busy: try again in a moment");
    case -EROFS:
    case -EIO:
        return se_fail(err, rc, "the database takes no writes now: try again later");
    default:
        return se_fail(err, rc, "%s", strerror(-rc));
    }
}

int call_list(struct call *call, json_t *rows, int limit, const char *key)
{
    bool more = json_array_size(rows) > (size_t)limit;
    while (json_array_size(rows) > (size_t)limit)
        json_array_remove(rows, json_array_size(rows) - 1);
    json_decref(call->answer);
    call->answer = rows;
    call->last = more ? se_json_str(json_array_get(rows, json_array_size(rows) - 1), key, NULL) : NULL;
    return 0;
}
