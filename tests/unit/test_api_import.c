/* Lists of cameras: rows of values, encodings, headings, and what a row says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "import/columns.h"
#include "import/text.h"

/* All rows as text: fields between |, rows ended by a newline, "!" and the line for one that cannot be read.
 */
static char *shown(const char *text, size_t size)
{
    struct csv csv;
    static struct csv_row row;
    struct se_str out = {0};
    csv_init(&csv, text, size);
    for (int r; (r = csv_next(&csv, &row, NULL)) != 0;) {
        se_str_printf(&out, "%u", row.line);
        for (unsigned i = 0; r > 0 && i < row.count; i++)
            se_str_printf(&out, "|%s", row.fields[i]);
        se_str_puts(&out, r > 0 ? "\n" : "!\n");
    }
    return se_str_take(&out);
}

static void rows_are_read(void **state)
{
    static const char *const cases[][2] = {
        {"a,b\n1,2\n", "1|a|b\n2|1|2\n"},
        {"a,b\r\n1,2", "1|a|b\n2|1|2\n"},
        {"a,b\r1,2\r", "1|a|b\n2|1|2\n"},
        {"a;b;c,d\n1;2;3", "1|a|b|c,d\n2|1|2|3\n"},
        {"a\tb c\n1\t2", "1|a|b c\n2|1|2\n"},
        {"sep=;\na;b,c\n", "2|a|b,c\n"},
        {"\n\n a , b \n\n,,\n 1 ,2", "3|a|b\n6|1|2\n"},
        {"a,b\n\"x,\ny\",\"say \"\"so\"\"\"\nz,1\n", "1|a|b\n2|x,\ny|say \"so\"\n4|z|1\n"},
        {"a,b\n\"x\"y,1\" tall\n", "1|a|b\n2|xy|1\" tall\n"},
        {"a,b\n\" x \",\"\"\n", "1|a|b\n2| x |\n"},
        {"a,b\n1,\"2\n3,4\n", "1|a|b\n2!\n3|3|4\n"},
        {"a,b\n1,2,", "1|a|b\n2|1|2|\n"},
        {"", ""},
        {"\"", "1!\n"},
        {"a", "1|a\n"},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(cases); i++) {
        char *all = shown(cases[i][0], strlen(cases[i][0]));
        assert_string_equal(all, cases[i][1]);
        free(all);
    }
}

static void bounds_are_kept_and_the_next_row_goes_on(void **state)
{
    struct se_str text = {0};
    se_str_puts(&text, "a,b\n");
    for (int i = 0; i < 70; i++)
        se_str_puts(&text, "x,");
    se_str_puts(&text, "\n");
    for (int i = 0; i < 5000; i++)
        se_str_puts(&text, "y");
    se_str_puts(&text, "\n1,2\n");
    for (int i = 0; i < 20; i++) {
        for (int n = 0; n < 4000; n++)
            se_str_puts(&text, "z");
        se_str_puts(&text, ",");
    }
    se_str_puts(&text, "\n3,4\n");
    se_str_add(&text, "5,\0,6\n7,8\n", 10);
    char *all = shown(text.data, text.len);
    assert_string_equal(all, "1|a|b\n2!\n3!\n4|1|2\n5!\n6|3|4\n7!\n8|7|8\n");
    free(all);
    se_str_fini(&text);
}

