/* Sound that is in no file: what other cameras send beside the same pictures. Nobody listens to it, so every
 * packet is the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "clip.h"

#define CLOCK_MAX_PACKET 1024

static const struct {
    const char *name, *rtpmap, *fmtp;
    uint8_t payload_type, fill;
    unsigned clock_rate, samples, bytes; /* of a packet */
} kinds[] = {
    {"pcmu", "PCMU/8000", "", 0, 0xff, 8000, 160, 160},
    {"pcma", "PCMA/8000", "", 8, 0xd5, 8000, 160, 160},
    {"g726", "G726-32/8000", "", 97, 0x00, 8000, 160, 80},
    {"opus", "opus/48000/2", "sprop-stereo=1", 97, 0xf8, 48000, 960, 40},
    {"latm", "MP4A-LATM/16000/1", "cpresent=0;config=400028203fc0", 97, 0x01, 16000, 1024, 60},
    {"unknown", "X-NOBODY-KNOWS/16000/7", "mode=strange;;=;x", 97, 0x24, 16000, 320, 333},
    {"nameless", "", "", 97, 0x24, 8000, 160, 160},
};

int clip_audio_find(const char *name)
{
    for (unsigned i = 0; i < SE_ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return (int)i;
    return -ENOENT;
}

int clip_audio_fill(struct clip *clip, int kind)
{
    struct clip_track *track = &clip->tracks[1];
    uint8_t payload[CLOCK_MAX_PACKET];
    int64_t step_us = (int64_t)kinds[kind].samples * 1000000 / kinds[kind].clock_rate;
    uint32_t count = (uint32_t)(clip->length_us / step_us);
    int r = 0;

    memset(payload, kinds[kind].fill, sizeof(payload));
    track->codec = CLIP_OTHER;
    track->clock_rate = kinds[kind].clock_rate;
    track->payload_type = kinds[kind].payload_type;
    track->rtpmap = se_asprintf("%s", kinds[kind].rtpmap);
    track->fmtp = se_asprintf("%s", kinds[kind].fmtp);
    track->sprop = se_asprintf("%s", "");
    track->frames = calloc(count + 1, sizeof(*track->frames));
    if (!track->rtpmap || !track->fmtp || !track->sprop || !track->frames)
        return -ENOMEM;
    for (uint32_t i = 0; i < count && r == 0; i++) {
        track->frames[track->frame_count++] = (struct clip_frame){.pts = (int64_t)i * kinds[kind].samples,
                                                                  .send_us = i * step_us,
                                                                  .packet = i,
                                                                  .packets = 1,
                                                                  .bytes = kinds[kind].bytes,
                                                                  .keyframe = true};
        r = packetize_whole(&track->packets, payload, kinds[kind].bytes);
    }
    clip->track_count = 2;
    return r;
}
