/* Options: one table says what can be set, and everything else (file, environment,
 * --set, --check, --help) derives from it. */
#ifndef GATEWAY_OPTIONS_H
#define GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum option_type { OPTION_TEXT, OPTION_INT, OPTION_REAL };

/* One row of the table in options_table.c. Numbers of seconds, bytes … say so in key and help. */
struct option_def {
    const char *section, *key;
    enum option_type type;
    const char *fallback; /* as it would stand in the file */
    double min, max;      /* for numbers */
    const char *help;
};

struct options;

/* Defaults, then file (NULL: none), then SHARPEYES_SECTION_KEY from environ, then
 * the sets ("section.key=value"). Unknown keys and bad values: -EINVAL, and err
 * names file and line, variable or argument. */
int options_load(const char *file, char *const *environment, const char *const *sets, unsigned set_count,
                 struct options **ret_options, struct se_err *err);
void options_free(struct options *options);

/* The value of "section.key"; a key that is not in the table is a programmer's error (abort).
 * Text belongs to options. Any thread, as they never change. */
const char *options_text(const struct options *options, const char *name);
int64_t options_int(const struct options *options, const char *name);
double options_real(const struct options *options, const char *name);

/* The [volume NAME] sections in the order they were named; "main" at
 * DATA_DIR/recordings when there is none. */
struct option_volume {
    const char *name, *path;
};
unsigned options_volumes(const struct options *options, const struct option_volume **ret_volumes);

void options_help(FILE *out);
/* The effective configuration as an INI file. No option holds a secret: those that lead to one name a file.
 */
void options_print(const struct options *options, FILE *out);

#endif
