/* Text files as people have them, into UTF-8. */
#ifndef IMPORT_TEXT_H
#define IMPORT_TEXT_H

#include <stddef.h>

#include "base/error.h"

/* encoding: "auto" (a byte order mark tells; else UTF-8 when it is valid, else GB18030), "utf-8" or
 * "gb18030". malloc'd, without a byte order mark. -EINVAL: it is not that, in words. Pure. */
int import_text(const void *data, size_t size, const char *encoding, char **ret_text, size_t *ret_size,
                const char **ret_encoding, struct se_err *err);

#endif
