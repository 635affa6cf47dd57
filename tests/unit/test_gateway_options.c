/* Options: where a value may come from, which one counts, and what every mistake says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "gateway/options.h"
#include "options_table.h"

static char *const no_environment[] = {NULL};

static char *write_file(const char *text)
{
    static char path[40];
    snprintf(path, sizeof(path), "/tmp/sharpeyes-options-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static struct options *load(const char *text, char *const *environment, const char *set)
{
    struct options *options = NULL;
    struct se_err err = {0};
    char *path = text ? write_file(text) : NULL;
    int r = options_load(path, environment, &set, set ? 1 : 0, &options, &err);
    if (path)
        unlink(path);
    if (r < 0)
        fail_msg("%s", err.text);
    return options;
}

/* Loading fails with -EINVAL and words that hold both pieces; nothing is handed out. */
static void refused(const char *text, char *const *environment, const char *set, const char *piece,
                    const char *second)
{
    struct options *options = (struct options *)0x1;
    struct se_err err = {0};
    char *path = text ? write_file(text) : NULL;
    int r = options_load(path, environment, &set, set ? 1 : 0, &options, &err);
    if (path)
        unlink(path);
    assert_int_equal(r, -22);
    assert_int_equal(err.code, -22);
    assert_ptr_equal(options, 0x1);
    if (!strstr(err.text, piece) || !strstr(err.text, second))
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.text, piece, second);
}

static void defaults_hold(void **state)
{
    struct options *options = load(NULL, no_environment, "gateway.data_dir=/d");
    assert_string_equal(options_text(options, "http.listen"), "127.0.0.1:8080");
    assert_string_equal(options_text(options, "gateway.timezone"), "Asia/Shanghai");
    assert_string_equal(options_text(options, "store.url"), "sqlite:/d/sharpeyes.db");
    assert_int_equal(options_int(options, "ingest.stall_ms"), 8000);
    assert_true(options_real(options, "access.session_hours") == 12.0);
    const struct option_volume *volumes;
    assert_int_equal(options_volumes(options, &volumes), 1);
    assert_string_equal(volumes[0].name, "main");
    assert_string_equal(volumes[0].path, "/d/recordings");
    options_free(options);
}

static void every_row_reads_as_its_own_default(void **state)
{
    struct options *options = load(NULL, no_environment, NULL);
    for (unsigned i = 0; i < options_table_count; i++) {
        const struct option_def *row = &options_table[i];
        char name[96];
        snprintf(name, sizeof(name), "%s.%s", row->section, row->key);
        assert_true(row->help && *row->help);
        if (strcmp(row->section, "volume") == 0)
            continue;
        if (row->type == OPTION_INT || row->type == OPTION_REAL) {
            double value =
                row->type == OPTION_INT ? (double)options_int(options, name) : options_real(options, name);
            if (!(value >= row->min && value <= row->max && row->min < row->max))
                fail_msg("the default of %s is out of its own bounds", name);
        } else if (row->type == OPTION_TEXT) {
            assert_non_null(options_text(options, name));
        }
        for (unsigned j = 0; j < i; j++)
            if (strcmp(options_table[j].section, row->section) == 0 &&
                strcmp(options_table[j].key, row->key) == 0)
                fail_msg("%s stands twice in the table", name);
        if (i && strcmp(options_table[i - 1].section, row->section) != 0)
            for (unsigned j = 0; j < i; j++)
                if (strcmp(options_table[j].section, row->section) == 0)
                    fail_msg("the rows of [%s] do not lie together", row->section);
    }
    options_free(options);
}

static void later_counts(void **state)
{
    static const char file[] =
        "; a comment\n[http]\n  listen = 0.0.0.0:1 ; inline\nworkers=7\n[store]\nreaders=3\n";
    char *const environment[] = {(char[]){"HOME=/x"}, (char[]){"SHARPEYES_HTTP_WORKERS=8"},
                                 (char[]){"SHARPEYES_STORE_READERS=9"}, NULL};
    struct options *options = load(file, environment, "store.readers=10");
    assert_string_equal(options_text(options, "http.listen"), "0.0.0.0:1");
    assert_int_equal(options_int(options, "http.workers"), 8);
    assert_int_equal(options_int(options, "store.readers"), 10);
    options_free(options);
}

static void volumes_are_named(void **state)
{
    static const char file[] = "[volume b]\npath=/b\n[volume a]\npath=/a\n";
    char *const environment[] = {(char[]){"SHARPEYES_VOLUME_A_PATH=/a2"},
                                 (char[]){"SHARPEYES_VOLUME_BIG_DISK_PATH=/c"}, NULL};
    struct options *options = load(file, environment, "volume.b.path=/b=2");
    const struct option_volume *volumes;
    assert_int_equal(options_volumes(options, &volumes), 3);
    assert_string_equal(volumes[0].name, "b");
    assert_string_equal(volumes[0].path, "/b=2");
    assert_string_equal(volumes[1].path, "/a2");
    assert_string_equal(volumes[2].name, "big_disk");
    assert_string_equal(volumes[2].path, "/c");
    options_free(options);
}

