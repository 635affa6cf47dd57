/* Drawing places as a camera on a pole sees them: a ground plane in metres, boxes that stand
 * on it, a pinhole view, cairo underneath. x goes right, y away from the camera, z up. */
#ifndef CLIPS_CANVAS_H
#define CLIPS_CANVAS_H

#include <cairo/cairo.h>
#include <stdbool.h>
#include <stdint.h>

#define CANVAS_WIDTH  1280.0
#define CANVAS_HEIGHT 720.0

struct point {
    double x, y, z;
};

/* Where the camera hangs and looks; angles in degrees, pitch downwards, yaw to the right. */
struct view {
    double x, y, height, pitch, yaw;
    double focal; /* pixels: how near things look */
};

struct canvas {
    cairo_t *cr; /* scaled so that the picture is CANVAS_WIDTH × CANVAS_HEIGHT */
    struct view view;
};

typedef uint32_t colour; /* 0xRRGGBB */

/* Brighter (factor over 1) or darker. */
colour shade(colour c, double factor);
colour mix(colour a, colour b, double share_of_b);
void set_colour(cairo_t *cr, colour c, double alpha);

/* False when the point is behind the camera. ret_depth may be NULL; metres along the view. */
bool project(const struct canvas *c, struct point p, double *ret_x, double *ret_y, double *ret_depth);
double depth_of(const struct canvas *c, double x, double y);
/* Pixels that one metre takes up at that point. */
double scale_at(const struct canvas *c, struct point p);

/* A filled polygon in space, cut at the camera's plane. At most 32 corners. */
void polygon(const struct canvas *c, colour fill, double alpha, const struct point *points, unsigned count);
void ground_rect(const struct canvas *c, colour fill, double alpha, double x0, double y0, double x1,
                 double y1);
/* A stripe of that width along the ground, from one point to another. */
void ground_line(const struct canvas *c, colour fill, double alpha, double x0, double y0, double x1,
                 double y1, double width);
void ground_dashes(const struct canvas *c, colour fill, double x0, double y0, double x1, double y1,
                   double width, double dash, double gap);
/* An ellipse on the ground, level z. */
void ground_disc(const struct canvas *c, colour fill, double alpha, double x, double y, double z, double rx,
                 double ry);

/* A box standing at x, y (its middle), from z up; length along its heading (degrees, 0: away). */
struct box {
    double x, y, z, width, length, height, heading;
    colour fill;
};
void draw_box(const struct canvas *c, const struct box *box);
/* A house: box with rows of windows on the sides that are seen, a parapet, and lit shop fronts if shop. */
void draw_house(const struct canvas *c, const struct box *box, unsigned floors, bool shop);
/* Flat text on the side of a box that faces the camera (y = const plane), left bottom at x, y, z; height in
 * metres. */
void wall_text(const struct canvas *c, const char *text, colour ink, double x, double y, double z,
               double height);
void wall_sign(const struct canvas *c, const char *text, colour ink, colour board, double x, double y,
               double z, double width, double height);

/* Sky from the top to the horizon, and haze at it. */
void draw_sky(const struct canvas *c, colour top, colour bottom);
void draw_haze(const struct canvas *c, colour haze, double strength);
double horizon_y(const struct canvas *c);
/* Hills along the horizon: height in pixels. */
void draw_hills(const struct canvas *c, colour fill, double height, unsigned seed);

/* Screen text. align: 0 left, 0.5 middle, 1 right. Outlined so that it is read on anything. */
void screen_text(cairo_t *cr, const char *text, const char *font, colour ink, double x, double y,
                 double align);

/* Same numbers in every run: 0 ≤ r < 1. */
double chance(unsigned seed);

#endif
