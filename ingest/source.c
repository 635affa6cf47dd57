#include "source.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

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
    if (engine == ENGINE_FFMPEG)
        return se_fail(err, -EINVAL, "this build pulls no stream with libavformat");
    if (strncasecmp(url, "rtsp://", 7) != 0)
        return se_fail(err, -EINVAL, "only rtsp:// URLs can be pulled");
    *ret_ops = &source_rtsp;
    return 0;
}
