/* Where people live and work: market street, village lane, building site, refuse station. */
#include <math.h>

#include "scene.h"

static void market_background(const struct canvas *c)
{
    static const struct {
        const char *text;
        colour board;
    } signs[] = {{"老街面馆", 0xa8342c}, {"百姓药房", 0x2f7d52}, {"好又多超市", 0x255a94}};

    draw_sky(c, 0x8db8da, 0xf0ece0);
    ground_rect(c, 0xb3a994, 1, -200, -40, 200, 500);
    ground_rect(c, 0xc6beb0, 1, -11, -40, 11, 140);
    for (int y = -12; y < 90; y += 3) {
        ground_line(c, 0xaaa294, 0.8, -11, y, 11, y, 0.08);
        for (int x = -10 + (y & 1); x < 11; x += 2)
            ground_line(c, 0xaea698, 0.6, x, y, x, y + 3, 0.06);
    }
    ground_rect(c, 0xa14b3c, 0.5, -1.2, -40, 1.2, 140);
    draw_haze(c, 0xefe9da, 0.6);
    draw_house(c, &(struct box){0, 100, 0, 34, 10, 20, 0, 0xc3b59d}, 6, false);
    for (int i = 4; i >= 0; i--) {
        static const colour walls[] = {0xcdb48c, 0xb5a79a, 0xc7937a, 0xa9b0a6, 0xd2c1a0};

        draw_house(c, &(struct box){-17, 12 + i * 17, 0, 12, 16, 9.5 + 2.0 * (i * 3 % 4), 0, walls[i]}, 3,
                   true);
        draw_house(c, &(struct box){17, 12 + i * 17, 0, 12, 16, 10 + 2.0 * (i * 5 % 4), 0, walls[4 - i]}, 3,
                   true);
    }
    for (int i = 2; i >= 0; i--) { /* boards that stand out from the walls, on both sides */
        double y = 12 + i * 17;

        wall_sign(c, signs[i].text, 0xffffff, signs[i].board, -11, y, 4.1, 5.2, 1.25);
        wall_sign(c, signs[2 - i].text, 0xffffff, signs[2 - i].board, 5.8, y + 5, 4.1, 5.2, 1.25);
    }
    for (int y = 82; y > 4; y -= 13) { /* lanterns on a line over the street */
        for (int i = -4; i <= 4; i++)
            draw_box(c, &(struct box){i * 2.1, y, 6.6 + 0.05 * i * i, 0.5, 0.5, 0.65, 0, 0xc8372c});
    }
}

static void market_animate(const struct canvas *c, double t)
{
    static const colour coats[] = {0x35597f, 0xa8443a, 0x4f7d4a, 0xd0a23c, 0x6b5b86, 0x3c444c, 0xc9c3b5};
    struct actor a[64];
    unsigned n = 0;

    for (unsigned i = 0; i < 22; i++) {
        bool away = i % 2;
        double y = sweep(t, 30 + 30.0 * (i % 2), chance(i * 9), away ? -3 : 75, away ? 75 : -3);
        double x = -8 + 16 * chance(i * 4 + 2) + 0.4 * sin(y * 0.4 + i);

        if (t > 12 && t < 50 && x > -1 && x < 5.4 && y > 9 && y < 24)
            x = x > 2 ? 5.8 : -1.6; /* they go round the stalls */
        a[n++] = (struct actor){.prop = PROP_PERSON,
                                .x = x,
                                .y = y,
                                .fill = coats[i % 7],
                                .phase = t + i,
                                .size = 0.92 + 0.12 * chance(i)};
    }
    for (unsigned i = 0; i < 3; i++)
        a[n++] = (struct actor){.prop = PROP_BIKE,
                                .x = i ? -4.5 + i : 6,
                                .y = sweep(t, 20, i / 3.0, i ? 70 : -4, i ? -4 : 70),
                                .heading = i ? 180 : 0,
                                .fill = coats[i + 1]};
    for (unsigned i = 0; i < 4; i++) /* traders set up in the middle of the street */
        if (t > 10 + i * 2 && t < 46 + i * 2)
            a[n++] = (struct actor){.prop = PROP_STALL,
                                    .x = i % 2 ? 3.6 : 0.6,
                                    .y = 11.5 + (i >> 1) * 7.5,
                                    .size = 1 + i,
                                    .heading = 90,
                                    .fill = (colour[]){0xc94a3b, 0x3f7f5c, 0x3b6fa5, 0xd59a34}[i]};
    for (int i = 0; i < 4; i++)
        a[n++] = (struct actor){.prop = PROP_BUSH,
                                .x = i % 2 ? 9.6 : -9.6,
                                .y = 8 + (i >> 1) * 17,
                                .size = 0.8,
                                .fill = 0x5d9148};
    draw_actors(c, a, n);
}

