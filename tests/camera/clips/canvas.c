#include "canvas.h"

#include <math.h>
#include <pango/pangocairo.h>
#include <string.h>

#define CORNERS_MAX 32
#define NEAR        0.4 /* metres before the camera where the world begins */

static const struct point sun = {-0.55, -0.5, 0.67};

double chance(unsigned seed)
{
    uint32_t x = seed * 2654435761u + 0x9e3779b9u;

    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    x ^= x >> 16;
    return x / 4294967296.0;
}

static unsigned channel(double v)
{
    return v < 0 ? 0 : v > 255 ? 255 : (unsigned)v;
}

colour shade(colour c, double factor)
{
    return channel((c >> 16 & 255) * factor) << 16 | channel((c >> 8 & 255) * factor) << 8 |
           channel((c & 255) * factor);
}

colour mix(colour a, colour b, double share)
{
    colour out = 0;

    for (int shift = 16; shift >= 0; shift -= 8)
        out |= channel((a >> shift & 255) * (1 - share) + (b >> shift & 255) * share) << shift;
    return out;
}

void set_colour(cairo_t *cr, colour c, double alpha)
{
    cairo_set_source_rgba(cr, (c >> 16 & 255) / 255.0, (c >> 8 & 255) / 255.0, (c & 255) / 255.0, alpha);
}

static double radians(double degrees)
{
    return degrees * M_PI / 180;
}

/* Into the camera's own axes: x right, y depth, z up. */
static struct point to_view(const struct canvas *c, struct point p)
{
    double yaw = radians(c->view.yaw), pitch = radians(c->view.pitch);
    double dx = p.x - c->view.x, dy = p.y - c->view.y, dz = p.z - c->view.height;
    double right = dx * cos(yaw) - dy * sin(yaw), ahead = dx * sin(yaw) + dy * cos(yaw);

    return (struct point){right, ahead * cos(pitch) - dz * sin(pitch), ahead * sin(pitch) + dz * cos(pitch)};
}

static void to_screen(const struct canvas *c, struct point v, double *ret_x, double *ret_y)
{
    *ret_x = CANVAS_WIDTH / 2 + c->view.focal * v.x / v.y;
    *ret_y = CANVAS_HEIGHT / 2 - c->view.focal * v.z / v.y;
}

bool project(const struct canvas *c, struct point p, double *ret_x, double *ret_y, double *ret_depth)
{
    struct point v = to_view(c, p);

    if (v.y < NEAR)
        return false;
    to_screen(c, v, ret_x, ret_y);
    if (ret_depth)
        *ret_depth = v.y;
    return true;
}

double depth_of(const struct canvas *c, double x, double y)
{
    return to_view(c, (struct point){x, y, 0}).y;
}

double scale_at(const struct canvas *c, struct point p)
{
    struct point v = to_view(c, p);

    return c->view.focal / (v.y < NEAR ? NEAR : v.y);
}

/* Lays the polygon's path; false when nothing of it is before the camera. */
static bool path(const struct canvas *c, const struct point *points, unsigned count)
{
    struct point view[CORNERS_MAX];
    bool any = false;

    if (count > CORNERS_MAX)
        count = CORNERS_MAX;
    for (unsigned i = 0; i < count; i++)
        view[i] = to_view(c, points[i]);
    cairo_new_path(c->cr);
    for (unsigned i = 0; i < count; i++) {
        struct point a = view[i], b = view[(i + 1) % count];
        double x, y;

        if (a.y >= NEAR) {
            to_screen(c, a, &x, &y);
            cairo_line_to(c->cr, x, y);
            any = true;
        }
        if ((a.y >= NEAR) != (b.y >= NEAR)) {
            double t = (NEAR - a.y) / (b.y - a.y);
            struct point cut = {a.x + (b.x - a.x) * t, NEAR, a.z + (b.z - a.z) * t};

            to_screen(c, cut, &x, &y);
            cairo_line_to(c->cr, x, y);
        }
    }
    cairo_close_path(c->cr);
    return any;
}

