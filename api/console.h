/* The built console, read into memory at start. */
#ifndef API_CONSOLE_H
#define API_CONSOLE_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/error.h"

struct console;

/* Reads all files of dir. A directory that is not there is no error: `/` then says how to build one. */
int console_new(const char *dir, struct console **ret_console, struct se_err *err);
void console_free(struct console *console);
/* The answer for a path that is no route: a file, or index.html for a page of the console's own. False: 404.
 * Memory only, any thread. */
bool console_find(const struct console *console, const char *path, const char *if_none_match,
                  struct MHD_Response **ret_answer, int *ret_status);

#endif
