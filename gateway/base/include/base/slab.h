/* Buffers that lie one behind the other in larger pieces of memory: for a maker of many that live about as
 * long, one allocation for dozens. A piece is freed with the last buffer in it. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/buf.h"

struct se_piece;
/* In the maker's memory, zero-initialised; one thread's. The buffers may go to any. */
struct se_slab {
    struct se_piece *piece; /* the one being filled */
    size_t used;            /* of it */
};

/* A buffer of at least size bytes (uninitialised), one reference. It has all the room that is left, until
 * se_slab_trim(). NULL: out of memory. */
struct se_buf *se_slab_take(struct se_slab *slab, size_t size);
/* Ends the newest buffer, not shared yet, behind its first size bytes; what lies behind is for the next one.
 */
void se_slab_trim(struct se_slab *slab, struct se_buf *buf, size_t size);
/* Buffers that are still held stay what they are. */
void se_slab_fini(struct se_slab *slab);

#endif
