#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "camera.h"

#define CONFIG_MAX (4u << 20)

static const char usage[] =
    "usage: camera-sim --clips DIR [--listen ADDRESS] [--control ADDRESS] [--config FILE] [--load N] "
    "[--load-clip NAME] [--tls-listen ADDRESS] [--tls-ca FILE] [--stamp]\n"
    "  --clips DIR       NAME.mp4 is served as rtsp://ADDRESS/NAME, NAME.sub.mp4 as /NAME/sub\n"
    "  --listen ADDRESS  where cameras answer, 127.0.0.1:8654 unless given; port 0 picks one\n"
    "  --control ADDRESS where orders are taken, 127.0.0.1:0 unless given\n"
    "  --config FILE     cameras with passwords and habits, JSON (README.md)\n"
    "  --load N          cameras /load/0 to /load/N-1 that play one clip, each at another place\n"
    "  --load-clip NAME  which clip; \"load\" unless given\n"
    "  --tls-listen ADDRESS  the same cameras over RTSPS, with a certificate made at start\n"
    "  --tls-ca FILE     where to write that certificate (PEM), which is its own authority\n"
    "  --stamp           H.264 over TCP: each frame says when it was sent (README.md)\n"
    "The first line on standard output is JSON: "
    "{\"rtsp\":\"ADDRESS\",\"control\":\"ADDRESS\",\"cameras\":[…],…}\n";

struct arguments {
    const char *listen, *control, *clips, *config, *load_clip, *tls_listen, *tls_ca;
    unsigned long load;
    bool stamp;
};

static int parse_arguments(int argc, char **argv, struct arguments *args)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"control", required_argument, NULL, 'c'},
        {"clips", required_argument, NULL, 'd'},
        {"config", required_argument, NULL, 'f'},
        {"load", required_argument, NULL, 'n'},
        {"load-clip", required_argument, NULL, 'k'},
        {"tls-listen", required_argument, NULL, 's'},
        {"tls-ca", required_argument, NULL, 'a'},
        {"stamp", no_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;

    *args = (struct arguments){.listen = "127.0.0.1:8654", .control = "127.0.0.1:0", .load_clip = "load"};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        char *end = NULL;

        switch (option) {
        case 'l':
            args->listen = optarg;
            break;
        case 'c':
            args->control = optarg;
            break;
        case 'd':
            args->clips = optarg;
            break;
        case 'f':
            args->config = optarg;
            break;
        case 'k':
            args->load_clip = optarg;
            break;
        case 's':
            args->tls_listen = optarg;
            break;
        case 'a':
            args->tls_ca = optarg;
            break;
        case 'n':
            args->load = strtoul(optarg, &end, 10);
            if (*end || args->load > CAMERAS_MAX / 2)
                return -EINVAL;
            break;
        case 'm':
            args->stamp = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            return -EINVAL;
        }
    }
    return args->clips && optind == argc ? 0 : -EINVAL;
}