void polygon(const struct canvas *c, colour fill, double alpha, const struct point *points, unsigned count)
{
    if (!path(c, points, count))
        return;
    set_colour(c->cr, fill, alpha);
    cairo_fill(c->cr);
}

void ground_rect(const struct canvas *c, colour fill, double alpha, double x0, double y0, double x1,
                 double y1)
{
    struct point p[] = {{x0, y0, 0}, {x1, y0, 0}, {x1, y1, 0}, {x0, y1, 0}};

    polygon(c, fill, alpha, p, 4);
}

void ground_line(const struct canvas *c, colour fill, double alpha, double x0, double y0, double x1,
                 double y1, double width)
{
    double length = hypot(x1 - x0, y1 - y0), nx, ny;

    if (length <= 0)
        return;
    nx = (y1 - y0) / length * width / 2;
    ny = -(x1 - x0) / length * width / 2;
    polygon(c, fill, alpha,
            (struct point[]){
                {x0 + nx, y0 + ny, 0}, {x1 + nx, y1 + ny, 0}, {x1 - nx, y1 - ny, 0}, {x0 - nx, y0 - ny, 0}},
            4);
}

void ground_dashes(const struct canvas *c, colour fill, double x0, double y0, double x1, double y1,
                   double width, double dash, double gap)
{
    double length = hypot(x1 - x0, y1 - y0), ux = (x1 - x0) / length, uy = (y1 - y0) / length;

    for (double at = 0; at < length; at += dash + gap) {
        double end = at + dash < length ? at + dash : length;
        ground_line(c, fill, 0.85, x0 + ux * at, y0 + uy * at, x0 + ux * end, y0 + uy * end, width);
    }
}

void ground_disc(const struct canvas *c, colour fill, double alpha, double x, double y, double z, double rx,
                 double ry)
{
    struct point p[20];

    for (unsigned i = 0; i < 20; i++)
        p[i] = (struct point){x + rx * cos(i * M_PI / 10), y + ry * sin(i * M_PI / 10), z};
    polygon(c, fill, alpha, p, 20);
}

/* Corners of a box: four at the bottom, then the four above them. */
static void corners(const struct box *b, struct point out[8])
{
    double h = radians(b->heading), ux = sin(h), uy = cos(h); /* ahead; right is (uy, -ux) */

    for (int i = 0; i < 8; i++) {
        double along = (i & 2 ? 0.5 : -0.5) * b->length;
        double aside = ((i & 1) ^ (i >> 1 & 1) ? 0.5 : -0.5) * b->width;

        out[i] = (struct point){b->x + ux * along + uy * aside, b->y + uy * along - ux * aside,
                                b->z + (i & 4 ? b->height : 0)};
    }
}

struct face {
    struct point p[4];
    double light;
    bool seen;
};

/* The sides (0 back, 1 right, 2 front, 3 left) and the top (4), with their light. */
static void faces(const struct canvas *c, const struct box *b, struct face out[5])
{
    struct point p[8];
    double h = radians(b->heading);
    struct point normal[5] = {
        {-sin(h), -cos(h), 0}, {cos(h), -sin(h), 0}, {sin(h), cos(h), 0}, {-cos(h), sin(h), 0}, {0, 0, 1}};

    corners(b, p);
    for (int i = 0; i < 4; i++) {
        int j = (i + 1) % 4;
        memcpy(out[i].p, (struct point[]){p[i], p[j], p[j + 4], p[i + 4]}, sizeof(out[i].p));
    }
    memcpy(out[4].p, (struct point[]){p[4], p[5], p[6], p[7]}, sizeof(out[4].p));
    for (int i = 0; i < 5; i++) {
        struct point n = normal[i];
        double dot = n.x * sun.x + n.y * sun.y + n.z * sun.z;

        out[i].light = 0.68 + 0.42 * (dot > 0 ? dot : dot * 0.35);
        out[i].seen = n.x * (c->view.x - out[i].p[0].x) + n.y * (c->view.y - out[i].p[0].y) +
                          n.z * (c->view.height - out[i].p[0].z) >
                      0;
    }
}

