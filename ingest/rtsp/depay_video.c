/* Access units out of NAL units, whatever packets these came in. */
#include <errno.h>
#include <string.h>

#include "depay.h"

#define FIRST_SIZE 4096
#define LARGE      (256u * 1024) /* has memory of its own, which goes with it */

void video_depay_init(struct video_depay *depay, enum codec codec, uint32_t clock,
                      const struct depay_sink *sink)
{
    *depay = (struct video_depay){.codec = codec, .clock = clock, .sink = *sink};
    depay->sets.codec = codec;
    depay->wait_key = true;
    depay->time = INT64_MIN;
    depay->expect[0] = depay->expect[1] = FIRST_SIZE;
}

void video_depay_fini(struct video_depay *depay)
{
    se_buf_unref(&depay->buf);
    se_slab_fini(&depay->slab);
}

/* What a NAL unit is, for the unit it is in. */
enum nal_kind { NAL_OTHER, NAL_PICTURE, NAL_KEY, NAL_SET, NAL_DROPPED };

static enum nal_kind nal_kind(const struct video_depay *depay, const uint8_t *nal)
{
    if (depay->codec == CODEC_H264) {
        unsigned type = nal[0] & 31;
        if (type == 5)
            return NAL_KEY;
        if (type >= 1 && type <= 4)
            return NAL_PICTURE;
        if (type == 7 || type == 8)
            return NAL_SET;
        return type == 9 || type == 12 || type == 0 || type >= 24 ? NAL_DROPPED : NAL_OTHER;
    }
    unsigned type = nal[0] >> 1 & 63;
    if (type >= 16 && type <= 23) /* BLA, IDR, CRA and the reserved ones of their kind */
        return NAL_KEY;
    if (type < 32)
        return NAL_PICTURE;
    if (type <= 34)
        return NAL_SET;
    return type == 35 || type == 38 || type >= 48 ? NAL_DROPPED : NAL_OTHER;
}

/* Is this the first slice of its picture? first_mb_in_slice or first_slice_segment_in_pic_flag lie first in
 * the slice header, and both begin with a set bit there. */
static bool first_slice(const struct video_depay *depay, const uint8_t *nal, size_t size)
{
    size_t header = depay->codec == CODEC_H264 ? 1 : 2;
    return size > header && nal[header] & 0x80;
}

static size_t nal_header(const struct video_depay *depay)
{
    return depay->codec == CODEC_H264 ? 1 : 2;
}

static bool reserve(struct video_depay *depay, size_t more)
{
    size_t need = depay->used + more;
    if (depay->buf && need <= depay->buf->size)
        return true;
    if (need > ACCESS_UNIT_MAX) {
        depay->stats.too_big += !depay->damaged;
        depay->damaged = true;
        se_buf_unref(&depay->buf);
        depay->used = 0;
        return false;
    }
    size_t size = depay->expect[depay->keyframe];
    if (size < depay->used * 2)
        size = depay->used * 2;
    if (size < need)
        size = need + need / 4;
    struct se_buf *larger = se_slab_take(&depay->slab, size < ACCESS_UNIT_MAX ? size : ACCESS_UNIT_MAX);
    if (!larger) {
        depay->damaged = true;
        return false;
    }
    if (depay->used)
        memcpy(larger->data, depay->buf->data, depay->used);
    se_buf_unref(&depay->buf);
    depay->buf = larger;
    return true;
}

static void append(struct video_depay *depay, const uint8_t *data, size_t size)
{
    if (depay->damaged || !size || !reserve(depay, size))
        return;
    memcpy(depay->buf->data + depay->used, data, size);
    depay->used += size;
}

static void discard(struct video_depay *depay)
{
    if (depay->open && depay->damaged)
        depay->stats.damaged++;
    if (depay->buf && depay->buf->size > LARGE) /* do not hold on to the memory of a monster */
        se_buf_unref(&depay->buf);
    depay->used = 0;
    depay->open = depay->picture = depay->keyframe = depay->damaged = depay->fragment = false;
}

void video_depay_restart(struct video_depay *depay)
{
    depay->open = false; /* not the camera's fault: not counted */
    discard(depay);
    se_buf_unref(&depay->buf);
    se_slab_fini(&depay->slab);
    depay->marked = depay->marker_lies = false;
    depay->wait_key = true;
    depay->time = INT64_MIN;
}

/* Hands on what decoders must know before this keyframe, when it is new or means something else. */
static bool ready(struct video_depay *depay)
{
    if (!depay->keyframe)
        return !depay->wait_key;
    struct video_params params = depay->params;
    if ((depay->sets.changed || !params.config_size) && parameter_sets_build(&depay->sets, &params) < 0 &&
        !params.config_size)
        return false;
    if (params.config_size != depay->params.config_size ||
        memcmp(params.config, depay->params.config, params.config_size) != 0) {
        depay->params = params;
        depay->sink.video(depay->sink.ctx, &depay->params);
    }
    depay->wait_key = false;
    return true;
}

/* Buffers are begun where there is room for what the last pictures had; what this one leaves is the next's.
 */
static struct se_buf *take_buffer(struct video_depay *depay)
{
    size_t *expect = &depay->expect[depay->keyframe];
    size_t aim = depay->used + depay->used / 8;
    *expect = aim > *expect ? aim : (*expect * 7 + aim) / 8;
    struct se_buf *buf = depay->buf;
    depay->buf = NULL;
    se_slab_trim(&depay->slab, buf, depay->used);
    if (depay->used > LARGE)
        se_slab_fini(&depay->slab);
    return buf;
}

