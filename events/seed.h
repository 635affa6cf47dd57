/* The parts of seed loading: files into checked rows, rows into the store. */
#ifndef EVENTS_SEED_PRIVATE_H
#define EVENTS_SEED_PRIVATE_H

#include "check.h"
#include "events/seed.h"
#include "gateway/store_county.h"

enum seed_what {
    SEED_DIVISION,
    SEED_DEPARTMENT,
    SEED_DICTIONARY,
    SEED_TAG,
    SEED_KIND,
    SEED_GRID,
    SEED_RULE,
    SEED_USER,
    SEED_CAMERA,
    SEED_COUNT
};

/* One checked row and where it stands. */
struct seed_row {
    enum seed_what what;
    json_t *row;     /* owned */
    char file[128];  /* "divisions.csv:12", "rules.json" */
    char prefix[32]; /* JSON path of the row in its file, or "" */
    /* made before the transaction, as they are slow or secret */
    char *password_hash;
    char password[33];
    bool added;                /* a user that is new */
    char camera_id[SE_ID_LEN]; /* of a camera that is new or changed */
};

struct seed {
    const struct seed_deps *deps;
    const char *dir;
    json_t *variables;
    struct seed_row *rows;
    size_t count, capacity;
    int64_t counts[SEED_COUNT][3]; /* by enum store_put */
    struct se_err *err;
};

/* seed_files.c: reads the files of dir into rows, in an order in which nothing refers forward. */
int seed_read(struct seed *seed);
/* Says "FILE: words" in seed->err; returns rc. */
int seed_fail(struct seed *seed, const char *file, int rc, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* seed_rows.c: checks a row by itself. */
void seed_check(enum seed_what what, const char *prefix, json_t **row, struct fault *fault);
/* Puts it; what it refers to must be there. */
int seed_put(struct seed *seed, struct store_tx *tx, struct seed_row *row, enum store_put *ret_put,
             struct fault *fault);

#endif
