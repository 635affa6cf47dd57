/* Secrets at rest: XChaCha20-Poly1305 under DATA_DIR/secret.key. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/access_private.h"
#include "base/log.h"
#include "base/str.h"
#include "base/url.h"

#define NONCE    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG      crypto_aead_xchacha20poly1305_ietf_ABYTES
#define VERSION  1 /* first byte of what is sealed */
#define OVERHEAD (1 + NONCE + TAG)

int access_seal(struct access *access, const char *plain, char **ret_sealed)
{
    size_t len = strlen(plain);
    unsigned char *sealed = malloc(OVERHEAD + len);
    if (!sealed)
        return -ENOMEM;
    sealed[0] = VERSION;
    randombytes_buf(sealed + 1, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + 1 + NONCE, NULL, (const unsigned char *)plain, len,
                                               sealed, 1, NULL, sealed + 1, access->secret_key);
    char *text = se_base64_encode(sealed, OVERHEAD + len);
    free(sealed);
    if (!text)
        return -ENOMEM;
    *ret_sealed = text;
    return 0;
}

int access_seal_url(struct access *access, const char *url, char **ret_shown, char **ret_sealed)
{
    se_free_ char *shown = NULL, *sealed = NULL;
    int r = se_url_mask(url, &shown);
    r = r > 0 ? access_seal(access, url, &sealed) : r;
    if (r < 0)
        return r;
    *ret_shown = SE_TAKE(shown);
    *ret_sealed = SE_TAKE(sealed);
    return 0;
}

int access_unseal(struct access *access, const char *sealed, char **ret_plain)
{
    size_t len = strlen(sealed);
    se_free_ unsigned char *bytes = malloc(len + 4);
    if (!bytes)
        return -ENOMEM;
    long got = se_base64_decode(sealed, len, bytes);
    if (got < (long)OVERHEAD || bytes[0] != VERSION)
        return -EBADMSG;
    char *plain = malloc((size_t)got - OVERHEAD + 1);
    if (!plain)
        return -ENOMEM;
    unsigned long long plain_len = 0;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)plain, &plain_len, NULL,
                                                   bytes + 1 + NONCE, (unsigned long long)got - 1 - NONCE,
                                                   bytes, 1, bytes + 1, access->secret_key) != 0) {
        free(plain);
        return -EBADMSG;
    }
    plain[plain_len] = '\0';
    *ret_plain = plain;
    return 0;
}

/* ---- the key's file: 64 hexadecimal digits ---- */

static int key_read(struct access *access, const char *path, struct se_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT
                               : se_fail(err, -errno, "%s cannot be read: %s", path, strerror(errno));
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & 077)) {
        se_warn("access", "the key's file was open to others; closing it path=\"%s\"", path);
        (void)fchmod(fd, 0600);
    }
    char text[80];
    ssize_t got = read(fd, text, sizeof(text));
    close(fd);
    uint8_t bytes[40];
    bool ok = got >= 64 && got <= 66 && se_hex_decode(text, 64, bytes) == sizeof(access->secret_key);
    if (ok)
        memcpy(access->secret_key, bytes, sizeof(access->secret_key));
    sodium_memzero(text, sizeof(text));
    sodium_memzero(bytes, sizeof(bytes));
    return ok ? 0
              : se_fail(err, -EBADMSG,
                        "%s does not hold a key of 64 hexadecimal digits. Put its copy back; without it the "
                        "cameras' passwords cannot be read",
                        path);
}

/* Through a file beside it: a crash leaves either no key or a whole one. */
static int key_create(struct access *access, const char *path, struct se_err *err)
{
    se_free_ char *temporary = se_asprintf("%s.new", path);
    if (!temporary)
        return se_fail(err, -ENOMEM, "out of memory");
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return se_fail(err, -errno, "%s cannot be written: %s", temporary, strerror(errno));
    randombytes_buf(access->secret_key, sizeof(access->secret_key));
    char text[66];
    se_hex_encode(access->secret_key, sizeof(access->secret_key), text);
    text[64] = '\n';
    int r = write(fd, text, 65) != 65 || fsync(fd) < 0 ? -(errno ? errno : EIO) : 0;
    close(fd);
    sodium_memzero(text, sizeof(text));
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(temporary);
        return se_fail(err, r, "%s cannot be written: %s", path, strerror(-r));
    }
    se_info("access", "made a new key for secrets at rest; keep a copy apart from backups path=\"%s\"", path);
    return 0;
}

int access_secret_load(struct access *access, struct se_err *err)
{
    se_free_ char *path = se_asprintf("%s/secret.key", access->data_dir);
    if (!path)
        return se_fail(err, -ENOMEM, "out of memory");
    int r = key_read(access, path, err);
    access->key_was_there = r == 0;
    return r == -ENOENT ? key_create(access, path, err) : r;
}
