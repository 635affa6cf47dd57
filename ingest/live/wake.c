/* The descriptor that wakes whoever feeds live viewers: a timerfd, so that what happens within
 * 5 ms of a wake is covered by the next one without a write, and nothing is missed. */
#include "live/wake.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/time.h"

#define WAKE_GAP_US 5000

struct hub_shared {
    int fd;
    pthread_mutex_t lock;
    _Atomic se_mono_us due_us; /* of the newest wake that was asked for */
};

int hub_shared_new(struct hub_shared **ret_shared)
{
    struct hub_shared *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return -ENOMEM;
    shared->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (shared->fd < 0) {
        int r = -errno;
        free(shared);
        return r;
    }
    pthread_mutex_init(&shared->lock, NULL);
    *ret_shared = shared;
    return 0;
}

void hub_shared_free(struct hub_shared *shared)
{
    if (!shared)
        return;
    close(shared->fd);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

int hub_shared_fd(const struct hub_shared *shared)
{
    return shared->fd;
}

void hub_shared_wake(struct hub_shared *shared)
{
    /* Called after what it tells of was published: a wake still to come will show it. */
    se_mono_us now = se_mono_now_us();
    if (now < atomic_load(&shared->due_us))
        return;
    pthread_mutex_lock(&shared->lock);
    se_mono_us due = atomic_load(&shared->due_us);
    if (now >= due) {
        due = due + WAKE_GAP_US > now ? due + WAKE_GAP_US : now;
        atomic_store(&shared->due_us, due);
        struct itimerspec at = {.it_value = {due / SE_US_PER_S, due % SE_US_PER_S * 1000}};
        timerfd_settime(shared->fd, TFD_TIMER_ABSTIME, &at, NULL);
    }
    pthread_mutex_unlock(&shared->lock);
}
