/* The engine: what may be done with a case now, and what doing it changes. Pure: no
 * store, no clock of its own, any thread. */
#ifndef EVENTS_WORKFLOW_H
#define EVENTS_WORKFLOW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/time.h"
#include "kind.h"

struct fault;

/* Where a case stands. Times are 0 where there is none. Texts are borrowed, "" for none. */
struct workflow_state {
    int stage;
    enum case_status status;
    const char *department_id, *assignee;
    se_wall_ms opened_at, stage_at, stage_due_at, due_at, yellow_at, suspended_at, closed_at;
    int64_t paused_ms;
    bool supervised;
    int64_t extensions;
    int64_t score;       /* 0: not evaluated */
    const char *comment; /* borrowed from the fields that evaluated it */
};

/* A new case of the kind at now. deadline_minutes 0: the kind's own, or none. */
void workflow_open(const struct kind *kind, int64_t deadline_minutes, se_wall_ms now,
                   struct workflow_state *ret_state);

/* Does the kind offer this action where the case stands, to whomever it may be? */
bool workflow_offered(const struct workflow_state *state, const struct kind_action *action);
/* May this person do this to the case as it stands? */
bool workflow_allowed(const struct workflow_state *state, const struct kind_action *action,
                      const struct access_who *who);
/* The actions allowed now, as the API shows them. NULL: out of memory. */
json_t *workflow_actions(const struct kind *kind, const struct workflow_state *state,
                         const struct access_who *who, const char *lang);

/* Checks note and fields against what the action requires and the kind says of its fields. */
int workflow_check_fields(const struct kind *kind, const struct kind_action *action, const char *note,
                          const json_t *fields, struct fault *fault);
/* The state after the action, whose fields were checked. The assignee is the caller's to set. */
void workflow_step(const struct kind *kind, const struct workflow_state *state,
                   const struct kind_action *action, const json_t *fields, se_wall_ms now,
                   struct workflow_state *ret_next);

/* "green", "yellow" or "red": counted to now, or to when the clock stopped. */
const char *workflow_light(const struct workflow_state *state, se_wall_ms now);

#endif
