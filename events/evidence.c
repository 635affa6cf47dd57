/* What proves an incident: pictures in DATA_DIR/evidence, and the recorded range around it. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "internal.h"

const char *picture_media_type(const void *data, size_t size)
{
    static const unsigned char png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const unsigned char *p = data;
    if (size >= 4 && p[0] == 0xff && p[1] == 0xd8 &&
        p[2] == 0xff) /* boxes pad theirs behind the end, or cut it */
        return "image/jpeg";
    if (size >= 45 && !memcmp(p, png, sizeof png) && !memcmp(p + 12, "IHDR", 4))
        return "image/png";
    return NULL;
}

void evidence_sha256(const void *data, size_t size, char out[65])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, data, size);
    se_hex_encode(hash, sizeof hash, out);
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        size -= (size_t)n;
    }
    return fsync(fd) ? -errno : 0;
}

static int sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) ? -errno : 0;
    close(fd);
    return rc;
}

int evidence_write(struct events *events, const char *name, const void *data, size_t size)
{
    se_free_ char *path = se_asprintf("%s/%s", events->evidence_dir, name);
    se_free_ char *part = se_asprintf("%s/%s.part", events->evidence_dir, name);
    if (!path || !part)
        return -ENOMEM;
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = write_all(fd, data, size);
    if (close(fd) && !rc)
        rc = -errno;
    if (!rc && rename(part, path))
        rc = -errno;
    if (!rc)
        rc = sync_dir(events->evidence_dir);
    if (rc)
        unlink(part);
    return rc;
}

void evidence_remove(struct events *events, const char *name)
{
    se_free_ char *path = se_asprintf("%s/%s", events->evidence_dir, name);
    if (path)
        unlink(path);
}

int evidence_open(struct events *events, struct store_tx *tx, const char *incident_id, const char *camera_id,
                  se_wall_ms first_ms, se_wall_ms last_ms, char ret_snapshot_id[SE_ID_LEN])
{
    char range_id[SE_ID_LEN], file[SE_ID_LEN + 4];
    ret_snapshot_id[0] = '\0';
    se_id_new(range_id);
    int rc = store_evidence_insert(tx, &(struct evidence_row){.id = range_id,
                                                              .incident_id = incident_id,
                                                              .kind = "recording",
                                                              .state = "ready",
                                                              .camera_id = camera_id,
                                                              .at_ms = first_ms,
                                                              .from_ms = first_ms - events->before_ms,
                                                              .to_ms = last_ms + events->after_ms});
    if (rc || !events->ingest)
        return rc;
    se_id_new(ret_snapshot_id);
    snprintf(file, sizeof file, "%s.jpg", ret_snapshot_id);
    return store_evidence_insert(tx, &(struct evidence_row){.id = ret_snapshot_id,
                                                            .incident_id = incident_id,
                                                            .kind = "snapshot",
                                                            .state = "pending",
                                                            .camera_id = camera_id,
                                                            .at_ms = first_ms,
                                                            .media_type = "image/jpeg",
                                                            .file = file});
}

/* ---- taking snapshots ---- */

struct snapshot_job {
    struct events *events;
    char id[SE_ID_LEN], incident_id[SE_ID_LEN], camera_id[SE_ID_LEN];
    /* how it ended */
    se_wall_ms at_ms;
    int64_t bytes;
    char sha256[65], reason[200];
    json_t *incident; /* for the bus: it has a picture now */
};

static struct snapshot_job *job_new(struct events *events)
{
    struct snapshot_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->events = events;
    pthread_mutex_lock(&events->lock);
    events->jobs++;
    pthread_mutex_unlock(&events->lock);
    return job;
}

static void job_free(struct snapshot_job *job)
{
    struct events *events = job->events;
    free(job);
    pthread_mutex_lock(&events->lock);
    if (--events->jobs == 0)
        pthread_cond_broadcast(&events->jobs_done); /* under the lock: who waits frees events */
    pthread_mutex_unlock(&events->lock);
}

void evidence_finish(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    while (events->jobs)
        pthread_cond_wait(&events->jobs_done, &events->lock);
    pthread_mutex_unlock(&events->lock);
}

static int note_snapshot(struct store_tx *tx, void *ctx)
{
    struct snapshot_job *job = ctx;
    json_decref(job->incident);
    job->incident = NULL;
    int rc = store_evidence_done(tx, job->id, job->at_ms, job->bytes, job->sha256,
                                 job->reason[0] ? job->reason : NULL);
    return rc || job->reason[0] ? rc : store_incident_get(tx, job->incident_id, NULL, &job->incident);
}

static void noted(int result, void *ctx)
{
    struct snapshot_job *job = ctx;
    if (result)
        se_warn("events", "a snapshot's row could not be written evidence=%s error=%d", job->id, result);
    else if (job->incident)
        events_publish(job->events, "incident.updated", "incident.read", SE_TAKE(job->incident));
    json_decref(job->incident);
    job_free(job);
}

