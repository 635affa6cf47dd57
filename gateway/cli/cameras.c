#include "cameras.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/store_cameras.h"

static enum record_mode parse_mode(const char *name)
{
    if (strcmp(name, "on_demand") == 0)
        return RECORD_ON_DEMAND;
    return strcmp(name, "off") == 0 ? RECORD_OFF : RECORD_CONTINUOUS;
}

static enum stream_transport parse_transport(const char *name)
{
    if (strcmp(name, "tcp") == 0)
        return TRANSPORT_TCP;
    return strcmp(name, "udp") == 0 ? TRANSPORT_UDP : TRANSPORT_AUTO;
}

struct loading {
    struct house *house;
    const char *id; /* NULL: all */
    unsigned set, refused;
};

static void forget(char *secret)
{
    if (secret)
        sodium_memzero(secret, strlen(secret));
    free(secret);
}

/* What the row's secrets are when they are opened. */
struct opened {
    char *password, *url; /* url: or NULL, it was not sealed */
    const char *fault;    /* why it is not, or NULL */
};

static int set_camera(struct loading *loading, const struct camera_row *row, const struct opened *opened,
                      struct se_err *err)
{
    struct camera_spec spec = {
        .id = row->id,
        .code = row->code,
        .name = row->name,
        .department_id = row->department_id,
        .enabled = row->enabled,
        .record = parse_mode(row->record_mode),
    };
    for (unsigned i = 0; i < row->stream_count; i++) {
        const struct camera_stream_row *stream = &row->streams[i];
        enum stream_role role = strcmp(stream->role, "sub") == 0 ? STREAM_SUB : STREAM_MAIN;
        spec.streams[role] = (struct camera_stream_spec){
            .url = opened[i].url ? opened[i].url : stream->url,
            .username = stream->username,
            .password = opened[i].password,
            .transport = parse_transport(stream->transport),
            .engine = strcmp(stream->engine, "ffmpeg") == 0 ? ENGINE_FFMPEG : ENGINE_AUTO,
            .tls_fingerprint = stream->tls_fingerprint,
            .fault = opened[i].fault,
        };
    }
    return ingest_camera_set(loading->house->ingest, &spec, err);
}

/* A secret that does not open keeps its stream offline, with the reason in its status. */
static int open_stream(struct loading *loading, const struct camera_row *row, unsigned i, struct opened *ret)
{
    const struct camera_stream_row *stream = &row->streams[i];
    struct access *access = loading->house->access;
    int r = stream->password_sealed ? access_unseal(access, stream->password_sealed, &ret->password) : 0;
    if (r == -EBADMSG)
        ret->fault = CAMERA_PASSWORD_LOST;
    if (r == 0 && stream->url_sealed)
        r = access_unseal(access, stream->url_sealed, &ret->url);
    if (r == -EBADMSG && !ret->fault)
        ret->fault = CAMERA_URL_LOST;
    if (ret->fault)
        se_error("main", "a camera cannot be pulled camera=%s stream=%s reason=\"%s\"", row->id, stream->role,
                 ret->fault);
    return r == -EBADMSG ? 0 : r;
}

static int visit_camera(const struct camera_row *row, void *ctx)
{
    struct loading *loading = ctx;
    struct opened opened[CAMERA_STREAMS_MAX] = {{NULL}};
    struct se_err err = {0};
    int r = 0;
    for (unsigned i = 0; r == 0 && i < row->stream_count; i++)
        r = open_stream(loading, row, i, &opened[i]);
    if (r == 0)
        r = set_camera(loading, row, opened, &err);
    if (r == -EINVAL) { /* what was allowed when it was stored: ingest.allow is narrower now */
        se_error("main", "a camera cannot be pulled camera=%s reason=\"%s\"", row->id, err.text);
        for (unsigned i = 0; i < CAMERA_STREAMS_MAX; i++)
            opened[i].fault = opened[i].fault ? opened[i].fault : err.text;
        struct se_err again = {0};
        r = set_camera(loading, row, opened, &again);
    }
    for (unsigned i = 0; i < CAMERA_STREAMS_MAX; i++) {
        forget(opened[i].password);
        forget(opened[i].url);
    }
    if (r == 0)
        loading->set++;
    else
        loading->refused++;
    if (r < 0)
        se_error("main", "a camera was left out camera=%s reason=\"%s\"", row->id,
                 err.text[0] ? err.text : strerror(-r));
    return 0;
}

