/* JSON over jansson: strict parsing of foreign bytes, and short accessors.
 * jansson's reference counts are atomic here, its objects are not: a json_t that
 * was handed to another thread is not changed any more. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/time.h"

/* Parses exactly one value. Refuses bad UTF-8, NUL, duplicate keys, depth over 64,
 * trailing bytes: -EINVAL with the position in err. -ENOMEM. */
int se_json_parse(const void *data, size_t size, json_t **ret_value, struct se_err *err);
/* A positive number that equal values share and others hardly ever: a version for what has no counter
 * (FNV-1a, 62 bits). -ENOMEM. */
int64_t se_json_fingerprint(const json_t *value);
/* Compact text, malloc'd; keys sorted, so that equal values give equal bytes. NULL: out of memory. */
char *se_json_text(const json_t *value);

/* Members of an object; the fallback when absent, null or of another type. */
const char *se_json_str(const json_t *object, const char *key, const char *fallback);
int64_t se_json_int(const json_t *object, const char *key, int64_t fallback);
double se_json_real(const json_t *object, const char *key, double fallback);
bool se_json_bool(const json_t *object, const char *key, bool fallback);
/* RFC 3339 text member: 0, -ENOENT absent or null, -EINVAL. */
int se_json_time(const json_t *object, const char *key, se_wall_ms *ret_ms);

/* Setters that keep call sites short; steal nothing but `value` of se_json_put. -ENOMEM. */
int se_json_put(json_t *object, const char *key, json_t *value);        /* steals value, even on failure */
int se_json_put_str(json_t *object, const char *key, const char *text); /* NULL: JSON null */
int se_json_put_time(json_t *object, const char *key, se_wall_ms ms);

void se_json_unref_p(json_t **value);
#define se_json_ __attribute__((cleanup(se_json_unref_p))) json_t

#endif
