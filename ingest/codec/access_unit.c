#include "access_unit.h"

#include <stdlib.h>

struct access_unit *access_unit_new(enum codec codec, struct se_buf *data)
{
    struct access_unit *unit = calloc(1, sizeof(*unit));
    if (!unit) {
        se_buf_unref(&data);
        return NULL;
    }
    atomic_init(&unit->refs, 1);
    unit->codec = codec;
    unit->data = data;
    return unit;
}

struct access_unit *access_unit_new_in(struct se_slab *slab, enum codec codec, struct se_buf *data)
{
    struct se_buf *home = se_slab_take(slab, sizeof(struct access_unit));
    if (!home) {
        se_buf_unref(&data);
        return NULL;
    }
    se_slab_trim(slab, home, sizeof(struct access_unit));
    struct access_unit *unit = (struct access_unit *)(void *)home->data;
    *unit = (struct access_unit){.codec = codec, .data = data, .home = home};
    atomic_init(&unit->refs, 1);
    return unit;
}

struct access_unit *access_unit_ref(struct access_unit *unit)
{
    atomic_fetch_add_explicit(&unit->refs, 1, memory_order_relaxed);
    return unit;
}

void access_unit_unref(struct access_unit **unit)
{
    struct access_unit *u = *unit;
    *unit = NULL;
    if (!u || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
        return;
    se_buf_unref(&u->data);
    struct se_buf *home = u->home;
    if (home)
        se_buf_unref(&home); /* and the unit with it */
    else
        free(u);
}
