#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "camera.h"

#define VALID_S (10 * 365 * 86400L)

static int fill_certificate(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
    struct in_addr v4 = {.s_addr = htonl(INADDR_LOOPBACK)};
    struct in6_addr v6 = IN6ADDR_LOOPBACK_INIT;
    time_t now = time(NULL);
    uint8_t serial[8] = {1};
    int r = 0;

    gnutls_rnd(GNUTLS_RND_NONCE, serial + 1, sizeof(serial) - 1);
#define SET(call) r = r < 0 ? r : (call)
    SET(gnutls_x509_crt_set_version(crt, 3));
    SET(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)));
    SET(gnutls_x509_crt_set_activation_time(crt, now - 3600));
    SET(gnutls_x509_crt_set_expiration_time(crt, now + VALID_S));
    SET(gnutls_x509_crt_set_dn(crt, "CN=camera-sim", NULL));
    SET(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET));
    SET(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &v4, sizeof(v4), GNUTLS_FSAN_APPEND));
    SET(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &v6, sizeof(v6), GNUTLS_FSAN_APPEND));
    SET(gnutls_x509_crt_set_ca_status(crt, 1));
    SET(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_CERT_SIGN));
    SET(gnutls_x509_crt_set_key(crt, key));
    SET(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0));
#undef SET
    return r;
}

static int describe(struct tls *tls, gnutls_x509_crt_t crt)
{
    uint8_t digest[32];
    size_t size = sizeof(digest);
    gnutls_datum_t pem;
    int r = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &size);

    if (r < 0)
        return r;
    se_hex_encode(digest, sizeof(digest), tls->fingerprint);
    r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
    if (r < 0)
        return r;
    tls->pem = se_asprintf("%s", (const char *)pem.data);
    gnutls_free(pem.data);
    return tls->pem ? 0 : GNUTLS_E_MEMORY_ERROR;
}

int tls_new(struct tls **ret_tls, struct se_err *err)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t crt = NULL;
    int r;

    if (!tls)
        return -ENOMEM;
    r = gnutls_x509_privkey_init(&key);
    if (r >= 0)
        r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (r >= 0)
        r = gnutls_x509_crt_init(&crt);
    if (r >= 0)
        r = fill_certificate(crt, key);
    if (r >= 0)
        r = describe(tls, crt);
    if (r >= 0)
        r = gnutls_certificate_allocate_credentials(&tls->credentials);
    if (r >= 0)
        r = gnutls_certificate_set_x509_key(tls->credentials, &crt, 1, key);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    if (key)
        gnutls_x509_privkey_deinit(key);
    if (r < 0) {
        tls_free(tls);
        return se_fail(err, -EIO, "no certificate could be made: %s", gnutls_strerror(r));
    }
    *ret_tls = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    if (tls->credentials)
        gnutls_certificate_free_credentials(tls->credentials);
    free(tls->pem);
    free(tls);
}

static ssize_t push(gnutls_transport_ptr_t to, const void *data, size_t size)
{
    struct client *client = to;

    if (!client_send_raw(client, data, size)) {
        errno = ECONNRESET;
        return -1;
    }
    return (ssize_t)size;
}

static ssize_t pull(gnutls_transport_ptr_t from, void *out, size_t size)
{
    const struct client *client = from;

    return recv(client->fd, out, size, MSG_DONTWAIT);
}

gnutls_session_t tls_session(struct tls *tls, struct client *client)
{
    gnutls_session_t session = NULL;

    if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK) < 0)
        return NULL;
    if (gnutls_set_default_priority(session) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) < 0) {
        gnutls_deinit(session);
        return NULL;
    }
    gnutls_transport_set_ptr(session, client);
    gnutls_transport_set_push_function(session, push);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_session_set_ptr(session, NULL); /* its hands are not shaken yet */
    return session;
}

static ssize_t failed(int r)
{
    errno = r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t tls_recv(gnutls_session_t session, void *out, size_t size)
{
    ssize_t n;

    if (!gnutls_session_get_ptr(session)) {
        int r = gnutls_handshake(session);

        if (r < 0 && !gnutls_error_is_fatal(r))
            return failed(GNUTLS_E_AGAIN);
        if (r < 0) {
            gnutls_alert_send_appropriate(session, r);
            return failed(r);
        }
        gnutls_session_set_ptr(session, session);
    }
    n = gnutls_record_recv(session, out, size);
    if (n == GNUTLS_E_PREMATURE_TERMINATION)
        return 0;
    return n < 0 ? failed((int)n) : n;
}

bool tls_send(gnutls_session_t session, const struct iovec *parts, unsigned count)
{
    gnutls_record_cork(session);
    for (unsigned i = 0; i < count; i++)
        if (parts[i].iov_len > 0 && gnutls_record_send(session, parts[i].iov_base, parts[i].iov_len) < 0)
            return false;
    return gnutls_record_uncork(session, GNUTLS_RECORD_WAIT) >= 0;
}
