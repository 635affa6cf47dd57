#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "console.h"
#include "hls/hls.h"
#include "http/server.h"
#include "routes.h"
#include "rtsp/out.h"

/* As many as are asked for, but for a part of the open files that cameras, recordings and the store need. */
static unsigned connections_possible(const struct options *options)
{
    unsigned asked = (unsigned)options_int(options, "http.connections");
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur / 2 >= asked) {
        return asked;
    }
    unsigned possible = files.rlim_cur / 2 > 16 ? (unsigned)(files.rlim_cur / 2) : 16;
    se_warn("http", "fewer connections than asked for: raise the limit of open files asked=%u possible=%u",
            asked, possible);
    return possible;
}

int api_options_check(const struct options *options, struct se_err *err)
{
    int r = listen_check("http.listen", options_text(options, "http.listen"), err);
    return r < 0 ? r : listen_check("rtsp.listen", options_text(options, "rtsp.listen"), err);
}

static void again(void *ctx)
{
    http_again(ctx);
}

int api_new(const struct api_deps *deps, struct api **ret_api, struct se_err *err)
{
    struct api *api = calloc(1, sizeof(*api));
    if (!api) {
        return se_fail(err, -ENOMEM, "out of memory");
    }
    unsigned workers = (unsigned)options_int(deps->options, "http.workers");
    struct peers_patience patience = {.idle_s = (unsigned)options_int(deps->options, "http.idle_s"),
                                      .headers_s = (unsigned)options_int(deps->options, "http.headers_s"),
                                      .body_s = (unsigned)options_int(deps->options, "http.body_timeout_s")};
    api->deps = *deps;
    api->listen_fd = -1;
    api->connections = connections_possible(deps->options);
    api->stall_s = (unsigned)options_int(deps->options, "http.stall_s");
    api->keepalive_s = (unsigned)options_int(deps->options, "http.keepalive_s");
    pthread_mutex_init(&api->keyed.lock, NULL);
    pthread_mutex_init(&api->waiting.lock, NULL);
    snprintf(api->boot, sizeof(api->boot), "%llx", (unsigned long long)se_wall_now_ms());
    http_metrics_register();
    int r = router_new(routes_all, routes_all_count, &api->router, err);
    if (r < 0) {
        goto fail;
    }
    r = console_new(options_text(deps->options, "http.console_dir"), &api->console, err);
    if (r < 0) {
        goto fail;
    }
    r = peers_new(api->connections, &patience, &api->peers);
    if (r < 0) {
        goto out_of_memory;
    }
    r = se_pool_new("http-read", workers, 4 * (size_t)options_int(deps->options, "http.queue"),
                    &api->workers);
    if (r < 0) {
        goto out_of_memory;
    }
    r = se_pool_new("http-write", workers, (size_t)options_int(deps->options, "http.queue"), &api->writers);
    if (r < 0) {
        goto out_of_memory;
    }
    r = se_pool_new("http-body", workers, api->connections, &api->readers);
    if (r < 0) {
        goto out_of_memory;
    }
    r = live_new(api, &api->live, err);
    if (r < 0) {
        goto fail;
    }
    r = hls_new(deps->options, again, api, &api->hls);
    if (r < 0) {
        goto out_of_memory;
    }
    r = rtsp_out_new(&api->deps, &api->rtsp, err);
    if (r < 0) {
        goto fail;
    }
    r = server_start(api, err);
    if (r < 0) {
        goto fail;
    }
    *ret_api = api;
    return 0;
out_of_memory:
    se_fail(err, r, "cannot start the threads that run requests");
fail:
    api_free(api);
    return r;
}

void api_stop(struct api *api)
{
    if (api && !api->stopping) {
        rtsp_out_free(SE_TAKE(api->rtsp));
        server_stop(api);
    }
}

void api_free(struct api *api)
{
    if (!api) {
        return;
    }
    api_stop(api);
    hls_free(api->hls);
    live_free(api->live);
    se_pool_free(api->readers);
    se_pool_free(api->writers);
    se_pool_free(api->workers);
    peers_free(api->peers);
    console_free(api->console);
    router_free(api->router);
    pthread_mutex_destroy(&api->waiting.lock);
    pthread_mutex_destroy(&api->keyed.lock);
    free(api);
}
