/* What the HTTP floor reads of a request: query, range; and what it writes of an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "http/exchange.h"
#include "http/problem.h"
#include "http/query.h"
#include "http/range.h"

static int parse(const char *text, char *copy, struct query *query)
{
    snprintf(copy, 600, "%s", text);
    return query_parse(copy, query);
}

static void query_is_decoded(void **state)
{
    char copy[600];
    struct query query;
    assert_int_equal(parse("a=1&b=x%20y+z&c&&d=&a=2&%E4%B8%AD=%E6%96%87", copy, &query), 0);
    assert_string_equal(query_get(&query, "a"), "1");
    assert_string_equal(query_get(&query, "b"), "x y z");
    assert_string_equal(query_get(&query, "c"), "");
    assert_string_equal(query_get(&query, "d"), "");
    assert_string_equal(query_get(&query, "\xe4\xb8\xad"), "\xe6\x96\x87");
    assert_null(query_get(&query, "e"));
    assert_int_equal(query.count, 6);
    assert_int_equal(parse("", copy, &query), 0);
    assert_int_equal(query.count, 0);
}

static void query_refuses_nonsense(void **state)
{
    static const char *const bad[] = {"a=%", "a=%4", "a=%zz", "a=%00", "a=%ff", "%c3=1"};
    char copy[600];
    struct query query;
    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++) {
        assert_int_equal(parse(bad[i], copy, &query), -EINVAL);
    }
    char many[300] = "";
    for (int i = 0; i < HTTP_QUERY_MAX + 1; i++) {
        strncat(many, "a=1&", sizeof(many) - strlen(many) - 1);
    }
    assert_int_equal(parse(many, copy, &query), -E2BIG);
}

static void ranges(void **state)
{
    static const struct {
        const char *header;
        int64_t size;
        int result;
        int64_t from, to;
    } cases[] = {
        {NULL, 100, 0, 0, 0},
        {"bytes=0-", 100, 1, 0, 100},
        {"bytes=0-0", 100, 1, 0, 1},
        {"bytes=10-19", 100, 1, 10, 20},
        {"bytes=10-1000", 100, 1, 10, 100},
        {"bytes=-5", 100, 1, 95, 100},
        {"bytes=-500", 100, 1, 0, 100},
        {"Bytes=99-", 100, 1, 99, 100},
        {"bytes=100-", 100, -ERANGE, 0, 0},
        {"bytes=-0", 100, -ERANGE, 0, 0},
        {"bytes=0-", 0, -ERANGE, 0, 0},
        {"bytes=-1", 0, -ERANGE, 0, 0},
        {"bytes=5-4", 100, 0, 0, 0},
        {"bytes=a-b", 100, 0, 0, 0},
        {"bytes=-", 100, 0, 0, 0},
        {"bytes=", 100, 0, 0, 0},
        {"bytes=1-2x", 100, 0, 0, 0},
        {"bytes=1-2,4-5", 100, 0, 0, 0},
        {"lines=1-2", 100, 0, 0, 0},
        {"bytes=99999999999999999999-", 100, 0, 0, 0},
        {"bytes=0-99999999999999999999", 100, 0, 0, 0},
        {"bytes=900000000000000000-", 100, -ERANGE, 0, 0},
    };
    for (size_t i = 0; i < SE_ARRAY_LEN(cases); i++) {
        int64_t from = -1, to = -1;
        int r = range_parse(cases[i].header, cases[i].size, &from, &to);
        if (r != cases[i].result || (r == 1 && (from != cases[i].from || to != cases[i].to))) {
            fail_msg("%s of %lld: %d, %lld to %lld", cases[i].header ? cases[i].header : "none",
                     (long long)cases[i].size, r, (long long)from, (long long)to);
        }
    }
}

static void problems_name_their_fields(void **state)
{
    struct http_response res = {0};
    assert_int_equal(http_invalid(&res, "name", "is missing"), -EPROTO);
    assert_int_equal(http_invalid(&res, "code", "has %d characters", 0), -EPROTO);
    assert_int_equal(http_problem_finish(&res, -EPROTO), 0);
    assert_int_equal(res.status, 422);
    assert_string_equal(res.content_type, "application/problem+json");
    json_t *errors = json_object_get(res.json, "errors");
    assert_int_equal(json_array_size(errors), 2);
    assert_string_equal(se_json_str(json_array_get(errors, 1), "field", ""), "code");
    assert_string_equal(se_json_str(json_array_get(errors, 1), "reason", ""), "has 0 characters");
    assert_int_equal(se_json_int(res.json, "status", 0), 422);
    assert_string_equal(se_json_str(res.json, "title", ""), "Unprocessable Content");
    http_response_fini(&res);
}

static void errors_become_statuses(void **state)
{
    static const struct {
        int error, status;
    } cases[] = {{-ENOENT, 404}, {-EEXIST, 409}, {-ENOLINK, 422}, {-EINVAL, 422}, {-EACCES, 403},
                 {-ESTALE, 412}, {-EBUSY, 503},  {-EAGAIN, 503},  {-ENOMEM, 500}, {-EPERM, 500}};
    for (size_t i = 0; i < SE_ARRAY_LEN(cases); i++) {
        struct http_response res = {0};
        assert_int_equal(http_problem_finish(&res, cases[i].error), 0);
        assert_int_equal(res.status, cases[i].status);
        assert_true(*se_json_str(res.json, "detail", ""));
        assert_int_equal(res.retry_after_s, cases[i].status == 503);
        http_response_fini(&res);
    }
}

/* What an inner error said stays inside; what was set for the client goes out, with its members. */
static void a_500_keeps_its_secrets(void **state)
{
    struct http_response res = {0};
    snprintf(res.problem.text, sizeof(res.problem.text), "/var/lib/inner/path broke");
    http_problem_finish(&res, -ENOMEM);
    assert_null(strstr(se_json_str(res.json, "detail", ""), "inner"));
    http_response_fini(&res);
    res.problem_members = json_pack("{s:[s]}", "actions", "accept");
    http_problem(&res, 409, "Not now.");
    http_problem_finish(&res, -EPROTO);
    assert_int_equal(res.status, 409);
    assert_string_equal(se_json_str(res.json, "detail", ""), "Not now.");
    assert_int_equal(json_array_size(json_object_get(res.json, "actions")), 1);
    http_response_fini(&res);
}

