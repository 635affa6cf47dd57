#include "live/timing.h"

#include <string.h>

#define LIMIT_90K 81000       /* 0.9 s: units are pulled in beyond it, so that the error stays under one */
#define QUIET_90K 9000        /* 0.1 s of network jitter is nobody's clock drift */
#define ASTRAY_US 2000000     /* late for as long as this: not a burst, the clock is another one */
#define STEP_90K  90          /* 1 ms, between units that would fall on one instant */
#define LONG_90K  (90000 * 4) /* no frame is predicted to last longer */

void timing_init(struct timing *timing, unsigned reorder_frames, double fps)
{
    *timing = (struct timing){0};
    timing_params(timing, reorder_frames, fps);
    timing->duration_90k = timing->nominal_90k;
}

void timing_params(struct timing *timing, unsigned reorder_frames, double fps)
{
    unsigned reorder = reorder_frames < TIMING_REORDER_MAX ? reorder_frames : TIMING_REORDER_MAX;
    if (reorder != timing->reorder)
        timing->window_len = 0;
    timing->reorder = reorder;
    timing->nominal_90k = fps >= 0.25 && fps <= 240 ? (int64_t)(90000 / fps) : 90000 / 25;
}

/* Did the camera's clock jump between the last unit and this one? */
static bool jumped(const struct timing *t, int64_t raw_delta, int64_t arrived_delta)
{
    int64_t back = t->reorder ? (int64_t)(t->reorder + 1) * 2 * t->nominal_90k + LIMIT_90K / 9 : 0;
    return raw_delta < -back || raw_delta > arrived_delta + LIMIT_90K;
}

/* Keeps the mapping near arrival: slow clocks drift, and a first packet may have been a late one. */
static int64_t steer(struct timing *t, int64_t pts, int64_t arrived, se_mono_us arrived_us)
{
    int64_t error = pts - arrived;
    if (error > QUIET_90K)
        t->offset_90k -= (error - QUIET_90K) / 32;
    else if (error < -QUIET_90K)
        t->offset_90k -= (error + QUIET_90K) / 128;
    if (error >= -LIMIT_90K && error <= LIMIT_90K) {
        t->astray_since_us = 0;
        return pts;
    }
    if (!t->astray_since_us)
        t->astray_since_us = arrived_us;
    if (error > 0 || arrived_us - t->astray_since_us > ASTRAY_US) {
        t->offset_90k -= error;
        t->astray_since_us = 0;
        t->jumps++;
        return arrived;
    }
    return arrived - LIMIT_90K;
}

static int64_t map_pts(struct timing *t, const struct access_unit *unit)
{
    int64_t arrived = timing_us_to_90k(unit->arrived_us);
    if (!t->started) {
        t->started = true;
        t->offset_90k = arrived - unit->pts_90k;
        t->last_raw_90k = unit->pts_90k;
        t->last_arrived_us = unit->arrived_us;
        t->last_pts_90k = arrived - 1;
        return arrived;
    }
    int64_t raw_delta = unit->pts_90k - t->last_raw_90k;
    int64_t arrived_delta = arrived - timing_us_to_90k(t->last_arrived_us);
    if (jumped(t, raw_delta, arrived_delta)) {
        /* Go on as if the unit had come one frame, or the time since the last, after it; with room before it
         * for the frames that are shown before it and come after it. */
        int64_t next = (int64_t)(t->reorder + 1) * t->nominal_90k;
        int64_t ahead = arrived_delta > LIMIT_90K ? arrived_delta : next < LIMIT_90K ? next : LIMIT_90K;
        t->offset_90k = t->last_pts_90k + ahead - unit->pts_90k;
        t->window_len = 0;
        t->jumps++;
    }
    t->last_raw_90k = unit->pts_90k;
    t->last_arrived_us = unit->arrived_us;
    int64_t wanted = unit->pts_90k + t->offset_90k;
    int64_t pts = steer(t, wanted, arrived, unit->arrived_us);
    /* Frames that were pulled in together keep their order of arrival, and no two fall on one instant. */
    if ((t->reorder == 0 || pts != wanted) && pts <= t->last_pts_90k)
        pts = t->last_pts_90k + STEP_90K;
    return pts;
}

/* The smallest of the newest reorder+1 pts: what a decoder must have had by now. */
static int64_t next_dts(struct timing *t, int64_t pts)
{
    unsigned size = t->reorder + 1, i;
    if (t->window_len == 0) {
        for (; t->window_len < size; t->window_len++)
            t->window[t->window_len] = pts - (int64_t)(size - 1 - t->window_len) * t->nominal_90k;
        return t->window[0];
    }
    /* The oldest leaves, the new one goes to its place. */
    memmove(t->window, t->window + 1, (size - 1) * sizeof(t->window[0]));
    for (i = size - 1; i > 0 && t->window[i - 1] > pts; i--)
        t->window[i] = t->window[i - 1];
    t->window[i] = pts;
    return t->window[0];
}

struct timing_stamp timing_next(struct timing *timing, const struct access_unit *unit)
{
    bool first = !timing->started;
    int64_t pts = map_pts(timing, unit);
    int64_t dts = timing->reorder ? next_dts(timing, pts) : pts;
    if (!first) {
        if (dts <= timing->last_dts_90k)
            dts = timing->last_dts_90k + STEP_90K;
        int64_t lasted = dts - timing->last_dts_90k;
        if (lasted > STEP_90K && lasted < LONG_90K)
            timing->duration_90k = lasted;
    }
    timing->last_dts_90k = dts;
    if (pts > timing->last_pts_90k)
        timing->last_pts_90k = pts;
    return (struct timing_stamp){pts, dts, (uint32_t)timing->duration_90k};
}
