/* A stream tried before it is saved: POST /api/v1/cameras/test.
 *
 * A try takes seconds. No worker waits for it: the answer is a body that comes when ingest has a result. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"
#include "cameras.h"
#include "fields.h"
#include "routes.h"

struct waiting {
    struct http_stream stream; /* first */
    struct ingest_try *try;
    bool answered;         /* the live loop's */
    pthread_mutex_t mutex; /* what is below */
    bool listening;        /* the stream was asked once: it can be woken */
};

static int next(struct http_stream *stream, struct http_part *ret_part)
{
    struct waiting *waiting = (struct waiting *)(void *)stream;
    if (waiting->answered) {
        return HTTP_STREAM_END;
    }
    pthread_mutex_lock(&waiting->mutex);
    waiting->listening = true; /* before the look: what comes after it wakes */
    pthread_mutex_unlock(&waiting->mutex);
    se_json_ *result = ingest_try_result(waiting->try);
    if (!result) {
        return 0;
    }
    se_free_ char *text = se_json_text(result);
    struct se_buf *body = text ? se_buf_copy(text, strlen(text)) : NULL;
    if (!body) {
        return HTTP_STREAM_END;
    }
    waiting->answered = true;
    *ret_part = (struct http_part){.data = body};
    return 1;
}

static void free_waiting(struct http_stream *stream)
{
    struct waiting *waiting = (struct waiting *)(void *)stream;
    ingest_try_free(waiting->try);
    pthread_mutex_destroy(&waiting->mutex);
    free(waiting);
}

/* On an ingest loop. */
static void done(void *ctx)
{
    struct waiting *waiting = ctx;
    pthread_mutex_lock(&waiting->mutex);
    if (waiting->listening) {
        http_stream_wake(&waiting->stream);
    }
    pthread_mutex_unlock(&waiting->mutex);
}

static int start(struct http_request *req, struct http_response *res, const struct camera_stream_spec *spec)
{
    struct se_err err = {0};
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    if (!waiting) {
        return -ENOMEM;
    }
    waiting->stream = (struct http_stream){.next = next, .free = free_waiting};
    pthread_mutex_init(&waiting->mutex, NULL);
    int r = ingest_try_start(http_deps(req)->ingest, spec, done, waiting, &waiting->try, &err);
    if (r == 0) {
        res->stream = &waiting->stream;
        res->content_type = "application/json";
        return 0;
    }
    pthread_mutex_destroy(&waiting->mutex);
    free(waiting);
    if (r == -EINVAL) {
        return http_invalid(res, err.field[0] ? err.field : "url", "%s", err.text);
    }
    if (r == -EBUSY) {
        res->retry_after_s = 5;
        return http_problem(res, 503, "%d streams are being tried already. Try again in a moment.",
                            INGEST_TRIES_MAX);
    }
    return r;
}

/* {camera, role?}: what is stored; what stands beside it goes over that. */
static int load(struct camera_edit *edit, enum stream_role *ret_role, struct http_request *req,
                struct http_response *res)
{
    static const char *const roles[] = {"main", "sub", NULL};
    struct fields fields;
    char id[SE_ID_LEN];
    int r = fields_begin(req, res, &fields);
    if (r < 0) {
        return r;
    }
    const char *camera = field_text(&fields, "camera", 0, 64, NULL);
    const char *role = field_word(&fields, "role", roles, "main");
    if (fields.bad) {
        return fields_end(&fields);
    }
    *ret_role = strcmp(role, "sub") == 0 ? STREAM_SUB : STREAM_MAIN;
    if (!camera || !*camera) {
        return 0;
    }
    r = camera_find(req, res, camera, id);
    r = r < 0 ? r : camera_edit_load(edit, http_deps(req)->store, http_deps(req)->access, id);
    if (r == 0 && !edit->streams[*ret_role].there) {
        r = http_invalid(res, "role", "the camera has no such stream");
    }
    return r;
}

static int test(struct http_request *req, struct http_response *res)
{
    struct camera_edit edit;
    struct camera_spec spec;
    enum stream_role role = STREAM_MAIN;
    camera_edit_init(&edit);
    int r = load(&edit, &role, req, res);
    r = r < 0 ? r : camera_edit_apply_stream(&edit, role, req->json, res);
    if (r == 0) {
        camera_edit_spec(&edit, &spec);
        r = start(req, res, &spec.streams[role]);
    }
    if (r == 0) {
        se_json_ *detail =
            edit.id[0] ? json_pack("{s:s}", "role", role == STREAM_SUB ? "sub" : "main") : NULL;
        access_audit_later(http_deps(req)->access, &req->who, req->route->audit, "camera", edit.id, detail);
    }
    camera_edit_fini(&edit);
    return r;
}

static const struct http_route rows[] = {
    ROUTE(POST, "/api/v1/cameras/test", CAMERA_WRITE, HTTP_JSON | HTTP_STREAM, HTTP_BODY_JSON, "camera.test",
          test),
};
const struct http_route_table routes_camera_test = {rows, SE_ARRAY_LEN(rows)};
