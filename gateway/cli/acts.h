/* What commands do to a house: the daemon's, asked for over control.sock, or one opened for the
 * command alone. Requests and results are JSON objects. */
#ifndef ACTS_H
#define ACTS_H

#include <jansson.h>

#include "base/error.h"
#include "house.h"

typedef int (*act_fn)(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err);

struct act {
    const char *name; /* "user.add" */
    act_fn run;
};
/* NULL: no such act. */
const struct act *act_find(const char *name);

/* Runs an act in the running daemon, or in a house opened for it. 0 or -errno with err. */
int act_reach(struct options *options, const char *name, const json_t *request, json_t **ret_result,
              struct se_err *err);

int act_user_add(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err);
int act_user_password(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err);
int act_backup(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err);
int act_check(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err);
/* {path,dry_run,crs,encoding,department}: an import's state; in a daemon it goes on. */
int act_camera_import(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err);
int act_camera_import_state(struct house *house, const json_t *request, json_t **ret_result,
                            struct se_err *err);
/* {id,result?,after}: a page of its report, {items,more}. */
int act_camera_import_rows(struct house *house, const json_t *request, json_t **ret_result,
                           struct se_err *err);
/* How far an import is, on stderr. */
void import_progress(const json_t *state);
int act_seed_load(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err);

#endif
