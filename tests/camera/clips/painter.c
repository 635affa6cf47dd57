#include "painter.h"

#include <stdio.h>
#include <string.h>

void painter_fini(struct painter *p)
{
    if (p->cr)
        cairo_destroy(p->cr);
    cairo_surface_destroy(p->background);
    cairo_surface_destroy(p->picture);
    cairo_surface_destroy(p->title);
    cairo_surface_destroy(p->clock);
}

static void dim_edges(cairo_t *cr)
{
    cairo_pattern_t *p = cairo_pattern_create_radial(CANVAS_WIDTH / 2, CANVAS_HEIGHT / 2, 420,
                                                     CANVAS_WIDTH / 2, CANVAS_HEIGHT / 2, 860);

    cairo_pattern_add_color_stop_rgba(p, 0, 0, 0, 0, 0);
    cairo_pattern_add_color_stop_rgba(p, 1, 0.02, 0.04, 0.07, 0.42);
    cairo_set_source(cr, p);
    cairo_paint(cr);
    cairo_pattern_destroy(p);
}

void painter_init(struct painter *p, const struct job *job)
{
    double scale = job->width / CANVAS_WIDTH;
    cairo_t *cr;

    memset(p, 0, sizeof(*p));
    p->job = job;
    p->clock_second = -1;
    p->background = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)job->width, (int)job->height);
    p->picture = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)job->width, (int)job->height);
    p->title = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)(620 * scale), (int)(110 * scale));
    p->clock = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)(460 * scale), (int)(70 * scale));
    cr = cairo_create(p->background);
    cairo_scale(cr, scale, scale);
    p->canvas = (struct canvas){cr, job->scene->view};
    job->scene->background(&p->canvas);
    dim_edges(cr);
    cairo_destroy(cr);
    cr = cairo_create(p->title);
    cairo_scale(cr, scale, scale);
    screen_text(cr, job->scene->name, "Noto Sans CJK SC Bold 30", 0xffffff, 28, 12, 0);
    screen_text(cr, job->scene->name_en, "Noto Sans CJK SC 14", 0xe6ecf0, 30, 70, 0);
    cairo_destroy(cr);
    p->cr = cairo_create(p->picture);
    cairo_scale(p->cr, scale, scale);
    p->canvas.cr = p->cr;
}

/* A clip is made beforehand and plays in a loop, so its clock says where in the loop it is,
 * and does not pretend to be the time of day. */
static void paint_clock(struct painter *p, double t)
{
    double scale = p->job->width / CANVAS_WIDTH;
    char text[64];
    cairo_t *cr;

    if ((int)t == p->clock_second)
        return;
    p->clock_second = (int)t;
    snprintf(text, sizeof(text), "T+%02d:%02d", p->clock_second / 60, p->clock_second % 60);
    cr = cairo_create(p->clock);
    cairo_set_operator(cr, CAIRO_OPERATOR_CLEAR);
    cairo_paint(cr);
    cairo_set_operator(cr, CAIRO_OPERATOR_OVER);
    cairo_scale(cr, scale, scale);
    screen_text(cr, text, "Noto Sans Mono CJK SC Bold 24", 0xffffff, 440, 6, 1);
    screen_text(cr, "模拟画面", "Noto Sans CJK SC 17", 0xf2d27a, 262, 12, 1);
    cairo_destroy(cr);
}

static void add_grain(cairo_surface_t *picture, unsigned seed)
{
    unsigned char *data = cairo_image_surface_get_data(picture);
    int stride = cairo_image_surface_get_stride(picture), height = cairo_image_surface_get_height(picture);
    uint32_t x = seed * 2654435761u | 1;

    for (int i = 0; i < stride * height; i += 4) {
        int v;

        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        v = (int)(x & 15) - 8;
        for (int k = 0; k < 3; k++) {
            int sum = data[i + k] + v;
            data[i + k] = (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
    }
}

void paint(struct painter *p, double t, unsigned number)
{
    double scale = p->job->width / CANVAS_WIDTH;

    cairo_surface_flush(p->picture);
    memcpy(cairo_image_surface_get_data(p->picture), cairo_image_surface_get_data(p->background),
           (size_t)cairo_image_surface_get_stride(p->picture) * p->job->height);
    cairo_surface_mark_dirty(p->picture);
    p->job->scene->animate(&p->canvas, t);
    paint_clock(p, t);
    cairo_save(p->cr);
    cairo_identity_matrix(p->cr);
    cairo_set_source_surface(p->cr, p->title, 0, 0);
    cairo_paint(p->cr);
    cairo_set_source_surface(p->cr, p->clock, (CANVAS_WIDTH - 460) * scale, 12 * scale);
    cairo_paint(p->cr);
    cairo_restore(p->cr);
    cairo_surface_flush(p->picture);
    if (p->job->noise)
        add_grain(p->picture, number + 1);
}
