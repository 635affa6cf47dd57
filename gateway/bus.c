#include "gateway/bus.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"

#define SUBSCRIBERS_MAX 16

struct event {
    struct bus_event pub; /* first: what the outside holds points here */
    atomic_uint refs;
    char *texts; /* type, permission and department, one after the other */
};

struct bus {
    pthread_mutex_t publish; /* held while subscribers run, so that they see events in order */
    struct subscriber {
        bus_fn fn;
        void *ctx;
    } subscribers[SUBSCRIBERS_MAX];
    unsigned subscriber_count;

    pthread_mutex_t lock; /* what follows */
    struct event **kept;  /* ring: the event n lies at n % keep */
    unsigned keep;
    uint64_t first, newest; /* numbers that are kept: first … newest; none while newest < first */
};

enum { M_EVENTS, M_LOST };
static struct se_metric metrics[] = {
    [M_EVENTS] = {"sharpeyes_bus_events_total", "Events published on the bus.", SE_COUNTER, NULL, 0},
    [M_LOST] = {"sharpeyes_bus_lost_total", "Events lost for want of memory.", SE_COUNTER, NULL, 0},
};
static pthread_once_t metrics_once = PTHREAD_ONCE_INIT;

static void register_metrics(void)
{
    se_metrics_register(metrics, SE_ARRAY_LEN(metrics));
}

int bus_new(unsigned keep, struct bus **ret_bus)
{
    pthread_once(&metrics_once, register_metrics);
    struct bus *bus = calloc(1, sizeof(*bus));
    if (!bus)
        return -ENOMEM;
    bus->keep = keep ? keep : 1;
    bus->kept = calloc(bus->keep, sizeof(*bus->kept));
    if (!bus->kept) {
        free(bus);
        return -ENOMEM;
    }
    pthread_mutex_init(&bus->publish, NULL);
    pthread_mutex_init(&bus->lock, NULL);
    /* Numbers go on from the clock, so that one from before a restart is too old and not somebody else's. */
    bus->newest = (uint64_t)se_wall_now_us();
    bus->first = bus->newest + 1;
    *ret_bus = bus;
    return 0;
}

void bus_free(struct bus *bus)
{
    if (!bus)
        return;
    for (unsigned i = 0; i < bus->keep; i++) {
        if (!bus->kept[i])
            continue;
        struct bus_event *event = &bus->kept[i]->pub;
        bus_event_unref(&event);
    }
    pthread_mutex_destroy(&bus->lock);
    pthread_mutex_destroy(&bus->publish);
    free(bus->kept);
    free(bus);
}

void bus_event_unref(struct bus_event **event)
{
    struct event *e = (struct event *)(void *)*event;
    *event = NULL;
    if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
        return;
    json_decref(e->pub.data);
    free(e->texts);
    free(e);
}

/* Steals data, even on failure. */
static struct event *event_new(const char *type, const char *permission, const char *department_id,
                               json_t *data)
{
    size_t type_size = strlen(type) + 1, permission_size = strlen(permission) + 1;
    size_t department_size = strlen(department_id) + 1;
    struct event *e = calloc(1, sizeof(*e));
    char *texts = malloc(type_size + permission_size + department_size);
    if (!e || !texts || !data) {
        free(e);
        free(texts);
        json_decref(data);
        return NULL;
    }
    memcpy(texts, type, type_size);
    memcpy(texts + type_size, permission, permission_size);
    memcpy(texts + type_size + permission_size, department_id, department_size);
    atomic_init(&e->refs, 1);
    e->texts = texts;
    e->pub = (struct bus_event){.type = texts,
                                .permission = texts + type_size,
                                .department_id = texts + type_size + permission_size,
                                .data = data};
    return e;
}

void bus_publish(struct bus *bus, const char *type, const char *permission, const char *department_id,
                 json_t *data)
{
    struct event *e = event_new(type, permission, department_id ? department_id : "", data);
    if (!e) {
        se_metric_add(&metrics[M_LOST], 1);
        return;
    }
    pthread_mutex_lock(&bus->publish);
    pthread_mutex_lock(&bus->lock);
    e->pub.number = ++bus->newest;
    struct event **slot = &bus->kept[bus->newest % bus->keep];
    struct bus_event *old = *slot ? &(*slot)->pub : NULL;
    *slot = e;
    atomic_fetch_add(&e->refs, 1); /* ours, while the subscribers look at it */
    if (bus->newest - bus->first >= bus->keep)
        bus->first = bus->newest - bus->keep + 1;
    pthread_mutex_unlock(&bus->lock);
    bus_event_unref(&old);
    for (unsigned i = 0; i < bus->subscriber_count; i++)
        bus->subscribers[i].fn(&e->pub, bus->subscribers[i].ctx);
    pthread_mutex_unlock(&bus->publish);
    struct bus_event *mine = &e->pub;
    bus_event_unref(&mine);
    se_metric_add(&metrics[M_EVENTS], 1);
}

int bus_subscribe(struct bus *bus, bus_fn fn, void *ctx)
{
    int r = -ENOSPC;
    pthread_mutex_lock(&bus->publish);
    if (bus->subscriber_count < SUBSCRIBERS_MAX) {
        bus->subscribers[bus->subscriber_count++] = (struct subscriber){fn, ctx};
        r = 0;
    }
    pthread_mutex_unlock(&bus->publish);
    return r;
}

void bus_unsubscribe(struct bus *bus, bus_fn fn, void *ctx)
{
    pthread_mutex_lock(&bus->publish);
    for (unsigned i = 0; i < bus->subscriber_count; i++) {
        if (bus->subscribers[i].fn != fn || bus->subscribers[i].ctx != ctx)
            continue;
        bus->subscriber_count--;
        memmove(&bus->subscribers[i], &bus->subscribers[i + 1],
                (bus->subscriber_count - i) * sizeof(bus->subscribers[0]));
        break;
    }
    pthread_mutex_unlock(&bus->publish);
}

int bus_next(struct bus *bus, uint64_t number, struct bus_event **ret_event)
{
    int r = 0;
    pthread_mutex_lock(&bus->lock);
    if (number == bus->newest)
        r = -ENOENT;
    else if (number > bus->newest || number + 1 < bus->first)
        r = -ESTALE; /* too old, or not of this bus */
    if (r == 0) {
        struct event *e = bus->kept[(number + 1) % bus->keep];
        atomic_fetch_add(&e->refs, 1);
        *ret_event = &e->pub;
    }
    pthread_mutex_unlock(&bus->lock);
    return r;
}

uint64_t bus_newest(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    uint64_t newest = bus->newest;
    pthread_mutex_unlock(&bus->lock);
    return newest;
}
