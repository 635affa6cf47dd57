/* Signals and incidents. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/str.h"
#include "calls.h"
#include "fields.h"
#include "routes.h"

#define SIGNALS_BODY_MAX (16 * 1024 * 1024) /* a batch with pictures; a single one is at most about 3 MB */
#define PICTURE_MAX      (16 * 1024 * 1024)

static int post_signals(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 202);
    routed.items = true;
    return routed_end(&routed, signals_post(routed.events, &routed.call, req->json));
}

static int list_incidents(struct http_request *req, struct http_response *res)
{
    static const char *const statuses[] = {"new",    "acknowledged", "in_progress", "resolved",
                                           "closed", "false_alarm",  NULL};
    static const char *const severities[] = {"info", "minor", "major", "critical", NULL};
    struct routed routed;
    struct incident_query query = {
        .tag = query_text(req, "tag"),
        .grid_id = query_text(req, "grid_id"),
        .camera_id = query_text(req, "camera_id"),
        .department_id = query_text(req, "department_id"),
    };
    int rc = http_page(req, res, &query.limit, &query.after);
    rc = rc ? rc : query_word(req, res, "status", statuses, &query.status);
    rc = rc ? rc : query_word(req, res, "severity", severities, &query.severity);
    rc = rc ? rc : query_time(req, res, "from", &query.from_ms);
    rc = rc ? rc : query_time(req, res, "to", &query.to_ms);
    if (rc)
        return rc;
    routed_begin(&routed, req, res, 200);
    routed.items = true;
    return routed_end(&routed, incident_list(routed.events, &routed.call, &query));
}

static int report_incident(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 201);
    return routed_end(&routed, incident_report(routed.events, &routed.call, req->json));
}

static int get_incident(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    routed.etag = "version";
    return routed_end(&routed, incident_get(routed.events, &routed.call, req->params[0]));
}

static int change_incident(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    routed.etag = "version";
    return routed_end(&routed, incident_change(routed.events, &routed.call, req->params[0], req->json));
}

static int list_signals(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    const char *after;
    int limit, rc = routed_begin_page(&routed, req, res, &after, &limit);
    return rc ? rc
              : routed_end(&routed,
                           incident_signals(routed.events, &routed.call, req->params[0], after, limit));
}

static int list_changes(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    routed.items = true;
    return routed_end(&routed, incident_changes(routed.events, &routed.call, req->params[0]));
}

static int list_evidence(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 200);
    routed.items = true;
    return routed_end(&routed, incident_evidence(routed.events, &routed.call, req->params[0]));
}

static int open_case(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    routed_begin(&routed, req, res, 201);
    return routed_end(&routed, incident_open_case(routed.events, &routed.call, req->params[0], req->json));
}

/* ---- a picture ---- */

static int read_whole(const char *path, struct se_buf **ret_buf)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
    if (fd < 0)
        return -errno;
    struct se_buf *buf = NULL;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > PICTURE_MAX)
        rc = -EIO;
    else if (!(buf = se_buf_new((size_t)st.st_size)))
        rc = -ENOMEM;
    for (size_t got = 0; !rc && got < buf->size;) {
        ssize_t n = read(fd, buf->data + got, buf->size - got);
        if (n > 0)
            got += (size_t)n;
        else if (!n || errno != EINTR)
            rc = -EIO;
    }
    close(fd);
    if (rc)
        se_buf_unref(&buf);
    else
        *ret_buf = buf;
    return rc;
}

static int get_evidence(struct http_request *req, struct http_response *res)
{
    struct routed routed;
    se_free_ char *path = NULL;
    const char *media_type = NULL;
    routed_begin(&routed, req, res, 200);
    int rc = incident_evidence_file(routed.events, &routed.call, req->params[0], req->params[1], &path,
                                    &media_type);
    if (rc)
        return routed_end(&routed, rc);
    call_fini(&routed.call);
    rc = read_whole(path, &res->bytes);
    if (rc)
        return http_problem(res, 404, "The picture is not on the disk any more.");
    res->content_type = media_type;
    http_header(res, "X-Content-Type-Options", "nosniff");
    http_header(res, "Cache-Control", "private, max-age=31536000, immutable");
    return 0;
}

static const struct http_route rows[] = {
    ROUTE(POST, "/api/v1/signals", SIGNAL_POST, HTTP_JSON, SIGNALS_BODY_MAX, "signal.post", post_signals),
    ROUTE(GET, "/api/v1/incidents", INCIDENT_READ, HTTP_QUIET, 0, NULL, list_incidents),
    ROUTE(POST, "/api/v1/incidents", INCIDENT_WRITE, HTTP_JSON, HTTP_BODY_JSON, "incident.report",
          report_incident),
    ROUTE(GET, "/api/v1/incidents/{id}", INCIDENT_READ, 0, 0, "incident.view", get_incident),
    ROUTE(PATCH, "/api/v1/incidents/{id}", INCIDENT_WRITE, HTTP_JSON, HTTP_BODY_JSON, "incident.change",
          change_incident),
    ROUTE(GET, "/api/v1/incidents/{id}/signals", INCIDENT_READ, HTTP_QUIET, 0, NULL, list_signals),
    ROUTE(GET, "/api/v1/incidents/{id}/changes", INCIDENT_READ, HTTP_QUIET, 0, NULL, list_changes),
    ROUTE(GET, "/api/v1/incidents/{id}/evidence", INCIDENT_READ, HTTP_QUIET, 0, NULL, list_evidence),
    ROUTE(GET, "/api/v1/incidents/{id}/evidence/{evidence}", INCIDENT_READ, 0, 0, "evidence.view",
          get_evidence),
    ROUTE(POST, "/api/v1/incidents/{id}/case", CASE_WRITE, HTTP_JSON | HTTP_EMPTY, HTTP_BODY_JSON,
          "case.open", open_case),
};
const struct http_route_table routes_events = {rows, SE_ARRAY_LEN(rows)};
