#include "mp4/mux.h"

#include <inttypes.h>
#include <stdio.h>

/* RFC 6381 and ISO/IEC 14496-15 annex E: "hvc1.A1.6.L93.B0". */
static void hevc(struct video_params *params)
{
    const uint8_t *c = params->config;
    static const char *const space[] = {"", "A", "B", "C"};
    uint32_t compatibility = mp4_get_u32(c + 2), reversed = 0;
    for (unsigned i = 0; i < 32; i++)
        reversed |= (compatibility >> i & 1u) << (31 - i);
    int n = snprintf(params->mime, sizeof(params->mime), "hvc1.%s%u.%" PRIX32 ".%c%u", space[c[1] >> 6],
                     c[1] & 0x1fu, reversed, c[1] & 0x20 ? 'H' : 'L', c[12]);
    unsigned last = 6;
    while (last > 0 && c[6 + last - 1] == 0)
        last--;
    for (unsigned i = 0; i < last && n > 0 && (size_t)n + 4 < sizeof(params->mime); i++)
        n += snprintf(params->mime + n, sizeof(params->mime) - (size_t)n, ".%X", c[6 + i]);
}

void mp4_codec_string(struct video_params *params)
{
    params->mime[0] = 0;
    if (params->codec == CODEC_H264 && params->config_size >= 4)
        snprintf(params->mime, sizeof(params->mime), "avc1.%02x%02x%02x", params->config[1],
                 params->config[2], params->config[3]);
    else if (params->codec == CODEC_H265 && params->config_size >= 13)
        hevc(params);
}
