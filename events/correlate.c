#include "correlate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "check.h"
#include "gateway/store_cameras.h"
#include "gateway/store_cases.h"
#include "gateway/store_county.h"

#define METRES_A_DEGREE 111195.0

int intake_init(struct intake *intake, struct events *events, struct call *call, size_t count)
{
    *intake = (struct intake){.events = events, .call = call, .count = count, .join = true};
    intake->items = calloc(count, sizeof *intake->items);
    intake->touched = calloc(count, sizeof *intake->touched);
    if (!intake->items || !intake->touched) {
        intake_fini(intake);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        intake->items[i].severity = -1;
    intake->county = events_county(events);
    return 0;
}

static void forget_touched(struct intake *intake)
{
    for (size_t i = 0; i < intake->touched_count; i++) {
        json_decref(intake->touched[i].shown);
        json_decref(intake->touched[i].shown_case);
    }
    if (intake->touched)
        memset(intake->touched, 0, intake->count * sizeof *intake->touched);
    intake->touched_count = 0;
}

void intake_fini(struct intake *intake)
{
    forget_touched(intake);
    for (size_t i = 0; intake->items && i < intake->count; i++) {
        free(intake->items[i].boxes);
        free(intake->items[i].image.data);
        json_decref(intake->items[i].camera_row);
    }
    free(intake->items);
    free(intake->touched);
    county_unref(&intake->county);
    *intake = (struct intake){0};
}

/* ---- before the transaction: what does not change under it ---- */

static int read_cameras(struct store_tx *tx, void *ctx)
{
    struct intake *intake = ctx;
    const struct access_who *who = intake->call->who;
    se_json_ *seen = json_object();
    for (size_t i = 0; i < intake->count; i++) {
        struct observation *item = &intake->items[i];
        if (!item->camera || item->camera_row)
            continue;
        json_t *row = json_object_get(seen, item->camera);
        if (!row) {
            int rc = store_camera_get(tx, item->camera, &row);
            if (rc && rc != -ENOENT)
                return rc;
            bool foreign = !rc && who && !who->all_departments &&
                           strcmp(who->department_id, se_json_str(row, "department_id", ""));
            if (foreign)
                json_decref(row);
            json_object_set_new(seen, item->camera, rc || foreign ? (row = json_null()) : row);
        }
        if (!json_is_null(row))
            item->camera_row = json_incref(row);
    }
    return 0;
}

void place_find(struct events *events, const struct county *county, const json_t *camera, struct place *place)
{
    const json_t *location = json_object_get(camera, "location");
    const char *grid_id = se_json_str(camera, "grid_id", NULL);
    const json_t *grid = grid_id ? json_object_get(county->grids, grid_id) : NULL;
    bool own_point = place->has_location;
    if (!own_point && json_is_object(location)) {
        place->has_location = true;
        place->lat = se_json_real(location, "lat", 0);
        place->lon = se_json_real(location, "lon", 0);
    }
    /* A point that came with the signal says more than where the camera hangs. */
    if (own_point || !grid) {
        place->in_grid = place->has_location && !grid_locate(county->index, place->lat, place->lon,
                                                             events->grid_distance_m, &place->grid);
    }
    if (!place->in_grid && grid) {
        snprintf(place->grid.grid_id, sizeof place->grid.grid_id, "%s", grid_id);
        snprintf(place->grid.division_id, sizeof place->grid.division_id, "%s",
                 se_json_str(grid, "division_id", ""));
        place->grid.version = se_json_int(grid, "version", 1);
        place->grid.distance_m = 0;
        place->in_grid = true;
    }
}

int intake_prepare(struct intake *intake, bool array)
{
    int rc = store_read(intake->events->store, read_cameras, intake);
    if (rc)
        return rc;
    for (size_t i = 0; i < intake->count; i++) {
        struct observation *item = &intake->items[i];
        char prefix[24] = "";
        if (array)
            snprintf(prefix, sizeof prefix, "%zu", i);
        if (item->camera && !item->camera_row)
            check_fault(&intake->call->fault, prefix, "camera", "\"%s\" is no camera's id or code",
                        item->camera);
        se_id_new(item->id);
        item->tag = county_tag(intake->county, item->type, &item->known);
        if (!item->tag)
            return -EIO; /* the built-in tag is gone from the store */
        item->place = (struct place){.has_location = item->has_location, .lat = item->lat, .lon = item->lon};
        place_find(intake->events, intake->county, item->camera_row, &item->place);
    }
    return check_result(&intake->call->fault);
}

/* ---- in the transaction ---- */

static const char *tag_code(const struct observation *item)
{
    return se_json_str(item->tag, "code", "other");
}

static int64_t window_of(const struct intake *intake, const json_t *tag)
{
    int64_t own = se_json_int(tag, "window_s", 0);
    return own ? own * 1000 : intake->events->window_ms;
}

/* What makes two observations candidates for one incident. Without a camera and with a place of its own
 * there is no key: those join by nearness. */
static void make_key(const struct observation *item, struct touched *touched)
{
    const char *unknown = item->known ? "" : item->type, *key = item->key ? item->key : "";
    snprintf(touched->join_extra, sizeof touched->join_extra, "%.64s%s%.128s", unknown, *unknown ? "|" : "",
             key);
    if (item->camera_row)
        snprintf(touched->join_key, sizeof touched->join_key, "camera|%s|%s|%s", tag_code(item),
                 se_json_str(item->camera_row, "id", ""), touched->join_extra);
    else if (!item->has_location)
        snprintf(touched->join_key, sizeof touched->join_key, "source|%s|%s|%s", tag_code(item), item->source,
                 touched->join_extra);
}

struct nearness {
    double lat, lon, within_m;
};

static bool near_enough(double lat, double lon, void *ctx)
{
    const struct nearness *nearness = ctx;
    return grid_distance_m(nearness->lat, nearness->lon, lat, lon) <= nearness->within_m;
}

static bool same_happening(const struct intake *intake, const struct touched *touched,
                           const struct touched *wanted, const struct observation *item)
{
    if (item->occurred_ms < touched->now.first_ms - touched->window_ms ||
        item->occurred_ms > touched->now.last_ms + touched->window_ms ||
        strcmp(touched->join_key, wanted->join_key) || touched->tag != item->tag)
        return false;
    if (*wanted->join_key)
        return true;
    struct nearness nearness = {item->lat, item->lon, intake->events->join_distance_m};
    return !strcmp(touched->join_extra, wanted->join_extra) &&
           near_enough(touched->lat, touched->lon, &nearness);
}

static int find_stored(struct intake *intake, struct store_tx *tx, const struct observation *item,
                       struct touched *wanted)
{
    se_wall_ms from = item->occurred_ms - wanted->window_ms, to = item->occurred_ms + wanted->window_ms;
    if (*wanted->join_key)
        return store_incident_match_key(tx, wanted->join_key, from, to, &wanted->now);
    struct nearness nearness = {item->lat, item->lon, intake->events->join_distance_m};
    double dlat = nearness.within_m / METRES_A_DEGREE, shrink = cos(item->lat * M_PI / 180);
    double dlon = dlat / (shrink > 0.01 ? shrink : 0.01);
    return store_incident_match_place(tx, tag_code(item), wanted->join_extra, item->lat, item->lon, dlat,
                                      dlon, from, to, near_enough, &nearness, &wanted->now);
}

static int open_incident(struct intake *intake, struct store_tx *tx, const struct observation *item,
                         struct touched *touched)
{
    const struct place *place = &item->place;
    char department[SE_ID_LEN] = "";
    const char *department_id = se_json_str(item->camera_row, "department_id", NULL);
    const char *division_id = place->in_grid ? place->grid.division_id : NULL;
    const char *kind = se_json_str(item->tag, "department_kind", NULL);
    if (!department_id && kind) {
        int rc = store_department_for(tx, kind, division_id, department);
        if (rc && rc != -ENOENT)
            return rc;
        department_id = *department ? department : NULL;
    }
    int severity =
        item->severity >= 0 ? item->severity : severity_rank(se_json_str(item->tag, "severity", "minor"));
    se_id_new(touched->now.id);
    touched->now.first_ms = touched->now.last_ms = item->occurred_ms;
    touched->now.count = 1;
    snprintf(touched->now.severity, sizeof touched->now.severity, "%s", severity_name(severity));
    touched->created = true;
    touched->lat = place->lat;
    touched->lon = place->lon;
    int rc = store_incident_insert(tx, &(struct incident_row){
                                           .id = touched->now.id,
                                           .tag = tag_code(item),
                                           .tag_text = item->known ? NULL : item->type,
                                           .severity = touched->now.severity,
                                           .status = "new",
                                           .source = item->source,
                                           .message = item->message,
                                           .camera_id = se_json_str(item->camera_row, "id", NULL),
                                           .grid_id = place->in_grid ? place->grid.grid_id : NULL,
                                           .division_id = division_id,
                                           .department_id = department_id,
                                           .reported_by = intake->reported_by,
                                           .has_location = place->has_location,
                                           .lat = place->lat,
                                           .lon = place->lon,
                                           .grid_version = place->grid.version,
                                           .grid_distance_m = place->grid.distance_m,
                                           .first_ms = item->occurred_ms,
                                           .last_ms = item->occurred_ms,
                                           .count = 1,
                                           .join_key = *touched->join_key ? touched->join_key : NULL,
                                           .join_extra = touched->join_extra,
                                       });
    if (!rc && touched->camera_id)
        rc = evidence_open(intake->events, tx, touched->now.id, touched->camera_id, item->occurred_ms,
                           item->occurred_ms, touched->snapshot_id);
    return rc;
}

static void join(const struct observation *item, struct touched *touched)
{
    struct incident_match *now = &touched->now;
    int severity =
        item->severity >= 0 ? item->severity : severity_rank(se_json_str(item->tag, "severity", "minor"));
    now->count++;
    if (item->occurred_ms < now->first_ms || item->occurred_ms > now->last_ms)
        touched->moved = true;
    now->first_ms = item->occurred_ms < now->first_ms ? item->occurred_ms : now->first_ms;
    now->last_ms = item->occurred_ms > now->last_ms ? item->occurred_ms : now->last_ms;
    touched->rose = touched->rose || severity > severity_rank(now->severity);
    if (severity > severity_rank(now->severity))
        snprintf(now->severity, sizeof now->severity, "%s", severity_name(severity));
    if (item->message)
        touched->message = item->message;
}

/* The incident of an observation: one of this intake's, one that is stored and open, or a new one. */
static int place_observation(struct intake *intake, struct store_tx *tx, struct observation *item)
{
    struct touched *wanted = &intake->touched[intake->touched_count];
    *wanted = (struct touched){.tag = item->tag,
                               .window_ms = window_of(intake, item->tag),
                               .camera_id = se_json_str(item->camera_row, "id", NULL),
                               .lat = item->lat,
                               .lon = item->lon};
    make_key(item, wanted);
    for (size_t i = 0; intake->join && i < intake->touched_count; i++) {
        struct touched *touched = &intake->touched[i];
        if (same_happening(intake, touched, wanted, item)) {
            join(item, touched);
            memcpy(item->incident_id, touched->now.id, SE_ID_LEN);
            return 0;
        }
    }
    int rc = intake->join ? find_stored(intake, tx, item, wanted) : -ENOENT;
    if (!rc)
        join(item, wanted);
    else if (rc == -ENOENT)
        rc = open_incident(intake, tx, item, wanted);
    if (rc)
        return rc;
    intake->touched_count++;
    memcpy(item->incident_id, wanted->now.id, SE_ID_LEN);
    return 0;
}

static int keep_signal(struct intake *intake, struct store_tx *tx, const struct observation *item,
                       se_wall_ms now)
{
    const struct access_who *who = intake->call->who;
    const char *severity =
        item->severity >= 0 ? severity_name(item->severity) : se_json_str(item->tag, "severity", "minor");
    const char *camera_id = se_json_str(item->camera_row, "id", NULL);
    int rc =
        store_signal_insert(tx, &(struct signal_row){.id = item->id,
                                                     .incident_id = item->incident_id,
                                                     .source = item->source,
                                                     .type = item->type,
                                                     .tag = tag_code(item),
                                                     .severity = severity,
                                                     .message = item->message,
                                                     .key = item->key,
                                                     .boxes = item->boxes,
                                                     .camera_id = camera_id,
                                                     .user_id = who && who->user_id[0] ? who->user_id : NULL,
                                                     .has_location = item->has_location,
                                                     .lat = item->lat,
                                                     .lon = item->lon,
                                                     .occurred_ms = item->occurred_ms,
                                                     .received_ms = now});
    if (rc || !item->image.data)
        return rc;
    return store_evidence_insert(tx, &(struct evidence_row){.id = item->image.id,
                                                            .incident_id = item->incident_id,
                                                            .kind = "image",
                                                            .state = "ready",
                                                            .camera_id = camera_id,
                                                            .signal_id = item->id,
                                                            .media_type = item->image.media_type,
                                                            .file = item->image.file,
                                                            .sha256 = item->image.sha256,
                                                            .at_ms = item->occurred_ms,
                                                            .bytes = (int64_t)item->image.size});
}

static int settle(struct intake *intake, struct store_tx *tx, struct touched *touched)
{
    struct events *events = intake->events;
    int rc = 0;
    if (!touched->created || touched->now.count > 1)
        rc = store_incident_join(tx, touched->now.id, &touched->now, touched->message);
    if (!rc && touched->moved && touched->camera_id)
        rc = store_evidence_range(tx, touched->now.id, touched->now.first_ms - events->before_ms,
                                  touched->now.last_ms + events->after_ms);
    if (!rc)
        rc = store_incident_get(tx, touched->now.id, NULL, &touched->shown);
    if (!rc)
        rc = incident_apply_rules(intake->county, tx, touched->shown, touched->case_id);
    if (rc || !*touched->case_id)
        return rc;
    /* The case changed the incident: read both as they are now. */
    json_decref(touched->shown);
    touched->shown = NULL;
    rc = store_incident_get(tx, touched->now.id, NULL, &touched->shown);
    if (!rc)
        rc = store_case_get(tx, touched->case_id, NULL, &touched->shown_case);
    if (!rc)
        touched->shown_case = case_show(intake->county, touched->shown_case, NULL, NULL);
    return rc;
}

int intake_store(struct intake *intake, struct store_tx *tx)
{
    se_wall_ms now = se_wall_now_ms();
    forget_touched(intake);
    int rc = 0;
    for (size_t i = 0; !rc && i < intake->count; i++) {
        rc = place_observation(intake, tx, &intake->items[i]);
        if (!rc)
            rc = keep_signal(intake, tx, &intake->items[i], now);
    }
    for (size_t i = 0; !rc && i < intake->touched_count; i++)
        rc = settle(intake, tx, &intake->touched[i]);
    return rc;
}

void intake_publish(struct intake *intake)
{
    struct events *events = intake->events;
    int64_t made = 0;
    for (size_t i = 0; i < intake->touched_count; i++) {
        struct touched *touched = &intake->touched[i];
        made += touched->created;
        if (*touched->snapshot_id)
            evidence_take_snapshot(events, touched->now.id, touched->snapshot_id, touched->camera_id);
        if (touched->created)
            events_publish(events, "incident.created", "incident.read", SE_TAKE(touched->shown));
        else
            notice_incident(events, SE_TAKE(touched->shown), touched->rose || touched->shown_case);
        if (touched->shown_case) {
            events_count(M_CASES, 1);
            events_publish(events, "case.opened", "case.read", SE_TAKE(touched->shown_case));
        }
    }
    events_count(M_SIGNALS, (int64_t)intake->count);
    events_count(M_INCIDENTS, made);
    events_count(M_JOINED, (int64_t)intake->count - made);
}
