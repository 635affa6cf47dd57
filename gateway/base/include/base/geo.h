/* Coordinates. WGS 84 degrees inside the house; China's maps and many device lists use GCJ-02. */
#ifndef BASE_GEO_H
#define BASE_GEO_H

struct se_place {
    double lat, lon; /* degrees */
};
/* Within a metre or so; places outside China are the same in both. Pure. */
struct se_place se_wgs84_to_gcj02(struct se_place wgs84);
struct se_place se_gcj02_to_wgs84(struct se_place gcj02);

#endif
