/* Who may do what, and the trace it leaves. One choke point: access_decide(). */
#ifndef GATEWAY_ACCESS_H
#define GATEWAY_ACCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "base/time.h"
#include "gateway/options.h"
#include "gateway/store.h"

/* name, the text used in roles and in the API, what it lets one do */
#define ACCESS_PERMISSIONS(X)                                                                                \
    X(PUBLIC, "public", "open to everybody, signed in or not")                                               \
    X(SELF, "self", "anybody signed in, about themselves")                                                   \
    X(CAMERA_READ, "camera.read", "see cameras and their state")                                             \
    X(CAMERA_WRITE, "camera.write", "add, change and delete cameras")                                        \
    X(MEDIA_LIVE, "media.live", "watch live and take snapshots")                                             \
    X(MEDIA_PLAYBACK, "media.playback", "find and play recordings")                                          \
    X(SIGNAL_POST, "signal.post", "hand in signals")                                                         \
    X(INCIDENT_READ, "incident.read", "see incidents, their signals and evidence")                           \
    X(INCIDENT_WRITE, "incident.write", "report and change incidents")                                       \
    X(CASE_READ, "case.read", "see cases and their transitions")                                             \
    X(CASE_WRITE, "case.write", "open cases and take them further")                                          \
    X(CASE_COMMAND, "case.command", "supervise, extend and suspend cases")                                   \
    X(COUNTY_READ, "county.read", "see divisions, grids, departments, tags, kinds, rules")                   \
    X(COUNTY_WRITE, "county.write", "change divisions, grids, departments, tags, kinds, rules")              \
    X(USER_READ, "user.read", "see users and roles")                                                         \
    X(USER_WRITE, "user.write", "add and change users")                                                      \
    X(TOKEN_WRITE, "token.write", "make and revoke API tokens")                                              \
    X(AUDIT_READ, "audit.read", "read and verify the audit chain")                                           \
    X(METRICS_READ, "metrics.read", "read /metrics")

/* No permission has the value 0, so that a row of a table which forgot one is refused. */
enum access_permission {
    ACCESS_NONE_ = 0,
#define X(id, name, help) ACCESS_##id,
    ACCESS_PERMISSIONS(X)
#undef X
        ACCESS_COUNT_
};

const char *access_permission_name(enum access_permission permission);
int access_permission_parse(const char *name, enum access_permission *ret_permission); /* -ENOENT */

/* Somebody who was let in. Plain values: copy freely. */
struct access_who {
    char user_id[SE_ID_LEN]; /* "" : nobody (public routes) */
    char username[65];
    char display_name[129];
    char department_id[SE_ID_LEN];
    char division_id[SE_ID_LEN];
    char session_id[SE_ID_LEN]; /* session or API token */
    char address[64];
    uint64_t permissions; /* bit per access_permission */
    bool all_departments; /* a role of county-wide scope */
    bool by_cookie;
    char roles[256];       /* role codes, comma-separated */
    se_wall_ms expires_ms; /* of the session or token; 0: never */
    uint64_t generation;   /* of the revocations known when this was made; see access_still() */
};

struct access;

int access_new(struct store *store, const struct options *options, struct access **ret_access,
               struct se_err *err);
void access_free(struct access *access);
/* First start on an empty store: built-in roles, the department "centre", the user
 * `admin` with the password of access.admin_password_file, or a random one written
 * to DATA_DIR/initial-admin-password (0600). Does nothing when there are users. */
int access_bootstrap(struct access *access, struct se_err *err);

/* What is acted on. NULL members: not about one. */
struct access_target {
    const char *type, *id;     /* "camera", its id */
    const char *department_id; /* owner */
};
struct access_decision {
    bool allowed;
    const char *reason; /* static text */
};
/* The one question. Pure: no I/O, any thread. */
struct access_decision access_decide(const struct access *access, const struct access_who *who,
                                     enum access_permission permission, const struct access_target *target);

/* Sign-in. Blocks (argon2id): pool threads only. -EACCES wrong, -EDQUOT five failures
 * per user and address in 15 min (ret_retry_s). The token is shown once, its hash stored. */
int access_sign_in(struct access *access, const char *username, const char *password, const char *address,
                   char ret_token[65], se_wall_ms *ret_expires, struct access_who *ret_who, int *ret_retry_s);
/* A session's or API token's owner. -EACCES unknown or ended. Cached; may read the store: pool threads only.
 */
int access_check_token(struct access *access, const char *token, const char *address,
                       struct access_who *ret_who);
int access_sign_out(struct access *access, const struct access_who *who);
/* Is the session or token still good? Cheap, any thread: for streams that stay open. */
bool access_still(struct access *access, const struct access_who *who);
/* Ends all sessions and tokens of a user (password changed, disabled). Writes the store: pool threads only.
 */
