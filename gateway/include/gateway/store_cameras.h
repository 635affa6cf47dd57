/* Cameras in the store. JSON rows are the API's camera without `state`, which ingest knows. */
#ifndef GATEWAY_STORE_CAMERAS_H
#define GATEWAY_STORE_CAMERAS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "gateway/store.h"

#define CAMERA_STREAMS_MAX 2

/* Why a stream is offline whose sealed password is of another key. */
#define CAMERA_PASSWORD_LOST "its password does not open: was secret.key replaced? Set the password again"
#define CAMERA_URL_LOST                                                                                      \
    "the password in its URL does not open: was secret.key replaced? Write the whole URL again"

/* A camera as it is stored; what a change writes and what store_camera_each() shows. */
struct camera_row {
    const char *id, *code, *name, *department_id, *grid_id; /* code, grid_id: or NULL */
    bool has_location;
    double lat, lon; /* WGS 84 */
    bool enabled;
    const char *record_mode; /* "continuous", "on_demand", "off" */
    int retention_days;
    int64_t version; /* read only */
    struct camera_stream_row {
        const char *role;            /* "main", "sub" */
        const char *url;             /* without user info, and with its secrets masked */
        const char *url_sealed;      /* access_seal()'s text of the whole URL where it has secrets, or NULL */
        const char *username;        /* or NULL */
        const char *password_sealed; /* access_seal()'s text, or NULL */
        const char *transport;       /* "auto", "tcp", "udp" */
        const char *engine;          /* "auto", "ffmpeg" */
        const char *tls_fingerprint; /* 64 hex digits, or NULL */
    } streams[CAMERA_STREAMS_MAX];
    unsigned stream_count;
};

/* -EEXIST the code is taken; -ENOLINK no such department, or a value out of its bounds. */
int store_camera_insert(struct store_tx *tx, const struct camera_row *row);
/* Replaces the row and its streams. version 0: whatever is there; else -ESTALE when it has moved on. -ENOENT.
 */
int store_camera_update(struct store_tx *tx, const struct camera_row *row, int64_t version);
int store_camera_delete(struct store_tx *tx, const char *id); /* -ENOENT */

/* {id,code,name,department_id,grid_id,location,enabled,streams,record,version,created_at,updated_at};
 * -ENOENT. */
int store_camera_get(struct store_tx *tx, const char *id_or_code, json_t **ret_camera);
/* Id and owner of a camera named by id or code; -ENOENT. Either may be NULL. */
int store_camera_resolve(struct store_tx *tx, const char *id_or_code, char ret_id[SE_ID_LEN],
                         char ret_department_id[SE_ID_LEN]);
/* The same in a read of its own: not from inside another. -ENOENT. */
struct camera_key {
    char id[SE_ID_LEN], department_id[SE_ID_LEN];
};
int store_camera_find(struct store *store, const char *id_or_code, struct camera_key *ret_key);

struct camera_filter {
    const char *department_id, *grid_id; /* NULL: any */
    const char *scope_department_id;     /* the only department the caller may see; NULL: all */
    const char *q;                       /* part of name or code; NULL: any */
    const char *after;                   /* the last id seen; NULL: from the start */
    int limit;
};
/* In the order of ids, as store_camera_get() shows them. */
int store_camera_list(struct store_tx *tx, const struct camera_filter *filter, json_t **ret_cameras);

/* A stream's URL was kept in the clear: what may be shown of it, and all of it, sealed. Not a change that
 * anybody made: the version stays. -ENOENT. */
int store_camera_seal_url(struct store_tx *tx, const char *camera_id, const char *role, const char *url,
                          const char *url_sealed);

/* Visits one camera (by id) or all (NULL), sealed passwords included. The row lives until the
 * visitor returns; its non-zero result ends the visit and is returned. -ENOENT for a single one. */
int store_camera_each(struct store_tx *tx, const char *id,
                      int (*visit)(const struct camera_row *row, void *ctx), void *ctx);

#endif
