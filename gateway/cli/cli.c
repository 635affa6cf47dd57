/* Takes the command line apart and finds its command. */
#include "cli.h"

#include <string.h>
#include <unistd.h>

static void usage(FILE *out, const struct cli_command *commands, unsigned count)
{
    fputs("usage: sharpeyes COMMAND [OPTIONS]\n\n", out);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "  %-14s %-12s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    fputs("\nOptions of every command:\n"
          "  --config FILE              read this INI file\n"
          "  --set SECTION.KEY=VALUE    set one option (volume.NAME.path=… for volumes); repeatable\n"
          "  --json                     print JSON\n"
          "  --help                     this text; `sharpeyes serve --help` lists what can be set\n\n"
          "SHARPEYES_SECTION_KEY in the environment sets an option too. The order is: file,\n"
          "environment, --set; the later one counts. Exit: 0 done, 1 failed, 2 wrong usage.\n",
          out);
}

/* The command whose words open the line; the longest name wins. */
static const struct cli_command *find(const struct cli_command *commands, unsigned count,
                                      const char *const *words, unsigned word_count, unsigned *ret_used)
{
    for (unsigned want = 2; want >= 1; want--) {
        char name[64];
        if (word_count < want)
            continue;
        snprintf(name, sizeof(name), want == 2 ? "%s %s" : "%s", words[0], want == 2 ? words[1] : "");
        for (unsigned i = 0; i < count; i++) {
            if (strcmp(commands[i].name, name) == 0) {
                *ret_used = want;
                return &commands[i];
            }
        }
    }
    return NULL;
}

static int usage_error(const char *words, const char *what)
{
    fprintf(stderr, "sharpeyes: %s%s%s (sharpeyes help says what there is)\n", words, what ? ": " : "",
            what ? what : "");
    return CLI_USAGE;
}

/* Text of "--name TEXT" or "--name=TEXT"; NULL when arg is not it. */
static const char *option_text(const char *name, int argc, char **argv, int *i)
{
    size_t len = strlen(name);
    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    if (argv[*i][len] != '\0' || *i + 1 >= argc || !argv[*i + 1])
        return NULL;
    return argv[++*i];
}

static int parse(struct cli *cli, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **slot;
    } texts[] = {
        {"--config", &cli->config},         {"--role", &cli->role}, {"--name", &cli->name},
        {"--department", &cli->department}, {"--crs", &cli->crs},   {"--encoding", &cli->encoding},
    };
    for (int i = 1; i < argc && argv[i]; i++) {
        const char *arg = argv[i], *text = NULL;
        for (unsigned t = 0; t < SE_ARRAY_LEN(texts) && !text; t++)
            if ((text = option_text(texts[t].name, argc, argv, &i)))
                *texts[t].slot = text;
        if (text)
            continue;
        if ((text = option_text("--set", argc, argv, &i))) {
            if (cli->set_count == CLI_SETS_MAX)
                return usage_error("more than 64 --set", NULL);
            if (!strchr(text, '=') || !strchr(text, '.') || strchr(text, '.') > strchr(text, '='))
                return usage_error("--set wants section.key=value",
                                   NULL); /* not what it was: a secret, maybe */
            cli->sets[cli->set_count++] = text;
        } else if ((text = option_text("--var", argc, argv, &i))) {
            if (cli->var_count == CLI_SETS_MAX)
                return usage_error("more than 64 --var", NULL);
            cli->vars[cli->var_count++] = text;
        } else if (strcmp(arg, "--json") == 0) {
            cli->json = true;
        } else if (strcmp(arg, "--dry-run") == 0) {
            cli->dry_run = true;
        } else if (strcmp(arg, "--check") == 0) {
            cli->check = true;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            cli->help = true;
        } else if (strcmp(arg, "--version") == 0) {
            cli->words[cli->word_count++] = "version";
        } else if (arg[0] == '-') {
            return usage_error("unknown option, or its value is missing", arg);
        } else if (cli->word_count < CLI_WORDS_MAX - 1) {
            cli->words[cli->word_count++] = arg;
        } else {
            return usage_error("too many arguments", NULL);
        }
    }
    return CLI_OK;
}

int cli_main(int argc, char **argv, const struct cli_command *commands, unsigned count)
{
    struct cli cli = {0};
    int r = parse(&cli, argc, argv);
    if (r != CLI_OK)
        return r;
    if (cli.word_count == 0 || strcmp(cli.words[0], "help") == 0) {
        bool asked = cli.help || cli.word_count;
        usage(asked ? stdout : stderr, commands, count);
        return asked ? CLI_OK : CLI_USAGE;
    }
    unsigned used = 0;
    const struct cli_command *command = find(commands, count, cli.words, cli.word_count, &used);
    if (!command)
        return usage_error("no such command", cli.words[0]);
    if (cli.help) {
        printf("usage: sharpeyes %s %s\n\n%s\n", command->name, command->arguments, command->help);
        if (strcmp(command->name, "serve") == 0) {
            printf("\nWhat can be set (defaults in brackets):\n\n");
            options_help(stdout);
        }
        return CLI_OK;
    }
    cli.word_count -= used;
    memmove(cli.words, cli.words + used, cli.word_count * sizeof(cli.words[0]));
    if (cli.word_count < command->min_words || cli.word_count > command->max_words) {
        fprintf(stderr, "usage: sharpeyes %s %s\n", command->name, command->arguments);
        return CLI_USAGE;
    }
    return command->run(&cli);
}

int cli_options(const struct cli *cli, struct options **ret_options)
{
    struct se_err err = {0};
    if (options_load(cli->config, environ, cli->sets, cli->set_count, ret_options, &err) < 0)
        return cli_fail(&err);
    return CLI_OK;
}

int cli_fail(const struct se_err *err)
{
    fprintf(stderr, "sharpeyes: %s\n", err->text);
    return CLI_FAILED;
}

int cli_version(struct cli *cli)
{
    if (cli->json)
        printf("{\"name\":\"sharpeyes\",\"version\":\"%s\"}\n", SE_VERSION);
    else
        printf("sharpeyes %s\n", SE_VERSION);
    return CLI_OK;
}
