/* Passwords: argon2id by libsodium, and random ones. */
#include <errno.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "access/access_private.h"
#include "base/str.h"

/* Each hash takes 64 MiB while it is made: a flood of sign-ins must not take the machine. */
#define HASHES_AT_ONCE 2
static sem_t hashes;
static pthread_once_t hashes_once = PTHREAD_ONCE_INIT;

static void hashes_init(void)
{
    sem_init(&hashes, 0, HASHES_AT_ONCE);
}

void access_hash_enter(void)
{
    pthread_once(&hashes_once, hashes_init);
    while (sem_wait(&hashes) < 0 && errno == EINTR)
        ;
}

void access_hash_leave(void)
{
    sem_post(&hashes);
}

_Static_assert(crypto_pwhash_STRBYTES <= 128, "a hash fits its place");

int access_password_hash(const char *password, char ret_hash[128])
{
    access_hash_enter();
    int r = crypto_pwhash_str(ret_hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                              crypto_pwhash_MEMLIMIT_INTERACTIVE);
    access_hash_leave();
    return r == 0 ? 0 : -ENOMEM;
}

bool access_password_verify(const char *hash, const char *password)
{
    return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

int access_password_check(const char *password, const char *username, struct se_err *err)
{
    size_t len = strlen(password);
    if (len < 8 || len > 128)
        return se_fail_field(err, -EINVAL, "password", "a password has 8 to 128 bytes");
    if (!se_utf8_valid(password, len))
        return se_fail_field(err, -EINVAL, "password", "the password is not UTF-8");
    if (username && strcmp(password, username) == 0)
        return se_fail_field(err, -EINVAL, "password", "the password must not be the username");
    return 0;
}

int access_username_check(const char *username, struct se_err *err)
{
    size_t len = strlen(username);
    bool ok = len >= 1 && len <= 64 && se_utf8_valid(username, len);
    for (const unsigned char *p = (const unsigned char *)username; ok && *p; p++)
        ok = *p > 0x20 && *p != 0x7f && !strchr(",:/\\\"<>", *p);
    return ok ? 0
              : se_fail_field(err, -EINVAL, "username",
                              "a username has 1 to 64 bytes, without blanks, control characters and , : / \\ "
                              "\" < >");
}

int access_random_password(char *out, unsigned len)
{
    /* Without 0 O 1 l I: it is read from a screen and typed. */
    static const char alphabet[] = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    if (sodium_init() < 0)
        return -EIO;
    for (unsigned i = 0; i < len; i++)
        out[i] = alphabet[randombytes_uniform(sizeof(alphabet) - 1)];
    out[len] = '\0';
    return 0;
}

void access_random_token(const char *prefix, char out[65])
{
    unsigned char bytes[ACCESS_TOKEN_BYTES];
    randombytes_buf(bytes, sizeof(bytes));
    size_t len = (size_t)snprintf(out, 65, "%s", prefix);
    sodium_bin2base64(out + len, 65 - len, bytes, sizeof(bytes), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof(bytes));
}

void access_digest(const char *text, unsigned char out[32])
{
    crypto_hash_sha256(out, (const unsigned char *)text, strlen(text));
}

void access_digest_text(const char *text, char out[ACCESS_DIGEST_TEXT])
{
    unsigned char digest[32];
    access_digest(text, digest);
    se_hex_encode(digest, sizeof(digest), out);
}
