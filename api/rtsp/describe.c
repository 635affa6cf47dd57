#include "rtsp/describe.h"

#include <stdlib.h>

#include "base/error.h"

/* The NAL unit behind the length at *at, which moves on; false at the end. */
static bool next_set(const struct se_buf *sets, size_t *at, const uint8_t **ret_nal, size_t *ret_size)
{
    if (!sets || sets->size - *at < 4)
        return false;
    const uint8_t *p = sets->data + *at;
    size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (!size || size > sets->size - *at - 4)
        return false;
    *ret_nal = p + 4;
    *ret_size = size;
    *at += 4 + size;
    return true;
}

/* The sets of one kind (type -1: all) in base64, by commas, behind a name. */
static void add_sets(struct se_str *out, const struct description *d, const char *name, int type)
{
    const uint8_t *nal;
    size_t size, at = 0;
    bool any = false;
    while (next_set(d->sets, &at, &nal, &size)) {
        if (type >= 0 && (nal[0] >> 1 & 0x3f) != type)
            continue;
        se_free_ char *text = se_base64_encode(nal, size);
        se_str_printf(out, any ? ",%s" : ";%s", any ? "" : name);
        se_str_puts(out, text ? text : "");
        any = true;
    }
}

static void add_control(struct se_str *out, const struct description *d, int track)
{
    if (d->base && track < 0)
        se_str_printf(out, "a=control:%s%s\r\n", d->base, d->query);
    else if (d->base)
        se_str_printf(out, "a=control:%s/trackID=%d%s\r\n", d->base, track, d->query);
    else if (track < 0)
        se_str_puts(out, "a=control:*\r\n");
    else
        se_str_printf(out, "a=control:trackID=%d\r\n", track);
}

/* RFC 6184 8.1, RFC 7798 7.1 */
static void add_video(struct se_str *out, const struct description *d)
{
    const uint8_t *config = d->video->config;
    int type = PAYLOAD_TYPE(TRACK_VIDEO);
    bool h264 = d->video->codec == CODEC_H264;
    se_str_printf(out, "m=video 0 RTP/AVP %d\r\na=rtpmap:%d %s/90000\r\n", type, type,
                  h264 ? "H264" : "H265");
    if (h264) {
        se_str_printf(out, "a=fmtp:%d packetization-mode=1;profile-level-id=%02X%02X%02X", type, config[1],
                      config[2], config[3]);
        add_sets(out, d, "sprop-parameter-sets=", -1);
    } else {
        se_str_printf(out, "a=fmtp:%d profile-id=%d;tier-flag=%d;level-id=%d", type, config[1] & 0x1f,
                      config[1] >> 5 & 1, config[12]);
        add_sets(out, d, "sprop-vps=", 32);
        add_sets(out, d, "sprop-sps=", 33);
        add_sets(out, d, "sprop-pps=", 34);
    }
    se_str_puts(out, "\r\n");
    if (d->video->fps > 0)
        se_str_printf(out, "a=framerate:%.3f\r\n", d->video->fps);
    add_control(out, d, TRACK_VIDEO);
}

/* RFC 3640 4.1 and 3.3.6 */
static void add_audio(struct se_str *out, const struct description *d)
{
    const struct audio_params *audio = d->audio;
    int type = PAYLOAD_TYPE(TRACK_AUDIO);
    char config[2 * sizeof(audio->config) + 1];
    unsigned size = audio->config_size < sizeof(audio->config) ? audio->config_size : sizeof(audio->config);
    se_hex_encode(audio->config, size, config);
    se_str_printf(out,
                  "m=audio 0 RTP/AVP %d\r\na=rtpmap:%d mpeg4-generic/%u/%u\r\n"
                  "a=fmtp:%d streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
                  "indexdeltalength=3;config=%s\r\n",
                  type, type, audio->sample_rate, audio->channels, type, config);
    add_control(out, d, TRACK_AUDIO);
}

void describe(const struct description *d, struct se_str *out)
{
    const char *net = d->ipv6 ? "IP6" : "IP4", *any = d->ipv6 ? "::" : "0.0.0.0";
    se_str_printf(out, "v=0\r\no=- %llu 1 IN %s %s\r\ns=Sharp Eyes Gateway\r\nc=IN %s %s\r\nt=0 0\r\n",
                  (unsigned long long)d->id, net, any, net, any);
    add_control(out, d, -1);
    se_str_puts(out, "a=range:npt=now-\r\n");
    add_video(out, d);
    if (d->audio)
        add_audio(out, d);
}
