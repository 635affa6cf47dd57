/* Things that stand or move in a place. Nobody is recognizable: people are pegs, cars have no plates. */
#ifndef CLIPS_PROPS_H
#define CLIPS_PROPS_H

#include "canvas.h"

enum prop {
    PROP_CAR,
    PROP_VAN,
    PROP_BUS,
    PROP_TRUCK,
    PROP_BIKE,
    PROP_PERSON,
    PROP_TREE,
    PROP_BUSH,
    PROP_LAMP,
    PROP_BIN,
    PROP_CONE,
    PROP_STALL,
    PROP_BOX,
    PROP_HEAP,
    PROP_BARRIER,
    PROP_TRAFFIC_LIGHT
};

struct actor {
    enum prop prop;
    double x, y, z;
    double heading;       /* degrees, 0: away from the camera's zero, 90: to the right */
    double size;          /* 1 unless said; boxes: height */
    double width, length; /* boxes only */
    colour fill;
    double phase; /* of what moves in it: seconds */
};

/* Draws them far to near. Reorders the array. */
void draw_actors(const struct canvas *c, struct actor *actors, unsigned count);

/* A puff of smoke or dust: a soft ball of that radius in metres. */
void draw_puff(const struct canvas *c, colour fill, double alpha, double x, double y, double z,
               double radius);
/* A column of puffs that rises and drifts, on a loop of so many seconds. strength 0 … 1. */
void draw_smoke(const struct canvas *c, colour fill, double strength, double x, double y, double t,
                double drift);
/* Glints on water between two corners, at level z. */
void draw_ripples(const struct canvas *c, colour light, double x0, double y0, double x1, double y1, double z,
                  double t);

#endif
