/* Cameras from the store to ingest: at the start, and when a command changed them. */
#ifndef CLI_CAMERAS_H
#define CLI_CAMERAS_H

#include "house.h"

/* Sets every stored camera. One that ingest refuses is logged and left out: the others are not to wait for
 * it. One whose password does not open is there, and offline. */
int house_load_cameras(struct house *house, struct se_err *err);
/* One camera, new or changed in the store. What goes wrong is logged. */
void house_load_camera(struct house *house, const char *id);

#endif
