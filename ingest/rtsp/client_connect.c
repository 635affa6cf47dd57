/* From a URL to a connection: the name on the pool, each address against ingest.allow, one after the other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "name_lookup.h"

/* Shared by the loop and a pool thread, which never touches the client: it hands the object back. */
struct resolve {
    struct se_loop *loop;
    struct rtsp_client *client; /* loop's; NULL: nobody waits any more */
    _Atomic bool cancelled;     /* nobody waits: do not even ask */
    char host[256];
    uint16_t port;
    const char *trust; /* certificates to load before, or NULL; the option's text, which outlives the pool */
    int result;
    unsigned count;
    struct sockaddr_storage addresses[CLIENT_ADDRESSES_MAX];
};

static void next_address(struct rtsp_client *client);

static void resolved(void *ctx)
{
    struct resolve *resolve = ctx;
    struct rtsp_client *client = resolve->client;
    if (client) {
        client->resolve = NULL;
        if (resolve->result != 0 || !resolve->count) {
            client_fail(client, FAILURE_UNREACHABLE, "the name %s cannot be resolved", resolve->host);
        } else {
            memcpy(client->addresses, resolve->addresses, sizeof(client->addresses));
            client->address_count = resolve->count;
            client->address_next = 0;
            next_address(client);
        }
    }
    free(resolve);
}

static void resolve_on_pool(void *ctx)
{
    struct resolve *resolve = ctx;
    if (resolve->trust && !resolve->cancelled)
        client_tls_trust_load(resolve->trust);
    resolve->result = EAI_AGAIN;
    if (!resolve->cancelled)
        resolve->result = name_look_up(resolve->host, resolve->port, false, resolve->addresses,
                                       CLIENT_ADDRESSES_MAX, &resolve->count);
    /* The queue is full for a moment at most: its bound is far above the number of names in flight. */
    while (se_loop_post(resolve->loop, resolved, resolve) == -EAGAIN)
        sched_yield();
}

void client_resolve_cancel(struct rtsp_client *client)
{
    if (client->resolve) {
        client->resolve->client = NULL;
        client->resolve->cancelled = true;
    }
    client->resolve = NULL;
}

static void begin_resolve(struct rtsp_client *client)
{
    const struct rtsp_url *url = client_url(client);
    client->address_count = client->address_next = 0;
    bool load = client_tls_needs_trust(client) && !client_tls_trust_known(client->tls_ca_file);
    if (!load && name_look_up(url->host, url->port, true, client->addresses, CLIENT_ADDRESSES_MAX,
                              &client->address_count) == 0) {
        next_address(client);
        return;
    }
    struct resolve *resolve = client->pool ? calloc(1, sizeof(*resolve)) : NULL;
    if (resolve) {
        resolve->loop = client->loop;
        resolve->client = client;
        resolve->trust = load ? client->tls_ca_file : NULL;
        snprintf(resolve->host, sizeof(resolve->host), "%s", url->host);
        resolve->port = url->port;
    }
    client->phase = PHASE_RESOLVE;
    if (!resolve || se_pool_submit(client->pool, resolve_on_pool, resolve) < 0) {
        free(resolve);
        client_fail(client, FAILURE_UNREACHABLE, "too many names are being resolved at once");
        return;
    }
    client->resolve = resolve;
    client_deadline(client, client->wait.answer_us);
}

static void tune(int fd)
{
    /* A camera that lost power says nothing: the kernel notices within some 10 s. */
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 4},
        {IPPROTO_TCP, TCP_KEEPINTVL, 2}, {IPPROTO_TCP, TCP_KEEPCNT, 3}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 8000},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}

static void connect_failed(struct rtsp_client *client, int error)
{
    client_disconnect(client);
    if (client->address_next < client->address_count) {
        next_address(client);
        return;
    }
    const struct rtsp_url *url = client_url(client);
    if (error == ECONNREFUSED)
        client_fail(client, FAILURE_UNREACHABLE, "%s refuses connections on port %u", url->host, url->port);
    else if (error == ETIMEDOUT)
        client_fail(client, FAILURE_UNREACHABLE, "%s does not answer on port %u", url->host, url->port);
    else if (error == EMFILE || error == ENFILE)
        client_fail(client, FAILURE_UNREACHABLE, "no more files can be opened: raise the limit (ulimit -n)");
    else if (error == EACCES)
        client_fail(client, FAILURE_ANSWER, "%s is at an address that ingest.allow does not list", url->host);
    else
        client_fail(client, FAILURE_UNREACHABLE, "%s cannot be reached: %s", url->host,
                    strerrordesc_np(error));
}

static void on_connection(struct se_watch *watch, uint32_t events)
{
    struct rtsp_client *client = watch->ctx;
    if (client->phase == PHASE_CONNECT) {
        int error = 0;
        socklen_t size = sizeof(error);
        if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
        if (error) {
            connect_failed(client, error);
        } else {
            (void)se_watch_set(watch, EPOLLIN);
            if (client_url(client)->tls)
                client_tls_begin(client);
            else
                client_session_begin(client);
        }
        return;
    }
    if (client->phase == PHASE_TLS) {
        client_tls_go_on(client);
        return;
    }
    if (events & EPOLLOUT)
        client_write_more(client);
    if (watch->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        client_read(client);
}

static int open_connection(struct rtsp_client *client, const struct sockaddr_storage *address)
{
    if (!address_allowed(&client->rules, (const struct sockaddr *)address))
        return -EACCES;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    tune(fd);
    socklen_t size = address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int r = connect(fd, (const struct sockaddr *)address, size) < 0 ? -errno : 0;
    if (r == 0 || r == -EINPROGRESS) {
        client->watch.fn = on_connection;
        r = se_watch_add(client->loop, &client->watch, fd, EPOLLOUT);
    }
    if (r < 0)
        close(fd);
    else
        client->connection++;
    return r;
}

static void next_address(struct rtsp_client *client)
{
    client->phase = PHASE_CONNECT;
    const struct sockaddr_storage *address = &client->addresses[client->address_next++];
    /* All of a name's addresses share the time, but each gets a second. */
    int64_t all = client->wait.connect_us;
    int64_t least = all < SE_US_PER_S ? all : SE_US_PER_S;
    int64_t share = all / (client->address_count ? client->address_count : 1);
    int r = open_connection(client, address);
    if (r < 0)
        connect_failed(client, -r);
    else
        client_deadline(client, share > least ? share : least);
}

void client_connect(struct rtsp_client *client)
{
    if (client->phase == PHASE_CONNECT)
        connect_failed(client, ETIMEDOUT);
    else
        begin_resolve(client);
}

void client_disconnect(struct rtsp_client *client)
{
    int fd = client->watch.fd;
    client_lazy_leave(client);
    client_tls_end(client);
    se_watch_del(&client->watch);
    client->watch.fd = -1;
    if (fd >= 0)
        close(fd);
    se_str_fini(&client->out);
    client->writing = false;
    client->rest_size = 0;
}
