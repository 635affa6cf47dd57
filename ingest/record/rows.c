/* The store's picture of a volume's files. A file is listed from its first bytes until the store
 * has the last word on it; while the store is away the list grows, to a bound. Only the volume's
 * writer changes the list, so it walks it without the lock that readers of it take. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/store_segments.h"
#include "record/volume_private.h"

#define LISTED_MAX 16384u
#define BATCH_MAX  256u

static void unlist(struct volume *volume, struct segment *segment)
{
    if (segment->prev)
        segment->prev->next = segment->next;
    else
        volume->segments = segment->next;
    if (segment->next)
        segment->next->prev = segment->prev;
    segment->listed = false;
    volume->segment_count--;
}

void volume_rows_list(struct volume *volume, struct segment *segment)
{
    struct segment *lost = NULL;
    pthread_mutex_lock(&volume->lock);
    if (!segment->listed) {
        if (volume->segment_count >= LISTED_MAX)
            for (struct segment *s = volume->segments; s; s = s->next)
                if (!s->open && s->fd < 0 && !s->row_busy)
                    lost = s; /* the last found is the oldest */
        if (lost)
            unlist(volume, lost);
        segment->listed = true;
        segment->prev = NULL;
        segment->next = volume->segments;
        if (segment->next)
            segment->next->prev = segment;
        volume->segments = segment_ref(segment);
        volume->segment_count++;
    }
    pthread_mutex_unlock(&volume->lock);
    if (lost) {
        se_metric_add(&volume_metrics[VOLUME_M_ROWS_LOST], 1);
        segment_unref(&lost);
    }
}

struct batch {
    struct volume *volume;
    unsigned count;
    struct batch_row {
        struct segment *segment;
        se_wall_ms end_ms;
        int64_t bytes;
        bool open;
        char cause[12];
    } rows[];
};

static int put(struct store_tx *tx, void *ctx)
{
    const struct batch *batch = ctx;
    int r = 0;
    for (unsigned i = 0; i < batch->count && r == 0; i++) {
        const struct batch_row *b = &batch->rows[i];
        struct segment_row row = {
            .camera_id = b->segment->key.camera_id,
            .start_ms = b->segment->key.start_ms,
            .end_ms = b->end_ms,
            .epoch = b->segment->key.epoch,
            .open = b->open,
            .bytes = b->bytes,
            .volume = batch->volume->name,
            .codecs = b->segment->codecs,
            .gap = b->cause,
        };
        r = store_segment_put(tx, &row);
    }
    return r;
}

/* On the store's writer, or on ours when the batch was not taken. */
static void settled(int result, void *ctx)
{
    struct batch *batch = ctx;
    struct volume *volume = batch->volume;
    pthread_mutex_lock(&volume->lock);
    for (unsigned i = 0; i < batch->count; i++) {
        struct segment *s = batch->rows[i].segment;
        s->row_busy = false;
        if (result < 0)
            s->row_due = true;
        else
            s->row_stored = true;
        s->row_last |= result == 0 && !batch->rows[i].open;
    }
    volume->batches--;
    pthread_cond_signal(&volume->wake);
    pthread_mutex_unlock(&volume->lock);
    if (result < 0)
        se_warn("volume", "the store does not take index rows, they are kept volume=%s rows=%u error=\"%s\"",
                volume->name, batch->count, strerror(-result));
    for (unsigned i = 0; i < batch->count; i++)
        segment_unref(&batch->rows[i].segment);
    free(batch);
}

static struct batch *collect(struct volume *volume)
{
    struct batch *batch = malloc(sizeof(*batch) + BATCH_MAX * sizeof(batch->rows[0]));
    if (!batch)
        return NULL;
    batch->volume = volume;
    batch->count = 0;
    pthread_mutex_lock(&volume->lock);
    for (struct segment *s = volume->segments; s && batch->count < BATCH_MAX; s = s->next) {
        if (!s->row_due || s->row_busy)
            continue;
        s->row_due = false;
        s->row_busy = true;
        struct batch_row *b = &batch->rows[batch->count++];
        b->segment = segment_ref(s);
        b->end_ms = s->end_ms;
        b->bytes = s->bytes;
        b->open = s->open || s->fd >= 0; /* not ended until its index is on the disk */
        memcpy(b->cause, s->cause, sizeof(b->cause));
    }
    if (batch->count)
        volume->batches++;
    pthread_mutex_unlock(&volume->lock);
    if (batch->count)
        return batch;
    free(batch);
    return NULL;
}

/* Takes off the list what the store has its last word on; all of it at the end. */
static void sweep(struct volume *volume, bool all)
{
    struct segment *gone = NULL;
    pthread_mutex_lock(&volume->lock);
    for (struct segment *s = volume->segments, *next; s; s = next) {
        next = s->next;
        if (!all && (!s->row_last || s->row_due || s->row_busy))
            continue;
        unlist(volume, s);
        s->next = gone;
        gone = s;
    }
    pthread_mutex_unlock(&volume->lock);
    while (gone) {
        struct segment *s = gone;
        gone = s->next;
        segment_unref(&s);
    }
}

void volume_rows_explain(struct volume *volume, const struct segment_key *key, const char *cause)
{
    struct segment *before = NULL;
    pthread_mutex_lock(&volume->lock);
    for (struct segment *s = volume->segments; s; s = s->next)
        if (strcmp(s->key.camera_id, key->camera_id) == 0 && s->key.start_ms < key->start_ms &&
            (!before || s->key.start_ms > before->key.start_ms))
            before = s;
    if (before && !before->open && !*before->cause) {
        snprintf(before->cause, sizeof(before->cause), "%s", cause);
        before->row_due = true;
    }
    pthread_mutex_unlock(&volume->lock);
}

void volume_rows_flush(struct volume *volume, bool wait)
{
    sweep(volume, false);
    struct batch *batch;
    unsigned turns = 0;
    if (wait) {
        /* At the end: what is on its way to the store must have come back. */
        pthread_mutex_lock(&volume->lock);
        while (volume->batches)
            pthread_cond_wait(&volume->wake, &volume->lock);
        pthread_mutex_unlock(&volume->lock);
    }
    while (turns++ < LISTED_MAX / BATCH_MAX && (batch = collect(volume))) {
        int r;
        if (wait) {
            r = store_write(volume->volumes->store, put, batch);
            settled(r, batch);
        } else {
            r = store_write_async(volume->volumes->store, put, settled, batch);
            if (r < 0)
                settled(r, batch);
        }
        if (r < 0)
            break;
    }
    if (wait) /* what the store did not take is found again by repair at the next start */
        sweep(volume, true);
}
