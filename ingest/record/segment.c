#include "record/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct tm utc(se_wall_ms ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return tm;
}

void segment_day_path(const char *camera_id, se_wall_ms day_ms, char out[SEGMENT_PATH_MAX])
{
    struct tm tm = utc(day_ms);
    snprintf(out, SEGMENT_PATH_MAX, "%.36s/%04u/%02u/%02u", camera_id, ((unsigned)tm.tm_year + 1900) % 10000,
             ((unsigned)tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100);
}

void segment_path(const struct segment_key *key, char out[SEGMENT_PATH_MAX])
{
    char day[SEGMENT_PATH_MAX], epoch[16] = "";
    struct tm tm = utc(key->start_ms);
    segment_day_path(key->camera_id, key->start_ms, day);
    if (key->epoch)
        snprintf(epoch, sizeof(epoch), "-%d", key->epoch);
    snprintf(out, SEGMENT_PATH_MAX, "%.50s/%02u%02u%02u%03uZ%s.mp4", day, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100, (unsigned)(key->start_ms % 1000), epoch);
}

bool segment_camera_ok(const char *camera_id)
{
    size_t len = strlen(camera_id);
    if (len == 0 || len >= SE_ID_LEN)
        return false;
    return strspn(camera_id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

/* Exactly count digits. */
static int digits(const char **text, unsigned count, unsigned *ret_value)
{
    unsigned value = 0;
    for (unsigned i = 0; i < count; i++) {
        char c = (*text)[i];
        if (c < '0' || c > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(c - '0');
    }
    *text += count;
    *ret_value = value;
    return 0;
}

int segment_parse(const char *camera_id, se_wall_ms day_ms, const char *name, struct segment_key *ret_key)
{
    unsigned h, m, s, ms, epoch = 0;
    const char *p = name;
    if (!segment_camera_ok(camera_id) || digits(&p, 2, &h) || digits(&p, 2, &m) || digits(&p, 2, &s) ||
        digits(&p, 3, &ms) || *p++ != 'Z' || h > 23 || m > 59 || s > 59)
        return -EINVAL;
    if (*p == '-') {
        p++;
        for (unsigned i = 0, d; i < 9 && *p >= '0' && *p <= '9'; i++) {
            digits(&p, 1, &d);
            epoch = epoch * 10 + d;
        }
        if (epoch == 0)
            return -EINVAL;
    }
    if (strcmp(p, ".mp4") != 0)
        return -EINVAL;
    struct segment_key key = {.epoch = (int)epoch};
    snprintf(key.camera_id, sizeof(key.camera_id), "%s", camera_id);
    key.start_ms = day_ms - day_ms % 86400000 + ((h * 60LL + m) * 60 + s) * 1000 + ms;
    *ret_key = key;
    return 0;
}

struct segment *segment_new(struct volume *volume, const struct segment_key *key, const char *codecs)
{
    struct segment *segment = calloc(1, sizeof(*segment));
    if (!segment)
        return NULL;
    segment->refs = 1;
    segment->volume = volume;
    segment->key = *key;
    segment->end_ms = key->start_ms;
    segment->fd = -1;
    segment->open = true;
    snprintf(segment->codecs, sizeof(segment->codecs), "%s", codecs);
    return segment;
}

struct segment *segment_ref(struct segment *segment)
{
    atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
    return segment;
}

void segment_unref(struct segment **psegment)
{
    struct segment *segment = *psegment;
    *psegment = NULL;
    if (!segment || atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (segment->fd >= 0)
        close(segment->fd);
    free(segment);
}
