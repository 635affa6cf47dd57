#include "rtsp_auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "ingest/rtsp_digest.h"

#define VALUE_MAX 1024 /* of a realm, nonce or opaque */

/* One challenge while its parameters are read. */
struct challenge {
    struct text scheme;
    struct text realm, nonce, opaque, algorithm, qop, stale;
    bool quoted; /* the algorithm */
};

static void set_parameter(struct challenge *challenge, struct text name, struct text value)
{
    const struct {
        const char *name;
        struct text *at;
    } table[] = {{"realm", &challenge->realm},   {"nonce", &challenge->nonce},
                 {"opaque", &challenge->opaque}, {"algorithm", &challenge->algorithm},
                 {"qop", &challenge->qop},       {"stale", &challenge->stale}};
    for (unsigned i = 0; i < SE_ARRAY_LEN(table); i++)
        if (text_is(name, table[i].name))
            *table[i].at = value;
}

/* The next challenge of a list "Digest a=b, c="d", Basic realm="e"". false: there is none. */
static bool take_challenge(struct text *rest, struct challenge *ret_challenge)
{
    struct challenge challenge = {0};
    for (;;) {
        while (rest->n && (text_blank(rest->p[0]) || rest->p[0] == ','))
            *rest = text_skip(*rest, 1);
        if (!rest->n)
            break;
        size_t end = 0;
        while (end < rest->n && !strchr(" \t=,\"", rest->p[end]))
            end++;
        struct text word = {rest->p, end}, after = text_trim(text_skip(*rest, end));
        bool parameter = after.n && after.p[0] == '=';
        if (!parameter) {
            if (challenge.scheme.n)
                break; /* the next one's scheme */
            if (!word.n) {
                *rest = text_skip(*rest, 1);
                continue;
            }
            challenge.scheme = word;
            *rest = text_skip(*rest, end);
            continue;
        }
        *rest = text_trim(text_skip(after, 1));
        if (text_is(word, "algorithm"))
            challenge.quoted = rest->n && rest->p[0] == '"';
        set_parameter(&challenge, word, text_take_value(rest));
    }
    *ret_challenge = challenge;
    return challenge.scheme.n > 0;
}

static bool list_has(struct text list, const char *word)
{
    while (list.n) {
        struct text part = text_trim(text_cut(&list, ','));
        while (part.n)
            if (text_is(text_cut(&part, ' '), word))
                return true;
    }
    return false;
}

/* SHA-256, sha256, SHA_256: word is without what lies between. */
static bool spelt(struct text text, const char *word)
{
    for (; text.n; text = text_skip(text, 1)) {
        char c = text.p[0];
        if (c == '-' || c == '_' || c == ' ')
            continue;
        if (!*word || ((c ^ *word) & ~32) || ((c | 32) >= 'a' && (c | 32) <= 'z' ? 0 : c != *word))
            return false;
        word++;
    }
    return !*word;
}

static enum auth_scheme scheme_of(const struct challenge *challenge)
{
    if (text_is(challenge->scheme, "Basic"))
        return AUTH_BASIC;
    if (!text_is(challenge->scheme, "Digest") || !challenge->nonce.n)
        return AUTH_NONE;
    if (challenge->qop.n && !list_has(challenge->qop, "auth"))
        return AUTH_NONE; /* auth-int alone */
    struct text algorithm = challenge->algorithm;
    if (!algorithm.n || spelt(algorithm, "MD5") || spelt(algorithm, "MD5sess"))
        return AUTH_DIGEST_MD5;
    if (spelt(algorithm, "SHA256") || spelt(algorithm, "SHA256sess"))
        return AUTH_DIGEST_SHA256;
    return AUTH_NONE;
}

static bool usable(struct text text)
{
    return text.n <= VALUE_MAX && text_printable(text, true);
}

static int adopt(struct rtsp_auth *auth, const struct challenge *challenge, enum auth_scheme scheme)
{
    rtsp_auth_fini(auth);
    auth->realm = strndup(challenge->realm.n ? challenge->realm.p : "", challenge->realm.n);
    auth->nonce = strndup(challenge->nonce.n ? challenge->nonce.p : "", challenge->nonce.n);
    auth->opaque = challenge->opaque.p ? strndup(challenge->opaque.p, challenge->opaque.n) : NULL;
    auth->algorithm = challenge->algorithm.n ? strndup(challenge->algorithm.p, challenge->algorithm.n) : NULL;
    if (!auth->realm || !auth->nonce || (challenge->opaque.p && !auth->opaque) ||
        (challenge->algorithm.n && !auth->algorithm)) {
        rtsp_auth_fini(auth);
        return -ENOMEM;
    }
    auth->scheme = scheme;
    auth->session = challenge->algorithm.n > 5 &&
                    text_is(text_skip(challenge->algorithm, challenge->algorithm.n - 4), "sess");
    auth->quoted = challenge->quoted;
    auth->qop = challenge->qop.n > 0;
    auth->stale = text_is(challenge->stale, "true");
    return 0;
}

