/* What would become of a row: read, checked as POST and PATCH check, compared with what is there. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "gateway/store_county.h"
#include "gateway/store_identity.h"
#include "import/job.h"

/* As much of a text as fits, whole characters. */
static void cut(char *out, size_t size, const char *text)
{
    size_t n = strnlen(text, size - 1);
    while (n > 0 && text[n] && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, text, n);
    out[n] = '\0';
}

void prepared_fini(struct prepared *prepared)
{
    json_decref(prepared->errors);
    json_decref(prepared->members);
    camera_edit_fini(&prepared->edit);
    *prepared = (struct prepared){.line = 0};
}

/* ---- departments and grids, as they stand in the file ---- */

struct lookup {
    const char *name;
    char id[SE_ID_LEN];
};

/* By id, by code, else by name. */
static int find_department(struct store_tx *tx, void *ctx)
{
    struct lookup *lookup = ctx;
    se_json_ *found = NULL;
    int r = store_department_get(tx, lookup->name, &found);
    if (r == 0)
        snprintf(lookup->id, sizeof(lookup->id), "%s", se_json_str(found, "id", ""));
    if (r != -ENOENT)
        return r;
    se_json_ *all = NULL;
    size_t i;
    json_t *department;
    r = store_department_list(tx, NULL, 1000, &all);
    json_array_foreach (all, i, department) {
        if (strcmp(se_json_str(department, "name", ""), lookup->name) == 0) {
            snprintf(lookup->id, sizeof(lookup->id), "%s", se_json_str(department, "id", ""));
            break;
        }
    }
    return r;
}

static int find_grid(struct store_tx *tx, void *ctx)
{
    struct lookup *lookup = ctx;
    se_json_ *found = NULL;
    int r = store_grid_get(tx, lookup->name, &found);
    if (r == 0)
        snprintf(lookup->id, sizeof(lookup->id), "%s", se_json_str(found, "id", ""));
    return r == -ENOENT ? 0 : r;
}

/* Each name is looked up once. "" when there is none. */
static int look_up(struct job *job, json_t *known, const char *name, store_fn find, char ret_id[SE_ID_LEN])
{
    const char *id = se_json_str(known, name, NULL);
    if (!id) {
        struct lookup lookup = {.name = name};
        int r = store_read(job->deps->store, find, &lookup);
        r = r < 0 ? r : se_json_put_str(known, name, lookup.id);
        if (r < 0)
            return r;
        id = se_json_str(known, name, "");
    }
    snprintf(ret_id, SE_ID_LEN, "%s", id);
    return 0;
}

static bool may(const struct job *job, const char *department_id)
{
    struct access_target target = {.type = "camera", .department_id = department_id};
    return job->system || access_decide(job->deps->access, &job->who, ACCESS_CAMERA_WRITE, &target).allowed;
}

int job_department(struct job *job, const char *name, char ret_id[SE_ID_LEN], const char **ret_wrong)
{
    int r = look_up(job, job->departments, name, find_department, ret_id);
    *ret_wrong = r < 0               ? NULL
                 : !*ret_id          ? "there is no such department"
                 : !may(job, ret_id) ? "is not a department that you may give cameras to"
                                     : NULL;
    return r;
}

static int set_text(char **at, const char *text)
{
    char *copy = *text ? strdup(text) : NULL;
    if (*text && !copy)
        return -ENOMEM;
    free(*at);
    *at = copy;
    return 0;
}

/* From the file's words for them to ids. */
static int place(struct job *job, struct prepared *p, const char *department, const char *grid)
{
    char id[SE_ID_LEN];
    const char *wrong = NULL;
    int r = 0;
    if (*department) {
        r = job_department(job, department, id, &wrong);
        if (wrong)
            import_wrong(p->errors, "department", "%s", wrong);
        r = r < 0 ? r : set_text(&p->edit.department_id, id);
    }
    if (r == 0 && *grid) {
        r = look_up(job, job->grids, grid, find_grid, id);
        if (r == 0 && !*id)
            import_wrong(p->errors, "grid", "there is no such grid");
        r = r < 0 ? r : set_text(&p->edit.grid_id, id);
    }
    return r;
}

/* ---- a row ---- */

