#include "name_lookup.h"

#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

#define NAME_SERVER_S 2 /* seconds for each name server to answer */

/* A name server that is gone must not hold up the end of the program; whoever needs the name asks again. */
static void tune(void)
{
    static _Thread_local bool tuned;
    if (tuned)
        return;
    tuned = true;
    res_init();
    _res.retrans = NAME_SERVER_S;
    _res.retry = 1;
}

int name_look_up(const char *host, uint16_t port, bool numeric, struct sockaddr_storage *ret_addresses,
                 unsigned max, unsigned *ret_count)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | (numeric ? AI_NUMERICHOST : 0)},
                    *list = NULL;
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    if (!numeric)
        tune();
    int r = getaddrinfo(host, service, &hints, &list);
    if (r != 0)
        return r;
    unsigned count = 0;
    for (struct addrinfo *at = list; at && count < max; at = at->ai_next)
        if (at->ai_addrlen <= sizeof(ret_addresses[0]))
            memcpy(&ret_addresses[count++], at->ai_addr, at->ai_addrlen);
    freeaddrinfo(list);
    *ret_count = count;
    return 0;
}
