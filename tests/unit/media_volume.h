/* A volume, a store and options of one's own, in a directory that goes away. */
#ifndef TESTS_MEDIA_VOLUME_H
#define TESTS_MEDIA_VOLUME_H

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/options.h"
#include "gateway/store.h"
#include "record/volume.h"
#include "stream.h"

struct place {
    char dir[64];
    struct options *options;
    struct store *store;
    struct volumes *volumes;
};

static inline void place_options(struct place *place, const char *more)
{
    char data[128];
    struct se_err err = {0};
    snprintf(data, sizeof(data), "gateway.data_dir=%s/data", place->dir);
    const char *sets[] = {data, "ingest.segment_s=2", "ingest.sync_ms=20", more};
    char *const none[] = {NULL};
    if (options_load(NULL, none, sets, more ? 4 : 3, &place->options, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static inline void place_open_store(struct place *place)
{
    char url[128];
    struct se_err err = {0};
    snprintf(url, sizeof(url), "sqlite:%s/store.db", place->dir);
    if (store_open(url, 2, &place->store, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static inline void place_start(struct place *place)
{
    struct se_err err = {0};
    if (volumes_start(place->options, place->store, &place->volumes, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static inline void place_init(struct place *place, const char *more)
{
    *place = (struct place){.dir = "/tmp/sharpeyes-test-XXXXXX"};
    if (!mkdtemp(place->dir))
        abort();
    place_options(place, more);
    place_open_store(place);
    place_start(place);
}

static inline int place_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void place_fini(struct place *place)
{
    volumes_stop(place->volumes);
    store_close(place->store);
    options_free(place->options);
    nftw(place->dir, place_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Stops and starts the volumes, as a restart of the program does. */
static inline void place_restart(struct place *place)
{
    volumes_stop(place->volumes);
    place_start(place);
}

/* The recorded files below the volume, sorted; paths are absolute. */
static char place_found[256][256];
static unsigned place_found_count;
static inline int place_note(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    size_t len = strlen(path);
    if (type == FTW_F && len > 4 && strcmp(path + len - 4, ".mp4") == 0 && place_found_count < 256)
        snprintf(place_found[place_found_count++], sizeof(place_found[0]), "%s", path);
    return 0;
}
static inline int place_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}
static inline unsigned place_files(struct place *place)
{
    place_found_count = 0;
    nftw(place->dir, place_note, 16, FTW_PHYS);
    qsort(place_found, place_found_count, sizeof(place_found[0]), place_compare);
    return place_found_count;
}

#endif