int rtsp_auth_challenge(struct rtsp_auth *auth, const struct rtsp_message *answer)
{
    struct challenge best = {0};
    enum auth_scheme scheme = AUTH_NONE;
    struct text value;
    for (unsigned i = 0; (value = rtsp_header_nth(answer, "WWW-Authenticate", i)).p; i++) {
        struct challenge challenge;
        while (take_challenge(&value, &challenge)) {
            enum auth_scheme offered = scheme_of(&challenge);
            if (offered <= scheme || !usable(challenge.realm) || !usable(challenge.nonce) ||
                !usable(challenge.opaque) || !usable(challenge.algorithm))
                continue;
            best = challenge;
            scheme = offered;
        }
    }
    return scheme == AUTH_NONE ? -ENOENT : adopt(auth, &best, scheme);
}

void rtsp_auth_fini(struct rtsp_auth *auth)
{
    free(auth->realm);
    free(auth->nonce);
    free(auth->opaque);
    free(auth->algorithm);
    *auth = (struct rtsp_auth){0};
}

/* The value of a quoted string without its escapes (they are not hashed). */
static char *unquoted(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return NULL;
    char *out = copy;
    for (const char *p = text; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        *out++ = *p;
    }
    *out = 0;
    return copy;
}

static void put_quoted(struct se_str *out, const char *name, const char *value)
{
    se_str_printf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            se_str_add(out, "\\", 1);
        se_str_add(out, value, 1);
    }
    se_str_puts(out, "\"");
}

static void basic(const char *username, const char *password, struct se_str *out)
{
    struct se_str pair = {0};
    se_str_printf(&pair, "%s:%s", username, password);
    se_free_ char *encoded = pair.data ? se_base64_encode(pair.data, pair.len) : NULL;
    se_str_fini(&pair);
    if (encoded)
        se_str_printf(out, "Authorization: Basic %s\r\n", encoded);
    else
        out->oom = true;
}

void rtsp_auth_header(struct rtsp_auth *auth, const char *method, const char *url, const char *username,
                      const char *password, const char *cnonce, struct se_str *out)
{
    if (auth->scheme == AUTH_NONE)
        return;
    if (auth->scheme == AUTH_BASIC) {
        basic(username, password, out);
        return;
    }
    /* RFC 7616 3.4.1 to 3.4.3 */
    se_free_ char *realm = unquoted(auth->realm);
    se_free_ char *nonce = unquoted(auth->nonce);
    if (!realm || !nonce) {
        out->oom = true;
        return;
    }
    enum rtsp_digest algorithm = auth->scheme == AUTH_DIGEST_SHA256 ? RTSP_DIGEST_SHA256 : RTSP_DIGEST_MD5;
    char a1[65], a2[65], response[65], count[9];
    auth->uses++;
    snprintf(count, sizeof(count), "%08x", auth->uses);
    rtsp_digest(algorithm, (const char *const[]){username, realm, password}, 3, a1);
    if (auth->session)
        rtsp_digest(algorithm, (const char *const[]){a1, nonce, cnonce}, 3, a1);
    rtsp_digest(algorithm, (const char *const[]){method, url}, 2, a2);
    if (auth->qop)
        rtsp_digest(algorithm, (const char *const[]){a1, nonce, count, cnonce, "auth", a2}, 6, response);
    else
        rtsp_digest(algorithm, (const char *const[]){a1, nonce, a2}, 3, response);

    se_str_puts(out, "Authorization: Digest ");
    put_quoted(out, "username", username);
    /* Realm, nonce and opaque go back as they came, escapes included. */
    se_str_printf(out, ", realm=\"%s\", nonce=\"%s\", ", auth->realm, auth->nonce);
    put_quoted(out, "uri", url);
    se_str_printf(out, ", response=\"%s\"", response);
    if (auth->algorithm)
        se_str_printf(out, auth->quoted ? ", algorithm=\"%s\"" : ", algorithm=%s", auth->algorithm);
    if (auth->opaque)
        se_str_printf(out, ", opaque=\"%s\"", auth->opaque);
    if (auth->qop || auth->session)
        se_str_printf(out, ", cnonce=\"%s\"", cnonce);
    if (auth->qop)
        se_str_printf(out, ", qop=auth, nc=%s", count);
    se_str_puts(out, "\r\n");
}