static void lists_can_be_paged(void **state)
{
    struct exchange ex = {0};
    struct http_response res = {0};
    ex.req.exchange = &ex;
    assert_int_equal(http_list(&res, json_array(), "last-id"), 0);
    const char *cursor = se_json_str(res.json, "next_cursor", "");
    char text[100];
    snprintf(text, sizeof(text), "limit=7&cursor=%s", cursor);
    assert_int_equal(query_parse(text, &ex.query), 0);
    int limit = 0;
    const char *after = NULL;
    assert_int_equal(http_page(&ex.req, &res, &limit, &after), 0);
    assert_int_equal(limit, 7);
    assert_string_equal(after, "last-id");
    http_response_fini(&res);
    assert_int_equal(http_list(&res, json_array(), NULL), 0);
    assert_true(json_is_null(json_object_get(res.json, "next_cursor")));
    http_response_fini(&res);

    static const char *const bad[] = {"limit=0", "limit=1001", "limit=x",  "limit=1x",
                                      "limit=",  "cursor=zz",  "cursor=ff"};
    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++) {
        snprintf(text, sizeof(text), "%s", bad[i]);
        assert_int_equal(query_parse(text, &ex.query), 0);
        assert_int_equal(http_page(&ex.req, &res, &limit, &after), -EPROTO);
        assert_int_equal(res.status, 422);
        http_response_fini(&res);
    }
}

static void origins(void **state)
{
    assert_true(http_origin_matches("http://gw.example:8080", "gw.example:8080"));
    assert_true(http_origin_matches("https://GW.example", "gw.example"));
    assert_false(http_origin_matches("http://gw.example", "gw.example:8080"));
    assert_false(http_origin_matches("http://evil.example", "gw.example"));
    assert_false(http_origin_matches("http://gw.example.evil", "gw.example"));
    assert_false(http_origin_matches("null", "gw.example"));
    assert_false(http_origin_matches(NULL, "gw.example"));
    assert_false(http_origin_matches("http://gw.example", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_is_decoded),
        cmocka_unit_test(query_refuses_nonsense),
        cmocka_unit_test(ranges),
        cmocka_unit_test(problems_name_their_fields),
        cmocka_unit_test(errors_become_statuses),
        cmocka_unit_test(a_500_keeps_its_secrets),
        cmocka_unit_test(lists_can_be_paged),
        cmocka_unit_test(origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