void access_forget_user(struct access *access, const char *user_id);
/* Ends one session or API token; -ENOENT it was not open. Writes the store: pool threads only. */
int access_end_session(struct access *access, const char *session_id);
/* A user's roles or department, or what a role may, has changed: everybody's rights are read again at
 * their next request, and what is open ends (clients open it again). Any thread. */
void access_rights_changed(struct access *access);
/* A new API token of the user: the secret, shown once, and its id. expires_ms 0: never. In the caller's
 * transaction. */
int access_api_token_new(struct store_tx *tx, const char *user_id, const char *name, se_wall_ms expires_ms,
                         char ret_token[65], char ret_id[SE_ID_LEN]);

/* Media tickets: one camera, one action, until expiry. Kept in memory. */
enum access_media { ACCESS_TICKET_LIVE, ACCESS_TICKET_PLAYBACK, ACCESS_TICKET_SNAPSHOT };
int access_ticket_new(struct access *access, const struct access_who *who, const char *camera_id,
                      enum access_media action, se_wall_ms from, se_wall_ms to, char ret_ticket[65],
                      se_wall_ms *ret_expires);
/* -EACCES */
int access_ticket_check(struct access *access, const char *ticket, const char *camera_id,
                        enum access_media action, struct access_who *ret_who);
/* The range a playback ticket was given for; 0: open. -EACCES */
int access_ticket_range(struct access *access, const char *ticket, se_wall_ms *ret_from, se_wall_ms *ret_to);

/* Stream passwords: generated ones, for Digest (RFC 7616) on RTSP out and nothing else. What is kept of one
 * is H(username:ACCESS_REALM:password) in both algorithms, sealed. */
#define ACCESS_REALM                "sharpeyes"
#define ACCESS_STREAM_PASSWORDS_MAX 16 /* of one user */
struct access_ha1 {
    char md5[33], sha256[65]; /* lower-case hexadecimal */
};
/* In the caller's transaction. -EDQUOT the user has too many. */
int access_stream_password_new(struct access *access, struct store_tx *tx, const char *user_id,
                               const char *name, const struct access_ha1 *ha1, char ret_id[SE_ID_LEN]);
/* Ends one's own, and what was opened with it; action: for the audit trail. -ENOENT. Writes the store: pool
 * threads only. */
int access_stream_password_end(struct access *access, const struct access_who *who, const char *action,
                               const char *id);
/* Does this hash answer the challenge? */
typedef bool (*access_ha1_fn)(const struct access_ha1 *ha1, void *ctx);
/* Signs in a user with whichever stream password `right` takes. -EACCES none, or no such user; -EDQUOT five
 * failures of the user and address in access.sign_in_window_s. What ret_who opens ends with the stream
 * password, see access_still(). Reads the store: pool threads only. */
int access_stream_sign_in(struct access *access, const char *username, const char *address,
                          access_ha1_fn right, void *ctx, struct access_who *ret_who, int *ret_retry_s);
/* Nonces for challenges: good for five minutes and one address, known by our own key; none is stored. Any
 * thread. */
#define ACCESS_NONCE_LEN 49 /* 48 characters and NUL */
void access_nonce_new(const struct access *access, const char *address, char ret_nonce[ACCESS_NONCE_LEN]);
/* 0; -ESTALE it was one of ours; -EACCES */
int access_nonce_check(const struct access *access, const char *nonce, const char *address);

/* 1 to 64 bytes of UTF-8 without blanks, control characters and any of ,:/\"<> : 0, or -EINVAL (field
 * "username"). */
int access_username_check(const char *username, struct se_err *err);
/* 8 to 128 bytes of UTF-8 that are not the username: 0, or -EINVAL (err: field "password"). */
int access_password_check(const char *password, const char *username, struct se_err *err);
/* argon2id at libsodium's interactive limits: 64 MiB and some tens of ms; two at a time, others wait. -ENOMEM
 */
int access_password_hash(const char *password, char ret_hash[128]);
int access_random_password(char *out, unsigned len); /* len characters and NUL */

/* Audit: appended in the caller's transaction, chained by SHA-256 to the entry before. detail is borrowed;
 * members that are secret by name (password, token, ticket …) are masked. who NULL: the system itself. */
int access_audit(struct store_tx *tx, const struct access_who *who, const char *action,
                 const char *target_type, const char *target_id, const json_t *detail);
/* The same as a transaction of its own, without waiting: for views. */
void access_audit_later(struct access *access, const struct access_who *who, const char *action,
                        const char *target_type, const char *target_id, const json_t *detail);

/* Secrets at rest: XChaCha20-Poly1305 under DATA_DIR/secret.key (0600). malloc'd base64 text. */
int access_seal(struct access *access, const char *plain, char **ret_sealed);
int access_unseal(struct access *access, const char *sealed, char **ret_plain); /* -EBADMSG */
/* A URL with secrets of its own (se_url_mask()): what may be shown of it, and all of it, sealed. NULL both
 * when it holds none. malloc'd. */
int access_seal_url(struct access *access, const char *url, char **ret_shown, char **ret_sealed);

#endif
