/* Names into addresses. */
#ifndef INGEST_NAME_LOOKUP_H
#define INGEST_NAME_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Up to max addresses of host (a name, or numbers with numeric) with that port. 0, or what getaddrinfo()
 * says. Blocks on name servers unless numeric: for the dns pool's threads. */
int name_look_up(const char *host, uint16_t port, bool numeric, struct sockaddr_storage *ret_addresses,
                 unsigned max, unsigned *ret_count);

#endif
