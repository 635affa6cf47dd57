/* Errors: functions return 0 or -errno; an se_err carries the words for a person. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>

/* What went wrong, in plain words, for whoever must mend it. Caller's memory;
 * functions that take one accept NULL. Never holds a secret. */
struct se_err {
    int code;       /* 0 or -errno */
    char field[64]; /* which input is wrong ("streams/0/url"), or "" */
    char text[256]; /* what was wrong and what to do */
};

/* Fills err (when not NULL) and returns code, so that `return se_fail(...)` reads well. */
int se_fail(struct se_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, naming the field that is wrong. */
int se_fail_field(struct se_err *err, int code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Scope-bound cleanup: `se_free_ char *p = NULL;` frees p when it leaves scope. */
void se_free_p(void *pp);
#define se_free_       __attribute__((cleanup(se_free_p)))
#define se_cleanup(fn) __attribute__((cleanup(fn)))

/* Takes a pointer out of a cleanup variable. */
#define SE_TAKE(p)                                                                                           \
    __extension__({                                                                                          \
        __auto_type se_take_ = (p);                                                                          \
        (p) = NULL;                                                                                          \
        se_take_;                                                                                            \
    })

#define SE_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
