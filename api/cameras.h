/* Cameras between the API's JSON, the store's row and what ingest must know. */
#ifndef API_CAMERAS_H
#define API_CAMERAS_H

#include <pthread.h>

#include "gateway/store_cameras.h"
#include "http/route.h"
#include "ingest/ingest.h"

/* The camera named by id or code, when the caller may do the row's act on it: 0 and its id; else a problem.
 */
int camera_find(struct http_request *req, struct http_response *res, const char *id_or_code,
                char ret_id[SE_ID_LEN]);

/* Held while a camera is stored and handed to ingest: what was stored last is what ingest gets last. */
pthread_mutex_t *camera_turn(const char *camera_id);

/* A camera being made or changed: what the client sent over what was there. Owns its texts. */
struct camera_edit {
    char id[SE_ID_LEN];
    char *code, *name, *department_id, *grid_id;
    bool has_location, enabled;
    double lat, lon;
    char *record_mode;
    int retention_days;
    int64_t version;
    struct camera_edit_stream {
        bool there;
        char *url;        /* without user info, whole */
        char *url_shown;  /* what may be shown of it, or NULL: all of it */
        char *url_sealed; /* or NULL */
        bool url_lost;    /* sealed under another key: url is what was shown of it */
        char *username;
        char *password; /* plain */
        char *sealed;
        bool password_lost; /* sealed under another key: kept as it is until another is given */
        char *transport;
        char *engine;
        char *tls_fingerprint; /* or NULL */
    } streams[STREAM_ROLES];
};
void camera_edit_init(struct camera_edit *edit); /* defaults of the contract */
void camera_edit_fini(struct camera_edit *edit);
/* Takes what is stored, passwords opened. -ENOENT */
int camera_edit_load(struct camera_edit *edit, struct store *store, struct access *access, const char *id);
/* Takes what the client sent; every wrong field is named in res. own_department: of a new one that names
 * none. -EPROTO */
int camera_edit_apply(struct camera_edit *edit, const json_t *json, const char *own_department,
                      struct http_response *res, bool is_new);
/* Would storing one over the other change anything? */
bool camera_edit_same(const struct camera_edit *a, const struct camera_edit *b);
/* The same for what is one stream's members (url, username …). */
int camera_edit_apply_stream(struct camera_edit *edit, enum stream_role role, const json_t *json,
                             struct http_response *res);
/* Borrowed views of it. seal first, for the row. */
int camera_edit_seal(struct camera_edit *edit, struct access *access);
void camera_edit_spec(const struct camera_edit *edit, struct camera_spec *ret_spec);
void camera_edit_row(const struct camera_edit *edit, struct camera_row *ret_row);

/* camera_url.c: "rtsp://user:p%40ss@host/path" into a URL without user info and the two, decoded (NULL when
 * there are none). malloc'd. -EINVAL: err says what is wrong with it. Pure. */
int camera_url_split(const char *text, char **ret_url, char **ret_username, char **ret_password,
                     struct se_err *err);
/* Do two URLs (without user info) lead to the same host and port? */
bool camera_url_same_place(const char *a, const char *b);

#endif
