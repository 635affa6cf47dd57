/* What the files of this module share. */
#ifndef EVENTS_INTERNAL_H
#define EVENTS_INTERNAL_H

#include <pthread.h>

#include "base/metrics.h"
#include "base/pool.h"
#include "county.h"
#include "events/events.h"
#include "gateway/store_incidents.h"

struct events {
    const struct options *options;
    struct store *store;
    struct bus *bus;
    struct access *access;
    struct ingest *ingest;

    pthread_mutex_t reload_lock; /* one reload at a time, so that the newest stays */
    pthread_mutex_t lock;        /* county, jobs */
    struct county *county;
    unsigned jobs; /* snapshots asked for and not yet noted in the store */
    pthread_cond_t jobs_done;

    struct notices *notices;  /* tells the bus of updates */
    struct se_pool *pictures; /* takes snapshots */
    char *evidence_dir;       /* DATA_DIR/evidence, or NULL without a data directory */

    int64_t window_ms;           /* correlation, where a tag has none of its own */
    double join_distance_m;      /* signals without a camera join within it */
    double grid_distance_m;      /* how far the nearest grid may be */
    int64_t before_ms, after_ms; /* of the recorded range */
};

enum events_metric {
    M_SIGNALS,
    M_SIGNALS_REFUSED,
    M_INCIDENTS,
    M_JOINED,
    M_CASES,
    M_TRANSITIONS,
    M_TRANSITIONS_REFUSED,
    M_SNAPSHOTS,
    M_SNAPSHOTS_FAILED,
    M_COUNT
};
void events_count(enum events_metric metric, int64_t n);

/* The county as it is now, referenced. */
struct county *events_county(struct events *events);

/* Runs a write as the call wants it run. */
int call_commit(struct events *events, struct call *call, store_fn fn, void *ctx);
/* Department scope of who asks. */
struct store_scope call_scope(const struct call *call);
/* Enters what the call did in the audit chain, in its transaction. */
int call_audit(struct events *events, struct call *call, struct store_tx *tx, const char *action,
               const char *type, const char *id, const json_t *detail);
/* Fills fault.err for a failure that is not the sender's, and returns rc. */
int call_failed(struct call *call, int rc);
/* Cuts a list of limit + 1 rows to limit and notes the cursor, the value of key in its last row. Takes rows.
 */
int call_list(struct call *call, json_t *rows, int limit, const char *key);

/* Tells the bus. Steals data. */
void events_publish(struct events *events, const char *type, const char *permission, json_t *data);

/* ---- notice.c ---- */

int notices_new(struct events *events, struct notices **ret_notices);
/* Joins its thread; what was held back is not told any more. NULL is fine. */
void notices_free(struct notices *notices);
/* incident.updated: now, or, when it was told less than a second ago, once that second is over, as it is
 * then. at_once: it is more than a count. Steals incident. Any thread. */
void notice_incident(struct events *events, json_t *incident, bool at_once);

/* ---- evidence.c ---- */

/* A picture sent with a signal: checked by its first bytes. NULL: neither JPEG nor PNG. */
const char *picture_media_type(const void *data, size_t size);
/* Writes DATA_DIR/evidence/NAME whole or not at all, durably. -EIO … */
int evidence_write(struct events *events, const char *name, const void *data, size_t size);
void evidence_remove(struct events *events, const char *name);
void evidence_sha256(const void *data, size_t size, char out[65]);
/* Opens the evidence of a new incident with a camera: the recorded range, and a snapshot to be taken.
 * ret_snapshot_id is "" when none is. */
int evidence_open(struct events *events, struct store_tx *tx, const char *incident_id, const char *camera_id,
                  se_wall_ms first_ms, se_wall_ms last_ms, char ret_snapshot_id[SE_ID_LEN]);
/* Waits until every snapshot that was asked for is taken and noted. */
void evidence_finish(struct events *events);
/* After the commit: has the snapshot taken, and the bus told when it is there. */
void evidence_take_snapshot(struct events *events, const char *incident_id, const char *snapshot_id,
                            const char *camera_id);

/* ---- rule.c ---- */

/* What a rule looks at. */
struct rule_facts {
    const json_t *tag; /* row */
    int severity;
    const char *source, *grid_id, *division_id; /* or NULL */
    int64_t count;
};
/* Checks a rule's shape; faults carry paths below prefix. */
void rule_check(struct fault *fault, const char *prefix, const json_t *row);
/* The first rule that fits, or NULL. Belongs to the county. */
const json_t *rule_find(const struct county *county, const struct rule_facts *facts);

/* ---- incident.c ---- */

/* Opens the case a rule asks for, if one does and there is none yet; ret_case_id "" otherwise. */
int incident_apply_rules(const struct county *county, struct store_tx *tx, const json_t *incident,
                         char ret_case_id[SE_ID_LEN]);
/* The place of something: fills grid and division from a point, a camera's grid, or a camera's point. */
struct place {
    bool has_location, in_grid;
    double lat, lon;
    struct grid_found grid;
};
void place_find(struct events *events, const struct county *county, const json_t *camera,
                struct place *place);
/* Status set by the gateway itself: a case was opened for it, or its case was closed. */
int incident_follow_case(struct store_tx *tx, const char *incident_id, const char *status,
                         const char *user_id, const char *reason);

/* ---- case.c ---- */

struct case_new {
    const struct kind *kind;
    const char *title, *description, *severity, *tag, *incident_id, *grid_id, *division_id, *department_id;
    const char *assignee, *rule_id, *opened_by, *opened_by_name;
    int64_t grid_version, deadline_minutes;
};
/* Opens it with its number and first transition, and ties it to its incident. -EEXIST: that has one. */
int case_open(struct store_tx *tx, const struct case_new *new, char ret_case_id[SE_ID_LEN]);
/* A stored case as the API shows it; who NULL: without actions, for everybody. Steals row. */
json_t *case_show(const struct county *county, json_t *row, const struct access_who *who, const char *lang);
/* A department by id or code, or a user by id or name. "" where it is not one. */
int assignee_find(struct store_tx *tx, const char *text, char ret_user_id[SE_ID_LEN],
                  char ret_department_id[SE_ID_LEN]);

#endif
