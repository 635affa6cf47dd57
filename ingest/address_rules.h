/* Which networks cameras may be on (ingest.allow). Asked about each address that is connected to, after a
 * name was resolved, so that no URL, name or redirect leads anywhere else. */
#ifndef INGEST_ADDRESS_RULES_H
#define INGEST_ADDRESS_RULES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define ADDRESS_RULES_MAX 64

struct address_rules {
    unsigned count;
    struct {
        uint8_t prefix[16]; /* IPv4 as ::ffff:a.b.c.d */
        unsigned bits;
    } rules[ADDRESS_RULES_MAX];
};

/* "10.0.0.0/8, fd00::/8, 127.0.0.1": -EINVAL with the entry that is wrong. */
int address_rules_parse(const char *list, struct address_rules *ret_rules, struct se_err *err);
/* An address written in numbers. false: it is a name. */
bool address_parse(const char *host, struct sockaddr_storage *ret_address);
/* Link-local, multicast and unspecified addresses never are, loopback only where an entry lies within it. */
bool address_allowed(const struct address_rules *rules, const struct sockaddr *address);

#endif