void draw_box(const struct canvas *c, const struct box *box)
{
    struct face f[5];

    faces(c, box, f);
    for (int i = 0; i < 5; i++)
        if (f[i].seen)
            polygon(c, shade(box->fill, f[i].light), 1, f[i].p, 4);
}

static struct point along(const struct face *f, double u, double v)
{
    const struct point *p = f->p;
    struct point a = {p[0].x + (p[1].x - p[0].x) * u, p[0].y + (p[1].y - p[0].y) * u, p[0].z};

    a.z += (p[3].z - p[0].z) * v;
    return a;
}

static void face_patch(const struct canvas *c, const struct face *f, colour fill, double u0, double v0,
                       double u1, double v1)
{
    polygon(c, fill, 1,
            (struct point[]){along(f, u0, v0), along(f, u1, v0), along(f, u1, v1), along(f, u0, v1)}, 4);
}

static void draw_windows(const struct canvas *c, const struct face *f, double width, unsigned floors,
                         bool shop, unsigned seed, colour wall)
{
    unsigned columns = (unsigned)(width / 3.2) + 1;
    double floor = 1.0 / floors;

    for (unsigned row = 0; row < floors; row++) {
        double v = row * floor;

        if (row == 0 && shop) {
            face_patch(c, f, shade(0x38424c, f->light), 0.02, 0.0, 0.98, floor * 0.78);
            for (unsigned i = 0; i < columns; i++)
                face_patch(c, f, shade(chance(seed + i) > 0.4 ? 0xf0d9a0 : 0xa9c4cf, f->light),
                           (i + 0.12) / columns, 0.0, (i + 0.88) / columns, floor * 0.68);
            continue;
        }
        for (unsigned i = 0; i < columns; i++) {
            colour glass = chance(seed + row * 31 + i * 7) > 0.82 ? 0xd8e4ea : 0x5f7688;

            face_patch(c, f, shade(wall, f->light * 1.08), (i + 0.16) / columns, v + floor * 0.2,
                       (i + 0.84) / columns, v + floor * 0.84);
            face_patch(c, f, shade(glass, f->light), (i + 0.22) / columns, v + floor * 0.26,
                       (i + 0.78) / columns, v + floor * 0.8);
        }
    }
}

void draw_house(const struct canvas *c, const struct box *box, unsigned floors, bool shop)
{
    struct face f[5];
    struct box parapet = *box;

    draw_box(c, box);
    faces(c, box, f);
    for (int i = 0; i < 4; i++)
        if (f[i].seen)
            draw_windows(c, &f[i], i % 2 ? box->length : box->width, floors, shop,
                         (unsigned)(box->x * 17 + box->y * 5 + 900 + i), box->fill);
    parapet.z += box->height;
    parapet.height = 0.7;
    parapet.width += 0.5;
    parapet.length += 0.5;
    parapet.fill = shade(box->fill, 0.86);
    draw_box(c, &parapet);
}

static PangoLayout *layout_of(cairo_t *cr, const char *text, const char *font)
{
    PangoLayout *layout = pango_cairo_create_layout(cr);
    PangoFontDescription *description = pango_font_description_from_string(font);

    pango_layout_set_font_description(layout, description);
    pango_font_description_free(description);
    pango_layout_set_text(layout, text, -1);
    return layout;
}

/* The plane y = const is seen nearly straight on, so an affine map is good enough for a word. */
void wall_text(const struct canvas *c, const char *text, colour ink, double x, double y, double z,
               double height)
{
    double x0, y0, x1, y1, x2, y2;
    cairo_matrix_t matrix;
    PangoLayout *layout;

    if (!project(c, (struct point){x, y, z + height}, &x0, &y0, NULL) ||
        !project(c, (struct point){x + 1, y, z + height}, &x1, &y1, NULL) ||
        !project(c, (struct point){x, y, z + height - 1}, &x2, &y2, NULL))
        return;
    cairo_save(c->cr);
    cairo_matrix_init(&matrix, x1 - x0, y1 - y0, x2 - x0, y2 - y0, x0, y0);
    cairo_transform(c->cr, &matrix);
    cairo_scale(c->cr, height / 60, height / 60);
    layout = layout_of(c->cr, text, "Noto Sans CJK SC Bold 32");
    set_colour(c->cr, ink, 1);
    pango_cairo_show_layout(c->cr, layout);
    g_object_unref(layout);
    cairo_restore(c->cr);
}

