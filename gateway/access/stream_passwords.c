/* Signing in by Digest (RFC 7616) with a stream password, for RTSP out. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/access_private.h"
#include "base/str.h"
#include "gateway/store_stream_passwords.h"

#define USED_EVERY_MS 60000
#define NONCE_S       300

/* ---- making and ending ---- */

int access_stream_password_new(struct access *access, struct store_tx *tx, const char *user_id,
                               const char *name, const struct access_ha1 *ha1, char ret_id[SE_ID_LEN])
{
    int64_t count = 0;
    int r = store_stream_password_count(tx, user_id, &count);
    if (r < 0)
        return r;
    if (count >= ACCESS_STREAM_PASSWORDS_MAX)
        return -EDQUOT;
    char plain[sizeof(ha1->md5) + sizeof(ha1->sha256)], id[SE_ID_LEN];
    se_free_ char *sealed = NULL;
    snprintf(plain, sizeof(plain), "%s:%s", ha1->md5, ha1->sha256);
    r = access_seal(access, plain, &sealed);
    sodium_memzero(plain, sizeof(plain));
    if (r < 0)
        return r;
    se_id_new(id);
    r = store_stream_password_insert(
        tx, &(struct stream_password_row){.id = id, .user_id = user_id, .name = name, .ha1_sealed = sealed});
    if (r == 0)
        memcpy(ret_id, id, sizeof(id));
    return r;
}

struct ending {
    const struct access_who *who;
    const char *id, *action;
};

static int end(struct store_tx *tx, void *ctx)
{
    const struct ending *ending = ctx;
    int r = store_stream_password_delete(tx, ending->id, ending->who->user_id);
    return r < 0 ? r : access_audit(tx, ending->who, ending->action, "stream_password", ending->id, NULL);
}

int access_stream_password_end(struct access *access, const struct access_who *who, const char *action,
                               const char *id)
{
    struct ending ending = {who, id, action};
    int r = store_write(access->store, end, &ending);
    if (r == 0)
        access_revoke(access, id);
    return r;
}

/* ---- signing in ---- */

struct attempt {
    struct access *access;
    const char *username;
    access_ha1_fn right;
    void *ctx;
    bool found; /* one of the user's was right */
    char id[SE_ID_LEN], user_id[SE_ID_LEN];
    se_wall_ms last_used_ms;
    struct access_who who;
};

static int try_one(const struct stream_password_row *row, void *ctx)
{
    struct attempt *attempt = ctx;
    struct access_ha1 ha1 = {0};
    se_free_ char *plain = NULL;
    snprintf(attempt->user_id, sizeof(attempt->user_id), "%s", row->user_id);
    if (access_unseal(attempt->access, row->ha1_sealed, &plain) < 0 || strlen(plain) != 97)
        return 0;
    memcpy(ha1.md5, plain, 32);
    memcpy(ha1.sha256, plain + 33, 64);
    sodium_memzero(plain, 97);
    bool right = attempt->right(&ha1, attempt->ctx);
    sodium_memzero(&ha1, sizeof(ha1));
    if (!right)
        return 0;
    attempt->found = true;
    attempt->last_used_ms = row->last_used_ms;
    snprintf(attempt->id, sizeof(attempt->id), "%s", row->id);
    return 1;
}

static int try_all(struct store_tx *tx, void *ctx)
{
    struct attempt *attempt = ctx;
    int r = store_stream_password_each(tx, attempt->username, try_one, attempt);
    return r < 0 || !attempt->found ? r : access_load_who(tx, attempt->user_id, &attempt->who);
}

static int note_used(struct store_tx *tx, void *ctx)
{
    return store_stream_password_used(tx, ctx, se_wall_now_ms());
}

static void noted(int result, void *ctx)
{
    free(ctx);
}

/* Nobody waits for it, and what is lost of it does no harm. */
static void used(struct access *access, const struct attempt *attempt)
{
    if (se_wall_now_ms() - attempt->last_used_ms < USED_EVERY_MS)
        return;
    char *id = strdup(attempt->id);
    if (id && store_write_async(access->store, note_used, noted, id) < 0)
        free(id);
}

