/* Timestamps of one stream: the camera's clock, with its jumps, onto one monotonic media
 * timeline that stays within a second of arrival. Pure; belongs to its stream's loop. */
#ifndef LIVE_TIMING_H
#define LIVE_TIMING_H

#include "access_unit.h"

#define TIMING_REORDER_MAX 16

/* The media timeline counts CLOCK_MONOTONIC in 90 kHz, so it is also the arrival index. */
struct timing {
    unsigned reorder;    /* frames a decoder holds back; 0: decoding order is output order */
    int64_t nominal_90k; /* what a frame lasts when nothing better is known */
    bool started;
    int64_t offset_90k;   /* media time = camera's pts + offset */
    int64_t last_raw_90k; /* camera's pts of the unit before */
    int64_t last_pts_90k; /* highest media pts so far */
    se_mono_us last_arrived_us;
    se_mono_us astray_since_us; /* since when units had to be pulled towards arrival; 0: they did not */
    int64_t window[TIMING_REORDER_MAX + 1]; /* the newest pts, sorted */
    unsigned window_len;
    int64_t last_dts_90k, duration_90k;
    uint64_t jumps; /* how often the camera's clock was re-anchored */
};
struct timing_stamp {
    int64_t pts_90k, dts_90k;
    uint32_t duration_90k; /* predicted from the frame before */
};

/* fps 0: not known. */
void timing_init(struct timing *timing, unsigned reorder_frames, double fps);
/* New parameters of the same stream; the timeline goes on. */
void timing_params(struct timing *timing, unsigned reorder_frames, double fps);
struct timing_stamp timing_next(struct timing *timing, const struct access_unit *unit);

static inline int64_t timing_us_to_90k(int64_t us)
{
    return us * 9 / 100;
}
static inline int64_t timing_90k_to_us(int64_t t)
{
    return t * 100 / 9;
}

#endif
