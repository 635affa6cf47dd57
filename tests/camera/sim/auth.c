#include <libavutil/md5.h>
#include <libavutil/mem.h>
#include <libavutil/sha.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "camera.h"

#define DIGEST_HEX 65

/* Hash in hex, by RFC 7616's H(); false when memory ends. */
static bool hash_hex(bool sha256, const char *text, char out[DIGEST_HEX])
{
    uint8_t digest[32];
    struct AVSHA *sha;

    if (!text)
        return false;
    if (!sha256) {
        av_md5_sum(digest, (const uint8_t *)text, strlen(text));
        se_hex_encode(digest, 16, out);
        return true;
    }
    sha = av_sha_alloc();
    if (!sha)
        return false;
    av_sha_init(sha, 256);
    av_sha_update(sha, (const uint8_t *)text, strlen(text));
    av_sha_final(sha, digest);
    av_free(sha);
    se_hex_encode(digest, 32, out);
    return true;
}

/* Value of name in a Digest header: name="value" or name=value. False: not there or too long. */
static bool digest_value(const char *header, const char *name, char *out, size_t size)
{
    size_t name_size = strlen(name);

    for (const char *at = header; *at;) {
        const char *value, *end;
        bool hit;

        at += strspn(at, " \t,");
        value = at + strcspn(at, "=,");
        if (*value != '=') {
            at = value;
            continue;
        }
        hit = (size_t)(value - at) == name_size && strncasecmp(at, name, name_size) == 0;
        value++;
        if (*value == '"') {
            value++;
            end = value + strcspn(value, "\"");
            at = *end ? end + 1 : end;
        } else {
            end = value + strcspn(value, ", \t\r\n");
            at = end;
        }
        if (hit) {
            if ((size_t)(end - value) >= size)
                return false;
            memcpy(out, value, (size_t)(end - value));
            out[end - value] = 0;
            return true;
        }
    }
    return false;
}

static bool check_basic(const struct camera *camera, const char *credentials)
{
    char *plain = se_asprintf("%s:%s", camera->username, camera->password);
    char *expected = plain ? se_base64_encode(plain, strlen(plain)) : NULL;
    size_t size = strcspn(credentials, " \t\r\n");
    bool right = expected && strlen(expected) == size && strncmp(expected, credentials, size) == 0;

    free(plain);
    free(expected);
    return right;
}

/* RFC 7616 3.4.1, and without qop as in RFC 2069. */
static bool check_digest(struct client *client, const struct camera *camera, const char *method,
                         const char *header)
{
    char user[256], realm[256], nonce[64], uri[512], response[DIGEST_HEX], algorithm[32], qop[16], nc[16],
        cnonce[128], ha1[DIGEST_HEX], ha2[DIGEST_HEX], expected[DIGEST_HEX];
    se_free_ char *a1 = NULL, *a2 = NULL, *all = NULL;
    bool sha256 = digest_value(header, "algorithm", algorithm, sizeof(algorithm)) &&
                  strcasecmp(algorithm, "SHA-256") == 0;
    bool with_qop = digest_value(header, "qop", qop, sizeof(qop));

    if ((sha256 && camera->auth == AUTH_MD5) || (!sha256 && camera->auth == AUTH_SHA256))
        return false;
    if (!digest_value(header, "username", user, sizeof(user)) ||
        !digest_value(header, "realm", realm, sizeof(realm)) ||
        !digest_value(header, "nonce", nonce, sizeof(nonce)) ||
        !digest_value(header, "uri", uri, sizeof(uri)) ||
        !digest_value(header, "response", response, sizeof(response)))
        return false;
    if (strcmp(user, camera->username) || strcmp(realm, camera->realm) || !client->nonce[0] ||
        strcmp(nonce, client->nonce) || with_qop != camera->qop)
        return false;
    if (with_qop && (!digest_value(header, "nc", nc, sizeof(nc)) ||
                     !digest_value(header, "cnonce", cnonce, sizeof(cnonce))))
        return false;
    a1 = se_asprintf("%s:%s:%s", user, realm, camera->password);
    a2 = se_asprintf("%s:%s", method, uri);
    if (!hash_hex(sha256, a1, ha1) || !hash_hex(sha256, a2, ha2))
        return false;
    all = with_qop ? se_asprintf("%s:%s:%s:%s:%s:%s", ha1, nonce, nc, cnonce, qop, ha2)
                   : se_asprintf("%s:%s:%s", ha1, nonce, ha2);
    if (!hash_hex(sha256, all, expected) || strcasecmp(expected, response) != 0)
        return false;
    client->nonce_used++;
    return camera->stale_every == 0 || client->nonce_used <= camera->stale_every;
}

bool auth_check(struct client *client, const struct camera *camera, const char *method,
                const char *authorization)
{
    if (camera->auth == AUTH_NONE && !camera->reject)
        return true;
    if (!authorization || camera->reject)
        return false;
    if (strncasecmp(authorization, "Basic ", 6) == 0)
        return (camera->auth == AUTH_BASIC || camera->auth == AUTH_ALL) &&
               check_basic(camera, authorization + 6);
    if (strncasecmp(authorization, "Digest ", 7) == 0)
        return camera->auth != AUTH_BASIC && camera->auth != AUTH_NONE &&
               check_digest(client, camera, method, authorization + 7);
    return false;
}

static void add_digest(const struct client *client, const struct camera *camera, bool sha256, bool stale,
                       struct se_str *out)
{
    se_str_printf(out, "WWW-Authenticate: Digest realm=\"%s\", nonce=\"%s\"%s%s%s\r\n", camera->realm,
                  client->nonce, sha256 ? ", algorithm=SHA-256" : "", camera->qop ? ", qop=\"auth\"" : "",
                  stale ? ", stale=true" : "");
}

void auth_challenge(struct client *client, const struct camera *camera, struct se_str *out)
{
    bool stale = camera->stale_every && client->nonce_used > camera->stale_every;
    uint8_t random[16];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return;
    se_hex_encode(random, sizeof(random), client->nonce);
    client->nonce_used = 0;
    if (camera->auth == AUTH_SHA256 || camera->auth == AUTH_ALL)
        add_digest(client, camera, true, stale, out);
    if (camera->auth == AUTH_MD5 || camera->auth == AUTH_ALL)
        add_digest(client, camera, false, stale, out);
    if (camera->auth == AUTH_BASIC || camera->auth == AUTH_ALL || camera->auth == AUTH_NONE)
        se_str_printf(out, "WWW-Authenticate: Basic realm=\"%s\"\r\n", camera->realm);
}