/* A house with a roof of two slopes, gable to the street. */
static void cottage(const struct canvas *c, double x, double y, double width, double length, double height,
                    colour wall)
{
    struct box b = {x, y, 0, width, length, height, 0, wall};
    double top = height + width * 0.32, w = width / 2 + 0.5, l = length / 2 + 0.4;
    bool left = c->view.x < x;

    draw_house(c, &b, 2, false);
    polygon(c, shade(wall, 0.92), 1,
            (struct point[]){{x - width / 2, y - length / 2, height},
                             {x + width / 2, y - length / 2, height},
                             {x, y - length / 2, top}},
            3);
    for (int side = 0; side < 2; side++) {
        double s = (side == 0) == left ? 1 : -1; /* the slope that is turned away first */

        polygon(c, s < 0 ? 0x6a6e72 : 0x54585c, 1,
                (struct point[]){{x + s * w, y - l, height - 0.3},
                                 {x + s * w, y + l, height - 0.3},
                                 {x, y + l, top + 0.1},
                                 {x, y - l, top + 0.1}},
                4);
    }
}

static void lane_background(const struct canvas *c)
{
    draw_sky(c, 0x7db2dc, 0xeaf2ee);
    draw_hills(c, 0x8fae98, 105, 5);
    draw_hills(c, 0x739a74, 62, 11);
    ground_rect(c, 0x8fa965, 1, -300, -40, 300, 600);
    for (int i = 0; i < 26; i++) /* fields on the right */
        ground_rect(c, i % 2 ? 0x9cb75c : 0xb2bd5f, 1, 14, 8 + i * 5, 90, 13 + i * 5);
    draw_haze(c, 0xe6efe6, 0.5);
    polygon(c, 0xbab4a8, 1,
            (struct point[]){{-3.4, -30, 0.01},
                             {3.4, -30, 0.01},
                             {3.2, 22, 0.01},
                             {7, 52, 0.01},
                             {17, 90, 0.01},
                             {12, 92, 0.01},
                             {2, 54, 0.01},
                             {-3, 24, 0.01}},
            8);
    ground_line(c, 0x8d8f8c, 1, -3.8, -20, -3.5, 24, 0.5);
    cottage(c, -30, 88, 14, 12, 6.5, 0xe4ddcf);
    cottage(c, -14, 74, 11, 12, 6, 0xd9d2c4);
    cottage(c, -13, 50, 12, 12, 6.6, 0xe9e4d8);
    cottage(c, -12, 28, 11, 11, 6.2, 0xddd3c0);
    wall_sign(c, "清洁家园 平安乡村", 0xc23a2e, 0xf4efe2, -16.6, 22.3, 2.4, 9.2, 1.1);
    for (int i = 0; i < 3; i++)
        draw_box(c, &(struct box){9 + i * 7, 9 + i * 26, 0, 0.26, 0.26, 8, 0, 0x9b9d9a});
}

