/* Department scope and places, as incidents and cases share them. */
#ifndef STORE_SCOPE_H
#define STORE_SCOPE_H

#include "gateway/store_incidents.h"
#include "store/where.h"

/* Narrows a statement over "incident i" to what the scope may see. */
void scope_incidents(struct where *where, const struct store_scope *scope);
/* Makes {lat, lon} of a row its location. */
int scope_location(json_t *row);

#endif
