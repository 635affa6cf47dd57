/* Seed files: CSV and JSON, read whole, their variables filled in. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "seed.h"

#define FILE_MAX    (32 * 1024 * 1024)
#define ROWS_MAX    200000
#define COLUMNS_MAX 16

int seed_fail(struct seed *seed, const char *file, int rc, const char *fmt, ...)
{
    char text[220];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return se_fail(seed->err, rc, "%s: %s", file, text);
}

/* ---- files ---- */

static int read_fd(int fd, size_t size, char *data)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, data + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        got += (size_t)n;
    }
    return 0;
}

/* -ENOENT when there is no such file. */
static int read_file(struct seed *seed, const char *name, char **ret_data, size_t *ret_size)
{
    se_free_ char *path = se_asprintf("%s/%s", seed->dir, name);
    struct stat st;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return path && errno == ENOENT ? -ENOENT
                                       : seed_fail(seed, name, -EIO, "cannot be opened: %s", strerror(errno));
    char *data = NULL;
    int rc = fstat(fd, &st) ? -errno : 0;
    if (!rc && (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX))
        rc = -EFBIG;
    if (!rc && !(data = malloc((size_t)st.st_size + 1)))
        rc = -ENOMEM;
    if (!rc)
        rc = read_fd(fd, (size_t)st.st_size, data);
    close(fd);
    if (rc) {
        free(data);
        return seed_fail(seed, name, rc, "cannot be read: %s", strerror(-rc));
    }
    data[st.st_size] = '\0';
    *ret_data = data;
    *ret_size = (size_t)st.st_size;
    return 0;
}

/* ---- rows ---- */

static int add_row(struct seed *seed, enum seed_what what, json_t *json, const char *file, const char *prefix)
{
    struct fault fault = {0};
    se_json_ *row = json_incref(json);
    if (seed->count == ROWS_MAX)
        return seed_fail(seed, file, -E2BIG, "the seeds have more than %d rows", ROWS_MAX);
    if (seed->count == seed->capacity) {
        size_t capacity = seed->capacity ? seed->capacity * 2 : 256;
        struct seed_row *rows = realloc(seed->rows, capacity * sizeof *rows);
        if (!rows)
            return seed_fail(seed, file, -ENOMEM, "out of memory");
        seed->rows = rows;
        seed->capacity = capacity;
    }
    seed_check(what, prefix, &row, &fault);
    if (check_result(&fault)) {
        int rc = seed_fail(seed, file, -EINVAL, "%s", fault.err.text);
        fault_fini(&fault);
        return rc;
    }
    struct seed_row *added = &seed->rows[seed->count++];
    *added = (struct seed_row){.what = what, .row = SE_TAKE(row)};
    snprintf(added->file, sizeof added->file, "%s", file);
    snprintf(added->prefix, sizeof added->prefix, "%s", prefix);
    return 0;
}

/* ---- variables ---- */

/* Fills {{name}} in a text; new reference, or NULL with the error said. */
static json_t *fill_text(struct seed *seed, const char *file, const char *text)
{
    struct se_str out = {0};
    for (const char *mark; (mark = strstr(text, "{{"));) {
        const char *end = strstr(mark, "}}");
        char name[65];
        size_t len = end ? (size_t)(end - mark - 2) : sizeof name;
        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : 0), mark + 2);
        const char *value = se_json_str(seed->variables, name, NULL);
        if (!value) {
            se_str_fini(&out);
            seed_fail(seed, file, -EINVAL, "{{%s}} has no value: give one with --var %s=…", name, name);
            return NULL;
        }
        se_str_add(&out, text, (size_t)(mark - text));
        se_str_puts(&out, value);
        text = end + 2;
    }
    se_str_puts(&out, text);
    se_free_ char *filled = se_str_take(&out);
    json_t *string = filled ? json_string(filled) : NULL;
    if (!string)
        seed_fail(seed, file, -EINVAL, "a variable's value is not UTF-8");
    return string;
}

static int fill(struct seed *seed, const char *file, json_t *value)
{
    const char *key;
    void *next;
    json_t *member, *filled;
    int rc = 0;
    json_object_foreach_safe (value, next, key, member) {
        if (!json_is_string(member))
            rc = rc ? rc : fill(seed, file, member);
        else if (strstr(json_string_value(member), "{{")) {
            filled = fill_text(seed, file, json_string_value(member));
            if (!filled)
                return -EINVAL;
            json_object_set_new(value, key, filled);
        }
    }
    for (size_t n = 0; !rc && n < json_array_size(value); n++)
        rc = fill(seed, file, json_array_get(value, n));
    return rc;
}

