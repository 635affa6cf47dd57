#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "camera.h"

#define CLIPS_MAX 256
#define SWEEP_US  100000

uint32_t server_random(struct server *server)
{
    uint32_t x = server->random;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return server->random = x;
}

/* Ends sessions that nobody kept alive, sends reports, frees what is closed. */
static void on_sweep(struct se_timer *timer)
{
    struct server *server = timer->ctx;
    se_mono_us now = se_mono_now_us();
    struct client *next;

    faults_sweep(server, now);
    for (struct client *client = server->clients; client; client = next) {
        next = client->next;
        if (client->doomed) {
            client_free(client);
            continue;
        }
        if (client->mute)
            continue;
        udp_release(client, now);
        if (now - client->alive_us >
            (client->stream ? client->stream->camera->timeout_s : 60) * SE_US_PER_S) {
            if (client->stream)
                client->stream->counters.expired++;
            client_reset(client);
            continue;
        }
        client_report(client);
        client_chatter(client, now);
    }
    se_timer_in(server->loop, timer, SWEEP_US);
}

int server_new(struct se_loop *loop, const char *clips_dir, struct server **ret_server, struct se_err *err)
{
    struct server *server = calloc(1, sizeof(*server));

    if (!server)
        return -ENOMEM;
    server->clips = calloc(CLIPS_MAX, sizeof(struct clip *));
    if (!server->clips) {
        free(server);
        return -ENOMEM;
    }
    server->loop = loop;
    server->clips_dir = clips_dir;
    server->wall_us = se_wall_now_us() - se_mono_now_us();
    server->random = 2463534242u;
    server->sweep = (struct se_timer){.fn = on_sweep, .ctx = server};
    se_timer_in(loop, &server->sweep, SWEEP_US);
    *ret_server = server;
    return 0;
}

static void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    se_timer_cancel(&stream->timer);
    free(stream->path);
    free(stream);
}

static void camera_free(struct camera *camera)
{
    stream_free(camera->streams[0]);
    stream_free(camera->streams[1]);
    free(camera->name);
    free(camera->username);
    free(camera->password);
    free(camera->realm);
    habits_fini(&camera->habits);
    free(camera);
}

void server_free(struct server *server)
{
    if (!server)
        return;
    se_timer_cancel(&server->sweep);
    control_free_all(server);
    while (server->clients)
        client_free(server->clients);
    for (unsigned i = 0; i < server->listener_count; i++)
        listener_free(server->listeners[i]);
    while (server->cameras) {
        struct camera *camera = server->cameras;

        server->cameras = camera->next;
        camera_free(camera);
    }
    for (unsigned i = 0; i < server->clip_count; i++)
        clip_free(server->clips[i]);
    free(server->clips);
    tls_free(server->tls);
    free(server);
}

int server_tls(struct server *server, struct se_err *err)
{
    return server->tls ? 0 : tls_new(&server->tls, err);
}

int server_clip(struct server *server, const char *name, bool aggregate, int audio, struct clip **ret_clip,
                struct se_err *err)
{
    se_free_ char *file = NULL;
    int r;

    for (unsigned i = 0; i < server->clip_count; i++) {
        if (strcmp(server->clips[i]->name, name) == 0 && server->clips[i]->aggregate == aggregate &&
            server->clips[i]->audio == audio) {
            *ret_clip = server->clips[i];
            return 0;
        }
    }
    if (!name[0] || name[0] == '.' || strchr(name, '/'))
        return se_fail(err, -EINVAL, "clip \"%s\" is not the name of a file in %s", name, server->clips_dir);
    if (server->clip_count == CLIPS_MAX)
        return se_fail(err, -ENOSPC, "more than %d clips", CLIPS_MAX);
    file = se_asprintf("%s/%s.mp4", server->clips_dir, name);
    if (!file)
        return -ENOMEM;
    r = clip_load(file, name, aggregate, audio, &server->clips[server->clip_count], err);
    if (r < 0)
        return r;
    *ret_clip = server->clips[server->clip_count++];
    return 0;
}

