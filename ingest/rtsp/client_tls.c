/* RTSPS: the connection's bytes through GnuTLS, and whom they are exchanged with.
 *
 * Cameras sign their certificates themselves, so a stream may name the one it expects by its SHA-256
 * (tls_fingerprint). Without that it must lead to an authority (ingest.tls_ca_file, or the system's) and bear
 * the URL's host name. Otherwise the stream stays offline, and the reason names the fingerprint that was
 * seen.
 */
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

#define TRUSTS_MAX     8
#define FINGERPRINT    32u /* bytes of a SHA-256 */
#define READS_IN_A_ROW 8u  /* scratches full, before other cameras have their turn */
/* Cameras live long: what they speak is taken, and who they are is checked apart. */
#define PRIORITY "NORMAL:%COMPAT"

struct client_tls {
    gnutls_session_t session;
    size_t sending;        /* bytes that GnuTLS has, and the kernel did not take yet */
    int ended;             /* an error that came behind bytes: told with the next read */
    struct se_timer again; /* bytes wait in GnuTLS, which epoll knows nothing of */
};

/* --- authorities ------------------------------------------------------------- */

/* Loaded once for each file, on a thread that may wait for a disk; lives as long as the program, as sessions
 * refer to it. */
static struct trust {
    char *path;
    gnutls_certificate_credentials_t credentials;
    int result; /* certificates, or GnuTLS's error */
} trusts[TRUSTS_MAX];
static unsigned trust_count;
static pthread_mutex_t trusts_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Under the mutex. */
static const struct trust *find_trust(const char *path)
{
    for (unsigned i = 0; i < trust_count; i++)
        if (!strcmp(trusts[i].path, path))
            return &trusts[i];
    return NULL;
}

bool client_tls_trust_known(const char *path)
{
    pthread_mutex_lock(&trusts_mutex);
    bool known = find_trust(path) != NULL;
    pthread_mutex_unlock(&trusts_mutex);
    return known;
}

void client_tls_trust_load(const char *path)
{
    static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one_by_one); /* loops never wait for this one */
    struct trust trust = {.result = GNUTLS_E_MEMORY_ERROR};
    if (!client_tls_trust_known(path) && (trust.path = strdup(path))) {
        if (gnutls_certificate_allocate_credentials(&trust.credentials) == 0)
            trust.result =
                *path ? gnutls_certificate_set_x509_trust_file(trust.credentials, path, GNUTLS_X509_FMT_PEM)
                      : gnutls_certificate_set_x509_system_trust(trust.credentials);
        pthread_mutex_lock(&trusts_mutex);
        bool kept = trust_count < TRUSTS_MAX;
        if (kept)
            trusts[trust_count++] = trust;
        pthread_mutex_unlock(&trusts_mutex);
        if (!kept) {
            if (trust.credentials)
                gnutls_certificate_free_credentials(trust.credentials);
            free(trust.path);
        }
    }
    pthread_mutex_unlock(&one_by_one);
}

/* NULL: nothing was loaded from there. */
static gnutls_certificate_credentials_t trusted(const char *path)
{
    pthread_mutex_lock(&trusts_mutex);
    const struct trust *trust = find_trust(path);
    gnutls_certificate_credentials_t credentials = trust && trust->result > 0 ? trust->credentials : NULL;
    pthread_mutex_unlock(&trusts_mutex);
    return credentials;
}

static gnutls_certificate_credentials_t nobody; /* trusted: for streams that name their certificate */
static pthread_once_t nobody_once = PTHREAD_ONCE_INIT;

static void make_nobody(void)
{
    if (gnutls_certificate_allocate_credentials(&nobody) < 0)
        nobody = NULL;
}

bool client_tls_needs_trust(const struct rtsp_client *client)
{
    return client_url(client)->tls && !client->fingerprint;
}

/* --- whom we speak with ------------------------------------------------------------ */

static bool fingerprint_of(gnutls_session_t session, char out[2 * FINGERPRINT + 1])
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    uint8_t hash[FINGERPRINT];
    size_t size = sizeof(hash);
    if (!chain || !count || gnutls_fingerprint(GNUTLS_DIG_SHA256, &chain[0], hash, &size) < 0)
        return false;
    se_hex_encode(hash, sizeof(hash), out);
    return true;
}

static const char *distrust(unsigned status)
{
    if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
        return "no known authority signed it";
    if (status & GNUTLS_CERT_EXPIRED)
        return "it has expired";
    if (status & GNUTLS_CERT_NOT_ACTIVATED)
        return "it is not valid yet";
    if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
        return "it is for another host";
    if (status & GNUTLS_CERT_REVOKED)
        return "it was revoked";
    return "it cannot be verified";
}

/* true: go on. */
static bool verify(struct rtsp_client *client)
{
    char seen[2 * FINGERPRINT + 1];
    gnutls_session_t session = client->tls->session;
    if (!fingerprint_of(session, seen)) {
        client_fail(client, FAILURE_ANSWER, "the camera shows no certificate");
        return false;
    }
    if (client->fingerprint) {
        if (!strcasecmp(client->fingerprint, seen))
            return true;
        client_fail(client, FAILURE_ANSWER,
                    "the camera's certificate is not the expected one: its SHA-256 is %s", seen);
        return false;
    }
    unsigned status = GNUTLS_CERT_INVALID;
    if (gnutls_certificate_verify_peers3(session, client_url(client)->host, &status) == 0 && status == 0)
        return true;
    client_fail(client, FAILURE_ANSWER, "the camera's certificate is not trusted (%s): its SHA-256 is %s",
                distrust(status), seen);
    return false;
}

