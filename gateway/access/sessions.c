/* Sign-in, sessions and API tokens, and what ends them. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "access/access_private.h"
#include "base/json.h"
#include "base/log.h"
#include "gateway/store_identity.h"

#define FAILURES_ALLOWED 5
#define FAILURE_WAYS     8                   /* places in the table that one key may take */
#define TRUST_US         (60 * SE_US_PER_S)  /* how long a token is believed without asking the store */
#define REVOKED_KEEP_US  (600 * SE_US_PER_S) /* by then every open stream has asked access_still() */
#define FORGET_MS        (7LL * 86400 * 1000)

/* ---- failed sign-ins ---- */

/* The place that counts user and address; the stalest of its ways makes room. Under the lock. */
static struct access_failures *failures_of(struct access *access, const char *username, const char *address)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "%.100s %.100s", address, username);
    uint64_t key = 0;
    crypto_shorthash((unsigned char *)&key, (const unsigned char *)text, (unsigned long long)len,
                     access->hash_key);
    key |= 1; /* never 0 */
    struct access_failures *stalest = NULL;
    for (unsigned i = 0; i < FAILURE_WAYS; i++) {
        struct access_failures *at = &access->failures[(key + i * 2) % ACCESS_FAILURES_MAX];
        if (at->key == key) {
            stalest = at;
            break;
        }
        if (!stalest || at->since_us < stalest->since_us)
            stalest = at;
    }
    se_mono_us now = se_mono_now_us();
    if (stalest->key != key || now - stalest->since_us > access->sign_in_window_us)
        *stalest = (struct access_failures){.key = key, .since_us = now};
    return stalest;
}

int access_failures_check(struct access *access, const char *username, const char *address, int *ret_retry_s)
{
    int r = 0;
    pthread_mutex_lock(&access->lock);
    const struct access_failures *failures = failures_of(access, username, address);
    if (failures->count >= FAILURES_ALLOWED) {
        se_mono_us until = failures->since_us + access->sign_in_window_us;
        if (ret_retry_s)
            *ret_retry_s = (int)((until - se_mono_now_us()) / SE_US_PER_S) + 1;
        r = -EDQUOT;
    }
    pthread_mutex_unlock(&access->lock);
    return r;
}

void access_failures_note(struct access *access, const char *username, const char *address, bool failed)
{
    pthread_mutex_lock(&access->lock);
    struct access_failures *failures = failures_of(access, username, address);
    failures->count = failed ? failures->count + 1 : 0;
    pthread_mutex_unlock(&access->lock);
}

/* ---- sign-in ---- */

struct sign_in {
    const char *username, *address;
    struct user_secret secret;
    char id[SE_ID_LEN], digest[ACCESS_DIGEST_TEXT];
    se_wall_ms now_ms, expires_ms;
    struct access_who who;
};

static int read_secret(struct store_tx *tx, void *ctx)
{
    struct sign_in *in = ctx;
    return store_user_secret(tx, in->username, &in->secret);
}

static int write_session(struct store_tx *tx, void *ctx)
{
    struct sign_in *in = ctx;
    int r = store_session_insert(tx, &(struct session_row){.id = in->id,
                                                           .token_sha256 = in->digest,
                                                           .user_id = in->secret.id,
                                                           .address = in->address,
                                                           .expires_ms = in->expires_ms});
    if (r == 0)
        r = store_user_signed_in(tx, in->secret.id, in->now_ms);
    if (r == 0)
        r = store_sessions_forget(tx, in->now_ms - FORGET_MS);
    if (r == 0)
        r = access_load_who(tx, in->secret.id, &in->who);
    if (r < 0)
        return r;
    snprintf(in->who.session_id, sizeof(in->who.session_id), "%s", in->id);
    snprintf(in->who.address, sizeof(in->who.address), "%s", in->address);
    return access_audit(tx, &in->who, "session.create", "session", in->id, NULL);
}

/* 0, -EACCES, -EDQUOT. Counts the failure before another try can begin. */
static int check_password(struct access *access, struct sign_in *in, const char *password, bool known,
                          int *ret_retry_s)
{
    int r = access_failures_check(access, in->username, in->address, ret_retry_s);
    if (r < 0)
        return r;
    access_hash_enter();
    r = access_failures_check(access, in->username, in->address,
                              ret_retry_s); /* others may have failed meanwhile */
    if (r == 0) {
        /* Somebody unknown costs as long as somebody known. */
        bool right = access_password_verify(known ? in->secret.password_hash : access->decoy_hash, password);
        if (!right || !known || !in->secret.enabled)
            r = -EACCES;
        access_failures_note(access, in->username, in->address, r < 0);
    }
    access_hash_leave();
    return r;
}

