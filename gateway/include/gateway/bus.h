/* The in-process bus: what happened, for whoever cares. Upward effects travel here. */
#ifndef GATEWAY_BUS_H
#define GATEWAY_BUS_H

#include <jansson.h>
#include <stdint.h>

struct bus;

/* One thing that happened. Refcounted and immutable; data is the resource as the API shows it. */
struct bus_event {
    uint64_t number;           /* grows by one, also over a restart (it begins at the clock's µs); never 0 */
    const char *type;          /* "incident.created" */
    const char *department_id; /* whose it is, or "": everybody's */
    const char *permission;    /* what one needs to see it, by name: "incident.read" */
    json_t *data;
};

int bus_new(unsigned keep, struct bus **ret_bus); /* keep: how many past events a late reader can still get */
void bus_free(struct bus *bus);
/* Any thread. Steals data. Subscribers run on the caller's thread, in order; they must not block
 * nor publish. */
void bus_publish(struct bus *bus, const char *type, const char *permission, const char *department_id,
                 json_t *data);
typedef void (*bus_fn)(const struct bus_event *event, void *ctx);
int bus_subscribe(struct bus *bus, bus_fn fn, void *ctx); /* -ENOSPC past 16 */
void bus_unsubscribe(struct bus *bus, bus_fn fn, void *ctx);

/* The event after number, referenced (bus_event_unref): 0; -ENOENT nothing newer; -ESTALE it is gone,
 * or number is not one of this bus. Start at bus_newest() to see only what comes. */
int bus_next(struct bus *bus, uint64_t number, struct bus_event **ret_event);
void bus_event_unref(struct bus_event **event);
uint64_t bus_newest(struct bus *bus);

#endif