static void lane_animate(const struct canvas *c, double t)
{
    struct actor a[40];
    unsigned n = 0;
    bool blocked = t > 14 && t < 50;
    double bike = sweep(t, 20, 0, -4, 52), farmer = sweep(t, 60, 0.3, 46, 2);

    a[n++] = (struct actor){.prop = PROP_BIKE,
                            .x = (blocked ? 1.9 * (ramp(bike, 4, 10) - ramp(bike, 22, 28)) : 0) + 0.6,
                            .y = bike,
                            .heading = 4,
                            .fill = 0xa8443a};
    a[n++] = (struct actor){.prop = PROP_PERSON, .x = 2.2, .y = farmer, .fill = 0x3f5f8a, .phase = t};
    a[n++] = (struct actor){
        .prop = PROP_PERSON, .x = -5.2, .y = 19 + sin(t * M_PI / 15) * 2, .fill = 0xcda23c, .phase = t};
    if (t > 10 && t < 15) /* a small truck backs in and leaves what it carried */
        a[n++] = (struct actor){.prop = PROP_TRUCK,
                                .x = -1.2,
                                .y = 21 + 30 * (1 - ramp(t, 10, 12)) + 34 * ramp(t, 13.5, 15),
                                .heading = 0,
                                .fill = 0x3b6fa5};
    if (blocked) {
        static const double at[][3] = {{-1.9, 15, 0}, {-0.6, 16.4, 30}, {-2.2, 17.8, 70}, {-0.9, 14, 110}};

        for (unsigned i = 0; i < 4; i++)
            a[n++] = (struct actor){.prop = PROP_BOX,
                                    .x = at[i][0],
                                    .y = at[i][1],
                                    .heading = at[i][2],
                                    .width = 0.9,
                                    .length = 2.6,
                                    .size = 0.55 + 0.2 * (i % 2),
                                    .fill = (colour[]){0xa67c4a, 0x8d6a40, 0xb98d54, 0x9c7a55}[i]};
        a[n++] = (struct actor){.prop = PROP_HEAP, .x = -1.4, .y = 18.8, .size = 0.6};
    }
    for (int i = 0; i < 5; i++)
        a[n++] = (struct actor){.prop = PROP_TREE,
                                .x = i % 2 ? 8.5 + i * 2.4 : -6.6 - i,
                                .y = 12 + i * 13,
                                .size = 1 + 0.2 * (i % 3),
                                .fill = i % 2 ? 0x5b8f45 : 0x6f9b4b};
    for (int i = 0; i < 5; i++)
        a[n++] = (struct actor){
            .prop = PROP_BUSH, .x = 5.4 + i * 0.5, .y = 4 + i * 6.5, .size = 0.7, .fill = 0x6fa04e};
    draw_actors(c, a, n);
}

static void site_background(const struct canvas *c)
{
    draw_sky(c, 0x8fb4d2, 0xece9df);
    ground_rect(c, 0xa99b80, 1, -300, -40, 300, 600);
    ground_rect(c, 0xb7a583, 1, -60, 0, 70, 60);
    ground_rect(c, 0x9b8b6c, 0.8, -8, -20, 2, 50);
    for (int i = 0; i < 3; i++)
        draw_house(
            c, &(struct box){-95 + i * 75, 130, 0, 26, 18, 26 + 8.0 * i, 0, mix(0xb7b2a9, 0xe9ecea, 0.35)}, 9,
            false);
    draw_haze(c, 0xe9e4d6, 0.65);
    for (int floor = 0; floor < 5; floor++) { /* a frame that grows: slabs on columns */
        for (int row = 2; row >= 0; row--)
            for (int i = 0; i < 6; i++)
                draw_box(c,
                         &(struct box){5 + i * 6.2, 36 + row * 6, floor * 3.4, 0.7, 0.7, 3.1, 0, 0x9a9b98});
        draw_box(c, &(struct box){20.5, 42, floor * 3.4 + 3.1, 33, 15, 0.35, 0, 0xb3b3ae});
    }
    for (int i = 0; i < 9; i++)
        draw_box(c, &(struct box){4 + i * 4.1, 34.4, 17.1, 0.1, 0.1, 1.3, 0, 0xd7842e});
    draw_box(c, &(struct box){20.5, 34.2, 3.6, 33, 0.08, 12.5, 0, 0x3f8a62}); /* netting */
    wall_sign(c, "安全生产 文明施工", 0xffffff, 0xb8322a, 10, 34, 8.6, 21, 2.4);
    for (int i = 0; i < 8; i++) /* the mast of the crane */
        draw_box(c, &(struct box){-9, 44, i * 2.4, 1.5 - 0.05 * i, 1.5 - 0.05 * i, 2.1, i % 2 * 12.0,
                                  i % 2 ? 0xe0a92f : 0xd39a22});
    for (int i = 0; i < 3; i++)
        draw_box(c, &(struct box){-24, 33 + i * 7, 0, 9, 5, 2.7, 0, i == 1 ? 0xe7e3d8 : 0x4f86b3});
}

static void site_fence(const struct canvas *c)
{
    for (int i = 0; i < 16; i++)
        if (i < 5 || i > 7)
            draw_box(c, &(struct box){-31 + i * 4.0, 3, 0, 3.9, 0.12, 2.0, 0, i % 2 ? 0x3f86bd : 0x4a92c8});
    wall_text(c, "示范建设 一标段", 0xffffff, 5.5, 2.8, 0.55, 1.1);
}

