#include "gateway/store_identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/sql.h"

static int none_is_noent(int r, int changes)
{
    return r < 0 ? r : changes ? 0 : -ENOENT;
}

/* ---- departments ---- */

#define DEPARTMENT_COLUMNS                                                                                   \
    "id AS \"id\", code AS \"code\", name AS \"name\", kind AS \"kind\", division_id AS \"division_id\", "   \
    "created_at AS \"created_at:time\", updated_at AS \"updated_at:time\""

int store_department_insert(struct store_tx *tx, const struct department_row *row)
{
    return sql_exec(tx,
                    "INSERT INTO department (id, code, name, kind, division_id, created_at, updated_at) "
                    "VALUES ($1, $2, $3, $4, $5, $6, $6)",
                    SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->code), SQL_TEXT(row->name), SQL_TEXT(row->kind),
                             SQL_TEXT(row->division_id), SQL_INT(se_wall_now_ms())),
                    NULL);
}

int store_department_update(struct store_tx *tx, const struct department_row *row)
{
    int changes = 0;
    int r =
        sql_exec(tx,
                 "UPDATE department SET code = $2, name = $3, kind = $4, division_id = $5, updated_at = $6 "
                 "WHERE id = $1",
                 SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->code), SQL_TEXT(row->name), SQL_TEXT(row->kind),
                          SQL_TEXT(row->division_id), SQL_INT(se_wall_now_ms())),
                 &changes);
    return none_is_noent(r, changes);
}

int store_department_delete(struct store_tx *tx, const char *id)
{
    int changes = 0;
    int r = sql_exec(tx, "DELETE FROM department WHERE id = $1", SQL_ARGS(SQL_TEXT(id)), &changes);
    return none_is_noent(r, changes);
}

int store_department_get(struct store_tx *tx, const char *id_or_code, json_t **ret_department)
{
    return sql_json_row(tx,
                        "SELECT " DEPARTMENT_COLUMNS " FROM department WHERE id = $1 OR code = $1 "
                        "ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1",
                        SQL_ARGS(SQL_TEXT(id_or_code)), ret_department);
}

int store_department_list(struct store_tx *tx, const char *after, int limit, json_t **ret_departments)
{
    return sql_json_rows(tx,
                         "SELECT " DEPARTMENT_COLUMNS " FROM department WHERE id > $1 ORDER BY id LIMIT $2",
                         SQL_ARGS(SQL_TEXT(after ? after : ""), SQL_INT(limit)), ret_departments);
}

/* ---- roles ---- */

#define ROLE_COLUMNS                                                                                         \
    "code AS \"code\", name AS \"name\", scope AS \"scope\", permissions AS \"permissions:json\", "          \
    "built_in AS \"built_in:bool\""

int store_role_put(struct store_tx *tx, const struct role_row *row)
{
    se_free_ char *permissions = se_json_text(row->permissions);
    if (!permissions)
        return -ENOMEM;
    return sql_exec(tx,
                    "INSERT INTO role (code, name, scope, permissions, built_in, updated_at) "
                    "VALUES ($1, $2, $3, $4, $5, $6) "
                    "ON CONFLICT (code) DO UPDATE SET name = excluded.name, scope = excluded.scope, "
                    "permissions = excluded.permissions, updated_at = excluded.updated_at",
                    SQL_ARGS(SQL_TEXT(row->code), SQL_TEXT(row->name), SQL_TEXT(row->scope),
                             SQL_TEXT(permissions), SQL_INT(row->built_in), SQL_INT(se_wall_now_ms())),
                    NULL);
}

int store_role_get(struct store_tx *tx, const char *code, json_t **ret_role)
{
    return sql_json_row(tx, "SELECT " ROLE_COLUMNS " FROM role WHERE code = $1", SQL_ARGS(SQL_TEXT(code)),
                        ret_role);
}

int store_role_list(struct store_tx *tx, const char *after, int limit, json_t **ret_roles)
{
    return sql_json_rows(tx, "SELECT " ROLE_COLUMNS " FROM role WHERE code > $1 ORDER BY code LIMIT $2",
                         SQL_ARGS(SQL_TEXT(after ? after : ""), SQL_INT(limit)), ret_roles);
}

/* ---- users ---- */

#define USER_COLUMNS                                                                                         \
    "id AS \"id\", username AS \"username\", display_name AS \"display_name\", "                             \
    "department_id AS \"department_id\", division_id AS \"division_id\", enabled AS \"enabled:bool\", "      \
    "must_change_password AS \"must_change_password:bool\", created_at AS \"created_at:time\", "             \
    "updated_at AS \"updated_at:time\", last_sign_in_at AS \"last_sign_in_at:time\""

static int put_roles(struct store_tx *tx, const char *id, const json_t *roles)
{
    int r = sql_exec(tx, "DELETE FROM account_role WHERE account_id = $1", SQL_ARGS(SQL_TEXT(id)), NULL);
    size_t i;
    json_t *role;
    json_array_foreach ((json_t *)(uintptr_t)roles, i, role) {
        if (r < 0)
            break;
        if (!json_is_string(role))
            return -ENOLINK;
        r = sql_exec(tx,
                     "INSERT INTO account_role (account_id, role_code) VALUES ($1, $2) "
                     "ON CONFLICT (account_id, role_code) DO NOTHING",
                     SQL_ARGS(SQL_TEXT(id), SQL_TEXT(json_string_value(role))), NULL);
    }
    return r;
}

