/* Incident updates to the bus, at most one a second each: in a storm every signal changes an incident's
 * count, and nobody can read that fast. What was held back is told when its second is over. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/thread.h"
#include "base/time.h"
#include "internal.h"

#define SLOTS     512 /* incidents that are held back at once; more are told at once */
#define PROBES    8
#define HOLD_US   SE_US_PER_S
#define PERIOD_MS 250

struct notice {
    char id[SE_ID_LEN]; /* "": free */
    se_mono_us told_us;
    bool held;
};

struct notices {
    struct events *events;
    pthread_t thread;
    bool started, stopping;
    pthread_mutex_t lock; /* what follows, and stopping */
    pthread_cond_t wake;
    unsigned held;
    struct notice slots[SLOTS];
};

static unsigned hash_id(const char *id)
{
    unsigned hash = 2166136261u; /* FNV-1a */
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    return hash;
}

/* The incident's slot, or one that is free for it; NULL: all nearby are in use. */
static struct notice *find_slot(struct notices *notices, const char *id, se_mono_us now)
{
    struct notice *free_slot = NULL;
    unsigned hash = hash_id(id);
    for (unsigned i = 0; i < PROBES; i++) {
        struct notice *slot = &notices->slots[(hash + i) % SLOTS];
        if (!strcmp(slot->id, id))
            return slot;
        if (!free_slot && !slot->held && (!slot->id[0] || now - slot->told_us >= HOLD_US))
            free_slot = slot;
    }
    if (free_slot) {
        snprintf(free_slot->id, sizeof free_slot->id, "%s", id);
        free_slot->told_us = now - HOLD_US;
    }
    return free_slot;
}

static void hold(struct notices *notices, struct notice *slot, bool held)
{
    if (slot->held == held)
        return;
    slot->held = held;
    notices->held += held ? 1 : -1u;
    if (held && notices->held == 1)
        pthread_cond_signal(&notices->wake);
}

void notice_incident(struct events *events, json_t *incident, bool at_once)
{
    struct notices *notices = events->notices;
    se_mono_us now = se_mono_now_us();
    pthread_mutex_lock(&notices->lock);
    struct notice *slot = find_slot(notices, se_json_str(incident, "id", ""), now);
    bool wait = slot && !at_once && now - slot->told_us < HOLD_US;
    if (slot) {
        hold(notices, slot, wait);
        if (!wait)
            slot->told_us = now;
    }
    pthread_mutex_unlock(&notices->lock);
    if (wait)
        json_decref(incident);
    else
        events_publish(events, "incident.updated", "incident.read", incident);
}

/* ---- what was held back ---- */

struct due {
    char ids[SLOTS][SE_ID_LEN];
    unsigned count;
    json_t *incidents;
};

static int read_due(struct store_tx *tx, void *ctx)
{
    struct due *due = ctx;
    json_decref(due->incidents);
    due->incidents = json_array();
    for (unsigned i = 0; i < due->count; i++) {
        json_t *incident = NULL;
        int rc = store_incident_get(tx, due->ids[i], NULL, &incident);
        if (rc)
            return rc;
        json_array_append_new(due->incidents, incident);
    }
    return 0;
}

static void tell_due(struct notices *notices, struct due *due)
{
    size_t n;
    json_t *incident;
    if (!due->count)
        return;
    /* A store that cannot be read now is not waited for: the next signal tells it again. */
    if (!store_read(notices->events->store, read_due, due))
        json_array_foreach (due->incidents, n, incident)
            events_publish(notices->events, "incident.updated", "incident.read", json_incref(incident));
    json_decref(due->incidents);
    due->incidents = NULL;
}

/* Under the lock: takes those whose second is over. */
static void collect(struct notices *notices, struct due *due)
{
    se_mono_us now = se_mono_now_us();
    due->count = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct notice *slot = &notices->slots[i];
        if (!slot->held || now - slot->told_us < HOLD_US)
            continue;
        hold(notices, slot, false);
        slot->told_us = now;
        memcpy(due->ids[due->count++], slot->id, SE_ID_LEN);
    }
}

static void *run(void *ctx)
{
    struct notices *notices = ctx;
    struct due *due = calloc(1, sizeof *due);
    pthread_mutex_lock(&notices->lock);
    while (due && !notices->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += PERIOD_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (notices->held)
            pthread_cond_timedwait(&notices->wake, &notices->lock, &until);
        else
            pthread_cond_wait(&notices->wake, &notices->lock);
        collect(notices, due);
        pthread_mutex_unlock(&notices->lock);
        tell_due(notices, due);
        pthread_mutex_lock(&notices->lock);
    }
    pthread_mutex_unlock(&notices->lock);
    free(due);
    return NULL;
}

int notices_new(struct events *events, struct notices **ret_notices)
{
    struct notices *notices = calloc(1, sizeof *notices);
    if (!notices)
        return -ENOMEM;
    pthread_condattr_t attributes;
    notices->events = events;
    pthread_mutex_init(&notices->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&notices->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int rc = se_thread_start(&notices->thread, "notices", run, notices);
    notices->started = !rc;
    if (rc)
        notices_free(notices);
    else
        *ret_notices = notices;
    return rc;
}

void notices_free(struct notices *notices)
{
    if (!notices)
        return;
    pthread_mutex_lock(&notices->lock);
    notices->stopping = true;
    pthread_cond_signal(&notices->wake);
    pthread_mutex_unlock(&notices->lock);
    if (notices->started)
        pthread_join(notices->thread, NULL);
    pthread_cond_destroy(&notices->wake);
    pthread_mutex_destroy(&notices->lock);
    free(notices);
}
