/* Water and fields: river with a gauge, park lake, field, underpass. */
#include <math.h>
#include <stdio.h>

#include "scene.h"

static double river_level(double t)
{
    return 0.25 + 1.9 * ramp(t, 6, 32) * (1 - ramp(t, 46, 59));
}

static void river_background(const struct canvas *c)
{
    draw_sky(c, 0x86a9c4, 0xdde4e6);
    draw_hills(c, 0x93aaa8, 90, 2);
    draw_hills(c, 0x7a9884, 55, 9);
    ground_rect(c, 0x87a062, 1, -300, -40, 300, 600);
    draw_haze(c, 0xdfe6e6, 0.6);
    /* the bed is cut into the land: two sloping banks of stone */
    polygon(c, 0x7d8a6a, 1, (struct point[]){{-14, -40, -4}, {16, -40, -4}, {16, 500, -4}, {-14, 500, -4}},
            4);
    polygon(c, 0xb4b0a4, 1, (struct point[]){{-22, -40, 0}, {-14, -40, -4}, {-14, 500, -4}, {-22, 500, 0}},
            4);
    polygon(c, 0xa29e92, 1, (struct point[]){{26, -40, 0}, {16, -40, -4}, {16, 500, -4}, {26, 500, 0}}, 4);
    for (int y = 0; y < 200; y += 4) {
        polygon(
            c, 0x96928a, 0.7,
            (struct point[]){{-22, y, 0.01}, {-14, y, -3.99}, {-14, y + 0.18, -3.99}, {-22, y + 0.18, 0.01}},
            4);
        polygon(c, 0x8b877e, 0.7,
                (struct point[]){{26, y, 0.01}, {16, y, -3.99}, {16, y + 0.18, -3.99}, {26, y + 0.18, 0.01}},
                4);
    }
    ground_rect(c, 0xc0b9a8, 1, -27, -40, -23, 400);
    ground_rect(c, 0xc0b9a8, 1, 27, -40, 31, 400);
    for (int i = 60; i >= 0; i--) {
        draw_box(c, &(struct box){-22.6, i * 3, 0, 0.14, 0.14, 1.1, 0, 0xe4e7e6});
        draw_box(c, &(struct box){-22.6, i * 3 + 1.5, 0.95, 0.1, 3, 0.12, 0, 0xe4e7e6});
    }
    for (int i = 0; i < 4; i++)
        draw_house(c,
                   &(struct box){46 + i * 18, 90 + i * 22, 0, 14, 14, 12 + 4.0 * (i % 3), 0,
                                 mix(0xbfb3a0, 0xdfe6e6, 0.25)},
                   4, false);
    /* a weir house by the water */
    draw_house(c, &(struct box){34, 48, 0, 7, 7, 5, 0, 0xdad6ca}, 1, false);
}

static void draw_gauge(const struct canvas *c, double x, double y, double level)
{
    draw_box(c, &(struct box){x, y + 0.2, -4, 0.5, 0.3, 6.4, 0, 0x6f7779});
    for (int i = 0; i < 24; i++) { /* a quarter metre each, red and blue by the metre */
        colour ink = i / 4 % 2 ? 0x2456a6 : 0xc8322a;

        polygon(c, i % 2 ? 0xf7f6f0 : ink, 1,
                (struct point[]){{x - 0.55, y, -3.9 + i * 0.25},
                                 {x + 0.55, y, -3.9 + i * 0.25},
                                 {x + 0.55, y, -3.65 + i * 0.25},
                                 {x - 0.55, y, -3.65 + i * 0.25}},
                4);
    }
    for (int i = 0; i < 6; i++) {
        char number[16];

        snprintf(number, sizeof(number), "%d", 20 + i);
        wall_text(c, number, 0x15191c, x + 0.65, y, -3.95 + i, 0.75);
    }
    (void)level;
}

