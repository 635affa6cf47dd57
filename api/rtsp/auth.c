/* Who asks, and may they: store and seals are touched on the pool only, while the viewer waits. */
#include "rtsp/auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "gateway/store_cameras.h"

void auth_challenge(struct viewer *viewer, bool stale)
{
    char nonce[ACCESS_NONCE_LEN], extra[512];
    access_nonce_new(viewer->out->deps.access, viewer->address, nonce);
    /* The better one first, as RFC 7616 3.7 has it; many players only look at the last. */
    snprintf(extra, sizeof(extra),
             "WWW-Authenticate: Digest realm=\"" ACCESS_REALM
             "\", nonce=\"%s\", algorithm=SHA-256, qop=\"auth\"%s\r\n"
             "WWW-Authenticate: Digest realm=\"" ACCESS_REALM "\", nonce=\"%s\"%s\r\n",
             nonce, stale ? ", stale=true" : "", nonce, stale ? ", stale=true" : "");
    viewer_answer(viewer, 401, extra, NULL);
}

/* --- on the pool ---------------------------------------------------------------------------------------- */

static int find_camera(struct store_tx *tx, void *ctx)
{
    struct job *job = ctx;
    return store_camera_resolve(tx, job->resource.camera, job->camera_id, job->department_id);
}

static bool right(const struct access_ha1 *ha1, void *ctx)
{
    const struct job *job = ctx;
    return rtsp_digest_right(&job->digest, job->method, ha1);
}

/* A ticket is of one camera, so what it does not open does not exist. */
static int identify(struct job *job, bool found)
{
    struct access *access = job->out->deps.access;
    if (!job->by_ticket)
        return access_stream_sign_in(access, job->digest.username, job->address, right, job, &job->who,
                                     &job->retry_s);
    int r = found ? access_ticket_check(access, job->resource.ticket, job->camera_id, ACCESS_TICKET_LIVE,
                                        &job->who)
                  : -EACCES;
    if (r == 0)
        snprintf(job->who.address, sizeof(job->who.address), "%s", job->address);
    return r;
}

static int decide(struct job *job)
{
    struct access *access = job->out->deps.access;
    const struct access_target target = {"camera", job->camera_id, job->department_id};
    struct access_decision decision = access_decide(access, &job->who, ACCESS_MEDIA_LIVE, &target);
    if (decision.allowed)
        return 0;
    se_json_ *detail = json_pack("{s:s, s:s, s:s}", "permission", access_permission_name(ACCESS_MEDIA_LIVE),
                                 "via", "rtsp", "reason", decision.reason);
    access_audit_later(access, &job->who, "access.denied", "camera", job->camera_id, detail);
    return -ENOENT;
}

static void work(void *ctx)
{
    struct job *job = ctx;
    int found = store_read(job->out->deps.store, find_camera, job);
    int r = found < 0 && found != -ENOENT ? found : identify(job, found == 0);
    if (r == 0)
        r = found < 0 ? found : decide(job);
    job->result = r;
    rtsp_out_job_done(job);
}

/* --- on the loop ---------------------------------------------------------------------------------------- */

/* The answer to a challenge must be about what is asked for now, or it could be used for something else. */
static bool about_the_same(const struct rtsp_digest_answer *digest, const struct rtsp_resource *asked)
{
    struct rtsp_resource signed_for;
    return rtsp_resource_parse((struct text){digest->uri, strlen(digest->uri)}, &signed_for) == 0 &&
           strcmp(signed_for.camera, asked->camera) == 0 && signed_for.sub == asked->sub;
}

void auth_begin(struct viewer *viewer, const struct rtsp_message *message)
{
    struct rtsp_out *out = viewer->out;
    const struct request *request = &viewer->request;
    struct text header = rtsp_header(message, "Authorization");
    bool by_ticket = !header.n && request->resource.ticket[0];
    struct rtsp_digest_answer digest = {0};
    if (!by_ticket) {
        if (rtsp_digest_parse(header, &digest) < 0 || strcmp(digest.realm, ACCESS_REALM) != 0 ||
            !about_the_same(&digest, &request->resource)) {
            auth_challenge(viewer, false);
            return;
        }
        if (access_nonce_check(out->deps.access, digest.nonce, viewer->address) < 0) {
            auth_challenge(viewer, true); /* too old, or from before a restart */
            return;
        }
    }
    struct job *job = calloc(1, sizeof(*job));
    if (!job) {
        viewer_answer(viewer, 500, "", NULL);
        return;
    }
    job->out = out;
    job->viewer = viewer;
    job->by_ticket = by_ticket;
    job->digest = digest;
    job->resource = request->resource;
    memcpy(job->address, viewer->address, sizeof(job->address));
    snprintf(job->method, sizeof(job->method), "%s",
             request->method == METHOD_DESCRIBE ? "DESCRIBE" : "SETUP");
    if (se_pool_submit(out->pool, work, job) < 0) {
        free(job);
        rtsp_count(RTSP_M_REFUSED_BUSY);
        viewer_answer(viewer, 503, "Retry-After: 1\r\n", NULL);
        return;
    }
    viewer->job = job;
    viewer->busy = true;
}

static void refuse(struct viewer *viewer, const struct job *job)
{
    char extra[64];
    switch (job->result) {
    case -EACCES:
        auth_challenge(viewer, false);
        break;
    case -EDQUOT:
        snprintf(extra, sizeof(extra), "Retry-After: %d\r\n", job->retry_s > 0 ? job->retry_s : 1);
        viewer_answer(viewer, 429, extra, NULL);
        break;
    case -ENOENT:
        viewer_answer(viewer, 404, "", NULL);
        break;
    default:
        viewer_answer(viewer, 503, "Retry-After: 5\r\n", NULL);
        break;
    }
}

void auth_done(struct job *job)
{
    struct viewer *viewer = job->viewer;
    viewer->job = NULL;
    if (viewer->dead) {
        free(job);
        return;
    }
    if (job->result < 0) {
        refuse(viewer, job);
        free(job);
        viewer_done(viewer);
        return;
    }
    viewer->granted = true;
    viewer->who = job->who;
    viewer->role = job->resource.sub ? STREAM_SUB : STREAM_MAIN;
    memcpy(viewer->camera_id, job->camera_id, sizeof(viewer->camera_id));
    memcpy(viewer->camera_name, job->resource.camera, sizeof(viewer->camera_name));
    free(job);
    session_go_on(viewer);
}
