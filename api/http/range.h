/* Byte ranges (RFC 9110 section 14). Pure. */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include <stdint.h>

/* Reads a Range header against a body of size bytes. 1: a part of it, [*ret_from, *ret_to), never empty;
 * 0: send all of it (no header, another unit, several ranges, or nonsense, which RFC 9110 14.2 lets one
 * ignore); -ERANGE: nothing of what is asked for exists (416). */
int range_parse(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_to);

#endif
