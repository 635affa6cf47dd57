/* Roads: crossroads, school gate, bridge, bus station. */
#include <math.h>

#include "scene.h"

#define ASPHALT  0x565b61
#define PAVEMENT 0xb5b0a6
#define PAINT    0xeeeeea

static void zebra(const struct canvas *c, double x0, double y0, double x1, double y1, bool across)
{
    for (double at = across ? x0 : y0; at < (across ? x1 : y1); at += 1.0)
        ground_rect(c, PAINT, 0.85, across ? at : x0, across ? y0 : at, across ? at + 0.5 : x1,
                    across ? y1 : at + 0.5);
}

static void crossroads_background(const struct canvas *c)
{
    static const struct box houses[] = {
        {-24, 42, 0, 22, 16, 17, 0, 0xc9b79c}, {0 - 52, 34, 0, 24, 18, 12, 0, 0xb7a99a},
        {22, 46, 0, 24, 14, 22, 0, 0xa9b3b8},  {50, 40, 0, 24, 18, 14, 0, 0xc4a58a},
        {78, 44, 0, 22, 18, 19, 0, 0xb0b6a8},
    };

    draw_sky(c, 0x7fb0da, 0xe3edf2);
    ground_rect(c, 0x8f9b78, 1, -300, -60, 300, 600);
    ground_rect(c, PAVEMENT, 1, -90, -40, 110, 34);
    ground_rect(c, ASPHALT, 1, -7, -60, 7, 400);
    ground_rect(c, ASPHALT, 1, -300, -7, 300, 7);
    ground_line(c, 0xe2b84a, 0.9, 0, 9, 0, 300, 0.18);
    ground_line(c, 0xe2b84a, 0.9, 9, 0, 200, 0, 0.18);
    ground_line(c, 0xe2b84a, 0.9, -9, 0, -200, 0, 0.18);
    ground_dashes(c, PAINT, 3.5, 11, 3.5, 120, 0.15, 3, 4);
    ground_dashes(c, PAINT, -3.5, 11, -3.5, 120, 0.15, 3, 4);
    ground_dashes(c, PAINT, 11, 3.5, 120, 3.5, 0.15, 3, 4);
    ground_dashes(c, PAINT, 11, -3.5, 120, -3.5, 0.15, 3, 4);
    ground_dashes(c, PAINT, -11, -3.5, -120, -3.5, 0.15, 3, 4);
    zebra(c, -6.5, 8, 6.5, 10.5, true);
    zebra(c, -6.5, -10.5, 6.5, -8, true);
    zebra(c, 8, -6.5, 10.5, 6.5, false);
    zebra(c, -10.5, -6.5, -8, 6.5, false);
    draw_haze(c, 0xdfe8ee, 0.55);
    for (unsigned i = 0; i < 5; i++)
        draw_house(c, &houses[i], (unsigned)(houses[i].height / 3.2), true);
    wall_sign(c, "咸宁茶行", 0xffffff, 0xa8342c, -24.5, 33.9, 3.4, 10, 1.8);
    wall_sign(c, "便民超市", 0xffffff, 0x2f6d3f, 13, 38.9, 3.4, 11, 1.8);
}

/* A platoon that waits at its line while the light is red and leaves one by one; 30 s a round.
 * Metres before (negative) and behind the middle of the crossing. */
static double queue_position(double t, unsigned place, double green_at)
{
    double round = fmod(t - green_at + 60, 30), leaves = place * 1.3;
    double line = -13.5 - place * 6.6;

    if (round >= leaves && round < 16) {
        double since = round - leaves;
        return since < 4 ? line + 1.3 * since * since : line + 20.8 + (since - 4) * 10.4;
    }
    if (round < leaves)
        return line;
    /* arriving: brakes to the line in the last second of the way */
    double left = 27 - place * 0.4 - round;
    return left > 0 ? line - 9 * left * (left > 2 ? 1 : left / 2) : line;
}

