/* Checks of foreign JSON, member by member, gathering every fault with its field path. */
#ifndef EVENTS_CHECK_H
#define EVENTS_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "events/events.h"

#define CHECK_FAULTS_MAX 50 /* further faults of one request are not listed */

/* [A-Za-z0-9_-]{1,64} */
bool check_code(const char *text);
/* "#rrggbb" in lower case */
bool check_colour(const char *text);

/* 0 info … 3 critical, or -1. */
int severity_rank(const char *name);
const char *severity_name(int rank);

/* Adds {field, reason}; the field is prefix/member ("0/occurred_at"). */
void check_fault(struct fault *fault, const char *prefix, const char *member, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* 0 when nothing was gathered, else -EINVAL with the first fault in fault->err. */
int check_result(struct fault *fault);

/* Members: absent or null leaves the result untouched; a wrong one adds a fault. Texts are borrowed. */
void check_text(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                bool required, size_t max_chars, const char **ret_text);
void check_int(struct fault *fault, const char *prefix, const json_t *object, const char *member, int64_t min,
               int64_t max, int64_t *ret_value);
void check_bool(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                bool *ret_value);
void check_time(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                bool required, se_wall_ms *ret_ms);
void check_severity(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                    int *ret_rank);
/* {lat, lon} in WGS 84; ret_has says whether there was one. */
void check_location(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                    bool *ret_has, double *ret_lat, double *ret_lon);
/* Members that are not in known (NULL-terminated) are faults. */
void check_known(struct fault *fault, const char *prefix, const json_t *object, const char *const *known);

#endif
