/* A growing string, and text encodings. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. data is NUL-terminated once anything was added.
 * An allocation failure sets oom and later adds do nothing: check once at the end. */
struct se_str {
    char *data;
    size_t len, cap;
    bool oom;
};

void se_str_add(struct se_str *s, const void *data, size_t len);
void se_str_puts(struct se_str *s, const char *text);
void se_str_printf(struct se_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void se_str_fini(struct se_str *s);
/* Hands the text over (caller frees) and empties s; NULL when out of memory. */
char *se_str_take(struct se_str *s);

/* malloc'd "%s"-formatted text or NULL. */
char *se_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

bool se_utf8_valid(const void *data, size_t len); /* RFC 3629; NUL is refused */

/* RFC 4648. Decoders return the number of bytes or -EINVAL; out must hold len*3/4 resp. len/2. */
char *se_base64_encode(const void *data, size_t len); /* malloc'd, or NULL */
long se_base64_decode(const char *text, size_t len, uint8_t *out);
void se_hex_encode(const void *data, size_t len, char *out); /* 2*len and NUL */
long se_hex_decode(const char *text, size_t len, uint8_t *out);
/* application/x-www-form-urlencoded and URL path unescaping in place; returns the new length, -EINVAL. */
long se_url_decode(char *text, bool plus_is_space);

#endif
