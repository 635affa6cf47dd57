/* What the parts of ingest may ask of a hub beyond stream.h. */
#ifndef LIVE_HUB_H
#define LIVE_HUB_H

#include "stream.h"

/* The JPEG made of the keyframe `unit`, referenced, or NULL; and keeping one. Any thread. */
struct se_buf *hub_jpeg_get(struct hub *hub, const struct access_unit *unit);
void hub_jpeg_put(struct hub *hub, struct access_unit *unit, struct se_buf *jpeg);

#endif
