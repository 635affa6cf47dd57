#include "props.h"

#include <math.h>
#include <stdlib.h>

static void shadow(const struct canvas *c, double x, double y, double z, double width, double length,
                   double heading)
{
    double h = heading * M_PI / 180, ux = sin(h), uy = cos(h);
    struct point p[4];

    for (int i = 0; i < 4; i++) {
        double along = (i == 1 || i == 2 ? 0.54 : -0.54) * length, aside = (i >= 2 ? 0.56 : -0.5) * width;
        p[i] =
            (struct point){x + ux * along + uy * aside + 0.35, y + uy * along - ux * aside + 0.1, z + 0.01};
    }
    polygon(c, 0x10161c, 0.34, p, 4);
}

/* Body, glass house on it, wheels and lights; sizes in metres. */
struct body {
    double width, length, sill, belt, roof; /* heights: underside, window line, top */
    double cabin_at, cabin_length;          /* of the glass part, from the middle; ahead is positive */
};
static const struct body bodies[] = {
    [PROP_CAR] = {1.8, 4.5, 0.28, 0.92, 1.48, -0.25, 2.5},
    [PROP_VAN] = {1.9, 5.0, 0.3, 1.1, 1.95, -0.15, 4.4},
    [PROP_BUS] = {2.5, 11.0, 0.35, 1.35, 3.0, 0, 10.7},
    [PROP_TRUCK] = {2.4, 8.0, 0.6, 1.2, 2.6, 3.0, 1.9},
};

static struct box part(const struct actor *a, double ahead, double width, double length, double from,
                       double to, colour fill)
{
    double h = a->heading * M_PI / 180;

    return (struct box){a->x + sin(h) * ahead,
                        a->y + cos(h) * ahead,
                        a->z + from,
                        width,
                        length,
                        to - from,
                        a->heading,
                        fill};
}

static void small_box(const struct canvas *c, const struct actor *a, double ahead, double aside, double width,
                      double length, double from, double to, colour fill)
{
    double h = a->heading * M_PI / 180;
    struct box b = part(a, ahead, width, length, from, to, fill);

    b.x += cos(h) * aside;
    b.y -= sin(h) * aside;
    draw_box(c, &b);
}

static bool end_seen(const struct canvas *c, const struct actor *a, double ahead)
{
    double h = a->heading * M_PI / 180, ux = sin(h), uy = cos(h);
    double x = a->x + ux * ahead, y = a->y + uy * ahead;

    return ((c->view.x - x) * ux + (c->view.y - y) * uy) * ahead > 0;
}

static void draw_vehicle(const struct canvas *c, const struct actor *a)
{
    const struct body *b = &bodies[a->prop];
    struct box lower, cabin, roof;

    shadow(c, a->x, a->y, a->z, b->width, b->length, a->heading);
    for (int i = 0; i < 4; i++)
        small_box(c, a, (i < 2 ? 0.31 : -0.31) * b->length, (i % 2 ? 0.47 : -0.47) * b->width, 0.2, 0.66, 0,
                  0.66, 0x1b1d20);
    lower = part(a, 0, b->width, b->length, b->sill, b->belt, a->fill);
    draw_box(c, &lower);
    if (a->prop == PROP_TRUCK) { /* load bed first when it is the farther part */
        struct box bed = part(a, -0.9, b->width, 5.6, b->belt - 0.3, 2.3, 0x8b6f47);
        bool cab_far = depth_of(c, a->x, a->y) <
                       depth_of(c, a->x + sin(a->heading * M_PI / 180), a->y + cos(a->heading * M_PI / 180));
        if (!cab_far)
            draw_box(c, &bed);
        cabin = part(a, b->cabin_at, b->width, b->cabin_length, b->belt, b->roof, a->fill);
        draw_box(c, &cabin);
        small_box(c, a, b->cabin_at + 0.55, 0, b->width * 1.01, 0.9, 1.6, 2.3, 0x2c3a44);
        if (cab_far)
            draw_box(c, &bed);
        return;
    }
    cabin = part(a, b->cabin_at, b->width * 0.92, b->cabin_length, b->belt, b->roof - 0.06, 0x2b3b47);
    draw_box(c, &cabin);
    roof = part(a, b->cabin_at, b->width * 0.86, b->cabin_length * 0.8, b->roof - 0.07, b->roof, a->fill);
    draw_box(c, &roof);
    for (int end = -1; end <= 1; end += 2) /* only those of the end that is seen: they lie within the body */
        if (end_seen(c, a, end * b->length / 2))
            for (int i = -1; i <= 1; i += 2)
                small_box(c, a, end * b->length * 0.495, i * b->width * 0.36, 0.32, 0.1, 0.6, 0.8,
                          end > 0 ? 0xfff4cf : 0xc43a32);
}

