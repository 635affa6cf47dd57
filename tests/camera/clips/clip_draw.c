/* clip-draw: draws the places and encodes them, each once, several at a time. */
#include <errno.h>
#include <getopt.h>
#include <libavutil/log.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "encode.h"
#include "painter.h"

/* Changed whenever a picture or an event changes: clips with another stamp are drawn anew. */
#define CLIPS_VERSION "1"
#define CLIPS_MAX     64

static const char usage[] =
    "usage: clip-draw --out DIR [--set demo|small|tile|load] [--jobs N]\n"
    "       clip-draw --frame SCENE,SECOND --out FILE.png\n"
    "       clip-draw --events --out DIR\n"
    "  --set demo   twelve places, a minute each, main and sub stream (default), and events.json\n"
    "  --set small  a few of 10 s for tests: plain, h265, bframes, aac, wide\n"
    "  --events     only the schedule of the demo set, DIR/events.json\n"
    "  --set tile   one of 10 s at 320x180, 10 fps, for walls of many cameras\n"
    "  --set load   one of 10 s at 1280x720, 25 fps, about 2 Mbit/s, for load tests\n"
    "Does nothing when DIR holds them already.\n";

static const struct scene *scene_by_id(const char *id)
{
    const struct scene *lists[] = {scenes_traffic, scenes_town, scenes_land};
    const unsigned counts[] = {scenes_traffic_count, scenes_town_count, scenes_land_count};

    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < counts[i]; j++)
            if (strcmp(lists[i][j].id, id) == 0)
                return &lists[i][j];
    return NULL;
}

static int draw_frames(struct painter *p, struct encoder *main_encoder, struct encoder *sub,
                       struct se_err *err)
{
    const struct job *job = p->job;
    int r = 0;

    for (unsigned i = 0; i < job->seconds * job->fps && r == 0; i++) {
        const uint8_t *pixels;
        int stride = cairo_image_surface_get_stride(p->picture);

        paint(p, (double)i / job->fps, i);
        pixels = cairo_image_surface_get_data(p->picture);
        r = encoder_picture(main_encoder, pixels, stride, err);
        if (r == 0 && sub)
            r = encoder_picture(sub, pixels, stride, err);
    }
    if (r == 0)
        r = encoder_finish(main_encoder, err);
    if (r == 0 && sub)
        r = encoder_finish(sub, err);
    return r;
}

static int draw_job(const struct job *job, const char *folder, struct se_err *err)
{
    se_free_ char *file = se_asprintf("%s/%s.mp4", folder, job->name);
    se_free_ char *sub_file = se_asprintf("%s/%s.sub.mp4", folder, job->name);
    struct encoder *main_encoder = NULL, *sub = NULL;
    struct encode_settings settings = {
        .file = file,
        .source_width = job->width,
        .source_height = job->height,
        .width = job->width,
        .height = job->height,
        .fps = job->fps,
        .gop = job->gop,
        .b_frames = job->b_frames,
        .bits_per_second = job->bits_per_second,
        .h265 = job->h265,
        .audio = job->audio,
    };
    struct painter painter;
    int r;

    if (!file || !sub_file)
        return -ENOMEM;
    r = encoder_new(&settings, &main_encoder, err);
    if (r == 0 && job->sub) {
        settings.file = sub_file;
        settings.width /= 2;
        settings.height /= 2;
        settings.bits_per_second /= 4;
        settings.h265 = settings.audio = false;
        r = encoder_new(&settings, &sub, err);
    }
    if (r == 0) {
        painter_init(&painter, job);
        r = draw_frames(&painter, main_encoder, sub, err);
        painter_fini(&painter);
    }
    encoder_free(main_encoder);
    encoder_free(sub);
    return r;
}

static json_t *scene_json(const struct scene *scene, double seconds)
{
    json_t *events = json_array();

    for (unsigned i = 0; i < 2 && scene->events[i].type; i++) {
        const struct scene_event *e = &scene->events[i];

        json_array_append_new(events, json_pack("{s:f,s:f,s:s,s:s,s:s,s:[{s:f,s:f,s:f,s:f}]}", "at_s",
                                                e->at_s, "until_s", e->until_s, "type", e->type, "severity",
                                                e->severity, "message", e->message, "boxes", "x", e->box[0],
                                                "y", e->box[1], "w", e->box[2], "h", e->box[3]));
    }
    return json_pack("{s:s,s:s,s:s,s:f,s:o}", "camera", scene->id, "name", scene->name, "name_en",
                     scene->name_en, "length_s", seconds, "events", events);
}