int store_user_insert(struct store_tx *tx, const struct user_row *row)
{
    int r = sql_exec(
        tx,
        "INSERT INTO account (id, username, display_name, password_hash, department_id, division_id, "
        "enabled, must_change_password, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->username), SQL_TEXT(row->display_name),
                 SQL_TEXT(row->password_hash), SQL_TEXT(row->department_id), SQL_TEXT(row->division_id),
                 SQL_INT(row->enabled), SQL_INT(row->must_change_password), SQL_INT(se_wall_now_ms())),
        NULL);
    return r < 0 || !row->roles ? r : put_roles(tx, row->id, row->roles);
}

int store_user_update(struct store_tx *tx, const struct user_row *row)
{
    int changes = 0;
    int r = sql_exec(
        tx,
        "UPDATE account SET display_name = $2, password_hash = coalesce(CAST($3 AS TEXT), password_hash), "
        "department_id = $4, division_id = $5, enabled = $6, must_change_password = $7, "
        "updated_at = $8 WHERE id = $1",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->display_name), SQL_TEXT(row->password_hash),
                 SQL_TEXT(row->department_id), SQL_TEXT(row->division_id), SQL_INT(row->enabled),
                 SQL_INT(row->must_change_password), SQL_INT(se_wall_now_ms())),
        &changes);
    r = none_is_noent(r, changes);
    return r < 0 || !row->roles ? r : put_roles(tx, row->id, row->roles);
}

int store_user_password(struct store_tx *tx, const char *id, const char *password_hash, bool must_change)
{
    int changes = 0;
    int r = sql_exec(
        tx,
        "UPDATE account SET password_hash = $2, must_change_password = $3, updated_at = $4 "
        "WHERE id = $1",
        SQL_ARGS(SQL_TEXT(id), SQL_TEXT(password_hash), SQL_INT(must_change), SQL_INT(se_wall_now_ms())),
        &changes);
    return none_is_noent(r, changes);
}

static int visit_role_code(const struct sql_row *row, void *ctx)
{
    return json_array_append_new(ctx, json_string(sql_col_text(row, 0))) < 0 ? -ENOMEM : 0;
}

static int add_roles(struct store_tx *tx, json_t *user)
{
    se_json_ *roles = json_array();
    if (!roles)
        return -ENOMEM;
    int r = sql_each(tx, "SELECT role_code FROM account_role WHERE account_id = $1 ORDER BY role_code",
                     SQL_ARGS(SQL_TEXT(se_json_str(user, "id", ""))), visit_role_code, roles);
    return r < 0 ? r : se_json_put(user, "roles", SE_TAKE(roles));
}

int store_user_get(struct store_tx *tx, const char *id_or_username, json_t **ret_user)
{
    se_json_ *user = NULL;
    int r = sql_json_row(tx,
                         "SELECT " USER_COLUMNS " FROM account WHERE id = $1 OR username = $1 "
                         "ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1",
                         SQL_ARGS(SQL_TEXT(id_or_username)), &user);
    if (r == 0)
        r = add_roles(tx, user);
    if (r == 0)
        *ret_user = SE_TAKE(user);
    return r;
}

int store_user_list(struct store_tx *tx, const char *department, const char *scope_department_id,
                    const char *after, int limit, json_t **ret_users)
{
    se_json_ *users = NULL;
    int r = sql_json_rows(tx,
                          "SELECT " USER_COLUMNS " FROM account "
                          "WHERE (CAST($1 AS TEXT) IS NULL OR department_id IN "
                          "       (SELECT id FROM department WHERE id = $1 OR code = $1)) "
                          "AND (CAST($2 AS TEXT) IS NULL OR department_id = $2) AND id > $3 "
                          "ORDER BY id LIMIT $4",
                          SQL_ARGS(SQL_TEXT(department), SQL_TEXT(scope_department_id),
                                   SQL_TEXT(after ? after : ""), SQL_INT(limit)),
                          &users);
    size_t i;
    json_t *user;
    json_array_foreach (users, i, user) {
        if (r == 0)
            r = add_roles(tx, user);
    }
    if (r == 0)
        *ret_users = SE_TAKE(users);
    return r;
}

int store_user_count(struct store_tx *tx, int64_t *ret_count)
{
    return sql_int(tx, "SELECT count(*) FROM account", SQL_NO_ARGS, ret_count);
}

int store_role_holders(struct store_tx *tx, const char *role, const char *but_user_id, int64_t *ret_count)
{
    return sql_int(tx,
                   "SELECT count(*) FROM account_role JOIN account ON account.id = account_role.account_id "
                   "WHERE role_code = $1 AND account.enabled = 1 AND account.id <> $2",
                   SQL_ARGS(SQL_TEXT(role), SQL_TEXT(but_user_id ? but_user_id : "")), ret_count);
}

static int visit_secret(const struct sql_row *row, void *ctx)
{
    struct user_secret *out = ctx;
    snprintf(out->id, sizeof(out->id), "%s", sql_col_text(row, 0));
    snprintf(out->password_hash, sizeof(out->password_hash), "%s", sql_col_text(row, 1));
    out->enabled = sql_col_int(row, 2) != 0;
    return 1;
}

int store_user_secret(struct store_tx *tx, const char *username, struct user_secret *ret_secret)
{
    int r = sql_each(tx, "SELECT id, password_hash, enabled FROM account WHERE username = $1",
                     SQL_ARGS(SQL_TEXT(username)), visit_secret, ret_secret);
    return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

int store_user_signed_in(struct store_tx *tx, const char *id, se_wall_ms at_ms)
{
    return sql_exec(tx, "UPDATE account SET last_sign_in_at = $2 WHERE id = $1",
                    SQL_ARGS(SQL_TEXT(id), SQL_INT(at_ms)), NULL);
}
