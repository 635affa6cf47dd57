#include "import/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "gateway/store_imports.h"
#include "import/text.h"

/* ---- the head ---- */

/* How many rows there are; the reader is taken as it is. */
static int count_rows(struct csv csv, unsigned *ret_rows, struct se_err *err)
{
    struct csv_row *row = malloc(sizeof(*row));
    unsigned rows = 0;
    if (!row)
        return -ENOMEM;
    while (rows <= IMPORT_ROWS_MAX && csv_next(&csv, row, NULL) != 0)
        rows++;
    free(row);
    if (rows > IMPORT_ROWS_MAX)
        return se_fail(err, -EINVAL, "The file has more than %u rows; import it in parts.", IMPORT_ROWS_MAX);
    *ret_rows = rows;
    return rows ? 0 : se_fail(err, -EINVAL, "The file has no row below its headings.");
}

static int read_head(struct job *job, struct se_err *err)
{
    struct csv_row *row = malloc(sizeof(*row));
    struct se_err why = {0};
    if (!row)
        return -ENOMEM;
    csv_init(&job->csv, job->text, job->size);
    int r = csv_next(&job->csv, row, &why);
    if (r < 0)
        r = se_fail(err, -EINVAL, "The first row cannot be read: %s.", why.text);
    else if (r == 0)
        r = se_fail(err, -EINVAL, "The file is empty.");
    else
        r = import_columns_read(row, &job->columns, err);
    free(row);
    return r < 0 ? r : count_rows(job->csv, &job->rows, err);
}

static int default_department(struct job *job, const char *name, struct se_err *err)
{
    const char *wrong = NULL;
    if (!name || !*name)
        name = job->system ? "centre" : job->who.department_id;
    int r = job_department(job, name, job->department_id, &wrong);
    return wrong ? se_fail_field(err, -EINVAL, "department_id", "%s", wrong) : r;
}

int job_new(const struct imports_deps *deps, const struct import_ask *ask, struct job **ret_job,
            struct se_err *err)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return -ENOMEM;
    job->deps = deps;
    job->system = !ask->who;
    if (ask->who)
        job->who = *ask->who;
    job->dry_run = ask->dry_run;
    job->gcj02 = ask->gcj02;
    job->codes = json_object();
    job->departments = json_object();
    job->grids = json_object();
    se_id_new(job->id);
    int r = job->codes && job->departments && job->grids ? 0 : -ENOMEM;
    if (r == 0 && ask->size > IMPORT_BYTES_MAX)
        r = se_fail(err, -EINVAL, "The file has more than 16 MiB; import it in parts.");
    r = r < 0 ? r
              : import_text(ask->csv, ask->size, ask->encoding, &job->text, &job->size, &job->encoding, err);
    r = r < 0 ? r : read_head(job, err);
    r = r < 0 ? r : default_department(job, ask->department, err);
    if (r < 0) {
        job_free(job);
        return r;
    }
    *ret_job = job;
    return 0;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    for (unsigned i = 0; i < job->count; i++)
        prepared_fini(&job->batch[i]);
    if (job->text)
        explicit_bzero(job->text, job->size);
    free(job->text);
    import_columns_fini(&job->columns);
    json_decref(job->codes);
    json_decref(job->departments);
    json_decref(job->grids);
    free(job);
}

static const struct access_who *who_of(const struct job *job)
{
    return job->system ? NULL : &job->who;
}

static int enter(struct store_tx *tx, void *ctx)
{
    const struct job *job = ctx;
    struct import_row row = {.id = job->id,
                             .account_id = job->system ? NULL : job->who.user_id,
                             .dry_run = job->dry_run,
                             .encoding = job->encoding,
                             .crs = job->gcj02 ? "gcj02" : "wgs84",
                             .ignored = job->columns.ignored,
                             .row_count = job->rows};
    int r = store_import_begin(tx, &row);
    se_json_ *detail =
        json_pack("{s:i, s:b, s:s}", "rows", (int)job->rows, "dry_run", job->dry_run, "crs", row.crs);
    return r < 0 ? r : access_audit(tx, who_of(job), "camera.import", "camera_import", job->id, detail);
}

int job_enter(struct job *job)
{
    return store_write(job->deps->store, enter, job);
}

/* ---- storing ---- */

struct storing {
    struct job *job;
    unsigned from, to;
};

static bool stores(const struct job *job, const struct prepared *p)
{
    return !job->dry_run && (strcmp(p->result, "created") == 0 || strcmp(p->result, "updated") == 0);
}

static int store_camera(struct store_tx *tx, const struct job *job, const struct prepared *p)
{
    struct camera_row row;
    camera_edit_row(&p->edit, &row);
    int r = p->is_new ? store_camera_insert(tx, &row) : store_camera_update(tx, &row, p->edit.version);
    se_json_ *detail = json_pack("{s:s, s:O}", "import", job->id, "members", p->members);
    return r < 0 ? r
                 : access_audit(tx, who_of(job), p->is_new ? "camera.create" : "camera.change", "camera",
                                row.id, detail);
}

static int store_rows(struct store_tx *tx, void *ctx)
{
    const struct storing *storing = ctx;
    int r = 0;
    for (unsigned i = storing->from; r == 0 && i < storing->to; i++) {
        const struct prepared *p = &storing->job->batch[i];
        struct import_line line = {p->line, p->code, p->name, p->result, p->errors};
        r = stores(storing->job, p) ? store_camera(tx, storing->job, p) : 0;
        r = r < 0 ? r : store_import_line(tx, storing->job->id, &line);
    }
    return r;
}