static void crossroads_animate(const struct canvas *c, double t)
{
    static const colour paint[] = {0xd8dadc, 0x2f5d8c, 0xa63a32, 0x3a3f45,
                                   0xe0b53c, 0x6d8b74, 0xf2f2f0, 0x88929c};
    struct actor a[48];
    unsigned n = 0;
    double round = fmod(t, 30);
    int main_light = round < 13 ? 0 : round < 15 ? 1 : 2, side_light = round < 15 ? 2 : round < 28 ? 0 : 1;

    for (unsigned i = 0; i < 4; i++) {
        a[n++] = (struct actor){.prop = i == 2 ? PROP_VAN : PROP_CAR,
                                .x = 5.2 - 3.4 * (i % 2),
                                .y = queue_position(t, i / 2, 0) + (i % 2),
                                .heading = 0,
                                .fill = paint[i]};
        a[n++] = (struct actor){.prop = PROP_CAR,
                                .x = -5.2 + 3.4 * (i % 2),
                                .y = -queue_position(t, i / 2, 0.5),
                                .heading = 180,
                                .fill = paint[7 - i]};
        a[n++] = (struct actor){.prop = i == 1 ? PROP_TRUCK : PROP_CAR,
                                .x = queue_position(t, i / 2, 15),
                                .y = -5.2 + 3.4 * (i % 2),
                                .heading = 90,
                                .fill = paint[(i + 3) % 8]};
        a[n++] = (struct actor){.prop = PROP_CAR,
                                .x = -queue_position(t, i / 2, 15.5),
                                .y = 5.2 - 3.4 * (i % 2),
                                .heading = 270,
                                .fill = paint[(i + 5) % 8]};
    }
    for (unsigned i = 0; i < 5; i++) {
        double walk = ramp(round, 15.5 + i * 0.4, 26 + i * 0.5);
        a[n++] = (struct actor){.prop = PROP_PERSON,
                                .x = -8.5 + walk * 17,
                                .y = 8.6 + i * 0.4,
                                .fill = paint[i],
                                .phase = walk > 0 && walk < 1 ? t : 0};
    }
    a[n++] = (struct actor){.prop = PROP_TRAFFIC_LIGHT, .x = 8.6, .y = 11.6, .phase = main_light};
    a[n++] = (struct actor){.prop = PROP_TRAFFIC_LIGHT, .x = -8.6, .y = 8, .phase = side_light};
    for (unsigned i = 0; i < 5; i++) {
        a[n++] =
            (struct actor){.prop = PROP_TREE, .x = 11 + i * 9.0, .y = 12.5, .size = 1.15, .fill = 0x5f8f4a};
        a[n++] =
            (struct actor){.prop = PROP_TREE, .x = -12 - i * 9.0, .y = 12.5, .size = 1.15, .fill = 0x6a9450};
    }
    if (t > 12 &&
        t < 50) /* stops where it must not, by the kerb beyond the crossing, with its warning lights on */
        a[n++] = (struct actor){.prop = PROP_VAN,
                                .x = 16 + 30 * (1 - ramp(t, 12, 15)) + 40 * ramp(t, 46, 50),
                                .y = 8.0,
                                .heading = 270,
                                .fill = 0xf0efe9};
    draw_actors(c, a, n);
    if (t > 15 && t < 46 && fmod(t, 1) < 0.5)
        draw_puff(c, 0xffa726, 0.9, 13.4, 7.2, 0.75, 0.45);
}

static void school_background(const struct canvas *c)
{
    draw_sky(c, 0x86b8e0, 0xeaf1f3);
    ground_rect(c, 0x97a67c, 1, -200, -40, 200, 500);
    ground_rect(c, PAVEMENT, 1, -120, 13, 120, 22);
    ground_rect(c, 0xc8bda9, 1, -7, 22, 7, 44);
    ground_rect(c, ASPHALT, 1, -200, 0, 200, 13);
    ground_rect(c, PAVEMENT, 1, -120, -9, 120, 0);
    ground_dashes(c, 0xe2b84a, -120, 6.5, 120, 6.5, 0.18, 4, 3);
    ground_line(c, PAINT, 0.9, -120, 12.6, 120, 12.6, 0.16);
    ground_line(c, PAINT, 0.9, -120, 0.4, 120, 0.4, 0.16);
    for (double y = 0.8; y < 12.4; y += 1.15)
        ground_rect(c, PAINT, 0.9, -3.5, y, 3.5, y + 0.6);
    draw_haze(c, 0xe6eef0, 0.5);
    draw_house(c, &(struct box){0, 60, 0, 56, 14, 15, 0, 0xd9c6a2}, 4, false);
    draw_house(c, &(struct box){-46, 52, 0, 24, 22, 11, 0, 0xc98f74}, 3, false);
    draw_house(c, &(struct box){47, 52, 0, 26, 22, 11, 0, 0xc98f74}, 3, false);
    for (int side = -1; side <= 1; side += 2) { /* wall and gate posts */
        draw_box(c, &(struct box){side * 36, 23, 0, 56, 0.5, 2.2, 0, 0xcfc6b4});
        draw_box(c, &(struct box){side * 7.6, 23, 0, 1.3, 1.3, 4.6, 0, 0xb5502f});
    }
    draw_box(c, &(struct box){0, 23, 4.6, 16.8, 0.9, 1.8, 0, 0xb5502f});
    wall_text(c, "示例第一小学", 0xfff3d0, -6.0, 22.4, 4.62, 1.75);
    for (int i = 0; i < 13; i++)
        draw_box(c, &(struct box){-6.3 + i * 1.05, 23, 0, 0.12, 0.12, 1.6, 0, 0xb9c0c5});
}

