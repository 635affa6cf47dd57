/* Access units: one coded frame each, depacketized once, shared by all who need it. */
#ifndef INGEST_ACCESS_UNIT_H
#define INGEST_ACCESS_UNIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slab.h"
#include "base/time.h"
#include "ingest/params.h"

/* Immutable once shared. Video data is NAL units, each behind a 4-byte big-endian
 * length (ISO/IEC 14496-15), parameter sets and delimiters left out; audio data is one raw AAC frame. */
struct access_unit {
    _Atomic unsigned refs;
    enum codec codec;
    bool keyframe;         /* IDR or CRA/BLA: decoding can start here */
    int64_t pts_90k;       /* the camera's clock, unwrapped; may jump when the camera's does */
    se_mono_us arrived_us; /* when its last byte came */
    struct se_buf *data;
    struct se_buf *home; /* its own memory, where that is a slab's; else NULL */
};
struct access_unit *
access_unit_new(enum codec codec,
                struct se_buf *data); /* takes data's reference; NULL: no memory (data is dropped) */
/* The same, in memory of a slab. */
struct access_unit *access_unit_new_in(struct se_slab *slab, enum codec codec, struct se_buf *data);
struct access_unit *access_unit_ref(struct access_unit *unit);
void access_unit_unref(struct access_unit **unit);

#endif
