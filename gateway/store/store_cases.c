/* Cases and their transitions. */
#include "gateway/store_cases.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "store/sql.h"
#include "store/where.h"

static struct sql_arg int_or_null(int64_t value)
{
    return value ? SQL_INT(value) : SQL_NULL;
}

int store_case_insert(struct store_tx *tx, const struct case_row *row)
{
    return sql_exec(tx,
                    "INSERT INTO cases (id, number, kind, kind_version, stage, loop, status, title, "
                    "description, severity, tag,"
                    " incident_id, grid_id, grid_version, division_id, department_id, assignee, rule_id, "
                    "opened_by, opened_at,"
                    " stage_at, stage_due_at, due_at, yellow_at, updated_at)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
                    "$18, $19, $20, $21,"
                    " $22, $23, $24, $20)",
                    SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->number), SQL_TEXT(row->kind),
                             SQL_INT(row->kind_version), SQL_TEXT(row->stage), SQL_TEXT(row->loop),
                             SQL_TEXT(row->status), SQL_TEXT(row->title), SQL_TEXT(row->description),
                             SQL_TEXT(row->severity), SQL_TEXT(row->tag), SQL_TEXT(row->incident_id),
                             SQL_TEXT(row->grid_id), int_or_null(row->grid_version),
                             SQL_TEXT(row->division_id), SQL_TEXT(row->department_id),
                             SQL_TEXT(row->assignee), SQL_TEXT(row->rule_id), SQL_TEXT(row->opened_by),
                             SQL_INT(row->opened_ms), SQL_INT(row->stage_ms), int_or_null(row->stage_due_ms),
                             int_or_null(row->due_ms), int_or_null(row->yellow_ms)),
                    NULL);
}

int store_case_update(struct store_tx *tx, const struct case_row *row)
{
    return sql_exec(tx,
                    "UPDATE cases SET stage = $2, loop = $3, status = $4, department_id = $5, assignee = $6, "
                    "stage_at = $7,"
                    " stage_due_at = $8, due_at = $9, yellow_at = $10, suspended_at = $11, closed_at = $12, "
                    "paused_ms = $13,"
                    " supervised = $14, extensions = $15, score = $16, comment = $17, version = version + 1, "
                    "updated_at = $18"
                    " WHERE id = $1",
                    SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->stage), SQL_TEXT(row->loop),
                             SQL_TEXT(row->status), SQL_TEXT(row->department_id), SQL_TEXT(row->assignee),
                             SQL_INT(row->stage_ms), int_or_null(row->stage_due_ms), int_or_null(row->due_ms),
                             int_or_null(row->yellow_ms), int_or_null(row->suspended_ms),
                             int_or_null(row->closed_ms), SQL_INT(row->paused_ms), SQL_INT(row->supervised),
                             SQL_INT(row->extensions), int_or_null(row->score), SQL_TEXT(row->comment),
                             SQL_INT(se_wall_now_ms())),
                    NULL);
}

#define CASE_COLUMNS                                                                                         \
    "SELECT c.id AS \"id\", c.number AS \"number\", c.kind AS \"kind\", c.kind_version AS \"kind_version\"," \
    " c.stage AS \"stage\", c.loop AS \"loop\", c.status AS \"status\", c.title AS \"title\","               \
    " c.description AS \"description\", c.severity AS \"severity\", c.tag AS \"tag\", t.name AS "            \
    "\"tag_name\","                                                                                          \
    " t.name_en AS \"tag_name_en\", c.incident_id AS \"incident_id\", c.grid_id AS \"grid_id\","             \
    " g.code AS \"grid_code\", g.name AS \"grid_name\", c.grid_version AS \"grid_version\","                 \
    " c.division_id AS \"division_id\", c.department_id AS \"department_id\","                               \
    " d.name AS \"department_name\", c.assignee AS \"assignee\", a.display_name AS \"assignee_name\","       \
    " c.rule_id AS \"rule_id\", c.opened_by AS \"opened_by\", c.opened_at AS \"opened_ms\","                 \
    " c.stage_at AS \"stage_ms\", c.stage_due_at AS \"stage_due_ms\", c.due_at AS \"due_ms\","               \
    " c.yellow_at AS \"yellow_ms\", c.suspended_at AS \"suspended_ms\", c.closed_at AS \"closed_ms\","       \
    " c.paused_ms AS \"paused_ms\", c.supervised AS \"supervised:bool\", c.extensions AS \"extensions\","    \
    " c.score AS \"score\", c.comment AS \"comment\", c.version AS \"version\", c.updated_at AS "            \
    "\"updated_ms\""                                                                                         \
    " FROM cases c LEFT JOIN tag t ON t.code = c.tag LEFT JOIN grid g ON g.id = c.grid_id"                   \
    " LEFT JOIN department d ON d.id = c.department_id LEFT JOIN account a ON a.id = c.assignee"

static void scope_cases(struct where *where, const struct store_scope *scope)
{
    if (!scope || !scope->department_id)
        return;
    where_and(where, "(c.department_id = $?", SQL_TEXT(scope->department_id));
    where_or(where, "c.assignee = $? OR c.opened_by = $?)", SQL_TEXT(scope->user_id ? scope->user_id : ""));
}

