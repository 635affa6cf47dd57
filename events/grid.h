/* Grids as polygons: reading GeoJSON, saying what is wrong with a ring and where, and
 * finding the grid of a point. An index is immutable: any number of threads may ask it. */
#ifndef EVENTS_GRID_H
#define EVENTS_GRID_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "base/id.h"

#define GRID_POINTS_MAX 20000 /* of one geometry */

/* Is this a GeoJSON Polygon or MultiPolygon (RFC 7946 3.1) that GEOS calls valid? -EINVAL with
 * the place in words; err->field is the path within the geometry ("coordinates/0/3"). -ENOMEM. */
int grid_check(const json_t *geometry, struct se_err *err);

struct grid_index;

/* One grid to be indexed. Texts are copied. */
struct grid_entry {
    const char *id, *division_id;
    int64_t version;
    const json_t *geometry;
};
/* -EINVAL names the grid by its place in entries (err->field "17/coordinates/…"). */
int grid_index_new(const struct grid_entry *entries, size_t count, struct grid_index **ret_index,
                   struct se_err *err);
void grid_index_free(struct grid_index *index);

struct grid_found {
    char grid_id[SE_ID_LEN];
    char division_id[SE_ID_LEN];
    int64_t version;
    double distance_m; /* 0: within */
};
/* The grid that holds the point (of several, the one indexed first), else the nearest one
 * not further than within_m. -ENOENT none. Any thread. */
int grid_locate(const struct grid_index *index, double lat, double lon, double within_m,
                struct grid_found *ret_found);

/* Great-circle distance in metres. */
double grid_distance_m(double lat1, double lon1, double lat2, double lon2);

#endif
