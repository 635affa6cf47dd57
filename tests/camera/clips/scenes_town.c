#include "scene.h"
const struct scene scenes_town[] = {{0}};
const unsigned scenes_town_count = 0;