/* Why this row alone cannot be stored; NULL: it is not the row. */
static const char *words_for(int r)
{
    return r == -EEXIST    ? "another camera has this code"
           : r == -ENOLINK ? "its department or grid is gone, or a value is out of bounds"
           : r == -ESTALE  ? "somebody changed the camera meanwhile; import the list again"
           : r == -ENOENT  ? "somebody deleted the camera meanwhile; import the list again"
                           : NULL;
}

/* A batch that fails is stored row by row, so that one row's trouble is its own. */
static int store_batch(struct job *job)
{
    struct storing all = {job, 0, job->count};
    int r = store_write(job->deps->store, store_rows, &all);
    if (r == 0 || !words_for(r))
        return r;
    r = 0;
    for (unsigned i = 0; r == 0 && i < job->count; i++) {
        struct storing one = {job, i, i + 1};
        struct prepared *p = &job->batch[i];
        r = store_write(job->deps->store, store_rows, &one);
        if (r < 0 && words_for(r)) {
            import_wrong(p->errors, "code", "%s", words_for(r));
            p->result = "failed";
            r = store_write(job->deps->store, store_rows, &one);
        }
    }
    return r;
}

/* ---- what follows from it ---- */

struct reading {
    const char *id;
    json_t *camera;
};

static int read_camera(struct store_tx *tx, void *ctx)
{
    struct reading *reading = ctx;
    return store_camera_get(tx, reading->id, &reading->camera);
}

/* Ingest gets what is stored now, whoever wrote it last. */
static void pull(struct job *job, const struct prepared *p)
{
    const struct imports_deps *deps = job->deps;
    struct camera_edit edit;
    struct camera_spec spec;
    struct se_err err = {0};
    camera_edit_init(&edit);
    pthread_mutex_lock(camera_turn(p->edit.id));
    int r = camera_edit_load(&edit, deps->store, deps->access, p->edit.id);
    if (r == 0) {
        camera_edit_spec(&edit, &spec);
        r = ingest_camera_set(deps->ingest, &spec, &err);
    }
    pthread_mutex_unlock(camera_turn(p->edit.id));
    camera_edit_fini(&edit);
    if (r < 0 && r != -ENOENT)
        se_error("import", "a stored camera cannot be pulled camera=%s reason=\"%s\"", p->edit.id,
                 err.text[0] ? err.text : strerror(-r));
}

static void tell(struct job *job, const struct prepared *p)
{
    struct reading reading = {.id = p->edit.id};
    json_t *status = NULL;
    if (store_read(job->deps->store, read_camera, &reading) < 0)
        return;
    if (job->deps->ingest && ingest_camera_status(job->deps->ingest, p->edit.id, &status) == 0)
        se_json_put_str(reading.camera, "state", se_json_str(status, "state", "connecting"));
    json_decref(status);
    bus_publish(job->deps->bus, p->is_new ? "camera.created" : "camera.updated",
                access_permission_name(ACCESS_CAMERA_READ), p->edit.department_id, reading.camera);
}

static int flush(struct job *job)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < job->count; i++)
        if (stores(job, &job->batch[i]))
            r = camera_edit_seal(&job->batch[i].edit, job->deps->access);
    r = r < 0 || !job->count ? r : store_batch(job);
    for (unsigned i = 0; i < job->count; i++) {
        struct prepared *p = &job->batch[i];
        if (r == 0 && stores(job, p) && job->deps->ingest)
            pull(job, p);
        if (r == 0 && stores(job, p) && job->deps->bus)
            tell(job, p);
        prepared_fini(p);
    }
    job->count = 0;
    return r;
}

/* ---- from top to bottom ---- */

static void unreadable(struct prepared *ret, unsigned line, const char *why)
{
    *ret = (struct prepared){.line = line, .result = "failed", .errors = json_array()};
    camera_edit_init(&ret->edit);
    import_wrong(ret->errors, "", "the row cannot be read: %s", why);
}

static int run_rows(struct job *job)
{
    struct csv_row *row = malloc(sizeof(*row));
    int r = row ? 0 : -ENOMEM;
    while (r == 0 && !job->cancelled && !*job->stopping) {
        struct se_err err = {0};
        int got = csv_next(&job->csv, row, &err);
        if (got == 0)
            break;
        struct prepared *p = &job->batch[job->count++];
        if (got < 0)
            unreadable(p, row->line, err.text);
        else
            r = job_prepare(job, row, p);
        if (r == 0 && job->count == JOB_BATCH)
            r = flush(job);
    }
    if (row)
        explicit_bzero(row, sizeof(*row));
    free(row);
    return r < 0 ? r : flush(job);
}

struct ending {
    const char *id, *state, *reason;
};

static int end(struct store_tx *tx, void *ctx)
{
    const struct ending *ending = ctx;
    return store_import_end(tx, ending->id, ending->state, ending->reason);
}

void job_run(struct job *job)
{
    int r = run_rows(job);
    struct ending ending = {.id = job->id, .state = "done"};
    if (r < 0)
        ending =
            (struct ending){job->id, "failed", "The gateway's store does not answer. Import the list again."};
    else if (*job->stopping)
        ending = (struct ending){job->id, "failed", "The gateway was stopped. Import the list again."};
    else if (job->cancelled)
        ending = (struct ending){job->id, "cancelled", NULL};
    if (r < 0)
        se_error("import", "an import failed import=%s reason=\"%s\"", job->id, strerror(-r));
    if (store_write(job->deps->store, end, &ending) < 0)
        se_error("import", "the end of an import is not stored import=%s", job->id);
    else
        se_info("import", "import ended import=%s state=%s rows=%u", job->id, ending.state, job->rows);
}
