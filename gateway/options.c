#include "gateway/options.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "options_table.h"

#ifndef SE_CONSOLE_DIR
#define SE_CONSOLE_DIR ""
#endif

#define VOLUMES_MAX    64
#define LINE_MAX_BYTES 198 /* inih's line buffer of 200 less newline and NUL */
#define ENV_PREFIX     "SHARPEYES_"

/* One [volume NAME]: its values lie beside the table's rows, like the others. */
struct volume {
    char *name;
    char **values; /* [options_table_count], only rows of section "volume" are set */
};

struct options {
    char **values; /* [options_table_count] */
    struct volume volumes[VOLUMES_MAX];
    struct option_volume public_volumes[VOLUMES_MAX];
    unsigned volume_count;
};

/* Where a value came from, for error texts. */
struct origin {
    const char *where; /* "FILE:12", "SHARPEYES_HTTP_LISTEN", "--set http.listen=x" */
    bool *seen;        /* rows already set from this file, or NULL */
};

/* ---- the table ---- */

static int row_find(const char *section, size_t section_len, const char *key)
{
    for (unsigned i = 0; i < options_table_count; i++) {
        const struct option_def *row = &options_table[i];
        if (strlen(row->section) == section_len && strncmp(row->section, section, section_len) == 0 &&
            strcmp(row->key, key) == 0)
            return (int)i;
    }
    return -1;
}

static int parse_number(const struct option_def *row, const char *text, double *ret_value)
{
    char *end = NULL;
    if (*text == '\0' || isspace((unsigned char)*text))
        return -EINVAL;
    errno = 0;
    double value = row->type == OPTION_INT ? (double)strtoll(text, &end, 10) : strtod(text, &end);
    if (errno || *end != '\0' || !isfinite(value))
        return -EINVAL;
    *ret_value = value;
    return 0;
}

static int value_check(const struct option_def *row, const char *text, const char *where, struct se_err *err)
{
    char field[64];
    snprintf(field, sizeof(field), "%s.%s", row->section, row->key);
    if (!se_utf8_valid(text, strlen(text)))
        return se_fail_field(err, -EINVAL, field, "%s: %s is not UTF-8", where, field);
    double number;
    switch (row->type) {
    case OPTION_TEXT:
        return 0;
    case OPTION_INT:
    case OPTION_REAL:
        if (parse_number(row, text, &number) < 0)
            return se_fail_field(err, -EINVAL, field, "%s: %s must be a %snumber", where, field,
                                 row->type == OPTION_INT ? "whole " : "");
        if (number < row->min || number > row->max)
            return se_fail_field(err, -EINVAL, field, "%s: %s must lie between %.15g and %.15g", where, field,
                                 row->min, row->max);
        return 0;
    }
    return -EINVAL;
}

/* ---- setting values ---- */

static int volume_name_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static int volume_get(struct options *options, const char *name, const char *where, char ***ret_values,
                      struct se_err *err)
{
    for (unsigned i = 0; i < options->volume_count; i++) {
        if (strcmp(options->volumes[i].name, name) == 0) {
            *ret_values = options->volumes[i].values;
            return 0;
        }
    }
    if (!volume_name_ok(name))
        return se_fail(err, -EINVAL, "%s: a volume is named with 1 to 32 of a-z 0-9 _ -, not \"%.40s\"",
                       where, name);
    if (options->volume_count == VOLUMES_MAX)
        return se_fail(err, -EINVAL, "%s: more than %d volumes", where, VOLUMES_MAX);
    struct volume *volume = &options->volumes[options->volume_count];
    volume->name = strdup(name);
    volume->values = calloc(options_table_count, sizeof(char *));
    if (!volume->name || !volume->values) {
        se_free_p(&volume->name);
        se_free_p(&volume->values);
        return se_fail(err, -ENOMEM, "out of memory");
    }
    options->volume_count++;
    *ret_values = volume->values;
    return 0;
}

static int set_row(struct options *options, int row, const char *volume, const char *text,
                   const struct origin *from, struct se_err *err)
{
    char **values = options->values;
    int r = volume ? volume_get(options, volume, from->where, &values, err) : 0;
    if (r < 0)
        return r;
    if (from->seen && !volume) {
        if (from->seen[row])
            return se_fail(err, -EINVAL, "%s: %s.%s is set twice", from->where, options_table[row].section,
                           options_table[row].key);
        from->seen[row] = true;
    }
    r = value_check(&options_table[row], text, from->where, err);
    if (r < 0)
        return r;
    char *copy = strdup(text);
    if (!copy)
        return se_fail(err, -ENOMEM, "out of memory");
    free(values[row]);
    values[row] = copy;
    return 0;
}

static bool section_known(const char *name, size_t len)
{
    for (unsigned i = 0; i < options_table_count; i++)
        if (strlen(options_table[i].section) == len && strncmp(options_table[i].section, name, len) == 0)
            return true;
    return false;
}

