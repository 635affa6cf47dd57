/* sharpeyes camera import FILE */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acts.h"
#include "base/json.h"
#include "base/log.h"
#include "cli.h"
#include "commands.h"

static bool runs(const json_t *state)
{
    return strcmp(se_json_str(state, "state", ""), "running") == 0;
}

/* Asks the daemon until it is done. */
static int watch(struct options *options, json_t **state, struct se_err *err)
{
    int r = 0;
    for (unsigned turn = 1; r == 0 && runs(*state); turn++) {
        se_json_ *request = json_pack("{s:s}", "id", se_json_str(*state, "id", ""));
        json_t *now = NULL;
        (void)poll(NULL, 0, turn < 10 ? 50 : 250);
        r = act_reach(options, "camera.import.state", request, &now, err);
        if (r == 0) {
            json_decref(*state);
            *state = now;
        }
        if (r == 0 && runs(now) && turn % 4 == 0)
            import_progress(now);
    }
    return r;
}

/* All rows of the report, or only those that failed. */
static int collect(struct options *options, const char *id, bool all, json_t *rows, struct se_err *err)
{
    int64_t after = 0;
    for (bool more = true; more;) {
        se_json_ *request = json_pack("{s:s, s:I, s:s?}", "id", id, "after", (json_int_t)after, "result",
                                      all ? NULL : "failed");
        se_json_ *page = NULL;
        int r = act_reach(options, "camera.import.rows", request, &page, err);
        if (r < 0)
            return r;
        const json_t *items = json_object_get(page, "items");
        json_array_extend(rows, (json_t *)(uintptr_t)items);
        after = se_json_int(json_array_get(items, json_array_size(items) - 1), "line", after);
        more = se_json_bool(page, "more", false);
    }
    return 0;
}

static void print_row(const json_t *row)
{
    const json_t *errors = json_object_get(row, "errors");
    const json_t *error;
    size_t i;
    json_array_foreach (errors, i, error)
        printf("line %-6lld %-24s %s%s%s\n", (long long)se_json_int(row, "line", 0),
               se_json_str(row, "code", ""), se_json_str(error, "field", ""),
               *se_json_str(error, "field", "") ? " " : "", se_json_str(error, "reason", ""));
}

static void print(const json_t *state)
{
    const json_t *rows = json_object_get(state, "items"), *row;
    const json_t *ignored = json_object_get(state, "ignored_columns");
    size_t i;
    json_array_foreach (rows, i, row)
        print_row(row);
    json_array_foreach (ignored, i, row)
        printf("column ignored: %s\n", json_string_value(row));
    printf("%s%lld created, %lld updated, %lld unchanged, %lld failed, of %lld rows (%s)\n",
           se_json_bool(state, "dry_run", false) ? "dry run, nothing was changed: " : "",
           (long long)se_json_int(state, "created", 0), (long long)se_json_int(state, "updated", 0),
           (long long)se_json_int(state, "unchanged", 0), (long long)se_json_int(state, "failed", 0),
           (long long)se_json_int(state, "rows", 0), se_json_str(state, "state", ""));
    if (se_json_str(state, "reason", NULL))
        printf("%s\n", se_json_str(state, "reason", ""));
}

static int import(struct cli *cli, struct options *options, const char *path, struct se_err *err)
{
    se_json_ *request = json_pack("{s:s, s:b, s:s, s:s, s:s?}", "path", path, "dry_run", cli->dry_run, "crs",
                                  cli->crs ? cli->crs : "wgs84", "encoding",
                                  cli->encoding ? cli->encoding : "auto", "department", cli->department);
    se_json_ *state = NULL, *rows = json_array();
    int r = request && rows ? act_reach(options, "camera.import", request, &state, err)
                            : se_fail(err, -ENOMEM, "out of memory");
    r = r < 0 ? r : watch(options, &state, err);
    r = r < 0 ? r : collect(options, se_json_str(state, "id", ""), cli->json, rows, err);
    if (r < 0)
        return err->text[0] ? r : se_fail(err, r, "the import failed: %s", strerror(-r));
    import_progress(state);
    json_object_del(state, "account_id");
    json_object_set(state, "items", rows);
    if (cli->json) {
        se_free_ char *text = se_json_text(state);
        printf("%s\n", text ? text : "null");
    } else {
        print(state);
    }
    bool good = strcmp(se_json_str(state, "state", ""), "done") == 0 && se_json_int(state, "failed", 1) == 0;
    return good ? CLI_OK : CLI_FAILED;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; text && *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return !text;
}

int cli_camera_import(struct cli *cli)
{
    static const char *const crs[] = {"wgs84", "gcj02", NULL};
    static const char *const encodings[] = {"auto", "utf-8", "gb18030", NULL};
    struct options *options = NULL;
    struct se_err err = {0};
    char path[PATH_MAX];
    if (!is_one_of(cli->crs, crs) || !is_one_of(cli->encoding, encodings)) {
        fputs("sharpeyes: --crs is wgs84 or gcj02, --encoding is auto, utf-8 or gb18030\n", stderr);
        return CLI_USAGE;
    }
    int code = cli_options(cli, &options);
    if (code != CLI_OK)
        return code;
    se_log_set_level(SE_LOG_WARN);
    /* From the root, as the daemon may stand elsewhere. */
    int r = realpath(cli->words[0], path)
                ? import(cli, options, path, &err)
                : se_fail(&err, -errno, "%s cannot be opened: %s", cli->words[0], strerror(errno));
    options_free(options);
    return r < 0 ? cli_fail(&err) : r;
}
