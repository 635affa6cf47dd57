/* RTSPS: TLS around a client's connection, with a certificate made at start. Ciphertext goes the way of all
 * bytes, through the client's queue, so nothing here ever waits. */
#ifndef CAMERA_TLS_H
#define CAMERA_TLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/error.h"

struct client;

/* The process' certificate: self-signed for 127.0.0.1, ::1 and localhost. */
struct tls {
    gnutls_certificate_credentials_t credentials;
    char fingerprint[65]; /* SHA-256 of the certificate, in hex */
    char *pem;            /* malloc'd; the certificate, which is its own authority */
};

int tls_new(struct tls **ret_tls, struct se_err *err);
void tls_free(struct tls *tls);

/* A session for a connection just accepted; NULL when memory ends. */
gnutls_session_t tls_session(struct tls *tls, struct client *client);
/* As recv(): bytes, 0 at the end, -1 with errno (EAGAIN, while hands are shaken too). */
ssize_t tls_recv(gnutls_session_t session, void *out, size_t size);
/* Sends all of it; false when the session is broken. */
bool tls_send(gnutls_session_t session, const struct iovec *parts, unsigned count);

#endif