static void river_animate(const struct canvas *c, double t)
{
    double level = river_level(t), z = -3.4 + level, left = -14 - (z + 4) * 2, right = 16 + (z + 4) * 2.5;
    struct actor a[24];
    unsigned n = 0;
    char text[64];

    draw_gauge(c, -6.5, 13, level);
    polygon(c, mix(0x5f8697, 0x8a7b5a, ramp(level, 0.6, 2.1) * 0.75), 0.93,
            (struct point[]){{left, -40, z}, {right, -40, z}, {right, 500, z}, {left, 500, z}}, 4);
    /* the part of the gauge that stands out of the water is drawn over it again */
    for (int i = 0; i < 24; i++) {
        double low = -3.9 + i * 0.25, high = low + 0.25;
        colour ink = i % 2 ? 0xf7f6f0 : i / 4 % 2 ? 0x2456a6 : 0xc8322a;

        if (high <= z)
            continue;
        low = low < z ? z : low;
        polygon(c, ink, 1,
                (struct point[]){{-7.05, 13, low}, {-5.95, 13, low}, {-5.95, 13, high}, {-7.05, 13, high}},
                4);
    }
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof(text), "%d", 20 + i);
        if (-3.9 + i > z)
            wall_text(c, text, 0x15191c, -5.8, 13, -3.95 + i, 0.8);
    }
    draw_ripples(c, 0xdbe6e8, -15, 6, 20, 60, z, t);
    for (int i = 0; i < 6; i++) { /* drift wood on the flood */
        double y = sweep(t, 20, i / 6.0, 80, -2);
        if (level > 0.9)
            polygon(c, 0x5d4a33, during(t, 12, 52),
                    (struct point[]){{-2 + i * 2.5, y, z},
                                     {-0.6 + i * 2.5, y + 0.3, z},
                                     {-0.7 + i * 2.5, y + 0.6, z},
                                     {-2.1 + i * 2.5, y + 0.25, z}},
                    4);
    }
    snprintf(text, sizeof(text), "水位 %.2f 米", 20.5 + level);
    draw_box(c, &(struct box){-18.0, 21.2, -1, 0.2, 0.2, 4.2, 0, 0x59636b});
    wall_sign(c, text,
              level > 1.5   ? 0xff5a4d
              : level > 0.9 ? 0xffc94d
                            : 0x6be08a,
              0x11181d, -21.2, 21, 2.4, 8.8, 1.7);
    for (unsigned i = 0; i < 3; i++)
        a[n++] = (struct actor){.prop = PROP_PERSON,
                                .x = -25,
                                .y = sweep(t, 60, i / 3.0, 8, 60),
                                .fill = (colour[]){0x35597f, 0xa8443a, 0xd0a23c}[i],
                                .phase = t};
    for (int i = 0; i < 6; i++)
        a[n++] = (struct actor){.prop = PROP_TREE,
                                .x = i % 2 ? 33 : -30,
                                .y = 14 + i * 11,
                                .size = 1.6,
                                .fill = i % 2 ? 0x5d8f4c : 0x6c9a54};
    draw_actors(c, a, n);
}

static void lake_background(const struct canvas *c)
{
    draw_sky(c, 0x7fb6e0, 0xeef3ee);
    draw_hills(c, 0x94b0a0, 80, 7);
    ground_rect(c, 0x86ab5b, 1, -300, -40, 300, 600);
    draw_haze(c, 0xe8f0ea, 0.5);
    for (int i = 0; i < 5; i++)
        draw_house(c,
                   &(struct box){-80 + i * 42, 150, 0, 18, 14, 20 + 7.0 * (i * 3 % 4), 0,
                                 mix(0xb9b4a9, 0xe8f0ea, 0.35)},
                   7, false);
    ground_disc(c, 0xcfc6b0, 1, 4, 38, 0.02, 39, 29);
    ground_disc(c, 0x6fa0a8, 1, 4, 38, 0.03, 35, 25.5);
    ground_disc(c, 0x7fb0b6, 0.6, 8, 44, 0.03, 24, 15);
    polygon(c, 0xcfc6b0, 1, (struct point[]){{-40, 2, 0.02}, {50, -1, 0.02}, {50, 5, 0.02}, {-40, 8, 0.02}},
            4);
    /* a pavilion on the far shore */
    for (int i = 0; i < 4; i++)
        draw_box(c, &(struct box){18 + (i % 2) * 7, 67 + (i >> 1) * 5, 0, 0.5, 0.5, 4, 0, 0xa8372c});
    for (int i = 0; i < 4; i++)
        draw_box(c, &(struct box){21.5, 69.5, 4 + i * 0.8, 11 - i * 2.8, 8 - i * 2, 0.8, 0,
                                  i % 2 ? 0x4c5f57 : 0x55695f});
}

