/* The manager: which cameras there are, on which loop each one lives, and how all of it starts and ends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address_rules.h"
#include "av/threads.h"
#include "base/log.h"
#include "camera.h"
#include "ingest/text.h"
#include "parts.h"
#include "record/volume.h"
#include "rtsp/udp_ports.h"

#define LOOPS_MAX   64
#define CAMERAS_MAX 20000
#define TICK_US     SE_US_PER_S
#define DNS_THREADS 4
#define DNS_QUEUE   4096

struct ingest_loop {
    struct se_loop *loop;
    bool running;
    struct se_timer tick;
    struct camera *cameras; /* loop's */
    unsigned count;         /* under the table's mutex */
};

struct ingest {
    struct camera_host host;
    struct address_rules rules;
    struct ingest_loop loops[LOOPS_MAX];
    unsigned loop_count;
    pthread_mutex_t change;  /* held over a change of cameras, so that changes come one after the other */
    pthread_mutex_t table;   /* the table below, and hub pointers: held for a look only */
    struct camera **cameras; /* by id */
    unsigned count, cap;
    _Atomic unsigned turn; /* of ingest_next_loop() */
};

struct volumes *ingest_volumes(struct ingest *ingest)
{
    return ingest->host.volumes;
}

const struct options *ingest_options(struct ingest *ingest)
{
    return ingest->host.options;
}

const struct camera_host *ingest_host(struct ingest *ingest)
{
    return &ingest->host;
}

struct se_loop *ingest_next_loop(struct ingest *ingest)
{
    return ingest->loops[atomic_fetch_add(&ingest->turn, 1) % ingest->loop_count].loop;
}

/* --- the table ---------------------------------------------------------------- */

