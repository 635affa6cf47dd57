/* Divisions, dictionaries and tags. */
#include "gateway/store_county.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "store/put.h"
#include "store/sql.h"
#include "store/where.h"

/* ---- what the puts of this subject share ---- */

bool put_same(const json_t *stored, const json_t *row, const char *const *members)
{
    for (; *members; members++) {
        json_t *a = json_object_get(stored, *members), *b = json_object_get(row, *members);
        if (json_is_null(a))
            a = NULL;
        if (json_is_null(b))
            b = NULL;
        if (a ? !b || !json_equal(a, b) : b != NULL)
            return false;
    }
    return true;
}

/* ---- divisions ---- */

#define DIVISION_COLUMNS                                                                                     \
    "SELECT id AS \"id\", id AS \"code\", name AS \"name\", level AS \"level\", parent_id AS \"parent_id\"," \
    " abbreviation AS \"abbreviation\", synthetic AS \"synthetic:bool\" FROM division"

int store_division_get(struct store_tx *tx, const char *id, json_t **ret_division)
{
    return sql_json_row(tx, DIVISION_COLUMNS " WHERE id = $1", SQL_ARGS(SQL_TEXT(id)), ret_division);
}

int store_division_list(struct store_tx *tx, const char *parent_id, const char *level, const char *after,
                        int limit, json_t **ret_divisions)
{
    struct where where;
    where_begin(&where, DIVISION_COLUMNS);
    where_text(&where, "parent_id = $?", parent_id);
    where_text(&where, "level = $?", level);
    where_text(&where, "id > $?", after);
    where_add(&where, " ORDER BY id");
    where_limit(&where, limit);
    return where_run(tx, &where, ret_divisions);
}

int store_division_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put)
{
    static const char *const members[] = {"name", "level", "parent_id", "abbreviation", NULL};
    const char *id = se_json_str(row, "id", "");
    bool synthetic = se_json_bool(row, "synthetic", false);
    se_wall_ms now = se_wall_now_ms();
    se_json_ *stored = NULL;
    int rc = store_division_get(tx, id, &stored);
    if (rc && rc != -ENOENT)
        return rc;
    if (stored && put_same(stored, row, members) && se_json_bool(stored, "synthetic", false) == synthetic) {
        *ret_put = STORE_UNCHANGED;
        return 0;
    }
    rc = sql_exec(
        tx,
        "INSERT INTO division (id, name, level, parent_id, abbreviation, synthetic, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $7)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, level = excluded.level,"
        " parent_id = excluded.parent_id, abbreviation = excluded.abbreviation,"
        " synthetic = excluded.synthetic, updated_at = excluded.updated_at",
        SQL_ARGS(SQL_TEXT(id), SQL_TEXT(se_json_str(row, "name", NULL)),
                 SQL_TEXT(se_json_str(row, "level", NULL)), SQL_TEXT(se_json_str(row, "parent_id", NULL)),
                 SQL_TEXT(se_json_str(row, "abbreviation", NULL)), SQL_INT(synthetic), SQL_INT(now)),
        NULL);
    if (!rc)
        *ret_put = stored ? STORE_CHANGED : STORE_ADDED;
    return rc;
}

static int visit_abbreviation(const struct sql_row *row, void *ctx)
{
    snprintf(ctx, 33, "%s", sql_col_text(row, 0));
    return 1;
}

int store_division_abbreviation(struct store_tx *tx, const char *id, char ret_abbreviation[33])
{
    int rc = sql_each(tx,
                      "WITH RECURSIVE up (id, parent_id, abbreviation, depth) AS ("
                      " SELECT id, parent_id, abbreviation, 0 FROM division WHERE id = $1"
                      " UNION ALL SELECT d.id, d.parent_id, d.abbreviation, up.depth + 1"
                      " FROM division d JOIN up ON d.id = up.parent_id WHERE up.depth < 8)"
                      " SELECT abbreviation FROM up WHERE abbreviation IS NOT NULL ORDER BY depth LIMIT 1",
                      SQL_ARGS(SQL_TEXT(id)), visit_abbreviation, ret_abbreviation);
    return rc < 0 ? rc : rc ? 0 : -ENOENT;
}

static int visit_id(const struct sql_row *row, void *ctx)
{
    snprintf(ctx, SE_ID_LEN, "%s", sql_col_text(row, 0));
    return 1;
}

