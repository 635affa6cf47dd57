#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "camera.h"

struct acceptor {
    struct listener listener;
    listener_fn *accepted;
};

static void on_accept(struct se_watch *watch, uint32_t events)
{
    struct acceptor *acceptor = watch->ctx;

    for (unsigned i = 0; i < 64; i++) { /* others get their turn too */
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        acceptor->accepted(&acceptor->listener, fd);
    }
}

/* "HOST:PORT", HOST an address in digits, IPv6 in brackets. */
static int parse_address(const char *text, struct listener *listener, struct se_err *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&listener->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&listener->address;
    const char *colon = strrchr(text, ':');
    char host[64];
    size_t size = colon ? (size_t)(colon - text) : 0;
    char *end;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 65536;

    if (size == 0 || size >= sizeof(host) || port > 65535 || end == colon + 1 || *end)
        return se_fail(err, -EINVAL, "address \"%s\" must look like 127.0.0.1:8654 or [::1]:0", text);
    memcpy(host, text, size);
    host[size] = 0;
    if (host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = 0;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        listener->address_size = sizeof(*v6);
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1)
            return 0;
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        listener->address_size = sizeof(*v4);
        if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
            return 0;
    }
    return se_fail(err, -EINVAL, "address \"%s\" must begin with an IP address", text);
}

int listener_new(struct server *server, const char *address, listener_fn *accepted,
                 struct listener **ret_listener, struct se_err *err)
{
    struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
    struct listener *listener = &acceptor->listener;
    int r, one = 1;

    if (!acceptor)
        return -ENOMEM;
    acceptor->accepted = accepted;
    listener->server = server;
    listener->watch = (struct se_watch){.fn = on_accept, .ctx = acceptor, .fd = -1};
    listener->fd = -1;
    r = parse_address(address, listener, err);
    if (r < 0)
        goto fail;
    listener->fd = socket(listener->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0 || setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(listener->fd, (struct sockaddr *)&listener->address, listener->address_size) < 0 ||
        listen(listener->fd, 1024) < 0 ||
        getsockname(listener->fd, (struct sockaddr *)&listener->address, &listener->address_size) < 0) {
        r = se_fail(err, -errno, "cannot listen on %s: %s", address, strerror(errno));
        goto fail;
    }
    r = se_watch_add(server->loop, &listener->watch, listener->fd, EPOLLIN);
    if (r < 0)
        goto fail;
    *ret_listener = listener;
    return 0;
fail:
    listener_free(listener);
    return r;
}

void listener_free(struct listener *listener)
{
    if (!listener)
        return;
    se_watch_del(&listener->watch);
    if (listener->fd >= 0)
        close(listener->fd);
    free(SE_CONTAINER_OF(listener, struct acceptor, listener));
}

void listener_text(const struct listener *listener, char *out, size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&listener->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&listener->address;
    char host[INET6_ADDRSTRLEN] = "";

    if (listener->address.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(out, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, ntohs(v4->sin_port));
    }
}
