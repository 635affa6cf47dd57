/* The server as a whole: started, woken, ended. */
#include "rtsp/out.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "http/listen.h"
#include "rtsp/auth.h"

#define WORKERS      2
#define ACCEPT_TURN  64
#define ACCEPT_AGAIN SE_US_PER_S /* after a want of descriptors */

/* --- turns of the loop ---------------------------------------------------------------------------------- */

static void on_accept(struct se_watch *watch, uint32_t events)
{
    struct rtsp_out *out = watch->ctx;
    for (unsigned i = 0; i < ACCEPT_TURN; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof(peer);
        int fd = accept4(watch->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            viewer_accept(out, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rtsp_count(RTSP_M_REFUSED_FILES);
            se_warn("rtsp", "a connection cannot be taken reason=\"%s\"", strerror(errno));
            se_watch_del(&out->listen);
            se_timer_in(out->loop, &out->again, ACCEPT_AGAIN);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void on_again(struct se_timer *timer)
{
    struct rtsp_out *out = timer->ctx;
    if (se_watch_add(out->loop, &out->listen, out->listen_fd, EPOLLIN) < 0)
        se_timer_in(out->loop, &out->again, ACCEPT_AGAIN);
}

static struct job *take_jobs(struct rtsp_out *out)
{
    pthread_mutex_lock(&out->jobs_lock);
    struct job *job = SE_TAKE(out->jobs);
    pthread_mutex_unlock(&out->jobs_lock);
    return job;
}

static void wake(struct rtsp_out *out)
{
    static const uint64_t one = 1;
    if (!atomic_exchange(&out->woken, true))
        (void)!write(out->wake_fd, &one, sizeof(one));
}

void rtsp_out_job_done(struct job *job)
{
    struct rtsp_out *out = job->out;
    pthread_mutex_lock(&out->jobs_lock);
    job->next = out->jobs;
    out->jobs = job;
    pthread_mutex_unlock(&out->jobs_lock);
    wake(out);
}

static void on_wake(struct se_watch *watch, uint32_t events)
{
    struct rtsp_out *out = watch->ctx;
    uint64_t n;
    (void)!read(watch->fd, &n, sizeof(n));
    atomic_store(&out->woken, false); /* before looking: what comes from here on wakes again */
    for (struct job *job = take_jobs(out), *next; job; job = next) {
        next = job->next;
        auth_done(job);
    }
    for (struct feed *feed = out->feeds, *next; feed; feed = next) {
        next = feed->next;
        if (atomic_exchange(&feed->news, false))
            feed_read(feed);
    }
}

static void on_pace(struct se_timer *timer)
{
    struct rtsp_out *out = timer->ctx;
    for (struct viewer *viewer = out->viewers, *next; viewer; viewer = next) {
        next = viewer->next;
        if (viewer->udp && viewer->state == VIEWER_PLAYING)
            viewer_flush(viewer);
    }
}

/* Those that were closed and that nobody looks at any more. */
static void bury(struct rtsp_out *out)
{
    struct viewer **at = &out->dead;
    while (*at) {
        struct viewer *viewer = *at;
        if (viewer->job) {
            at = &viewer->next;
            continue;
        }
        *at = viewer->next;
        viewer_free(viewer);
    }
}

static void on_tick(struct se_timer *timer)
{
    struct rtsp_out *out = timer->ctx;
    se_mono_us now_us = se_loop_now_us(out->loop);
    for (struct viewer *viewer = out->viewers, *next; viewer; viewer = next) {
        next = viewer->next;
        viewer_second(viewer, now_us);
    }
    for (struct feed *feed = out->feeds, *next; feed; feed = next) {
        next = feed->next;
        feed_second(feed, now_us);
    }
    bury(out);
    se_timer_in(out->loop, &out->tick, SE_US_PER_S);
}

/* --- start and end -------------------------------------------------------------------------------------- */

/* "FIRST-LAST"; "" any. */
static int read_ports(struct rtsp_out *out, const char *text, struct se_err *err)
{
    char *end = NULL;
    unsigned long first = strtoul(text, &end, 10), last = 0;
    if (!*text)
        return 0;
    if (end > text && *end == '-')
        last = strtoul(end + 1, &end, 10);
    if (*end || first < 1 || last > 65535 || last <= first)
        return se_fail_field(err, -EINVAL, "rtsp.udp_ports",
                             "rtsp.udp_ports = %.40s: write FIRST-LAST, e.g. 20000-20999, or leave it empty",
                             text);
    out->port_first = (unsigned)(first + first % 2);
    out->port_last = (unsigned)last;
    return 0;
}

/* As many as are asked for, as far as a quarter of the open files goes. */
static unsigned connections_possible(unsigned asked)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur / 4 >= asked)
        return asked;
    unsigned possible = files.rlim_cur / 4 > 8 ? (unsigned)(files.rlim_cur / 4) : 8;
    se_warn("rtsp", "fewer connections than asked for: raise the limit of open files asked=%u possible=%u",
            asked, possible);
    return possible;
}

static int read_options(struct rtsp_out *out, struct se_err *err)
{
    const struct options *options = out->deps.options;
    out->connections_max = connections_possible((unsigned)options_int(options, "rtsp.connections"));
    out->address_max = (unsigned)options_int(options, "rtsp.connections_per_address");
    out->udp_max = (unsigned)options_int(options, "rtsp.udp_viewers");
    out->stall_s = (unsigned)options_int(options, "rtsp.stall_s");
    out->session_s = (unsigned)options_int(options, "rtsp.session_s");
    out->idle_us = options_int(options, "rtsp.idle_s") * SE_US_PER_S;
    out->start_us = options_int(options, "rtsp.start_s") * SE_US_PER_S;
    out->cache_bytes = (size_t)options_int(options, "ingest.gop_cache_bytes");
    return read_ports(out, options_text(options, "rtsp.udp_ports"), err);
}

static void begin(void *ctx)
{
    struct rtsp_out *out = ctx;
    out->begin_result = se_watch_add(out->loop, &out->listen, out->listen_fd, EPOLLIN);
    if (out->begin_result == 0)
        out->begin_result = se_watch_add(out->loop, &out->wake, out->wake_fd, EPOLLIN);
    if (out->begin_result == 0)
        out->begin_result = se_timer_in(out->loop, &out->tick, SE_US_PER_S);
}

static void finish(void *ctx)
{
    struct rtsp_out *out = ctx;
    se_watch_del(&out->listen);
    se_watch_del(&out->wake);
    se_timer_cancel(&out->tick);
    se_timer_cancel(&out->again);
    for (struct job *job = take_jobs(out), *next; job; job = next) {
        next = job->next;
        job->viewer->job = NULL;
        free(job);
    }
    while (out->viewers)
        viewer_cut(out->viewers, RTSP_M_CUT_ENDED);
    bury(out);
    while (out->feeds)
        feed_second(out->feeds, 0); /* none has viewers: each goes */
    se_timer_cancel(&out->pace);
}

static int start(struct rtsp_out *out, struct se_err *err)
{
    const char *dir = options_text(out->deps.options, "gateway.data_dir");
    char bound[80];
    int r = read_options(out, err);
    if (r < 0)
        return r;
    r = listen_open("rtsp.listen", options_text(out->deps.options, "rtsp.listen"), &out->listen_fd, bound,
                    err);
    if (r < 0)
        return r;
    out->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = out->wake_fd < 0 ? -errno : se_pool_new("rtsp-auth", WORKERS, out->connections_max, &out->pool);
    if (r == 0)
        r = se_loop_new("rtsp-out", &out->loop);
    if (r == 0)
        r = se_loop_start(out->loop);
    if (r == 0) {
        out->running = true;
        r = se_loop_call(out->loop, begin, out);
    }
    r = r < 0 ? r : out->begin_result;
    if (r < 0)
        return se_fail(err, r, "cannot start the RTSP server: %s", strerror(-r));
    r = listen_write_address(dir, "rtsp.addr", bound, err);
    out->address_written = r == 0;
    if (r == 0)
        se_info("rtsp", "listening address=%s", bound);
    return r;
}

int rtsp_out_new(const struct api_deps *deps, struct rtsp_out **ret_out, struct se_err *err)
{
    struct rtsp_out *out = calloc(1, sizeof(*out));
    if (!out)
        return se_fail(err, -ENOMEM, "out of memory");
    out->deps = *deps;
    out->listen_fd = out->wake_fd = -1;
    out->listen = (struct se_watch){.fn = on_accept, .ctx = out, .fd = -1};
    out->wake = (struct se_watch){.fn = on_wake, .ctx = out, .fd = -1};
    out->tick = (struct se_timer){.fn = on_tick, .ctx = out};
    out->pace = (struct se_timer){.fn = on_pace, .ctx = out};
    out->again = (struct se_timer){.fn = on_again, .ctx = out};
    pthread_mutex_init(&out->jobs_lock, NULL);
    rtsp_metrics_register();
    int r = start(out, err);
    if (r < 0) {
        rtsp_out_free(out);
        return r;
    }
    *ret_out = out;
    return 0;
}

unsigned rtsp_out_port(const struct rtsp_out *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    if (!out || getsockname(out->listen_fd, &address.any, &size) < 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

void rtsp_out_free(struct rtsp_out *out)
{
    if (!out)
        return;
    if (out->address_written)
        listen_forget_address(options_text(out->deps.options, "gateway.data_dir"), "rtsp.addr");
    se_pool_free(out->pool); /* what is under way goes to the loop, which still runs */
    if (out->running) {
        se_loop_call(out->loop, finish, out);
        se_loop_stop(out->loop);
        se_loop_join(out->loop);
    }
    se_loop_free(out->loop);
    if (out->listen_fd >= 0)
        close(out->listen_fd);
    if (out->wake_fd >= 0)
        close(out->wake_fd);
    pthread_mutex_destroy(&out->jobs_lock);
    free(out);
}
