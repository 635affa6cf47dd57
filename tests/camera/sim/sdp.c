#include "camera.h"

static void add_control(const struct stream *stream, unsigned t, const char *base, struct se_str *sdp)
{
    switch (stream->camera->habits.control) {
    case CONTROL_RELATIVE:
        se_str_printf(sdp, "a=control:trackID=%u\r\n", t);
        break;
    case CONTROL_ABSOLUTE:
        se_str_printf(sdp, "a=control:%strackID=%u\r\n", base, t);
        break;
    case CONTROL_QUERY:
        se_str_printf(sdp, "a=control:%strackID=%u?%s\r\n", base, t, CONTROL_QUERY_TEXT);
        break;
    case CONTROL_PATH:
        se_str_printf(sdp, "a=control:/%s/trackID=%u\r\n", stream->path, t);
        break;
    case CONTROL_STAR:
        se_str_puts(sdp, "a=control:*\r\n");
        break;
    case CONTROL_MISSING:
        break;
    }
}

static void add_track(const struct stream *stream, unsigned t, const char *base, struct se_str *sdp)
{
    const struct camera *camera = stream->camera;
    const struct clip_track *track = &stream->clip->tracks[t];
    const struct hostile *hostile = t == 0 ? camera->habits.hostile : NULL;
    unsigned pt = track->payload_type;

    se_str_printf(sdp, "m=%s 0 RTP/AVP %u\r\n", t == 0 ? "video" : "audio", pt);
    if (hostile && hostile->told_clock)
        se_str_printf(sdp, "a=rtpmap:%u %s/%u\r\n", pt, track->codec == CLIP_H265 ? "H265" : "H264",
                      hostile->clock_rate);
    else if (track->rtpmap[0])
        se_str_printf(sdp, "a=rtpmap:%u %s\r\n", pt, track->rtpmap);
    if (track->fmtp[0]) {
        se_str_printf(sdp, "a=fmtp:%u %s", pt, track->fmtp);
        if (t > 0)
            se_str_puts(sdp, track->sprop);
        else if (!camera->no_sprop)
            habits_sprop(&camera->habits, track, sdp);
        se_str_puts(sdp, "\r\n");
    }
    if (t == 0)
        se_str_printf(sdp, "a=framesize:%u %u-%u\r\n", pt, stream->clip->width, stream->clip->height);
    if (hostile && hostile->sdp_line)
        se_str_printf(sdp, "%s\r\n", hostile->sdp_line);
    else
        add_control(stream, t, base, sdp);
}

/* RFC 8866, with the attributes of RFC 2326 C, RFC 6184 8.2, RFC 7798 7.1 and RFC 3640 4. */
char *sdp_text(const struct stream *stream, const char *host, const char *base)
{
    const struct camera *camera = stream->camera;
    bool v6 = host[0] == '[';
    struct se_str sdp = {0};

    se_str_printf(&sdp, "v=0\r\no=- 1 1 IN %s %.*s\r\ns=%s\r\n", v6 ? "IP6" : "IP4",
                  v6 ? (int)__builtin_strlen(host) - 2 : (int)__builtin_strlen(host), v6 ? host + 1 : host,
                  stream->path);
    se_str_printf(&sdp, "c=IN %s\r\nt=0 0\r\n", v6 ? "IP6 ::" : "IP4 0.0.0.0");
    if (camera->habits.control != CONTROL_MISSING)
        se_str_puts(&sdp, "a=control:*\r\n");
    se_str_puts(&sdp, "a=range:npt=now-\r\n");
    for (unsigned i = 0; i < camera->habits.extra_count; i++)
        habits_extra(&camera->habits, i, &sdp);
    for (unsigned i = 0; i < stream->clip->track_count; i++) {
        unsigned t = camera->habits.audio_first ? stream->clip->track_count - 1 - i : i;

        if (t == 0 || !camera->no_audio)
            add_track(stream, t, base, &sdp);
    }
    return se_str_take(&sdp);
}