void wall_sign(const struct canvas *c, const char *text, colour ink, colour board, double x, double y,
               double z, double width, double height)
{
    polygon(c, board, 1,
            (struct point[]){{x, y, z}, {x + width, y, z}, {x + width, y, z + height}, {x, y, z + height}},
            4);
    wall_text(c, text, ink, x + height * 0.25, y - 0.02, z + height * 0.06, height * 0.86);
}

double horizon_y(const struct canvas *c)
{
    return CANVAS_HEIGHT / 2 - c->view.focal * tan(radians(c->view.pitch));
}

void draw_sky(const struct canvas *c, colour top, colour bottom)
{
    double y = horizon_y(c) + 2;
    cairo_pattern_t *sky = cairo_pattern_create_linear(0, 0, 0, y > 1 ? y : 1);

    cairo_pattern_add_color_stop_rgb(sky, 0, (top >> 16 & 255) / 255.0, (top >> 8 & 255) / 255.0,
                                     (top & 255) / 255.0);
    cairo_pattern_add_color_stop_rgb(sky, 1, (bottom >> 16 & 255) / 255.0, (bottom >> 8 & 255) / 255.0,
                                     (bottom & 255) / 255.0);
    cairo_set_source(c->cr, sky);
    cairo_paint(c->cr);
    cairo_pattern_destroy(sky);
}

void draw_haze(const struct canvas *c, colour haze, double strength)
{
    double y = horizon_y(c), reach = 150;
    cairo_pattern_t *p = cairo_pattern_create_linear(0, y - reach, 0, y + reach);
    double r = (haze >> 16 & 255) / 255.0, g = (haze >> 8 & 255) / 255.0, b = (haze & 255) / 255.0;

    cairo_pattern_add_color_stop_rgba(p, 0, r, g, b, 0);
    cairo_pattern_add_color_stop_rgba(p, 0.5, r, g, b, strength);
    cairo_pattern_add_color_stop_rgba(p, 1, r, g, b, 0);
    cairo_set_source(c->cr, p);
    cairo_rectangle(c->cr, 0, y - reach, CANVAS_WIDTH, reach * 2);
    cairo_fill(c->cr);
    cairo_pattern_destroy(p);
}

void draw_hills(const struct canvas *c, colour fill, double height, unsigned seed)
{
    double base = horizon_y(c) + 3;

    cairo_new_path(c->cr);
    cairo_move_to(c->cr, 0, base);
    for (int x = 0; x <= (int)CANVAS_WIDTH; x += 8) {
        double s = seed * 1.7;
        double h =
            0.5 + 0.3 * sin(x * 0.0052 + s) + 0.14 * sin(x * 0.013 + s * 2) + 0.06 * sin(x * 0.037 + s * 3);
        cairo_line_to(c->cr, x, base - height * h);
    }
    cairo_line_to(c->cr, CANVAS_WIDTH, base);
    cairo_close_path(c->cr);
    set_colour(c->cr, fill, 1);
    cairo_fill(c->cr);
}

void screen_text(cairo_t *cr, const char *text, const char *font, colour ink, double x, double y,
                 double align)
{
    PangoLayout *layout = layout_of(cr, text, font);
    int width, height;

    pango_layout_get_pixel_size(layout, &width, &height);
    cairo_move_to(cr, x - width * align, y);
    pango_cairo_layout_path(cr, layout);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_width(cr, 4);
    set_colour(cr, 0x000000, 0.72);
    cairo_stroke_preserve(cr);
    set_colour(cr, ink, 1);
    cairo_fill(cr);
    g_object_unref(layout);
}
