#include "mp4/mux.h"

#include <string.h>

#define BOX(a)     MP4_FOURCC((a)[0], (a)[1], (a)[2], (a)[3])
#define EPOCH_1904 2082844800ULL /* seconds from 1904 to 1970 */

/* sample flags, 14496-12 8.8.3.1 */
#define SAMPLE_SYNC     0x02000000u /* depends on no other */
#define SAMPLE_NOT_SYNC 0x01010000u /* depends on others, not a sync sample */

#define TFHD_DESCRIPTION  0x000002u
#define TFHD_BASE_IS_MOOF 0x020000u
#define TRUN_DATA_OFFSET  0x000001u
#define TRUN_DURATION     0x000100u
#define TRUN_SIZE         0x000200u
#define TRUN_FLAGS        0x000400u
#define TRUN_CTS          0x000800u

static void matrix(struct mp4_writer *w)
{
    static const uint32_t unity[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};
    for (unsigned i = 0; i < 9; i++)
        mp4_u32(w, unity[i]);
}

static void ftyp(struct mp4_writer *w)
{
    size_t box = mp4_begin(w, BOX("ftyp"));
    mp4_u32(w, BOX("iso6"));
    mp4_u32(w, 0);
    mp4_u32(w, BOX("iso6"));
    mp4_u32(w, BOX("iso5"));
    mp4_u32(w, BOX("cmfc"));
    mp4_u32(w, BOX("mp41"));
    mp4_end(w, box);
}

static uint64_t created(const struct mp4_movie *movie)
{
    return movie->created_ms ? (uint64_t)(movie->created_ms / 1000) + EPOCH_1904 : 0;
}

static void mvhd(struct mp4_writer *w, const struct mp4_movie *movie)
{
    size_t box = mp4_begin_full(w, BOX("mvhd"), 1, 0);
    mp4_u64(w, created(movie));
    mp4_u64(w, created(movie));
    mp4_u32(w, MP4_TIMESCALE);
    mp4_u64(w, movie->duration_90k);
    mp4_u32(w, 0x10000);
    mp4_u16(w, 0x100);
    mp4_zero(w, 10);
    matrix(w);
    mp4_zero(w, 24);
    mp4_u32(w, 3); /* next track */
    mp4_end(w, box);
}

static void tkhd(struct mp4_writer *w, const struct mp4_movie *movie, uint32_t track)
{
    bool video = track == MP4_TRACK_VIDEO;
    size_t box = mp4_begin_full(w, BOX("tkhd"), 1, 3);
    mp4_u64(w, created(movie));
    mp4_u64(w, created(movie));
    mp4_u32(w, track);
    mp4_u32(w, 0);
    mp4_u64(w, movie->duration_90k);
    mp4_zero(w, 8);
    mp4_u16(w, 0);
    mp4_u16(w, 0);
    mp4_u16(w, video ? 0 : 0x100);
    mp4_u16(w, 0);
    matrix(w);
    mp4_u32(w, video ? movie->video[0]->width << 16 : 0);
    mp4_u32(w, video ? movie->video[0]->height << 16 : 0);
    mp4_end(w, box);
}

static void edit(struct mp4_writer *w, uint64_t duration, int64_t media)
{
    mp4_u64(w, duration); /* 0 in a fragmented file: all that follows */
    mp4_u64(w, (uint64_t)media);
    mp4_u16(w, 1);
    mp4_u16(w, 0);
}

static const struct mp4_table *table_of(const struct mp4_movie *movie, uint32_t track)
{
    return movie->tables[track == MP4_TRACK_VIDEO ? 0 : 1];
}

static void edts(struct mp4_writer *w, const struct mp4_movie *movie, uint32_t track)
{
    const struct mp4_table *table = table_of(movie, track);
    if (!table && !movie->edit_media_90k)
        return;
    size_t outer = mp4_begin(w, BOX("edts"));
    size_t elst = mp4_begin_full(w, BOX("elst"), 1, 0);
    if (!table) {
        mp4_u32(w, 1);
        edit(w, 0, movie->edit_media_90k);
    } else if (table->first_pts_90k <= movie->from_90k) {
        mp4_u32(w, 1);
        edit(w, movie->duration_90k, movie->from_90k - table->first_dts_90k);
    } else {
        /* Nothing of this track at first: that time is kept empty. */
        uint64_t empty = (uint64_t)(table->first_pts_90k - movie->from_90k);
        mp4_u32(w, 2);
        edit(w, empty, -1);
        edit(w, movie->duration_90k > empty ? movie->duration_90k - empty : 1,
             table->first_pts_90k - table->first_dts_90k);
    }
    mp4_end(w, elst);
    mp4_end(w, outer);
}

