#include "grid.h"

#include <errno.h>
#include <geos_c.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define EARTH_RADIUS_M  6371008.8
#define DEGREES         (M_PI / 180.0)
#define METRES_A_DEGREE (EARTH_RADIUS_M * DEGREES)

/* GEOS wants a context per thread; it lives as long as the thread does. */
static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void context_free(void *handle)
{
    GEOS_finish_r(handle);
}

static void context_init(void)
{
    if (pthread_key_create(&context_key, context_free))
        abort(); /* no thread-specific data left: nothing of this process would work */
}

static GEOSContextHandle_t context(void)
{
    pthread_once(&context_once, context_init);
    GEOSContextHandle_t handle = pthread_getspecific(context_key);
    if (!handle) {
        handle = GEOS_init_r();
        if (handle && pthread_setspecific(context_key, handle)) {
            GEOS_finish_r(handle);
            handle = NULL;
        }
    }
    return handle;
}

/* ---- reading GeoJSON ---- */

static int read_position(const json_t *position, const char *path, double *ret_lon, double *ret_lat,
                         struct se_err *err)
{
    const json_t *lon = json_array_get(position, 0), *lat = json_array_get(position, 1);
    if (!json_is_number(lon) || !json_is_number(lat))
        return se_fail_field(err, -EINVAL, path, "must be a position [longitude, latitude]");
    double x = json_number_value(lon), y = json_number_value(lat);
    if (!(x >= -180 && x <= 180 && y >= -90 && y <= 90))
        return se_fail_field(err, -EINVAL, path,
                             "[%g, %g] is no place on earth: longitude first, then latitude", x, y);
    *ret_lon = x;
    *ret_lat = y;
    return 0;
}

static int read_ring(GEOSContextHandle_t ctx, const json_t *positions, const char *path, size_t *points,
                     GEOSGeometry **ret_ring, struct se_err *err)
{
    size_t count = json_array_size(positions), n;
    char at[80];
    double first_x = 0, first_y = 0, x = 0, y = 0;
    json_t *position;
    if (!json_is_array(positions) || count < 4)
        return se_fail_field(err, -EINVAL, path,
                             "a ring has at least 4 positions, the last one equal to the first");
    *points += count;
    if (*points > GRID_POINTS_MAX)
        return se_fail_field(err, -EINVAL, path, "the geometry has more than %d positions", GRID_POINTS_MAX);
    GEOSCoordSequence *sequence = GEOSCoordSeq_create_r(ctx, (unsigned)count, 2);
    if (!sequence)
        return se_fail(err, -ENOMEM, "out of memory");
    json_array_foreach (positions, n, position) {
        snprintf(at, sizeof at, "%.40s/%zu", path, n);
        int rc = read_position(position, at, &x, &y, err);
        if (rc) {
            GEOSCoordSeq_destroy_r(ctx, sequence);
            return rc;
        }
        if (n == 0) {
            first_x = x;
            first_y = y;
        }
        GEOSCoordSeq_setXY_r(ctx, sequence, (unsigned)n, x, y);
    }
    if (x != first_x || y != first_y) {
        GEOSCoordSeq_destroy_r(ctx, sequence);
        return se_fail_field(err, -EINVAL, at,
                             "the ring is not closed: its last position must equal the first, [%g, %g]",
                             first_x, first_y);
    }
    GEOSGeometry *ring = GEOSGeom_createLinearRing_r(ctx, sequence); /* takes the sequence, even on failure */
    if (!ring)
        return se_fail_field(err, -EINVAL, path, "is not a ring");
    *ret_ring = ring;
    return 0;
}

static int read_polygon(GEOSContextHandle_t ctx, const json_t *rings, const char *path, size_t *points,
                        GEOSGeometry **ret_polygon, struct se_err *err)
{
    size_t count = json_array_size(rings), made = 0;
    if (!json_is_array(rings) || !count || count > 1000)
        return se_fail_field(err, -EINVAL, path, "a polygon is an array of 1 to 1000 rings");
    GEOSGeometry **made_rings = calloc(count, sizeof *made_rings);
    if (!made_rings)
        return se_fail(err, -ENOMEM, "out of memory");
    int rc = 0;
    for (; !rc && made < count; made += !rc) {
        char at[80];
        snprintf(at, sizeof at, "%.48s/%zu", path, made);
        rc = read_ring(ctx, json_array_get(rings, made), at, points, &made_rings[made], err);
    }
    if (!rc) {
        GEOSGeometry *polygon =
            GEOSGeom_createPolygon_r(ctx, made_rings[0], made_rings + 1, (unsigned)(count - 1));
        made = 0; /* taken, even on failure */
        if (polygon)
            *ret_polygon = polygon;
        else
            rc = se_fail(err, -ENOMEM, "out of memory");
    }
    while (made)
        GEOSGeom_destroy_r(ctx, made_rings[--made]);
    free(made_rings);
    return rc;
}

