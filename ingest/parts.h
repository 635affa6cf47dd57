/* What the parts of ingest share of the whole: for recordings, playback and snapshots. */
#ifndef INGEST_PARTS_H
#define INGEST_PARTS_H

#include "ingest/ingest.h"
#include "stream.h"

/* All fixed between ingest_new() and ingest_free(); any thread. */
struct volumes *ingest_volumes(struct ingest *ingest);
const struct options *ingest_options(struct ingest *ingest);

#endif
