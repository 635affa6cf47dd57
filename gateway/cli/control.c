#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "acts.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "house.h"

#define LINE_MAX_BYTES (1024 * 1024)
#define REQUEST_MS     5000
#define CONNECT_MS     5000
#define ANSWER_MS      600000 /* a backup of a big database takes its time */

struct control {
    struct house *house;
    int listen_fd, stop_fd;
    char *path;
    pthread_t thread;
};

/* A socket's path has at most 107 bytes, a data directory's may have more: go through a descriptor of the
 * directory, which the caller closes after bind() or connect(). */
static int socket_address(const char *data_dir, struct sockaddr_un *out, int *ret_fd, struct se_err *err)
{
    int fd = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return se_fail(err, -errno, "%s cannot be opened: %s", data_dir, strerror(errno));
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/control.sock", fd);
    *ret_fd = fd;
    return 0;
}

/* ---- lines ---- */

static int wait_for(int fd, short events, int64_t deadline_us)
{
    for (;;) {
        int64_t left_ms = (deadline_us - se_mono_now_us()) / 1000;
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int r = poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0);
        if (r > 0)
            return 0;
        if (r == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* Reads up to a newline, which is left out. */
static int read_line(int fd, int timeout_ms, struct se_str *line)
{
    int64_t deadline_us = se_mono_now_us() + timeout_ms * 1000LL;
    char piece[4096];
    for (;;) {
        int r = wait_for(fd, POLLIN, deadline_us);
        if (r < 0)
            return r;
        ssize_t got = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -ECONNRESET;
        char *newline = memchr(piece, '\n', (size_t)got);
        se_str_add(line, piece, newline ? (size_t)(newline - piece) : (size_t)got);
        if (line->oom)
            return -ENOMEM;
        if (newline)
            return 0;
        if (line->len > LINE_MAX_BYTES)
            return -EMSGSIZE;
    }
}

static int write_line(int fd, int timeout_ms, const json_t *value)
{
    se_free_ char *text = se_json_text(value);
    struct se_str line = {0};
    if (!text)
        return -ENOMEM;
    se_str_puts(&line, text);
    se_str_puts(&line, "\n");
    int r = line.oom ? -ENOMEM : 0;
    int64_t deadline_us = se_mono_now_us() + timeout_ms * 1000LL;
    for (size_t sent = 0; r == 0 && sent < line.len;) {
        r = wait_for(fd, POLLOUT, deadline_us);
        if (r < 0)
            break;
        ssize_t put = send(fd, line.data + sent, line.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put >= 0)
            sent += (size_t)put;
        else if (errno != EINTR && errno != EAGAIN)
            r = -errno;
    }
    se_str_fini(&line);
    return r;
}

/* ---- the daemon's side ---- */

static int run_request(struct house *house, const struct se_str *line, json_t **ret_result,
                       struct se_err *err)
{
    se_json_ *message = NULL;
    int r = se_json_parse(line->data ? line->data : "", line->len, &message, err);
    if (r < 0)
        return r;
    const char *name = se_json_str(message, "act", "");
    const struct act *act = act_find(name);
    if (!act)
        return se_fail(err, -ENOSYS, "the running daemon does not know \"%.40s\": is it another version?",
                       name);
    se_info("control", "act asked for act=%s", act->name);
    return act->run(house, json_object_get(message, "request"), ret_result, err);
}

static void serve_one(struct control *control, int fd)
{
    struct se_str line = {0};
    struct se_err err = {0};
    json_t *result = NULL;
    int r = read_line(fd, REQUEST_MS, &line);
    if (r < 0)
        se_fail(&err, r, "the request did not arrive: %s", strerror(-r));
    else
        r = run_request(control->house, &line, &result, &err);
    se_str_fini(&line);
    se_json_ *answer = json_object();
    if (!answer || se_json_put(answer, "ok", json_boolean(r == 0)) < 0)
        return;
    if (r == 0)
        se_json_put(answer, "result", result ? result : json_null());
    else
        se_json_put_str(answer, "error", err.text[0] ? err.text : strerror(-r));
    (void)write_line(fd, REQUEST_MS, answer);
}

static void *control_main(void *ctx)
{
    struct control *control = ctx;
    for (;;) {
        struct pollfd fds[2] = {{.fd = control->listen_fd, .events = POLLIN},
                                {.fd = control->stop_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents)
            break;
        if (!fds[0].revents)
            continue;
        int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                (void)poll(&fds[1], 1, 1000); /* until descriptors are free again */
            continue;
        }
        serve_one(control, fd);
        close(fd);
    }
    return NULL;
}

static int listen_at(const char *data_dir, const char *path, int *ret_fd, struct se_err *err)
{
    struct sockaddr_un address;
    int directory = -1;
    int r = socket_address(data_dir, &address, &directory, err);
    if (r < 0)
        return r;
    (void)unlink(path); /* of a daemon that was killed: we hold the lock */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0600) < 0 ||
        listen(fd, 8) < 0) {
        r = se_fail(err, -errno, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    close(directory);
    if (r == 0)
        *ret_fd = fd;
    return r;
}

int control_new(struct house *house, struct control **ret_control, struct se_err *err)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        return se_fail(err, -ENOMEM, "out of memory");
    *control = (struct control){.house = house, .listen_fd = -1, .stop_fd = -1};
    const char *data_dir = options_text(house->options, "gateway.data_dir");
    int r = 0;
    control->path = se_asprintf("%s/control.sock", data_dir);
    control->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (!control->path || control->stop_fd < 0)
        r = se_fail(err, control->path ? -errno : -ENOMEM, "the control socket cannot be made");
    if (r == 0)
        r = listen_at(data_dir, control->path, &control->listen_fd, err);
    if (r == 0 && (r = se_thread_start(&control->thread, "control", control_main, control)) < 0)
        se_fail(err, r, "the control thread does not start: %s", strerror(-r));
    if (r == 0) {
        *ret_control = control;
        return 0;
    }
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    if (control->stop_fd >= 0)
        close(control->stop_fd);
    free(control->path);
    free(control);
    return r;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    uint64_t one = 1;
    if (write(control->stop_fd, &one, sizeof(one)) == sizeof(one))
        pthread_join(control->thread, NULL);
    (void)unlink(control->path);
    close(control->listen_fd);
    close(control->stop_fd);
    free(control->path);
    free(control);
}

/* ---- the command's side ---- */

/* Tries for a while: a daemon that is starting holds the lock before it listens. */
static int connect_to(const char *data_dir, int *ret_fd, struct se_err *err)
{
    struct sockaddr_un address;
    int directory = -1;
    int r = socket_address(data_dir, &address, &directory, err);
    if (r < 0)
        return r;
    int64_t deadline_us = se_mono_now_us() + CONNECT_MS * 1000LL;
    int fd = -1;
    for (;;) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        r = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
        if (r < 0 && fd >= 0)
            close(fd);
        if ((r != -ENOENT && r != -ECONNREFUSED) || se_mono_now_us() > deadline_us)
            break;
        (void)poll(NULL, 0, 100);
    }
    close(directory);
    if (r < 0)
        return se_fail(
            err, r, "a daemon holds %s but does not answer at its control.sock (%s). Is it still starting?",
            data_dir, strerror(-r));
    *ret_fd = fd;
    return 0;
}

int control_ask(const char *data_dir, const char *act, const json_t *request, json_t **ret_result,
                struct se_err *err)
{
    int fd = -1;
    int r = connect_to(data_dir, &fd, err);
    if (r < 0)
        return r;
    struct se_str line = {0};
    se_json_ *message = json_pack("{s:s, s:O}", "act", act, "request", request);
    se_json_ *answer = NULL;
    r = message ? write_line(fd, REQUEST_MS, message) : -ENOMEM;
    if (r == 0)
        r = read_line(fd, ANSWER_MS, &line);
    close(fd);
    if (r < 0)
        se_fail(err, r, "the running daemon did not answer: %s", strerror(-r));
    else
        r = se_json_parse(line.data ? line.data : "", line.len, &answer, err);
    se_str_fini(&line);
    if (r < 0)
        return r;
    if (!se_json_bool(answer, "ok", false))
        return se_fail(err, -EPROTO, "%s", se_json_str(answer, "error", "the running daemon refused"));
    *ret_result = json_incref(json_object_get(answer, "result"));
    return 0;
}
