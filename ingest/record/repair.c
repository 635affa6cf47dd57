/* What a kill or a power cut left: files are cut to their last whole fragment, get their index,
 * and their rows are put right. Nothing with footage in it is deleted. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/store_segments.h"
#include "mp4/scan.h"
#include "record/volume_private.h"

#define BATCH_MAX 256u

void codecs_text(const struct mp4_init *init, char *out, size_t size)
{
    int n = snprintf(out, size, "%s", init->video.mime);
    if (init->audio.codec == CODEC_AAC && n >= 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, ",mp4a.40.%u", init->audio.config[0] >> 3);
}

static int append(int fd, const struct mp4_writer *w, uint64_t at)
{
    if (w->oom)
        return -ENOMEM;
    if (pwrite(fd, w->data, w->len, (off_t)at) != (ssize_t)w->len)
        return errno ? -errno : -EIO;
    return 0;
}

int repair_file(int fd, struct mp4_init *ret_init, int64_t *ret_end_90k, int64_t *ret_bytes)
{
    struct stat st;
    struct mp4_index index = {0};
    struct mp4_writer w = {0};
    int64_t end;
    if (fstat(fd, &st) < 0)
        return -errno;
    struct mp4_input input = mp4_input_fd(fd, (uint64_t)st.st_size);
    int r = mp4_read_init(&input, ret_init);
    if (r < 0)
        return r;
    r = mp4_walk(&input, ret_init->size, &index, &end);
    if (r < 0)
        return r;
    if (index.data_end == ret_init->size) {
        r = -ENODATA;
        goto out;
    }
    struct mp4_index had = {0};
    bool whole = mp4_read_index(&input, &had) == 0 && had.data_end == index.data_end;
    mp4_index_fini(&had);
    if (!whole) {
        if (ftruncate(fd, (off_t)index.data_end) < 0) {
            r = -errno;
            goto out;
        }
        mp4_mfra(&w, index.entries, index.count);
        if (append(fd, &w, index.data_end) < 0 && ftruncate(fd, (off_t)index.data_end) < 0)
            r = -errno;
    }
    *ret_end_90k = end - ret_init->edit_media_90k;
    *ret_bytes = fstat(fd, &st) == 0 ? st.st_size : (int64_t)index.data_end;
out:
    mp4_fini(&w);
    mp4_index_fini(&index);
    return r;
}

/* --- rows ---------------------------------------------------------------------------------------- */

struct finding {
    struct segment_key key;
    se_wall_ms end_ms;
    int64_t bytes;
    bool missing;
    char codecs[64], gap[12];
};
struct findings {
    struct volume *volume;
    struct finding *items;
    size_t count, cap;
};

static struct finding *add(struct findings *all)
{
    if (all->count == all->cap) {
        size_t cap = all->cap ? all->cap * 2 : 64;
        void *items = realloc(all->items, cap * sizeof(*all->items));
        if (!items)
            return NULL;
        all->items = items;
        all->cap = cap;
    }
    struct finding *finding = &all->items[all->count++];
    *finding = (struct finding){0};
    return finding;
}

static int collect_open(const struct segment_row *row, void *ctx)
{
    struct finding *f = add(ctx);
    if (!f)
        return -ENOMEM;
    snprintf(f->key.camera_id, sizeof(f->key.camera_id), "%s", row->camera_id);
    f->key.start_ms = row->start_ms;
    f->key.epoch = row->epoch;
    f->end_ms = row->end_ms;
    f->bytes = row->bytes;
    snprintf(f->codecs, sizeof(f->codecs), "%s", row->codecs);
    return 0;
}

static int read_open(struct store_tx *tx, void *ctx)
{
    struct findings *all = ctx;
    return store_segments_open(tx, all->volume->name, collect_open, all);
}