/* --- handshake --------------------------------------------------------------------- */

static void again(struct se_timer *timer)
{
    client_read(timer->ctx);
}

void client_tls_begin(struct rtsp_client *client)
{
    const struct rtsp_url *url = client_url(client);
    struct sockaddr_storage address;
    pthread_once(&nobody_once, make_nobody);
    gnutls_certificate_credentials_t credentials =
        client->fingerprint ? nobody : trusted(client->tls_ca_file);
    if (!credentials) {
        client_fail(client, FAILURE_ANSWER, "the certificates of %s cannot be read%s",
                    *client->tls_ca_file ? "ingest.tls_ca_file" : "the system's authorities",
                    *client->tls_ca_file ? "" : ": install ca-certificates, or set tls_fingerprint");
        return;
    }
    client->tls = calloc(1, sizeof(*client->tls));
    if (!client->tls ||
        gnutls_init(&client->tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
        free(client->tls);
        client->tls = NULL;
        client_fail(client, FAILURE_UNREACHABLE, "out of memory");
        return;
    }
    gnutls_session_t session = client->tls->session;
    client->tls->again = (struct se_timer){.fn = again, .ctx = client};
    int r = gnutls_priority_set_direct(session, PRIORITY, NULL);
    if (r == 0)
        r = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    if (r == 0 && !address_parse(url->host, &address))
        r = gnutls_server_name_set(session, GNUTLS_NAME_DNS, url->host, strlen(url->host));
    if (r < 0) {
        client_fail(client, FAILURE_ANSWER, "TLS cannot be set up: %s", gnutls_strerror(r));
        return;
    }
    gnutls_transport_set_int(session, client->watch.fd);
    client->phase = PHASE_TLS;
    client_deadline(client, client_answer_left(client));
    client_tls_go_on(client);
}

void client_tls_go_on(struct rtsp_client *client)
{
    gnutls_session_t session = client->tls->session;
    int r;
    do
        r = gnutls_handshake(session);
    while (r == GNUTLS_E_INTERRUPTED || r == GNUTLS_E_WARNING_ALERT_RECEIVED);
    if (r == GNUTLS_E_AGAIN) {
        (void)se_watch_set(&client->watch, gnutls_record_get_direction(session) ? EPOLLOUT : EPOLLIN);
    } else if (r == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        const char *alert = gnutls_alert_get_name(gnutls_alert_get(session));
        client_fail(client, FAILURE_ANSWER, "the camera ended the TLS handshake: %s",
                    alert ? alert : "no reason");
    } else if (r < 0) {
        client_fail(client, FAILURE_ANSWER, "the TLS handshake with the camera failed: %s",
                    gnutls_strerror(r));
    } else if (verify(client)) {
        (void)se_watch_set(&client->watch, EPOLLIN);
        client_session_begin(client);
    }
}

void client_tls_end(struct rtsp_client *client)
{
    struct client_tls *tls = client->tls;
    if (!tls)
        return;
    se_timer_cancel(&tls->again);
    if (client->phase > PHASE_TLS && client->watch.fd >= 0)
        (void)gnutls_bye(tls->session, GNUTLS_SHUT_WR); /* as far as it goes */
    gnutls_deinit(tls->session);
    free(tls);
    client->tls = NULL;
}

/* --- bytes ----------------------------------------------------------------------------- */

static ssize_t tls_send(struct client_tls *tls, const void *data, size_t size)
{
    /* What GnuTLS took over goes first, and is not given to it a second time. */
    ssize_t n = tls->sending ? gnutls_record_send(tls->session, NULL, 0)
                             : gnutls_record_send(tls->session, data, size);
    if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
        if (!tls->sending)
            tls->sending = size;
        return -EAGAIN;
    }
    tls->sending = 0;
    return n < 0 ? -EPIPE : n;
}

static ssize_t tls_recv(struct client_tls *tls, uint8_t *out, size_t size)
{
    if (tls->ended)
        return tls->ended == GNUTLS_E_PREMATURE_TERMINATION ? 0 : -EPROTO;
    size_t got = 0;
    while (got < size) {
        ssize_t n = gnutls_record_recv(tls->session, out + got, size - got);
        if (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_REHANDSHAKE || n == GNUTLS_E_WARNING_ALERT_RECEIVED)
            continue;
        if (n == GNUTLS_E_AGAIN)
            return got ? (ssize_t)got : -EAGAIN;
        if (n <= 0) {
            /* Cameras close the connection without a word: that is an end like another. */
            tls->ended =
                n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION ? GNUTLS_E_PREMATURE_TERMINATION : (int)n;
            return got ? (ssize_t)got : tls_recv(tls, out, size);
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

ssize_t client_send(struct rtsp_client *client, const void *data, size_t size)
{
    if (client->tls)
        return tls_send(client->tls, data, size);
    ssize_t n = send(client->watch.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : n;
}

ssize_t client_recv(struct rtsp_client *client, uint8_t *out, size_t size)
{
    if (client->tls)
        return tls_recv(client->tls, out, size);
    ssize_t n = recv(client->watch.fd, out, size, MSG_DONTWAIT);
    return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : n;
}

bool client_recv_more(struct rtsp_client *client, unsigned rounds)
{
    struct client_tls *tls = client->tls;
    if (!tls || (!tls->ended && !gnutls_record_check_pending(tls->session)))
        return false;
    if (rounds < READS_IN_A_ROW)
        return true;
    (void)se_timer_in(client->loop, &tls->again, 0);
    return false;
}
