/* For the tests of depacketizers: what comes out, kept. */
#ifndef DEPAY_CHECK_H
#define DEPAY_CHECK_H

#include <string.h>

#include "rtsp/depay.h"

#define KEPT_MAX 16

struct kept {
    struct access_unit *units[KEPT_MAX];
    unsigned count, videos;
    struct video_params video;
};

static void keep_unit(void *ctx, struct access_unit *unit)
{
    struct kept *kept = ctx;
    assert_true(kept->count < KEPT_MAX);
    kept->units[kept->count++] = access_unit_ref(unit);
}

static void keep_video(void *ctx, const struct video_params *params)
{
    struct kept *kept = ctx;
    kept->videos++;
    kept->video = *params;
}

static void kept_clear(struct kept *kept)
{
    for (unsigned i = 0; i < kept->count; i++)
        access_unit_unref(&kept->units[i]);
    kept->count = 0;
}

static struct depay_sink kept_sink(struct kept *kept)
{
    *kept = (struct kept){0};
    return (struct depay_sink){.video = keep_video, .unit = keep_unit, .ctx = kept};
}

static void assert_unit(const struct kept *kept, unsigned i, int64_t pts_90k, bool keyframe, const void *data,
                        size_t size)
{
    assert_true(i < kept->count);
    assert_int_equal(kept->units[i]->pts_90k, pts_90k);
    assert_int_equal(kept->units[i]->keyframe, keyframe);
    assert_int_equal(kept->units[i]->data->size, size);
    assert_memory_equal(kept->units[i]->data->data, data, size);
}

#define BYTES(s) (s), sizeof(s) - 1

#endif
