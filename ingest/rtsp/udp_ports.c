#include "udp_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TRIES_MAX 512
/* A second of a 16 Mbit/s stream; the kernel gives what net.core.rmem_max allows. */
#define RECEIVE_BUFFER (2 * 1024 * 1024)

int udp_ports_parse(const char *text, struct udp_ports *ret_ports, struct se_err *err)
{
    struct udp_ports ports = {0};
    if (*text) {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = 0;
        if (*text >= '0' && *text <= '9' && *end == '-' && end[1] >= '0' && end[1] <= '9')
            last = strtoul(end + 1, &end, 10);
        first += first & 1;
        if (*end || first < 1024 || last > 65535 || last < first + 1)
            return se_fail(err, -EINVAL,
                           "ingest.udp_ports: \"%.40s\" is not a range of ports from 1024 to 65535 such as "
                           "40000-49999",
                           text);
        ports = (struct udp_ports){(uint16_t)first, (uint16_t)last};
    }
    *ret_ports = ports;
    return 0;
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

/* A socket at local's port, 0: any; *ret_port is the one it has. */
static int open_socket(struct sockaddr_storage *local, uint16_t port, int *ret_fd, uint16_t *ret_port)
{
    socklen_t size = local->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(local->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_port(local, port);
    int r = bind(fd, (struct sockaddr *)local, size) < 0 ? -errno : 0;
    if (r == 0 && getsockname(fd, (struct sockaddr *)local, &size) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    int bytes = RECEIVE_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    *ret_fd = fd;
    *ret_port = port_of(local);
    return 0;
}

static int open_even(struct sockaddr_storage *local, uint16_t rtp, int ret_fds[2], uint16_t ret_ports[2])
{
    int r = open_socket(local, rtp, &ret_fds[0], &ret_ports[0]);
    if (r < 0)
        return r;
    r = open_socket(local, (uint16_t)(rtp + 1), &ret_fds[1], &ret_ports[1]);
    if (r < 0)
        close(ret_fds[0]);
    return r;
}

/* The kernel gives one port; the other of the pair is free more often than not. */
static int open_any(struct sockaddr_storage *local, int ret_fds[2], uint16_t ret_ports[2])
{
    int fd;
    uint16_t port;
    int r = open_socket(local, 0, &fd, &port);
    if (r < 0)
        return r;
    unsigned odd = port & 1u;
    r = open_socket(local, (uint16_t)(port ^ 1u), &ret_fds[!odd], &ret_ports[!odd]);
    if (r < 0) {
        close(fd);
        return r;
    }
    ret_fds[odd] = fd;
    ret_ports[odd] = port;
    return 0;
}

int udp_ports_open(const struct udp_ports *ports, const struct sockaddr_storage *local, int ret_fds[2],
                   uint16_t ret_ports[2])
{
    struct sockaddr_storage address = *local;
    unsigned pairs = ports->first ? ((unsigned)ports->last - ports->first + 1) / 2 : TRIES_MAX;
    uint32_t start = 0;
    (void)!getrandom(&start, sizeof(start), GRND_NONBLOCK);
    int r = -EADDRINUSE;
    for (unsigned i = 0; i < pairs && i < TRIES_MAX && (r == -EADDRINUSE || r == -EACCES); i++) {
        if (ports->first)
            r = open_even(&address, (uint16_t)(ports->first + (start + i) % pairs * 2), ret_fds, ret_ports);
        else
            r = open_any(&address, ret_fds, ret_ports);
    }
    return r;
}
