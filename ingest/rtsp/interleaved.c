#include "interleaved.h"

#include <string.h>

bool interleaved_plausible(const struct interleaved *map, const uint8_t *data, size_t size)
{
    if (!size || data[0] != '$')
        return false;
    if (size < 2)
        return true;
    unsigned kind = map->channels[data[1]].kind;
    if (kind == CHANNEL_NONE)
        return false;
    if (size < 4)
        return true;
    unsigned length = (unsigned)data[2] << 8 | data[3];
    if (length < (kind == CHANNEL_RTP ? 12 : 8))
        return false;
    if (size < 6)
        return size < 5 || data[4] >> 6 == 2;
    if (data[4] >> 6 != 2)
        return false;
    if (kind == CHANNEL_RTP)
        return (data[5] & 0x7f) == map->channels[data[1]].payload_type;
    return data[5] >= 200 && data[5] <= 207;
}

size_t interleaved_resync(const struct interleaved *map, const uint8_t *data, size_t size)
{
    static const char word[] = "RTSP/1.";
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '$' && interleaved_plausible(map, data + i, size - i))
            return i;
        size_t left = size - i < sizeof(word) - 1 ? size - i : sizeof(word) - 1;
        if (data[i] == 'R' && !memcmp(data + i, word, left))
            return i;
    }
    return size;
}