static int read_config(struct server *server, const char *file, bool *ret_clips, struct se_err *err)
{
    se_free_ char *text = malloc(CONFIG_MAX);
    se_json_ *config = NULL;
    FILE *in = text ? fopen(file, "re") : NULL;
    const json_t *cameras, *one;
    size_t size, i;
    int r;

    if (!in)
        return se_fail(err, -errno, "%s: %s", file, strerror(errno));
    size = fread(text, 1, CONFIG_MAX, in);
    fclose(in);
    r = se_json_parse(text, size, &config, err);
    if (r < 0)
        return r;
    cameras = json_object_get(config, "cameras");
    if (!json_is_array(cameras))
        return se_fail(err, -EINVAL, "%s must be {\"cameras\":[…]}", file);
    *ret_clips = se_json_bool(config, "all_clips", true);
    json_array_foreach (cameras, i, one) {
        r = server_add_camera(server, one, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_cameras(struct server *server, const struct arguments *args, struct se_err *err)
{
    bool clips = true;
    int r = 0;

    if (args->config)
        r = read_config(server, args->config, &clips, err);
    if (r == 0 && clips)
        r = server_add_clips(server, err);
    if (r == 0 && args->load)
        r = server_add_load(server, args->load_clip, (unsigned)args->load, err);
    if (r == 0 && server->camera_count == 0)
        r = se_fail(err, -ENOENT, "no clips in %s: make them with clip-draw", args->clips);
    return r;
}

static int open_listener(struct server *server, const char *address, listener_fn *accepted, bool tls,
                         struct listener **ret_listener, struct se_err *err)
{
    int r = tls ? server_tls(server, err) : 0;

    if (r == 0)
        r = listener_new(server, address, accepted, ret_listener, err);
    if (r < 0)
        return r;
    (*ret_listener)->tls = tls;
    server->listeners[server->listener_count++] = *ret_listener;
    return 0;
}

static int open_listeners(struct server *server, const struct arguments *args, struct se_err *err)
{
    int r = open_listener(server, args->listen, client_accept, false, &server->listener, err);

    if (r == 0 && args->tls_listen)
        r = open_listener(server, args->tls_listen, client_accept, true, &server->secure, err);
    if (r == 0)
        r = open_listener(server, args->control, control_accept, false, &server->control, err);
    return r;
}

static int write_authority(struct server *server, const char *file, struct se_err *err)
{
    FILE *out;
    int r = server_tls(server, err);

    if (r < 0)
        return r;
    out = fopen(file, "we");
    if (!out)
        return se_fail(err, -errno, "%s: %s", file, strerror(errno));
    r = fputs(server->tls->pem, out) < 0 ? -EIO : 0;
    if (fclose(out) != 0 || r < 0)
        return se_fail(err, -EIO, "%s cannot be written", file);
    return 0;
}

/* Cameras with a port of their own, and which of these speak TLS. */
static void list_cameras(const struct server *server, json_t *names, json_t *ports, json_t *secure)
{
    for (const struct camera *camera = server->cameras; camera; camera = camera->next) {
        char own[80];

        if (strncmp(camera->name, "load/", 5) != 0)
            json_array_insert_new(names, 0, json_string(camera->name));
        if (!camera->own)
            continue;
        listener_text(camera->own, own, sizeof(own));
        json_object_set_new(ports, camera->name, json_string(own));
        if (camera->own->tls)
            json_array_append_new(secure, json_string(camera->name));
    }
}

static int announce(const struct server *server)
{
    char rtsp[80], control[80], rtsps[80];
    se_json_ *line = NULL;
    json_t *names = json_array(), *ports = json_object(), *secure = json_array();
    char *text;

    listener_text(server->listener, rtsp, sizeof(rtsp));
    listener_text(server->control, control, sizeof(control));
    list_cameras(server, names, ports, secure);
    line = json_pack("{s:s,s:s,s:o,s:o,s:o}", "rtsp", rtsp, "control", control, "cameras", names, "own",
                     ports, "tls", secure);
    if (line && server->secure) {
        listener_text(server->secure, rtsps, sizeof(rtsps));
        json_object_set_new(line, "rtsps", json_string(rtsps));
    }
    if (line && server->tls)
        json_object_set_new(line, "tls_fingerprint", json_string(server->tls->fingerprint));
    text = line ? se_json_text(line) : NULL;
    if (!text)
        return -ENOMEM;
    printf("%s\n", text);
    fflush(stdout);
    free(text);
    return 0;
}

static void on_signal(struct se_watch *watch, uint32_t events)
{
    se_loop_stop(watch->ctx);
}

static int watch_signals(struct se_loop *loop, struct se_watch *watch)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    *watch = (struct se_watch){.fn = on_signal, .ctx = loop, .fd = -1};
    return se_watch_add(loop, watch, fd, EPOLLIN);
}

/* Thousands of cameras take more descriptors than a shell grants at first. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    struct arguments args;
    struct se_loop *loop = NULL;
    struct server *server = NULL;
    struct se_watch signals = {.fd = -1};
    struct se_err err = {0};
    int r, signal_fd;

    if (parse_arguments(argc, argv, &args) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    raise_limit();
    r = se_loop_new("cameras", &loop);
    if (r == 0)
        r = watch_signals(loop, &signals);
    if (r == 0)
        r = server_new(loop, args.clips, &server, &err);
    if (r == 0) {
        server->stamp = args.stamp;
        r = add_cameras(server, &args, &err);
    }
    if (r == 0)
        r = open_listeners(server, &args, &err);
    if (r == 0 && args.tls_ca)
        r = write_authority(server, args.tls_ca, &err);
    if (r == 0)
        r = announce(server);
    if (r == 0)
        r = se_loop_run(loop);
    if (r < 0)
        fprintf(stderr, "camera-sim: %s\n", err.text[0] ? err.text : strerror(-r));
    server_free(server);
    signal_fd = signals.fd;
    se_watch_del(&signals);
    if (signal_fd >= 0)
        close(signal_fd);
    se_loop_free(loop);
    return r < 0 ? 1 : 0;
}
