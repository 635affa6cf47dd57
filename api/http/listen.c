#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* "host:port", "[::1]:port" or ":port" into its two parts, in buf. */
static int split(const char *address, char *buf, size_t size, char **ret_host, char **ret_port)
{
    if (strlen(address) >= size) {
        return -EINVAL;
    }
    memcpy(buf, address, strlen(address) + 1);
    char *colon = strrchr(buf, ':');
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strlen(colon + 1) > 5 || strtoul(colon + 1, NULL, 10) > 65535) {
        return -EINVAL;
    }
    *colon = '\0';
    char *host = buf;
    if (*host == '[') {
        size_t len = strlen(host);
        if (host[len - 1] != ']') {
            return -EINVAL;
        }
        host[len - 1] = '\0';
        host++;
    } else if (strchr(host, ':')) {
        return -EINVAL;
    }
    *ret_host = host;
    *ret_port = colon + 1;
    return 0;
}

int listen_check(const char *option, const char *address, struct se_err *err)
{
    char buf[256], *host, *port;
    if (split(address, buf, sizeof(buf), &host, &port) < 0) {
        return se_fail_field(err, -EINVAL, option,
                             "%s = %.60s: write ADDRESS:PORT, an IPv6 address in brackets, e.g. [::1]:8080",
                             option, address);
    }
    return 0;
}

/* What the kernel bound, in the form in which it was asked for. */
static void bound_name(int fd, char ret_bound[80])
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0) {
        getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV);
    }
    snprintf(ret_bound, 80, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int listen_open(const char *option, const char *address, int *ret_fd, char ret_bound[80], struct se_err *err)
{
    char buf[256], *host, *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    int r = listen_check(option, address, err);
    if (r < 0) {
        return r;
    }
    split(address, buf, sizeof(buf), &host, &port);
    r = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (r != 0) {
        return se_fail(err, -EINVAL, "%s = %s: %s", option, address, gai_strerror(r));
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    r = 0;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 4096) < 0) {
        r = -errno;
    }
    freeaddrinfo(found);
    if (r < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return se_fail(err, r, "cannot listen on %s = %s: %s%s", option, address, strerror(-r),
                       r == -EADDRINUSE ? "; another program has it: choose another port, or 0 for any" : "");
    }
    bound_name(fd, ret_bound);
    *ret_fd = fd;
    return 0;
}

void listen_forget_address(const char *dir, const char *name)
{
    se_free_ char *path = se_asprintf("%s/%s", dir, name);
    if (path) {
        unlink(path);
    }
}

int listen_write_address(const char *dir, const char *name, const char *bound, struct se_err *err)
{
    se_free_ char *path = se_asprintf("%s/%s", dir, name);
    se_free_ char *next = se_asprintf("%s/%s.new", dir, name);
    if (!path || !next) {
        return se_fail(err, -ENOMEM, "out of memory");
    }
    int r = 0, fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || dprintf(fd, "%s\n", bound) < 0) {
        r = -errno;
    }
    if (fd >= 0 && close(fd) < 0 && r == 0) {
        r = -errno;
    }
    if (r == 0 && rename(next, path) < 0) {
        r = -errno;
    }
    return r < 0 ? se_fail(err, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}
