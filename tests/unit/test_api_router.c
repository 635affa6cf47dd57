/* Which row a request belongs to; and every row of the gateway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/router.h"
#include "routes.h"

static int handler(struct http_request *req, struct http_response *res)
{
    return 0;
}

static const struct http_route rows[] = {
    ROUTE(GET, "/", PUBLIC, HTTP_QUIET, 0, NULL, handler),
    ROUTE(GET, "/a", CAMERA_READ, HTTP_QUIET, 0, NULL, handler),
    ROUTE(POST, "/a", CAMERA_WRITE, HTTP_JSON, 10, "a.create", handler),
    ROUTE(GET, "/a/{id}", CAMERA_READ, HTTP_QUIET, 0, NULL, handler),
    ROUTE(POST, "/a/test", CAMERA_WRITE, HTTP_JSON, 10, "a.test", handler),
    ROUTE(GET, "/a/{id}/b/{other}", CAMERA_READ, HTTP_QUIET, 0, NULL, handler),
    ROUTE(GET, "/live/{camera}/main.mp4", MEDIA_LIVE, 0, 0, "live.view", handler),
};
static const struct http_route_table table = {rows, SE_ARRAY_LEN(rows)};

static int make(const struct http_route *row, size_t count, struct router **router, struct se_err *err)
{
    struct http_route_table one = {row, count};
    const struct http_route_table *list[] = {&one};
    return router_new(list, 1, router, err);
}

static int setup(void **state)
{
    struct router *router = NULL;
    struct se_err err = {0};
    const struct http_route_table *list[] = {&table};
    assert_int_equal(router_new(list, 1, &router, &err), 0);
    *state = router;
    return 0;
}

static int teardown(void **state)
{
    router_free(*state);
    return 0;
}

static int find(struct router *router, enum http_method method, const char *path, char *copy,
                struct router_match *match)
{
    snprintf(copy, 200, "%s", path);
    return router_find(router, method, copy, match);
}

static void finds_rows_and_params(void **state)
{
    char copy[200];
    struct router_match match;
    assert_int_equal(find(*state, HTTP_GET, "/", copy, &match), 0);
    assert_ptr_equal(match.route, &rows[0]);
    assert_int_equal(find(*state, HTTP_POST, "/a", copy, &match), 0);
    assert_ptr_equal(match.route, &rows[2]);
    assert_int_equal(find(*state, HTTP_GET, "/a/x%20y", copy, &match), 0);
    assert_ptr_equal(match.route, &rows[3]);
    assert_string_equal(match.params[0], "x y");
    assert_int_equal(find(*state, HTTP_GET, "/a/1/b/2", copy, &match), 0);
    assert_string_equal(match.params[0], "1");
    assert_string_equal(match.params[1], "2");
    assert_int_equal(find(*state, HTTP_GET, "/live/c/main.mp4", copy, &match), 0);
    assert_ptr_equal(match.route, &rows[6]);
}

static void a_literal_goes_before_a_parameter(void **state)
{
    char copy[200];
    struct router_match match;
    assert_int_equal(find(*state, HTTP_POST, "/a/test", copy, &match), 0);
    assert_ptr_equal(match.route, &rows[4]);
    assert_int_equal(find(*state, HTTP_GET, "/a/test", copy, &match), -ENOTSUP);
    assert_string_equal(match.allow, "POST");
}

static void says_which_methods_there_are(void **state)
{
    char copy[200];
    struct router_match match;
    assert_int_equal(find(*state, HTTP_DELETE, "/a", copy, &match), -ENOTSUP);
    assert_string_equal(match.allow, "GET, HEAD, POST");
}

static void refuses_what_is_no_path(void **state)
{
    static const char *const none[] = {
        "",       "a",       "/b",         "/a/",       "/a//b/2",
        "/a/%2",  "/a/%zz",  "/a/x%2Fb",   "/a/%00",    "/a/%0a",
        "/a/%ff", "/a/../a", "/a/1/b/2/3", "http://h/", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15",
    };
    char copy[200];
    struct router_match match;
    for (size_t i = 0; i < SE_ARRAY_LEN(none); i++) {
        assert_int_equal(find(*state, HTTP_GET, none[i], copy, &match), -ENOENT);
    }
}

static void refuses_bad_rows(void **state)
{
    const struct http_route bad[] = {
        {.method = HTTP_GET, .path = "/x", .handler = handler, .audit = "x.view"},        /* no permission */
        {.method = HTTP_GET, .path = "/x", .permission = ACCESS_SELF, .audit = "x.view"}, /* no handler */
        ROUTE(GET, "/x", CAMERA_READ, 0, 0, NULL, handler),                               /* no audit name */
        ROUTE(POST, "/x", CAMERA_WRITE, HTTP_JSON, 0, "x.create", handler), /* JSON, and no room for it */
        ROUTE(GET, "/x", CAMERA_READ, HTTP_QUIET, 10, NULL, handler),       /* GET with a body */
        ROUTE(GET, "x", PUBLIC, 0, 0, NULL, handler),
        ROUTE(GET, "/{a}/{b}/{c}/{d}/{e}", PUBLIC, 0, 0, NULL, handler),           /* too many parameters */
        ROUTE(GET, "/x", CAMERA_READ, HTTP_QUIET | HTTP_INLINE, 0, NULL, handler), /* inline, not public */
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++) {
        struct router *router = NULL;
        struct se_err err = {0};
        assert_int_equal(make(&bad[i], 1, &router, &err), -EINVAL);
        assert_null(router);
        assert_true(err.text[0]);
    }
    const struct http_route twice[] = {
        ROUTE(GET, "/x/{a}", PUBLIC, 0, 0, NULL, handler),
        ROUTE(GET, "/x/{b}", PUBLIC, 0, 0, NULL, handler),
    };
    struct router *router = NULL;
    struct se_err err = {0};
    assert_int_equal(make(twice, 2, &router, &err), -EINVAL);
}

