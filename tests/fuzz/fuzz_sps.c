/* Parameter sets and audio configurations. The first byte chooses the codec; each set is a length byte and so
 * many bytes. */
#include <stdlib.h>
#include <string.h>

#include "codec/parameter_sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct parameter_sets sets = {.codec = data[0] & 1 ? CODEC_H265 : CODEC_H264};
    struct audio_params audio;
    (void)aac_config_parse(data + 1, size - 1, &audio);
    for (data++, size--; size;) {
        size_t length = data[0] < size - 1 ? data[0] : size - 1;
        uint8_t *copy = malloc(length ? length : 1);
        memcpy(copy, data + 1, length);
        (void)parameter_sets_add(&sets, copy, length);
        free(copy);
        data += 1 + length;
        size -= 1 + length;
        struct video_params params;
        if (parameter_sets_build(&sets, &params) < 0)
            continue;
        if (!params.width || !params.height || params.config_size > sizeof(params.config) ||
            !memchr(params.mime, 0, sizeof(params.mime)))
            abort();
    }
    return 0;
}
