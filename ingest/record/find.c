#include "record/find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "gateway/store_segments.h"
#include "record/volume.h"

#define JOIN_MS 1000 /* less is a boundary between files, not a gap */

struct query {
    const char *camera_id;
    se_wall_ms from_ms, to_ms;
    struct found_list *list;
    int error;
};

static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->key.start_ms != y->key.start_ms)
        return x->key.start_ms < y->key.start_ms ? -1 : 1;
    return x->key.epoch - y->key.epoch;
}

static void copy(const struct segment_row *row, struct found *f)
{
    *f = (struct found){.end_ms = row->end_ms, .bytes = row->bytes, .open = row->open};
    snprintf(f->key.camera_id, sizeof(f->key.camera_id), "%s", row->camera_id);
    f->key.start_ms = row->start_ms;
    f->key.epoch = row->epoch;
    snprintf(f->volume, sizeof(f->volume), "%s", row->volume);
    snprintf(f->gap, sizeof(f->gap), "%s", row->gap);
}

static int reserve(struct found_list *list)
{
    if (list->count < list->cap)
        return 0;
    size_t cap = list->cap ? list->cap * 2 : 64;
    void *items = realloc(list->items, cap * sizeof(*list->items));
    if (!items)
        return -ENOMEM;
    list->items = items;
    list->cap = cap;
    return 0;
}

static int add(struct query *q, const struct segment_row *row)
{
    struct found_list *list = q->list;
    struct found f;
    copy(row, &f);
    if (row->end_ms <= q->from_ms) {
        if (!list->has_before || list->before.end_ms <= f.end_ms)
            list->before = f;
        list->has_before = true;
        return 0;
    }
    if (row->start_ms >= q->to_ms)
        return 0;
    /* What memory says of a file is newer than the store's row. */
    for (size_t i = list->count; i-- > 0;)
        if (compare(&list->items[i], &f) == 0) {
            list->items[i] = f;
            return 0;
        }
    if (reserve(list) < 0)
        return -ENOMEM;
    list->items[list->count++] = f;
    return 0;
}

static int add_row(const struct segment_row *row, void *ctx)
{
    struct query *q = ctx;
    if (reserve(q->list) < 0)
        return -ENOMEM;
    if (row->end_ms <= q->from_ms) {
        copy(row, &q->list->before);
        q->list->has_before = true;
    } else {
        copy(row, &q->list->items[q->list->count++]); /* the store has each key once */
    }
    return 0;
}

static int read_rows(struct store_tx *tx, void *ctx)
{
    struct query *q = ctx;
    return store_segments_range(tx, q->camera_id, q->from_ms, q->to_ms, SEGMENT_LONGEST_MS, add_row, q);
}

static void add_listed(const struct segment_row *row, void *ctx)
{
    struct query *q = ctx;
    int r = add(q, row);
    if (r < 0)
        q->error = r;
}

int find_segments(struct volumes *volumes, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                  struct found_list *ret_list)
{
    struct found_list list = {0};
    struct query q = {camera_id, from_ms, to_ms, &list, 0};
    /* Memory first: what goes from there to the store meanwhile is then seen twice, not never. */
    struct found_list listed = {0};
    struct query memory = {camera_id, from_ms, to_ms, &listed, 0};
    volumes_visit(volumes, camera_id, add_listed, &memory);
    int r = memory.error ? memory.error : store_read(volumes_store(volumes), read_rows, &q);
    for (size_t i = 0; r == 0 && i < listed.count; i++) {
        const struct found *f = &listed.items[i];
        struct segment_row row = {f->key.camera_id, f->key.start_ms, f->end_ms, f->key.epoch, f->open,
                                  f->bytes,         f->volume,       "",        f->gap};
        r = add(&q, &row);
    }
    if (listed.has_before && (!list.has_before || listed.before.end_ms >= list.before.end_ms)) {
        list.before = listed.before;
        list.has_before = true;
    }
    free(listed.items);
    if (r < 0) {
        found_list_fini(&list);
        return r;
    }
    if (list.count)
        qsort(list.items, list.count, sizeof(*list.items), compare);
    *ret_list = list;
    return 0;
}