/* Where id is, or where it would go. The table's mutex is held. */
static bool find(const struct ingest *ingest, const char *id, unsigned *ret_at)
{
    unsigned low = 0, high = ingest->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = strcmp(ingest->cameras[middle]->id, id);
        if (order == 0) {
            *ret_at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_at = low;
    return false;
}

static struct camera *get(struct ingest *ingest, const char *id)
{
    unsigned at;
    pthread_mutex_lock(&ingest->table);
    struct camera *camera = find(ingest, id, &at) ? camera_ref(ingest->cameras[at]) : NULL;
    pthread_mutex_unlock(&ingest->table);
    return camera;
}

/* Under the table's mutex. Takes the reference. */
static int insert(struct ingest *ingest, struct camera *camera)
{
    unsigned at;
    if (ingest->count == ingest->cap) {
        unsigned cap = ingest->cap ? ingest->cap * 2 : 64;
        struct camera **larger = realloc(ingest->cameras, cap * sizeof(struct camera *));
        if (!larger)
            return -ENOMEM;
        ingest->cameras = larger;
        ingest->cap = cap;
    }
    find(ingest, camera->id, &at);
    memmove(&ingest->cameras[at + 1], &ingest->cameras[at], (ingest->count - at) * sizeof(struct camera *));
    ingest->cameras[at] = camera;
    ingest->count++;
    ingest->loops[camera->loop_number].count++;
    return 0;
}

unsigned ingest_some_cameras(struct ingest *ingest, struct camera **ret_cameras, unsigned max,
                             unsigned *ret_all)
{
    pthread_mutex_lock(&ingest->table);
    unsigned count = ingest->count < max ? ingest->count : max;
    for (unsigned i = 0; i < count; i++)
        ret_cameras[i] = camera_ref(ingest->cameras[i]);
    *ret_all = ingest->count;
    pthread_mutex_unlock(&ingest->table);
    return count;
}

static struct camera *take_out(struct ingest *ingest, const char *id)
{
    unsigned at;
    pthread_mutex_lock(&ingest->table);
    struct camera *camera = NULL;
    if (find(ingest, id, &at)) {
        camera = ingest->cameras[at];
        ingest->count--;
        memmove(&ingest->cameras[at], &ingest->cameras[at + 1],
                (ingest->count - at) * sizeof(struct camera *));
        ingest->loops[camera->loop_number].count--;
    }
    pthread_mutex_unlock(&ingest->table);
    return camera;
}

/* --- life --------------------------------------------------------------------- */

static void tick(struct se_timer *timer)
{
    struct ingest_loop *loop = timer->ctx;
    (void)se_timer_in(loop->loop, timer, TICK_US);
    for (struct camera *camera = loop->cameras; camera; camera = camera->next)
        camera_tick(camera);
}

static void start_tick(void *ctx)
{
    struct ingest_loop *loop = ctx;
    loop->tick = (struct se_timer){.fn = tick, .ctx = loop};
    (void)se_timer_in(loop->loop, &loop->tick, TICK_US);
}

static int start_loops(struct ingest *ingest)
{
    int64_t wanted = options_int(ingest->host.options, "ingest.loops");
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (!wanted)
        wanted = processors < 1 ? 1 : processors > 8 ? 8 : processors;
    for (unsigned i = 0; i < (unsigned)wanted && i < LOOPS_MAX; i++) {
        struct ingest_loop *loop = &ingest->loops[i];
        char name[16];
        snprintf(name, sizeof(name), "ingest-%u", i);
        int r = se_loop_new(name, &loop->loop);
        if (r < 0)
            return r;
        ingest->loop_count++;
        r = se_loop_start(loop->loop);
        if (r < 0)
            return r;
        loop->running = true;
        r = se_loop_call(loop->loop, start_tick, loop);
        if (r < 0)
            return r;
    }
    return 0;
}

int ingest_options_check(const struct options *options, struct se_err *err)
{
    struct address_rules rules;
    struct udp_ports ports;
    int r = address_rules_parse(options_text(options, "ingest.allow"), &rules, err);
    return r == 0 ? udp_ports_parse(options_text(options, "ingest.udp_ports"), &ports, err) : r;
}

int ingest_new(const struct ingest_deps *deps, struct ingest **ret_ingest, struct se_err *err)
{
    struct ingest *ingest = calloc(1, sizeof(*ingest));
    if (!ingest)
        return se_fail(err, -ENOMEM, "out of memory");
    ingest->host.options = deps->options;
    ingest->host.pick = source_pick;
    ingest->host.on_state = deps->on_state;
    ingest->host.ctx = deps->ctx;
    ingest->host.linger_us = options_int(deps->options, "ingest.on_demand_linger_s") * SE_US_PER_S;
    pthread_mutex_init(&ingest->change, NULL);
    pthread_mutex_init(&ingest->table, NULL);
    ingest_metrics_register();

    int r = address_rules_parse(options_text(deps->options, "ingest.allow"), &ingest->rules, err);
    if (r < 0)
        goto fail;
    r = volumes_start(deps->options, deps->store, &ingest->host.volumes, err);
    if (r < 0)
        goto fail;
    r = se_pool_new("dns", DNS_THREADS, DNS_QUEUE, &ingest->host.pool);
    if (r == 0)
        r = av_threads_new((unsigned)options_int(deps->options, "ingest.av_streams"),
                           &ingest->host.av_threads);
    if (r == 0)
        r = start_loops(ingest);
    if (r < 0) {
        se_fail(err, r, "ingest cannot start: %s", strerrordesc_np(-r));
        goto fail;
    }
    se_metrics_collector(ingest_cameras_collect, ingest);
    *ret_ingest = ingest;
    return 0;

fail:
    ingest_free(ingest);
    return r;
}

/* Ends a loop's cameras where they live. */
struct ending {
    struct ingest *ingest;
    struct ingest_loop *loop;
};

static void unlink_camera(struct camera *camera)
{
    if (!camera->link)
        return;
    *camera->link = camera->next;
    if (camera->next)
        camera->next->link = camera->link;
    camera->next = NULL;
    camera->link = NULL;
}

static void end_loop(void *ctx)
{
    struct ending *ending = ctx;
    se_timer_cancel(&ending->loop->tick);
    while (ending->loop->cameras) {
        struct camera *camera = ending->loop->cameras;
        unlink_camera(camera);
        camera_end(camera, &ending->ingest->table);
    }
}

void ingest_free(struct ingest *ingest)
{
    if (!ingest)
        return;
    se_metrics_collector_remove(ingest_cameras_collect, ingest);
    for (unsigned i = 0; i < ingest->loop_count; i++)
        if (ingest->loops[i].running)
            (void)se_loop_call(ingest->loops[i].loop, end_loop, &(struct ending){ingest, &ingest->loops[i]});
    av_threads_free(
        ingest->host.av_threads); /* their sources have told them to end; they may wait for names */
    if (ingest->host.pool)        /* names still being looked up are handed back to the loops */
        se_pool_free(ingest->host.pool);
    for (unsigned i = 0; i < ingest->loop_count; i++) {
        if (ingest->loops[i].running) {
            se_loop_stop(ingest->loops[i].loop);
            se_loop_join(ingest->loops[i].loop);
        }
        se_loop_free(ingest->loops[i].loop);
    }
    for (unsigned i = 0; i < ingest->count; i++)
        camera_unref(&ingest->cameras[i]);
    if (ingest->host.volumes)
        volumes_stop(ingest->host.volumes);
    free(ingest->cameras);
    pthread_mutex_destroy(&ingest->change);
    pthread_mutex_destroy(&ingest->table);
    free(ingest);
}

/* --- cameras ------------------------------------------------------------------ */

static int check_stream(const struct address_rules *rules, const struct camera_stream_spec *spec,
                        const char *prefix, struct se_err *err)
{
    char field[32];
    struct se_err why = {0};
    char host[SOURCE_HOST_MAX];
    snprintf(field, sizeof(field), "%surl", prefix);
    int r = source_check(spec, host, &why);
    if (r < 0)
        return se_fail_field(err, r, field, "%s", why.text);
    /* A name is looked up, and its address asked about, when it is connected to. */
    struct sockaddr_storage address;
    bool numeric = address_parse(host, &address);
    if (numeric && !address_allowed(rules, (struct sockaddr *)&address))
        r = se_fail_field(err, -EINVAL, field, "the address %s is not in a network that ingest.allow lists",
                          host);
    else if (!numeric && strchr(host, ':'))
        r = se_fail_field(err, -EINVAL, field, "the host %s is not an IPv6 address; a zone is not taken",
                          host);
    const char *const texts[] = {spec->username, spec->password};
    for (unsigned i = 0; r == 0 && i < SE_ARRAY_LEN(texts); i++) {
        snprintf(field, sizeof(field), "%s%s", prefix, i ? "password" : "username");
        if (texts[i] && !text_printable((struct text){texts[i], strlen(texts[i])}, true))
            r = se_fail_field(err, -EINVAL, field, "must not hold line ends or other control characters");
    }
    return r;
}

int ingest_stream_check(struct ingest *ingest, const struct camera_stream_spec *spec, const char *prefix,
                        struct se_err *err)
{
    return check_stream(&ingest->rules, spec, prefix, err);
}

static int check_camera(const struct address_rules *rules, const struct camera_spec *spec, struct se_err *err)
{
    if (!spec->id || !*spec->id || strlen(spec->id) >= SE_ID_LEN || strchr(spec->id, '/') ||
        spec->id[0] == '.')
        return se_fail_field(err, -EINVAL, "id", "is not a camera's id");
    for (unsigned role = 0; role < STREAM_ROLES; role++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "streams/%u/", role);
        int r = spec->streams[role].url ? check_stream(rules, &spec->streams[role], prefix, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int ingest_camera_check(struct ingest *ingest, const struct camera_spec *spec, struct se_err *err)
{
    return check_camera(&ingest->rules, spec, err);
}

int ingest_camera_check_alone(const struct options *options, const struct camera_spec *spec,
                              struct se_err *err)
{
    struct address_rules rules;
    int r = address_rules_parse(options_text(options, "ingest.allow"), &rules, err);
    return r < 0 ? r : check_camera(&rules, spec, err);
}

struct change {
    struct ingest *ingest;
    struct camera *camera;
    const struct camera_spec *spec; /* NULL: remove */
    int result;
};

static void change_on_loop(void *ctx)
{
    struct change *change = ctx;
    struct camera *camera = change->camera;
    struct ingest_loop *loop = &change->ingest->loops[camera->loop_number];
    if (change->spec && !camera->link) {
        camera->next = loop->cameras;
        camera->link = &loop->cameras;
        if (camera->next)
            camera->next->link = &camera->next;
        loop->cameras = camera;
    }
    if (change->spec) {
        change->result = camera_apply(camera, change->spec, &change->ingest->table);
    } else {
        unlink_camera(camera);
        camera_end(camera, &change->ingest->table);
    }
}

/* The camera, or a new one on the loop that has the fewest. Referenced for the caller. */
static int get_or_add(struct ingest *ingest, const char *id, struct camera **ret_camera)
{
    struct camera *camera = get(ingest, id);
    if (camera) {
        *ret_camera = camera;
        return 0;
    }
    pthread_mutex_lock(&ingest->table);
    unsigned least = 0;
    for (unsigned i = 1; i < ingest->loop_count; i++)
        if (ingest->loops[i].count < ingest->loops[least].count)
            least = i;
    int r = ingest->count < CAMERAS_MAX ? 0 : -ENOSPC;
    if (r == 0)
        r = camera_new(&ingest->host, id, ingest->loops[least].loop, &camera);
    if (r == 0) {
        camera->loop_number = least;
        r = insert(ingest, camera);
        if (r == 0)
            *ret_camera = camera_ref(camera);
        else
            camera_unref(&camera);
    }
    pthread_mutex_unlock(&ingest->table);
    return r;
}

int ingest_camera_set(struct ingest *ingest, const struct camera_spec *spec, struct se_err *err)
{
    struct camera_spec pulled = *spec; /* what is not pulled need not be fit to be */
    for (unsigned role = 0; role < STREAM_ROLES; role++)
        if (pulled.streams[role].fault)
            pulled.streams[role].url = NULL;
    int r = ingest_camera_check(ingest, &pulled, err);
    if (r < 0)
        return r;
    struct change change = {.ingest = ingest, .spec = spec};
    pthread_mutex_lock(&ingest->change);
    r = get_or_add(ingest, spec->id, &change.camera);
    if (r == 0) {
        r = se_loop_call(change.camera->loop, change_on_loop, &change);
        if (r == 0)
            r = change.result;
        camera_unref(&change.camera);
    }
    pthread_mutex_unlock(&ingest->change);
    if (r == -ENOSPC)
        return se_fail(err, r, "there are %d cameras already, the most one gateway takes", CAMERAS_MAX);
    return r < 0 ? se_fail(err, r, "the camera cannot be set up: %s", strerrordesc_np(-r)) : 0;
}

void ingest_camera_remove(struct ingest *ingest, const char *camera_id)
{
    pthread_mutex_lock(&ingest->change);
    struct change change = {.ingest = ingest, .camera = take_out(ingest, camera_id)};
    if (change.camera)
        (void)se_loop_call(change.camera->loop, change_on_loop, &change);
    camera_unref(&change.camera);
    pthread_mutex_unlock(&ingest->change);
}

int ingest_camera_status(struct ingest *ingest, const char *camera_id, json_t **ret_status)
{
    struct camera *camera = get(ingest, camera_id);
    int r = camera ? camera_status(camera, ret_status) : -ENOENT;
    camera_unref(&camera);
    return r;
}

int ingest_hub(struct ingest *ingest, const char *camera_id, enum stream_role role, struct hub **ret_hub)
{
    unsigned at;
    struct hub *hub = NULL;
    pthread_mutex_lock(&ingest->table);
    if (find(ingest, camera_id, &at))
        hub = ingest->cameras[at]->streams[role].hub;
    if (hub)
        *ret_hub = hub_ref(hub);
    pthread_mutex_unlock(&ingest->table);
    return hub ? 0 : -ENOENT;
}

bool ingest_healthy(struct ingest *ingest, struct se_err *err)
{
    return volumes_healthy(ingest->host.volumes, err);
}
