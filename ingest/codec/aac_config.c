/* AudioSpecificConfig, ISO/IEC 14496-3 1.6.2.1. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bits.h"
#include "parameter_sets.h"

static const unsigned rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                 22050, 16000, 12000, 11025, 8000,  7350};
static const uint8_t channel_counts[] = {0, 1, 2, 3, 4, 5, 6, 8};

static unsigned object_type(struct bits *bits)
{
    unsigned type = bits_u(bits, 5);
    return type == 31 ? 32 + bits_u(bits, 6) : type;
}

static unsigned sample_rate(struct bits *bits)
{
    unsigned index = bits_u(bits, 4);
    if (index == 15)
        return bits_u(bits, 24);
    return index < SE_ARRAY_LEN(rates) ? rates[index] : 0;
}

int aac_config_parse(const uint8_t *config, size_t size, struct audio_params *ret_params)
{
    struct audio_params params = {.codec = CODEC_AAC, .name = "mp4a.40"};
    if (size < 2 || size > sizeof(params.config))
        return -EBADMSG;
    struct bits bits;
    bits_init(&bits, config, size);
    unsigned type = object_type(&bits);
    params.sample_rate = sample_rate(&bits);
    unsigned channels = bits_u(&bits, 4);
    if (bits.over || !params.sample_rate || params.sample_rate > 192000)
        return -EBADMSG;
    /* LC, and HE-AAC (SBR, PS) said explicitly: the record carries it on as it is. */
    if (type != 2 && type != 5 && type != 29)
        return -ENOTSUP;
    if (channels >= SE_ARRAY_LEN(channel_counts) || !channel_counts[channels])
        return -ENOTSUP;
    params.channels = channel_counts[channels];
    snprintf(params.name, sizeof(params.name), "mp4a.40.%u", type);
    memcpy(params.config, config, size);
    params.config_size = (unsigned)size;
    *ret_params = params;
    return 0;
}