static void keep_session(struct access *access, const char *token, const struct access_who *who)
{
    unsigned char digest[32];
    access_digest(token, digest);
    pthread_mutex_lock(&access->lock);
    /* Revoked while it was read from the store: not to be believed from memory. */
    if (who->generation == atomic_load(&access->generation)) {
        uint64_t dropped = access->sessions.dropped;
        struct access_kept *kept = access_keep_put(&access->sessions, digest);
        if (kept) {
            kept->who = *who;
            kept->who.address[0] = '\0';
            kept->loaded_us = se_mono_now_us();
            kept->expires_ms = who->expires_ms;
        }
        se_metric_add(&access_metrics[ACCESS_M_SESSIONS_DROPPED],
                      (int64_t)(access->sessions.dropped - dropped));
    }
    pthread_mutex_unlock(&access->lock);
}

int access_sign_in(struct access *access, const char *username, const char *password, const char *address,
                   char ret_token[65], se_wall_ms *ret_expires, struct access_who *ret_who, int *ret_retry_s)
{
    struct sign_in in = {.username = username, .address = address ? address : ""};
    uint64_t generation = atomic_load(&access->generation);
    int r = store_read(access->store, read_secret, &in);
    if (r < 0 && r != -ENOENT)
        return r;
    bool known = r == 0;
    r = check_password(access, &in, password, known, ret_retry_s);
    if (r < 0) {
        se_metric_add(&access_metrics[r == -EDQUOT ? ACCESS_M_SIGN_IN_BLOCKED : ACCESS_M_SIGN_IN_WRONG], 1);
        /* An unknown name is not written down: it may be a password typed in the wrong place. */
        struct access_who nobody = {0};
        snprintf(nobody.address, sizeof(nobody.address), "%s", in.address);
        access_audit_later(access, &nobody, r == -EDQUOT ? "session.block" : "session.refuse", "user",
                           known ? in.secret.id : NULL, NULL);
        return r;
    }
    char token[65];
    access_random_token("ses_", token);
    access_digest_text(token, in.digest);
    se_id_new(in.id);
    in.now_ms = se_wall_now_ms();
    in.expires_ms = in.now_ms + access->session_ms;
    r = store_write(access->store, write_session, &in);
    if (r < 0)
        return r;
    in.who.expires_ms = in.expires_ms;
    in.who.generation = generation;
    keep_session(access, token, &in.who);
    se_metric_add(&access_metrics[ACCESS_M_SIGN_IN_OK], 1);
    memcpy(ret_token, token, sizeof(token));
    *ret_expires = in.expires_ms;
    *ret_who = in.who;
    return 0;
}

int access_api_token_new(struct store_tx *tx, const char *user_id, const char *name, se_wall_ms expires_ms,
                         char ret_token[65], char ret_id[SE_ID_LEN])
{
    char token[65], digest[ACCESS_DIGEST_TEXT], id[SE_ID_LEN];
    access_random_token("api_", token);
    access_digest_text(token, digest);
    se_id_new(id);
    int r = store_session_insert(tx, &(struct session_row){.id = id,
                                                           .token_sha256 = digest,
                                                           .user_id = user_id,
                                                           .api_token = true,
                                                           .name = name,
                                                           .expires_ms = expires_ms});
    if (r < 0)
        return r;
    memcpy(ret_token, token, sizeof(token));
    memcpy(ret_id, id, sizeof(id));
    return 0;
}

/* ---- checking ---- */

struct check {
    char digest[ACCESS_DIGEST_TEXT];
    struct access_who who;
};

static int read_session(struct store_tx *tx, void *ctx)
{
    struct check *check = ctx;
    struct session_found found;
    int r = store_session_find(tx, check->digest, se_wall_now_ms(), &found);
    if (r == 0)
        r = access_load_who(tx, found.user_id, &check->who);
    if (r < 0)
        return r;
    memcpy(check->who.session_id, found.id, sizeof(found.id));
    check->who.expires_ms = found.expires_ms;
    return 0;
}

