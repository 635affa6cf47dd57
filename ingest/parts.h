/* What the parts of ingest share of the whole: for recordings, playback and snapshots. */
#ifndef INGEST_PARTS_H
#define INGEST_PARTS_H

#include "ingest/ingest.h"
#include "stream.h"

/* All fixed between ingest_new() and ingest_free(); any thread. */
struct volumes *ingest_volumes(struct ingest *ingest);
const struct options *ingest_options(struct ingest *ingest);

struct camera;
struct se_str;
/* The first max cameras by id, referenced; how many, and how many there are in all. Any thread. */
unsigned ingest_some_cameras(struct ingest *ingest, struct camera **ret_cameras, unsigned max,
                             unsigned *ret_all);
/* metrics_cameras.c: for se_metrics_collector(), with the ingest. */
void ingest_cameras_collect(struct se_str *out, void *ctx);

#endif
