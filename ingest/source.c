#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "av/av_source.h"
#include "av/media_url.h"
#include "rtsp/rtsp_url.h"

const char *source_state_name(enum source_state state)
{
    static const char *const names[] = {
        [SOURCE_CONNECTING] = "connecting", [SOURCE_LIVE] = "live", [SOURCE_STALLED] = "stalled",
        [SOURCE_OFFLINE] = "offline",       [SOURCE_IDLE] = "idle", [SOURCE_DISABLED] = "disabled",
    };
    return names[state];
}

int source_pick(const char *url, enum stream_engine engine, const struct source_ops **ret_ops,
                struct se_err *err)
{
    enum media_scheme scheme;
    bool tls = !strncasecmp(url, "rtsps://", 8);
    if (tls && engine == ENGINE_FFMPEG)
        return se_fail(err, -EINVAL, "rtsps:// is pulled by the engine auto only");
    if (!tls && media_scheme_of(url, &scheme) < 0)
        return se_fail(err, -EINVAL,
                       "must begin with rtsp://, rtsps://, rtmp://, rtmps://, http://, https:// or srt://");
    *ret_ops = tls || (scheme == SCHEME_RTSP && engine != ENGINE_FFMPEG) ? &source_rtsp : &source_av;
    return 0;
}

static int check_native(const struct camera_stream_spec *spec, char ret_host[SOURCE_HOST_MAX],
                        struct se_err *err)
{
    struct rtsp_url url = {0};
    int r = rtsp_url_parse(spec->url, &url, err);
    if (r == 0 && url.tls && spec->transport == TRANSPORT_UDP)
        r = se_fail(err, -EINVAL,
                    "rtsps:// is pulled over its own connection: set the transport to auto or tcp");
    if (r == 0)
        snprintf(ret_host, SOURCE_HOST_MAX, "%s", url.host);
    rtsp_url_fini(&url);
    return r;
}

static int check_av(const struct camera_stream_spec *spec, char ret_host[SOURCE_HOST_MAX], struct se_err *err)
{
    struct media_url url = {0};
    int r = media_url_parse(spec->url, &url, err);
    if (r < 0)
        return r;
    snprintf(ret_host, SOURCE_HOST_MAX, "%s", url.host);
    if (url.scheme == SCHEME_RTSP && spec->transport == TRANSPORT_UDP)
        r = se_fail(err, -EINVAL, "the engine ffmpeg pulls RTSP over TCP only: set the transport to auto");
    else if (spec->tls_fingerprint && url.scheme == SCHEME_RTMPS)
        r = se_fail(err, -EINVAL,
                    "the certificate of rtmps:// is checked by its CA: it takes no fingerprint");
    media_url_fini(&url);
    return r;
}

int source_check(const struct camera_stream_spec *spec, char ret_host[SOURCE_HOST_MAX], struct se_err *err)
{
    const struct source_ops *ops;
    int r = source_pick(spec->url, spec->engine, &ops, err);
    if (r < 0)
        return r;
    return ops == &source_av ? check_av(spec, ret_host, err) : check_native(spec, ret_host, err);
}
