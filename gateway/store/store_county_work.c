/* What governs the work: grids, case kinds, rules. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "gateway/store_county.h"
#include "store/put.h"
#include "store/sql.h"
#include "store/where.h"

/* ---- grids ---- */

#define GRID_COLUMNS                                                                                         \
    "SELECT g.id AS \"id\", g.code AS \"code\", g.name AS \"name\", g.division_id AS \"division_id\","       \
    " g.geometry AS \"geometry:json\", g.version AS \"version\", g.synthetic AS \"synthetic:bool\","         \
    " g.enabled AS \"enabled:bool\", g.created_at AS \"created_at:time\", g.updated_at AS "                  \
    "\"updated_at:time\""                                                                                    \
    " FROM grid g"

int store_grid_get(struct store_tx *tx, const char *id_or_code, json_t **ret_grid)
{
    return sql_json_row(tx, GRID_COLUMNS " WHERE g.id = $1 OR g.code = $1", SQL_ARGS(SQL_TEXT(id_or_code)),
                        ret_grid);
}

int store_grid_list(struct store_tx *tx, const char *division_id, bool only_enabled, const char *after,
                    int limit, json_t **ret_grids)
{
    struct where where;
    where_begin(&where, GRID_COLUMNS);
    where_text(
        &where,
        "g.division_id IN (WITH RECURSIVE below (id) AS (SELECT $?"
        " UNION SELECT d.id FROM division d JOIN below ON d.parent_id = below.id) SELECT id FROM below)",
        division_id);
    if (only_enabled)
        where_add(&where, " AND g.enabled = 1");
    where_text(&where, "g.code > $?", after);
    where_add(&where, " ORDER BY g.code");
    where_limit(&where, limit);
    return where_run(tx, &where, ret_grids);
}

static int keep_version(struct store_tx *tx, const char *id, int64_t version, const json_t *row,
                        const char *geometry, se_wall_ms now)
{
    return sql_exec(tx,
                    "INSERT INTO grid_version (grid_id, version, name, division_id, geometry, valid_from)"
                    " VALUES ($1, $2, $3, $4, $5, $6)",
                    SQL_ARGS(SQL_TEXT(id), SQL_INT(version), SQL_TEXT(se_json_str(row, "name", NULL)),
                             SQL_TEXT(se_json_str(row, "division_id", NULL)), SQL_TEXT(geometry),
                             SQL_INT(now)),
                    NULL);
}

int store_grid_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put, char ret_id[SE_ID_LEN])
{
    static const char *const shape[] = {"name", "division_id", "geometry", NULL};
    const char *code = se_json_str(row, "code", "");
    bool synthetic = se_json_bool(row, "synthetic", false), enabled = se_json_bool(row, "enabled", true);
    se_wall_ms now = se_wall_now_ms();
    se_json_ *stored = NULL;
    int rc = sql_json_row(tx, GRID_COLUMNS " WHERE g.code = $1", SQL_ARGS(SQL_TEXT(code)), &stored);
    if (rc && rc != -ENOENT)
        return rc;
    bool reshaped = !stored || !put_same(stored, row, shape);
    enum store_put put = !stored ? STORE_ADDED : STORE_CHANGED;
    if (!reshaped && se_json_bool(stored, "synthetic", false) == synthetic &&
        se_json_bool(stored, "enabled", true) == enabled)
        put = STORE_UNCHANGED;

    char id[SE_ID_LEN];
    int64_t version = se_json_int(stored, "version", 0) + reshaped;
    if (stored)
        snprintf(id, sizeof id, "%s", se_json_str(stored, "id", ""));
    else
        se_id_new(id);
    if (put != STORE_UNCHANGED) {
        se_free_ char *geometry = se_json_text(json_object_get(row, "geometry"));
        if (!geometry)
            return -ENOMEM;
        rc = sql_exec(
            tx,
            "INSERT INTO grid (id, code, name, division_id, geometry, version, synthetic, enabled,"
            " created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)"
            " ON CONFLICT (code) DO UPDATE SET name = excluded.name, division_id = excluded.division_id,"
            " geometry = excluded.geometry, version = excluded.version, synthetic = excluded.synthetic,"
            " enabled = excluded.enabled, updated_at = excluded.updated_at",
            SQL_ARGS(SQL_TEXT(id), SQL_TEXT(code), SQL_TEXT(se_json_str(row, "name", NULL)),
                     SQL_TEXT(se_json_str(row, "division_id", NULL)), SQL_TEXT(geometry), SQL_INT(version),
                     SQL_INT(synthetic), SQL_INT(enabled), SQL_INT(now)),
            NULL);
        if (!rc && reshaped)
            rc = keep_version(tx, id, version, row, geometry, now);
        if (rc)
            return rc;
    }
    *ret_put = put;
    if (ret_id)
        memcpy(ret_id, id, SE_ID_LEN);
    return 0;
}

/* ---- case kinds ---- */

#define KIND_COLUMNS                                                                                         \
    "SELECT k.code AS \"code\", v.version AS \"version\", k.enabled AS \"enabled:bool\","                    \
    " v.definition AS \"definition:json\", k.created_at AS \"created_at:time\", v.created_at AS "            \
    "\"updated_at:time\""                                                                                    \
    " FROM case_kind k JOIN case_kind_version v ON v.kind = k.code"

