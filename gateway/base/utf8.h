/* One character at a time, for those that must go on after a bad byte. */
#ifndef BASE_PRIVATE_UTF8_H
#define BASE_PRIVATE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `at` (1 to 4), or 0 when it is not UTF-8 (RFC 3629). len is at least 1. */
size_t base_utf8_char(const uint8_t *at, size_t len);

#endif
