/* GCJ-02 moves a place by a smooth function of itself on the Krasovsky ellipsoid. It is not published; this
 * is the form that everybody has worked out and uses. Its inverse has no formula, so it is searched for. */
#include "base/geo.h"

#include <math.h>
#include <stdbool.h>

#define AXIS_M       6378245.0
#define ECCENTRICITY 0.00669342162296594323 /* squared */
#define ENOUGH_DEG   1e-9
#define TRIES        12

static bool in_china(struct se_place p)
{
    return p.lon >= 72.004 && p.lon <= 137.8347 && p.lat >= 0.8293 && p.lat <= 55.8271;
}

/* Three waves along one axis. */
static double waves(double x, double amplitude1, double period1, double amplitude2, double period2)
{
    return (amplitude1 * sin(x * M_PI * period1) + amplitude2 * sin(x * M_PI * period2)) * 2 / 3;
}

static double north(double x, double y)
{
    return -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(fabs(x)) + waves(x, 20, 6, 20, 2) +
           waves(y, 20, 1, 40, 1.0 / 3) + waves(y, 160, 1.0 / 12, 320, 1.0 / 30);
}

static double east(double x, double y)
{
    return 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(fabs(x)) + waves(x, 20, 6, 20, 2) +
           waves(x, 20, 1, 40, 1.0 / 3) + waves(x, 150, 1.0 / 12, 300, 1.0 / 30);
}

struct se_place se_wgs84_to_gcj02(struct se_place wgs84)
{
    if (!in_china(wgs84))
        return wgs84;
    double x = wgs84.lon - 105, y = wgs84.lat - 35, lat = wgs84.lat / 180 * M_PI;
    double bend = 1 - ECCENTRICITY * sin(lat) * sin(lat);
    double metres_north = AXIS_M * (1 - ECCENTRICITY) / (bend * sqrt(bend)) * M_PI / 180; /* a degree's */
    double metres_east = AXIS_M / sqrt(bend) * cos(lat) * M_PI / 180;
    return (struct se_place){wgs84.lat + north(x, y) / metres_north, wgs84.lon + east(x, y) / metres_east};
}

struct se_place se_gcj02_to_wgs84(struct se_place gcj02)
{
    struct se_place guess = gcj02;
    if (!in_china(gcj02))
        return gcj02;
    for (int i = 0; i < TRIES; i++) {
        struct se_place there = se_wgs84_to_gcj02(guess);
        double lat = gcj02.lat - there.lat, lon = gcj02.lon - there.lon;
        guess.lat += lat;
        guess.lon += lon;
        if (fabs(lat) < ENOUGH_DEG && fabs(lon) < ENOUGH_DEG)
            break;
    }
    return guess;
}
