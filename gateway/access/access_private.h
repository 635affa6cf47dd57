/* What the files of access share. */
#ifndef ACCESS_PRIVATE_H
#define ACCESS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "access/keep.h"
#include "base/metrics.h"
#include "gateway/access.h"

#define ACCESS_TOKEN_BYTES  32
#define ACCESS_REVOKED_MAX  4096
#define ACCESS_FAILURES_MAX 4096
#define ACCESS_DIGEST_TEXT  65 /* SHA-256 as hexadecimal, and NUL */

/* Failed sign-ins of one user from one address. */
struct access_failures {
    uint64_t key; /* keyed hash of both; 0: free */
    unsigned count;
    se_mono_us since_us;
};

/* A session or user that was ended: who was made before that generation is no longer good. */
struct access_revoked {
    char id[SE_ID_LEN];
    uint64_t generation;
    se_mono_us at_us;
};

struct access {
    struct store *store;
    char *data_dir;
    char *admin_password_file;
    int64_t session_ms, ticket_ms, sign_in_window_us;
    bool key_was_there; /* this is not the first start on this data directory */
    unsigned char secret_key[32];
    unsigned char hash_key[16];
    char decoy_hash[128]; /* verified when there is no such user, so that it takes as long */

    _Atomic uint64_t generation;
    pthread_mutex_t lock;        /* what follows */
    struct access_keep sessions; /* tokens seen lately */
    struct access_keep tickets;
    struct access_revoked revoked[ACCESS_REVOKED_MAX];
    unsigned revoked_next;
    uint64_t floor; /* who was made before this generation is no longer good */
    struct access_failures failures[ACCESS_FAILURES_MAX];
};

enum {
    ACCESS_M_SIGN_IN_OK,
    ACCESS_M_SIGN_IN_WRONG,
    ACCESS_M_SIGN_IN_BLOCKED,
    ACCESS_M_STREAM_OK,
    ACCESS_M_STREAM_WRONG,
    ACCESS_M_STREAM_BLOCKED,
    ACCESS_M_SESSIONS_DROPPED,
    ACCESS_M_TICKETS_DROPPED,
    ACCESS_M_AUDIT_LOST,
};
extern struct se_metric access_metrics[];

/* token or ticket → its SHA-256. */
void access_digest(const char *text, unsigned char out[32]);
void access_digest_text(const char *text, char out[ACCESS_DIGEST_TEXT]);
/* 43 characters of base64url over 32 random bytes, after a prefix that says what it is. */
void access_random_token(const char *prefix, char out[65]);

/* Failed tries of a name from an address: -EDQUOT when there were too many; counting one, or that it went
 * well. */
int access_failures_check(struct access *access, const char *username, const char *address, int *ret_retry_s);
void access_failures_note(struct access *access, const char *username, const char *address, bool failed);
/* Fills who with the user's names, department and rights as they stand. -ENOENT. */
int access_load_who(struct store_tx *tx, const char *user_id, struct access_who *ret_who);
/* At most two hashes are made at once, each takes 64 MiB: enter, verify, leave. */
void access_hash_enter(void);
void access_hash_leave(void);
/* argon2id check, inside access_hash_enter(). */
bool access_password_verify(const char *hash, const char *password);
/* Reads DATA_DIR/secret.key, or makes it. */
int access_secret_load(struct access *access, struct se_err *err);
int access_put_built_in_roles(struct store_tx *tx);
/* A session's or user's id is no longer good: forgets its tokens and tickets, ends what is open. */
void access_revoke(struct access *access, const char *id);

#endif