static void finish_snapshot(struct snapshot_job *job)
{
    events_count(job->reason[0] ? M_SNAPSHOTS_FAILED : M_SNAPSHOTS, 1);
    if (store_write_async(job->events->store, note_snapshot, noted, job))
        noted(-EBUSY, job);
}

static void take_snapshot(void *ctx)
{
    struct snapshot_job *job = ctx;
    struct se_buf *jpeg = NULL;
    struct se_err err = {0};
    char file[SE_ID_LEN + 4];
    int rc = ingest_snapshot(job->events->ingest, job->camera_id, false, &jpeg, &job->at_ms, &err);
    if (!rc) {
        snprintf(file, sizeof file, "%s.jpg", job->id);
        job->bytes = (int64_t)jpeg->size;
        evidence_sha256(jpeg->data, jpeg->size, job->sha256);
        rc = evidence_write(job->events, file, jpeg->data, jpeg->size);
        if (rc)
            se_fail(&err, rc, "the file could not be written: %s", strerror(-rc));
        se_buf_unref(&jpeg);
    }
    if (rc)
        snprintf(job->reason, sizeof job->reason, "%.190s", err.text[0] ? err.text : strerror(-rc));
    finish_snapshot(job);
}

void evidence_take_snapshot(struct events *events, const char *incident_id, const char *snapshot_id,
                            const char *camera_id)
{
    struct snapshot_job *job = job_new(events);
    if (!job)
        return; /* stays pending, and is given up at the next start */
    snprintf(job->id, sizeof job->id, "%s", snapshot_id);
    snprintf(job->incident_id, sizeof job->incident_id, "%s", incident_id);
    snprintf(job->camera_id, sizeof job->camera_id, "%s", camera_id);
    if (se_pool_submit(events->pictures, take_snapshot, job)) {
        snprintf(job->reason, sizeof job->reason, "too many snapshots were asked for at once");
        finish_snapshot(job);
    }
}

/* ---- shown ---- */

static json_t *playback_url(const json_t *row)
{
    const char *camera = se_json_str(row, "camera_id", "");
    const char *from = se_json_str(row, "from", ""), *to = se_json_str(row, "to", "");
    return json_sprintf("/api/v1/cameras/%s/playback.mp4?from=%s&to=%s", camera, from, to);
}

static int show_evidence(const char *incident_id, json_t *row)
{
    const char *kind = se_json_str(row, "kind", ""), *state = se_json_str(row, "state", "");
    json_t *url = json_null();
    if (!strcmp(kind, "recording"))
        url = playback_url(row);
    else if (!strcmp(state, "ready"))
        url = json_sprintf("/api/v1/incidents/%s/evidence/%s", incident_id, se_json_str(row, "id", ""));
    json_object_del(row, "file");
    return se_json_put(row, "url", url);
}

struct evidence_read {
    struct call *call;
    const char *incident_id, *id;
    json_t *rows;
};

static int read_evidence(struct store_tx *tx, void *ctx)
{
    struct evidence_read *read = ctx;
    struct store_scope scope = call_scope(read->call);
    se_json_ *incident = NULL;
    int rc = store_incident_get(tx, read->incident_id, &scope, &incident);
    if (rc)
        return rc;
    return read->id ? store_evidence_get(tx, read->incident_id, read->id, &read->rows)
                    : store_evidence_list(tx, read->incident_id, &read->rows);
}

int incident_evidence(struct events *events, struct call *call, const char *id)
{
    struct evidence_read read = {.call = call, .incident_id = id};
    int rc = store_read(events->store, read_evidence, &read);
    for (size_t n = 0; !rc && n < json_array_size(read.rows); n++)
        rc = show_evidence(id, json_array_get(read.rows, n));
    if (rc)
        json_decref(read.rows);
    else
        call->answer = read.rows;
    return call_failed(call, rc);
}

int incident_evidence_file(struct events *events, struct call *call, const char *id, const char *evidence_id,
                           char **ret_path, const char **ret_media_type)
{
    char plain[SE_ID_LEN];
    snprintf(plain, sizeof plain, "%s", evidence_id); /* a picture's name may end in .jpg or .png */
    struct evidence_read read = {.call = call, .incident_id = id, .id = plain};
    int rc = store_read(events->store, read_evidence, &read);
    se_json_ *row = read.rows;
    const char *file = se_json_str(row, "file", NULL);
    if (!rc && (!file || strcmp(se_json_str(row, "state", ""), "ready")))
        rc = -ENOENT;
    if (rc)
        return call_failed(call, rc);
    char *path = se_asprintf("%s/%s", events->evidence_dir, file);
    if (!path)
        return call_failed(call, -ENOMEM);
    *ret_path = path;
    *ret_media_type = strcmp(se_json_str(row, "media_type", ""), "image/png") ? "image/jpeg" : "image/png";
    return 0;
}
