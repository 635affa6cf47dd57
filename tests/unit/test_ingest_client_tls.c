/* rtsp/client_tls.c: scripted cameras behind TLS, and whom the client speaks with. */
#include "rtsp_camera.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <poll.h>

/* --- a camera behind TLS ------------------------------------------------------------ */

/* A certificate that signs itself, for host and 127.0.0.1, or for a host elsewhere. */
struct identity {
    gnutls_certificate_credentials_t credentials;
    char fingerprint[65];
    char pem[4096];
};

static void make_identity(struct identity *identity, const char *host, bool loopback)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    unsigned char serial[] = {1}, address[] = {127, 0, 0, 1}, der[4096];
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, host, (unsigned)strlen(host));
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), 0);
    if (loopback)
        gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 4, GNUTLS_FSAN_APPEND);
    gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    gnutls_x509_crt_set_key(crt, key);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);

    size_t size = sizeof(der);
    unsigned char hash[32];
    assert_int_equal(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_DER, der, &size), 0);
    assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, der, size, hash), 0);
    for (unsigned i = 0; i < 32; i++)
        snprintf(identity->fingerprint + 2 * (size_t)i, 3, "%02x", hash[i]);
    size = sizeof(identity->pem) - 1;
    assert_int_equal(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, identity->pem, &size), 0);
    identity->pem[size] = 0;
    assert_int_equal(gnutls_certificate_allocate_credentials(&identity->credentials), 0);
    assert_int_equal(gnutls_certificate_set_x509_key(identity->credentials, &crt, 1, key), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static struct identity here, elsewhere;
static const struct identity *shown;
static void (*behind)(struct camera *camera, int fd); /* the script in the clear */

struct inner {
    struct camera *camera;
    int fd;
};

static void *run_inner(void *ctx)
{
    struct inner *inner = ctx;
    setsockopt(inner->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 5}, sizeof(struct timeval));
    behind(inner->camera, inner->fd);
    shutdown(inner->fd, SHUT_RDWR);
    return NULL;
}

/* Carries bytes between the TLS session and the script, in records as large as they can be. */
static void carry(gnutls_session_t session, int fd, int plain)
{
    static _Thread_local char data[16384];
    for (;;) {
        struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = plain, .events = POLLIN}};
        if (!gnutls_record_check_pending(session) && poll(p, 2, 6000) <= 0)
            return;
        if (gnutls_record_check_pending(session) || p[0].revents) {
            ssize_t n = gnutls_record_recv(session, data, sizeof(data));
            if (n <= 0)
                return;
            put(plain, data, (size_t)n);
        }
        if (p[1].revents) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* let it gather */
            ssize_t n = recv(plain, data, sizeof(data), 0);
            if (n <= 0)
                return;
            for (ssize_t at = 0, sent; at < n; at += sent) {
                sent = gnutls_record_send(session, data + at, (size_t)(n - at));
                if (sent <= 0)
                    return;
            }
        }
    }
}

static void secure(struct camera *camera, int fd)
{
    gnutls_session_t session;
    assert_int_equal(gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL), 0);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, shown->credentials);
    gnutls_transport_set_int(session, fd);
    gnutls_handshake_set_timeout(session, 3000);
    if (gnutls_handshake(session) == 0) {
        int pair[2];
        pthread_t thread;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        struct inner inner = {camera, pair[0]};
        assert_int_equal(pthread_create(&thread, NULL, run_inner, &inner), 0);
        carry(session, fd, pair[1]);
        shutdown(pair[1], SHUT_RDWR);
        pthread_join(thread, NULL);
        close(pair[0]);
        close(pair[1]);
    }
    gnutls_deinit(session);
}

#define RTSPS "rtsps://127.0.0.1:%u/a"

static void pull_tls(struct pull *pull, struct camera *camera, const char *url,
                     bool (*done)(struct pull *pull))
{
    camera_start(camera, secure);
    pull_until(pull, camera, "127.0.0.0/8,::1", url, done);
    camera_stop(camera);
}

/* --- tests ------------------------------------------------------------------------ */

static void by_fingerprint(void **state)
{
    struct camera camera;
    struct pull pull;
    given.fingerprint = here.fingerprint;
    pull_tls(&pull, &camera, RTSPS, five_units);
    assert_string_equal(pull.stats.transport, "tls");
    assert_int_equal(camera.connections, 1);
    assert_int_equal(camera.teardowns, 1);
    assert_int_equal(pull.stats.garbage_bytes, 0);
}

static void another_fingerprint(void **state)
{
    struct camera camera;
    struct pull pull;
    given.fingerprint = elsewhere.fingerprint;
    pull_tls(&pull, &camera, RTSPS, said_why);
    assert_says(&pull, "the camera's certificate is not the expected one: its SHA-256 is ");
    assert_says(&pull, here.fingerprint);
    assert_int_equal(camera.requests, 0);
}

static void by_nobody(void **state)
{
    struct camera camera;
    struct pull pull;
    given.sets[0] = "ingest.answer_timeout_ms=5000"; /* the system has many authorities to be read first */
    pull_tls(&pull, &camera, RTSPS, said_why);
    assert_says(&pull, "is not trusted (no known authority signed it): its SHA-256 is ");
    assert_says(&pull, here.fingerprint);
    assert_int_equal(camera.requests, 0); /* no password went to it */
}

static char ca_set[128];

static void trust(const struct identity *identity)
{
    static unsigned number;
    char path[64];
    snprintf(path, sizeof(path), "/tmp/se-test-ca-%d-%u.pem", (int)getpid(), number++);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(identity->pem, file);
    fclose(file);
    snprintf(ca_set, sizeof(ca_set), "ingest.tls_ca_file=%s", path);
    given.sets[0] = ca_set;
}