static int load(struct store_tx *tx, void *ctx)
{
    struct loading *loading = ctx;
    return store_camera_each(tx, loading->id, visit_camera, ctx);
}

/* ---- URLs that were stored before they were sealed ---- */

struct clear_url {
    char camera_id[SE_ID_LEN], role[8];
    char *shown, *sealed;
};
struct sealing {
    struct access *access;
    struct clear_url *urls;
    size_t count;
};

static int note_clear(const struct camera_row *row, void *ctx)
{
    struct sealing *sealing = ctx;
    for (unsigned i = 0; i < row->stream_count; i++) {
        const struct camera_stream_row *stream = &row->streams[i];
        struct clear_url url = {.shown = NULL};
        int r =
            stream->url_sealed ? 0 : access_seal_url(sealing->access, stream->url, &url.shown, &url.sealed);
        if (r < 0)
            return r;
        if (!url.sealed)
            continue;
        struct clear_url *larger = realloc(sealing->urls, (sealing->count + 1) * sizeof(*larger));
        if (!larger) {
            free(url.shown);
            free(url.sealed);
            return -ENOMEM;
        }
        snprintf(url.camera_id, sizeof(url.camera_id), "%s", row->id);
        snprintf(url.role, sizeof(url.role), "%s", stream->role);
        sealing->urls = larger;
        sealing->urls[sealing->count++] = url;
    }
    return 0;
}

static int find_clear(struct store_tx *tx, void *ctx)
{
    return store_camera_each(tx, NULL, note_clear, ctx);
}

static int seal_found(struct store_tx *tx, void *ctx)
{
    const struct sealing *sealing = ctx;
    int r = 0;
    for (size_t i = 0; r == 0 && i < sealing->count; i++) {
        const struct clear_url *url = &sealing->urls[i];
        r = store_camera_seal_url(tx, url->camera_id, url->role, url->shown, url->sealed);
    }
    return r;
}

/* What an earlier version left in the clear. */
static void seal_urls(struct house *house)
{
    struct sealing sealing = {.access = house->access};
    int r = store_read(house->store, find_clear, &sealing);
    if (r == 0 && sealing.count > 0)
        r = store_write(house->store, seal_found, &sealing);
    if (r < 0)
        se_error("main", "passwords in cameras' URLs cannot be sealed reason=\"%s\"", strerror(-r));
    else if (sealing.count > 0)
        se_info("main", "sealed passwords in cameras' URLs streams=%zu", sealing.count);
    for (size_t i = 0; i < sealing.count; i++) {
        free(sealing.urls[i].shown);
        free(sealing.urls[i].sealed);
    }
    free(sealing.urls);
}

void house_load_camera(struct house *house, const char *id)
{
    struct loading loading = {.house = house, .id = id};
    int r = store_read(house->store, load, &loading);
    if (r < 0)
        se_error("main", "a camera cannot be read from the store camera=%s reason=\"%s\"", id, strerror(-r));
}

int house_load_cameras(struct house *house, struct se_err *err)
{
    struct loading loading = {.house = house};
    seal_urls(house);
    int r = store_read(house->store, load, &loading);
    if (r < 0)
        return se_fail(err, r, "the cameras cannot be read from the store: %s", strerror(-r));
    se_info("main", "cameras loaded cameras=%u refused=%u", loading.set, loading.refused);
    return 0;
}