/* A peg with a ball on it. */
static void draw_person(const struct canvas *c, const struct actor *a)
{
    double x, y, hx, hy, s = scale_at(c, (struct point){a->x, a->y, 0.8});
    double sway = sin(a->phase * 6) * 0.1 * s;

    if (!project(c, (struct point){a->x, a->y, a->z}, &x, &y, NULL) ||
        !project(c, (struct point){a->x, a->y, a->z + 1.42 * a->size}, &hx, &hy, NULL))
        return;
    ground_disc(c, 0x10161c, 0.3, a->x + 0.2, a->y, a->z, 0.4, 0.3);
    cairo_set_line_cap(c->cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(c->cr, 0.2 * s);
    set_colour(c->cr, 0x2d3440, 1);
    cairo_move_to(c->cr, x - 0.1 * s - sway, y);
    cairo_line_to(c->cr, x, y - 0.7 * s * a->size);
    cairo_line_to(c->cr, x + 0.1 * s + sway, y);
    cairo_stroke(c->cr);
    cairo_set_line_width(c->cr, 0.46 * s);
    set_colour(c->cr, a->fill, 1);
    cairo_move_to(c->cr, x, y - 0.75 * s * a->size);
    cairo_line_to(c->cr, hx, hy + 0.22 * s);
    cairo_stroke(c->cr);
    set_colour(c->cr, 0xc9a68a, 1);
    cairo_arc(c->cr, hx, hy - 0.1 * s, 0.16 * s, 0, 2 * M_PI);
    cairo_fill(c->cr);
}

static void draw_bike(const struct canvas *c, const struct actor *a)
{
    struct actor rider = *a;

    shadow(c, a->x, a->y, a->z, 0.5, 1.8, a->heading);
    small_box(c, a, 0, 0, 0.24, 1.7, 0.1, 0.75, a->fill);
    small_box(c, a, 0.6, 0, 0.5, 0.12, 0.75, 1.05, 0x30353b);
    rider.z += 0.35;
    rider.fill = shade(a->fill, 0.75);
    rider.phase = 0;
    draw_person(c, &rider);
}

static void blob(const struct canvas *c, colour fill, struct point p, double radius)
{
    double x, y, s;

    if (!project(c, p, &x, &y, NULL))
        return;
    s = scale_at(c, p);
    set_colour(c->cr, fill, 1);
    cairo_arc(c->cr, x, y, radius * s, 0, 2 * M_PI);
    cairo_fill(c->cr);
}

static void draw_tree(const struct canvas *c, const struct actor *a)
{
    double size = a->size, trunk = a->prop == PROP_TREE ? 2.2 * size : 0.2 * size;
    unsigned seed = (unsigned)fabs(a->x * 13 + a->y * 7);

    ground_disc(c, 0x10161c, 0.3, a->x + 0.8 * size, a->y + 0.2, 0.01, 1.7 * size, 1.2 * size);
    if (a->prop == PROP_TREE)
        draw_box(c, &(struct box){a->x, a->y, a->z, 0.3 * size, 0.3 * size, trunk + 0.6, 0, 0x6b5139});
    for (unsigned layer = 0; layer < 3; layer++) {
        colour leaf = shade(a->fill, 0.72 + layer * 0.17);

        for (unsigned i = 0; i < 7; i++) {
            double r = chance(seed + layer * 50 + i), around = i * 0.9 + layer;
            double out = (1.05 - layer * 0.3) * size;

            blob(c, leaf,
                 (struct point){a->x + cos(around) * out - layer * 0.16 * size,
                                a->y + sin(around) * out * 0.5,
                                a->z + trunk + (0.5 + layer * 0.55 + r * 0.5) * size},
                 (0.62 + r * 0.35) * size);
        }
    }
}

static void draw_lamp(const struct canvas *c, const struct actor *a)
{
    draw_box(c, &(struct box){a->x, a->y, a->z, 0.16, 0.16, 7 * a->size, 0, 0x7d868d});
    small_box(c, a, 0.9, 0, 0.14, 1.8, 7 * a->size - 0.14, 7 * a->size, 0x7d868d);
    small_box(c, a, 1.8, 0, 0.34, 0.8, 7 * a->size - 0.24, 7 * a->size - 0.06, 0xd5dadd);
}

static void draw_traffic_light(const struct canvas *c, const struct actor *a)
{
    double at = 4.4;

    draw_box(c, &(struct box){a->x, a->y, 0, 0.18, 0.18, 5.6, 0, 0x59636b});
    draw_box(c, &(struct box){a->x, a->y - 0.15, at - 0.2, 0.5, 0.3, 1.5, 0, 0x1e2429});
    for (int i = 0; i < 3; i++) {
        static const colour on[] = {0x3fd46b, 0xf3c242, 0xee4338};
        bool lit = (int)a->phase == i;

        blob(c, lit ? on[i] : 0x39424a, (struct point){a->x, a->y - 0.34, at + 0.05 + i * 0.44}, 0.19);
    }
}

static void draw_stall(const struct canvas *c, const struct actor *a)
{
    static const colour goods[] = {0xd9583b, 0xe8a33d, 0x6ba144, 0xc7b24a, 0xa8443f};

    shadow(c, a->x, a->y, a->z, 2.6, 1.7, a->heading);
    small_box(c, a, 0, 0, 2.4, 1.3, 0.1, 0.85, 0x8d7453);
    for (int i = 0; i < 5; i++)
        small_box(c, a, 0, -0.95 + i * 0.48, 0.4, 1.0, 0.85, 1.02, goods[(i + (int)a->size) % 5]);
    for (int i = 0; i < 4; i++)
        small_box(c, a, i < 2 ? 0.6 : -0.6, i % 2 ? 1.15 : -1.15, 0.07, 0.07, 0.85, 2.2, 0xb9bec2);
    for (int i = 0; i < 6; i++)
        small_box(c, a, 0, -1.17 + i * 0.468, 0.468, 1.7, 2.2, 2.36, i % 2 ? 0xf3efe6 : a->fill);
}

/* Bags and boxes in a pile; size 0 … 1 is how far it has grown. */
static void draw_heap(const struct canvas *c, const struct actor *a)
{
    static const colour bags[] = {0x23272c, 0x3b5b3a, 0xb9a37d, 0x2f4a63, 0xc8c6bd, 0x7c3f35, 0x1d2023};
    unsigned count = (unsigned)(a->size * 26);

    for (unsigned layer = 0; layer < 3; layer++) {
        for (unsigned i = layer; i < count; i += 3) {
            double r = (1.5 - layer * 0.45) * sqrt(chance(i * 3 + 5)), around = chance(i * 7 + 1) * 2 * M_PI;
            struct point p = {a->x + cos(around) * r, a->y + sin(around) * r * 0.7,
                              a->z + 0.28 + layer * 0.38};

            blob(c, shade(bags[i % 7], 0.75), (struct point){p.x + 0.05, p.y, p.z - 0.06}, 0.36);
            blob(c, bags[i % 7], p, 0.33);
            blob(c, shade(bags[i % 7], 1.35), (struct point){p.x - 0.1, p.y, p.z + 0.12}, 0.1);
        }
    }
}

static void draw_actor(const struct canvas *c, const struct actor *a)
{
    switch (a->prop) {
    case PROP_CAR:
    case PROP_VAN:
    case PROP_BUS:
    case PROP_TRUCK:
        draw_vehicle(c, a);
        break;
    case PROP_BIKE:
        draw_bike(c, a);
        break;
    case PROP_PERSON:
        draw_person(c, a);
        break;
    case PROP_TREE:
    case PROP_BUSH:
        draw_tree(c, a);
        break;
    case PROP_LAMP:
        draw_lamp(c, a);
        break;
    case PROP_TRAFFIC_LIGHT:
        draw_traffic_light(c, a);
        break;
    case PROP_STALL:
        draw_stall(c, a);
        break;
    case PROP_HEAP:
        draw_heap(c, a);
        break;
    case PROP_BIN:
        shadow(c, a->x, a->y, a->z, 0.9, 0.9, a->heading);
        small_box(c, a, 0, 0, 0.9, 0.8, 0.1, 1.05, a->fill);
        small_box(c, a, 0, 0, 0.98, 0.88, 1.05, 1.15, shade(a->fill, 0.7));
        break;
    case PROP_CONE:
        small_box(c, a, 0, 0, 0.42, 0.42, 0, 0.06, 0x2a2a2a);
        small_box(c, a, 0, 0, 0.26, 0.26, 0.06, 0.35, 0xe8622c);
        small_box(c, a, 0, 0, 0.18, 0.18, 0.35, 0.5, 0xf4f1ea);
        small_box(c, a, 0, 0, 0.12, 0.12, 0.5, 0.72, 0xe8622c);
        break;
    case PROP_BARRIER:
        for (int i = 0; i < 6; i++)
            small_box(c, a, -1.25 + i * 0.5, 0, 0.14, 0.5, 0.55, 0.95, i % 2 ? 0xf2f2ee : 0xd8432f);
        small_box(c, a, -1.2, 0, 0.1, 0.1, 0, 0.55, 0x6b747b);
        small_box(c, a, 1.2, 0, 0.1, 0.1, 0, 0.55, 0x6b747b);
        break;
    case PROP_BOX:
        shadow(c, a->x, a->y, a->z, a->width, a->length, a->heading);
        small_box(c, a, 0, 0, a->width, a->length, 0, a->size, a->fill);
        break;
    }
}

static const struct canvas *sorting;

static int far_first(const void *a, const void *b)
{
    const struct actor *x = a, *y = b;
    double dx = depth_of(sorting, x->x, x->y), dy = depth_of(sorting, y->x, y->y);

    return dx < dy ? 1 : dx > dy ? -1 : 0;
}

void draw_actors(const struct canvas *c, struct actor *actors, unsigned count)
{
    sorting = c;
    qsort(actors, count, sizeof(*actors), far_first);
    for (unsigned i = 0; i < count; i++) {
        if (actors[i].size == 0)
            actors[i].size = 1;
        draw_actor(c, &actors[i]);
    }
}

void draw_puff(const struct canvas *c, colour fill, double alpha, double x, double y, double z, double radius)
{
    struct point p = {x, y, z};
    double sx, sy, r = radius * scale_at(c, p);
    double red = (fill >> 16 & 255) / 255.0, green = (fill >> 8 & 255) / 255.0, blue = (fill & 255) / 255.0;
    cairo_pattern_t *ball;

    if (!project(c, p, &sx, &sy, NULL))
        return;
    ball = cairo_pattern_create_radial(sx, sy, r * 0.1, sx, sy, r);
    cairo_pattern_add_color_stop_rgba(ball, 0, red, green, blue, alpha);
    cairo_pattern_add_color_stop_rgba(ball, 0.55, red, green, blue, alpha * 0.6);
    cairo_pattern_add_color_stop_rgba(ball, 1, red, green, blue, 0);
    cairo_set_source(c->cr, ball);
    cairo_rectangle(c->cr, sx - r, sy - r, 2 * r, 2 * r);
    cairo_fill(c->cr);
    cairo_pattern_destroy(ball);
}

void draw_smoke(const struct canvas *c, colour fill, double strength, double x, double y, double t,
                double drift)
{
    for (unsigned i = 0; i < 14; i++) {
        double age = fmod(t / 6 + i / 14.0, 1); /* each puff lives 6 s */
        double wobble = sin(i * 2.4 + age * 5) * 0.5;

        draw_puff(c, mix(fill, 0xffffff, age * 0.3), strength * 0.72 * (1 - age) * (age < 0.1 ? age * 10 : 1),
                  x + drift * age * age * 6 + wobble * (0.4 + age), y, 0.3 + age * 10, 0.9 + age * 4);
    }
}

void draw_ripples(const struct canvas *c, colour light, double x0, double y0, double x1, double y1, double z,
                  double t)
{
    for (unsigned i = 0; i < 70; i++) {
        double y = y0 + (y1 - y0) * pow(chance(i * 5 + 2), 1.6);
        double turn =
            2 * M_PI * t / 60 * (6 + (i % 5)); /* whole turns in a minute, so that the clip closes */
        double x = x0 + (x1 - x0) * fmod(chance(i * 3 + 1) + t / 60 * (1 + i % 2), 1);
        double alpha = 0.16 + 0.14 * sin(turn + i);
        double length = 0.8 + 1.6 * chance(i * 11);

        polygon(c, light, alpha,
                (struct point[]){{x, y, z},
                                 {x + length, y + 0.05, z},
                                 {x + length * 0.7, y + 0.16, z},
                                 {x + length * 0.2, y + 0.13, z}},
                4);
    }
}
