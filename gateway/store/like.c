#include "store/like.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

int like_pattern(const char *q, char **ret_pattern)
{
    *ret_pattern = NULL;
    if (!q)
        return 0;
    struct se_str pattern = {0};
    se_str_puts(&pattern, "%");
    for (; *q; q++) {
        if (strchr("%_\\", *q))
            se_str_puts(&pattern, "\\");
        se_str_add(&pattern, q, 1);
    }
    se_str_puts(&pattern, "%");
    *ret_pattern = se_str_take(&pattern);
    return *ret_pattern ? 0 : -ENOMEM;
}
