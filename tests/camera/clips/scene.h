/* The places, and what happens in each on its schedule. A minute long, then again. */
#ifndef CLIPS_SCENE_H
#define CLIPS_SCENE_H

#include "canvas.h"
#include "props.h"

#define SCENE_SECONDS 60

/* What an analytics box would see. Times in seconds from the clip's start; the frame of it in
 * shares of the picture (left, top, width, height). */
struct scene_event {
    double at_s, until_s;
    const char *type, *severity, *message;
    double box[4];
};

struct scene {
    const char *id, *name, *name_en;
    struct view view;
    void (*background)(const struct canvas *c); /* what never moves, drawn once */
    void (*animate)(const struct canvas *c, double t);
    struct scene_event events[2]; /* type NULL: none */
};

extern const struct scene scenes_traffic[], scenes_town[], scenes_land[];
extern const unsigned scenes_traffic_count, scenes_town_count, scenes_land_count;

/* Between two times from 0 to 1, eased; before and after it stays. */
double ramp(double t, double from, double until);
/* 1 from at to until, with edges of a second; else 0. */
double during(double t, double at, double until);
/* Where something is that covers from … to in period seconds, again and again; 60 must be a multiple of the
 * period. */
double sweep(double t, double period, double phase, double from, double to);

#endif