int store_department_for(struct store_tx *tx, const char *kind, const char *division_id,
                         char ret_id[SE_ID_LEN])
{
    int rc = 0;
    if (division_id)
        rc = sql_each(tx,
                      "WITH RECURSIVE up (id, parent_id, depth) AS ("
                      " SELECT id, parent_id, 0 FROM division WHERE id = $2"
                      " UNION ALL SELECT d.id, d.parent_id, up.depth + 1"
                      " FROM division d JOIN up ON d.id = up.parent_id WHERE up.depth < 8)"
                      " SELECT p.id FROM up JOIN department p ON p.division_id = up.id WHERE p.kind = $1"
                      " ORDER BY up.depth, p.code LIMIT 1",
                      SQL_ARGS(SQL_TEXT(kind), SQL_TEXT(division_id)), visit_id, ret_id);
    if (rc == 0) /* nowhere above: then only if there is no choice */
        rc = sql_each(tx, "SELECT min(id) FROM department WHERE kind = $1 HAVING count(*) = 1",
                      SQL_ARGS(SQL_TEXT(kind)), visit_id, ret_id);
    return rc < 0 ? rc : rc ? 0 : -ENOENT;
}

/* ---- dictionaries and tags ---- */

int store_dictionary_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put)
{
    static const char *const members[] = {"standard", "version", "name", NULL};
    const char *code = se_json_str(row, "code", "");
    bool local = se_json_bool(row, "local", false);
    se_json_ *stored = NULL;
    int rc = sql_json_row(tx,
                          "SELECT standard AS \"standard\", version AS \"version\", name AS \"name\","
                          " local AS \"local:bool\" FROM dictionary WHERE code = $1",
                          SQL_ARGS(SQL_TEXT(code)), &stored);
    if (rc && rc != -ENOENT)
        return rc;
    if (stored && put_same(stored, row, members) && se_json_bool(stored, "local", false) == local) {
        *ret_put = STORE_UNCHANGED;
        return 0;
    }
    rc = sql_exec(
        tx,
        "INSERT INTO dictionary (code, standard, version, name, local, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (code) DO UPDATE SET standard = excluded.standard, version = excluded.version,"
        " name = excluded.name, local = excluded.local, updated_at = excluded.updated_at",
        SQL_ARGS(SQL_TEXT(code), SQL_TEXT(se_json_str(row, "standard", NULL)),
                 SQL_TEXT(se_json_str(row, "version", NULL)), SQL_TEXT(se_json_str(row, "name", NULL)),
                 SQL_INT(local), SQL_INT(se_wall_now_ms())),
        NULL);
    if (!rc)
        *ret_put = stored ? STORE_CHANGED : STORE_ADDED;
    return rc;
}

#define TAG_COLUMNS                                                                                          \
    "SELECT t.code AS \"code\", t.dictionary AS \"dictionary\", d.standard AS \"standard\","                 \
    " d.version AS \"standard_version\", d.local AS \"local:bool\", t.class AS \"class\","                   \
    " t.class_name AS \"class_name\", t.name AS \"name\", t.name_en AS \"name_en\", t.colour AS \"colour\"," \
    " t.severity AS \"severity\", t.department_kind AS \"department_kind\", t.window_s AS \"window_s\","     \
    " t.enabled AS \"enabled:bool\" FROM tag t JOIN dictionary d ON d.code = t.dictionary"

static int visit_alias(const struct sql_row *row, void *ctx)
{
    json_t *aliases = json_object_get(ctx, sql_col_text(row, 0));
    return aliases && json_array_append_new(aliases, json_string(sql_col_text(row, 1))) ? -ENOMEM : 0;
}

/* Gives each tag its aliases: one pass over the table for a list, one lookup for a single tag. */
static int add_aliases(struct store_tx *tx, json_t *tags)
{
    se_json_ *by_code = json_object();
    size_t n;
    json_t *tag;
    json_array_foreach (tags, n, tag) {
        json_t *aliases = json_array();
        json_object_set(by_code, se_json_str(tag, "code", ""), aliases);
        if (se_json_put(tag, "aliases", aliases))
            return -ENOMEM;
    }
    if (json_array_size(tags) == 1)
        return sql_each(tx, "SELECT tag, alias FROM tag_alias WHERE tag = $1 ORDER BY alias",
                        SQL_ARGS(SQL_TEXT(se_json_str(json_array_get(tags, 0), "code", ""))), visit_alias,
                        by_code);
    return sql_each(tx, "SELECT tag, alias FROM tag_alias ORDER BY alias", SQL_NO_ARGS, visit_alias, by_code);
}