static int write_events(const struct job *jobs, unsigned count, const char *folder, struct se_err *err)
{
    se_free_ char *file = se_asprintf("%s/events.json", folder);
    json_t *list = json_array();
    se_json_ *all = json_pack("{s:o}", "scenes", list);

    for (unsigned i = 0; i < count; i++)
        if (strcmp(jobs[i].name, jobs[i].scene->id) == 0)
            json_array_append_new(list, scene_json(jobs[i].scene, jobs[i].seconds));
    if (!file || !all || json_dump_file(all, file, JSON_INDENT(1)) < 0)
        return se_fail(err, -EIO, "%s/events.json cannot be written", folder);
    return 0;
}

/* Starts clips until all are drawn, jobs at a time, each in a process of its own. */
static int draw_all(const struct job *jobs, unsigned count, const char *folder, unsigned at_once,
                    struct se_err *err)
{
    unsigned next = 0, running = 0, done = 0;
    int status, worst = 0;

    while (running > 0 || (next < count && worst == 0)) {
        if (running < at_once && next < count && worst == 0) {
            pid_t pid = fork();

            if (pid < 0)
                return se_fail(err, -errno, "fork: %s", strerror(errno));
            if (pid == 0) {
                struct se_err child = {0};
                int r;

                prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody draws on after Ctrl-C */
                r = draw_job(&jobs[next], folder, &child);

                if (r < 0)
                    fprintf(stderr, "clip-draw: %s: %s\n", jobs[next].name,
                            child.text[0] ? child.text : strerror(-r));
                _exit(r < 0);
            }
            next++;
            running++;
            continue;
        }
        if (wait(&status) < 0)
            return se_fail(err, -errno, "wait: %s", strerror(errno));
        running--;
        if (status != 0)
            worst = -EIO;
        else
            printf("drawing clips: %u/%u\n", ++done, count);
        fflush(stdout);
    }
    return worst < 0 ? se_fail(err, worst, "a clip could not be drawn") : 0;
}

static unsigned demo_jobs(struct job *jobs)
{
    unsigned n = 0;

    for (unsigned i = 1; i <= 12; i++) {
        char id[8];
        const struct scene *scene;

        snprintf(id, sizeof(id), "cam%02u", i);
        scene = scene_by_id(id);
        if (scene)
            jobs[n++] = (struct job){.scene = scene,
                                     .name = scene->id,
                                     .seconds = SCENE_SECONDS,
                                     .fps = 15,
                                     .width = 1280,
                                     .height = 720,
                                     .gop = 15,
                                     .bits_per_second = 2000000,
                                     .h265 = i == 12,
                                     .audio = i == 3,
                                     .sub = true};
    }
    return n;
}

static unsigned small_jobs(struct job *jobs)
{
    const struct scene *a = scene_by_id("cam01"), *b = scene_by_id("cam05"), *w = scene_by_id("cam06");
    const struct job small[] = {
        {.scene = a, .name = "plain", .sub = true},
        {.scene = b, .name = "h265", .h265 = true},
        {.scene = b, .name = "bframes", .b_frames = 2},
        {.scene = a, .name = "aac", .audio = true},
        {.scene = w, .name = "wide", .width = 640, .height = 360},
    };

    for (unsigned i = 0; i < SE_ARRAY_LEN(small); i++) {
        jobs[i] = small[i];
        jobs[i].seconds = 10;
        jobs[i].fps = 15;
        jobs[i].gop = 15;
        jobs[i].bits_per_second = 600000;
        if (jobs[i].width == 0) {
            jobs[i].width = 320;
            jobs[i].height = 180;
        }
    }
    return SE_ARRAY_LEN(small);
}

static unsigned tile_jobs(struct job *jobs)
{
    jobs[0] = (struct job){.scene = scene_by_id("cam01"),
                           .name = "tile",
                           .seconds = 10,
                           .fps = 10,
                           .width = 320,
                           .height = 180,
                           .gop = 20,
                           .bits_per_second = 200000};
    return 1;
}

static unsigned load_jobs(struct job *jobs)
{
    jobs[0] = (struct job){.scene = scene_by_id("cam01"),
                           .name = "load",
                           .seconds = 10,
                           .fps = 25,
                           .width = 1280,
                           .height = 720,
                           .gop = 50,
                           .bits_per_second = 2000000,
                           .noise = true};
    return 1;
}

