#include "record/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "gateway/store_segments.h"
#include "record/volume_private.h"

struct se_metric volume_metrics[VOLUME_M_COUNT] = {
    [VOLUME_M_BYTES] = {"sharpeyes_recorded_bytes_total", "Bytes written to volumes", SE_COUNTER},
    [VOLUME_M_QUEUED] = {"sharpeyes_record_queued_bytes", "Bytes that wait for volumes", SE_GAUGE},
    [VOLUME_M_FULL] = {"sharpeyes_record_queue_full_total",
                       "Fragments refused because a volume's queue was full", SE_COUNTER},
    [VOLUME_M_ERRORS] = {"sharpeyes_record_write_errors_total", "Files ended early because the disk refused",
                         SE_COUNTER},
    [VOLUME_M_DROPPED] = {"sharpeyes_record_dropped_frames_total",
                          "Frames not recorded: disk full, slow or failed", SE_COUNTER},
    [VOLUME_M_REFUSED] = {"sharpeyes_volumes_refused",
                          "Volumes that are not written to, for want of their marker", SE_GAUGE},
    [VOLUME_M_ROWS_LOST] = {"sharpeyes_segment_rows_lost_total",
                            "Index rows given up while the store was away; repair at start finds the files",
                            SE_COUNTER},
    [VOLUME_M_REPAIRED] = {"sharpeyes_segments_repaired_total", "Files repaired at start", SE_COUNTER},
};

static void register_metrics(void)
{
    se_metrics_register(volume_metrics, VOLUME_M_COUNT);
}

/* --- start and stop ---------------------------------------------------------------------------- */

static int volume_init(struct volumes *volumes, struct volume *volume, const struct option_volume *option)
{
    *volume = (struct volume){.volumes = volumes, .dir = -1, .tail = &volume->head};
    pthread_mutex_init(&volume->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&volume->wake, &attr);
    pthread_condattr_destroy(&attr);
    volume->name = strdup(option->name);
    volume->path = strdup(option->path);
    return volume->name && volume->path ? 0 : -ENOMEM;
}

static void volume_fini(struct volume *volume)
{
    if (volume->dir >= 0)
        close(volume->dir);
    free(volume->name);
    free(volume->path);
    pthread_mutex_destroy(&volume->lock);
    pthread_cond_destroy(&volume->wake);
}

static int volume_start(struct volume *volume, struct se_err *err)
{
    struct se_err mount_err = {0};
    int r = volume_mount(volume, &mount_err);
    if (r == -EAGAIN) {
        volume->refused = true;
        snprintf(volume->why, sizeof(volume->why), "%s", mount_err.text);
        se_metric_add(&volume_metrics[VOLUME_M_REFUSED], 1);
        se_error("volume", "not recording to a volume volume=%s reason=\"%s\"", volume->name, volume->why);
    } else if (r < 0) {
        return se_fail(err, r, "%s", mount_err.text);
    } else {
        r = volume_repair(volume, err);
        if (r < 0)
            return r;
    }
    char name[16];
    snprintf(name, sizeof(name), "disk-%.10s", volume->name);
    r = se_thread_start(&volume->thread, name, volume_writer, volume);
    if (r < 0)
        return se_fail(err, r, "No thread for the volume %s: %s", volume->name, strerror(-r));
    volume->started = true;
    return 0;
}

static int load_last(const struct segment_row *row, void *ctx)
{
    volumes_set_last(ctx, row->camera_id, row->end_ms, row->epoch);
    return 0;
}

static int load_lasts(struct store_tx *tx, void *ctx)
{
    return store_segments_last(tx, load_last, ctx);
}

/* A thousand cameras fill 256 MiB in a second, and a disk may need some; but all of it is to be written
 * within the 10 s that the end may take. */
static size_t queue_bytes(int64_t wanted)
{
    const int64_t least = 1 << 20, low = 128 << 20, high = 512 << 20;
    if (wanted)
        return (size_t)(wanted > least ? wanted : least);
    int64_t share = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 16;
    return (size_t)(share < low ? low : share > high ? high : share);
}

int volumes_start(const struct options *options, struct store *store, struct volumes **ret_volumes,
                  struct se_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_metrics);
    const struct option_volume *named;
    unsigned count = options_volumes(options, &named);
    int r = -ENOMEM;
    struct volumes *volumes = calloc(1, sizeof(*volumes));
    if (!volumes)
        return se_fail(err, -ENOMEM, "Out of memory");
    volumes->options = options;
    volumes->store = store;
    volumes->queue_max = queue_bytes(options_int(options, "ingest.write_queue_bytes"));
    volumes->gather_max = volumes->queue_max / 8;
    volumes->sync_us = options_int(options, "ingest.sync_ms") * 1000;
    pthread_mutex_init(&volumes->lock, NULL);
    volumes->volumes = calloc(count ? count : 1, sizeof(*volumes->volumes));
    if (!volumes->volumes)
        goto fail;
    for (; volumes->count < count; volumes->count++) {
        r = volume_init(volumes, &volumes->volumes[volumes->count], &named[volumes->count]);
        if (r < 0) {
            volumes->count++;
            goto fail;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        r = volume_start(&volumes->volumes[i], err);
        if (r < 0)
            goto stop;
    }
    r = store_read(store, load_lasts, volumes);
    if (r < 0) {
        se_fail(err, r, "The store does not say what was recorded: %s", strerror(-r));
        goto stop;
    }
    *ret_volumes = volumes;
    return 0;
fail:
    se_fail(err, r, "Out of memory");
stop:
    volumes_stop(volumes);
    return r;
}