static void hdlr(struct mp4_writer *w, bool video)
{
    size_t box = mp4_begin_full(w, BOX("hdlr"), 0, 0);
    mp4_u32(w, 0);
    mp4_u32(w, video ? BOX("vide") : BOX("soun"));
    mp4_zero(w, 12);
    mp4_bytes(w, video ? "video" : "audio", 6);
    mp4_end(w, box);
}

static void avc_or_hevc(struct mp4_writer *w, const struct video_params *params)
{
    bool avc = params->codec == CODEC_H264;
    size_t box = mp4_begin(w, avc ? BOX("avc1") : BOX("hvc1"));
    mp4_zero(w, 6);
    mp4_u16(w, 1); /* data reference */
    mp4_zero(w, 16);
    mp4_u16(w, (uint16_t)params->width);
    mp4_u16(w, (uint16_t)params->height);
    mp4_u32(w, 0x480000); /* 72 dpi */
    mp4_u32(w, 0x480000);
    mp4_u32(w, 0);
    mp4_u16(w, 1); /* frames a sample */
    mp4_zero(w, 32);
    mp4_u16(w, 24);
    mp4_u16(w, 0xffff);
    size_t config = mp4_begin(w, avc ? BOX("avcC") : BOX("hvcC"));
    mp4_bytes(w, params->config, params->config_size);
    mp4_end(w, config);
    mp4_end(w, box);
}

/* A descriptor of 14496-1 with its length in one byte; ours are all short. */
static void descriptor(struct mp4_writer *w, uint8_t tag, size_t size)
{
    mp4_u8(w, tag);
    mp4_u8(w, (uint8_t)size);
}

static void mp4a(struct mp4_writer *w, const struct audio_params *params)
{
    size_t box = mp4_begin(w, BOX("mp4a"));
    mp4_zero(w, 6);
    mp4_u16(w, 1);
    mp4_zero(w, 8);
    mp4_u16(w, (uint16_t)params->channels);
    mp4_u16(w, 16);
    mp4_u32(w, 0);
    mp4_u32(w, params->sample_rate <= 0xffff ? params->sample_rate << 16 : 0);
    size_t esds = mp4_begin_full(w, BOX("esds"), 0, 0);
    size_t config = params->config_size;
    descriptor(w, 3, 3 + 2 + 13 + 2 + config + 3); /* ES */
    mp4_u16(w, MP4_TRACK_AUDIO);
    mp4_u8(w, 0);
    descriptor(w, 4, 13 + 2 + config); /* DecoderConfig */
    mp4_u8(w, 0x40);                   /* MPEG-4 audio */
    mp4_u8(w, 0x15);                   /* audio stream */
    mp4_zero(w, 3 + 4 + 4);
    descriptor(w, 5, config); /* DecoderSpecificInfo */
    mp4_bytes(w, params->config, config);
    descriptor(w, 6, 1); /* SLConfig */
    mp4_u8(w, 2);
    mp4_end(w, esds);
    mp4_end(w, box);
}

static void empty_table(struct mp4_writer *w, uint32_t type, size_t zeros)
{
    size_t box = mp4_begin_full(w, type, 0, 0);
    mp4_zero(w, zeros);
    mp4_end(w, box);
}

static void stbl(struct mp4_writer *w, const struct mp4_movie *movie, bool video)
{
    size_t box = mp4_begin(w, BOX("stbl"));
    size_t stsd = mp4_begin_full(w, BOX("stsd"), 0, 0);
    unsigned count = video ? movie->video_count : movie->audio_count;
    mp4_u32(w, count);
    for (unsigned i = 0; i < count; i++) {
        if (video)
            avc_or_hevc(w, movie->video[i]);
        else
            mp4a(w, movie->audio[i]);
    }
    mp4_end(w, stsd);
    const struct mp4_table *table = movie->tables[video ? 0 : 1];
    if (table) {
        mp4_table_write(w, table, movie->mdat_at);
    } else {
        empty_table(w, BOX("stts"), 4);
        empty_table(w, BOX("stsc"), 4);
        empty_table(w, BOX("stsz"), 8);
        empty_table(w, BOX("stco"), 4);
    }
    mp4_end(w, box);
}