static char *description;

/* The paths of api/openapi.yaml with their methods, as "GET /a\n…" in the order of the file. */
static char *described(const char *yaml)
{
    struct se_str out = {0};
    char path[200] = "";
    bool in_paths = false;
    for (const char *line = yaml; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        int len = (int)strcspn(line, "\n");
        if (len > 0 && line[0] != ' ' && line[0] != '#') {
            in_paths = strncmp(line, "paths:", 6) == 0;
        } else if (in_paths && len > 3 && strncmp(line, "  /", 3) == 0) {
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(line + 2, ":\n"), line + 2);
        } else if (in_paths && strncmp(line, "    ", 4) == 0 && line[4] != ' ') {
            static const char *const words[] = {"get", "post", "patch", "put", "delete"};
            static const char *const names[] = {"GET", "POST", "PATCH", "PUT", "DELETE"};
            for (size_t i = 0; i < SE_ARRAY_LEN(words); i++) {
                size_t n = strlen(words[i]);
                if (strncmp(line + 4, words[i], n) == 0 && line[4 + n] == ':') {
                    se_str_printf(&out, "%s %s\n", names[i], path);
                }
            }
        }
    }
    return se_str_take(&out);
}

static int read_description(void **state)
{
    FILE *file = fopen(SE_SOURCE_DIR "/api/openapi.yaml", "r");
    char *text = calloc(1, 2000000);
    assert_non_null(file);
    assert_true(fread(text, 1, 1999999, file) > 0);
    fclose(file);
    description = described(text);
    free(text);
    return description ? 0 : -1;
}

static int forget_description(void **state)
{
    free(description);
    return 0;
}

static void every_row_is_sound_and_described(void **state)
{
    struct router *router = NULL;
    struct se_err err = {0};
    unsigned missing = 0;
    if (router_new(routes_all, routes_all_count, &router, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_true(router_count(router) > 30);
    for (size_t i = 0; i < router_count(router); i++) {
        const struct http_route *row = router_row(router, i);
        char line[250];
        snprintf(line, sizeof(line), "%s %s\n", http_method_name(row->method), row->path);
        const char *at = strstr(description, line);
        if (!at || (at != description && at[-1] != '\n')) {
            print_error("not in api/openapi.yaml: %s", line);
            missing++;
        }
        if (row->method != HTTP_GET && !(row->flags & HTTP_QUIET)) {
            assert_non_null(row->audit); /* every write leaves a trace */
        }
    }
    assert_int_equal(missing, 0);
    router_free(router);
}

static void every_described_path_has_a_row(void **state)
{
    struct router *router = NULL;
    struct se_err err = {0};
    unsigned missing = 0;
    assert_int_equal(router_new(routes_all, routes_all_count, &router, &err), 0);
    char *copy = strdup(description);
    for (char *rest = copy, *line; (line = strsep(&rest, "\n")) && *line;) {
        bool found = false;
        for (size_t i = 0; i < router_count(router) && !found; i++) {
            char row[250];
            snprintf(row, sizeof(row), "%s %s", http_method_name(router_row(router, i)->method),
                     router_row(router, i)->path);
            found = strcmp(row, line) == 0;
        }
        if (!found) {
            print_error("described but not there: %s\n", line);
            missing++;
        }
    }
    free(copy);
    router_free(router);
    assert_int_equal(missing, 0);
}

/* What may be asked without signing in is a short list, and stays one. */
static void few_rows_are_public(void **state)
{
    static const char *const open[] = {"/healthz", "/readyz", "/api/v1/openapi.yaml", "/api/v1/sessions"};
    struct router *router = NULL;
    struct se_err err = {0};
    assert_int_equal(router_new(routes_all, routes_all_count, &router, &err), 0);
    for (size_t i = 0; i < router_count(router); i++) {
        const struct http_route *row = router_row(router, i);
        bool listed = false;
        for (size_t k = 0; k < SE_ARRAY_LEN(open); k++) {
            listed = listed || strcmp(open[k], row->path) == 0;
        }
        if (row->permission == ACCESS_PUBLIC && !listed) {
            fail_msg("%s is public", row->path);
        }
    }
    router_free(router);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_rows_and_params, setup, teardown),
        cmocka_unit_test_setup_teardown(a_literal_goes_before_a_parameter, setup, teardown),
        cmocka_unit_test_setup_teardown(says_which_methods_there_are, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_path, setup, teardown),
        cmocka_unit_test(refuses_bad_rows),
        cmocka_unit_test(every_row_is_sound_and_described),
        cmocka_unit_test(every_described_path_has_a_row),
        cmocka_unit_test(few_rows_are_public),
    };
    return cmocka_run_group_tests(tests, read_description, forget_description);
}