static void school_animate(const struct canvas *c, double t)
{
    static const colour paint[] = {0xe9e7e2, 0x394f6b, 0x9c3b34, 0x4c5a4f};
    struct actor a[48];
    unsigned n = 0;

    for (unsigned i = 0; i < 4; i++) {
        a[n++] = (struct actor){.prop = PROP_CAR,
                                .x = sweep(t, 20, i * 0.25 + 0.07 * (i % 2), -78, 78),
                                .y = 3.4,
                                .heading = 90,
                                .fill = paint[i]};
        a[n++] = (struct actor){.prop = i == 2 ? PROP_VAN : PROP_CAR,
                                .x = sweep(t, 15, i * 0.25, 70, -70),
                                .y = 8.6,
                                .heading = 270,
                                .fill = paint[3 - i]};
    }
    for (unsigned i = 0; i < 9; i++)
        a[n++] = (struct actor){.prop = PROP_PERSON,
                                .size = 0.8,
                                .x = -5 + i * 1.15 + 0.5 * sin(i * 3.0),
                                .y = sweep(t, 30, i / 9.0, 15.2, 34),
                                .fill = i % 3 ? 0x2f6fb3 : 0xe0a531,
                                .phase = t + i};
    for (unsigned i = 0; i < 3; i++) /* three cars that wait where nobody may, before the gate */
        if (t > 8 + i * 3 && t < 46 + i * 3)
            a[n++] = (struct actor){.prop = i == 1 ? PROP_VAN : PROP_CAR,
                                    .x = 13 + i * 6.4 + 50 * (1 - ramp(t, 8 + i * 3, 11 + i * 3)) -
                                         90 * ramp(t, 43 + i * 3, 46 + i * 3),
                                    .y = 11.7,
                                    .heading = 270,
                                    .fill = paint[(i + 1) % 4]};
    for (int i = 0; i < 4; i++) {
        a[n++] =
            (struct actor){.prop = PROP_TREE, .x = -13 - i * 8.0, .y = 20, .size = 1.2, .fill = 0x5e9148};
        a[n++] = (struct actor){.prop = PROP_TREE, .x = 13 + i * 8.0, .y = 20, .size = 1.2, .fill = 0x69994f};
    }
    draw_actors(c, a, n);
}

static void bridge_background(const struct canvas *c)
{
    draw_sky(c, 0x6fa5d2, 0xdfeaf0);
    draw_hills(c, 0x9db3b5, 70, 3);
    draw_hills(c, 0x7f9c8d, 44, 8);
    polygon(c, 0x5d8ea3, 1,
            (struct point[]){{-400, -20, -9}, {400, -20, -9}, {400, 900, -9}, {-400, 900, -9}}, 4);
    polygon(c, 0x6f9560, 1,
            (struct point[]){{-400, 170, -8}, {400, 150, -8}, {400, 900, -8}, {-400, 900, -8}}, 4);
    for (int i = 0; i < 6; i++)
        draw_house(c,
                   &(struct box){-90 + i * 34 + (i > 2 ? 26 : 0), 210, -8, 20, 16, 22 + 9.0 * (i % 3), 0,
                                 mix(0xb9b0a4, 0xdfe8ee, 0.35)},
                   8, false);
    draw_haze(c, 0xe2ecf1, 0.6);
    for (int y = 5; y < 160; y += 40)
        draw_box(c, &(struct box){0, y + 20, -9, 15, 3, 8, 0, 0x9aa1a5});
    ground_rect(c, 0xa9aaa7, 1, -9.5, -30, 9.5, 190);
    ground_rect(c, ASPHALT, 1, -7, -30, 7, 400);
    ground_line(c, 0xe2b84a, 0.95, -0.15, -30, -0.15, 190, 0.14);
    ground_line(c, 0xe2b84a, 0.95, 0.15, -30, 0.15, 190, 0.14);
    ground_dashes(c, PAINT, 3.5, -30, 3.5, 190, 0.16, 4, 5);
    ground_dashes(c, PAINT, -3.5, -30, -3.5, 190, 0.16, 4, 5);
    for (int y = 180; y > -24; y -= 4) {
        for (int side = -1; side <= 1; side += 2) {
            draw_box(c, &(struct box){side * 9.2, y, 0, 0.3, 0.3, 1.3, 0, 0xd9dcdc});
            draw_box(c, &(struct box){side * 9.2, y - 2, 1.1, 0.14, 4, 0.16, 0, 0xe6e8e8});
            draw_box(c, &(struct box){side * 9.2, y - 2, 0.55, 0.1, 4, 0.1, 0, 0xd5d8d8});
        }
    }
}

