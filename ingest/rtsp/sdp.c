#include "sdp.h"

#include <errno.h>

#include "base/str.h"

#define FORMATS_MAX 8 /* payload types looked at per m= line */

/* An m= section while its lines come in. */
struct section {
    struct text formats;
    struct text rtpmap[FORMATS_MAX], fmtp[FORMATS_MAX];
    unsigned rtpmaps, fmtps;
};

static enum codec codec_by_name(struct text name)
{
    static const struct {
        const char *name;
        enum codec codec;
    } names[] = {
        {"H264", CODEC_H264}, {"H265", CODEC_H265}, {"HEVC", CODEC_H265}, {"mpeg4-generic", CODEC_AAC}};
    for (unsigned i = 0; i < SE_ARRAY_LEN(names); i++)
        if (text_is(name, names[i].name))
            return names[i].codec;
    return CODEC_OTHER;
}

/* What stands behind the first word. */
static struct text after_word(struct text text)
{
    while (text.n && !text_blank(text.p[0]))
        text = text_skip(text, 1);
    return text_trim(text);
}

/* "96 H264/90000", "97 mpeg4-generic/16000/1" */
static void rtpmap(struct text value, struct sdp_media *media)
{
    struct text rest = after_word(value);
    media->name = text_trim(text_cut(&rest, '/'));
    media->codec = codec_by_name(media->name);
    bool said = rest.n > 0;
    int64_t clock = text_number(text_trim(text_cut(&rest, '/')), 10000000);
    int64_t channels = text_number(text_trim(rest), 64);
    /* Video has one clock only (RFC 6184, 7798): it may be left out, but not be nonsense. */
    if (!said && (media->codec == CODEC_H264 || media->codec == CODEC_H265))
        clock = 90000;
    media->clock = clock > 0 ? (uint32_t)clock : 0;
    media->channels = channels > 0 ? (unsigned)channels : 1;
}

/* A dynamic payload type of video that no rtpmap names: its parameters tell what it is. */
static void guess(struct sdp_media *media)
{
    bool h265 = sdp_fmtp(media->fmtp, "sprop-vps").n || sdp_fmtp(media->fmtp, "sprop-sps").n;
    bool h264 = sdp_fmtp(media->fmtp, "sprop-parameter-sets").n ||
                sdp_fmtp(media->fmtp, "packetization-mode").n || sdp_fmtp(media->fmtp, "profile-level-id").n;
    if (media->kind != SDP_VIDEO || media->payload < 96 || media->name.n || (!h264 && !h265))
        return;
    media->codec = h265 ? CODEC_H265 : CODEC_H264;
    media->name = h265 ? TEXT("H265") : TEXT("H264");
    media->clock = 90000;
}

/* RFC 3551 table 4: the static types that cameras use. */
static void static_payload(struct sdp_media *media)
{
    static const struct {
        unsigned payload;
        uint32_t clock;
        const char *name;
    } types[] = {
        {0, 8000, "PCMU"}, {8, 8000, "PCMA"}, {9, 8000, "G722"}, {14, 90000, "MPA"}, {26, 90000, "JPEG"}};
    for (unsigned i = 0; i < SE_ARRAY_LEN(types); i++) {
        if (types[i].payload != media->payload)
            continue;
        media->name = (struct text){types[i].name, strlen(types[i].name)};
        media->clock = types[i].clock;
        media->channels = 1;
        media->codec = CODEC_OTHER;
    }
}

static struct text take_word(struct text *rest)
{
    struct text word = *rest;
    *rest = after_word(*rest);
    word.n = rest->n ? (size_t)(rest->p - word.p) : word.n;
    return text_trim(word);
}

/* Of several formats of one section, the first that can be carried; else the first. */
static void section_end(const struct section *section, struct sdp_media *media)
{
    struct text formats = section->formats;
    bool chosen = false;
    while (formats.n && !(chosen && media->codec != CODEC_OTHER)) {
        struct text format = take_word(&formats);
        int64_t payload = text_number(format, 127);
        if (payload < 0)
            continue;
        struct sdp_media candidate = *media;
        candidate.payload = (unsigned)payload;
        candidate.codec = CODEC_OTHER;
        static_payload(&candidate);
        for (unsigned i = 0; i < section->rtpmaps; i++)
            if (text_number(section->rtpmap[i], 127) == payload)
                rtpmap(section->rtpmap[i], &candidate);
        for (unsigned i = 0; i < section->fmtps; i++)
            if (text_number(section->fmtp[i], 127) == payload) {
                candidate.fmtp = after_word(section->fmtp[i]);
            }
        guess(&candidate);
        if (chosen && (candidate.codec == CODEC_OTHER || !candidate.clock))
            continue;
        *media = candidate;
        chosen = true;
    }
    if (!media->clock)
        media->codec = CODEC_OTHER; /* no clock: its times mean nothing */
}

/* "video 0 RTP/AVP 96 97" */
static void media_line(struct text value, struct section *section, struct sdp_media *media)
{
    *section = (struct section){0};
    *media = (struct sdp_media){.kind = SDP_OTHER, .codec = CODEC_OTHER, .payload = 255};
    struct text kind = take_word(&value);
    media->kind = text_is(kind, "video") ? SDP_VIDEO : text_is(kind, "audio") ? SDP_AUDIO : SDP_OTHER;
    take_word(&value); /* port */
    struct text profile = take_word(&value);
    media->encrypted = media->kind == SDP_VIDEO && text_begins(profile, "RTP/SAVP");
    if (!text_begins(profile, "RTP/") || media->encrypted)
        media->kind = SDP_OTHER;
    section->formats = value;
}