int store_kind_get(struct store_tx *tx, const char *code, int64_t version, json_t **ret_kind)
{
    if (version)
        return sql_json_row(tx, KIND_COLUMNS " AND v.version = $2 WHERE k.code = $1",
                            SQL_ARGS(SQL_TEXT(code), SQL_INT(version)), ret_kind);
    return sql_json_row(tx, KIND_COLUMNS " AND v.version = k.version WHERE k.code = $1",
                        SQL_ARGS(SQL_TEXT(code)), ret_kind);
}

int store_kind_list(struct store_tx *tx, json_t **ret_kinds)
{
    return sql_json_rows(tx, KIND_COLUMNS " AND v.version = k.version ORDER BY k.code", SQL_NO_ARGS,
                         ret_kinds);
}

int store_kind_versions(struct store_tx *tx, json_t **ret_versions)
{
    return sql_json_rows(tx,
                         "SELECT kind AS \"code\", version AS \"version\", definition AS \"definition:json\""
                         " FROM case_kind_version ORDER BY kind, version",
                         SQL_NO_ARGS, ret_versions);
}

int store_kind_put(struct store_tx *tx, const char *code, const json_t *definition, enum store_put *ret_put)
{
    se_json_ *stored = NULL;
    int rc = store_kind_get(tx, code, 0, &stored);
    if (rc && rc != -ENOENT)
        return rc;
    if (stored && json_equal(json_object_get(stored, "definition"), definition)) {
        *ret_put = STORE_UNCHANGED;
        return 0;
    }
    se_free_ char *text = se_json_text(definition);
    if (!text)
        return -ENOMEM;
    int64_t version = se_json_int(stored, "version", 0) + 1;
    se_wall_ms now = se_wall_now_ms();
    rc = sql_exec(
        tx,
        "INSERT INTO case_kind (code, version, created_at, updated_at) VALUES ($1, $2, $3, $3)"
        " ON CONFLICT (code) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at",
        SQL_ARGS(SQL_TEXT(code), SQL_INT(version), SQL_INT(now)), NULL);
    if (!rc)
        rc = sql_exec(tx,
                      "INSERT INTO case_kind_version (kind, version, definition, created_at)"
                      " VALUES ($1, $2, $3, $4)",
                      SQL_ARGS(SQL_TEXT(code), SQL_INT(version), SQL_TEXT(text), SQL_INT(now)), NULL);
    if (!rc)
        *ret_put = stored ? STORE_CHANGED : STORE_ADDED;
    return rc;
}

/* ---- rules ---- */

#define RULE_COLUMNS                                                                                         \
    "SELECT id AS \"id\", code AS \"code\", name AS \"name\", sort AS \"order\", enabled AS "                \
    "\"enabled:bool\","                                                                                      \
    " conditions AS \"when:json\", effect AS \"then:json\", version AS \"version\","                         \
    " created_at AS \"created_at:time\", updated_at AS \"updated_at:time\" FROM rule"

int store_rule_get(struct store_tx *tx, const char *id_or_code, json_t **ret_rule)
{
    return sql_json_row(tx, RULE_COLUMNS " WHERE id = $1 OR code = $1", SQL_ARGS(SQL_TEXT(id_or_code)),
                        ret_rule);
}

int store_rule_list(struct store_tx *tx, bool only_enabled, json_t **ret_rules)
{
    return sql_json_rows(tx, RULE_COLUMNS " WHERE enabled >= $1 ORDER BY sort, code",
                         SQL_ARGS(SQL_INT(only_enabled)), ret_rules);
}

int store_rule_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put)
{
    static const char *const members[] = {"name", "when", "then", NULL};
    const char *code = se_json_str(row, "code", "");
    int64_t order = se_json_int(row, "order", 100);
    bool enabled = se_json_bool(row, "enabled", true);
    se_wall_ms now = se_wall_now_ms();
    se_json_ *stored = NULL;
    int rc = sql_json_row(tx, RULE_COLUMNS " WHERE code = $1", SQL_ARGS(SQL_TEXT(code)), &stored);
    if (rc && rc != -ENOENT)
        return rc;
    if (stored && put_same(stored, row, members) && se_json_int(stored, "order", 100) == order &&
        se_json_bool(stored, "enabled", true) == enabled) {
        *ret_put = STORE_UNCHANGED;
        return 0;
    }
    char id[SE_ID_LEN];
    se_id_new(id);
    se_free_ char *when = se_json_text(json_object_get(row, "when"));
    se_free_ char *then = se_json_text(json_object_get(row, "then"));
    if (!when || !then)
        return -ENOMEM;
    rc = sql_exec(
        tx,
        "INSERT INTO rule (id, code, sort, enabled, name, conditions, effect, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
        " ON CONFLICT (code) DO UPDATE SET sort = excluded.sort, enabled = excluded.enabled,"
        " name = excluded.name, conditions = excluded.conditions, effect = excluded.effect,"
        " version = rule.version + 1, updated_at = excluded.updated_at",
        SQL_ARGS(SQL_TEXT(id), SQL_TEXT(code), SQL_INT(order), SQL_INT(enabled),
                 SQL_TEXT(se_json_str(row, "name", NULL)), SQL_TEXT(when), SQL_TEXT(then), SQL_INT(now)),
        NULL);
    if (!rc)
        *ret_put = stored ? STORE_CHANGED : STORE_ADDED;
    return rc;
}
