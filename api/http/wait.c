/* Requests that have nothing to answer with yet. Their connections stay suspended and no worker is held: they
 * lie in a list, and are run again when somebody says that there may be something. libmicrohttpd does not
 * look at suspended connections, so a client that has gone is noticed when its time is up. */
#include <errno.h>

#include "http/exchange.h"

#define WAITING_MAX 512u

int http_wait(struct http_request *req, unsigned wait_ms)
{
    int64_t waited_us = se_mono_now_us() - req->exchange->came_us;
    return waited_us >= wait_ms * 1000LL || req->method != HTTP_GET ? -EAGAIN : -EINPROGRESS;
}

int wait_park(struct exchange *ex)
{
    struct api *api = ex->api;
    pthread_mutex_lock(&api->waiting.lock);
    int r = api->waiting.closed ? -ESHUTDOWN : api->waiting.count >= WAITING_MAX ? -EBUSY : 0;
    if (r == 0) {
        http_response_fini(&ex->res);
        ex->next_waiting = api->waiting.first;
        api->waiting.first = ex;
        api->waiting.count++;
        se_metric_set(&http_metrics[HTTP_METRIC_WAITING], api->waiting.count);
    } else {
        http_count(HTTP_METRIC_WAITS_REFUSED);
    }
    pthread_mutex_unlock(&api->waiting.lock);
    return r;
}

void http_again(struct api *api)
{
    pthread_mutex_lock(&api->waiting.lock);
    struct exchange *ex = api->waiting.first;
    api->waiting.first = NULL;
    api->waiting.count = 0;
    se_metric_set(&http_metrics[HTTP_METRIC_WAITING], 0);
    pthread_mutex_unlock(&api->waiting.lock);
    while (ex) {
        struct exchange *next = ex->next_waiting;
        exchange_work(ex);
        ex = next;
    }
}

void wait_close(struct api *api)
{
    pthread_mutex_lock(&api->waiting.lock);
    api->waiting.closed = true;
    pthread_mutex_unlock(&api->waiting.lock);
    http_again(api);
}