static int read_json(struct seed *seed, const char *name, json_t **ret_json)
{
    se_free_ char *data = NULL;
    size_t size = 0;
    struct se_err err = {0};
    json_t *json = NULL;
    int rc = read_file(seed, name, &data, &size);
    if (rc)
        return rc;
    if (se_json_parse(data, size, &json, &err))
        return seed_fail(seed, name, -EINVAL, "%s", err.text);
    rc = fill(seed, name, json);
    if (rc) {
        json_decref(json);
        return rc;
    }
    *ret_json = json;
    return 0;
}

/* ---- CSV (RFC 4180): a header, then rows; empty cells are absent members ---- */

/* Takes one cell off the line; NULL at its end. False: a quote is not closed on its line. */
static bool next_cell(char **line, char **ret_cell)
{
    char *p = *line, *out = p;
    *ret_cell = p;
    if (!p)
        return true;
    if (*p == '"') {
        for (p++; *p && !(*p == '"' && p[1] != '"'); p++) {
            if (*p == '"')
                p++;
            *out++ = *p;
        }
        if (*p != '"')
            return false;
        p++;
    } else {
        out = p += strcspn(p, ",");
    }
    *line = *p == ',' ? p + 1 : NULL;
    *out = '\0';
    return true;
}

static int split(char *line, char **cells, int *ret_count)
{
    *ret_count = 0;
    while (line) {
        if (*ret_count == COLUMNS_MAX || !next_cell(&line, &cells[*ret_count]))
            return -EINVAL;
        ++*ret_count;
    }
    return 0;
}

static json_t *cell_value(const char *cell)
{
    if (!strcmp(cell, "true") || !strcmp(cell, "false"))
        return json_boolean(cell[0] == 't');
    return json_string(cell);
}

static int read_csv(struct seed *seed, enum seed_what what, const char *name)
{
    se_free_ char *data = NULL;
    size_t size = 0;
    char *header[COLUMNS_MAX], *cells[COLUMNS_MAX], *rest, *line;
    int columns = 0, count = 0, number = 0;
    int rc = read_file(seed, name, &data, &size);
    if (rc)
        return rc;
    if (!se_utf8_valid(data, size))
        return seed_fail(seed, name, -EINVAL, "is not UTF-8");
    for (rest = data; !rc && (line = strsep(&rest, "\n"));) {
        char at[128];
        snprintf(at, sizeof at, "%.100s:%d", name, ++number);
        line[strcspn(line, "\r")] = '\0';
        if (!*line || *line == '#')
            continue;
        if (split(line, columns ? cells : header, columns ? &count : &columns))
            return seed_fail(seed, at, -EINVAL, "has an open quote, or more than %d cells", COLUMNS_MAX);
        if (!count)
            continue; /* that was the header */
        if (count != columns)
            return seed_fail(seed, at, -EINVAL, "has %d cells where the header has %d", count, columns);
        se_json_ *row = json_object();
        for (int i = 0; i < count; i++)
            if (*cells[i])
                se_json_put(row, header[i], cell_value(cells[i]));
        rc = add_row(seed, what, row, at, "");
    }
    return rc;
}

/* ---- JSON files ---- */

static int read_list(struct seed *seed, enum seed_what what, const char *name)
{
    se_json_ *list = NULL;
    int rc = read_json(seed, name, &list);
    if (rc)
        return rc;
    bool geojson = what == SEED_GRID;
    const json_t *rows = geojson ? json_object_get(list, "features") : list;
    if (!json_is_array(rows))
        return seed_fail(seed, name, -EINVAL,
                         geojson ? "must be a GeoJSON FeatureCollection" : "must be an array");
    for (size_t n = 0; !rc && n < json_array_size(rows); n++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, geojson ? "features/%zu" : "%zu", n);
        rc = add_row(seed, what, json_array_get(rows, n), name, prefix);
    }
    return rc;
}

