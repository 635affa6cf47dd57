/* Rows of the county on their way into the store: the same checks for a seed and for the API. */
#ifndef EVENTS_PUT_H
#define EVENTS_PUT_H

#include "events/events.h"
#include "gateway/store_county.h"

/* Checks a row by itself and gives it the members the store wants (a grid may come as a GeoJSON
 * feature). Faults carry paths below prefix. */
int put_normalize(enum county_what what, const json_t *body, const char *prefix, json_t **ret_row,
                  struct fault *fault);
/* What names the row: a division's id, everything else's code. "" where it has none. */
const char *put_key(enum county_what what, const json_t *row);
/* Checks what it refers to, and puts it. */
int put_row(struct store_tx *tx, enum county_what what, const json_t *row, const char *prefix,
            enum store_put *ret_put, struct fault *fault);
/* A dictionary {code, standard, version, name, local?}. */
void put_check_dictionary(struct fault *fault, const char *prefix, const json_t *row);

#endif
