/* What a running program holds: made step by step, lowest floor first. */
#ifndef HOUSE_H
#define HOUSE_H

#include "api/api.h"
#include "api/imports.h"
#include "base/error.h"
#include "events/events.h"
#include "gateway/access.h"
#include "gateway/bus.h"
#include "gateway/options.h"
#include "gateway/store.h"
#include "ingest/ingest.h"

struct control;

/* Members are NULL until their step has run. */
struct house {
    struct options *options;
    int lock_fd; /* -1: not held */
    struct store *store;
    struct access *access;
    struct bus *bus;
    struct ingest *ingest;
    struct events *events;
    struct imports *imports;
    struct api *api;
    struct control *control;
};

/* What the option table cannot check: that the time zone exists. -EINVAL. */
int house_check(const struct options *options, struct se_err *err);
/* Makes DATA_DIR (0700) and takes its lock. -EWOULDBLOCK: another program holds it. */
int house_lock(struct house *house, struct se_err *err);
void house_unlock(struct house *house);
int house_open_store(struct house *house, struct se_err *err);
void house_close_store(struct house *house);
int house_open_access(struct house *house, struct se_err *err);
void house_close_access(struct house *house);

/* The daemon, from start to its end by a signal; an exit code. In main.c. */
int house_serve(struct house *house);

#endif