static void attribute(struct text value, struct sdp *sdp, struct section *section, struct sdp_media *media)
{
    struct text rest = value, name = text_trim(text_cut(&rest, ':'));
    rest = text_trim(rest);
    if (text_is(name, "control"))
        *(media ? &media->control : &sdp->control) = rest;
    else if (media && text_is(name, "rtpmap") && section->rtpmaps < FORMATS_MAX)
        section->rtpmap[section->rtpmaps++] = rest;
    else if (media && text_is(name, "fmtp") && section->fmtps < FORMATS_MAX)
        section->fmtp[section->fmtps++] = rest;
}

int sdp_parse(const void *data, size_t size, struct sdp *ret_sdp)
{
    struct sdp sdp = {0};
    struct section section = {0};
    struct sdp_media *media = NULL;
    struct text rest = {data, size};
    bool full = false, any = false;
    /* Lines end in CR LF; some write LF alone, some CR alone. */
    char end = rest.n && memchr(rest.p, '\n', rest.n) ? '\n' : '\r';
    while (rest.n) {
        struct text line = text_trim(text_cut(&rest, end));
        if (line.n < 2 || line.p[1] != '=')
            continue;
        struct text value = text_trim(text_skip(line, 2));
        any |= line.p[0] == 'v' || line.p[0] == 'm';
        if (line.p[0] == 'm') {
            if (media)
                section_end(&section, media);
            full = sdp.media_count == SDP_MEDIA_MAX;
            media = full ? media : &sdp.media[sdp.media_count++];
            if (!full)
                media_line(value, &section, media);
        } else if (line.p[0] == 'a' && !full) {
            attribute(value, &sdp, &section, media);
        }
        if (full)
            break;
    }
    if (media && !full)
        section_end(&section, media);
    if (!any)
        return -EBADMSG;
    *ret_sdp = sdp;
    return 0;
}

struct text sdp_fmtp(struct text fmtp, const char *name)
{
    while (fmtp.n) {
        struct text value = text_trim(text_cut(&fmtp, ';'));
        struct text key = text_trim(text_cut(&value, '='));
        if (!text_is(key, name))
            continue;
        value = text_trim(value);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = (struct text){value.p + 1, value.n - 2};
        return value;
    }
    return (struct text){NULL, 0};
}

static void add_base64_sets(struct text list, struct parameter_sets *sets)
{
    while (list.n) {
        struct text one = text_trim(text_cut(&list, ','));
        uint8_t nal[PARAMETER_SET_MAX + 3];
        if (!one.n || one.n > sizeof(nal) / 3 * 4)
            continue;
        while (one.n && one.p[one.n - 1] == '=' && one.n % 4) /* more padding than there should be */
            one.n--;
        char padded[sizeof(nal) / 3 * 4 + 4];
        memcpy(padded, one.p, one.n);
        while (one.n % 4)
            padded[one.n++] = '=';
        long size = se_base64_decode(padded, one.n, nal);
        const uint8_t *at = nal;
        if (size > 4 && !at[0] && !at[1] && !at[2] && at[3] == 1) /* some write a start code too */
            at += 4, size -= 4;
        if (size > 0)
            (void)parameter_sets_add(sets, at, (size_t)size);
    }
}

void sdp_parameter_sets(const struct sdp_media *media, struct parameter_sets *sets)
{
    static const char *const names[] = {"sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(names); i++)
        add_base64_sets(sdp_fmtp(media->fmtp, names[i]), sets);
}

static int bits_of(struct text fmtp, const char *name, unsigned fallback, unsigned *ret_bits)
{
    struct text value = sdp_fmtp(fmtp, name);
    int64_t bits = value.n ? text_number(value, 32) : fallback;
    if (bits < 0)
        return -EBADMSG;
    *ret_bits = (unsigned)bits;
    return 0;
}

int sdp_aac(const struct sdp_media *media, struct aac_format *ret_format, struct audio_params *ret_params)
{
    struct text mode = sdp_fmtp(media->fmtp, "mode"), config = sdp_fmtp(media->fmtp, "config");
    bool high = text_is(mode, "AAC-hbr");
    if (mode.n && !high && !text_is(mode, "AAC-lbr"))
        return -ENOTSUP;
    struct aac_format format;
    if (bits_of(media->fmtp, "sizeLength", mode.n && !high ? 6 : 13, &format.size_bits) < 0 ||
        bits_of(media->fmtp, "indexLength", mode.n && !high ? 2 : 3, &format.index_bits) < 0 ||
        bits_of(media->fmtp, "indexDeltaLength", mode.n && !high ? 2 : 3, &format.delta_bits) < 0 ||
        !format.size_bits || format.size_bits > 16)
        return -EBADMSG;
    uint8_t bytes[64];
    if (!config.n || config.n > 2 * sizeof(bytes))
        return -EBADMSG;
    long size = se_hex_decode(config.p, config.n, bytes);
    if (size < 0)
        return -EBADMSG;
    int r = aac_config_parse(bytes, (size_t)size, ret_params);
    if (r == 0)
        *ret_format = format;
    return r;
}
