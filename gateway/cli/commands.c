/* The commands that act on a house and end. */
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "acts.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "cli.h"
#include "commands.h"

/* Runs an act and prints its result: JSON, or what `print` makes of it. */
static int reach_and_print(struct cli *cli, const char *act, const json_t *request,
                           void (*print)(const json_t *result))
{
    struct options *options = NULL;
    int code = cli_options(cli, &options);
    if (code != CLI_OK)
        return code;
    se_log_set_level(SE_LOG_WARN); /* what a start says is not this command's matter */
    struct se_err err = {0};
    se_json_ *result = NULL;
    if (!request)
        se_fail(&err, -ENOMEM, "out of memory");
    else if (act_reach(options, act, request, &result, &err) < 0 && !err.text[0])
        se_fail(&err, -EIO, "%s failed", act);
    options_free(options);
    if (!result)
        return cli_fail(&err);
    if (cli->json) {
        se_free_ char *text = se_json_text(result);
        printf("%s\n", text ? text : "null");
    } else {
        print(result);
    }
    return json_is_false(json_object_get(result, "ok")) ? CLI_FAILED : CLI_OK;
}

/* ---- passwords: never an argument, since others see those ---- */

static bool read_hidden(const char *prompt, char *out, size_t size)
{
    struct termios before, hidden;
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return false;
    hidden = before;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool got = fgets(out, (int)size, stdin) != NULL;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    out[got ? strcspn(out, "\r\n") : 0] = '\0';
    return got;
}

/* One line of standard input, or what is typed twice. "" asks for a random one. */
static int read_password(char out[256])
{
    out[0] = '\0';
    if (!isatty(STDIN_FILENO)) {
        if (!fgets(out, 256, stdin))
            out[0] = '\0';
        out[strcspn(out, "\r\n")] = '\0';
        return 0;
    }
    char again[256];
    if (!read_hidden("Password (empty: a random one): ", out, 256) || !*out)
        return 0;
    (void)read_hidden("Again: ", again, sizeof(again));
    bool same = strcmp(out, again) == 0;
    sodium_memzero(again, sizeof(again));
    return same ? 0 : -EINVAL;
}

static void print_user(const json_t *result)
{
    printf("user %s, id %s\n", se_json_str(result, "username", ""), se_json_str(result, "id", ""));
    const char *password = se_json_str(result, "password", NULL);
    if (password)
        printf("password %s (shown this once)\n", password);
}

static json_t *split_roles(const char *text)
{
    json_t *roles = json_array();
    while (roles && *text) {
        size_t len = strcspn(text, ",");
        if (len)
            json_array_append_new(roles, json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    return roles;
}

int cli_user_add(struct cli *cli)
{
    char password[256];
    if (read_password(password) < 0) {
        fputs("sharpeyes: the two passwords differ\n", stderr);
        return CLI_FAILED;
    }
    se_json_ *request = json_pack("{s:s, s:s, s:s, s:s, s:o}", "username", cli->words[0], "name",
                                  cli->name ? cli->name : cli->words[0], "department",
                                  cli->department ? cli->department : "centre", "password", password, "roles",
                                  split_roles(cli->role ? cli->role : "operator"));
    sodium_memzero(password, sizeof(password));
    return reach_and_print(cli, "user.add", request, print_user);
}

int cli_user_password(struct cli *cli)
{
    char password[256];
    if (read_password(password) < 0) {
        fputs("sharpeyes: the two passwords differ\n", stderr);
        return CLI_FAILED;
    }
    se_json_ *request = json_pack("{s:s, s:s}", "username", cli->words[0], "password", password);
    sodium_memzero(password, sizeof(password));
    return reach_and_print(cli, "user.password", request, print_user);
}

/* ---- the others ---- */

static void print_backup(const json_t *result)
{
    printf("%s\n%s\n", se_json_str(result, "path", ""), se_json_str(result, "note", ""));
}

/* From the root, as the daemon may stand elsewhere. NULL: it cannot be told, which is said. */
static char *from_root(const char *path)
{
    if (*path == '/')
        return strdup(path);
    char here[PATH_MAX];
    if (!getcwd(here, sizeof(here))) {
        fprintf(stderr, "sharpeyes: no current directory: %s\n", strerror(errno));
        return NULL;
    }
    return se_asprintf("%s/%s", here, path);
}

int cli_backup(struct cli *cli)
{
    char *directory = from_root(cli->words[0]);
    if (!directory)
        return CLI_FAILED;
    se_json_ *request = json_pack("{s:s}", "directory", directory);
    free(directory);
    return reach_and_print(cli, "backup", request, print_backup);
}

static void print_seed(const json_t *result)
{
    const char *what;
    json_t *counts;
    json_object_foreach ((json_t *)(uintptr_t)result, what, counts) {
        if (json_is_object(counts))
            printf("%-14s %lld added, %lld changed, %lld unchanged\n", what,
                   (long long)se_json_int(counts, "added", 0), (long long)se_json_int(counts, "changed", 0),
                   (long long)se_json_int(counts, "unchanged", 0));
    }
    size_t i;
    json_t *user;
    json_array_foreach (json_object_get(result, "new_users"), i, user) {
        if (se_json_str(user, "password", NULL))
            printf("user %-20s password %s (shown this once)\n", se_json_str(user, "username", ""),
                   se_json_str(user, "password", ""));
    }
}

int cli_seed_load(struct cli *cli)
{
    char *directory = from_root(cli->words[0]);
    if (!directory)
        return CLI_FAILED;
    json_t *variables = json_array();
    for (unsigned i = 0; i < cli->var_count; i++)
        json_array_append_new(variables, json_string(cli->vars[i]));
    se_json_ *request = json_pack("{s:s, s:o}", "directory", directory, "variables", variables);
    free(directory);
    return reach_and_print(cli, "seed.load", request, print_seed);
}

static void print_check(const json_t *result)
{
    const json_t *audit = json_object_get(result, "audit");
    printf("database: schema %d, %s\n", (int)se_json_int(result, "schema_version", 0),
           se_json_bool(result, "store_healthy", false) ? "takes writes" : "does not take writes");
    printf("audit chain: %lld entries, ", (long long)se_json_int(audit, "entries", 0));
    if (se_json_bool(audit, "ok", false))
        printf("whole, head %s\n", se_json_str(audit, "head", ""));
    else
        printf("broken at entry %lld: %s\n", (long long)se_json_int(audit, "first_bad", 0),
               se_json_str(audit, "reason", ""));
}

int cli_check(struct cli *cli)
{
    se_json_ *request = json_object();
    return reach_and_print(cli, "check", request, print_check);
}

int cli_serve(struct cli *cli)
{
    struct house house = {.lock_fd = -1};
    int code = cli_options(cli, &house.options);
    if (code != CLI_OK)
        return code;
    if (cli->check) {
        struct se_err err = {0};
        code = house_check(house.options, &err) < 0 ? cli_fail(&err) : CLI_OK;
        if (code == CLI_OK)
            options_print(house.options, stdout);
        options_free(house.options);
        return code;
    }
    code = house_serve(&house);
    options_free(house.options);
    return code;
}