int store_case_get(struct store_tx *tx, const char *id_or_number, const struct store_scope *scope,
                   json_t **ret_case)
{
    struct where where;
    se_json_ *rows = NULL;
    where_begin(&where, CASE_COLUMNS);
    where_and(&where, "(c.id = $? OR c.number = $?)", SQL_TEXT(id_or_number));
    scope_cases(&where, scope);
    int rc = where_run(tx, &where, &rows);
    if (!rc && !json_array_size(rows))
        rc = -ENOENT;
    if (!rc)
        *ret_case = json_incref(json_array_get(rows, 0));
    return rc;
}

/* The clock stood still when the case was closed or suspended: the light is that moment's. */
#define LIGHT_AT "coalesce(c.closed_at, c.suspended_at, $?)"

static void filter_light(struct where *where, const char *light, se_wall_ms now_ms)
{
    if (!light)
        return;
    if (light[0] == 'g')
        where_and(where, "(c.due_at IS NULL OR " LIGHT_AT " < c.yellow_at)", SQL_INT(now_ms));
    else if (light[0] == 'y')
        where_and(where, "(" LIGHT_AT " >= c.yellow_at AND " LIGHT_AT " < c.due_at)", SQL_INT(now_ms));
    else
        where_and(where, LIGHT_AT " >= c.due_at", SQL_INT(now_ms));
}

int store_case_list(struct store_tx *tx, const struct case_filter *filter, json_t **ret_cases)
{
    struct where where;
    where_begin(&where, CASE_COLUMNS);
    where_text(&where, "c.status = $?", filter->status);
    where_text(&where, "c.loop = $?", filter->loop);
    where_text(&where, "c.stage = $?", filter->stage);
    where_text(&where, "c.kind = $?", filter->kind);
    where_text(&where, "c.grid_id IN (SELECT id FROM grid WHERE id = $? OR code = $?)", filter->grid_id);
    where_text(&where, "c.department_id IN (SELECT id FROM department WHERE id = $? OR code = $?)",
               filter->department_id);
    where_text(&where, "c.assignee = $?", filter->assignee);
    where_text(&where, "c.incident_id = $?", filter->incident_id);
    where_text(&where, "c.number = $?", filter->number);
    if (filter->from_ms)
        where_and(&where, "c.opened_at >= $?", SQL_INT(filter->from_ms));
    if (filter->to_ms)
        where_and(&where, "c.opened_at < $?", SQL_INT(filter->to_ms));
    filter_light(&where, filter->light, filter->now_ms);
    scope_cases(&where, &filter->scope);
    where_text(&where, "c.id < $?", filter->after);
    where_add(&where, " ORDER BY c.id DESC");
    where_limit(&where, filter->limit);
    return where_run(tx, &where, ret_cases);
}

int store_case_next_number(struct store_tx *tx, const char *prefix, const char *day, int64_t *ret_number)
{
    int rc = sql_exec(tx,
                      "INSERT INTO case_number (prefix, day, next) VALUES ($1, $2, 1)"
                      " ON CONFLICT (prefix, day) DO UPDATE SET next = case_number.next + 1",
                      SQL_ARGS(SQL_TEXT(prefix), SQL_TEXT(day)), NULL);
    return rc ? rc
              : sql_int(tx, "SELECT next FROM case_number WHERE prefix = $1 AND day = $2",
                        SQL_ARGS(SQL_TEXT(prefix), SQL_TEXT(day)), ret_number);
}

int store_transition_insert(struct store_tx *tx, const struct transition_row *row)
{
    se_free_ char *fields = NULL;
    if (row->fields && !(fields = se_json_text(row->fields)))
        return -ENOMEM;
    return sql_exec(
        tx,
        "INSERT INTO transition (id, case_id, seq, at, user_id, user_name, action, from_stage, to_stage,"
        " note, assignee, department_id, fields)"
        " VALUES ($1, $2, (SELECT coalesce(max(seq), 0) + 1 FROM transition WHERE case_id = $2), $3, $4,"
        " $5, $6, $7, $8, $9, $10, $11, $12)",
        SQL_ARGS(SQL_TEXT(row->id), SQL_TEXT(row->case_id), SQL_INT(row->at_ms), SQL_TEXT(row->user_id),
                 SQL_TEXT(row->user_name), SQL_TEXT(row->action), SQL_TEXT(row->from), SQL_TEXT(row->to),
                 SQL_TEXT(row->note), SQL_TEXT(row->assignee), SQL_TEXT(row->department_id),
                 SQL_TEXT(fields ? fields : "{}")),
        NULL);
}

#define TRANSITION_COLUMNS                                                                                   \
    "SELECT id AS \"id\", case_id AS \"case_id\", seq AS \"seq\", at AS \"at:time\", user_id AS "            \
    "\"user_id\","                                                                                           \
    " user_name AS \"user_name\", action AS \"action\", from_stage AS \"from\", to_stage AS \"to\","         \
    " note AS \"note\", assignee AS \"assignee\", department_id AS \"department_id\","                       \
    " fields AS \"fields:json\" FROM transition"

int store_transition_list(struct store_tx *tx, const char *case_id, json_t **ret_transitions)
{
    return sql_json_rows(tx, TRANSITION_COLUMNS " WHERE case_id = $1 ORDER BY seq LIMIT 1000",
                         SQL_ARGS(SQL_TEXT(case_id)), ret_transitions);
}

int store_transition_get(struct store_tx *tx, const char *id, json_t **ret_transition)
{
    return sql_json_row(tx, TRANSITION_COLUMNS " WHERE id = $1", SQL_ARGS(SQL_TEXT(id)), ret_transition);
}
