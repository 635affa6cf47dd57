/* base/str.h, base/time.h, base/id.h, base/error.h, base/buf.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/id.h"
#include "base/str.h"
#include "base/time.h"

static void strings_grow_and_are_handed_over(void **state)
{
    struct se_str s = {0};
    se_free_ char *text = NULL, *empty = NULL, *made = NULL;

    for (int i = 0; i < 1000; i++)
        se_str_printf(&s, "%d,", i);
    se_str_puts(&s, "end");
    se_str_add(&s, "\0x", 2);
    assert_int_equal(s.len, 10 * 2 + 90 * 3 + 900 * 4 + 3 + 2);
    text = se_str_take(&s);
    assert_memory_equal(text, "0,1,2,3,", 8);
    assert_null(s.data);
    empty = se_str_take(&s);
    assert_string_equal(empty, "");
    made = se_asprintf("%s-%d", "a", 7);
    assert_string_equal(made, "a-7");

    s.oom = true;
    se_str_puts(&s, "lost");
    assert_null(se_str_take(&s));
    se_str_fini(&s);
}

static void utf8_is_strict(void **state)
{
    static const char *const bad[] = {
        "\x80",         "\xc0\xaf",         "\xc1\xbf",         "\xc3",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80", "\xe4\xbd",
        "a\xff",        "\xe4\xbd\x41",
    };
    static const char *const good[] = {"", "abc", "咸宁市", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\x7f", "é"};

    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++)
        assert_false(se_utf8_valid(bad[i], strlen(bad[i])));
    for (size_t i = 0; i < SE_ARRAY_LEN(good); i++)
        assert_true(se_utf8_valid(good[i], strlen(good[i])));
    assert_false(se_utf8_valid("a\0b", 3));
}

/* The vectors of RFC 4648, section 10. */
static void base64_matches_the_rfc(void **state)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {
        "Z", "Zg=", "Zg===", "=", "====", "Z===", "Zm9v!", "Zm 9", "Zm9vZ", "Zg==Zg=="};
    uint8_t out[64];

    for (size_t i = 0; i < SE_ARRAY_LEN(rows); i++) {
        se_free_ char *coded = se_base64_encode(rows[i].plain, strlen(rows[i].plain));
        size_t bare = strcspn(rows[i].coded, "=");

        assert_string_equal(coded, rows[i].coded);
        assert_int_equal(se_base64_decode(coded, strlen(coded), out), strlen(rows[i].plain));
        assert_memory_equal(out, rows[i].plain, strlen(rows[i].plain));
        assert_int_equal(se_base64_decode(coded, bare, out), strlen(rows[i].plain)); /* as in SDP */
    }
    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++)
        assert_int_equal(se_base64_decode(bad[i], strlen(bad[i]), out), -EINVAL);
    assert_int_equal(se_base64_decode("+/A=", 4, out), 2);
    assert_int_equal(out[0], 0xfb);
}

static void hex_and_urls(void **state)
{
    char hex[9], plus[] = "a+b%20%E5%92%B8&c%2f", bad[] = "%zz", cut[] = "%4", nul[] = "a%00b",
                 path[] = "a+b";
    uint8_t out[8];

    se_hex_encode("\x00\xff\x1a\x2b", 4, hex);
    assert_string_equal(hex, "00ff1a2b");
    assert_int_equal(se_hex_decode("00FF1a2B", 8, out), 4);
    assert_memory_equal(out, "\x00\xff\x1a\x2b", 4);
    assert_int_equal(se_hex_decode("0", 1, out), -EINVAL);
    assert_int_equal(se_hex_decode("0g", 2, out), -EINVAL);

    assert_int_equal(se_url_decode(plus, true), 10);
    assert_string_equal(plus, "a b 咸&c/");
    assert_int_equal(se_url_decode(path, false), 3);
    assert_string_equal(path, "a+b");
    assert_int_equal(se_url_decode(bad, true), -EINVAL);
    assert_int_equal(se_url_decode(cut, true), -EINVAL);
    assert_int_equal(se_url_decode(nul, true), -EINVAL);
}