static int read_geometry(GEOSContextHandle_t ctx, const json_t *geometry, GEOSGeometry **ret_geometry,
                         struct se_err *err)
{
    const char *type = se_json_str(geometry, "type", "");
    const json_t *coordinates = json_object_get(geometry, "coordinates");
    size_t points = 0;
    if (!strcmp(type, "Polygon"))
        return read_polygon(ctx, coordinates, "coordinates", &points, ret_geometry, err);
    if (strcmp(type, "MultiPolygon"))
        return se_fail_field(err, -EINVAL, "type", "must be Polygon or MultiPolygon");

    size_t count = json_array_size(coordinates), made = 0;
    if (!count || count > 100)
        return se_fail_field(err, -EINVAL, "coordinates", "must be an array of 1 to 100 polygons");
    GEOSGeometry *parts[100];
    int rc = 0;
    for (; !rc && made < count; made += !rc) {
        char at[40];
        snprintf(at, sizeof at, "coordinates/%zu", made);
        rc = read_polygon(ctx, json_array_get(coordinates, made), at, &points, &parts[made], err);
    }
    if (!rc) {
        GEOSGeometry *all = GEOSGeom_createCollection_r(ctx, GEOS_MULTIPOLYGON, parts, (unsigned)count);
        made = 0; /* taken, even on failure */
        if (all)
            *ret_geometry = all;
        else
            rc = se_fail(err, -ENOMEM, "out of memory");
    }
    while (made)
        GEOSGeom_destroy_r(ctx, parts[--made]);
    return rc;
}

/* GEOS' word on the shape, with the place it speaks of. */
static int check_shape(GEOSContextHandle_t ctx, const GEOSGeometry *geometry, struct se_err *err)
{
    char *reason = NULL;
    GEOSGeometry *where = NULL;
    char valid = GEOSisValidDetail_r(ctx, geometry, 0, &reason, &where);
    int rc = 0;
    if (valid != 1) {
        double x = NAN, y = NAN;
        if (where) {
            GEOSGeomGetX_r(ctx, where, &x);
            GEOSGeomGetY_r(ctx, where, &y);
        }
        rc = se_fail_field(err, -EINVAL, "coordinates",
                           "the shape is not valid: %s at longitude %.6f, latitude %.6f",
                           reason ? reason : "unknown fault", x, y);
    } else {
        double area = 0;
        GEOSArea_r(ctx, geometry, &area);
        if (!(area > 0))
            rc = se_fail_field(err, -EINVAL, "coordinates", "the shape has no area");
    }
    if (where)
        GEOSGeom_destroy_r(ctx, where);
    if (reason)
        GEOSFree_r(ctx, reason);
    return rc;
}

static int load(GEOSContextHandle_t ctx, const json_t *geometry, GEOSGeometry **ret_geometry,
                struct se_err *err)
{
    GEOSGeometry *loaded = NULL;
    int rc = read_geometry(ctx, geometry, &loaded, err);
    if (rc)
        return rc;
    rc = check_shape(ctx, loaded, err);
    if (rc) {
        GEOSGeom_destroy_r(ctx, loaded);
        return rc;
    }
    *ret_geometry = loaded;
    return 0;
}

int grid_check(const json_t *geometry, struct se_err *err)
{
    GEOSContextHandle_t ctx = context();
    if (!ctx)
        return se_fail(err, -ENOMEM, "out of memory");
    GEOSGeometry *loaded = NULL;
    int rc = load(ctx, geometry, &loaded, err);
    if (!rc)
        GEOSGeom_destroy_r(ctx, loaded);
    return rc;
}

/* ---- the index ---- */

struct cell {
    char id[SE_ID_LEN], division_id[SE_ID_LEN];
    int64_t version;
    GEOSGeometry *geometry;
    const GEOSPreparedGeometry *prepared;
};

struct grid_index {
    GEOSSTRtree *tree;
    size_t count;
    struct cell cells[];
};

/* A prepared polygon builds its own index at the first question that passes its envelope,
 * and is only read after: ask it here, before other threads do. */
