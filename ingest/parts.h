/* What the parts of ingest share of the whole: for recordings, playback and snapshots. */
#ifndef INGEST_PARTS_H
#define INGEST_PARTS_H

#include "camera.h"
#include "ingest/ingest.h"
#include "stream.h"

/* All fixed between ingest_new() and ingest_free(); any thread. */
struct volumes *ingest_volumes(struct ingest *ingest);
const struct options *ingest_options(struct ingest *ingest);
const struct camera_host *ingest_host(struct ingest *ingest);
/* The loops in turn. */
struct se_loop *ingest_next_loop(struct ingest *ingest);
/* Whether a stream could be pulled as it is described; fields are named behind prefix ("streams/0/"). -EINVAL
 */
int ingest_stream_check(struct ingest *ingest, const struct camera_stream_spec *spec, const char *prefix,
                        struct se_err *err);

struct camera;
struct se_str;
/* The first max cameras by id, referenced; how many, and how many there are in all. Any thread. */
unsigned ingest_some_cameras(struct ingest *ingest, struct camera **ret_cameras, unsigned max,
                             unsigned *ret_all);
/* metrics_cameras.c: for se_metrics_collector(), with the ingest. */
void ingest_cameras_collect(struct se_str *out, void *ctx);

#endif
