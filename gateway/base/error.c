#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void __attribute__((format(printf, 4, 0)))
fill(struct se_err *err, int code, const char *field, const char *fmt, va_list args)
{
    if (!err)
        return;
    err->code = code;
    snprintf(err->field, sizeof(err->field), "%s", field);
    vsnprintf(err->text, sizeof(err->text), fmt, args);
}

int se_fail(struct se_err *err, int code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fill(err, code, "", fmt, args);
    va_end(args);
    return code;
}

int se_fail_field(struct se_err *err, int code, const char *field, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fill(err, code, field, fmt, args);
    va_end(args);
    return code;
}

void se_free_p(void *pp)
{
    free(*(void **)pp);
}