static void finish(struct video_depay *depay)
{
    if (depay->fragment)
        depay->damaged = true;
    if (!depay->open || !depay->picture || depay->damaged) {
        discard(depay);
        return;
    }
    if (!ready(depay)) {
        depay->stats.unready++;
        discard(depay);
        return;
    }
    struct se_buf *data = take_buffer(depay);
    struct access_unit *unit = data ? access_unit_new_in(&depay->slab, depay->codec, data) : NULL;
    if (unit) {
        unit->keyframe = depay->keyframe;
        unit->pts_90k =
            depay->clock == 90000 ? depay->time : (int64_t)((__int128)depay->time * 90000 / depay->clock);
        unit->arrived_us = depay->arrived_us;
        depay->stats.units++;
        discard(depay);
        depay->sink.unit(depay->sink.ctx, unit);
        access_unit_unref(&unit);
    } else {
        depay->damaged = true;
        discard(depay);
    }
}

/* A picture's slice begins: does it belong to the open unit? */
static void picture_begins(struct video_depay *depay, const uint8_t *nal, size_t size)
{
    bool first = first_slice(depay, nal, size);
    if (depay->marked && !depay->open && !first)
        depay->marker_lies = true; /* more of the picture that the marker ended */
    if (depay->marker_lies && depay->picture && first) {
        int64_t time = depay->time;
        se_mono_us arrived_us = depay->arrived_us;
        finish(depay);
        depay->time = time;
        depay->arrived_us = arrived_us;
    }
    depay->open = depay->picture = true;
}

/* Kind, place and length of a NAL unit that lies whole in the buffer, its length field still open. */
static void nal_ended(struct video_depay *depay)
{
    if (depay->damaged)
        return;
    uint8_t *nal = depay->buf->data + depay->nal + 4;
    size_t size = depay->used - depay->nal - 4;
    if (nal_kind(depay, nal) == NAL_SET) {
        (void)parameter_sets_add(&depay->sets, nal, size);
        depay->used = depay->nal;
        return;
    }
    uint8_t *at = depay->buf->data + depay->nal;
    at[0] = (uint8_t)(size >> 24);
    at[1] = (uint8_t)(size >> 16);
    at[2] = (uint8_t)(size >> 8);
    at[3] = (uint8_t)size;
}

void depay_bad(struct video_depay *depay)
{
    depay->open = depay->damaged = true;
    depay->fragment = false;
}

void depay_nal(struct video_depay *depay, const uint8_t *nal, size_t size)
{
    if (size <= nal_header(depay))
        return;
    if (depay->fragment) /* the end of a fragmented one is missing */
        depay_bad(depay);
    enum nal_kind kind = nal_kind(depay, nal);
    if (kind == NAL_DROPPED)
        return;
    if (kind == NAL_SET) {
        (void)parameter_sets_add(&depay->sets, nal, size);
        return;
    }
    if (kind != NAL_OTHER)
        picture_begins(depay, nal, size);
    depay->open = true;
    depay->keyframe |= kind == NAL_KEY;
    depay->nal = depay->used;
    if (!depay->damaged && reserve(depay, 4 + size)) {
        depay->used += 4;
        append(depay, nal, size);
        nal_ended(depay);
    }
}

void depay_aggregate(struct video_depay *depay, const uint8_t *data, size_t size)
{
    while (size >= 2) {
        size_t length = (size_t)data[0] << 8 | data[1];
        if (length > size - 2) {
            depay_bad(depay);
            return;
        }
        depay_nal(depay, data + 2, length);
        data += 2 + length;
        size -= 2 + length;
    }
}

void depay_fragment_begin(struct video_depay *depay, const uint8_t *header, const uint8_t *data, size_t size)
{
    if (depay->fragment)
        depay_bad(depay);
    size_t header_size = nal_header(depay);
    uint8_t start[3] = {header[0], header_size > 1 ? header[1] : 0, 0};
    start[header_size] = size ? data[0] : 0;
    enum nal_kind kind = nal_kind(depay, start);
    if (kind == NAL_PICTURE || kind == NAL_KEY)
        picture_begins(depay, start, header_size + 1);
    depay->open = depay->fragment = true;
    depay->keyframe |= kind == NAL_KEY;
    depay->nal = depay->used;
    if (!depay->damaged && reserve(depay, 4 + header_size + size)) {
        depay->used += 4;
        append(depay, start, header_size);
        append(depay, data, size);
    }
}

void depay_fragment_add(struct video_depay *depay, const uint8_t *data, size_t size)
{
    if (!depay->fragment) { /* its beginning is missing */
        depay_bad(depay);
        return;
    }
    append(depay, data, size);
}

void depay_fragment_end(struct video_depay *depay)
{
    if (!depay->fragment)
        return;
    depay->fragment = false;
    if (depay->damaged)
        return;
    if (nal_kind(depay, depay->buf->data + depay->nal + 4) == NAL_DROPPED)
        depay->used = depay->nal;
    else
        nal_ended(depay);
}

void video_depay_packet(struct video_depay *depay, const struct rtp_packet *packet, bool gap, int64_t time,
                        se_mono_us arrived_us)
{
    if (depay->open && gap)
        depay->damaged = true;
    if (depay->open && time != depay->time)
        finish(depay);
    if (time != depay->time)
        depay->marked = false;
    depay->time = time;
    depay->arrived_us = arrived_us;
    if (depay->codec == CODEC_H264)
        depay_h264(depay, packet->payload, packet->size);
    else
        depay_h265(depay, packet->payload, packet->size);
    /* A marker behind parameter sets alone ends nothing: some cameras set it on each NAL unit. */
    if (packet->marker && !depay->marker_lies && (depay->picture || depay->damaged)) {
        finish(depay);
        depay->marked = true;
    }
}
