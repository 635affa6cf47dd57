#include "base/ring.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base_metrics.h"

#define FIRST_CAPACITY 64

/* The eventfd holds 1 exactly while count > 0; both change under the mutex, so a
 * consumer that polls it never misses a record and never wakes for nothing twice. */
struct se_ring {
    pthread_mutex_t mutex;
    int fd;
    size_t item_size, bound;
    size_t capacity, head, count; /* of items; capacity grows up to bound */
    char *items;
};

static char *place(const struct se_ring *ring, size_t i)
{
    return ring->items + (ring->head + i) % ring->capacity * ring->item_size;
}

static int grow(struct se_ring *ring)
{
    size_t capacity = ring->capacity > 0 ? ring->capacity * 2 : FIRST_CAPACITY;
    char *items;

    if (capacity > ring->bound)
        capacity = ring->bound;
    items = calloc(capacity, ring->item_size);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < ring->count; i++)
        memcpy(items + i * ring->item_size, place(ring, i), ring->item_size);
    free(ring->items);
    ring->items = items;
    ring->capacity = capacity;
    ring->head = 0;
    return 0;
}

int se_ring_new(size_t item_size, size_t bound, struct se_ring **ret_ring)
{
    struct se_ring *ring;

    assert(item_size > 0 && bound > 0);
    ring = calloc(1, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    ring->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ring->fd < 0) {
        int r = -errno;

        free(ring);
        return r;
    }
    pthread_mutex_init(&ring->mutex, NULL);
    ring->item_size = item_size;
    ring->bound = bound;
    if (grow(ring) < 0) { /* now, so that an empty ring can always take a record */
        se_ring_free(ring);
        return -ENOMEM;
    }
    *ret_ring = ring;
    return 0;
}

void se_ring_free(struct se_ring *ring)
{
    if (!ring)
        return;
    close(ring->fd);
    pthread_mutex_destroy(&ring->mutex);
    free(ring->items);
    free(ring);
}

int se_ring_push(struct se_ring *ring, const void *item)
{
    int r = 0;

    pthread_mutex_lock(&ring->mutex);
    if (ring->count == ring->bound)
        r = -EAGAIN;
    else if (ring->count == ring->capacity)
        r = grow(ring);
    if (r == 0) {
        memcpy(place(ring, ring->count), item, ring->item_size);
        if (ring->count++ == 0)
            eventfd_write(ring->fd, 1);
    }
    pthread_mutex_unlock(&ring->mutex);
    if (r == -EAGAIN)
        se_metric_add(&base_metrics[BASE_METRIC_RING_OVERFLOWS], 1);
    return r;
}

bool se_ring_pop(struct se_ring *ring, void *ret_item)
{
    eventfd_t ignored;
    bool any;

    pthread_mutex_lock(&ring->mutex);
    any = ring->count > 0;
    if (any) {
        memcpy(ret_item, place(ring, 0), ring->item_size);
        ring->head = (ring->head + 1) % ring->capacity;
        if (--ring->count == 0)
            eventfd_read(ring->fd, &ignored);
    }
    pthread_mutex_unlock(&ring->mutex);
    return any;
}

int se_ring_fd(const struct se_ring *ring)
{
    return ring->fd;
}

size_t se_ring_len(struct se_ring *ring)
{
    size_t count;

    pthread_mutex_lock(&ring->mutex);
    count = ring->count;
    pthread_mutex_unlock(&ring->mutex);
    return count;
}