static void encodings_are_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *ask, *is, *text;
    } cases[] = {
        {"\xe5\x90\x8d", 3, "auto", "utf-8", "名"},
        {"\xef\xbb\xbf\xe5\x90\x8d", 6, "auto", "utf-8", "名"},
        {"\xef\xbb\xbf\xe5\x90\x8d", 6, "utf-8", "utf-8", "名"},
        {"\xc3\xfb\xb3\xc6", 4, "auto", "gb18030", "名称"},
        {"\xc3\xfb\xb3\xc6", 4, "gb18030", "gb18030", "名称"},
        {"\xff\xfe\x0d\x54", 4, "auto", "utf-16", "名"},
        {"\xfe\xff\x54\x0d", 4, "auto", "utf-16", "名"},
        {"\x81\x30\x81\x34\x41", 5, "auto", "gb18030",
         "\xc2\x84"
         "A"},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(cases); i++) {
        char *text = NULL;
        size_t size = 0;
        const char *encoding = NULL;
        assert_int_equal(
            import_text(cases[i].bytes, cases[i].size, cases[i].ask, &text, &size, &encoding, NULL), 0);
        assert_string_equal(encoding, cases[i].is);
        assert_int_equal(size, strlen(cases[i].text));
        assert_memory_equal(text, cases[i].text, size);
        free(text);
    }
}

static void what_is_no_text_is_refused_in_words(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *ask, *word;
    } cases[] = {
        {"PK\x03\x04xyz", 7, "auto", "workbook"}, {"a\0b", 3, "auto", "NUL"},
        {"\xff\xff", 2, "auto", "GB18030"},       {"\xc3\xfb\xb3\xc6", 4, "utf-8", "UTF-8"},
        {"ok\n\xff", 4, "gb18030", "line 2"},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(cases); i++) {
        char *text = NULL;
        size_t size = 0;
        const char *encoding = NULL;
        struct se_err err = {0};
        int r = import_text(cases[i].bytes, cases[i].size, cases[i].ask, &text, &size, &encoding, &err);
        assert_int_equal(r, -EINVAL);
        assert_non_null(strstr(err.text, cases[i].word));
        assert_null(text);
    }
}

/* The first row of a text as headings. */
static int headings(const char *text, struct import_columns *ret, struct se_err *err)
{
    struct csv csv;
    static struct csv_row row;
    csv_init(&csv, text, strlen(text));
    assert_int_equal(csv_next(&csv, &row, NULL), 1);
    return import_columns_read(&row, ret, err);
}

static void headings_in_many_tongues(void **state)
{
    static const char *const cases[] = {
        "code,name,url",
        "CODE , Camera_Name, Main URL *",
        "国标编码,名称,主码流地址",
        "设备编号：,通道名称（必填）,RTSP地址(rtsp://)",
        "\"编 码\",摄像机名称,取流地址",
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(cases); i++) {
        struct import_columns columns;
        assert_int_equal(headings(cases[i], &columns, NULL), 0);
        assert_int_equal(columns.at[COLUMN_CODE], 0);
        assert_int_equal(columns.at[COLUMN_NAME], 1);
        assert_int_equal(columns.at[COLUMN_MAIN_URL], 2);
        assert_int_equal(columns.at[COLUMN_LAT], -1);
        assert_int_equal(json_array_size(columns.ignored), 0);
        import_columns_fini(&columns);
    }
    struct import_columns columns;
    struct se_err err = {0};
    assert_int_equal(headings("名称,备注,部门", &columns, &err), -EINVAL);
    assert_non_null(strstr(err.text, "code (编码)"));
    assert_non_null(strstr(err.text, "main_url"));
    assert_null(strstr(err.text, "name (名称)"));
    assert_int_equal(headings("编码,名称,url,编号", &columns, &err), -EINVAL);
    assert_non_null(strstr(err.text, "code"));
    assert_int_equal(headings("编码,名称,url,备注,厂家", &columns, NULL), 0);
    assert_int_equal(json_array_size(columns.ignored), 2);
    assert_string_equal(json_string_value(json_array_get(columns.ignored, 0)), "备注");
    import_columns_fini(&columns);
}

static json_t *row_of(const char *text, bool gcj02, bool has_sub, json_t *errors)
{
    struct csv csv;
    static struct csv_row row;
    struct import_columns columns;
    csv_init(&csv, text, strlen(text));
    assert_int_equal(csv_next(&csv, &row, NULL), 1);
    assert_int_equal(import_columns_read(&row, &columns, NULL), 0);
    assert_int_equal(csv_next(&csv, &row, NULL), 1);
    json_t *camera = import_row_json(&columns, &row, gcj02, has_sub, errors);
    import_columns_fini(&columns);
    assert_non_null(camera);
    return camera;
}

