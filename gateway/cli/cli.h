/* The commands of the program `sharpeyes`. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "gateway/options.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 }; /* exit codes */

#define CLI_SETS_MAX  64
#define CLI_WORDS_MAX 16

/* The command line, taken apart. Strings are argv's. */
struct cli {
    const char *config;
    const char *sets[CLI_SETS_MAX];
    unsigned set_count;
    const char *vars[CLI_SETS_MAX]; /* seed load: "name=value" */
    unsigned var_count;
    const char *words[CLI_WORDS_MAX]; /* what is neither an option nor the command */
    unsigned word_count;
    bool json, check, help, dry_run;
    const char *role, *name, *department; /* user add; department: camera import, too */
    const char *crs, *encoding;           /* camera import */
};

/* One row: the words that name it ("user add"), how many more it takes, what it does. */
struct cli_command {
    const char *name;
    const char *arguments; /* for the usage line */
    unsigned min_words, max_words;
    int (*run)(struct cli *cli); /* an exit code; says on stderr why it failed */
    const char *help;
};

int cli_main(int argc, char **argv, const struct cli_command *commands, unsigned count);

/* Options as the command line, environment and file say; says on stderr what is wrong. */
int cli_options(const struct cli *cli, struct options **ret_options);
/* "sharpeyes: words" on stderr; returns CLI_FAILED. */
int cli_fail(const struct se_err *err);

int cli_version(struct cli *cli);

#endif