static void bridge_animate(const struct canvas *c, double t)
{
    static const colour paint[] = {0xd6d9db, 0x35597f, 0x8f3a33, 0x42484e, 0xd9a83a};
    struct actor a[40];
    unsigned n = 0;
    bool spilled = t > 18 && t < 48;

    draw_ripples(c, 0xd6e8ee, -75, 25, -21, 140, -9, t);
    draw_ripples(c, 0xd6e8ee, 21, 25, 75, 140, -9, t + 7);
    for (unsigned i = 0; i < 5; i++) {
        double y = sweep(t, 15, i / 5.0, -30, 185);
        /* cars in the blocked lane go round what lies there */
        double aside = spilled && i % 2 ? 3.4 * (ramp(y, -2, 12) - ramp(y, 34, 46)) : 0;
        a[n++] = (struct actor){.prop = i == 3 ? PROP_TRUCK : PROP_CAR,
                                .x = (i % 2 ? 5.2 : 1.8) - aside,
                                .y = y,
                                .heading = 0,
                                .fill = paint[i]};
        a[n++] = (struct actor){.prop = i == 1 ? PROP_BUS : PROP_CAR,
                                .x = i % 2 ? -5.2 : -1.8,
                                .y = sweep(t, 20, i / 5.0 + 0.1, 185, -30),
                                .heading = 180,
                                .fill = paint[4 - i]};
    }
    for (int i = 0; i < 5; i++)
        a[n++] = (struct actor){.prop = PROP_LAMP, .x = -8.6, .y = 12 + i * 32, .size = 1.1};
    if (spilled) {
        static const double at[][2] = {{5.4, 22}, {4.5, 24}, {6.1, 24.6}, {5.0, 26.4}, {5.9, 20.3}};
        for (unsigned i = 0; i < 5; i++)
            a[n++] = (struct actor){.prop = PROP_BOX,
                                    .x = at[i][0],
                                    .y = at[i][1],
                                    .heading = i * 37.0,
                                    .width = 0.9,
                                    .length = 1.1,
                                    .size = 0.7,
                                    .fill = 0xb98d54};
    }
    draw_actors(c, a, n);
}

static void station_background(const struct canvas *c)
{
    draw_sky(c, 0x8cb9dc, 0xe9f0f2);
    ground_rect(c, 0x9aa584, 1, -200, -40, 200, 500);
    ground_rect(c, PAVEMENT, 1, -120, 10, 120, 30);
    ground_rect(c, ASPHALT, 1, -200, -16, 200, 10);
    ground_rect(c, 0x6d5450, 1, -24, 5.6, 24, 10);
    ground_dashes(c, PAINT, -120, 5.6, 120, 5.6, 0.18, 4, 3);
    ground_line(c, 0xe2b84a, 0.95, -120, -2, 120, -2, 0.2);
    ground_dashes(c, PAINT, -120, -8, 120, -8, 0.18, 4, 3);
    draw_haze(c, 0xe6eef0, 0.5);
    for (int i = 0; i < 6; i++)
        draw_house(c,
                   &(struct box){-62 + i * 25, 40, 0, 22, 14, 12 + 4.0 * (i * 7 % 4), 0,
                                 (colour[]){0xbfae93, 0xa7b0b3, 0xc7a288}[i % 3]},
                   4, true);
    wall_sign(c, "客运中心", 0xffffff, 0x255a94, 3, 32.9, 3.3, 10, 1.8);
    for (int i = -1; i <= 1; i += 2) { /* two shelters */
        for (int j = 0; j < 4; j++)
            draw_box(c, &(struct box){i * 12 - 5 + j * 3.3, 13, 0, 0.14, 0.14, 2.7, 0, 0x66727b});
        draw_box(c, &(struct box){i * 12, 13.4, 0.3, 10, 0.08, 2.2, 0, 0x9fb9c4});
        draw_box(c, &(struct box){i * 12, 12.7, 2.7, 11.4, 2.4, 0.22, 0, 0x2f6f9f});
    }
    wall_text(c, "公交站 1路 3路", 0xffffff, -16.6, 13.3, 1.5, 0.9);
}

