#ifndef LIVE_WAKE_H
#define LIVE_WAKE_H

#include "stream.h"

/* Something new for viewers. Any thread; cheap: most calls do nothing. */
void hub_shared_wake(struct hub_shared *shared);

#endif
