/* Shared by the files that make up a volume. */
#ifndef RECORD_VOLUME_PRIVATE_H
#define RECORD_VOLUME_PRIVATE_H

#include <pthread.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "gateway/options.h"
#include "record/volume.h"

enum job_kind { JOB_OPEN, JOB_FRAGMENT, JOB_CLOSE };
struct job {
    struct job *next;
    enum job_kind kind;
    struct segment *segment;
    size_t cost; /* bytes it holds */
    uint8_t *bytes;
    size_t size;
    se_wall_ms end_ms;
    char cause[12];
    unsigned unit_count;
    struct access_unit *units[];
};

void volume_job_free(struct job *job);

#define SYNC_EACH 8 /* files; beyond, one syncfs is cheaper */
/* A flush on its way. The writer's but while it is asked for; then the sync thread's. */
struct volume_sync {
    pthread_t thread;
    bool started;
    unsigned count;   /* of files */
    int dir, own_dir; /* own_dir: to be closed, or -1 */
    int all;          /* syncfs's result */
    struct {
        struct segment *segment; /* compared, never followed */
        int fd, result;
    } files[SYNC_EACH];

    /* under the volume's lock */
    pthread_cond_t wake;
    enum { SYNC_IDLE, SYNC_ASKED, SYNC_DONE } state;
    bool quit;
};

struct volume {
    struct volumes *volumes;
    char *name, *path;
    char id[SE_ID_LEN]; /* from the marker */
    int dir;            /* the volume's directory; -1: never opened */
    pthread_t thread;
    bool started;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *head, **tail;
    size_t queued_bytes;
    bool stop;
    bool refused; /* marker missing or another's: nothing is written */
    char why[256];
    se_mono_us bad_until_us;  /* the disk failed: no new file before */
    int failing;              /* its errno, while nothing has reached it since; else 0 */
    struct segment *segments; /* listed: written to, not settled in the store */
    unsigned segment_count;
    unsigned batches; /* of rows, on their way to the store */
    struct volume_sync sync;
};

struct volumes {
    const struct options *options;
    struct store *store;
    size_t queue_max, gather_max; /* gather_max: so much does not wait for more */
    int64_t sync_us;
    struct volume *volumes;
    unsigned count;
    pthread_mutex_t lock;
    struct volume_last {
        char camera_id[SE_ID_LEN];
        se_wall_ms end_ms;
        int epoch;
    } * lasts;
    size_t last_count, last_cap;
};

enum {
    VOLUME_M_BYTES,
    VOLUME_M_QUEUED,
    VOLUME_M_FULL,
    VOLUME_M_ERRORS,
    VOLUME_M_DROPPED,
    VOLUME_M_REFUSED,
    VOLUME_M_ROWS_LOST,
    VOLUME_M_REPAIRED,
    VOLUME_M_COUNT
};
extern struct se_metric volume_metrics[VOLUME_M_COUNT];

/* marker.c: is the directory what it is meant to be? Opens it. 0; -EAGAIN: known but not there
 * (tried again later); -errno: a mistake of configuration. err has the words. */
int volume_mount(struct volume *volume, struct se_err *err);
/* Is what stands at its path still what was opened? */
bool volume_still_there(const struct volume *volume);

/* writer.c */
void *volume_writer(void *ctx);

/* Ends the file at its last whole fragment; what the recorder still sends for it is dropped. */
void volume_fail(struct segment *segment, int error);
/* Something has reached the disk. */
void volume_works_again(struct volume *volume);

/* sync.c. On the writer's thread: begin flushes what is dirty, unless a flush is under way; end takes its
 * result when there is one (or waits for it). */
void volume_sync_start(struct volume *volume);
void volume_sync_stop(struct volume *volume);
void volume_sync_begin(struct volume *volume);
bool volume_sync_end(struct volume *volume, bool wait);

/* rows.c: the store's picture of the volume's files. Writer's thread. */
void volume_rows_list(struct volume *volume, struct segment *segment); /* has bytes on the disk */
void volume_rows_flush(struct volume *volume, bool wait);
/* Says why nothing follows the camera's newest file before key, when that is not said yet. A file the store
 * has had its last word on is gone from the list, and stays as it is. */
void volume_rows_explain(struct volume *volume, const struct segment_key *key, const char *cause);

/* repair.c */
int volume_repair(struct volume *volume, struct se_err *err);
/* Cuts a file to its last whole fragment and gives it its index. *ret_end_90k: presentation end from
 * the file's start; -ENODATA: not one whole fragment. */
struct mp4_init;
int repair_file(int fd, struct mp4_init *ret_init, int64_t *ret_end_90k, int64_t *ret_bytes);
void codecs_text(const struct mp4_init *init, char *out, size_t size);

#endif
