#include "mp4/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOX(a) MP4_FOURCC((a)[0], (a)[1], (a)[2], (a)[3])

/* --- input ------------------------------------------------------------------------------------ */

static int read_memory(const struct mp4_input *input, uint64_t offset, void *out, size_t size)
{
    if (offset > input->size || size > input->size - offset)
        return -EIO;
    memcpy(out, (const uint8_t *)input->memory + offset, size);
    return 0;
}

static int read_fd(const struct mp4_input *input, uint64_t offset, void *out, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(input->fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

struct mp4_input mp4_input_memory(const void *data, size_t size)
{
    return (struct mp4_input){.read = read_memory, .size = size, .memory = data, .fd = -1};
}

struct mp4_input mp4_input_fd(int fd, uint64_t size)
{
    return (struct mp4_input){.read = read_fd, .size = size, .fd = fd};
}

/* --- boxes in the input and in memory --------------------------------------------------------- */

struct box {
    uint32_t type;
    uint64_t offset, size; /* the whole box */
    unsigned header;
};

/* -ENODATA: less than a box is left. -EBADMSG: its size cannot be. */
static int box_at(const struct mp4_input *input, uint64_t offset, struct box *ret_box)
{
    uint8_t head[16];
    if (offset > input->size || input->size - offset < 8)
        return -ENODATA;
    int r = input->read(input, offset, head, 8);
    if (r < 0)
        return r;
    struct box box = {
        .type = mp4_get_u32(head + 4), .offset = offset, .size = mp4_get_u32(head), .header = 8};
    if (box.size == 1) {
        if (input->size - offset < 16)
            return -ENODATA;
        r = input->read(input, offset + 8, head + 8, 8);
        if (r < 0)
            return r;
        box.size = mp4_get_u64(head + 8);
        box.header = 16;
    }
    if (box.size < box.header)
        return -EBADMSG;
    *ret_box = box;
    return box.size > input->size - offset ? -ENODATA : 0;
}

/* Bytes of a box's inside, walked from the front. */
struct span {
    const uint8_t *data;
    size_t size;
};

/* Takes the next child off the span. */
static bool child(struct span *in, uint32_t *ret_type, struct span *ret_body)
{
    if (in->size < 8)
        return false;
    uint32_t size = mp4_get_u32(in->data);
    if (size < 8 || size > in->size)
        return false;
    *ret_type = mp4_get_u32(in->data + 4);
    *ret_body = (struct span){in->data + 8, size - 8};
    in->data += size;
    in->size -= size;
    return true;
}

static bool find(struct span in, uint32_t type, struct span *ret_body)
{
    uint32_t t;
    struct span body;
    while (child(&in, &t, &body))
        if (t == type) {
            *ret_body = body;
            return true;
        }
    return false;
}

/* A whole box in memory: malloc'd. */
static int load(const struct mp4_input *input, const struct box *box, uint64_t max, uint8_t **ret_data)
{
    if (box->size > max)
        return -EBADMSG;
    uint8_t *data = malloc((size_t)box->size);
    if (!data)
        return -ENOMEM;
    int r = input->read(input, box->offset, data, (size_t)box->size);
    if (r < 0) {
        free(data);
        return r;
    }
    *ret_data = data;
    return 0;
}

/* --- moov ------------------------------------------------------------------------------------- */

static bool config_video(struct span entry, enum codec codec, struct video_params *ret)
{
    struct span config;
    if (entry.size < 78)
        return false;
    ret->width = mp4_get_u16(entry.data + 24);
    ret->height = mp4_get_u16(entry.data + 26);
    entry.data += 78;
    entry.size -= 78;
    if (!find(entry, codec == CODEC_H264 ? BOX("avcC") : BOX("hvcC"), &config) ||
        config.size > CODEC_CONFIG_MAX || config.size < (codec == CODEC_H264 ? 7u : 23u))
        return false;
    ret->codec = codec;
    memcpy(ret->config, config.data, config.size);
    ret->config_size = (unsigned)config.size;
    mp4_codec_string(ret);
    return true;
}

/* The length of a descriptor of 14496-1 8.3.3, and past its head. */
static bool descriptor(struct span *in, uint8_t tag, struct span *ret_body)
{
    size_t i = 1, size = 0;
    if (in->size < 2 || in->data[0] != tag)
        return false;
    for (unsigned n = 0; n < 4; n++) {
        if (i >= in->size)
            return false;
        size = size << 7 | (in->data[i] & 0x7f);
        if (!(in->data[i++] & 0x80))
            break;
    }
    if (size > in->size - i)
        return false;
    *ret_body = (struct span){in->data + i, size};
    return true;
}

static bool config_audio(struct span entry, struct audio_params *ret)
{
    struct span esds, es, dec, info;
    if (entry.size < 28)
        return false;
    ret->channels = mp4_get_u16(entry.data + 16);
    ret->sample_rate = mp4_get_u32(entry.data + 24) >> 16;
    entry.data += 28;
    entry.size -= 28;
    if (!find(entry, BOX("esds"), &esds) || esds.size < 4)
        return false;
    esds.data += 4;
    esds.size -= 4;
    if (!descriptor(&esds, 3, &es) || es.size < 3)
        return false;
    es.data += 3;
    es.size -= 3;
    if (!descriptor(&es, 4, &dec) || dec.size < 13)
        return false;
    dec.data += 13;
    dec.size -= 13;
    if (!descriptor(&dec, 5, &info) || info.size < 2 || info.size > sizeof(ret->config))
        return false;
    ret->codec = CODEC_AAC;
    memcpy(ret->config, info.data, info.size);
    ret->config_size = (unsigned)info.size;
    return true;
}

static int64_t edit_of(struct span trak)
{
    struct span edts, elst;
    if (!find(trak, BOX("edts"), &edts) || !find(edts, BOX("elst"), &elst) || elst.size < 8 + 20 ||
        elst.data[0] != 1 || mp4_get_u32(elst.data + 4) < 1)
        return 0;
    uint64_t media = mp4_get_u64(elst.data + 16);
    return media < (1ULL << 48) ? (int64_t)media : 0;
}

static void read_trak(struct span trak, struct mp4_init *init)
{
    struct span mdia, mdhd, minf, stbl, stsd, entry;
    uint32_t type;
    if (!find(trak, BOX("mdia"), &mdia) || !find(mdia, BOX("mdhd"), &mdhd) || mdhd.size < 24 ||
        mdhd.data[0] != 1 || mp4_get_u32(mdhd.data + 20) != MP4_TIMESCALE)
        return;
    if (!find(mdia, BOX("minf"), &minf) || !find(minf, BOX("stbl"), &stbl) ||
        !find(stbl, BOX("stsd"), &stsd) || stsd.size < 8)
        return;
    stsd.data += 8;
    stsd.size -= 8;
    if (!child(&stsd, &type, &entry))
        return;
    if (type == BOX("avc1") || type == BOX("hvc1")) {
        if (config_video(entry, type == BOX("avc1") ? CODEC_H264 : CODEC_H265, &init->video))
            init->edit_media_90k = edit_of(trak);
    } else if (type == BOX("mp4a")) {
        config_audio(entry, &init->audio);
    }
}

int mp4_read_init(const struct mp4_input *input, struct mp4_init *ret_init)
{
    struct box box;
    uint8_t *data = NULL;
    uint64_t offset = 0;
    int r;
    while ((r = box_at(input, offset, &box)) == 0 && box.type != BOX("moov")) {
        if (box.type == BOX("moof") || box.type == BOX("mdat"))
            return -EBADMSG;
        offset += box.size;
    }
    if (r < 0)
        return r == -ENODATA ? -EBADMSG : r;
    r = load(input, &box, MP4_MOOV_MAX, &data);
    if (r < 0)
        return r;
    struct mp4_init *init = calloc(1, sizeof(*init));
    if (!init) {
        free(data);
        return -ENOMEM;
    }
    init->size = box.offset + box.size;
    struct span moov = {data + box.header, (size_t)box.size - box.header}, body;
    uint32_t type;
    while (child(&moov, &type, &body))
        if (type == BOX("trak"))
            read_trak(body, init);
    free(data);
    r = init->video.codec == CODEC_NONE && init->audio.codec == CODEC_NONE ? -EBADMSG : 0;
    if (r == 0)
        *ret_init = *init;
    free(init);
    return r;
}

/* --- moof ------------------------------------------------------------------------------------- */

#define TFHD_BASE          0x000001u
#define TFHD_DESCRIPTION   0x000002u
#define TFHD_DURATION      0x000008u
#define TFHD_SIZE          0x000010u
#define TFHD_FLAGS         0x000020u
#define TRUN_OFFSET        0x000001u
#define TRUN_FIRST_FLAGS   0x000004u
#define TRUN_DURATION      0x000100u
#define TRUN_SIZE          0x000200u
#define TRUN_FLAGS         0x000400u
#define TRUN_CTS           0x000800u
#define SAMPLE_IS_NOT_SYNC 0x10000u

struct defaults {
    uint32_t duration, size, flags;
};

static int read_tfhd(struct span tfhd, struct mp4_traf *traf, struct defaults *defaults)
{
    if (tfhd.size < 8)
        return -EBADMSG;
    uint32_t flags = mp4_get_u32(tfhd.data) & 0xffffff;
    traf->track = mp4_get_u32(tfhd.data + 4);
    traf->description = 1;
    size_t at = 8;
    if (flags & TFHD_BASE)
        at += 8;
    uint32_t *into[] = {&traf->description, &defaults->duration, &defaults->size, &defaults->flags};
    static const uint32_t bits[] = {TFHD_DESCRIPTION, TFHD_DURATION, TFHD_SIZE, TFHD_FLAGS};
    for (unsigned i = 0; i < 4; i++) {
        if (!(flags & bits[i]))
            continue;
        if (tfhd.size < at + 4)
            return -EBADMSG;
        *into[i] = mp4_get_u32(tfhd.data + at);
        at += 4;
    }
    return 0;
}

static int read_trun(struct span trun, const struct defaults *defaults, uint64_t moof_offset, bool samples,
                     struct mp4_traf *traf)
{
    if (trun.size < 8)
        return -EBADMSG;
    uint32_t flags = mp4_get_u32(trun.data) & 0xffffff, count = mp4_get_u32(trun.data + 4);
    size_t at = 8, entry = 0;
    uint32_t first_flags = defaults->flags;
    if (count == 0 || count > MP4_SAMPLES_MAX || !(flags & TRUN_OFFSET) || trun.size < at + 4)
        return -EBADMSG;
    int32_t relative = (int32_t)mp4_get_u32(trun.data + at);
    at += 4;
    if (relative < 0)
        return -EBADMSG;
    traf->data_offset = moof_offset + (uint32_t)relative;
    if (flags & TRUN_FIRST_FLAGS) {
        if (trun.size < at + 4)
            return -EBADMSG;
        first_flags = mp4_get_u32(trun.data + at);
        at += 4;
    }
    for (uint32_t bit = TRUN_DURATION; bit <= TRUN_CTS; bit <<= 1)
        entry += flags & bit ? 4 : 0;
    if ((trun.size - at) / (entry ? entry : 1) < count && entry)
        return -EBADMSG;
    if (samples && !(traf->samples = calloc(count, sizeof(*traf->samples))))
        return -ENOMEM;
    traf->count = count;
    int64_t dts = (int64_t)traf->dts_90k;
    for (uint32_t i = 0; i < count; i++) {
        struct mp4_sample s = {.size = defaults->size, .duration_90k = defaults->duration};
        uint32_t sample_flags = i == 0 ? first_flags : defaults->flags;
        const uint8_t *p = trun.data + at + i * entry;
        if (flags & TRUN_DURATION) {
            s.duration_90k = mp4_get_u32(p);
            p += 4;
        }
        if (flags & TRUN_SIZE) {
            s.size = mp4_get_u32(p);
            p += 4;
        }
        if (flags & TRUN_FLAGS) {
            sample_flags = mp4_get_u32(p);
            p += 4;
        }
        if (flags & TRUN_CTS)
            s.cts_90k = (int32_t)mp4_get_u32(p);
        s.keyframe = !(sample_flags & SAMPLE_IS_NOT_SYNC);
        if (i == 0) {
            traf->keyframe = s.keyframe;
            traf->first_cts_90k = s.cts_90k;
        }
        int64_t end = dts + s.cts_90k + s.duration_90k;
        if (i == 0 || end > traf->end_pts_90k)
            traf->end_pts_90k = end;
        dts += s.duration_90k;
        traf->duration_90k += s.duration_90k;
        traf->payload += s.size;
        if (samples)
            traf->samples[i] = s;
    }
    return 0;
}

static int read_traf(struct span body, uint64_t moof_offset, bool samples, struct mp4_traf *traf)
{
    struct span tfhd, tfdt, trun;
    struct defaults defaults = {0};
    if (!find(body, BOX("tfhd"), &tfhd) || !find(body, BOX("tfdt"), &tfdt) || !find(body, BOX("trun"), &trun))
        return -EBADMSG;
    int r = read_tfhd(tfhd, traf, &defaults);
    if (r < 0)
        return r;
    if (tfdt.size < 12 || tfdt.data[0] != 1)
        return -EBADMSG;
    traf->dts_90k = mp4_get_u64(tfdt.data + 4);
    if (traf->dts_90k >= 1ULL << 60)
        return -EBADMSG;
    return read_trun(trun, &defaults, moof_offset, samples, traf);
}

void mp4_fragment_fini(struct mp4_fragment *fragment)
{
    for (unsigned i = 0; i < 2; i++) {
        free(fragment->trafs[i].samples);
        fragment->trafs[i].samples = NULL;
    }
}

int mp4_read_fragment(const struct mp4_input *input, uint64_t offset, bool samples,
                      struct mp4_fragment *ret_fragment)
{
    struct box moof, mdat;
    struct mp4_fragment fragment = {.offset = offset};
    uint8_t *data = NULL;
    int r = box_at(input, offset, &moof);
    if (r < 0)
        return r;
    if (moof.type == BOX("mfra"))
        return -ENODATA;
    if (moof.type != BOX("moof") || moof.header != 8)
        return -EBADMSG;
    r = box_at(input, offset + moof.size, &mdat);
    if (r < 0)
        return r;
    if (mdat.type != BOX("mdat"))
        return -EBADMSG;
    r = load(input, &moof, MP4_MOOF_MAX, &data);
    if (r < 0)
        return r;
    fragment.moof_size = moof.size;
    fragment.end = mdat.offset + mdat.size;
    struct span in = {data + 8, (size_t)moof.size - 8}, body;
    uint32_t type;
    while (r == 0 && child(&in, &type, &body)) {
        if (type != BOX("traf"))
            continue;
        if (fragment.traf_count == 2) {
            r = -EBADMSG;
            break;
        }
        struct mp4_traf *traf = &fragment.trafs[fragment.traf_count++];
        r = read_traf(body, offset, samples, traf);
        if (r == 0 && (traf->data_offset < mdat.offset + mdat.header || traf->data_offset > fragment.end ||
                       traf->payload > fragment.end - traf->data_offset))
            r = -EBADMSG;
    }
    free(data);
    if (r == 0 && (fragment.traf_count == 0))
        r = -EBADMSG;
    if (r < 0) {
        mp4_fragment_fini(&fragment);
        return r;
    }
    *ret_fragment = fragment;
    return 0;
}

const struct mp4_traf *mp4_fragment_track(const struct mp4_fragment *fragment, uint32_t track)
{
    for (unsigned i = 0; i < fragment->traf_count; i++)
        if (fragment->trafs[i].track == track)
            return &fragment->trafs[i];
    return NULL;
}

/* --- index ------------------------------------------------------------------------------------ */

#define INDEX_MAX  65536u
#define TFRA_ENTRY 19u

static int read_tfra(struct span tfra, uint64_t size, struct mp4_index *index)
{
    if (tfra.size < 16 || tfra.data[0] != 1 || mp4_get_u32(tfra.data + 4) != MP4_TRACK_VIDEO ||
        (mp4_get_u32(tfra.data + 8) & 0x3f))
        return -ENODATA;
    uint32_t count = mp4_get_u32(tfra.data + 12);
    if (count > INDEX_MAX || (tfra.size - 16) / TFRA_ENTRY < count)
        return -ENODATA;
    index->entries = calloc(count ? count : 1, sizeof(*index->entries));
    if (!index->entries)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *p = tfra.data + 16 + (size_t)i * TFRA_ENTRY;
        index->entries[i] = (struct mp4_index_entry){mp4_get_u64(p), mp4_get_u64(p + 8)};
        bool sorted = i == 0 || (index->entries[i].moof_offset > index->entries[i - 1].moof_offset &&
                                 index->entries[i].time_90k >= index->entries[i - 1].time_90k);
        if (!sorted || index->entries[i].moof_offset >= size || index->entries[i].time_90k >= 1ULL << 60) {
            mp4_index_fini(index);
            return -ENODATA;
        }
    }
    index->count = count;
    return 0;
}

int mp4_read_index(const struct mp4_input *input, struct mp4_index *ret_index)
{
    uint8_t tail[16];
    struct box box;
    uint8_t *data = NULL;
    if (input->size < 16)
        return -ENODATA;
    int r = input->read(input, input->size - 16, tail, 16);
    if (r < 0)
        return r;
    uint32_t size = mp4_get_u32(tail + 12);
    if (mp4_get_u32(tail) != 16 || mp4_get_u32(tail + 4) != BOX("mfro") || size < 24 || size > input->size)
        return -ENODATA;
    r = box_at(input, input->size - size, &box);
    if (r < 0 || box.type != BOX("mfra") || box.size != size || box.header != 8)
        return r == -EIO ? r : -ENODATA;
    r = load(input, &box, INDEX_MAX * TFRA_ENTRY + 64, &data);
    if (r < 0)
        return r == -EBADMSG ? -ENODATA : r;
    struct mp4_index index = {.data_end = box.offset};
    struct span tfra;
    r = find((struct span){data + 8, size - 8}, BOX("tfra"), &tfra) ? read_tfra(tfra, box.offset, &index)
                                                                    : -ENODATA;
    free(data);
    if (r == 0)
        *ret_index = index;
    return r;
}

int mp4_walk(const struct mp4_input *input, uint64_t from, struct mp4_index *ret_index, int64_t *ret_end_90k)
{
    struct mp4_index index = {.data_end = from};
    unsigned cap = 0;
    int64_t end = 0;
    for (;;) {
        struct mp4_fragment f;
        int r = mp4_read_fragment(input, index.data_end, false, &f);
        if (r == -ENODATA || r == -EBADMSG)
            break;
        if (r < 0) {
            mp4_index_fini(&index);
            return r;
        }
        const struct mp4_traf *video = mp4_fragment_track(&f, MP4_TRACK_VIDEO);
        if (video && video->end_pts_90k > end)
            end = video->end_pts_90k;
        if (video && video->keyframe && index.count < INDEX_MAX) {
            if (index.count == cap) {
                cap = cap ? cap * 2 : 64;
                void *entries = realloc(index.entries, cap * sizeof(*index.entries));
                if (!entries) {
                    mp4_index_fini(&index);
                    return -ENOMEM;
                }
                index.entries = entries;
            }
            int64_t pts = (int64_t)video->dts_90k + video->first_cts_90k;
            uint64_t time = pts > 0 ? (uint64_t)pts : 0;
            index.entries[index.count++] = (struct mp4_index_entry){time, f.offset};
        }
        index.data_end = f.end;
    }
    *ret_index = index;
    *ret_end_90k = end;
    return 0;
}

void mp4_index_fini(struct mp4_index *index)
{
    free(index->entries);
    *index = (struct mp4_index){0};
}