static int cell_warm(GEOSContextHandle_t ctx, const struct cell *cell)
{
    double min_x, min_y, max_x, max_y;
    if (!GEOSGeom_getXMin_r(ctx, cell->geometry, &min_x) ||
        !GEOSGeom_getXMax_r(ctx, cell->geometry, &max_x) ||
        !GEOSGeom_getYMin_r(ctx, cell->geometry, &min_y) || !GEOSGeom_getYMax_r(ctx, cell->geometry, &max_y))
        return -EINVAL;
    GEOSGeometry *point = GEOSGeom_createPointFromXY_r(ctx, (min_x + max_x) / 2, (min_y + max_y) / 2);
    if (!point)
        return -ENOMEM;
    GEOSPreparedIntersects_r(ctx, cell->prepared, point);
    GEOSGeom_destroy_r(ctx, point);
    return 0;
}

static int cell_init(GEOSContextHandle_t ctx, struct cell *cell, const struct grid_entry *entry,
                     struct se_err *err)
{
    snprintf(cell->id, sizeof cell->id, "%s", entry->id);
    snprintf(cell->division_id, sizeof cell->division_id, "%s", entry->division_id);
    cell->version = entry->version;
    int rc = load(ctx, entry->geometry, &cell->geometry, err);
    if (rc)
        return rc;
    cell->prepared = GEOSPrepare_r(ctx, cell->geometry);
    if (!cell->prepared)
        return se_fail(err, -ENOMEM, "out of memory");
    return cell_warm(ctx, cell);
}

static void ignore(void *item, void *ctx)
{
    (void)item;
    (void)ctx;
}

int grid_index_new(const struct grid_entry *entries, size_t count, struct grid_index **ret_index,
                   struct se_err *err)
{
    GEOSContextHandle_t ctx = context();
    struct grid_index *index = calloc(1, sizeof *index + count * sizeof *index->cells);
    int rc = 0;
    if (!ctx || !index || !(index->tree = GEOSSTRtree_create_r(ctx, 10))) {
        rc = se_fail(err, -ENOMEM, "out of memory");
        goto fail;
    }
    for (size_t i = 0; i < count; i++) {
        struct se_err inner = {0};
        index->count = i + 1;
        rc = cell_init(ctx, &index->cells[i], &entries[i], &inner);
        if (rc) {
            char field[sizeof inner.field + 24];
            snprintf(field, sizeof field, "%zu/%s", i, inner.field);
            se_fail_field(err, rc, field, "%s", inner.text);
            goto fail;
        }
        GEOSSTRtree_insert_r(ctx, index->tree, index->cells[i].geometry, &index->cells[i]);
    }
    /* The tree is packed at its first question; after that it is only read. */
    GEOSGeometry *point = GEOSGeom_createPointFromXY_r(ctx, 0, 0);
    if (!point) {
        rc = se_fail(err, -ENOMEM, "out of memory");
        goto fail;
    }
    GEOSSTRtree_query_r(ctx, index->tree, point, ignore, NULL);
    GEOSGeom_destroy_r(ctx, point);
    *ret_index = index;
    return 0;
fail:
    grid_index_free(index);
    return rc;
}

void grid_index_free(struct grid_index *index)
{
    if (!index)
        return;
    GEOSContextHandle_t ctx = context();
    if (index->tree)
        GEOSSTRtree_destroy_r(ctx, index->tree);
    for (size_t i = 0; i < index->count; i++) {
        if (index->cells[i].prepared)
            GEOSPreparedGeom_destroy_r(ctx, index->cells[i].prepared);
        if (index->cells[i].geometry)
            GEOSGeom_destroy_r(ctx, index->cells[i].geometry);
    }
    free(index);
}

/* ---- asking it ---- */

double grid_distance_m(double lat1, double lon1, double lat2, double lon2)
{
    double dlat = (lat2 - lat1) * DEGREES, dlon = (lon2 - lon1) * DEGREES;
    double a = sin(dlat / 2) * sin(dlat / 2) +
               cos(lat1 * DEGREES) * cos(lat2 * DEGREES) * sin(dlon / 2) * sin(dlon / 2);
    return 2 * EARTH_RADIUS_M * asin(sqrt(a < 1 ? a : 1));
}

struct search {
    GEOSContextHandle_t ctx;
    const GEOSGeometry *point;
    double lat, lon;
    const struct cell *best;
    double best_m; /* for the nearest one */
};

