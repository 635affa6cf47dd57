/* One import: from the file's text to the store, row by row. */
#ifndef IMPORT_JOB_H
#define IMPORT_JOB_H

#include <stdatomic.h>

#include "api/imports.h"
#include "cameras.h"
#include "import/columns.h"

#define JOB_BATCH 100 /* rows in a transaction */

struct job {
    struct job *next;
    const struct imports_deps *deps;
    char id[SE_ID_LEN];
    _Atomic bool cancelled;
    const _Atomic bool *stopping; /* the program ends */
    struct access_who who;
    bool system, dry_run, gcj02;
    char department_id[SE_ID_LEN]; /* of cameras whose row names none */
    char *text;                    /* UTF-8; wiped when done: it holds passwords */
    size_t size;
    const char *encoding; /* what the file was read as */
    unsigned rows;
    struct csv csv; /* behind the headings */
    struct import_columns columns;
    json_t *codes;               /* code → line, of those that were seen */
    json_t *departments, *grids; /* as they stand in the file → id, "" for none */
    struct prepared {
        unsigned line;
        char code[80], name[640];
        const char *result;
        json_t *errors, *members;
        bool is_new;
        struct camera_edit edit;
    } batch[JOB_BATCH];
    unsigned count;
};
/* Reads the head. As imports_start(), but nothing is stored yet. */
int job_new(const struct imports_deps *deps, const struct import_ask *ask, struct job **ret_job,
            struct se_err *err);
void job_free(struct job *job);
/* Enters it in the store as running. */
int job_enter(struct job *job);
/* All of it; its end is in the store then. */
void job_run(struct job *job);

/* row.c: what would become of a row. -ENOMEM, or what the store says. */
int job_prepare(struct job *job, const struct csv_row *row, struct prepared *ret);
/* The id of a department that may be given cameras: 0, or why not (static text). */
int job_department(struct job *job, const char *name, char ret_id[SE_ID_LEN], const char **ret_wrong);
void prepared_fini(struct prepared *prepared);

#endif
