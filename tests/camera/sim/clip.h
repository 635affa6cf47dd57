/* A clip: one encoded file, read and packetized once, served to any number of sessions. */
#ifndef CAMERA_CLIP_H
#define CAMERA_CLIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "packetize.h"

enum clip_codec { CLIP_H264, CLIP_H265, CLIP_AAC, CLIP_OTHER };
#define CLIP_TRACKS 2 /* video, then audio when there is some */

/* One coded frame and where its packets lie. */
struct clip_frame {
    int64_t pts;     /* in the track's clock, from the start of the clip */
    int64_t send_us; /* when it leaves, from the start of the clip: decoding order */
    uint32_t packet, packets;
    uint32_t bytes;
    bool keyframe;
};

struct clip_track {
    enum clip_codec codec;
    unsigned clock_rate;
    uint8_t payload_type;
    struct clip_frame *frames;
    uint32_t frame_count;
    struct packet_list packets;
    char *rtpmap; /* SDP: "H264/90000" */
    char *fmtp;   /* SDP, without the parameter sets */
    char *sprop;  /* SDP, the parameter sets: ";sprop-…", "" for audio */
};

/* One line of the send plan: frames of all tracks in the order of their send time. */
struct clip_step {
    uint8_t track;
    uint32_t frame;
    int64_t send_us;
};

struct clip {
    char *name;
    bool aggregate;
    int audio;         /* as given to clip_load() */
    int64_t length_us; /* of the video; the clip starts over after it */
    unsigned width, height, bytes;
    struct clip_track tracks[CLIP_TRACKS];
    unsigned track_count;
    struct clip_step *steps;
    uint32_t step_count;
};

/* Reads file (anything libavformat reads, with one H.264 or H.265 track and at most one AAC track).
 * aggregate: small NAL units go together in STAP-A or AP packets. Parameter sets are repeated before
 * each keyframe. audio: what clip_audio_find() gave, to have that instead of the file's, or CLIP_OWN_AUDIO.
 * -EINVAL, -ENOENT, -ENOMEM: err says what and where. */
int clip_load(const char *file, const char *name, bool aggregate, int audio, struct clip **ret_clip,
              struct se_err *err);
void clip_free(struct clip *clip);
#define CLIP_OWN_AUDIO (-1)
/* clip_audio.c: the number of "pcma" and the like, -ENOENT; and the second track of a clip made of it. */
int clip_audio_find(const char *name);
int clip_audio_fill(struct clip *clip, int kind);
/* The first step sent at or after position_us; step_count when none. */
uint32_t clip_step_at(const struct clip *clip, int64_t position_us);

#endif