static void lake_animate(const struct canvas *c, double t)
{
    struct actor a[40];
    unsigned n = 0;
    double foul = ramp(t, 16, 28) * (1 - ramp(t, 50, 58));

    draw_ripples(c, 0xe6f2f2, -20, 18, 26, 58, 0.04, t);
    for (int i = 0; i < 46 * foul; i++) { /* rubbish that drifts against the near shore */
        double x = -13 + 13 * chance(i * 3) + 0.3 * sin(2 * M_PI * t / 10 + i),
               y = 17.2 + 4.2 * chance(i * 7) + fabs(x + 4) * 0.12;

        ground_disc(c, (colour[]){0xe8e6dc, 0x4f7f4a, 0xb98d54, 0x3f6fa5, 0xc94a3b, 0x5a6a3c}[i % 6], 0.95, x,
                    y, 0.06, 0.28, 0.22);
    }
    for (int i = 0; i < 3; i++) { /* boats */
        double turn = 2 * M_PI * (t / 60 + i / 3.0), x = 8 + 17 * cos(turn), y = 42 + 9 * sin(turn);

        a[n++] = (struct actor){.prop = PROP_BOX,
                                .x = x,
                                .y = y,
                                .heading = 90 - turn * 57.3 - 90,
                                .width = 1.5,
                                .length = 3.2,
                                .size = 0.7,
                                .fill = (colour[]){0xe0b53c, 0xc94a3b, 0x3f86bd}[i]};
    }
    for (unsigned i = 0; i < 8; i++)
        a[n++] =
            (struct actor){.prop = PROP_PERSON,
                           .x = sweep(t, i % 2 ? 60 : 30, chance(i * 3), i % 2 ? -24 : 26, i % 2 ? 26 : -24),
                           .y = 3 + (i % 4) * 0.7,
                           .fill = (colour[]){0x35597f, 0xa8443a, 0x4f7d4a, 0xd0a23c}[i % 4],
                           .phase = t + i};
    for (int i = 0; i < 9; i++)
        a[n++] = (struct actor){.prop = PROP_TREE,
                                .x = -38 + i * 9.5,
                                .y = i % 2 ? 72 : 76,
                                .size = 2.0,
                                .fill = i % 3 ? 0x5f9349 : 0x7da34f};
    for (int i = 0; i < 4; i++)
        a[n++] = (struct actor){.prop = PROP_TREE,
                                .x = i % 2 ? 17 + i * 3 : -14 - i * 2,
                                .y = 9.5 + i,
                                .size = 1.2,
                                .fill = 0x67994a};
    a[n++] = (struct actor){.prop = PROP_LAMP, .x = -7, .y = 9.3, .size = 0.7};
    a[n++] = (struct actor){.prop = PROP_BIN, .x = 8, .y = 8.6, .fill = 0x3d8f4f};
    draw_actors(c, a, n);
}

