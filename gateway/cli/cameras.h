/* Cameras from the store to ingest, at the start. */
#ifndef CLI_CAMERAS_H
#define CLI_CAMERAS_H

#include "house.h"

/* Sets every stored camera. One that ingest refuses, or whose password does not open, is logged
 * and left out: the others are not to wait for it. */
int house_load_cameras(struct house *house, struct se_err *err);

#endif
