/* Ids: UUIDv7 (RFC 9562 5.7), so that they sort by the time they were made. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>

#define SE_ID_LEN 37 /* 36 characters and NUL */

/* Monotonic within the process. Any thread. */
void se_id_new(char out[SE_ID_LEN]);
bool se_id_valid(const char *text);

#endif
