/* The program: which commands there are. The one place that knows every module. */
#include "cli.h"

static const struct cli_command commands[] = {
    {"version", "", 0, 0, cli_version, "print the version"},
};

int main(int argc, char **argv)
{
    return cli_main(argc, argv, commands, SE_ARRAY_LEN(commands));
}