void found_list_fini(struct found_list *list)
{
    free(list->items);
    *list = (struct found_list){0};
}

/* --- as JSON --------------------------------------------------------------------------------------- */

static int put_span(json_t *array, se_wall_ms from_ms, se_wall_ms to_ms, const char *name, json_t *value)
{
    json_t *item = json_object();
    int r = item && array ? 0 : -ENOMEM;
    if (r == 0)
        r = se_json_put_time(item, "from", from_ms);
    if (r == 0)
        r = se_json_put_time(item, "to", to_ms);
    if (r == 0)
        r = se_json_put(item, name, value);
    else
        json_decref(value);
    if (r < 0) {
        json_decref(item);
        return r;
    }
    return json_array_append_new(array, item) < 0 ? -ENOMEM : 0;
}

static int put_gap(json_t *gaps, se_wall_ms from_ms, se_wall_ms to_ms, const char *cause)
{
    return put_span(gaps, from_ms, to_ms, "cause", json_string(*cause ? cause : "stopped"));
}

/* What of the file's bytes lies within the range, as far as time tells. */
static int64_t share(const struct found *f, se_wall_ms from_ms, se_wall_ms to_ms)
{
    se_wall_ms start = f->key.start_ms > from_ms ? f->key.start_ms : from_ms;
    se_wall_ms end = f->end_ms < to_ms ? f->end_ms : to_ms;
    se_wall_ms whole = f->end_ms - f->key.start_ms;
    return whole > 0 ? (int64_t)((double)f->bytes * (double)(end - start) / (double)whole) : f->bytes;
}

static int describe(const struct found_list *list, se_wall_ms from_ms, se_wall_ms to_ms, json_t *ranges,
                    json_t *gaps)
{
    const char *cause = list->has_before ? list->before.gap : NULL; /* NULL: nothing was recorded yet */
    se_wall_ms covered = from_ms, start = from_ms;
    int64_t bytes = 0;
    bool any = false, recording = list->has_before && list->before.open;
    int r = 0;
    for (size_t i = 0; i < list->count && r == 0; i++) {
        const struct found *f = &list->items[i];
        se_wall_ms begins = f->key.start_ms > from_ms ? f->key.start_ms : from_ms;
        se_wall_ms ends = f->end_ms < to_ms ? f->end_ms : to_ms;
        bool joins = begins - covered <= JOIN_MS && (any || cause);
        if (any && !joins)
            r = put_span(ranges, start, covered, "bytes", json_integer(bytes));
        if (r == 0 && cause && !joins)
            r = put_gap(gaps, covered, begins, cause);
        if (!any || !joins) {
            start = joins ? covered : begins;
            bytes = 0;
        }
        any = true;
        bytes += share(f, from_ms, to_ms);
        if (ends >= covered || !recording) {
            cause = f->gap;
            recording = f->open;
        }
        covered = ends > covered ? ends : covered;
    }
    if (r == 0 && any)
        r = put_span(ranges, start, covered, "bytes", json_integer(bytes));
    se_wall_ms now = se_wall_now_ms();
    se_wall_ms until = to_ms < now ? to_ms : now;
    if (r == 0 && cause && !recording && until - covered > JOIN_MS)
        r = put_gap(gaps, covered, until, cause);
    return r;
}

int recordings_list(struct volumes *volumes, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                    json_t **ret_recordings, struct se_err *err)
{
    struct found_list list;
    int r = find_segments(volumes, camera_id, from_ms, to_ms, &list);
    if (r < 0)
        return se_fail(err, r, "The index of recordings cannot be read: %s", strerror(-r));
    json_t *ranges = json_array(), *gaps = json_array(), *all = json_object();
    r = ranges && gaps && all ? describe(&list, from_ms, to_ms, ranges, gaps) : -ENOMEM;
    found_list_fini(&list);
    if (r == 0) {
        r = se_json_put(all, "ranges", SE_TAKE(ranges));
        if (r == 0)
            r = se_json_put(all, "gaps", SE_TAKE(gaps));
    }
    json_decref(ranges);
    json_decref(gaps);
    if (r < 0) {
        json_decref(all);
        return se_fail(err, r, "Out of memory");
    }
    *ret_recordings = all;
    return 0;
}
