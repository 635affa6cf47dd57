/* libmicrohttpd, and nothing but: starting, stopping, and its callbacks into the exchange. */
#include "http/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "hls/hls.h"
#include "http/exchange.h"

#define CONNECTION_MEMORY 65536 /* bounds request line and headers, and one chunk of a stream */

static enum MHD_Result on_step(void *ctx, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data, size_t *size,
                               void **exchange)
{
    struct api *api = ctx;
    struct exchange *ex = *exchange;
    if (!ex || (api->stopping && ex->state != EXCHANGE_READY)) {
        return MHD_NO;
    }
    ex->chunked = strcmp(version, MHD_HTTP_VERSION_1_0) != 0; /* as libmicrohttpd decides it */
    return exchange_step(ex, method, data, size);
}

/* The request line, before libmicrohttpd decodes it: a slash hidden as %2F must not become one. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    return exchange_new(ctx, uri, connection);
}

static void on_done(void *ctx, struct MHD_Connection *connection, void **exchange,
                    enum MHD_RequestTerminationCode code)
{
    struct api *api = ctx;
    struct exchange *ex = *exchange;
    *exchange = NULL;
    if (ex) {
        if (ex->hurried && code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED) {
            http_count(HTTP_METRIC_CUT_STALLED);
        } else if (ex->hurried && code == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
            MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, HTTP_CONNECTION_S);
        }
        peer_set(api->peers, ex->peer, PEER_IDLE);
        exchange_free(ex);
    }
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **peer,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api *api = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *fd =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        int connection_fd = fd ? fd->connect_fd : -1;
        const union MHD_ConnectionInfo *address =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        *peer = peer_add(api->peers, connection_fd, address ? address->client_addr : NULL);
    } else {
        peer_remove(api->peers, *peer);
        *peer = NULL;
    }
}

static void on_log(void *ctx, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *ctx, const char *fmt, va_list args)
{
    char line[512];
    vsnprintf(line, sizeof(line), fmt, args);
    line[strcspn(line, "\n")] = '\0';
    se_debug("http", "libmicrohttpd says=\"%s\"", line);
}

int server_start(struct api *api, struct se_err *err)
{
    const struct options *options = api->deps.options;
    char bound[80];
    int r = listen_open("http.listen", options_text(options, "http.listen"), &api->listen_fd, bound, err);
    if (r < 0) {
        return r;
    }
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, api},
        {MHD_OPTION_LISTEN_SOCKET, api->listen_fd, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)options_int(options, "http.threads"), NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)api->connections, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)api->connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, HTTP_CONNECTION_S, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_uri, api},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_done, api},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, api},
        {MHD_OPTION_END, 0, NULL},
    };
    api->daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                         NULL, NULL, on_step, api, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    if (!api->daemon) {
        r = -EIO;
        return se_fail(err, r, "the HTTP server does not start on %s: is the limit of open files too low?",
                       bound);
    }
    r = listen_write_address(options_text(options, "gateway.data_dir"), "http.addr", bound, err);
    api->address_written = r == 0;
    if (r == 0) {
        se_info("http", "listening address=%s", bound);
    }
    return r;
}

void server_stop(struct api *api)
{
    if (api->daemon) {
        MHD_socket fd = MHD_quiesce_daemon(api->daemon);
        if (fd != MHD_INVALID_SOCKET) {
            close(fd);
            api->listen_fd = -1;
        }
    }
    if (api->address_written) {
        listen_forget_address(options_text(api->deps.options, "gateway.data_dir"), "http.addr");
        api->address_written = false;
    }
    api->stopping = true;
    live_stop(api->live);
    hls_stop(api->hls);
    wait_close(api);
    se_pool_stop(api->workers); /* each resumes its connection */
    se_pool_stop(api->writers);
    se_pool_stop(api->readers);
    if (api->daemon) {
        MHD_stop_daemon(api->daemon);
        api->daemon = NULL;
    }
    if (api->listen_fd >= 0) {
        close(api->listen_fd);
        api->listen_fd = -1;
    }
}