#define HEAD "code,name,lat,lon,url,suburl,username,password,transport,enabled,record_mode,retention_days\n"

static void a_row_says_what_a_request_would(void **state)
{
    static const struct {
        const char *row, *json;
    } cases[] = {
        {"c1,门,23.5,113.25,rtsp://h/1,rtsp://h/2,u,p,TCP,是,按需,7天",
         "{\"code\":\"c1\",\"enabled\":true,\"location\":{\"lat\":23.5,\"lon\":113.25},\"name\":\"门\","
         "\"record\":{\"mode\":\"on_demand\",\"retention_days\":7},\"streams\":["
         "{\"password\":\"p\",\"role\":\"main\",\"transport\":\"tcp\",\"url\":\"rtsp://h/1\",\"username\":"
         "\"u\"},{\"password\":\"p\",\"role\":\"sub\",\"transport\":\"tcp\",\"url\":\"rtsp://h/2\","
         "\"username\":\"u\"}]}"},
        {"c1,,,,rtsp://h/1,,,,,停用,,",
         "{\"code\":\"c1\",\"enabled\":false,\"streams\":[{\"role\":\"main\",\"url\":\"rtsp://h/1\"}]}"},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(cases); i++) {
        char *text = se_asprintf(HEAD "%s\n", cases[i].row);
        se_json_ *errors = json_array();
        se_json_ *camera = row_of(text, false, false, errors);
        char *json = se_json_text(camera);
        assert_int_equal(json_array_size(errors), 0);
        assert_string_equal(json, cases[i].json);
        free(json);
        free(text);
    }
    se_json_ *errors = json_array();
    se_json_ *camera = row_of(HEAD "c1,n,39.91640428,116.41024449,rtsp://h/1\n", true, true, errors);
    const json_t *location = json_object_get(camera, "location");
    assert_true(se_json_real(location, "lat", 0) > 39.914999 && se_json_real(location, "lat", 0) < 39.915001);
    assert_int_equal(json_array_size(json_object_get(camera, "streams")), 2);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *row, *field;
    } cases[] = {
        {"c,n,91,113,rtsp://h/1", "lat"},
        {"c,n,nan,113,rtsp://h/1", "lat"},
        {"c,n,23,113 east,rtsp://h/1", "lon"},
        {"c,n,23,,rtsp://h/1", "lon"},
        {"c,n,,,rtsp://h/1,,,,pigeon", "transport"},
        {"c,n,,,rtsp://h/1,rtsp://h/2,,,pigeon", "transport"},
        {"c,n,,,rtsp://h/1,,,,,maybe", "enabled"},
        {"c,n,,,rtsp://h/1,,,,,,sometimes", "record_mode"},
        {"c,n,,,rtsp://h/1,,,,,,,0", "retention_days"},
        {"c,n,,,rtsp://h/1,,,,,,,3.5", "retention_days"},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(cases); i++) {
        char *text = se_asprintf(HEAD "%s\n", cases[i].row);
        se_json_ *errors = json_array();
        se_json_ *camera = row_of(text, false, false, errors);
        assert_int_equal(json_array_size(errors), 1);
        assert_string_equal(se_json_str(json_array_get(errors, 0), "field", ""), cases[i].field);
        free(text);
    }
    assert_string_equal(import_field_name("streams/1/url"), "sub_url");
    assert_string_equal(import_field_name("streams/0/password"), "password");
    assert_string_equal(import_field_name("name"), "name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(bounds_are_kept_and_the_next_row_goes_on),
        cmocka_unit_test(encodings_are_told),
        cmocka_unit_test(what_is_no_text_is_refused_in_words),
        cmocka_unit_test(headings_in_many_tongues),
        cmocka_unit_test(a_row_says_what_a_request_would),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
