#include "base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base_metrics.h"

#define TABLES_MAX     128
#define COLLECTORS_MAX 64

struct se_metric base_metrics[BASE_METRIC_COUNT_] = {
    [BASE_METRIC_RING_OVERFLOWS] = {"sharpeyes_ring_overflows_total",
                                    "Records refused by a bounded queue between threads because it was full.",
                                    SE_COUNTER, NULL, 0},
    [BASE_METRIC_POOL_REFUSED] = {"sharpeyes_pool_refused_total",
                                  "Jobs refused by a worker pool because its queue was full.", SE_COUNTER,
                                  NULL, 0},
    [BASE_METRIC_LOG_LEFT_OUT] = {"sharpeyes_log_lines_left_out_total",
                                  "Log lines left out because their place in the program said too much.",
                                  SE_COUNTER, NULL, 0},
};

struct table {
    struct se_metric *rows;
    unsigned count;
};
static pthread_mutex_t tables_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct table tables[TABLES_MAX] = {{base_metrics, BASE_METRIC_COUNT_}};
static unsigned table_count = 1;

struct collector {
    void (*fn)(struct se_str *out, void *ctx);
    void *ctx;
};
/* Held while collectors run, so that a removed one is not running any more. */
static pthread_mutex_t collectors_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct collector collectors[COLLECTORS_MAX];
static unsigned collector_count;

void se_metrics_register(struct se_metric *table, unsigned count)
{
    bool full = false;

    pthread_mutex_lock(&tables_mutex);
    for (unsigned i = 0; i < table_count; i++)
        if (tables[i].rows == table)
            goto out;
    full = table_count == TABLES_MAX;
    if (!full)
        tables[table_count++] = (struct table){table, count};
out:
    pthread_mutex_unlock(&tables_mutex);
    if (full)
        se_error("metrics", "table not registered, raise TABLES_MAX family=%s", table[0].name);
}

void se_metrics_collector(void (*fn)(struct se_str *out, void *ctx), void *ctx)
{
    bool full;

    pthread_mutex_lock(&collectors_mutex);
    full = collector_count == COLLECTORS_MAX;
    if (!full)
        collectors[collector_count++] = (struct collector){fn, ctx};
    pthread_mutex_unlock(&collectors_mutex);
    if (full)
        se_error("metrics", "collector not registered, there are %d already", COLLECTORS_MAX);
}

void se_metrics_collector_remove(void (*fn)(struct se_str *out, void *ctx), void *ctx)
{
    pthread_mutex_lock(&collectors_mutex);
    for (unsigned i = 0; i < collector_count; i++) {
        if (collectors[i].fn != fn || collectors[i].ctx != ctx)
            continue;
        collector_count--;
        memmove(&collectors[i], &collectors[i + 1], (collector_count - i) * sizeof(collectors[0]));
        break;
    }
    pthread_mutex_unlock(&collectors_mutex);
}

static void escape(struct se_str *out, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\n')
            se_str_puts(out, "\\n");
        else if (*text == '\\')
            se_str_puts(out, "\\\\");
        else if (*text == '"' && quotes)
            se_str_puts(out, "\\\"");
        else
            se_str_add(out, text, 1);
    }
}

void se_metrics_escape(struct se_str *out, const char *label_value)
{
    escape(out, label_value, true);
}

void se_metrics_family(struct se_str *out, const char *name, const char *help, enum se_metric_type type)
{
    se_str_printf(out, "# HELP %s ", name);
    escape(out, help, false);
    se_str_printf(out, "\n# TYPE %s %s\n", name, type == SE_COUNTER ? "counter" : "gauge");
}

void se_metrics_sample(struct se_str *out, const char *name, const char *label, const char *label_value,
                       double value)
{
    se_str_puts(out, name);
    if (label) {
        se_str_printf(out, "{%s=\"", label);
        escape(out, label_value ? label_value : "", true);
        se_str_puts(out, "\"}");
    }
    if (isnan(value))
        se_str_puts(out, " NaN\n");
    else if (isinf(value))
        se_str_puts(out, value > 0 ? " +Inf\n" : " -Inf\n");
    else
        se_str_printf(out, " %.15g\n", value);
}

/* The format wants all samples of a family in one group, whichever tables they are in. */
static void render_family(struct se_str *out, const struct se_metric *first)
{
    se_metrics_family(out, first->name, first->help, first->type);
    for (unsigned t = 0; t < table_count; t++) {
        for (unsigned i = 0; i < tables[t].count; i++) {
            struct se_metric *m = &tables[t].rows[i];
            long long value = atomic_load_explicit(&m->value, memory_order_relaxed);

            if (strcmp(m->name, first->name) != 0)
                continue;
            if (m->labels)
                se_str_printf(out, "%s{%s} %lld\n", m->name, m->labels, value);
            else
                se_str_printf(out, "%s %lld\n", m->name, value);
        }
    }
}

static bool seen_before(unsigned table, unsigned row)
{
    const char *name = tables[table].rows[row].name;

    for (unsigned t = 0; t <= table; t++) {
        unsigned end = t == table ? row : tables[t].count;

        for (unsigned i = 0; i < end; i++)
            if (strcmp(tables[t].rows[i].name, name) == 0)
                return true;
    }
    return false;
}

void se_metrics_render(struct se_str *out)
{
    pthread_mutex_lock(&tables_mutex);
    for (unsigned t = 0; t < table_count; t++)
        for (unsigned i = 0; i < tables[t].count; i++)
            if (!seen_before(t, i))
                render_family(out, &tables[t].rows[i]);
    pthread_mutex_unlock(&tables_mutex);

    pthread_mutex_lock(&collectors_mutex);
    for (unsigned i = 0; i < collector_count; i++)
        collectors[i].fn(out, collectors[i].ctx);
    pthread_mutex_unlock(&collectors_mutex);
}