/* section is "http" or "volume"; volume is NULL but for the latter. */
static int set_named(struct options *options, const char *section, size_t section_len, const char *volume,
                     const char *key, const char *text, const struct origin *from, struct se_err *err)
{
    bool is_volume = section_len == 6 && strncmp(section, "volume", 6) == 0;
    if (is_volume && !volume)
        return se_fail(err, -EINVAL, "%s: a volume needs a name: [volume NAME] or volume.NAME.%.40s",
                       from->where, key);
    int row = row_find(section, section_len, key);
    if (row >= 0)
        return set_row(options, row, volume, text, from, err);
    if (section_known(section, section_len))
        return se_fail(err, -EINVAL,
                       "%s: unknown key \"%.40s\" in [%.*s] (sharpeyes serve --help lists them)", from->where,
                       key, (int)section_len, section);
    return se_fail(err, -EINVAL, "%s: unknown section \"%.*s\" (sharpeyes serve --help lists them)",
                   from->where, section_len > 40 ? 40 : (int)section_len, section);
}

/* ---- the file ---- */

struct file_state {
    struct options *options;
    const char *name;
    FILE *file;
    char *line;
    size_t line_cap;
    unsigned line_number;
    bool *seen;
    int result;
    struct se_err *err;
};

static int file_fail(struct file_state *state, int code, const char *words)
{
    if (state->result == 0)
        state->result = se_fail(state->err, code, "%s:%u: %s", state->name, state->line_number, words);
    return state->result;
}

/* What inih reads lines with. It counts them for the error texts, refuses what inih would
 * cut in two, and takes the indent away, since an indented line would continue the value above. */
static char *file_reader(char *out, int size, void *stream)
{
    struct file_state *state = stream;
    if (state->result < 0)
        return NULL;
    ssize_t got = getline(&state->line, &state->line_cap, state->file);
    if (got < 0) {
        if (ferror(state->file))
            file_fail(state, -EIO, "cannot be read");
        return NULL;
    }
    state->line_number++;
    if (memchr(state->line, '\0', (size_t)got)) {
        file_fail(state, -EINVAL, "holds a NUL byte; is this a text file?");
        return NULL;
    }
    const char *text = state->line;
    while (*text == ' ' || *text == '\t')
        text++;
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (*text == '#' || *text == ';')
        len = 0; /* however long a comment is */
    if (len > LINE_MAX_BYTES || len + 2 > (size_t)size) {
        file_fail(state, -EINVAL, "is longer than 198 bytes");
        return NULL;
    }
    if (*text == '[' && !memchr(text, ']', len)) {
        file_fail(state, -EINVAL, "opens a [section] without closing it");
        return NULL;
    }
    memcpy(out, text, len);
    out[len] = '\n';
    out[len + 1] = '\0';
    return out;
}

static int file_handler(void *user, const char *section, const char *name, const char *value)
{
    struct file_state *state = user;
    if (state->result < 0)
        return 0;
    char where[160];
    snprintf(where, sizeof(where), "%.120s:%u", state->name, state->line_number);
    const char *volume = strncmp(section, "volume ", 7) == 0 ? section + 7 : NULL;
    while (volume && *volume == ' ')
        volume++;
    struct origin from = {where, state->seen};
    state->result = set_named(state->options, section, volume ? 6 : strlen(section), volume, name, value,
                              &from, state->err);
    return state->result == 0;
}

static int load_file(struct options *options, const char *name, struct se_err *err)
{
    struct file_state state = {.options = options, .name = name, .err = err};
    state.file = fopen(name, "re");
    if (!state.file)
        return se_fail(err, -errno, "%s: cannot be opened: %s", name, strerror(errno));
    state.seen = calloc(options_table_count, sizeof(bool));
    if (!state.seen) {
        fclose(state.file);
        return se_fail(err, -ENOMEM, "out of memory");
    }
    int line = ini_parse_stream(file_reader, &state, file_handler, &state);
    if (state.result == 0 && line != 0) {
        state.line_number = (unsigned)(line > 0 ? line : 0);
        file_fail(&state, -EINVAL, "is neither \"[section]\" nor \"key = value\"");
    }
    free(state.seen);
    free(state.line);
    fclose(state.file);
    return state.result;
}

/* ---- environment and --set ---- */

static bool env_matches(const char *name, const struct option_def *row)
{
    char want[96];
    snprintf(want, sizeof(want), ENV_PREFIX "%s_%s", row->section, row->key);
    return strcasecmp(name, want) == 0;
}

