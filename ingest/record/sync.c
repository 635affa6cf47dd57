/* What was written becomes durable, and only then known to the store. A thread beside the writer waits for
 * the disk, so that writing goes on meanwhile: a flush may take longer than the queue lasts. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "record/volume_private.h"

static void flush(struct volume_sync *sync)
{
    if (sync->count > SYNC_EACH)
        sync->all = syncfs(sync->dir) < 0 ? -errno : 0;
    for (unsigned i = 0; sync->count <= SYNC_EACH && i < sync->count; i++)
        sync->files[i].result = fdatasync(sync->files[i].fd) < 0 ? -errno : 0;
}

static void *sync_thread(void *ctx)
{
    struct volume *volume = ctx;
    struct volume_sync *sync = &volume->sync;
    pthread_mutex_lock(&volume->lock);
    for (;;) {
        while (sync->state != SYNC_ASKED && !sync->quit)
            pthread_cond_wait(&sync->wake, &volume->lock);
        if (sync->quit)
            break;
        pthread_mutex_unlock(&volume->lock);
        flush(sync);
        pthread_mutex_lock(&volume->lock);
        sync->state = SYNC_DONE;
        pthread_cond_signal(&volume->wake);
    }
    pthread_mutex_unlock(&volume->lock);
    return NULL;
}

void volume_sync_start(struct volume *volume)
{
    char name[16];
    pthread_cond_init(&volume->sync.wake, NULL);
    snprintf(name, sizeof(name), "sync-%.10s", volume->name);
    volume->sync.started = se_thread_start(&volume->sync.thread, name, sync_thread, volume) == 0;
    if (!volume->sync.started)
        se_warn("volume", "no thread to flush with, the writer does it volume=%s", volume->name);
}

void volume_sync_stop(struct volume *volume)
{
    pthread_mutex_lock(&volume->lock);
    volume->sync.quit = true;
    pthread_cond_signal(&volume->sync.wake);
    pthread_mutex_unlock(&volume->lock);
    if (volume->sync.started)
        pthread_join(volume->sync.thread, NULL);
    pthread_cond_destroy(&volume->sync.wake);
}

void volume_sync_begin(struct volume *volume)
{
    struct volume_sync *sync = &volume->sync;
    pthread_mutex_lock(&volume->lock);
    bool idle = sync->state == SYNC_IDLE;
    pthread_mutex_unlock(&volume->lock);
    if (!idle)
        return; /* the disk is not done with what it was asked before */
    sync->count = 0;
    for (struct segment *s = volume->segments; s; s = s->next) {
        s->syncing = s->dirty;
        if (!s->dirty)
            continue;
        s->dirty = false;
        s->sync_last = s->closing;
        if (sync->count < SYNC_EACH) {
            sync->files[sync->count].segment = s;
            sync->files[sync->count].fd = s->fd;
        }
        sync->count++;
    }
    if (!sync->count)
        return;
    /* The volume's own descriptor changes when its disk goes and comes back. */
    sync->own_dir = fcntl(volume->dir, F_DUPFD_CLOEXEC, 0);
    sync->dir = sync->own_dir >= 0 ? sync->own_dir : volume->dir;
    bool here = !sync->started || sync->own_dir < 0;
    if (here)
        flush(sync);
    pthread_mutex_lock(&volume->lock);
    sync->state = here ? SYNC_DONE : SYNC_ASKED;
    pthread_cond_signal(&sync->wake);
    pthread_mutex_unlock(&volume->lock);
}

static int result_of(const struct volume_sync *sync, const struct segment *segment)
{
    if (sync->count > SYNC_EACH)
        return sync->all;
    for (unsigned i = 0; i < sync->count; i++)
        if (sync->files[i].segment == segment)
            return sync->files[i].result;
    return 0;
}

/* The file has its index, and both are on the disk. */
static void end_file(struct segment *segment)
{
    struct stat st;
    if (fstat(segment->fd, &st) == 0) {
        pthread_mutex_lock(&segment->volume->lock);
        segment->bytes = st.st_size;
        pthread_mutex_unlock(&segment->volume->lock);
    }
    close(segment->fd);
    segment->fd = -1;
}

bool volume_sync_end(struct volume *volume, bool wait)
{
    struct volume_sync *sync = &volume->sync;
    pthread_mutex_lock(&volume->lock);
    while (wait && sync->state == SYNC_ASKED)
        pthread_cond_wait(&volume->wake, &volume->lock);
    bool done = sync->state == SYNC_DONE;
    if (done)
        sync->state = SYNC_IDLE;
    pthread_mutex_unlock(&volume->lock);
    if (!done)
        return false;
    if (sync->own_dir >= 0)
        close(sync->own_dir);
    bool reached = false, failed = false;
    for (struct segment *s = volume->segments; s; s = s->next) {
        if (!s->syncing)
            continue;
        s->syncing = false;
        int r = result_of(sync, s);
        if (r < 0 && !atomic_load(&s->failed))
            volume_fail(s, r);
        failed |= atomic_load(&s->failed);
        reached |= r >= 0 && !atomic_load(&s->failed);
        bool last = s->sync_last || (r < 0 && s->closing);
        pthread_mutex_lock(&volume->lock);
        s->row_due |= last || !s->row_stored;
        pthread_mutex_unlock(&volume->lock);
        if (last && s->fd >= 0) {
            s->dirty = false;
            end_file(s);
        }
    }
    if (reached && !failed)
        volume_works_again(volume);
    return true;
}