/* 0: found, and loaded lately enough (or `old` is good enough). Under no lock. */
static bool from_memory(struct access *access, const char *token, bool old, struct access_who *ret_who)
{
    unsigned char digest[32];
    access_digest(token, digest);
    pthread_mutex_lock(&access->lock);
    struct access_kept *kept = access_keep_find(&access->sessions, digest);
    if (kept && kept->expires_ms && kept->expires_ms <= se_wall_now_ms()) {
        access_keep_drop(&access->sessions, kept);
        kept = NULL;
    }
    bool good = kept && (old || se_mono_now_us() - kept->loaded_us < TRUST_US);
    if (good) {
        *ret_who = kept->who;
        /* It was not revoked since, or it would have been dropped. */
        ret_who->generation = atomic_load(&access->generation);
    }
    pthread_mutex_unlock(&access->lock);
    return good;
}

int access_check_token(struct access *access, const char *token, const char *address,
                       struct access_who *ret_who)
{
    if (strlen(token) < 40 || strlen(token) > 64)
        return -EACCES;
    struct access_who who;
    if (!from_memory(access, token, false, &who)) {
        struct check check = {0};
        access_digest_text(token, check.digest);
        uint64_t generation = atomic_load(&access->generation);
        int r = store_read(access->store, read_session, &check);
        if (r == -ENOENT)
            return -EACCES;
        if (r < 0) {
            /* The store does not answer: who was known a minute ago still is. */
            if (!from_memory(access, token, true, &who))
                return r;
        } else {
            who = check.who;
            who.generation = generation;
            keep_session(access, token, &who);
        }
    }
    snprintf(who.address, sizeof(who.address), "%s", address ? address : "");
    *ret_who = who;
    return 0;
}

bool access_still(struct access *access, const struct access_who *who)
{
    if (who->expires_ms && who->expires_ms <= se_wall_now_ms())
        return false;
    if (who->generation == atomic_load(&access->generation))
        return true; /* nothing at all was revoked since */
    bool still = true;
    pthread_mutex_lock(&access->lock);
    if (who->generation < access->floor)
        still = false;
    for (unsigned i = 0; still && i < ACCESS_REVOKED_MAX; i++) {
        const struct access_revoked *revoked = &access->revoked[i];
        if (revoked->generation > who->generation &&
            (strcmp(revoked->id, who->session_id) == 0 || strcmp(revoked->id, who->user_id) == 0))
            still = false;
    }
    pthread_mutex_unlock(&access->lock);
    return still;
}

/* ---- ending ---- */

void access_revoke(struct access *access, const char *id)
{
    pthread_mutex_lock(&access->lock);
    struct access_revoked *place = &access->revoked[access->revoked_next++ % ACCESS_REVOKED_MAX];
    se_mono_us now = se_mono_now_us();
    /* So many in ten minutes that one must be forgotten: end whoever it might still concern. */
    if (place->generation && now - place->at_us < REVOKED_KEEP_US)
        access->floor = place->generation;
    uint64_t generation = atomic_load(&access->generation) + 1;
    snprintf(place->id, sizeof(place->id), "%s", id);
    place->generation = generation;
    place->at_us = now;
    access_keep_drop_id(&access->sessions, id);
    access_keep_drop_id(&access->tickets, id);
    atomic_store(&access->generation, generation);
    pthread_mutex_unlock(&access->lock);
}

void access_rights_changed(struct access *access)
{
    pthread_mutex_lock(&access->lock);
    uint64_t generation = atomic_load(&access->generation) + 1;
    access->floor = generation;
    access_keep_drop_id(&access->sessions, NULL);
    access_keep_drop_id(&access->tickets, NULL);
    atomic_store(&access->generation, generation);
    pthread_mutex_unlock(&access->lock);
}

static int end_session(struct store_tx *tx, void *ctx)
{
    return store_session_end(tx, ctx, se_wall_now_ms());
}

static int end_user(struct store_tx *tx, void *ctx)
{
    return store_user_sessions_end(tx, ctx, se_wall_now_ms());
}

int access_end_session(struct access *access, const char *session_id)
{
    char id[SE_ID_LEN];
    snprintf(id, sizeof(id), "%s", session_id);
    int r = store_write(access->store, end_session, id);
    access_revoke(access, id); /* even when the store did not take it: it is over here and now */
    return r;
}

int access_sign_out(struct access *access, const struct access_who *who)
{
    int r = access_end_session(access, who->session_id);
    return r == -ENOENT ? 0 : r;
}

void access_forget_user(struct access *access, const char *user_id)
{
    char id[SE_ID_LEN];
    snprintf(id, sizeof(id), "%s", user_id);
    int r = store_write(access->store, end_user, id);
    if (r < 0)
        se_error("access", "a user's sessions could not be ended in the store user=%s reason=\"%s\"", id,
                 strerror(-r));
    access_revoke(access, id);
}
