#include "http/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const struct {
    int status;
    const char *title;
} titles[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

const char *http_status_title(int status)
{
    for (size_t i = 0; i < SE_ARRAY_LEN(titles); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

int http_status_of(int error)
{
    switch (-error) {
    case ENOENT:
        return 404;
    case EEXIST:
        return 409;
    case ENOLINK:
    case EINVAL:
        return 422;
    case EACCES:
        return 403;
    case ESTALE:
        return 412;
    case EBUSY:
    case EAGAIN:
    case EROFS:
    case EIO:
        return 503;
    default:
        return 500;
    }
}

/* For a person, when the handler found no words of its own. */
static const char *usual_words(int status)
{
    switch (status) {
    case 403:
        return "Your roles do not allow this.";
    case 404:
        return "There is nothing here by that name.";
    case 409:
        return "This conflicts with what is there already.";
    case 412:
        return "It was changed since you read it. Read it again, then repeat your change.";
    case 422:
        return "Something in the request is not acceptable.";
    case 503:
        return "The gateway cannot do this just now. Try again in a moment.";
    default:
        return "Something went wrong inside the gateway. Its log says what.";
    }
}

int http_problem(struct http_response *res, int status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(res->problem.text, sizeof(res->problem.text), fmt, args);
    va_end(args);
    res->status = status;
    return -EPROTO;
}

int http_invalid(struct http_response *res, const char *field, const char *fmt, ...)
{
    char reason[sizeof(res->problem.text)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    if (!res->problem_errors) {
        res->problem_errors = json_array();
    }
    if (json_array_size(res->problem_errors) < 100) {
        json_array_append_new(res->problem_errors, json_pack("{s:s, s:s}", "field", field, "reason", reason));
    }
    if (!res->problem.text[0]) {
        snprintf(res->problem.text, sizeof(res->problem.text), "%.60s: %.180s", field, reason);
    }
    res->status = 422;
    return -EPROTO;
}

int http_problem_finish(struct http_response *res, int error)
{
    if (error != -EPROTO || res->status < 400) {
        res->status = http_status_of(error);
    }
    if (res->status == 503 && res->retry_after_s == 0) {
        res->retry_after_s = 1;
    }
    json_t *problem = res->problem_members ? json_copy(res->problem_members) : json_object();
    const char *text = res->problem.text[0] ? res->problem.text : usual_words(res->status);
    if (res->status == 500) {
        text = usual_words(500);
    }
    se_json_put_str(problem, "type", "about:blank");
    se_json_put_str(problem, "title", http_status_title(res->status));
    se_json_put(problem, "status", json_integer(res->status));
    se_json_put_str(problem, "detail", text);
    if (res->problem_errors) {
        json_object_set(problem, "errors", res->problem_errors);
    } else if (res->problem.field[0]) {
        se_json_put(problem, "errors",
                    json_pack("[{s:s, s:s}]", "field", res->problem.field, "reason", res->problem.text));
    }
    json_decref(res->json);
    res->json = problem;
    res->content_type = "application/problem+json";
    return problem ? 0 : -ENOMEM;
}