static void field_background(const struct canvas *c)
{
    draw_sky(c, 0x86b6dc, 0xf2ecd9);
    draw_hills(c, 0x94ac9c, 120, 4);
    draw_hills(c, 0x7c9a78, 70, 12);
    ground_rect(c, 0xb9a557, 1, -400, -40, 400, 700);
    draw_haze(c, 0xf0ead8, 0.55);
    for (int i = 0; i < 44; i++) { /* stubble in rows, and a field that is still green */
        double x = -60 + i * 2.8;

        ground_line(c, i % 2 ? 0xa8944b : 0xc9b566, 0.9, x, -10, x * 1.0, 120, 1.1);
    }
    ground_rect(c, 0x84a84f, 1, 22, 18, 200, 120);
    for (int i = 0; i < 24; i++)
        ground_line(c, 0x76994a, 0.9, 24 + i * 4, 18, 24 + i * 4, 120, 1.3);
    ground_rect(c, 0xc4b48e, 1, -400, 6, 400, 9.5);
    ground_rect(c, 0xc4b48e, 1, 18.5, -20, 21.5, 130);
    for (int i = 0; i < 5; i++)
        draw_box(c, &(struct box){-57 + i * 26, 11, 0, 0.26, 0.26, 8.5, 0, 0x8f8c84});
    for (int i = 0; i < 4; i++)
        draw_house(c, &(struct box){-70 + i * 22, 160, 0, 13, 9, 6.5, 0, 0xe6e0d2}, 2, false);
}

static void field_animate(const struct canvas *c, double t)
{
    struct actor a[32];
    unsigned n = 0;
    double fire = during(t, 10, 54);

    for (int i = 0; i < 11; i++)
        a[n++] = (struct actor){.prop = PROP_BOX,
                                .x = -30 + i * 4.6,
                                .y = 20 + (i * 7 % 5) * 6,
                                .heading = i * 40.0,
                                .width = 1.2,
                                .length = 1.2,
                                .size = 0.9,
                                .fill = 0xd0b65c};
    a[n++] = (struct actor){
        .prop = PROP_TRUCK, .x = sweep(t, 60, 0.4, -45, 55), .y = 7.7, .heading = 90, .fill = 0x3f7f5c};
    a[n++] = (struct actor){
        .prop = PROP_PERSON, .x = -3 + 2 * sin(2 * M_PI * t / 30), .y = 27, .fill = 0x3f5f8a, .phase = t};
    for (int i = 0; i < 6; i++)
        a[n++] =
            (struct actor){.prop = PROP_TREE, .x = -60 + i * 26, .y = 120, .size = 2.4, .fill = 0x6a944e};
    draw_actors(c, a, n);
    if (fire > 0) {
        for (unsigned i = 0; i < 9; i++) {
            double flicker = 0.6 + 0.4 * sin(t * 9 + i * 2.2);
            ground_disc(c, 0x2a241b, 0.5 * fire, 4 + i * 0.8, 31.2 + (i % 3), 0.02, 1.4, 0.8);
            draw_puff(c, i % 2 ? 0xff8a2b : 0xffc54a, 0.85 * fire * flicker, 4 + i * 0.8, 31 + (i % 3), 0.35,
                      0.55 + 0.25 * flicker);
        }
        draw_smoke(c, 0x8d8d8a, fire, 5, 31.5, t, 2.2);
        draw_smoke(c, 0x9a9a97, fire * 0.9, 8, 32.5, t + 2.5, 2.6);
        draw_smoke(c, 0xa6a6a2, fire * 0.8, 10, 31.0, t + 4.2, 3);
    }
}

static double flood_level(double t)
{
    return 0.75 * ramp(t, 6, 30) * (1 - ramp(t, 48, 59));
}

/* The road dips to its lowest under the bridge, at y = 26. */
static double road_z(double y)
{
    double from = fabs(y - 26);

    return from > 26 ? 0 : -2.6 * (0.5 + 0.5 * cos(M_PI * from / 26));
}

