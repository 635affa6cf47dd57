/* Correlation: observations into incidents, decided in the writer's transaction, so that two
 * at once, a crash or a repeated request never make two of one happening. */
#ifndef EVENTS_CORRELATE_H
#define EVENTS_CORRELATE_H

#include "internal.h"

/* One checked signal or report. Texts are borrowed from the request. */
struct observation {
    char id[SE_ID_LEN];
    const char *source, *type, *message, *key, *camera; /* camera: id or code as given; or NULL */
    int severity;                                       /* rank; -1: the tag's */
    se_wall_ms occurred_ms;
    bool has_location;
    double lat, lon;
    char *boxes; /* JSON text, owned, or NULL */
    struct {
        uint8_t *data; /* owned, or NULL */
        size_t size;
        const char *media_type;
        char id[SE_ID_LEN], file[SE_ID_LEN + 4], sha256[65];
    } image;
    /* found for it */
    const json_t *tag;
    bool known; /* is the type in a dictionary? */
    json_t *camera_row;
    struct place place;
    char incident_id[SE_ID_LEN];
};

/* An incident this intake made or joined. */
struct touched {
    struct incident_match now;
    char join_key[512]; /* "" : joined by place */
    char join_extra[200];
    const json_t *tag;
    double lat, lon;
    int64_t window_ms;
    const char *message, *camera_id;
    bool created, moved, rose;
    char snapshot_id[SE_ID_LEN], case_id[SE_ID_LEN];
    json_t *shown, *shown_case; /* for the bus */
};

struct intake {
    struct events *events;
    struct county *county;
    struct call *call;
    struct observation *items;
    size_t count;
    bool join;               /* false: each is an incident of its own (a person's report) */
    const char *reported_by; /* user, or NULL */
    struct touched *touched;
    size_t touched_count;
};

int intake_init(struct intake *intake, struct events *events, struct call *call, size_t count);
void intake_fini(struct intake *intake);
/* Finds tags, cameras and places; faults name the item ("3/camera"; prefix "" for a single one). */
int intake_prepare(struct intake *intake, bool array);
/* In the transaction: writes incidents, signals, evidence and the cases that rules ask for. */
int intake_store(struct intake *intake, struct store_tx *tx);
/* After the commit: has snapshots taken and tells the bus. */
void intake_publish(struct intake *intake);

#endif