/* Where an arm's end is at that time: it goes round once a minute. */
static void site_animate(const struct canvas *c, double t)
{
    struct actor a[24];
    unsigned n = 0;
    double turn = 2 * M_PI * t / 60, hook = 6 + 3.5 * sin(turn * 2);
    double jx = sin(turn), jy = cos(turn);
    double dig = sin(2 * M_PI * t / 6);

    for (int i = -2; i < 9; i++) /* jib and counter jib */
        draw_box(c, &(struct box){-9 + jx * i * 2.8, 44 + jy * i * 2.8, 19.6, 0.8, 2.75, 0.8,
                                  turn * 180 / M_PI, i < 0 ? 0xb9872a : 0xe3b13c});
    draw_box(c, &(struct box){-9, 44, 19.4, 1.5, 1.5, 2.6, 0, 0xd39a22});
    draw_box(c, &(struct box){-9 + jx * 18, 44 + jy * 18, hook, 0.1, 0.1, 19.6 - hook, 0, 0x2f2f2f});
    draw_box(c, &(struct box){-9 + jx * 18, 44 + jy * 18, hook - 1.1, 2.4, 1.2, 1.1, turn * 57.3, 0xa25b3c});
    /* an excavator at its heap */
    ground_disc(c, 0x8b7350, 1, 15.5, 19, 0.05, 5.2, 3);
    for (int i = 0; i < 5; i++)
        ground_disc(c, shade(0x9c8159, 1 + i * 0.05), 1, 15.5 - i * 0.2, 19, 0.35 * i, 4.4 - i * 0.85,
                    2.5 - i * 0.45);
    draw_box(c, &(struct box){7, 18, 0, 3.2, 3.6, 0.9, 90, 0x33363a});
    draw_box(c, &(struct box){7, 18, 0.9, 2.6, 3.0, 1.1, 90 + dig * 14, 0xe1a32a});
    draw_box(c, &(struct box){6.4, 17.6, 2.0, 1.2, 1.3, 1.1, 90 + dig * 14, 0x36454f});
    for (int i = 0; i < 8; i++)
        draw_box(c, &(struct box){8.4 + i * 0.62, 18 - dig * 0.1 * i,
                                  2 + 2.6 * sin(i * 0.38 + 0.35) + 0.12 * dig * i, 0.42, 0.75, 0.42,
                                  90 + dig * 14, 0xd9992a});
    a[n++] = (struct actor){.prop = PROP_TRUCK,
                            .x = -3,
                            .y = t < 30 ? 62 - 44 * ramp(t, 2, 12) : 18 + 44 * ramp(t, 38, 50),
                            .heading = t < 30 ? 180 : 0,
                            .fill = 0xc2452d};
    for (unsigned i = 0; i < 5; i++)
        a[n++] = (struct actor){.prop = PROP_PERSON,
                                .x = -14 + i * 3.4 + 2 * sin(2 * M_PI * t / 30 + i),
                                .y = 14 + (i * 5 % 9),
                                .fill = i % 2 ? 0xe57f2a : 0xf0c52f,
                                .phase = t + i};
    draw_actors(c, a, n);
    if (t > 16 && t < 50)
        for (unsigned i = 0; i < 26; i++) {
            double age = fmod(t / 5 + i / 26.0, 1), strength = during(t, 16, 50);
            draw_puff(c, 0xcdb88f, 0.5 * strength * (1 - age) * (age < 0.15 ? age / 0.15 : 1),
                      13 - age * 17 + 4 * sin(i * 2.1), 18 + 3 * cos(i * 1.7), 0.6 + age * 4.2,
                      1.3 + age * 3.6);
        }
    site_fence(c);
}

static void refuse_background(const struct canvas *c)
{
    draw_sky(c, 0x8fb9d8, 0xecefe9);
    ground_rect(c, 0x93a177, 1, -300, -40, 300, 600);
    ground_rect(c, 0xaaa89f, 1, -40, -40, 40, 26);
    ground_rect(c, 0x5a5f64, 1, -300, -8, 300, 1);
    ground_dashes(c, 0xe2b84a, -120, -3.5, 120, -3.5, 0.18, 4, 3);
    draw_haze(c, 0xe8ece6, 0.45);
    for (int i = 0; i < 3; i++)
        draw_house(c, &(struct box){-56 + i * 55, 72, 0, 30, 14, 17, 0, 0xbdb29d}, 5, false);
    draw_box(c, &(struct box){0, 22, 0, 26, 9, 5.6, 0, 0xd8ddd6});
    draw_box(c, &(struct box){0, 21.6, 5.6, 27.4, 10.6, 0.5, 0, 0x3f7f5c});
    for (int i = 0; i < 3; i++) {
        polygon(c, 0x6d7a82, 1,
                (struct point[]){{-11.4 + i * 8, 17.45, 0},
                                 {-5.4 + i * 8, 17.45, 0},
                                 {-5.4 + i * 8, 17.45, 3.4},
                                 {-11.4 + i * 8, 17.45, 3.4}},
                4);
        for (int j = 1; j < 8; j++)
            polygon(c, 0x5d6970, 1,
                    (struct point[]){{-11.4 + i * 8, 17.4, j * 0.42},
                                     {-5.4 + i * 8, 17.4, j * 0.42},
                                     {-5.4 + i * 8, 17.4, j * 0.42 + 0.06},
                                     {-11.4 + i * 8, 17.4, j * 0.42 + 0.06}},
                    4);
    }
    wall_sign(c, "生活垃圾转运站", 0xffffff, 0x2f6f4b, -5.6, 17.4, 3.75, 11.2, 1.5);
}