static void times_are_read_and_written(void **state)
{
    static const struct {
        const char *text;
        se_wall_ms ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T08:00:00.000Z", 1795334400000},
        {"2026-11-22T16:00:00.5+08:00", 1795334400500},
        {"2026-11-21t23:30:00.123456789-08:30", 1795334400123},
        {"2024-02-29T12:00:00z", 1709208000000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"2017-01-01T07:59:60+08:00", 1483228800000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"1970-01-01T08:00:00+08:00", 0},
    };
    static const char *const bad[] = {
        "",
        "2026-11-22",
        "2026-11-22T08:00:00",
        "2026-11-22 08:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T08:60:00Z",
        "2026-11-22T08:00:60Z",
        "2026-11-22T08:00:00.Z",
        "2026-11-22T08:00:00+0800",
        "2026-11-22T08:00:00+24:00",
        "2026-11-22T08:00:00Zx",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "0000-01-01T00:00:00Z",
        "+2026-11-22T08:00:00Z",
        "9999-12-31T23:59:59-01:00",
    };
    se_wall_ms ms;
    char text[SE_TIME_LEN];

    for (size_t i = 0; i < SE_ARRAY_LEN(rows); i++) {
        assert_int_equal(se_time_parse(rows[i].text, &ms), 0);
        assert_true(ms == rows[i].ms);
    }
    ms = -7;
    for (size_t i = 0; i < SE_ARRAY_LEN(bad); i++)
        assert_int_equal(se_time_parse(bad[i], &ms), -EINVAL);
    assert_true(ms == -7); /* untouched */
    assert_int_equal(se_time_parse(NULL, &ms), -EINVAL);

    se_time_format(1795334400007, text);
    assert_string_equal(text, "2026-11-22T08:00:00.007Z");
    for (se_wall_ms day = 0; day < 60000LL * 86400000; day += 86400000LL * 7 + 12345) {
        se_time_format(day, text);
        assert_int_equal(se_time_parse(text, &ms), 0);
        assert_true(ms == day);
    }
    assert_true(se_wall_now_ms() > 1700000000000);
    assert_true(se_mono_now_us() <= se_mono_now_us());
}

static void ids_sort_by_time(void **state)
{
    char last[SE_ID_LEN] = "", id[SE_ID_LEN];

    /* More than 4,096 in a millisecond at times: the counter runs over. */
    for (int i = 0; i < 20000; i++) {
        se_id_new(id);
        assert_true(se_id_valid(id));
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof(last));
    }
    assert_false(se_id_valid(NULL));
    assert_false(se_id_valid(""));
    assert_false(se_id_valid("0192f0c1-7a00-4abc-8def-0123456789ab")); /* version 4 */
    assert_false(se_id_valid("0192f0c1-7a00-7abc-cdef-0123456789ab")); /* variant */
    assert_false(se_id_valid("0192F0C1-7a00-7abc-8def-0123456789ab"));
    assert_false(se_id_valid("0192f0c1-7a00-7abc-8def-0123456789abc"));
    assert_false(se_id_valid("0192f0c1-7a00-7abc-8def-0123456789a"));
    assert_true(se_id_valid("0192f0c1-7a00-7abc-8def-0123456789ab"));
}

static void errors_carry_words(void **state)
{
    struct se_err err;
    char long_text[600];

    assert_int_equal(se_fail_field(&err, -EINVAL, "streams/0/url", "port %d is out of range", 70000),
                     -EINVAL);
    assert_string_equal(err.field, "streams/0/url");
    assert_string_equal(err.text, "port 70000 is out of range");
    assert_int_equal(se_fail(&err, -ENOENT, "gone"), -ENOENT);
    assert_string_equal(err.field, "");
    assert_int_equal(err.code, -ENOENT);
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    assert_int_equal(se_fail(&err, -E2BIG, "%s", long_text), -E2BIG);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(se_fail(NULL, -EIO, "nobody listens"), -EIO);
}

static void buffers_are_counted(void **state)
{
    struct se_buf *a = se_buf_copy("hello", 5), *b, *none = NULL;

    b = se_buf_ref(a);
    se_buf_unref(&a);
    assert_null(a);
    assert_int_equal(b->size, 5);
    assert_memory_equal(b->data, "hello", 5);
    se_buf_unref(&b);
    se_buf_unref(&none);
    assert_null(se_buf_new(SIZE_MAX - 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_grow_and_are_handed_over),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(base64_matches_the_rfc),
        cmocka_unit_test(hex_and_urls),
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(errors_carry_words),
        cmocka_unit_test(buffers_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
