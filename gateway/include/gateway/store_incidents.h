/* Signals, incidents and their evidence in the store. JSON rows are as the API shows them.
 * All take a transaction and share its errors. Times are ms UTC. */
#ifndef GATEWAY_STORE_INCIDENTS_H
#define GATEWAY_STORE_INCIDENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/id.h"
#include "base/time.h"
#include "gateway/store.h"

/* Who asks: NULL department: everything is theirs to see. Else what their department owns or
 * handles, and what is assigned to the user. */
struct store_scope {
    const char *department_id, *user_id;
};

struct incident_row {
    const char *id, *tag, *tag_text, *severity, *status, *source, *message;
    const char *camera_id, *grid_id, *division_id, *department_id, *reported_by; /* or NULL */
    bool has_location;
    double lat, lon;
    int64_t grid_version;
    double grid_distance_m;
    se_wall_ms first_ms, last_ms;
    int64_t count;
    const char *join_key; /* or NULL */
    const char *join_extra;
};
int store_incident_insert(struct store_tx *tx, const struct incident_row *row);

/* What correlation must know of an open incident. */
struct incident_match {
    char id[SE_ID_LEN];
    se_wall_ms first_ms, last_ms;
    int64_t count;
    char severity[16];
};
/* The open incident with this key that reaches into from_ms … to_ms; of several the latest. -ENOENT. */
int store_incident_match_key(struct store_tx *tx, const char *join_key, se_wall_ms from_ms, se_wall_ms to_ms,
                             struct incident_match *ret_match);
/* The same among those of a tag without camera within a box; visit says which one is near enough (non-zero
 * ends). */
int store_incident_match_place(struct store_tx *tx, const char *tag, const char *join_extra, double lat,
                               double lon, double dlat, double dlon, se_wall_ms from_ms, se_wall_ms to_ms,
                               bool (*near_enough)(double lat, double lon, void *ctx), void *ctx,
                               struct incident_match *ret_match);
/* Further signals joined it: counts them, moves its ends outwards, raises its severity. message NULL: stays.
 */
int store_incident_join(struct store_tx *tx, const char *id, const struct incident_match *now,
                        const char *message);

/* {id,tag,tag_name,tag_name_en,class,colour,tag_text,severity,status,source,message,camera_id,location,grid_id,
 * grid_code,grid_name,grid_distance_m,division_id,department_id,first_at,last_at,count,case_id,reported_by,
 * version,created_at,updated_at}. -ENOENT: none, or out of scope (scope may be NULL). */
int store_incident_get(struct store_tx *tx, const char *id, const struct store_scope *scope,
                       json_t **ret_incident);
struct incident_filter {
    const char *status, *tag, *severity, *grid_id, *camera_id, *department_id;
    se_wall_ms from_ms, to_ms; /* 0: open */
    struct store_scope scope;
    const char *after;
    int limit;
};
int store_incident_list(struct store_tx *tx, const struct incident_filter *filter, json_t **ret_incidents);

/* NULL: stays. Keeps who and why. -ESTALE: version (0: any) is not the one any more. */
struct incident_change_row {
    const char *status, *severity, *user_id, *reason;
    int64_t version;
};
int store_incident_change(struct store_tx *tx, const char *id, const struct incident_change_row *change);
int store_incident_set_case(struct store_tx *tx, const char *id, const char *case_id);
/* [{id,at,user_id,from,to,reason}], oldest first. */
int store_incident_change_list(struct store_tx *tx, const char *id, json_t **ret_changes);

struct signal_row {
    const char *id, *incident_id, *source, *type, *tag, *severity, *message, *key, *boxes, *camera_id,
        *user_id;
    bool has_location;
    double lat, lon;
    se_wall_ms occurred_ms, received_ms;
};
int store_signal_insert(struct store_tx *tx, const struct signal_row *row);
/* In the order they came in. */
int store_signal_list(struct store_tx *tx, const char *incident_id, const char *after, int limit,
                      json_t **ret_signals);

struct evidence_row {
    const char *id, *incident_id, *kind, *state;
    const char *camera_id, *signal_id, *media_type, *file, *sha256; /* or NULL */
    se_wall_ms at_ms, from_ms, to_ms;                               /* from 0: no range */
    int64_t bytes;                                                  /* 0: none */
};
int store_evidence_insert(struct store_tx *tx, const struct evidence_row *row);
/* The incident's recorded range now ends (and begins) here. */
int store_evidence_range(struct store_tx *tx, const char *incident_id, se_wall_ms from_ms, se_wall_ms to_ms);
/* A pending picture was taken (state "ready") or will not be ("failed", with the reason). */
int store_evidence_done(struct store_tx *tx, const char *id, se_wall_ms at_ms, int64_t bytes,
                        const char *sha256, const char *reason);
/* [{id,kind,state,camera_id,signal_id,at,from,to,media_type,bytes,sha256,reason,file}] */
int store_evidence_list(struct store_tx *tx, const char *incident_id, json_t **ret_evidence);
int store_evidence_get(struct store_tx *tx, const char *incident_id, const char *id, json_t **ret_evidence);
/* Pictures that were still pending when the gateway went down will not be taken any more. */
int store_evidence_fail_pending(struct store_tx *tx, const char *reason);

#endif
