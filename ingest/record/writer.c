/* A volume's writer: the only thread that writes to its disk. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "mp4/scan.h"
#include "record/volume_private.h"

#define BAD_FOR_US (2 * SE_US_PER_S)
#define IOV_BATCH  512
/* Jobs are waited for a moment, and then taken all at once: a wake for each costs more than it does. */
#define GATHER_US 40000
#define SETTLE    (1u << 20) /* bytes after which recorders learn that there is room again */

/* The days' directories, made as they are needed. */
static int make_day(int dir, const char *path)
{
    char part[SEGMENT_PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    for (char *p = part; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdirat(dir, part, 0755) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    return 0;
}

/* All of it, from where the file ends. */
static int write_all(int fd, struct iovec *iov, unsigned count)
{
    while (count) {
        ssize_t n = writev(fd, iov, (int)count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        while (count && (size_t)n >= iov->iov_len) {
            n -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (n) {
            iov->iov_base = (char *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

static void mark(struct segment *segment, bool open, const char *cause)
{
    pthread_mutex_lock(&segment->volume->lock);
    segment->open = open;
    snprintf(segment->cause, sizeof(segment->cause), "%s", cause);
    pthread_mutex_unlock(&segment->volume->lock);
}

/* A file that holds no frame is not kept. Why it holds none is then for the file before it to say: that
 * one was closed to be followed at once, and now is not. */
static void abandon(struct segment *segment, const char *cause)
{
    char path[SEGMENT_PATH_MAX];
    if (*cause)
        volume_rows_explain(segment->volume, &segment->key, cause);
    segment_path(&segment->key, path);
    if (segment->fd >= 0)
        unlinkat(segment->volume->dir, path, 0);
}

/* What stands in one file's way and says nothing of the disk: the other cameras go on. */
static bool about_one_file(int error)
{
    return error == -EEXIST || error == -ENOTDIR || error == -EISDIR || error == -ELOOP;
}

/* Ends the file at its last whole fragment; what the recorder still sends for it is dropped. */
void volume_fail(struct segment *segment, int error)
{
    struct volume *volume = segment->volume;
    atomic_store(&segment->failed, true);
    se_metric_add(&volume_metrics[VOLUME_M_ERRORS], 1);
    se_error("volume", "cannot write volume=%s camera=%s error=\"%s\"", volume->name, segment->key.camera_id,
             strerror(-error));
    if (!segment->listed) {
        abandon(segment, "disk");
    } else if (segment->fd >= 0) {
        int64_t end, bytes;
        struct mp4_init init;
        if (repair_file(segment->fd, &init, &end, &bytes) < 0)
            se_warn("volume", "a file stays without its index volume=%s camera=%s", volume->name,
                    segment->key.camera_id);
        segment->dirty = true;
        segment->closing = true;
    }
    mark(segment, false, "disk");
    if (about_one_file(error))
        return;
    pthread_mutex_lock(&volume->lock);
    volume->bad_until_us = se_mono_now_us() + BAD_FOR_US;
    volume->failing = -error;
    pthread_mutex_unlock(&volume->lock);
}

static int open_file(struct segment *segment, const struct job *job)
{
    char path[SEGMENT_PATH_MAX];
    struct volume *volume = segment->volume;
    pthread_mutex_lock(&volume->lock);
    bool refused = volume->refused;
    pthread_mutex_unlock(&volume->lock);
    if (refused)
        return -ENODEV;
    segment_path(&segment->key, path);
    int r = make_day(volume->dir, path);
    if (r < 0)
        return r;
    segment->fd =
        openat(volume->dir, path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (segment->fd < 0)
        return -errno;
    struct iovec iov = {job->bytes, job->size};
    return write_all(segment->fd, &iov, 1);
}

static int write_fragment(struct segment *segment, const struct job *job)
{
    struct iovec iov[IOV_BATCH];
    size_t total = job->size;
    unsigned count = 0;
    int r = 0;
    iov[count++] = (struct iovec){job->bytes, job->size};
    for (unsigned i = 0; i < job->unit_count && r == 0; i++) {
        const struct se_buf *data = job->units[i]->data;
        iov[count++] = (struct iovec){data->data, data->size};
        total += data->size;
        if (count == IOV_BATCH) {
            r = write_all(segment->fd, iov, count);
            count = 0;
        }
    }
    if (r == 0)
        r = write_all(segment->fd, iov, count);
    if (r < 0)
        return r;
    se_metric_add(&volume_metrics[VOLUME_M_BYTES], (int64_t)total);
    segment->dirty = true;
    volume_rows_list(segment->volume, segment);
    pthread_mutex_lock(&segment->volume->lock);
    segment->bytes += (int64_t)total;
    segment->end_ms = job->end_ms;
    pthread_mutex_unlock(&segment->volume->lock);
    return 0;
}

static int close_file(struct segment *segment, const struct job *job)
{
    int r = 0;
    if (!segment->listed) {
        abandon(segment, job->cause);
        return 0;
    }
    if (job->bytes) {
        struct iovec iov = {job->bytes, job->size};
        r = write_all(segment->fd, &iov, 1);
    } else {
        int64_t end, bytes;
        struct mp4_init init;
        repair_file(segment->fd, &init, &end, &bytes);
    }
    segment->dirty = true;
    segment->closing = true;
    mark(segment, false, job->cause);
    return r;
}

static void run(struct job *job)
{
    struct segment *segment = job->segment;
    if (atomic_load(&segment->failed) || (job->kind != JOB_OPEN && segment->fd < 0)) {
        se_metric_add(&volume_metrics[VOLUME_M_DROPPED], job->unit_count);
        return;
    }
    int r = job->kind == JOB_OPEN       ? open_file(segment, job)
            : job->kind == JOB_FRAGMENT ? write_fragment(segment, job)
                                        : close_file(segment, job);
    if (r < 0)
        volume_fail(segment, r);
}

/* Only what has reached the disk after its rest shows that it works: that it may be tried again does not,
 * nor does the end of a file that was open when another failed. */
void volume_works_again(struct volume *volume)
{
    pthread_mutex_lock(&volume->lock);
    int failing = se_mono_now_us() >= volume->bad_until_us ? volume->failing : 0;
    if (failing)
        volume->failing = 0;
    pthread_mutex_unlock(&volume->lock);
    if (failing)
        se_info("volume", "a volume takes recordings again volume=%s", volume->name);
}

/* A disk that went away is not written to; one that came back is taken on again. */
static void look_after_mount(struct volume *volume)
{
    struct se_err err = {0};
    bool there;
    if (!volume->refused) {
        there = volume_still_there(volume);
        if (!there)
            snprintf(err.text, sizeof(err.text),
                     "The directory %.120s is not the volume %s any more; mount its disk", volume->path,
                     volume->name);
    } else {
        /* Done beside: loops take the lock, and this may wait for a disk. */
        struct volume found = {
            .volumes = volume->volumes, .name = volume->name, .path = volume->path, .dir = -1};
        there = volume_mount(&found, &err) == 0;
        if (there) {
            pthread_mutex_lock(&volume->lock);
            int old = volume->dir;
            volume->dir = found.dir;
            memcpy(volume->id, found.id, sizeof(volume->id));
            pthread_mutex_unlock(&volume->lock);
            if (old >= 0)
                close(old);
        }
    }
    if (there != volume->refused)
        return;
    if (there)
        se_info("volume", "a volume is back volume=%s", volume->name);
    else
        se_error("volume", "a volume is gone volume=%s reason=\"%s\"", volume->name, err.text);
    se_metric_add(&volume_metrics[VOLUME_M_REFUSED], there ? -1 : 1);
    pthread_mutex_lock(&volume->lock);
    volume->refused = !there;
    snprintf(volume->why, sizeof(volume->why), "%s", err.text);
    pthread_mutex_unlock(&volume->lock);
    if (there && !volume->segments && volume_repair(volume, &err) < 0)
        se_error("volume", "%s", err.text);
    for (struct segment *s = volume->segments; s && !there; s = s->next)
        if (s->fd >= 0 && !atomic_load(&s->failed))
            volume_fail(s, -ENODEV);
}

/* True: woken, false: it is at_us. */
static bool wait_until(struct volume *volume, se_mono_us at_us)
{
    struct timespec at = {at_us / SE_US_PER_S, at_us % SE_US_PER_S * 1000};
    return pthread_cond_timedwait(&volume->wake, &volume->lock, &at) != ETIMEDOUT;
}

/* All jobs there are, or NULL when a flush is due or done, or at the end. */
static struct job *take_jobs(struct volume *volume, se_mono_us until_us, bool *ret_stop)
{
    pthread_mutex_lock(&volume->lock);
    while (!volume->head && !volume->stop && volume->sync.state != SYNC_DONE)
        if (!wait_until(volume, until_us))
            break;
    if (volume->head) {
        se_mono_us gathered_us = se_mono_now_us() + GATHER_US;
        while (!volume->stop && volume->queued_bytes < volume->volumes->gather_max)
            if (!wait_until(volume, gathered_us))
                break;
    }
    struct job *jobs = SE_TAKE(volume->head);
    volume->tail = &volume->head;
    *ret_stop = volume->stop && !jobs;
    pthread_mutex_unlock(&volume->lock);
    return jobs;
}

static void settle(struct volume *volume, size_t *bytes)
{
    pthread_mutex_lock(&volume->lock);
    volume->queued_bytes -= *bytes;
    pthread_mutex_unlock(&volume->lock);
    se_metric_add(&volume_metrics[VOLUME_M_QUEUED], -(int64_t)*bytes);
    *bytes = 0;
}

/* What has reached the disk goes to the store, and when it is time what was written since goes to the disk.
 */
static void look_after(struct volume *volume, se_mono_us *due_us)
{
    bool due = se_mono_now_us() >= *due_us;
    if (due)
        look_after_mount(volume);
    bool news = volume_sync_end(volume, false);
    if (due) {
        volume_sync_begin(volume);
        *due_us = se_mono_now_us() + volume->volumes->sync_us;
    }
    if (news || due)
        volume_rows_flush(volume, false);
}

/* All of it, now. */
static void finish(struct volume *volume)
{
    look_after_mount(volume);
    volume_sync_end(volume, true);
    volume_sync_begin(volume);
    volume_sync_end(volume, true);
    volume_rows_flush(volume, true);
}

void *volume_writer(void *ctx)
{
    struct volume *volume = ctx;
    se_mono_us due_us = se_mono_now_us() + volume->volumes->sync_us;
    bool stop = false;
    volume_sync_start(volume);
    while (!stop) {
        struct job *job = take_jobs(volume, due_us, &stop), *next;
        size_t written = 0;
        for (; job; job = next) {
            next = job->next;
            run(job);
            written += job->cost;
            volume_job_free(job);
            if (written >= SETTLE || !next)
                settle(volume, &written);
            look_after(volume, &due_us);
        }
        look_after(volume, &due_us);
    }
    finish(volume);
    volume_sync_stop(volume);
    return NULL;
}