static void minf(struct mp4_writer *w, const struct mp4_movie *movie, bool video)
{
    size_t box = mp4_begin(w, BOX("minf"));
    size_t head = mp4_begin_full(w, video ? BOX("vmhd") : BOX("smhd"), 0, video ? 1 : 0);
    mp4_zero(w, video ? 8 : 4);
    mp4_end(w, head);
    size_t dinf = mp4_begin(w, BOX("dinf"));
    size_t dref = mp4_begin_full(w, BOX("dref"), 0, 0);
    mp4_u32(w, 1);
    size_t url = mp4_begin_full(w, BOX("url "), 0, 1); /* in this file */
    mp4_end(w, url);
    mp4_end(w, dref);
    mp4_end(w, dinf);
    stbl(w, movie, video);
    mp4_end(w, box);
}

static void trak(struct mp4_writer *w, const struct mp4_movie *movie, uint32_t track)
{
    bool video = track == MP4_TRACK_VIDEO;
    size_t box = mp4_begin(w, BOX("trak"));
    tkhd(w, movie, track);
    edts(w, movie, track);
    size_t mdia = mp4_begin(w, BOX("mdia"));
    size_t mdhd = mp4_begin_full(w, BOX("mdhd"), 1, 0);
    mp4_u64(w, created(movie));
    mp4_u64(w, created(movie));
    mp4_u32(w, MP4_TIMESCALE);
    mp4_u64(w, table_of(movie, track) ? mp4_table_duration(table_of(movie, track)) : 0);
    mp4_u16(w, 0x55c4); /* und */
    mp4_u16(w, 0);
    mp4_end(w, mdhd);
    hdlr(w, video);
    minf(w, movie, video);
    mp4_end(w, mdia);
    mp4_end(w, box);
}

static void mvex(struct mp4_writer *w, const struct mp4_movie *movie)
{
    size_t box = mp4_begin(w, BOX("mvex"));
    for (uint32_t track = MP4_TRACK_VIDEO; track <= MP4_TRACK_AUDIO; track++) {
        if (!(track == MP4_TRACK_VIDEO ? movie->video_count : movie->audio_count))
            continue;
        size_t trex = mp4_begin_full(w, BOX("trex"), 0, 0);
        mp4_u32(w, track);
        mp4_u32(w, 1);
        mp4_zero(w, 12);
        mp4_end(w, trex);
    }
    mp4_end(w, box);
}

bool mp4_audio_supported(const struct audio_params *params)
{
    return params->codec == CODEC_AAC && params->config_size >= 2 &&
           params->config_size <= sizeof(params->config) && params->channels > 0 && params->sample_rate > 0;
}

static bool can_carry(const struct mp4_movie *movie)
{
    if (movie->video_count > MP4_DESCRIPTIONS_MAX || movie->audio_count > MP4_DESCRIPTIONS_MAX)
        return false;
    for (unsigned i = 0; i < movie->video_count; i++) {
        enum codec codec = movie->video[i]->codec;
        if ((codec != CODEC_H264 && codec != CODEC_H265) || movie->video[i]->config_size > CODEC_CONFIG_MAX)
            return false;
    }
    for (unsigned i = 0; i < movie->audio_count; i++)
        if (!mp4_audio_supported(movie->audio[i]))
            return false;
    return true;
}

static void head(struct mp4_writer *w, const struct mp4_movie *movie)
{
    ftyp(w);
    size_t moov = mp4_begin(w, BOX("moov"));
    mvhd(w, movie);
    if (movie->video_count)
        trak(w, movie, MP4_TRACK_VIDEO);
    if (movie->audio_count)
        trak(w, movie, MP4_TRACK_AUDIO);
    if (!movie->tables[0] && !movie->tables[1])
        mvex(w, movie);
    mp4_end(w, moov);
}

struct se_buf *mp4_init_segment(const struct mp4_movie *movie)
{
    struct mp4_writer w = {0};
    if (!can_carry(movie))
        return NULL;
    head(&w, movie);
    return mp4_take(&w);
}