static void take_errors(struct prepared *p, const struct http_response *res)
{
    size_t i;
    json_t *error;
    json_array_foreach (res->problem_errors, i, error)
        import_wrong(p->errors, import_field_name(se_json_str(error, "field", "")), "%s",
                     se_json_str(error, "reason", ""));
}

static json_t *members_of(const json_t *camera)
{
    json_t *names = json_array(), *value;
    const char *name;
    json_object_foreach ((json_t *)(uintptr_t)camera, name, value)
        json_array_append_new(names, json_string(name));
    return names;
}

static int check(struct job *job, struct prepared *p)
{
    struct camera_spec spec;
    struct se_err err = {0};
    camera_edit_spec(&p->edit, &spec);
    int r = job->deps->ingest ? ingest_camera_check(job->deps->ingest, &spec, &err)
                              : ingest_camera_check_alone(job->deps->options, &spec, &err);
    if (r == -EINVAL)
        import_wrong(p->errors, import_field_name(err.field[0] ? err.field : "streams"), "%s", err.text);
    return r == -EINVAL ? 0 : r;
}

/* Who has the code already; *ret_id "" for nobody. */
static int find_camera(struct job *job, struct prepared *p, const char *code, char ret_id[SE_ID_LEN])
{
    struct camera_key key;
    *ret_id = '\0';
    int r = store_camera_find(job->deps->store, code, &key);
    if (r == -ENOENT)
        return 0;
    if (r == 0 && !may(job, key.department_id))
        import_wrong(p->errors, "code", "another camera has this code");
    else if (r == 0)
        memcpy(ret_id, key.id, SE_ID_LEN);
    return r;
}

static int compare(struct job *job, const struct csv_row *row, struct prepared *p, const char *camera_id)
{
    const struct imports_deps *deps = job->deps;
    const char *department = import_field(&job->columns, row, COLUMN_DEPARTMENT);
    const char *grid = import_field(&job->columns, row, COLUMN_GRID);
    struct camera_edit before;
    struct http_response res = {0};
    camera_edit_init(&before);
    p->is_new = !*camera_id;
    int r = 0;
    if (p->is_new) {
        se_id_new(p->edit.id);
    } else {
        r = camera_edit_load(&before, deps->store, deps->access, camera_id);
        r = r < 0 ? r : camera_edit_load(&p->edit, deps->store, deps->access, camera_id);
    }
    se_json_ *camera =
        r < 0 ? NULL
              : import_row_json(&job->columns, row, job->gcj02, before.streams[STREAM_SUB].there, p->errors);
    r = r < 0 || camera ? r : -ENOMEM;
    if (r == 0) {
        int applied = camera_edit_apply(&p->edit, camera, job->department_id, &res, p->is_new);
        take_errors(p, &res);
        r = applied == -EPROTO ? 0 : applied;
    }
    p->members = camera ? members_of(camera) : NULL;
    if (r == 0)
        r = place(job, p, department, grid);
    if (r == 0 && !json_array_size(p->errors))
        r = check(job, p);
    if (r == 0)
        p->result = json_array_size(p->errors)            ? "failed"
                    : p->is_new                           ? "created"
                    : camera_edit_same(&before, &p->edit) ? "unchanged"
                                                          : "updated";
    json_decref(res.problem_errors);
    camera_edit_fini(&before);
    return r;
}

int job_prepare(struct job *job, const struct csv_row *row, struct prepared *ret)
{
    const char *code = import_field(&job->columns, row, COLUMN_CODE);
    char camera_id[SE_ID_LEN] = "";
    *ret = (struct prepared){.line = row->line, .result = "failed", .errors = json_array()};
    camera_edit_init(&ret->edit);
    cut(ret->code, sizeof(ret->code), code);
    cut(ret->name, sizeof(ret->name), import_field(&job->columns, row, COLUMN_NAME));
    if (!ret->errors)
        return -ENOMEM;
    if (!*code) {
        import_wrong(ret->errors, "code",
                     "is missing: a camera is known by its code when the list comes again");
        return 0;
    }
    int64_t line = se_json_int(job->codes, code, 0);
    if (line) {
        import_wrong(ret->errors, "code", "is that of line %lld, too", (long long)line);
        return 0;
    }
    int r = se_json_put(job->codes, code, json_integer(row->line));
    r = r < 0 ? r : find_camera(job, ret, code, camera_id);
    if (r < 0 || json_array_size(ret->errors))
        return r;
    return compare(job, row, ret, camera_id);
}
