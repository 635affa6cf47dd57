/* The program: its commands, and the daemon's start as a list of steps with one way back down.
 * The one place that knows every module. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cameras.h"
#include "cli.h"
#include "commands.h"
#include "control.h"
#include "house.h"
#include "process.h"

#define BUS_KEEP    4096 /* events that a client that was away can still get */
#define STOP_WITHIN 9    /* seconds, of the ten that a service manager is promised */

/* ---- steps ---- */

static int start_limits(struct house *house, struct se_err *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    umask(0077);
    return 0;
}

static int start_log(struct house *house, struct se_err *err)
{
    enum se_log_level level = SE_LOG_INFO;
    (void)se_log_level_parse(options_text(house->options, "gateway.log_level"), &level);
    se_log_set_level(level);
    return 0;
}

/* For calendars: whoever asks for local time gets the county's. What is stored and sent stays UTC. */
static int start_timezone(struct house *house, struct se_err *err)
{
    int r = house_check(house->options, err);
    if (r < 0)
        return r;
    setenv("TZ", options_text(house->options, "gateway.timezone"), 1);
    tzset();
    return 0;
}

static int start_figures(struct house *house, struct se_err *err)
{
    se_metrics_collector(process_metrics, NULL);
    return 0;
}

static void stop_figures(struct house *house)
{
    se_metrics_collector_remove(process_metrics, NULL);
}

static int start_bus(struct house *house, struct se_err *err)
{
    int r = bus_new(BUS_KEEP, &house->bus);
    return r < 0 ? se_fail(err, r, "the bus does not start: %s", strerror(-r)) : 0;
}

static void stop_bus(struct house *house)
{
    bus_free(house->bus);
    house->bus = NULL;
}

static void publish_state(const char *camera_id, const char *department_id, const json_t *status, void *ctx)
{
    struct house *house = ctx;
    json_t *data = json_deep_copy(status); /* ingest's own goes on changing */
    if (data && se_json_put_str(data, "id", camera_id) == 0)
        bus_publish(house->bus, "camera.state", access_permission_name(ACCESS_CAMERA_READ), department_id,
                    data);
    else
        json_decref(data);
}

static int start_ingest(struct house *house, struct se_err *err)
{
    const struct ingest_deps deps = {
        .options = house->options, .store = house->store, .on_state = publish_state, .ctx = house};
    return ingest_new(&deps, &house->ingest, err);
}

static void stop_ingest(struct house *house)
{
    ingest_free(house->ingest);
    house->ingest = NULL;
}

static int start_events(struct house *house, struct se_err *err)
{
    const struct events_deps deps = {.options = house->options,
                                     .store = house->store,
                                     .bus = house->bus,
                                     .access = house->access,
                                     .ingest = house->ingest};
    return events_new(&deps, &house->events, err);
}

static void stop_events(struct house *house)
{
    events_free(house->events);
    house->events = NULL;
}

static int start_imports(struct house *house, struct se_err *err)
{
    const struct imports_deps deps = {.options = house->options,
                                      .store = house->store,
                                      .access = house->access,
                                      .bus = house->bus,
                                      .ingest = house->ingest};
    return imports_new(&deps, &house->imports, err);
}

static void stop_imports(struct house *house)
{
    imports_free(house->imports);
    house->imports = NULL;
}

static int start_api(struct house *house, struct se_err *err)
{
    const struct api_deps deps = {.options = house->options,
                                  .store = house->store,
                                  .access = house->access,
                                  .bus = house->bus,
                                  .ingest = house->ingest,
                                  .events = house->events,
                                  .imports = house->imports};
    return api_new(&deps, &house->api, err);
}

static void stop_api(struct house *house)
{
    if (house->api)
        api_stop(house->api);
    api_free(house->api);
    house->api = NULL;
}

static int start_control(struct house *house, struct se_err *err)
{
    return control_new(house, &house->control, err);
}

static void stop_control(struct house *house)
{
    control_free(house->control);
    house->control = NULL;
}

