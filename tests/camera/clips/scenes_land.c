#include "scene.h"
const struct scene scenes_land[] = {{0}};
const unsigned scenes_land_count = 0;
