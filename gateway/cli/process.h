/* The process's own figures on /metrics: descriptors, threads, memory, CPU. */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include "base/str.h"

/* A collector for se_metrics_collector(); ctx is not used. */
void process_metrics(struct se_str *out, void *ctx);

#endif