/* In this order up, in the opposite down. */
static const struct step {
    const char *name;
    int (*start)(struct house *house, struct se_err *err);
    void (*stop)(struct house *house);
} steps[] = {
    {"log", start_log, NULL},
    {"time zone", start_timezone, NULL},
    {"limits", start_limits, NULL},
    {"figures", start_figures, stop_figures},
    {"data directory", house_lock, house_unlock},
    {"store", house_open_store, house_close_store},
    {"access", house_open_access, house_close_access},
    {"bus", start_bus, stop_bus},
    {"ingest", start_ingest, stop_ingest},
    {"events", start_events, stop_events},
    {"cameras", house_load_cameras, NULL},
    {"imports", start_imports, stop_imports},
    {"control", start_control, stop_control}, /* before what says "ready": commands may come at once */
    {"api", start_api, stop_api},
};

static void stop_from(struct house *house, unsigned count)
{
    while (count-- > 0) {
        if (!steps[count].stop)
            continue;
        se_debug("main", "stopping step=\"%s\"", steps[count].name);
        steps[count].stop(house);
    }
}

/* ---- signals ---- */

/* Whatever hangs, the process ends in time; what was committed is on disk. */
static void out_of_time(int signal_number)
{
    static const char words[] = "error main the end took too long; giving up\n";
    ssize_t ignored = write(STDERR_FILENO, words, sizeof(words) - 1);
    (void)ignored;
    _exit(1);
}

static int wait_for_signal(int fd)
{
    struct signalfd_siginfo info;
    for (;;) {
        ssize_t got = read(fd, &info, sizeof(info));
        if (got == (ssize_t)sizeof(info))
            return (int)info.ssi_signo;
        if (got < 0 && errno != EINTR)
            return -errno;
    }
}

static void arm_deadline(void)
{
    struct sigaction action = {.sa_handler = out_of_time};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigaction(SIGALRM, &action, NULL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    alarm(STOP_WITHIN);
}

/* Blocked before the first thread starts, so that they all inherit it; SIGPIPE is an error code here. */
static int take_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

int house_serve(struct house *house)
{
    struct se_err err = {0};
    int fd = take_signals();
    if (fd < 0) {
        se_fail(&err, -errno, "no signals: %s", strerror(errno));
        return cli_fail(&err);
    }
    unsigned started = 0;
    int r = 0;
    for (; started < SE_ARRAY_LEN(steps); started++) {
        r = steps[started].start(house, &err);
        if (r < 0)
            break;
        se_debug("main", "started step=\"%s\"", steps[started].name);
    }
    if (r < 0) {
        if (steps[started].stop)
            steps[started].stop(house); /* each takes a half-made house */
        stop_from(house, started);
        close(fd);
        return cli_fail(&err);
    }
    se_info("main", "ready version=%s", SE_VERSION);
    int signal_number = wait_for_signal(fd);
    se_info("main", "ending signal=%d", signal_number);
    arm_deadline();
    stop_from(house, started);
    close(fd);
    se_info("main", "ended");
    return signal_number > 0 ? CLI_OK : CLI_FAILED;
}

static const struct cli_command commands[] = {
    {"serve", "[--check]", 0, 0, cli_serve,
     "run the gateway in the foreground; --check only checks the options"},
    {"user add", "NAME", 1, 1, cli_user_add,
     "add a user: --role CODE[,CODE] --name TEXT --department CODE; password from stdin"},
    {"user password", "NAME", 1, 1, cli_user_password,
     "set a user's password, from stdin; empty makes a random one"},
    {"seed load", "DIR", 1, 1, cli_seed_load,
     "load a county's data from DIR; --var NAME=VALUE fills in {{NAME}}"},
    {"camera import", "FILE", 1, 1, cli_camera_import,
     "import cameras from a list (CSV): --dry-run --crs wgs84|gcj02 --encoding auto|utf-8|gb18030 "
     "--department CODE"},
    {"backup", "DIR", 1, 1, cli_backup, "copy the database into DIR while it runs"},
    {"check", "", 0, 0, cli_check, "check the database and the audit chain"},
    {"version", "", 0, 0, cli_version, "print the version"},
};

int main(int argc, char **argv)
{
    return cli_main(argc, argv, commands, SE_ARRAY_LEN(commands));
}