/* The stamp names what was drawn and by which version; it is written last. */
static bool stamp_fits(const char *file, const char *set)
{
    char text[64] = "", wanted[64];
    FILE *in = fopen(file, "re");

    if (!in)
        return false;
    if (!fgets(text, sizeof(text), in))
        text[0] = 0;
    fclose(in);
    snprintf(wanted, sizeof(wanted), "%s %s\n", set, CLIPS_VERSION);
    return strcmp(text, wanted) == 0;
}

static int write_stamp(const char *file, const char *set, struct se_err *err)
{
    FILE *out = fopen(file, "we");

    if (!out || fprintf(out, "%s %s\n", set, CLIPS_VERSION) < 0 || fclose(out) != 0)
        return se_fail(err, -errno, "%s: %s", file, strerror(errno));
    return 0;
}

static int draw_set(const char *folder, const char *set, unsigned at_once, struct se_err *err)
{
    struct job jobs[CLIPS_MAX];
    se_free_ char *stamp = se_asprintf("%s/.stamp-%s", folder, set);
    unsigned count = 0;
    int r;

    if (!stamp)
        return -ENOMEM;
    if (stamp_fits(stamp, set))
        return 0;
    if (strcmp(set, "demo") == 0)
        count = demo_jobs(jobs);
    else if (strcmp(set, "small") == 0)
        count = small_jobs(jobs);
    else if (strcmp(set, "tile") == 0)
        count = tile_jobs(jobs);
    else if (strcmp(set, "load") == 0)
        count = load_jobs(jobs);
    if (count == 0)
        return se_fail(err, -EINVAL, "there is no set \"%s\"", set);
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return se_fail(err, -errno, "%s: %s", folder, strerror(errno));
    r = draw_all(jobs, count, folder, at_once, err);
    if (r == 0 && strcmp(set, "load") != 0 && strcmp(set, "tile") != 0)
        r = write_events(jobs, count, folder, err);
    return r < 0 ? r : write_stamp(stamp, set, err);
}

static int only_events(const char *folder, struct se_err *err)
{
    struct job jobs[CLIPS_MAX];
    unsigned count = demo_jobs(jobs);

    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return se_fail(err, -errno, "%s: %s", folder, strerror(errno));
    return write_events(jobs, count, folder, err);
}

/* One picture as PNG, to look at. */
static int draw_one(const char *what, const char *file, struct se_err *err)
{
    char id[32];
    const char *comma = strchr(what, ',');
    struct job job = {.width = 1280, .height = 720, .fps = 15};
    struct painter painter;
    cairo_status_t status;

    if (!comma || (size_t)(comma - what) >= sizeof(id))
        return se_fail(err, -EINVAL, "--frame needs SCENE,SECOND, as in cam02,30");
    memcpy(id, what, (size_t)(comma - what));
    id[comma - what] = 0;
    job.scene = scene_by_id(id);
    if (!job.scene)
        return se_fail(err, -EINVAL, "there is no scene \"%s\"", id);
    painter_init(&painter, &job);
    paint(&painter, strtod(comma + 1, NULL), 0);
    status = cairo_surface_write_to_png(painter.picture, file);
    painter_fini(&painter);
    return status == CAIRO_STATUS_SUCCESS
               ? 0
               : se_fail(err, -EIO, "%s: %s", file, cairo_status_to_string(status));
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"out", required_argument, NULL, 'o'},  {"set", required_argument, NULL, 's'},
        {"jobs", required_argument, NULL, 'j'}, {"frame", required_argument, NULL, 'f'},
        {"small", no_argument, NULL, 'm'},      {"events", no_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},       {0},
    };
    const char *out = NULL, *set = "demo", *frame = NULL;
    bool events = false;
    long at_once = sysconf(_SC_NPROCESSORS_ONLN);
    struct se_err err = {0};
    int option, r;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'o')
            out = optarg;
        else if (option == 's')
            set = optarg;
        else if (option == 'e')
            events = true;
        else if (option == 'm')
            set = "small";
        else if (option == 'j')
            at_once = strtol(optarg, NULL, 10);
        else if (option == 'f')
            frame = optarg;
        else {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (!out || optind != argc || at_once < 1) {
        fputs(usage, stderr);
        return 2;
    }
    av_log_set_level(AV_LOG_ERROR); /* encoders like to talk */
    if (events)
        r = only_events(out, &err);
    else
        r = frame ? draw_one(frame, out, &err)
                  : draw_set(out, set, at_once > 16 ? 16 : (unsigned)at_once, &err);
    if (r < 0)
        fprintf(stderr, "clip-draw: %s\n", err.text[0] ? err.text : strerror(-r));
    return r < 0 ? 1 : 0;
}