/* SHARPEYES_VOLUME_NAME_KEY; a name in capitals is meant in small letters. */
static int load_env_volume(struct options *options, const char *name, const char *value,
                           const struct origin *from, struct se_err *err)
{
    const char *rest = name + strlen(ENV_PREFIX "VOLUME_");
    for (unsigned i = 0; i < options_table_count; i++) {
        if (strcmp(options_table[i].section, "volume") != 0)
            continue;
        size_t key_len = strlen(options_table[i].key), rest_len = strlen(rest);
        if (rest_len < key_len + 2 || rest[rest_len - key_len - 1] != '_' ||
            strcasecmp(rest + rest_len - key_len, options_table[i].key) != 0)
            continue;
        char volume[64];
        snprintf(volume, sizeof(volume), "%.*s", (int)(rest_len - key_len - 1), rest);
        for (char *p = volume; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        return set_row(options, (int)i, volume, value, from, err);
    }
    return se_fail(err, -EINVAL, "%s: unknown option (sharpeyes serve --help lists them)", from->where);
}

static int load_env(struct options *options, char *const *environment, struct se_err *err)
{
    for (; environment && *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        if (!equals || strncmp(*environment, ENV_PREFIX, strlen(ENV_PREFIX)) != 0)
            continue;
        char name[128];
        snprintf(name, sizeof(name), "%.*s", (int)(equals - *environment), *environment);
        struct origin from = {name, NULL};
        int row = -1;
        for (unsigned i = 0; i < options_table_count && row < 0; i++)
            if (strcmp(options_table[i].section, "volume") != 0 && env_matches(name, &options_table[i]))
                row = (int)i;
        int r;
        if (row >= 0)
            r = set_row(options, row, NULL, equals + 1, &from, err);
        else if (strncmp(name, ENV_PREFIX "VOLUME_", strlen(ENV_PREFIX "VOLUME_")) == 0)
            r = load_env_volume(options, name, equals + 1, &from, err);
        else
            r = se_fail(err, -EINVAL, "%s: unknown option (sharpeyes serve --help lists them)", name);
        if (r < 0)
            return r;
    }
    return 0;
}

static int load_set(struct options *options, const char *set, struct se_err *err)
{
    const char *equals = strchr(set, '=');
    const char *dot = strchr(set, '.');
    if (!equals || !dot || dot > equals)
        return se_fail(err, -EINVAL, "--set wants section.key=value, not \"%.*s\"",
                       equals ? (int)(equals - set > 60 ? 60 : equals - set) : 60, set);
    char name[128], volume[64] = "";
    if ((size_t)(equals - set) >= sizeof(name))
        return se_fail(err, -EINVAL, "--set: unknown option \"%.60s…\"", set);
    snprintf(name, sizeof(name), "%.*s", (int)(equals - set), set);
    char where[160];
    snprintf(where, sizeof(where), "--set %s", name); /* not the value: it may be a secret */
    struct origin from = {where, NULL};
    char *key = name + (dot - set) + 1;
    size_t section_len = (size_t)(dot - set);
    bool has_volume = false;
    if (section_len == 6 && strncmp(name, "volume", 6) == 0 && strchr(key, '.')) {
        char *second = strrchr(key, '.');
        snprintf(volume, sizeof(volume), "%.*s", (int)(second - key), key);
        key = second + 1;
        has_volume = true;
    }
    return set_named(options, name, section_len, has_volume ? volume : NULL, key, equals + 1, &from, err);
}

/* ---- what depends on other values ---- */

static int put(char **slot, char *text, struct se_err *err)
{
    if (!text)
        return se_fail(err, -ENOMEM, "out of memory");
    free(*slot);
    *slot = text;
    return 0;
}

static int derive(struct options *options, struct se_err *err)
{
    const char *data_dir = options_text(options, "gateway.data_dir");
    if (*data_dir == '\0')
        return se_fail_field(err, -EINVAL, "gateway.data_dir", "gateway.data_dir must not be empty");
    enum se_log_level level;
    if (se_log_level_parse(options_text(options, "gateway.log_level"), &level) < 0)
        return se_fail_field(err, -EINVAL, "gateway.log_level",
                             "gateway.log_level must be error, warn, info or debug");
    char **url = &options->values[row_find("store", 5, "url")];
    if (**url == '\0' && put(url, se_asprintf("sqlite:%s/sharpeyes.db", data_dir), err) < 0)
        return -ENOMEM;
    char **console = &options->values[row_find("http", 4, "console_dir")];
    if (**console == '\0' && put(console, strdup(SE_CONSOLE_DIR), err) < 0)
        return -ENOMEM;
    int path_row = row_find("volume", 6, "path");
    if (options->volume_count == 0) {
        char **values = NULL;
        int r = volume_get(options, "main", "default", &values, err);
        if (r < 0 || !values)
            return r;
        if (put(&values[path_row], se_asprintf("%s/recordings", data_dir), err) < 0)
            return -ENOMEM;
    }
    for (unsigned i = 0; i < options->volume_count; i++) {
        struct volume *volume = &options->volumes[i];
        if (!volume->values[path_row] || volume->values[path_row][0] == '\0')
            return se_fail_field(err, -EINVAL, "volume.path", "volume.%s.path is not set: where does it lie?",
                                 volume->name);
        for (unsigned row = 0; row < options_table_count; row++)
            if (strcmp(options_table[row].section, "volume") == 0 && !volume->values[row] &&
                put(&volume->values[row], strdup(options_table[row].fallback), err) < 0)
                return -ENOMEM;
        options->public_volumes[i] = (struct option_volume){volume->name, volume->values[path_row]};
    }
    return 0;
}

int options_load(const char *file, char *const *environment, const char *const *sets, unsigned set_count,
                 struct options **ret_options, struct se_err *err)
{
    struct options *options = calloc(1, sizeof(*options));
    if (!options)
        return se_fail(err, -ENOMEM, "out of memory");
    int r = 0;
    options->values = calloc(options_table_count, sizeof(char *));
    if (!options->values)
        r = se_fail(err, -ENOMEM, "out of memory");
    for (unsigned i = 0; r == 0 && options->values && i < options_table_count; i++)
        r = put(&options->values[i], strdup(options_table[i].fallback), err);
    if (r == 0 && file)
        r = load_file(options, file, err);
    if (r == 0)
        r = load_env(options, environment, err);
    for (unsigned i = 0; r == 0 && i < set_count; i++)
        r = load_set(options, sets[i], err);
    if (r == 0)
        r = derive(options, err);
    if (r < 0) {
        options_free(options);
        return r;
    }
    *ret_options = options;
    return 0;
}

static void values_free(char **values)
{
    for (unsigned i = 0; values && i < options_table_count; i++)
        free(values[i]);
    free(values);
}

void options_free(struct options *options)
{
    if (!options)
        return;
    values_free(options->values);
    for (unsigned i = 0; i < options->volume_count; i++) {
        free(options->volumes[i].name);
        values_free(options->volumes[i].values);
    }
    free(options);
}

/* ---- reading ---- */

static const char *value_of(const struct options *options, const char *name, enum option_type type)
{
    const char *dot = strchr(name, '.');
    int row = dot ? row_find(name, (size_t)(dot - name), dot + 1) : -1;
    if (row < 0 || options_table[row].type != type || strncmp(name, "volume.", 7) == 0) {
        fprintf(stderr, "no such option of this type: %s\n", name);
        abort();
    }
    return options->values[row];
}

const char *options_text(const struct options *options, const char *name)
{
    return value_of(options, name, OPTION_TEXT);
}

int64_t options_int(const struct options *options, const char *name)
{
    return strtoll(value_of(options, name, OPTION_INT), NULL, 10);
}

double options_real(const struct options *options, const char *name)
{
    return strtod(value_of(options, name, OPTION_REAL), NULL);
}

unsigned options_volumes(const struct options *options, const struct option_volume **ret_volumes)
{
    *ret_volumes = options->public_volumes;
    return options->volume_count;
}

/* ---- printing ---- */

void options_help(FILE *out)
{
    const char *section = "";
    for (unsigned i = 0; i < options_table_count; i++) {
        const struct option_def *row = &options_table[i];
        bool is_volume = strcmp(row->section, "volume") == 0;
        if (strcmp(section, row->section) != 0) {
            section = row->section;
            fprintf(out, "%s[%s%s]\n", i ? "\n" : "", section, is_volume ? " NAME" : "");
        }
        fprintf(out, "  %-26s %s", row->key, row->help);
        if (row->type == OPTION_INT || row->type == OPTION_REAL)
            fprintf(out, " (%s; %.15g to %.15g)", row->fallback, row->min, row->max);
        else if (*row->fallback)
            fprintf(out, " (%s)", row->fallback);
        fprintf(out, "\n");
    }
}

static void print_row(FILE *out, const struct option_def *row, const char *value)
{
    fprintf(out, "%s = %s\n", row->key, value);
}

void options_print(const struct options *options, FILE *out)
{
    const char *section = "";
    for (unsigned i = 0; i < options_table_count; i++) {
        const struct option_def *row = &options_table[i];
        if (strcmp(row->section, "volume") == 0)
            continue;
        if (strcmp(section, row->section) != 0) {
            section = row->section;
            fprintf(out, "%s[%s]\n", i ? "\n" : "", section);
        }
        print_row(out, row, options->values[i]);
    }
    for (unsigned v = 0; v < options->volume_count; v++) {
        fprintf(out, "\n[volume %s]\n", options->volumes[v].name);
        for (unsigned i = 0; i < options_table_count; i++)
            if (strcmp(options_table[i].section, "volume") == 0)
                print_row(out, &options_table[i], options->volumes[v].values[i]);
    }
}
