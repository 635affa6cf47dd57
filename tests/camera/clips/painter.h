/* The pictures of one clip: what never moves is drawn once, the rest on top of it for each frame. */
#ifndef CLIPS_PAINTER_H
#define CLIPS_PAINTER_H

#include "scene.h"

/* One drawing, encoded to one or two files. */
struct job {
    const struct scene *scene;
    const char *name; /* file name without .mp4 */
    unsigned seconds, fps, width, height, gop, b_frames, bits_per_second;
    bool h265, audio, sub; /* sub: NAME.sub.mp4 too, at half the size */
    bool noise;            /* fills the picture with grain, for a load that is like a real camera's */
};

/* What a picture is made of while its clip is drawn. */
struct painter {
    const struct job *job;
    cairo_surface_t *background, *picture, *title, *clock;
    cairo_t *cr;
    struct canvas canvas;
    int clock_second;
};

/* Draws what never moves. job is borrowed for the painter's life. */
void painter_init(struct painter *p, const struct job *job);
void painter_fini(struct painter *p);
/* Draws the picture of second t into p->picture; number: which it is, for the grain. */
void paint(struct painter *p, double t, unsigned number);

#endif