static void distrust(void)
{
    unlink(strchr(ca_set, '=') + 1);
}

static void by_an_authority(void **state)
{
    struct camera camera;
    struct pull pull;
    trust(&here);
    pull_tls(&pull, &camera, RTSPS, five_units);
    pull_tls(&pull, &camera, "rtsps://localhost:%u/a", five_units);
    distrust();
    assert_string_equal(pull.stats.transport, "tls");
}

static void for_another_host(void **state)
{
    struct camera camera;
    struct pull pull;
    shown = &elsewhere;
    trust(&elsewhere);
    pull_tls(&pull, &camera, RTSPS, said_why);
    distrust();
    assert_says(&pull, "is not trusted (it is for another host): its SHA-256 is ");
}

static void no_such_authorities(void **state)
{
    struct camera camera;
    struct pull pull;
    given.sets[0] = "ingest.tls_ca_file=/nonexistent/ca.pem";
    pull_tls(&pull, &camera, RTSPS, said_why);
    assert_says(&pull, "the certificates of ingest.tls_ca_file cannot be read");
}

static void speak_in_the_clear(struct camera *camera, int fd)
{
    PUT(fd, "RTSP/1.0 400 Bad Request\r\n\r\n");
    until_gone(camera, fd);
}

static void no_tls_there(void **state)
{
    struct camera camera;
    struct pull pull;
    given.fingerprint = here.fingerprint;
    camera_start(&camera, speak_in_the_clear);
    pull_until(&pull, &camera, "127.0.0.1", RTSPS, said_why);
    camera_stop(&camera);
    assert_says(&pull, "the TLS handshake with the camera failed: ");
}

static void keep_silent(struct camera *camera, int fd)
{
    char data[1024];
    while (recv(fd, data, sizeof(data), 0) > 0)
        ;
}

static void a_handshake_without_end(void **state)
{
    struct camera camera;
    struct pull pull;
    given.fingerprint = here.fingerprint;
    camera_start(&camera, keep_silent);
    pull_until(&pull, &camera, "127.0.0.1", RTSPS, said_why);
    camera_stop(&camera);
    assert_says(&pull, "does not answer the TLS handshake");
}

#define BURST 20000u

static void burst(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    for (unsigned i = 0; i < BURST; i++)
        put_picture(camera, fd, 0);
    until_gone(camera, fd);
}

static bool all_of_the_burst(struct pull *pull)
{
    return pull->units >= BURST;
}

/* Records that are larger than a read, then silence: nothing stays behind in the library. */
static void a_burst_arrives_whole(void **state)
{
    struct camera camera;
    struct pull pull;
    behind = burst;
    given.fingerprint = here.fingerprint;
    pull_tls(&pull, &camera, RTSPS, all_of_the_burst);
    assert_int_equal(pull.stats.packets_lost, 0);
    assert_int_equal(pull.stats.garbage_bytes, 0);
}

static void leave_at_once(struct camera *camera, int fd)
{
    if (!until_play(camera, fd))
        return;
    for (unsigned i = 0; i < 300; i++)
        put_picture(camera, fd, 0);
}

static bool ended_after_all(struct pull *pull)
{
    return pull->stats.last_error[0] && pull->units >= 300;
}

static void what_came_before_the_end_is_read(void **state)
{
    struct camera camera;
    struct pull pull;
    behind = leave_at_once;
    given.fingerprint = here.fingerprint;
    pull_tls(&pull, &camera, RTSPS, ended_after_all);
    assert_string_equal(pull.reasons[2], "the camera closed the connection");
}

static void redirect_into_the_clear(struct camera *camera, int fd)
{
    struct request request;
    char location[96];
    snprintf(location, sizeof(location), "Location: rtsp://127.0.0.1:%u/a\r\n", camera->port);
    if (next_request(camera, fd, &request))
        reply(fd, &request, "302 Moved", location, "");
    until_gone(camera, fd);
}

static void tls_is_not_left(void **state)
{
    struct camera camera;
    struct pull pull;
    behind = redirect_into_the_clear;
    given.fingerprint = here.fingerprint;
    pull_tls(&pull, &camera, RTSPS, said_why);
    assert_says(&pull, "redirects from rtsps:// to a place without TLS");
}

static void not_over_udp(void **state)
{
    struct camera camera;
    struct pull pull;
    given.transport = TRANSPORT_UDP;
    pull_tls(&pull, &camera, RTSPS, said_why);
    assert_says(&pull, "set the stream's transport to auto or tcp");
    assert_int_equal(camera.connections, 0);
}

static int reset(void **state)
{
    memset(&given, 0, sizeof(given));
    shown = &here;
    behind = play_five;
    return 0;
}

static int prepare(void **state)
{
    make_identity(&here, "localhost", true);
    make_identity(&elsewhere, "camera.example", false);
    return 0;
}

static int clean_up(void **state)
{
    gnutls_certificate_free_credentials(here.credentials);
    gnutls_certificate_free_credentials(elsewhere.credentials);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_fingerprint),
        TEST(another_fingerprint),
        TEST(by_nobody),
        TEST(by_an_authority),
        TEST(for_another_host),
        TEST(no_such_authorities),
        TEST(no_tls_there),
        TEST(a_handshake_without_end),
        TEST(a_burst_arrives_whole),
        TEST(what_came_before_the_end_is_read),
        TEST(tls_is_not_left),
        TEST(not_over_udp),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
