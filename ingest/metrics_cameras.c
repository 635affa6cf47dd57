/* Figures of each camera for /metrics. The label set is bounded: the first ingest.metrics_cameras by id, and
 * how many were left out. Read when somebody scrapes; nothing is kept for it. */
#include <stdlib.h>
#include <string.h>

#include "camera.h"
#include "parts.h"

/* A stream as it was a moment ago. */
struct row {
    char camera[SE_ID_LEN];
    enum stream_role role;
    struct stream_seen seen;
};

static double state_of(const struct stream_seen *seen)
{
    return 1;
}

static double fps_of(const struct stream_seen *seen)
{
    return seen->fps;
}

static double bitrate_of(const struct stream_seen *seen)
{
    return seen->bitrate_bps;
}

static double lost_of(const struct stream_seen *seen)
{
    return (double)seen->packets_lost;
}

static double late_of(const struct stream_seen *seen)
{
    return (double)seen->packets_late;
}

static double reconnects_of(const struct stream_seen *seen)
{
    return (double)seen->reconnects;
}

static double jitter_of(const struct stream_seen *seen)
{
    return (double)seen->jitter_us / 1e6;
}

static const struct family {
    const char *name, *help;
    enum se_metric_type type;
    double (*of)(const struct stream_seen *seen);
} families[] = {
    {"sharpeyes_camera_state", "The state that a camera's stream is in", SE_GAUGE, state_of},
    {"sharpeyes_camera_fps", "Pictures a second, measured", SE_GAUGE, fps_of},
    {"sharpeyes_camera_bitrate_bps", "Bits a second, measured", SE_GAUGE, bitrate_of},
    {"sharpeyes_camera_packets_lost_total", "RTP packets that never came", SE_COUNTER, lost_of},
    {"sharpeyes_camera_packets_late_total", "RTP packets that came after their turn", SE_COUNTER, late_of},
    {"sharpeyes_camera_reconnects_total", "How often the stream came back", SE_COUNTER, reconnects_of},
    {"sharpeyes_camera_jitter_seconds", "Of arrival over UDP (RFC 3550)", SE_GAUGE, jitter_of},
};

static unsigned take_rows(struct camera *camera, struct row *rows)
{
    unsigned count = 0;
    pthread_mutex_lock(&camera->mutex);
    for (unsigned role = 0; role < STREAM_ROLES; role++) {
        if (!camera->streams[role].seen.exists)
            continue;
        rows[count].role = role;
        rows[count].seen = camera->streams[role].seen;
        memcpy(rows[count++].camera, camera->id, sizeof(camera->id));
    }
    pthread_mutex_unlock(&camera->mutex);
    return count;
}

static void put_row(struct se_str *out, const struct family *family, const struct row *row)
{
    se_str_printf(out, "%s{camera=\"", family->name);
    se_metrics_escape(out, row->camera);
    se_str_printf(out, "\",stream=\"%s\"", row->role == STREAM_MAIN ? "main" : "sub");
    if (family->of == state_of)
        se_str_printf(out, ",state=\"%s\"", source_state_name(row->seen.state));
    se_str_printf(out, "} %.15g\n", family->of(&row->seen));
}

void ingest_cameras_collect(struct se_str *out, void *ctx)
{
    struct ingest *ingest = ctx;
    unsigned most = (unsigned)options_int(ingest_options(ingest), "ingest.metrics_cameras");
    unsigned count = 0, all = 0, row_count = 0;
    struct camera **cameras = calloc(most ? most : 1, sizeof(*cameras));
    struct row *rows = cameras ? calloc(most ? (size_t)most * STREAM_ROLES : 1, sizeof(*rows)) : NULL;
    if (rows)
        count = ingest_some_cameras(ingest, cameras, most, &all);
    for (unsigned i = 0; i < count; i++) {
        row_count += take_rows(cameras[i], rows + row_count);
        camera_unref(&cameras[i]);
    }
    for (unsigned i = 0; rows && i < SE_ARRAY_LEN(families); i++) {
        se_metrics_family(out, families[i].name, families[i].help, families[i].type);
        for (unsigned j = 0; j < row_count; j++)
            put_row(out, &families[i], &rows[j]);
    }
    if (rows) {
        se_metrics_family(out, "sharpeyes_camera_metrics_left_out",
                          "Cameras without figures of their own: more than ingest.metrics_cameras", SE_GAUGE);
        se_metrics_sample(out, "sharpeyes_camera_metrics_left_out", NULL, NULL, all - count);
    }
    free(rows);
    free(cameras);
}
