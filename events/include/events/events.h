/* Events: signals into incidents, incidents into cases, cases through the closed loop.
 * Every function here may read or write the store and blocks: pool threads only.
 * JSON in and out is as the API shows it. `who` is already allowed the act itself;
 * department scope is checked here where the row decides: what somebody may not see
 * is -ENOENT to them. */
#ifndef EVENTS_EVENTS_H
#define EVENTS_EVENTS_H

#include <jansson.h>

#include "base/error.h"
#include "base/time.h"
#include "gateway/access.h"
#include "gateway/bus.h"
#include "gateway/options.h"
#include "gateway/store.h"
#include "ingest/ingest.h"

struct events;
struct events_deps {
    const struct options *options;
    struct store *store;
    struct bus *bus;       /* may be NULL in tests */
    struct access *access; /* may be NULL in tests */
    struct ingest *ingest; /* for evidence; may be NULL in tests */
};
int events_new(const struct events_deps *deps, struct events **ret_events, struct se_err *err);
/* Before ingest is freed: waits for the snapshots that are being taken. NULL is fine. */
void events_free(struct events *events);
/* Divisions, grids, tags, rules or kinds changed in the store: read them again. */
int events_reload(struct events *events, struct se_err *err);

/* What is wrong with a request, for whoever sent it. Zero-initialise. */
struct fault {
    struct se_err err; /* the first one */
    json_t *errors;    /* [{field, reason}], all of them, or NULL */
    json_t *actions;   /* with -EEXIST from case_act(): what is allowed now */
};
void fault_fini(struct fault *fault);

/* One request: who asks, and what comes back. The functions below return 0 or
 *   -EINVAL  a member is wrong: fault.errors     -ENOENT  no such thing, or not for them to see
 *   -EEXIST  conflict: fault.err says which      -ESTALE  if_match is not the version any more
 *   -EACCES  seen, but not theirs to do          -EBUSY, -EIO … the store's */
struct call {
    const struct access_who *who;
    const char *lang; /* of labels: "zh-CN" (also NULL) or "en" */
    int64_t if_match; /* version the sender saw; 0: any */
    int64_t version;  /* of what was answered, where its members do not say; else 0 */
    struct fault fault;
    json_t *answer;   /* new reference: the resource, or an array */
    const char *last; /* of a list with more to come: the cursor, within answer; else NULL */
    /* Runs a write as one transaction and returns after the commit; answer is set when fn
     * returns. NULL: store_write(). May run fn more than once. */
    int (*commit)(struct call *call, store_fn fn, void *ctx);
    void *commit_ctx;
};
void call_fini(struct call *call); /* the fault and the answer */

/* ---- signals ---- */

#define SIGNALS_MAX      1000              /* of one POST */
#define SIGNAL_IMAGE_MAX (2 * 1024 * 1024) /* bytes, decoded */

/* One signal or an array: all or nothing. answer: [{signal_id, incident_id}] in their order. */
int signals_post(struct events *events, struct call *call, const json_t *body);

/* ---- incidents ---- */

/* NULL and 0: any. */
struct incident_query {
    const char *status, *tag, *severity, *grid_id, *camera_id, *department_id;
    se_wall_ms from_ms, to_ms; /* those going on between */
    const char *after;
    int limit;
};
/* Newest first. */
int incident_list(struct events *events, struct call *call, const struct incident_query *query);
int incident_get(struct events *events, struct call *call, const char *id);
/* A person's report: {tag, camera?, location?, severity?, message?, occurred_at?}. Never joined to another.
 */
int incident_report(struct events *events, struct call *call, const json_t *body);
/* {status?, severity?, reason?}; false_alarm needs a reason. */
int incident_change(struct events *events, struct call *call, const char *id, const json_t *body);
int incident_signals(struct events *events, struct call *call, const char *id, const char *after, int limit);
int incident_changes(struct events *events, struct call *call, const char *id);
/* [{id,kind,state,at,from,to,media_type,bytes,sha256,url,…}] */
int incident_evidence(struct events *events, struct call *call, const char *id);
/* The path of a stored picture (malloc'd) and its media type (static). -ENOENT: not there, or not yet. */
int incident_evidence_file(struct events *events, struct call *call, const char *id, const char *evidence_id,
                           char **ret_path, const char **ret_media_type);
/* Opens a case for it by hand: {kind?, title?, department?, assignee?, deadline_minutes?}. -EEXIST: it has
 * one. */
int incident_open_case(struct events *events, struct call *call, const char *id, const json_t *body);

/* ---- cases ---- */

struct case_query {
    const char *status, *loop, *stage, *kind, *light, *grid_id, *department_id, *assignee, *incident_id,
        *number;
    se_wall_ms from_ms, to_ms; /* opened between */
    const char *after;
    int limit;
};
/* Newest first. */
int case_list(struct events *events, struct call *call, const struct case_query *query);
int case_get(struct events *events, struct call *call, const char *id_or_number);
/* {kind?, title, description?, incident?, tag?, severity?, location?, grid_id?, department?, assignee?,
 * deadline_minutes?} */
int case_create(struct events *events, struct call *call, const json_t *body);
int case_transitions(struct events *events, struct call *call, const char *id_or_number);
/* {action, note?, assignee?, fields?}; answer: the transition, with the case under "case". Not allowed
 * now: -EEXIST with fault.actions. */
int case_act(struct events *events, struct call *call, const char *id_or_number, const json_t *body);

/* ---- the county ---- */

struct county_query {
    const char *parent_id, *level; /* divisions */
    const char *division_id;       /* grids: of it and all below */
    const char *class, *q;         /* tags: class; part of the name or code */
    const char *after;
    int limit;
};
int county_divisions(struct events *events, struct call *call, const struct county_query *query);
/* answer: GeoJSON features */
int county_grids(struct events *events, struct call *call, const struct county_query *query);
int county_grid(struct events *events, struct call *call, const char *id_or_code);
/* answer: {grid_id, code, name, division_id, distance_m}; -ENOENT: none near. */
int county_locate(struct events *events, struct call *call, double lat, double lon);
int county_tags(struct events *events, struct call *call, const struct county_query *query);
int county_kinds(struct events *events, struct call *call, const char *after, int limit);
int county_kind(struct events *events, struct call *call, const char *code);
int county_rules(struct events *events, struct call *call, const char *after, int limit);
int county_rule(struct events *events, struct call *call, const char *id_or_code);

/* Adding and changing: the body is checked as a seed's is. create: -EEXIST when it is there already;
 * else key (id or code) names it, and -ENOENT when it is not. Takes effect at once. */
enum county_what { COUNTY_DIVISION, COUNTY_GRID, COUNTY_TAG, COUNTY_KIND, COUNTY_RULE };
int county_create(struct events *events, struct call *call, enum county_what what, const json_t *body);
int county_replace(struct events *events, struct call *call, enum county_what what, const char *key,
                   const json_t *body);

#endif
