/* Cases and transitions in the store. All take a transaction and share its errors. */
#ifndef GATEWAY_STORE_CASES_H
#define GATEWAY_STORE_CASES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/id.h"
#include "base/time.h"
#include "gateway/store.h"
#include "gateway/store_incidents.h"

/* A case as it is written. Texts NULL, times and numbers 0: none. */
struct case_row {
    const char *id, *number, *kind;
    int64_t kind_version;
    const char *stage, *loop, *status, *title, *description, *severity, *tag, *incident_id, *grid_id;
    int64_t grid_version;
    const char *division_id, *department_id, *assignee, *rule_id, *opened_by;
    se_wall_ms opened_ms, stage_ms, stage_due_ms, due_ms, yellow_ms, suspended_ms, closed_ms;
    int64_t paused_ms;
    bool supervised;
    int64_t extensions, score;
    const char *comment;
};
/* -EEXIST: the incident has a case, or the number is taken. */
int store_case_insert(struct store_tx *tx, const struct case_row *row);
/* What an action changes: stage, loop, status, assignee, department, times, flags, evaluation. */
int store_case_update(struct store_tx *tx, const struct case_row *row);

/* Times are plain milliseconds under *_ms: whoever shows the row gives them their form. -ENOENT. */
int store_case_get(struct store_tx *tx, const char *id_or_number, const struct store_scope *scope,
                   json_t **ret_case);
struct case_filter {
    const char *status, *loop, *stage, *kind, *light, *grid_id, *department_id, *assignee, *incident_id,
        *number;
    se_wall_ms from_ms, to_ms; /* opened between; 0: open */
    se_wall_ms now_ms;         /* for the light */
    struct store_scope scope;
    const char *after;
    int limit;
};
int store_case_list(struct store_tx *tx, const struct case_filter *filter, json_t **ret_cases);

/* The next number of a prefix and day (YYYYMMDD), from 1. Writer only. */
int store_case_next_number(struct store_tx *tx, const char *prefix, const char *day, int64_t *ret_number);

struct transition_row {
    const char *id, *case_id, *user_id, *user_name, *action, *from, *to, *note, *assignee, *department_id;
    se_wall_ms at_ms;
    const json_t *fields; /* or NULL */
};
/* Appends; the sequence is the store's. */
int store_transition_insert(struct store_tx *tx, const struct transition_row *row);
/* [{id,seq,at,user_id,user_name,action,from,to,note,assignee,department_id,fields}], oldest first. */
int store_transition_list(struct store_tx *tx, const char *case_id, json_t **ret_transitions);
int store_transition_get(struct store_tx *tx, const char *id, json_t **ret_transition);

#endif