static void mistakes_in_the_file_name_the_line(void **state)
{
    refused("[http]\n\nlisten=x\nlisen=y\n", no_environment, NULL, ":4:", "unknown key \"lisen\"");
    refused("[htp]\nlisten=x\n", no_environment, NULL, ":2:", "unknown section \"htp\"");
    refused("listen=x\n", no_environment, NULL, ":1:", "unknown section");
    refused("[http]\nworkers=many\n", no_environment, NULL, ":2:", "whole number");
    refused("[http]\nworkers=4.5\n", no_environment, NULL, ":2:", "whole number");
    refused("[http]\nworkers=\n", no_environment, NULL, ":2:", "whole number");
    refused("[http]\nworkers=0\n", no_environment, NULL, ":2:", "between 1 and 64");
    refused("[http]\nworkers=99999999999999999999\n", no_environment, NULL, ":2:", "whole number");
    refused("[access]\nsession_hours=nan\n", no_environment, NULL, ":2:", "number");
    refused("[http]\nworkers=4\nworkers=5\n", no_environment, NULL, ":3:", "set twice");
    refused("[http]\nworkers\n", no_environment, NULL, ":2:", "key = value");
    refused("[http\nworkers=1\n", no_environment, NULL, ":1:", "[section]");
    refused("[volume]\npath=/x\n", no_environment, NULL, ":2:", "needs a name");
    refused("[volume Main]\npath=/x\n", no_environment, NULL, ":2:", "\"Main\"");
    refused("[volume a]\nsize=1\n", no_environment, NULL, ":2:", "unknown key \"size\"");
    refused("[volume a]\npath=\n", no_environment, NULL, "volume.a.path", "not set");
    refused("[gateway]\ndata_dir=\xff\xfe\n", no_environment, NULL, ":2:", "UTF-8");
    refused("[gateway]\nlog_level=loud\n", no_environment, NULL, "log_level", "debug");
    refused("[gateway]\ndata_dir=\n", no_environment, NULL, "data_dir", "empty");
    char line[400];
    snprintf(line, sizeof(line), "[gateway]\ndata_dir=/%0300d\n", 0);
    refused(line, no_environment, NULL, ":2:", "longer than 198");
}

static void a_file_that_is_not_text_or_not_there(void **state)
{
    struct options *options = NULL;
    struct se_err err = {0};
    assert_int_equal(options_load("/nonexistent/sharpeyes.ini", no_environment, NULL, 0, &options, &err), -2);
    assert_non_null(strstr(err.text, "/nonexistent/sharpeyes.ini"));
    char path[] = "/tmp/sharpeyes-options-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "[http]\n\0\0\n", 10), 10);
    close(fd);
    assert_int_equal(options_load(path, no_environment, NULL, 0, &options, &err), -22);
    assert_non_null(strstr(err.text, ":2: holds a NUL byte"));
    unlink(path);
    assert_null(options);
}

static void mistakes_in_environment_and_arguments(void **state)
{
    char *const unknown[] = {(char[]){"SHARPEYES_HTTP_LISEN=x"}, NULL};
    refused(NULL, unknown, NULL, "SHARPEYES_HTTP_LISEN", "unknown option");
    char *const bad[] = {(char[]){"SHARPEYES_HTTP_WORKERS=x"}, NULL};
    refused(NULL, bad, NULL, "SHARPEYES_HTTP_WORKERS", "whole number");
    char *const volume[] = {(char[]){"SHARPEYES_VOLUME_PATH=/x"}, NULL};
    refused(NULL, volume, NULL, "SHARPEYES_VOLUME_PATH", "unknown option");
    refused(NULL, no_environment, "http.lisen=x", "--set http.lisen", "unknown key");
    refused(NULL, no_environment, "htp.listen=x", "--set htp.listen", "unknown section");
    refused(NULL, no_environment, "http.listen", "--set wants", "section.key=value");
    refused(NULL, no_environment, "listen=1.2", "--set wants", "section.key=value");
    refused(NULL, no_environment, "http.workers=0", "--set http.workers", "between");
    refused(NULL, no_environment, "volume.path=/x", "needs a name", "volume.NAME.path");
    refused(NULL, no_environment, "volume.A.path=/x", "a volume is named", "\"A\"");
    refused(NULL, no_environment, "volume.a.pth=/x", "unknown key", "pth");
}

static void too_many_volumes(void **state)
{
    char text[4096];
    size_t len = 0;
    for (int i = 0; i < 65; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "[volume v%d]\npath=/v\n", i);
    refused(text, no_environment, NULL, ":130:", "more than 64 volumes");
}

static void printing_shows_all_and_reads_back(void **state)
{
    struct options *options = load(NULL, no_environment, "http.workers=13");
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    options_print(options, out);
    fclose(out);
    assert_non_null(strstr(text, "workers = 13"));
    assert_non_null(strstr(text, "[volume main]"));
    struct options *again = load(text, no_environment, NULL);
    assert_int_equal(options_int(again, "http.workers"), 13);
    options_free(again);
    options_free(options);
    free(text);
    out = open_memstream(&text, &size);
    options_help(out);
    fclose(out);
    for (unsigned i = 0; i < options_table_count; i++)
        assert_non_null(strstr(text, options_table[i].key));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(every_row_reads_as_its_own_default),
        cmocka_unit_test(later_counts),
        cmocka_unit_test(volumes_are_named),
        cmocka_unit_test(mistakes_in_the_file_name_the_line),
        cmocka_unit_test(a_file_that_is_not_text_or_not_there),
        cmocka_unit_test(mistakes_in_environment_and_arguments),
        cmocka_unit_test(too_many_volumes),
        cmocka_unit_test(printing_shows_all_and_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