void volumes_stop(struct volumes *volumes)
{
    if (!volumes)
        return;
    for (unsigned i = 0; i < volumes->count; i++) {
        struct volume *volume = &volumes->volumes[i];
        pthread_mutex_lock(&volume->lock);
        volume->stop = true;
        pthread_cond_signal(&volume->wake);
        pthread_mutex_unlock(&volume->lock);
    }
    for (unsigned i = 0; i < volumes->count; i++) {
        if (volumes->volumes[i].started)
            pthread_join(volumes->volumes[i].thread, NULL);
        if (volumes->volumes[i].refused)
            se_metric_add(&volume_metrics[VOLUME_M_REFUSED], -1);
        volume_fini(&volumes->volumes[i]);
    }
    pthread_mutex_destroy(&volumes->lock);
    free(volumes->volumes);
    free(volumes->lasts);
    free(volumes);
}

/* --- what recorders ask ------------------------------------------------------------------------- */

const struct options *volumes_options(const struct volumes *volumes)
{
    return volumes->options;
}

struct store *volumes_store(struct volumes *volumes)
{
    return volumes->store;
}

struct volume *volumes_pick(struct volumes *volumes, const char *camera_id)
{
    uint32_t hash = 2166136261u;
    for (const char *p = camera_id; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    se_mono_us now = se_mono_now_us();
    for (unsigned i = 0; i < volumes->count; i++) {
        struct volume *volume = &volumes->volumes[(hash + i) % volumes->count];
        pthread_mutex_lock(&volume->lock);
        bool ok = !volume->refused && now >= volume->bad_until_us;
        pthread_mutex_unlock(&volume->lock);
        if (ok)
            return volume;
    }
    return NULL;
}

void volumes_last(struct volumes *volumes, const char *camera_id, se_wall_ms *ret_end_ms, int *ret_epoch)
{
    *ret_end_ms = 0;
    *ret_epoch = 0;
    pthread_mutex_lock(&volumes->lock);
    for (size_t i = 0; i < volumes->last_count; i++)
        if (strcmp(volumes->lasts[i].camera_id, camera_id) == 0) {
            *ret_end_ms = volumes->lasts[i].end_ms;
            *ret_epoch = volumes->lasts[i].epoch;
        }
    pthread_mutex_unlock(&volumes->lock);
}

void volumes_set_last(struct volumes *volumes, const char *camera_id, se_wall_ms end_ms, int epoch)
{
    pthread_mutex_lock(&volumes->lock);
    size_t i = 0;
    while (i < volumes->last_count && strcmp(volumes->lasts[i].camera_id, camera_id) != 0)
        i++;
    if (i == volumes->last_count && volumes->last_count == volumes->last_cap) {
        size_t cap = volumes->last_cap ? volumes->last_cap * 2 : 64;
        void *lasts = realloc(volumes->lasts, cap * sizeof(*volumes->lasts));
        if (lasts) {
            volumes->lasts = lasts;
            volumes->last_cap = cap;
        }
    }
    if (i < volumes->last_cap) {
        struct volume_last *last = &volumes->lasts[i];
        if (i == volumes->last_count)
            volumes->last_count++;
        snprintf(last->camera_id, sizeof(last->camera_id), "%s", camera_id);
        last->end_ms = end_ms;
        last->epoch = epoch;
    }
    pthread_mutex_unlock(&volumes->lock);
}

/* --- jobs ---------------------------------------------------------------------------------------- */

static struct job *job_new(enum job_kind kind, struct segment *segment, unsigned unit_count)
{
    struct job *job = calloc(1, sizeof(*job) + unit_count * sizeof(job->units[0]));
    if (!job)
        return NULL;
    job->kind = kind;
    job->segment = segment_ref(segment);
    job->cost = sizeof(*job) + unit_count * sizeof(job->units[0]);
    return job;
}

void volume_job_free(struct job *job)
{
    segment_unref(&job->segment);
    for (unsigned i = 0; i < job->unit_count; i++)
        access_unit_unref(&job->units[i]);
    free(job->bytes);
    free(job);
}

static int submit(struct job *job, bool always)
{
    struct volume *volume = job->segment->volume;
    const size_t cost = job->cost; /* once queued, the job is the writer's */
    pthread_mutex_lock(&volume->lock);
    bool full = !always && volume->queued_bytes + cost > volume->volumes->queue_max;
    if (!full) {
        bool first = !volume->head;
        volume->queued_bytes += cost;
        *volume->tail = job;
        volume->tail = &job->next;
        if (first || volume->queued_bytes >= volume->volumes->gather_max)
            pthread_cond_signal(&volume->wake);
    }
    pthread_mutex_unlock(&volume->lock);
    if (!full) {
        se_metric_add(&volume_metrics[VOLUME_M_QUEUED], (int64_t)cost);
        return 0;
    }
    se_metric_add(&volume_metrics[VOLUME_M_FULL], 1);
    se_warn("volume", "a volume is too slow, its queue is full volume=%s", volume->name);
    volume_job_free(job);
    return -EAGAIN;
}

int volume_open(struct segment *segment, struct se_buf *init)
{
    struct job *job = job_new(JOB_OPEN, segment, 0);
    if (!job)
        return -ENOMEM;
    job->bytes = malloc(init->size);
    if (!job->bytes) {
        volume_job_free(job);
        return -ENOMEM;
    }
    memcpy(job->bytes, init->data, init->size);
    job->size = init->size;
    job->cost += init->size;
    return submit(job, false);
}

int volume_fragment(struct segment *segment, uint8_t *header, size_t header_size,
                    struct access_unit *const *units, unsigned unit_count, se_wall_ms end_ms)
{
    struct job *job = job_new(JOB_FRAGMENT, segment, unit_count);
    if (!job) {
        free(header);
        return -ENOMEM;
    }
    job->bytes = header;
    job->size = header_size;
    job->cost += header_size;
    job->end_ms = end_ms;
    job->unit_count = unit_count;
    for (unsigned i = 0; i < unit_count; i++) {
        job->units[i] = access_unit_ref(units[i]);
        job->cost += units[i]->data->size;
    }
    return submit(job, false);
}

void volume_close(struct segment *segment, uint8_t *tail, size_t tail_size, const char *cause)
{
    struct job *job = job_new(JOB_CLOSE, segment, 0);
    if (!job) {
        /* The row stays open: repair at the next start ends it. */
        free(tail);
        return;
    }
    job->bytes = tail;
    job->size = tail_size;
    job->cost += tail_size;
    snprintf(job->cause, sizeof(job->cause), "%s", cause);
    submit(job, true);
}

/* --- readers ------------------------------------------------------------------------------------- */

int volumes_open_file(struct volumes *volumes, const char *name, const struct segment_key *key, int *ret_fd)
{
    char path[SEGMENT_PATH_MAX];
    segment_path(key, path);
    for (unsigned i = 0; i < volumes->count; i++) {
        struct volume *volume = &volumes->volumes[i];
        if (strcmp(volume->name, name) != 0)
            continue;
        /* A slow disk must not hold the lock that loops take: the opening is done outside. */
        pthread_mutex_lock(&volume->lock);
        int dir = volume->refused || volume->dir < 0 ? -1 : fcntl(volume->dir, F_DUPFD_CLOEXEC, 0);
        int r = dir >= 0 ? 0 : volume->refused || volume->dir < 0 ? -ENOENT : -errno;
        pthread_mutex_unlock(&volume->lock);
        if (r < 0)
            return r;
        int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        r = fd < 0 ? -errno : 0;
        close(dir);
        if (r == 0)
            *ret_fd = fd;
        return r;
    }
    return -ENOENT;
}

void volumes_visit(struct volumes *volumes, const char *camera_id,
                   void (*visit)(const struct segment_row *row, void *ctx), void *ctx)
{
    for (unsigned i = 0; i < volumes->count; i++) {
        struct volume *volume = &volumes->volumes[i];
        pthread_mutex_lock(&volume->lock);
        for (struct segment *s = volume->segments; s; s = s->next) {
            if (strcmp(s->key.camera_id, camera_id) != 0)
                continue;
            struct segment_row row = {
                .camera_id = s->key.camera_id,
                .start_ms = s->key.start_ms,
                .end_ms = s->end_ms,
                .epoch = s->key.epoch,
                .open = s->open,
                .bytes = s->bytes,
                .volume = volume->name,
                .codecs = s->codecs,
                .gap = s->cause,
            };
            visit(&row, ctx);
        }
        pthread_mutex_unlock(&volume->lock);
    }
}

/* How long a volume that failed is doubted when nobody records, and so nothing shows whether it works. */
#define DOUBT_US (8 * SE_US_PER_S)

bool volumes_healthy(struct volumes *volumes, struct se_err *err)
{
    se_mono_us now = se_mono_now_us();
    for (unsigned i = 0; i < volumes->count; i++) {
        struct volume *volume = &volumes->volumes[i];
        bool ok = true;
        pthread_mutex_lock(&volume->lock);
        if (volume->refused) {
            ok = false;
            se_fail(err, -EIO, "%s", volume->why);
        } else if (volume->failing && now < volume->bad_until_us + DOUBT_US) {
            ok = false;
            se_fail(err, -EIO, "Writing to the volume %s fails: %s", volume->name, strerror(volume->failing));
        } else if (volume->queued_bytes > volumes->queue_max / 2) {
            ok = false;
            se_fail(err, -EBUSY, "The volume %s is too slow: %zu MB wait to be written", volume->name,
                    volume->queued_bytes >> 20);
        }
        pthread_mutex_unlock(&volume->lock);
        if (!ok)
            return false;
    }
    return true;
}