int store_tag_get(struct store_tx *tx, const char *code, json_t **ret_tag)
{
    se_json_ *tags = NULL;
    int rc = sql_json_rows(tx, TAG_COLUMNS " WHERE t.code = $1", SQL_ARGS(SQL_TEXT(code)), &tags);
    if (!rc && !json_array_size(tags))
        rc = -ENOENT;
    if (!rc)
        rc = add_aliases(tx, tags);
    if (!rc)
        *ret_tag = json_incref(json_array_get(tags, 0));
    return rc;
}

int store_tag_list(struct store_tx *tx, const char *class, const char *q, const char *after, int limit,
                   json_t **ret_tags)
{
    struct where where;
    se_json_ *tags = NULL;
    where_begin(&where, TAG_COLUMNS);
    where_text(&where, "t.class = $?", class);
    where_text(&where,
               "(instr(t.name, $?) > 0 OR instr(t.code, $?) > 0 OR instr(lower(t.name_en), lower($?)) > 0)",
               q);
    where_text(&where, "t.code > $?", after);
    where_add(&where, " ORDER BY t.code");
    where_limit(&where, limit);
    int rc = where_run(tx, &where, &tags);
    if (!rc && json_array_size(tags))
        rc = add_aliases(tx, tags);
    if (!rc)
        *ret_tags = SE_TAKE(tags);
    return rc;
}

static int put_aliases(struct store_tx *tx, const char *code, const json_t *aliases)
{
    int rc = sql_exec(tx, "DELETE FROM tag_alias WHERE tag = $1", SQL_ARGS(SQL_TEXT(code)), NULL);
    size_t n;
    json_t *alias;
    json_array_foreach (aliases, n, alias) {
        if (!rc)
            rc = sql_exec(tx, "INSERT INTO tag_alias (alias, tag) VALUES ($1, $2)",
                          SQL_ARGS(SQL_TEXT(json_string_value(alias)), SQL_TEXT(code)), NULL);
    }
    return rc;
}

static bool same_set(const json_t *a, const json_t *b)
{
    if (json_array_size(a) != json_array_size(b))
        return false;
    size_t n, m;
    json_t *x, *y;
    json_array_foreach (a, n, x) {
        bool found = false;
        json_array_foreach (b, m, y)
            found = found || json_equal(x, y);
        if (!found)
            return false;
    }
    return true;
}

int store_tag_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put)
{
    static const char *const members[] = {"dictionary", "class",    "class_name",      "name",     "name_en",
                                          "colour",     "severity", "department_kind", "window_s", NULL};
    const char *code = se_json_str(row, "code", "");
    bool enabled = se_json_bool(row, "enabled", true);
    const json_t *aliases = json_object_get(row, "aliases"), *window = json_object_get(row, "window_s");
    se_json_ *stored = NULL;
    int rc = store_tag_get(tx, code, &stored);
    if (rc && rc != -ENOENT)
        return rc;
    if (stored && put_same(stored, row, members) && se_json_bool(stored, "enabled", true) == enabled &&
        same_set(json_object_get(stored, "aliases"), aliases)) {
        *ret_put = STORE_UNCHANGED;
        return 0;
    }
    rc = sql_exec(
        tx,
        "INSERT INTO tag (code, dictionary, class, class_name, name, name_en, colour, severity, "
        "department_kind,"
        " window_s, enabled, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT (code) DO UPDATE SET dictionary = excluded.dictionary, class = excluded.class,"
        " class_name = excluded.class_name, name = excluded.name, name_en = excluded.name_en,"
        " colour = excluded.colour, severity = excluded.severity, department_kind = excluded.department_kind,"
        " window_s = excluded.window_s, enabled = excluded.enabled, updated_at = excluded.updated_at",
        SQL_ARGS(SQL_TEXT(code), SQL_TEXT(se_json_str(row, "dictionary", NULL)),
                 SQL_TEXT(se_json_str(row, "class", NULL)), SQL_TEXT(se_json_str(row, "class_name", NULL)),
                 SQL_TEXT(se_json_str(row, "name", NULL)), SQL_TEXT(se_json_str(row, "name_en", NULL)),
                 SQL_TEXT(se_json_str(row, "colour", NULL)), SQL_TEXT(se_json_str(row, "severity", NULL)),
                 SQL_TEXT(se_json_str(row, "department_kind", NULL)),
                 json_is_integer(window) ? SQL_INT(json_integer_value(window)) : SQL_NULL, SQL_INT(enabled),
                 SQL_INT(se_wall_now_ms())),
        NULL);
    if (!rc)
        rc = put_aliases(tx, code, aliases);
    if (!rc)
        *ret_put = stored ? STORE_CHANGED : STORE_ADDED;
    return rc;
}
