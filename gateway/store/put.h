/* What puts of a subject's rows share. */
#ifndef STORE_PUT_H
#define STORE_PUT_H

#include <jansson.h>
#include <stdbool.h>

/* Do stored and row agree in these members (NULL-terminated)? Absent and null are the same. */
bool put_same(const json_t *stored, const json_t *row, const char *const *members);

#endif
