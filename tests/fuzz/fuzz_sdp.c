/* A camera's description of its stream. */
#include <stdlib.h>

#include "rtsp/rtsp_url.h"
#include "rtsp/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sdp sdp;
    if (sdp_parse(data, size, &sdp) < 0)
        return 0;
    if (sdp.media_count > SDP_MEDIA_MAX)
        abort();
    for (unsigned i = 0; i < sdp.media_count; i++) {
        const struct sdp_media *media = &sdp.media[i];
        free(rtsp_url_join(TEXT("rtsp://h/a?b"), media->control));
        struct aac_format format;
        struct audio_params audio;
        if (media->codec == CODEC_AAC)
            (void)sdp_aac(media, &format, &audio);
        struct parameter_sets sets = {.codec = media->codec == CODEC_H265 ? CODEC_H265 : CODEC_H264};
        struct video_params video;
        sdp_parameter_sets(media, &sets);
        if (parameter_sets_build(&sets, &video) == 0 && video.config_size > sizeof(video.config))
            abort();
    }
    return 0;
}
