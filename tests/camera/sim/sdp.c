#include "camera.h"

/* RFC 8866, with the attributes of RFC 2326 C, RFC 6184 8.2, RFC 7798 7.1 and RFC 3640 4. */
char *sdp_text(const struct stream *stream, const char *host)
{
    const struct camera *camera = stream->camera;
    bool v6 = host[0] == '[';
    struct se_str sdp = {0};

    se_str_printf(&sdp, "v=0\r\no=- 1 1 IN %s %.*s\r\ns=%s\r\n", v6 ? "IP6" : "IP4",
                  v6 ? (int)__builtin_strlen(host) - 2 : (int)__builtin_strlen(host), v6 ? host + 1 : host,
                  stream->path);
    se_str_printf(&sdp, "c=IN %s\r\nt=0 0\r\na=control:*\r\na=range:npt=now-\r\n",
                  v6 ? "IP6 ::" : "IP4 0.0.0.0");
    for (unsigned t = 0; t < stream->clip->track_count; t++) {
        const struct clip_track *track = &stream->clip->tracks[t];

        if (t > 0 && camera->no_audio)
            break;
        se_str_printf(&sdp, "m=%s 0 RTP/AVP %u\r\na=rtpmap:%u %s\r\na=fmtp:%u %s", t == 0 ? "video" : "audio",
                      track->payload_type, track->payload_type, track->rtpmap, track->payload_type,
                      track->fmtp);
        if (camera->bad_sprop && t == 0)
            se_str_puts(&sdp, track->codec == CLIP_H265 ? ";sprop-vps=Zm9v;sprop-sps=%%%%;sprop-pps="
                                                        : ";sprop-parameter-sets=Z01A,%%%%");
        else if (!camera->no_sprop)
            se_str_puts(&sdp, track->sprop);
        se_str_puts(&sdp, "\r\n");
        if (t == 0)
            se_str_printf(&sdp, "a=framesize:%u %u-%u\r\n", track->payload_type, stream->clip->width,
                          stream->clip->height);
        se_str_printf(&sdp, "a=control:trackID=%u\r\n", t);
    }
    return se_str_take(&sdp);
}
