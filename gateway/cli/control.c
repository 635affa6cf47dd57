#include "control.h"

#include <errno.h>
#include <poll.h>
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
#define ANSWER_MS      600000 /* a backup of a big database takes its time */

struct control {
    struct house *house;
    int listen_fd, stop_fd;
    char *path;
    pthread_t thread;
};

static int socket_address(const char *path, struct sockaddr_un *out, struct se_err *err)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(out->sun_path))
        return se_fail(err, -ENAMETOOLONG,
                       "%.150s is too long for a socket (107 bytes): give gateway.data_dir a shorter path",
                       path);
    memcpy(out->sun_path, path, strlen(path) + 1);
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

int control_new(struct house *house, struct control **ret_control, struct se_err *err)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        return se_fail(err, -ENOMEM, "out of memory");
    *control = (struct control){.house = house, .listen_fd = -1, .stop_fd = -1};
    control->path = se_asprintf("%s/control.sock", options_text(house->options, "gateway.data_dir"));
    struct sockaddr_un address;
    int r = control->path ? socket_address(control->path, &address, err) : -ENOMEM;
    if (r < 0)
        goto fail;
    (void)unlink(control->path); /* of a daemon that was killed: we hold the lock */
    control->stop_fd = eventfd(0, EFD_CLOEXEC);
    control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (control->stop_fd < 0 || control->listen_fd < 0 ||
        bind(control->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(control->path, 0600) < 0 || listen(control->listen_fd, 8) < 0) {
        r = se_fail(err, -errno, "%s: %s", control->path, strerror(errno));
        goto fail;
    }
    r = se_thread_start(&control->thread, "control", control_main, control);
    if (r < 0) {
        se_fail(err, r, "the control thread does not start: %s", strerror(-r));
        goto fail;
    }
    *ret_control = control;
    return 0;

fail:
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

static int connect_to(const char *data_dir, int *ret_fd, struct se_err *err)
{
    se_free_ char *path = se_asprintf("%s/control.sock", data_dir);
    if (!path)
        return se_fail(err, -ENOMEM, "out of memory");
    struct sockaddr_un address;
    int r = socket_address(path, &address, err);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return se_fail(err, -errno, "no socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        r = se_fail(err, -errno,
                    "%s: %s. A daemon holds the data directory but does not answer: is it still starting?",
                    path, strerror(errno));
        close(fd);
        return r;
    }
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
