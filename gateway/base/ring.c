#include "base/ring.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/time.h"
#include "base_metrics.h"

/* The eventfd holds 1 exactly while count > 0; both change under the mutex, so a
 * consumer that polls it never misses an item and never wakes for nothing twice. */
struct se_ring {
    pthread_mutex_t mutex;
    int fd;
    size_t capacity, head, count;
    uint64_t overflows;
    void *items[];
};

int se_ring_new(size_t capacity, struct se_ring **ret_ring)
{
    struct se_ring *ring;
    int fd;

    assert(capacity > 0);
    if (capacity > (SIZE_MAX - sizeof(*ring)) / sizeof(void *))
        return -ENOMEM;
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    ring = calloc(1, sizeof(*ring) + capacity * sizeof(void *));
    if (!ring) {
        close(fd);
        return -ENOMEM;
    }
    pthread_mutex_init(&ring->mutex, NULL);
    ring->fd = fd;
    ring->capacity = capacity;
    *ret_ring = ring;
    return 0;
}

void se_ring_free(struct se_ring *ring)
{
    if (!ring)
        return;
    close(ring->fd);
    pthread_mutex_destroy(&ring->mutex);
    free(ring);
}

int se_ring_push(struct se_ring *ring, void *item)
{
    int r = 0;

    assert(item);
    pthread_mutex_lock(&ring->mutex);
    if (ring->count == ring->capacity) {
        ring->overflows++;
        r = -EAGAIN;
    } else {
        ring->items[(ring->head + ring->count) % ring->capacity] = item;
        if (ring->count++ == 0)
            eventfd_write(ring->fd, 1);
    }
    pthread_mutex_unlock(&ring->mutex);
    if (r < 0)
        se_metric_add(&base_metrics[BASE_METRIC_RING_OVERFLOWS], 1);
    return r;
}

void *se_ring_pop(struct se_ring *ring)
{
    void *item = NULL;
    eventfd_t ignored;

    pthread_mutex_lock(&ring->mutex);
    if (ring->count > 0) {
        item = ring->items[ring->head];
        ring->head = (ring->head + 1) % ring->capacity;
        if (--ring->count == 0)
            eventfd_read(ring->fd, &ignored);
    }
    pthread_mutex_unlock(&ring->mutex);
    return item;
}

void *se_ring_pop_wait(struct se_ring *ring, int timeout_ms)
{
    se_mono_us deadline = se_mono_now_us() + (int64_t)timeout_ms * 1000;

    for (;;) {
        void *item = se_ring_pop(ring);
        struct pollfd p = {.fd = ring->fd, .events = POLLIN};
        int64_t left_ms = -1;

        if (item)
            return item;
        if (timeout_ms >= 0) {
            left_ms = (deadline - se_mono_now_us() + 999) / 1000;
            if (left_ms <= 0)
                return NULL;
        }
        poll(&p, 1, (int)left_ms);
    }
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

uint64_t se_ring_overflows(struct se_ring *ring)
{
    uint64_t overflows;

    pthread_mutex_lock(&ring->mutex);
    overflows = ring->overflows;
    pthread_mutex_unlock(&ring->mutex);
    return overflows;
}