static void underpass_background(const struct canvas *c)
{
    draw_sky(c, 0x7f97a8, 0xcfd6d8);
    ground_rect(c, 0x84947a, 1, -300, -40, 300, 600);
    for (int i = 0; i < 4; i++)
        draw_house(c,
                   &(struct box){-75 + i * 48, 95, 0, 24, 16, 20 + 6.0 * (i * 3 % 4), 0,
                                 mix(0xa8a69f, 0xcfd6d8, 0.3)},
                   7, false);
    draw_haze(c, 0xced6d8, 0.5);
    for (int y = 58; y >= -12; y -= 2) { /* far to near: road, kerbs and retaining walls in slices */
        double z0 = road_z(y), z1 = road_z(y + 2);

        polygon(c, 0x55595d, 1, (struct point[]){{-7, y, z0}, {7, y, z0}, {7, y + 2, z1}, {-7, y + 2, z1}},
                4);
        polygon(c, 0xa9a8a2, 1,
                (struct point[]){
                    {-8.4, y, z0 + 0.2}, {-7, y, z0 + 0.2}, {-7, y + 2, z1 + 0.2}, {-8.4, y + 2, z1 + 0.2}},
                4);
        polygon(c, 0xa9a8a2, 1,
                (struct point[]){
                    {8.4, y, z0 + 0.2}, {7, y, z0 + 0.2}, {7, y + 2, z1 + 0.2}, {8.4, y + 2, z1 + 0.2}},
                4);
        polygon(c, 0x9a9c9a, 1,
                (struct point[]){{-8.4, y, z0}, {-8.4, y, 0.9}, {-8.4, y + 2, 0.9}, {-8.4, y + 2, z1}}, 4);
        polygon(c, 0x868886, 1,
                (struct point[]){{8.4, y, z0}, {8.4, y, 0.9}, {8.4, y + 2, 0.9}, {8.4, y + 2, z1}}, 4);
        if (y / 2 % 3)
            polygon(c, 0xe2b84a, 0.9,
                    (struct point[]){{-0.1, y, z0 + 0.01},
                                     {0.1, y, z0 + 0.01},
                                     {0.1, y + 2, z1 + 0.01},
                                     {-0.1, y + 2, z1 + 0.01}},
                    4);
    }
    /* the bridge over it: dark passage, piers, deck */
    polygon(c, 0x2b3034, 1,
            (struct point[]){{-8.4, 22, -2.6}, {8.4, 22, -2.6}, {8.4, 22, 2.6}, {-8.4, 22, 2.6}}, 4);
    polygon(c, 0x4a5054, 1,
            (struct point[]){{-8.4, 22, -2.6}, {8.4, 22, -2.6}, {6.6, 40, -1.2}, {-6.6, 40, -1.2}}, 4);
    polygon(c, 0xb9c6cb, 1,
            (struct point[]){{-6.0, 40, -1.1}, {6.0, 40, -1.1}, {6.0, 40, 1.6}, {-6.0, 40, 1.6}}, 4);
    polygon(c, 0x5c6165, 1,
            (struct point[]){{-6.0, 40, -1.1}, {6.0, 40, -1.1}, {4.2, 40, -0.2}, {-4.2, 40, -0.2}}, 4);
    for (int i = -1; i <= 1; i++)
        draw_box(c, &(struct box){i * 8.9, 22, -2.6, i ? 1.1 : 0.7, 1, 5.4, 0, 0x8f9290});
    draw_box(c, &(struct box){0, 26, 2.6, 70, 9, 1.5, 0, 0xadb0ad});
    draw_box(c, &(struct box){0, 21.6, 4.1, 70, 0.3, 1.0, 0, 0xc9ccc8});
    wall_sign(c, "限高 3.5 米", 0x15191c, 0xf0c83c, -3.4, 21.3, 2.75, 6.8, 1.2);
}

