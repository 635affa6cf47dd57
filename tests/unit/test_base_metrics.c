/* base/metrics.h: the Prometheus text format, one HELP and TYPE for each family. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/metrics.h"

static struct se_metric first[] = {
    {"test_frames_total", "Frames.\nBackslash \\ too.", SE_COUNTER, "cause=\"full\"", 0},
    {"test_frames_total", "Frames.\nBackslash \\ too.", SE_COUNTER, "cause=\"late\"", 0},
    {"test_open", "Open now.", SE_GAUGE, NULL, 0},
};
static struct se_metric second[] = {
    {"test_frames_total", "Frames.\nBackslash \\ too.", SE_COUNTER, "cause=\"gone\"", 0},
};

static int count(const char *text, const char *what)
{
    int n = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

static void families_are_whole(void **state)
{
    struct se_str out = {0};

    se_metrics_register(first, SE_ARRAY_LEN(first));
    se_metrics_register(second, SE_ARRAY_LEN(second));
    se_metrics_register(first, SE_ARRAY_LEN(first)); /* again: nothing changes */
    se_metric_add(&first[0], 2);
    se_metric_add(&first[0], 3);
    se_metric_set(&first[2], -4);
    se_metric_add(&second[0], 1);
    se_metrics_render(&out);
    assert_non_null(strstr(out.data, "# HELP test_frames_total Frames.\\nBackslash \\\\ too.\n"
                                     "# TYPE test_frames_total counter\n"
                                     "test_frames_total{cause=\"full\"} 5\n"
                                     "test_frames_total{cause=\"late\"} 0\n"
                                     "test_frames_total{cause=\"gone\"} 1\n"
                                     "# HELP test_open Open now.\n# TYPE test_open gauge\ntest_open -4\n"));
    assert_int_equal(count(out.data, "# TYPE test_frames_total"), 1);
    assert_int_equal(count(out.data, "# TYPE sharpeyes_pool_refused_total counter"), 1);
    se_str_fini(&out);
}

static void collect(struct se_str *out, void *ctx)
{
    se_metrics_family(out, ctx, "Cameras.", SE_GAUGE);
    se_metrics_sample(out, ctx, "name", "a\"b\\c\nd", 1.5);
    se_metrics_sample(out, ctx, NULL, NULL, 12345678901.0);
    se_metrics_sample(out, ctx, "x", "inf", 1.0 / 0.0);
}

static void collectors_write_until_removed(void **state)
{
    struct se_str out = {0};
    static char a[] = "test_a", b[] = "test_b";

    se_metrics_collector(collect, a);
    se_metrics_collector(collect, b);
    se_metrics_render(&out);
    assert_non_null(strstr(out.data, "# TYPE test_a gauge\n"
                                     "test_a{name=\"a\\\"b\\\\c\\nd\"} 1.5\n"
                                     "test_a 12345678901\n"
                                     "test_a{x=\"inf\"} +Inf\n"
                                     "# HELP test_b "));
    se_str_fini(&out);
    se_metrics_collector_remove(collect, a);
    se_metrics_collector_remove(collect, a);
    se_metrics_render(&out);
    assert_null(strstr(out.data, "test_a"));
    assert_non_null(strstr(out.data, "test_b"));
    se_metrics_collector_remove(collect, b);
    se_str_fini(&out);
}

static int floods;

static void count_collector(struct se_str *out, void *ctx)
{
    floods++;
}

static void collectors_are_bounded(void **state)
{
    static char contexts[80];
    struct se_str out = {0};

    for (size_t i = 0; i < sizeof(contexts); i++)
        se_metrics_collector(count_collector, &contexts[i]);
    se_metrics_render(&out);
    assert_int_equal(floods, 64);
    for (size_t i = 0; i < sizeof(contexts); i++)
        se_metrics_collector_remove(count_collector, &contexts[i]);
    se_str_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_whole),
        cmocka_unit_test(collectors_write_until_removed),
        cmocka_unit_test(collectors_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