/* Finds out how a file stands and mends it. false: nothing to say about it in the store. */
static bool examine(struct volume *volume, struct finding *f)
{
    char path[SEGMENT_PATH_MAX];
    struct mp4_init *init = calloc(1, sizeof(*init));
    int64_t end_90k;
    if (!init)
        return false;
    segment_path(&f->key, path);
    int fd = openat(volume->dir, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int r = fd >= 0 ? repair_file(fd, init, &end_90k, &f->bytes) : -errno;
    if (r == 0 && fdatasync(fd) < 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    if (r == 0) {
        f->end_ms = f->key.start_ms + (end_90k > 0 ? end_90k / 90 : 0);
        codecs_text(init, f->codecs, sizeof(f->codecs));
        snprintf(f->gap, sizeof(f->gap), "stopped");
        se_metric_add(&volume_metrics[VOLUME_M_REPAIRED], 1);
    } else if (r == -ENOENT || r == -ENODATA) {
        f->missing = true; /* no file, or one without a frame */
    } else {
        se_warn("volume", "a recorded file cannot be repaired volume=%s file=%s error=\"%s\"", volume->name,
                path, strerror(-r));
    }
    free(init);
    return r == 0 || f->missing;
}

struct slice {
    struct volume *volume;
    struct finding *items;
    size_t count;
};

static int put_slice(struct store_tx *tx, void *ctx)
{
    const struct slice *slice = ctx;
    int r = 0;
    for (size_t i = 0; i < slice->count && r >= 0; i++) {
        const struct finding *f = &slice->items[i];
        struct segment_row row = {
            .camera_id = f->key.camera_id,
            .start_ms = f->key.start_ms,
            .end_ms = f->end_ms,
            .epoch = f->key.epoch,
            .bytes = f->bytes,
            .volume = slice->volume->name,
            .codecs = f->codecs,
            .gap = f->gap,
        };
        r = f->missing ? store_segment_forget(tx, f->key.camera_id, f->key.start_ms, f->key.epoch)
                       : store_segment_put(tx, &row);
    }
    return r;
}

/* Examines all and writes what was found; what could not be read is left as it is. */
static int settle(struct volume *volume, struct findings *all)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++)
        if (examine(volume, &all->items[i]))
            all->items[kept++] = all->items[i];
    int r = 0;
    for (size_t i = 0; i < kept && r >= 0; i += BATCH_MAX) {
        struct slice slice = {volume, all->items + i, kept - i < BATCH_MAX ? kept - i : BATCH_MAX};
        r = store_write(volume->volumes->store, put_slice, &slice);
    }
    if (kept)
        se_info("volume", "repaired what the last run left volume=%s files=%zu", volume->name, kept);
    return r;
}

/* --- files without a row -------------------------------------------------------------------------- */

struct day {
    const char *camera_id;
    se_wall_ms day_ms;
    int fd;
    struct findings *all;
};

static int walk_day(struct store_tx *tx, void *ctx)
{
    const struct day *day = ctx;
    DIR *dir = fdopendir(day->fd);
    if (!dir) {
        int r = -errno;
        close(day->fd);
        return r;
    }
    int r = 0;
    struct dirent *e;
    while (r == 0 && (e = readdir(dir))) {
        struct segment_key key;
        if (segment_parse(day->camera_id, day->day_ms, e->d_name, &key) < 0)
            continue;
        int known = store_segment_known(tx, key.camera_id, key.start_ms, key.epoch);
        if (known == 0)
            continue;
        if (known != -ENOENT) {
            r = known;
            break;
        }
        struct finding *f = add(day->all);
        if (f)
            f->key = key;
        else
            r = -ENOMEM;
    }
    closedir(dir);
    return r;
}

static int walk_camera(struct findings *all, const char *camera_id)
{
    struct volume *volume = all->volume;
    se_wall_ms today = se_wall_now_ms();
    int64_t days = options_int(volume->volumes->options, "ingest.repair_days");
    int r = 0;
    /* From tomorrow: the clock may have been set back. */
    for (int64_t i = -1; i < days && r == 0; i++) {
        char path[SEGMENT_PATH_MAX];
        struct day day = {camera_id, today - i * 86400000, -1, all};
        segment_day_path(camera_id, day.day_ms, path);
        day.fd = openat(volume->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (day.fd >= 0)
            r = store_read(volume->volumes->store, walk_day, &day);
    }
    return r;
}

static int walk(struct findings *all)
{
    int fd = openat(all->volume->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        int r = -errno;
        if (fd >= 0)
            close(fd);
        return r;
    }
    int r = 0;
    struct dirent *e;
    while (r == 0 && (e = readdir(dir)))
        if (segment_camera_ok(e->d_name))
            r = walk_camera(all, e->d_name);
    closedir(dir);
    return r;
}

int volume_repair(struct volume *volume, struct se_err *err)
{
    struct findings open = {.volume = volume}, unlisted = {.volume = volume};
    int r = store_read(volume->volumes->store, read_open, &open);
    if (r == 0)
        r = settle(volume, &open);
    if (r >= 0)
        r = walk(&unlisted);
    if (r == 0)
        r = settle(volume, &unlisted);
    free(open.items);
    free(unlisted.items);
    return r < 0 ? se_fail(err, r, "The recordings on the volume %s cannot be checked: %s", volume->name,
                           strerror(-r))
                 : 0;
}