struct stream *server_stream(struct server *server, const char *path)
{
    for (struct camera *camera = server->cameras; camera; camera = camera->next)
        for (unsigned i = 0; i < 2; i++)
            if (camera->streams[i] && strcmp(camera->streams[i]->path, path) == 0)
                return camera->streams[i];
    return NULL;
}

/* A word of a list as its number. */
static int choose(const char *text, const char *const *words, unsigned count, const char *key,
                  int *ret_choice, struct se_err *err)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_choice = (int)i;
            return 0;
        }
    }
    return se_fail_field(err, -EINVAL, key, "%s \"%s\" is none of those in README.md", key, text);
}

static int read_settings(struct camera *camera, const json_t *settings, struct se_err *err)
{
    static const char *const auths[] = {"none", "basic", "digest", "digest-sha256", "all"};
    static const char *const alive[] = {"any", "options", "get_parameter", "rtcp"};
    static const char *const transports[] = {"both", "tcp", "udp"};
    int auth = 0, keep = 0, transport = 0, r;
    int64_t timeout = se_json_int(settings, "timeout", 60);
    const char *audio = se_json_str(settings, "audio", NULL);

    r = choose(se_json_str(settings, "auth", "none"), auths, SE_ARRAY_LEN(auths), "auth", &auth, err);
    if (r == 0)
        r = choose(se_json_str(settings, "keepalive", "any"), alive, SE_ARRAY_LEN(alive), "keepalive", &keep,
                   err);
    if (r == 0)
        r = choose(se_json_str(settings, "transports", "both"), transports, SE_ARRAY_LEN(transports),
                   "transports", &transport, err);
    if (r < 0)
        return r;
    if (timeout < 1 || timeout > 3600)
        return se_fail_field(err, -EINVAL, "timeout", "timeout must be 1 to 3600 seconds");
    camera->auth = (enum auth_mode)auth;
    camera->keepalive = (enum keepalive)keep;
    camera->tcp = transport != 2;
    camera->udp = transport != 1;
    camera->timeout_s = (unsigned)timeout;
    camera->stale_every = (unsigned)se_json_int(settings, "stale_every", 0);
    camera->tcp_silent = se_json_bool(settings, "tcp_silent", false);
    camera->qop = se_json_bool(settings, "qop", false);
    camera->no_sprop = se_json_bool(settings, "no_sprop", false);
    camera->no_audio = se_json_bool(settings, "no_audio", false);
    camera->audio = audio ? clip_audio_find(audio) : CLIP_OWN_AUDIO;
    if (audio && camera->audio < 0)
        return se_fail_field(err, -EINVAL, "audio", "audio \"%s\" is none of those in README.md", audio);
    r = habits_read(&camera->habits, settings, err);
    if (r < 0)
        return r;
    if (se_json_bool(settings, "bad_sprop", false))
        camera->habits.sprop = SPROP_BROKEN;
    camera->username = se_asprintf("%s", se_json_str(settings, "username", "admin"));
    camera->password = se_asprintf("%s", se_json_str(settings, "password", ""));
    camera->realm = se_asprintf("%s", se_json_str(settings, "realm", "camera-sim"));
    return camera->username && camera->password && camera->realm ? 0 : -ENOMEM;
}

static int add_stream(struct camera *camera, unsigned role, const char *clip, const json_t *settings,
                      struct server *server, struct se_err *err)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return -ENOMEM;
    camera->streams[role] = stream;
    stream->server = server;
    stream->camera = camera;
    stream->phase_us = (int64_t)(se_json_real(settings, "phase", 0) * SE_US_PER_S);
    stream->path = role == 0 ? se_asprintf("%s", camera->name) : se_asprintf("%s/sub", camera->name);
    if (!stream->path)
        return -ENOMEM;
    if (server_stream(server, stream->path))
        return se_fail_field(err, -EEXIST, "name", "there is a camera %s already", stream->path);
    return server_clip(server, clip, se_json_bool(settings, "aggregate", false), camera->audio, &stream->clip,
                       err);
}

static int add_listener(struct server *server, struct camera *camera, const char *address, bool tls,
                        struct se_err *err)
{
    int r = tls ? server_tls(server, err) : 0;