static void visit_within(void *item, void *ctx)
{
    const struct cell *cell = item;
    struct search *search = ctx;
    if (search->best && search->best < cell)
        return;
    if (GEOSPreparedIntersects_r(search->ctx, cell->prepared, search->point) == 1)
        search->best = cell;
}

/* Distance from the point to a ring's outline, on a plane that touches the earth at the point:
 * exact enough over the few hundred metres that are asked about. */
static double ring_distance_m(const struct search *search, const GEOSGeometry *ring)
{
    const GEOSCoordSequence *sequence = GEOSGeom_getCoordSeq_r(search->ctx, ring);
    double scale_x = METRES_A_DEGREE * cos(search->lat * DEGREES), scale_y = METRES_A_DEGREE;
    double best = INFINITY, ax = 0, ay = 0;
    unsigned count = 0;
    GEOSCoordSeq_getSize_r(search->ctx, sequence, &count);
    for (unsigned i = 0; i < count; i++) {
        double x, y;
        GEOSCoordSeq_getXY_r(search->ctx, sequence, i, &x, &y);
        double bx = (x - search->lon) * scale_x, by = (y - search->lat) * scale_y;
        if (i) {
            double dx = bx - ax, dy = by - ay, len = dx * dx + dy * dy;
            double t = len > 0 ? -(ax * dx + ay * dy) / len : 0;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            double d = hypot(ax + t * dx, ay + t * dy);
            best = d < best ? d : best;
        }
        ax = bx;
        ay = by;
    }
    return best;
}

static void visit_near(void *item, void *ctx)
{
    const struct cell *cell = item;
    struct search *search = ctx;
    int parts = GEOSGetNumGeometries_r(search->ctx, cell->geometry);
    for (int p = 0; p < parts; p++) {
        const GEOSGeometry *polygon = GEOSGetGeometryN_r(search->ctx, cell->geometry, p);
        int holes = GEOSGetNumInteriorRings_r(search->ctx, polygon);
        for (int r = -1; r < holes; r++) {
            const GEOSGeometry *ring = r < 0 ? GEOSGetExteriorRing_r(search->ctx, polygon)
                                             : GEOSGetInteriorRingN_r(search->ctx, polygon, r);
            double d = ring_distance_m(search, ring);
            if (d < search->best_m || (d == search->best_m && search->best && cell < search->best)) {
                search->best_m = d;
                search->best = cell;
            }
        }
    }
}

static GEOSGeometry *box_around(GEOSContextHandle_t ctx, double lat, double lon, double metres)
{
    double dy = metres / METRES_A_DEGREE, shrink = cos(lat * DEGREES);
    double dx = dy / (shrink > 0.01 ? shrink : 0.01);
    GEOSCoordSequence *line = GEOSCoordSeq_create_r(ctx, 2, 2);
    if (!line)
        return NULL;
    GEOSCoordSeq_setXY_r(ctx, line, 0, lon - dx, lat - dy);
    GEOSCoordSeq_setXY_r(ctx, line, 1, lon + dx, lat + dy);
    return GEOSGeom_createLineString_r(ctx, line); /* the tree asks for its envelope only */
}

static int answer(const struct search *search, double distance_m, struct grid_found *ret_found)
{
    if (!search->best)
        return -ENOENT;
    memcpy(ret_found->grid_id, search->best->id, sizeof ret_found->grid_id);
    memcpy(ret_found->division_id, search->best->division_id, sizeof ret_found->division_id);
    ret_found->version = search->best->version;
    ret_found->distance_m = distance_m;
    return 0;
}

int grid_locate(const struct grid_index *index, double lat, double lon, double within_m,
                struct grid_found *ret_found)
{
    if (!index || !index->count)
        return -ENOENT;
    GEOSContextHandle_t ctx = context();
    GEOSGeometry *point = ctx ? GEOSGeom_createPointFromXY_r(ctx, lon, lat) : NULL;
    if (!point)
        return -ENOMEM;
    struct search search = {.ctx = ctx, .point = point, .lat = lat, .lon = lon};
    GEOSSTRtree_query_r(ctx, index->tree, point, visit_within, &search);
    GEOSGeom_destroy_r(ctx, point);
    if (search.best || within_m <= 0)
        return answer(&search, 0, ret_found);

    GEOSGeometry *box = box_around(ctx, lat, lon, within_m);
    if (!box)
        return -ENOMEM;
    search.best_m = within_m;
    GEOSSTRtree_query_r(ctx, index->tree, box, visit_near, &search);
    GEOSGeom_destroy_r(ctx, box);
    return answer(&search, search.best_m, ret_found);
}
