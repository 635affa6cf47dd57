#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/metrics.h"

/* Entries of a directory but for the first few that are not meant: ".", "..", … */
static double count_entries(const char *path, double but)
{
    DIR *directory = opendir(path);
    double count = 0;
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count > but ? count - but : 0;
}

static double resident_bytes(void)
{
    long pages = 0;
    FILE *in = fopen("/proc/self/statm", "re");
    if (in && fscanf(in, "%*d %ld", &pages) != 1)
        pages = 0;
    if (in)
        fclose(in);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void one(struct se_str *out, const char *name, const char *help, enum se_metric_type type,
                double value)
{
    se_metrics_family(out, name, help, type);
    se_metrics_sample(out, name, NULL, NULL, value);
}

void process_metrics(struct se_str *out, void *ctx)
{
    /* The listing of descriptors holds one itself. */
    one(out, "process_open_fds", "Open file descriptors.", SE_GAUGE, count_entries("/proc/self/fd", 3));
    one(out, "process_threads", "Threads.", SE_GAUGE, count_entries("/proc/self/task", 2));
    one(out, "process_resident_memory_bytes", "Memory that is resident.", SE_GAUGE, resident_bytes());
    one(out, "process_cpu_seconds_total", "CPU time used, user and system.", SE_COUNTER, cpu_seconds());
}