/* A dictionary's file holds its classes, which say what its tags have in common. */
static int read_dictionary(struct seed *seed, enum seed_what what, const char *name)
{
    se_json_ *file = NULL;
    int rc = read_json(seed, name, &file);
    if (rc)
        return rc;
    const json_t *classes = json_object_get(file, "classes"), *tags = json_object_get(file, "tags");
    json_t *head = json_object_get(file, "dictionary");
    if (!json_is_object(head) || !json_is_object(classes) || !json_is_array(tags))
        return seed_fail(seed, name, -EINVAL,
                         "must be {\"dictionary\": {…}, \"classes\": {…}, \"tags\": […]}");
    rc = add_row(seed, SEED_DICTIONARY, head, name, "dictionary");
    for (size_t n = 0; !rc && n < json_array_size(tags); n++) {
        json_t *tag = json_array_get(tags, n);
        char prefix[32];
        snprintf(prefix, sizeof prefix, "tags/%zu", n);
        const json_t *class = json_object_get(classes, se_json_str(tag, "class", ""));
        if (!json_is_object(tag) || !class)
            return seed_fail(seed, name, -EINVAL, "%s/class is none of the classes", prefix);
        se_json_ *row = json_deep_copy(class);
        json_object_set(row, "class_name", json_object_get(class, "name"));
        json_object_set(row, "dictionary", json_object_get(head, "code"));
        json_object_update(row, tag);
        rc = add_row(seed, what, row, name, prefix);
    }
    return rc;
}

static int read_kind(struct seed *seed, enum seed_what what, const char *name)
{
    se_json_ *kind = NULL;
    int rc = read_json(seed, name, &kind);
    return rc ? rc : add_row(seed, what, kind, name, "");
}

static int is_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".json");
}

/* Every .json of a folder below dir, in the order of their names. */
static int read_folder(struct seed *seed, enum seed_what what, const char *folder,
                       int (*read_one)(struct seed *seed, enum seed_what what, const char *name))
{
    se_free_ char *path = se_asprintf("%s/%s", seed->dir, folder);
    struct dirent **entries = NULL;
    int count = path ? scandir(path, &entries, is_json, alphasort) : -1, rc = 0;
    if (count < 0)
        return path && errno == ENOENT ? -ENOENT : seed_fail(seed, folder, -EIO, "cannot be read");
    for (int i = 0; i < count; i++) {
        se_free_ char *name = se_asprintf("%s/%s", folder, entries[i]->d_name);
        if (!rc)
            rc = name ? read_one(seed, what, name) : -ENOMEM;
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int read_dictionaries(struct seed *seed, enum seed_what what, const char *name)
{
    return read_folder(seed, what, name, read_dictionary);
}

static int read_kinds(struct seed *seed, enum seed_what what, const char *name)
{
    return read_folder(seed, what, name, read_kind);
}

/* seed.json: {"variables": {name: default}} */
static int read_variables(struct seed *seed)
{
    se_json_ *manifest = NULL;
    int rc = read_json(seed, "seed.json", &manifest);
    seed->variables = json_object();
    if (rc && rc != -ENOENT)
        return rc;
    json_object_update(seed->variables, json_object_get(manifest, "variables"));
    for (unsigned i = 0; i < seed->deps->set_count; i++) {
        const char *set = seed->deps->sets[i], *equals = strchr(set, '=');
        se_free_ char *name = equals ? strndup(set, (size_t)(equals - set)) : NULL;
        if (!name || !json_object_get(seed->variables, name))
            return seed_fail(seed, "seed.json", -EINVAL, "has no variable for --var %.100s",
                             name ? name : set);
        if (se_json_put(seed->variables, name, json_string(equals + 1)))
            return seed_fail(seed, "seed.json", -EINVAL, "the value of %s is not UTF-8", name);
    }
    return 0;
}

int seed_read(struct seed *seed)
{
    static const struct {
        const char *name;
        enum seed_what what;
        int (*read)(struct seed *seed, enum seed_what what, const char *name);
    } files[] = {
        {"divisions.csv", SEED_DIVISION, read_csv},
        {"villages.csv", SEED_DIVISION, read_csv},
        {"departments.json", SEED_DEPARTMENT, read_list},
        {"dictionaries", SEED_TAG, read_dictionaries},
        {"kinds", SEED_KIND, read_kinds},
        {"grids.geojson", SEED_GRID, read_list},
        {"rules.json", SEED_RULE, read_list},
        {"users.json", SEED_USER, read_list},
        {"cameras.json", SEED_CAMERA, read_list},
    };
    struct stat st;
    if (stat(seed->dir, &st) || !S_ISDIR(st.st_mode))
        return se_fail(seed->err, -ENOENT, "%s is not a directory of seeds", seed->dir);
    int rc = read_variables(seed);
    for (size_t i = 0; !rc && i < SE_ARRAY_LEN(files); i++) {
        rc = files[i].read(seed, files[i].what, files[i].name);
        if (rc == -ENOENT)
            rc = 0; /* a part of a county may be left out */
    }
    if (!rc && !seed->count)
        rc = se_fail(seed->err, -EINVAL, "%s holds no seed files", seed->dir);
    return rc;
}