struct se_buf *mp4_file_head(struct mp4_movie *movie, uint64_t bytes)
{
    struct mp4_writer w = {0};
    if (!can_carry(movie))
        return NULL;
    /* Written twice: the places of chunks depend on its own size, its size not on them. */
    movie->mdat_at = 0;
    head(&w, movie);
    movie->mdat_at = w.len + 16;
    w.len = 0;
    head(&w, movie);
    mp4_u32(&w, 1); /* a 64-bit size follows */
    mp4_u32(&w, BOX("mdat"));
    mp4_u64(&w, 16 + bytes);
    return mp4_take(&w);
}

/* Returns where the data offset of the run stands, to be set once the size of moof is known. */
static size_t traf(struct mp4_writer *w, const struct mp4_track_run *run)
{
    size_t box = mp4_begin(w, BOX("traf"));
    size_t tfhd = mp4_begin_full(w, BOX("tfhd"), 0, TFHD_BASE_IS_MOOF | TFHD_DESCRIPTION);
    mp4_u32(w, run->track);
    mp4_u32(w, run->description);
    mp4_end(w, tfhd);
    size_t tfdt = mp4_begin_full(w, BOX("tfdt"), 1, 0);
    mp4_u64(w, run->dts_90k);
    mp4_end(w, tfdt);
    bool reordered = false;
    for (unsigned i = 0; i < run->count; i++)
        reordered |= run->samples[i].cts_90k != 0;
    uint32_t flags = TRUN_DATA_OFFSET | TRUN_DURATION | TRUN_SIZE | TRUN_FLAGS | (reordered ? TRUN_CTS : 0);
    size_t trun = mp4_begin_full(w, BOX("trun"), 1, flags);
    mp4_u32(w, run->count);
    size_t offset_at = w->len;
    mp4_u32(w, 0);
    for (unsigned i = 0; i < run->count; i++) {
        mp4_u32(w, run->samples[i].duration_90k);
        mp4_u32(w, run->samples[i].size);
        mp4_u32(w, run->samples[i].keyframe ? SAMPLE_SYNC : SAMPLE_NOT_SYNC);
        if (reordered)
            mp4_u32(w, (uint32_t)run->samples[i].cts_90k);
    }
    mp4_end(w, trun);
    mp4_end(w, box);
    return offset_at;
}

void mp4_fragment_header(struct mp4_writer *w, uint32_t sequence, const struct mp4_track_run *runs,
                         unsigned run_count)
{
    size_t start = w->len, offset_at[2] = {0};
    uint64_t payload = 0;
    size_t moof = mp4_begin(w, BOX("moof"));
    size_t mfhd = mp4_begin_full(w, BOX("mfhd"), 0, 0);
    mp4_u32(w, sequence);
    mp4_end(w, mfhd);
    for (unsigned i = 0; i < run_count && i < 2; i++)
        if (runs[i].count)
            offset_at[i] = traf(w, &runs[i]);
    mp4_end(w, moof);
    size_t header = w->len - start + 8;
    for (unsigned i = 0; i < run_count && i < 2; i++) {
        if (!runs[i].count)
            continue;
        mp4_set_u32(w, offset_at[i], (uint32_t)(header + payload));
        for (unsigned j = 0; j < runs[i].count; j++)
            payload += runs[i].samples[j].size;
    }
    mp4_u32(w, (uint32_t)(8 + payload)); /* a fragment is bounded far below 4 GiB by its makers */
    mp4_u32(w, BOX("mdat"));
}

void mp4_mfra(struct mp4_writer *w, const struct mp4_index_entry *entries, unsigned count)
{
    size_t start = w->len;
    size_t mfra = mp4_begin(w, BOX("mfra"));
    size_t tfra = mp4_begin_full(w, BOX("tfra"), 1, 0);
    mp4_u32(w, MP4_TRACK_VIDEO);
    mp4_u32(w, 0); /* one byte each for traf, trun and sample number */
    mp4_u32(w, count);
    for (unsigned i = 0; i < count; i++) {
        mp4_u64(w, entries[i].time_90k);
        mp4_u64(w, entries[i].moof_offset);
        mp4_u8(w, 1);
        mp4_u8(w, 1);
        mp4_u8(w, 1);
    }
    mp4_end(w, tfra);
    size_t mfro = mp4_begin_full(w, BOX("mfro"), 0, 0);
    mp4_u32(w, (uint32_t)(w->len + 4 - start));
    mp4_end(w, mfro);
    mp4_end(w, mfra);
}