    if (r == 0)
        r = listener_new(server, address, client_accept, &camera->own, err);
    if (r < 0)
        return r;
    camera->own->tls = tls;
    server->listeners[server->listener_count++] = camera->own;
    return 0;
}

int server_move_camera(struct server *server, struct camera *camera, const char *address, struct se_err *err)
{
    struct listener *listener;
    int r;

    if (!camera->own)
        return se_fail(err, -EINVAL, "only a camera with a \"listen\" of its own can move");
    r = listener_new(server, address, client_accept, &listener, err);
    if (r < 0)
        return r;
    listener->tls = camera->own->tls;
    for (unsigned i = 0; i < server->listener_count; i++)
        if (server->listeners[i] == camera->own)
            server->listeners[i] = listener;
    listener_free(camera->own);
    camera->own = listener;
    return 0;
}

int server_add_camera(struct server *server, const json_t *settings, struct se_err *err)
{
    const char *name = se_json_str(settings, "name", ""), *listen = se_json_str(settings, "listen", NULL);
    const char *clip = se_json_str(settings, "clip", name), *sub = se_json_str(settings, "sub", NULL);
    struct camera *camera;
    int r;

    if (!name[0] || strlen(name) > 100 || strpbrk(name, " ?#\r\n\t"))
        return se_fail_field(err, -EINVAL, "name", "a camera needs a name that can stand in a URL");
    if (server->camera_count == CAMERAS_MAX)
        return se_fail(err, -ENOSPC, "more than %d cameras", CAMERAS_MAX);
    camera = calloc(1, sizeof(*camera));
    if (!camera || !(camera->name = se_asprintf("%s", name))) {
        free(camera);
        return -ENOMEM;
    }
    r = read_settings(camera, settings, err);
    if (r == 0)
        r = add_stream(camera, 0, clip, settings, server, err);
    if (r == 0 && sub)
        r = add_stream(camera, 1, sub, settings, server, err);
    if (r == 0 && listen)
        r = add_listener(server, camera, listen, se_json_bool(settings, "tls", false), err);
    if (r < 0) {
        camera_free(camera);
        return r;
    }
    camera->next = server->cameras;
    server->cameras = camera;
    server->camera_count++;
    return 0;
}

static int is_main_clip(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return size > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + size - 4, ".mp4") == 0 &&
           !(size > 8 && strcmp(entry->d_name + size - 8, ".sub.mp4") == 0);
}

static bool has_sub(const struct server *server, const char *name)
{
    se_free_ char *file = se_asprintf("%s/%s.sub.mp4", server->clips_dir, name);
    FILE *probe = file ? fopen(file, "re") : NULL;

    if (probe)
        fclose(probe);
    return probe != NULL;
}

int server_add_clips(struct server *server, struct se_err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(server->clips_dir, &entries, is_main_clip, alphasort), r = 0;

    if (count < 0)
        return se_fail(err, -errno, "clips folder %s: %s", server->clips_dir, strerror(errno));
    for (int i = 0; i < count; i++) {
        char *name = entries[i]->d_name;

        name[strlen(name) - 4] = 0;
        if (r == 0 && !server_stream(server, name)) {
            se_json_ *settings = json_pack("{s:s}", "name", name);
            se_free_ char *sub = has_sub(server, name) ? se_asprintf("%s.sub", name) : NULL;

            if (settings && sub)
                se_json_put_str(settings, "sub", sub);
            r = settings ? server_add_camera(server, settings, err) : -ENOMEM;
        }
        free(entries[i]);
    }
    free(entries);
    return r;
}

int server_add_load(struct server *server, const char *clip, unsigned count, struct se_err *err)
{
    struct clip *loaded;
    int r = server_clip(server, clip, false, CLIP_OWN_AUDIO, &loaded, err);

    for (unsigned i = 0; r == 0 && i < count; i++) {
        char name[32];
        se_json_ *settings = NULL;

        snprintf(name, sizeof(name), "load/%u", i);
        settings = json_pack("{s:s,s:s,s:f}", "name", name, "clip", clip, "phase",
                             (double)loaded->length_us * i / count / SE_US_PER_S);
        r = settings ? server_add_camera(server, settings, err) : -ENOMEM;
    }
    return r;
}
