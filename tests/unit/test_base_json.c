/* base/json.h: what it takes, and the hostile bytes it does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"

static void refuse(const char *data, size_t size, const char *words)
{
    json_t *value = NULL;
    struct se_err err = {0};

    assert_int_equal(se_json_parse(data, size, &value, &err), -EINVAL);
    assert_null(value);
    assert_int_equal(err.code, -EINVAL);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void hostile_bytes_are_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"{\"a\":1,\"a\":2}", "twice"},
        {"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", "twice"},
        {"{\"a\":1", "ends too early"},
        {"{\"a\":1}x", "more after"},
        {"{} {}", "more after"},
        {"\"\xff\"", "UTF-8"},
        {"\"\xed\xa0\x80\"", "UTF-8"},
        {"\"\\u0000\"", "NUL"},
        {"{\"\\u0000\":1}", "NUL"},
        {"\"\\ud800\"", "syntax"},
        {"[1,]", "syntax"},
        {"{'a':1}", "syntax"},
        {"01", ""},
        {"NaN", "syntax"},
        {"99999999999999999999", "too big"},
        {"1e999", "too big"},
        {"\"a\nb\"", "syntax"},
        {" ", "ends too early"},
        {"\xef\xbb\xbf{}", "syntax"},
    };

    for (size_t i = 0; i < SE_ARRAY_LEN(rows); i++)
        refuse(rows[i].text, strlen(rows[i].text), rows[i].words);
    refuse("", 0, "nothing");
    refuse("{}\0", 3, "NUL");
    refuse("\"a\0b\"", 5, "NUL");
}

static void errors_do_not_quote_the_input(void **state)
{
    static const char text[] = "{\"password\":\"canary-1\" canary-2}";
    json_t *value;
    struct se_err err;

    assert_int_equal(se_json_parse(text, strlen(text), &value, &err), -EINVAL);
    assert_null(strstr(err.text, "canary"));
}

static void nested(size_t depth, char *out)
{
    memset(out, '[', depth);
    memset(out + depth, ']', depth);
}

static void depth_is_bounded_before_parsing(void **state)
{
    enum { DEEP = 5000000 };
    char *text = malloc((size_t)DEEP * 2);
    se_json_ *value = NULL;
    se_mono_us start;

    nested(64, text);
    assert_int_equal(se_json_parse(text, 128, &value, NULL), 0);
    nested(65, text);
    refuse(text, 130, "deeper than 64");
    start = se_mono_now_us();
    nested(DEEP, text);
    refuse(text, (size_t)DEEP * 2, "deeper than 64");
    memset(text, '[', (size_t)DEEP * 2); /* never closed */
    refuse(text, (size_t)DEEP * 2, "deeper than 64");
    assert_true(se_mono_now_us() - start < 5 * SE_US_PER_S);
    free(text);
}

static void brackets_in_strings_do_not_nest(void **state)
{
    se_json_ *value = NULL;
    struct se_str s = {0};

    se_str_puts(&s, "[\"\\\"");
    for (int i = 0; i < 200; i++)
        se_str_puts(&s, "[{\\\\");
    se_str_puts(&s, "\"]");
    assert_int_equal(se_json_parse(s.data, s.len, &value, NULL), 0);
    assert_int_equal(json_array_size(value), 1);
    se_str_fini(&s);
}

static void members_are_read(void **state)
{
    static const char text[] = "{\"s\":\"咸宁\",\"i\":-5,\"r\":1.5,\"b\":true,\"n\":null,"
                               "\"t\":\"2026-11-22T16:00:00+08:00\",\"bad\":\"soon\"}";
    se_json_ *v = NULL;
    se_wall_ms ms = 1;

    assert_int_equal(se_json_parse(text, strlen(text), &v, NULL), 0);
    assert_string_equal(se_json_str(v, "s", ""), "咸宁");
    assert_string_equal(se_json_str(v, "i", "none"), "none");
    assert_string_equal(se_json_str(v, "n", "none"), "none");
    assert_null(se_json_str(v, "x", NULL));
    assert_int_equal(se_json_int(v, "i", 0), -5);
    assert_int_equal(se_json_int(v, "r", 9), 9);
    assert_true(se_json_real(v, "r", 0) == 1.5);
    assert_true(se_json_real(v, "i", 0) == -5.0);
    assert_true(se_json_bool(v, "b", false));
    assert_true(se_json_bool(v, "s", true));
    assert_int_equal(se_json_time(v, "x", &ms), -ENOENT);
    assert_int_equal(se_json_time(v, "n", &ms), -ENOENT);
    assert_int_equal(se_json_time(v, "bad", &ms), -EINVAL);
    assert_int_equal(se_json_time(v, "i", &ms), -EINVAL);
    assert_true(ms == 1);
    assert_int_equal(se_json_time(v, "t", &ms), 0);
    assert_true(ms == 1795334400000);
    assert_string_equal(se_json_str(NULL, "s", "none"), "none");
}

static void text_is_canonical(void **state)
{
    se_json_ *v = json_object(), *again = NULL;
    se_free_ char *text = NULL, *second = NULL;

    assert_int_equal(se_json_put(v, "z", json_real(29.85)), 0);
    assert_int_equal(se_json_put_str(v, "a", "x"), 0);
    assert_int_equal(se_json_put_str(v, "none", NULL), 0);
    assert_int_equal(se_json_put_str(v, "gbk", "\xcf\xcc!"), 0);
    assert_int_equal(se_json_put_time(v, "at", 0), 0);
    assert_int_equal(se_json_put(v, "lost", NULL), -ENOMEM);
    assert_int_equal(se_json_put(NULL, "lost", json_integer(1)), -ENOMEM);
    text = se_json_text(v);
    assert_string_equal(
        text, "{\"a\":\"x\",\"at\":\"1970-01-01T00:00:00.000Z\",\"gbk\":\"\xef\xbf\xbd\xef\xbf\xbd!\","
              "\"none\":null,\"z\":29.85}");
    assert_int_equal(se_json_parse(text, strlen(text), &again, NULL), 0);
    second = se_json_text(again);
    assert_string_equal(second, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_bytes_are_refused),
        cmocka_unit_test(errors_do_not_quote_the_input),
        cmocka_unit_test(depth_is_bounded_before_parsing),
        cmocka_unit_test(brackets_in_strings_do_not_nest),
        cmocka_unit_test(members_are_read),
        cmocka_unit_test(text_is_canonical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