static void refuse_animate(const struct canvas *c, double t)
{
    static const colour bins[] = {0x2f6fae, 0x3d8f4f, 0xb53a30, 0x6d7378};
    struct actor a[32];
    unsigned n = 0;
    double heap = ramp(t, 6, 38) * (1 - ramp(t, 50, 56)),
           truck = -40 + 37.5 * ramp(t, 42, 48) + 50 * ramp(t, 56, 60);

    for (int i = 0; i < 8; i++)
        a[n++] = (struct actor){.prop = PROP_BIN, .x = -8.8 + i * 1.55, .y = 9.5, .fill = bins[i / 2]};
    if (heap > 0.03) {
        a[n++] = (struct actor){.prop = PROP_HEAP, .x = 3.9, .y = 8.6, .size = heap};
        a[n++] = (struct actor){.prop = PROP_HEAP, .x = 1.2, .y = 8.0, .size = heap * 0.7};
        a[n++] = (struct actor){.prop = PROP_HEAP, .x = 6.6, .y = 9.2, .size = heap * 0.8};
    }
    if (t > 42)
        a[n++] = (struct actor){.prop = PROP_TRUCK, .x = truck, .y = 5, .heading = 90, .fill = 0x3d8f5f};
    for (unsigned i = 0; i < 4; i++) { /* residents who put their bags down and leave again */
        double walk = fmod(t + i * 7.5, 30), x = walk < 15 ? -22 + walk * 1.7 : 3.5 - (walk - 15) * 1.7;

        a[n++] = (struct actor){.prop = PROP_PERSON,
                                .x = x + i * 0.6,
                                .y = 6.4 + i * 0.5,
                                .fill = (colour[]){0x35597f, 0xa8443a, 0x6b5b86, 0xd0a23c}[i],
                                .phase = t + i};
    }
    for (unsigned i = 0; i < 3; i++)
        a[n++] = (struct actor){.prop = i == 1 ? PROP_VAN : PROP_CAR,
                                .x = sweep(t, 20, i / 3.0, -60, 60),
                                .y = -1.4,
                                .heading = 90,
                                .fill = (colour[]){0xdadcdc, 0x3a536f, 0x8b3d36}[i]};
    for (int i = 0; i < 4; i++)
        a[n++] = (struct actor){
            .prop = PROP_TREE, .x = i < 2 ? -19 - i * 7 : 5 + i * 7, .y = 20, .size = 1.35, .fill = 0x639549};
    draw_actors(c, a, n);
}

const struct scene scenes_town[] = {
    {"cam03",
     "商业街",
     "Market street",
     {0.5, -8, 6.8, 10, 0, 760},
     market_background,
     market_animate,
     {{14, 46, "street_vending", "minor", "流动摊贩占道经营", {0.46, 0.38, 0.24, 0.26}}}},
    {"cam04",
     "村口小路",
     "Village lane",
     {0.8, -6, 5.6, 12, -4, 780},
     lane_background,
     lane_animate,
     {{15, 50, "illegal_dumping", "minor", "村道堆放杂物，影响通行", {0.42, 0.50, 0.20, 0.22}}}},
    {"cam07",
     "工地",
     "Construction site",
     {2, -16, 10.5, 9, 5, 760},
     site_background,
     site_animate,
     {{18, 49, "construction_dust", "major", "工地土方作业扬尘，未见降尘措施", {0.36, 0.50, 0.40, 0.24}}}},
    {"cam10",
     "垃圾转运站",
     "Refuse station",
     {-2, -11, 6.8, 13, 4, 780},
     refuse_background,
     refuse_animate,
     {{20, 50, "garbage_overflow", "major", "垃圾满溢，堆放在站外", {0.48, 0.50, 0.26, 0.16}}}},
};
const unsigned scenes_town_count = sizeof(scenes_town) / sizeof(scenes_town[0]);