static void station_animate(const struct canvas *c, double t)
{
    struct actor a[40];
    unsigned n = 0;
    double in = ramp(t, 2, 8), out = ramp(t, 20, 27), in2 = ramp(t, 36, 42), out2 = ramp(t, 54, 60);

    for (unsigned i = 0; i < 4; i++) {
        a[n++] = (struct actor){.prop = PROP_CAR,
                                .x = sweep(t, 15, i / 4.0, -75, 75),
                                .y = 2,
                                .heading = 90,
                                .fill = (colour[]){0xdadcdc, 0x3a536f, 0x8b3d36, 0x60666b}[i]};
        a[n++] = (struct actor){.prop = i == 1 ? PROP_BUS : PROP_CAR,
                                .x = sweep(t, 20, i / 4.0, 80, -80),
                                .y = -5,
                                .heading = 270,
                                .fill = (colour[]){0x9aa3a8, 0x3f7d52, 0xd9d4c8, 0xa9473e}[i]};
    }
    a[n++] = (struct actor){
        .prop = PROP_BUS, .x = -95 + in * 84 + out * 100, .y = 8, .heading = 90, .fill = 0x2f8f6a};
    a[n++] = (struct actor){
        .prop = PROP_BUS, .x = -95 + in2 * 84 + out2 * 100, .y = 8, .heading = 90, .fill = 0x2f6fae};
    for (unsigned i = 0; i < 7; i++) {
        double boards = ramp(t, 9 + i, 12 + i);

        if (boards >= 1 && t < 52) /* gone with the bus */
            continue;
        a[n++] = (struct actor){.prop = PROP_PERSON,
                                .x = -15.5 + i * 1.3,
                                .y = 12.2 - boards * 1.4,
                                .fill = (colour[]){0x3f5f8a, 0xa8443a, 0x4f7d4a, 0xd0a23c}[i % 4],
                                .phase = boards > 0 && boards < 1 ? t : 0};
    }
    if (t > 10 && t < 52) /* a private car in the bus bay */
        a[n++] = (struct actor){.prop = PROP_CAR,
                                .x = 12 + 60 * (ramp(t, 48, 52)) - 70 * (1 - ramp(t, 10, 14)),
                                .y = 8.4,
                                .heading = 90,
                                .fill = 0xb23a32};
    for (int i = 0; i < 3; i++)
        a[n++] = (struct actor){.prop = PROP_TREE, .x = -28 + i * 28, .y = 18, .size = 1.3, .fill = 0x5f9349};
    draw_actors(c, a, n);
    if (t > 14 && t < 48 && fmod(t, 1) < 0.5)
        draw_puff(c, 0xffa726, 0.9, 9.7, 7.5, 0.7, 0.4);
}

const struct scene scenes_traffic[] = {
    {"cam01",
     "十字路口",
     "Crossroads",
     {-13, -24, 10.5, 17, 20, 820},
     crossroads_background,
     crossroads_animate,
     {{14, 46, "illegal_parking", "minor", "面包车在路口禁停区停车", {0.60, 0.40, 0.16, 0.14}}}},
    {"cam05",
     "校门口道路",
     "School gate road",
     {-1, -15, 8.5, 12.5, 2, 760},
     school_background,
     school_animate,
     {{12, 44, "illegal_parking", "minor", "校门口车辆违规停放，占用通道", {0.62, 0.42, 0.34, 0.14}}}},
    {"cam06",
     "跨河桥",
     "River bridge",
     {0.5, -16, 8.5, 13, 0, 860},
     bridge_background,
     bridge_animate,
     {{19, 47, "road_spill", "major", "桥面货物散落，占用行车道", {0.52, 0.50, 0.12, 0.12}}}},
    {"cam09",
     "公交站",
     "Bus station",
     {-3, -19, 9.5, 13, 2, 760},
     station_background,
     station_animate,
     {{14, 48, "bus_bay_blocked", "minor", "社会车辆占用公交停靠区", {0.60, 0.42, 0.18, 0.14}}}},
};
const unsigned scenes_traffic_count = sizeof(scenes_traffic) / sizeof(scenes_traffic[0]);
