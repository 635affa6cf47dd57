/* What a camera does in its own way, for as long as it runs: the habits of many makers, and of some that mean
 * harm. Read once from its settings; see README.md for the words. */
#ifndef CAMERA_HABITS_H
#define CAMERA_HABITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "clip.h"

enum control_form {
    CONTROL_RELATIVE,
    CONTROL_ABSOLUTE,
    CONTROL_QUERY,
    CONTROL_PATH,
    CONTROL_STAR,
    CONTROL_MISSING
};
enum base_form { BASE_OWN, BASE_NONE, BASE_OTHER, BASE_LOCATION, BASE_QUERY };
enum channels_form { CHANNELS_ASKED, CHANNELS_OWN, CHANNELS_REVERSED };
enum sprop_form {
    SPROP_WELL,
    SPROP_NONE,
    SPROP_BROKEN,
    SPROP_START_CODES, /* Annex B start codes before each set */
    SPROP_UNPADDED,    /* base64 without its = */
    SPROP_SPACED,      /* blanks around the parameter and its commas */
    SPROP_COMMAS,      /* empty entries */
};
/* How answers are written: bits of habits.answers. */
enum answer_style {
    ANSWER_UPPER = 1 << 0,
    ANSWER_LOWER = 1 << 1,
    ANSWER_FOLDED = 1 << 2,
    ANSWER_BLANKS = 1 << 3,
    ANSWER_DOUBLED = 1 << 4,
    ANSWER_BARE_LF = 1 << 5,
    ANSWER_TRICKLE = 1 << 6, /* a byte at a time */
    ANSWER_NO_CSEQ = 1 << 7,
    ANSWER_PROVISIONAL = 1 << 8, /* 100 before each */
    ANSWER_SESSION_BLANKS = 1 << 9,
};

#define EXTRA_TRACKS      4
#define EXTRA_TRACK_FIRST 5 /* trackID of the first */

struct habits {
    enum control_form control;
    enum base_form base;
    enum channels_form channels;
    enum sprop_form sprop;
    unsigned answers;
    bool audio_first;
    unsigned extra_tracks[EXTRA_TRACKS]; /* rows of the table of tracks in front, see habits_extra() */
    unsigned extra_count;
    double chatter_s;        /* a request or a reply that nobody asked for, so often; 0: never */
    double keyframe_every_s; /* further keyframes are left out; 0: as in the clip */
    unsigned refuse_status;  /* of refuse_method; 0: not */
    char *refuse_method;
    char *redirect; /* name of another camera, or a URL */
    const struct hostile *hostile;
};

int habits_read(struct habits *habits, const json_t *settings, struct se_err *err);
void habits_fini(struct habits *habits);
/* One more media section's lines in front of the real ones. */
void habits_extra(const struct habits *habits, unsigned index, struct se_str *sdp);
/* Rewrites the head of an answer (header lines that end with CRLF, and the empty line) in the camera's style.
 */
void habits_dress(const struct habits *habits, const char *head, struct se_str *out);
/* The value's parameter sets (";sprop-…=…,…") in the camera's shape. */
void habits_sprop(const struct habits *habits, const struct clip_track *track, struct se_str *out);

/* hostile.c: what a server that means harm does instead of answering well. */
struct client;
struct hostile {
    const char *name;
    void (*describe)(struct client *client, const char *cseq); /* instead of an answer; or NULL */
    const char *sdp_line;                                      /* in the video's section; or NULL */
    unsigned clock_rate;                                       /* of the video, told instead of its own */
    bool told_clock;
    void (*play)(struct client *client); /* after PLAY; or NULL */
};
const struct hostile *hostile_find(const char *name);

#endif