int access_stream_sign_in(struct access *access, const char *username, const char *address,
                          access_ha1_fn right, void *ctx, struct access_who *ret_who, int *ret_retry_s)
{
    /* Counted apart from sign-ins with the login password; no username has a line end. */
    char counted[80];
    snprintf(counted, sizeof(counted), "\n%s", username);
    struct attempt attempt = {.access = access, .username = username, .right = right, .ctx = ctx};
    uint64_t generation = atomic_load(&access->generation);
    int r = access_failures_check(access, counted, address, ret_retry_s);
    if (r == 0)
        r = store_read(access->store, try_all, &attempt);
    if (r < 0 && r != -EDQUOT)
        return r;
    if (r == 0) {
        access_failures_note(access, counted, address, !attempt.found);
        r = attempt.found ? 0 : -EACCES;
    }
    if (r < 0) {
        se_metric_add(&access_metrics[r == -EDQUOT ? ACCESS_M_STREAM_BLOCKED : ACCESS_M_STREAM_WRONG], 1);
        struct access_who nobody = {0};
        snprintf(nobody.address, sizeof(nobody.address), "%s", address);
        access_audit_later(access, &nobody, r == -EDQUOT ? "stream_password.block" : "stream_password.refuse",
                           "user", attempt.user_id[0] ? attempt.user_id : NULL, NULL);
        return r;
    }
    se_metric_add(&access_metrics[ACCESS_M_STREAM_OK], 1);
    used(access, &attempt);
    memcpy(attempt.who.session_id, attempt.id, sizeof(attempt.id));
    snprintf(attempt.who.address, sizeof(attempt.who.address), "%s", address);
    attempt.who.generation = generation;
    *ret_who = attempt.who;
    return 0;
}

/* ---- nonces: the time they were made and a hash that only we can make; none is kept ---- */

static void nonce_mac(const struct access *access, uint64_t made_s, const char *address,
                      unsigned char out[crypto_shorthash_BYTES * 2])
{
    char text[128];
    for (unsigned half = 0; half < 2; half++) {
        int len =
            snprintf(text, sizeof(text), "nonce %u %llu %.64s", half, (unsigned long long)made_s, address);
        crypto_shorthash(out + half * crypto_shorthash_BYTES, (const unsigned char *)text,
                         (unsigned long long)len, access->hash_key);
    }
}

void access_nonce_new(const struct access *access, const char *address, char ret_nonce[ACCESS_NONCE_LEN])
{
    uint64_t now_s = (uint64_t)(se_mono_now_us() / SE_US_PER_S);
    unsigned char mac[crypto_shorthash_BYTES * 2];
    nonce_mac(access, now_s, address, mac);
    snprintf(ret_nonce, ACCESS_NONCE_LEN, "%016llx", (unsigned long long)now_s);
    se_hex_encode(mac, sizeof(mac), ret_nonce + 16);
}

int access_nonce_check(const struct access *access, const char *nonce, const char *address)
{
    uint8_t bytes[8 + crypto_shorthash_BYTES * 2];
    unsigned char mac[crypto_shorthash_BYTES * 2];
    if (strlen(nonce) != ACCESS_NONCE_LEN - 1 ||
        se_hex_decode(nonce, ACCESS_NONCE_LEN - 1, bytes) != sizeof(bytes))
        return -EACCES;
    uint64_t made_s = 0, now_s = (uint64_t)(se_mono_now_us() / SE_US_PER_S);
    for (unsigned i = 0; i < 8; i++)
        made_s = made_s << 8 | bytes[i];
    nonce_mac(access, made_s, address, mac);
    if (sodium_memcmp(mac, bytes + 8, sizeof(mac)) != 0 || made_s > now_s)
        return -EACCES;
    return now_s - made_s > NONCE_S ? -ESTALE : 0;
}