static void underpass_animate(const struct canvas *c, double t)
{
    struct actor a[24];
    unsigned n = 0;
    double level = flood_level(t), z = -2.6 + level;
    char text[64];
    double reach = level > 0.01 ? 26 - acos(fmin(1, fmax(-1, 1 - 2 * level / 2.6))) / M_PI * 26 : 26;
    bool closed = t > 18 && t < 57;

    if (!closed)
        for (unsigned i = 0; i < 2; i++) {
            double y = sweep(t, 10, i * 0.5, -14, 30);
            if (y < 21)
                a[n++] = (struct actor){.prop = PROP_CAR,
                                        .x = 3.6,
                                        .y = y,
                                        .z = road_z(y),
                                        .heading = 0,
                                        .fill = i ? 0x35597f : 0xd8dadc};
        }
    if (level > 0.02) {
        polygon(c, 0x6f6a4f, 0.9,
                (struct point[]){{-8.4, reach, z}, {8.4, reach, z}, {8.4, 40, z}, {-8.4, 40, z}}, 4);
        draw_ripples(c, 0xd8dccf, -7, reach + 0.6, 6, 23, z + 0.01, t);
    }
    if (closed) { /* one that came too late stands in it; the road is closed behind it */
        if (t < 55)
            a[n++] = (struct actor){.prop = PROP_CAR,
                                    .x = 3.4,
                                    .y = 18.6,
                                    .z = fmax(road_z(18.6), z - 0.55),
                                    .heading = 4,
                                    .fill = 0xb23a32};
        for (int i = 0; i < 3; i++)
            a[n++] = (struct actor){
                .prop = PROP_BARRIER, .heading = 90, .x = -4.4 + i * 4.2, .y = 3.4, .z = road_z(3.4)};
        for (int i = 0; i < 5; i++)
            a[n++] = (struct actor){.prop = PROP_CONE, .x = -6 + i * 3.0, .y = 1.2, .z = road_z(1.2)};
        a[n++] = (struct actor){
            .prop = PROP_PERSON, .x = -6.2, .y = 5, .z = road_z(5), .fill = 0xe8c52f, .phase = t};
    }
    draw_actors(c, a, n);
    if (level > 0.1 && closed && t < 55) /* water before the car's sills */
        polygon(
            c, 0x6f6a4f, 0.9,
            (struct point[]){{2.2, 16.0, z}, {4.6, 16.0, z}, {4.6, 16.5, z + 0.25}, {2.2, 16.5, z + 0.25}},
            4);
    snprintf(text, sizeof(text), "积水 %02.0f 厘米", level * 100);
    wall_sign(c, text, level > 0.27 ? 0xff5a4d : 0x6be08a, 0x11181d, 9.6, 21.2, 5.3, 9, 1.6);
    for (int i = 0; i < 90; i++) { /* rain */
        double x = fmod(chance(i * 3) * 1280 + t * 40, 1280),
               y = fmod(chance(i * 7) * 720 + t * (820 + i % 7 * 40), 720);

        set_colour(c->cr, 0xdfe8ee, 0.22);
        cairo_set_line_width(c->cr, 1.4);
        cairo_move_to(c->cr, x, y);
        cairo_line_to(c->cr, x - 4, y + 26);
        cairo_stroke(c->cr);
    }
}

const struct scene scenes_land[] = {
    {"cam02",
     "淦河水位",
     "River gauge",
     {-9, -13, 6.8, 10, 7, 800},
     river_background,
     river_animate,
     {{22, 48, "water_level", "major", "河道水位超过警戒线", {0.20, 0.30, 0.28, 0.50}}}},
    {"cam08",
     "湖畔公园",
     "Park lake",
     {0, -9, 7.6, 12, 0, 780},
     lake_background,
     lake_animate,
     {{26, 52, "water_pollution", "minor", "湖面漂浮垃圾", {0.28, 0.48, 0.26, 0.12}}}},
    {"cam11",
     "农田",
     "Field edge",
     {0, -6, 6.4, 8, 3, 760},
     field_background,
     field_animate,
     {{13, 54, "smoke", "critical", "农田出现烟雾，疑似焚烧秸秆", {0.48, 0.14, 0.26, 0.40}}}},
    {"cam12",
     "下穿通道",
     "Underpass",
     {0.6, -12, 6.6, 13, 0, 800},
     underpass_background,
     underpass_animate,
     {{16, 50, "flooding", "critical", "下穿通道积水，车辆被困", {0.34, 0.42, 0.32, 0.30}}}},
};
const unsigned scenes_land_count = sizeof(scenes_land) / sizeof(scenes_land[0]);
