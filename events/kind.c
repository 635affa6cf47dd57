#include "kind.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "check.h"

static const char *const loop_names[LOOP_COUNT] = {"collect", "assess", "assign",
                                                   "handle",  "close",  "evaluate"};
static const char *const effect_names[] = {"none", "extend", "suspend", "resume", "supervise", "evaluate"};

static const struct {
    enum case_status status;
    const char *name;
} statuses[] = {{CASE_OPEN, "open"}, {CASE_SUSPENDED, "suspended"}, {CASE_CLOSED, "closed"}};

static const struct {
    enum kind_by by;
    const char *name;
} bys[] = {{BY_CENTRE, "centre"}, {BY_DEPARTMENT, "department"}, {BY_ASSIGNEE, "assignee"}};

const char *case_loop_name(enum case_loop loop)
{
    return loop_names[loop];
}

const char *case_status_name(enum case_status status)
{
    for (size_t i = 0; i < SE_ARRAY_LEN(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].name;
    return "open";
}

enum case_status case_status_parse(const char *name)
{
    for (size_t i = 0; name && i < SE_ARRAY_LEN(statuses); i++)
        if (!strcmp(statuses[i].name, name))
            return statuses[i].status;
    return 0;
}

/* Where in the definition we are, for errors. */
struct at {
    char path[64];
    struct se_err *err;
};

static int wrong(const struct at *at, const char *member, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int wrong(const struct at *at, const char *member, const char *fmt, ...)
{
    char field[64 + 32], text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(field, sizeof field, "%s%s%s", at->path, at->path[0] && member[0] ? "/" : "", member);
    return se_fail_field(at->err, -EINVAL, field, "%s", text);
}

static int read_text(const struct at *at, const json_t *object, const char *member, const char **ret_text)
{
    const char *text = json_string_value(json_object_get(object, member));
    if (!text)
        return wrong(at, member, "must be a text");
    if (!check_code(text))
        return wrong(at, member, "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -");
    *ret_text = text;
    return 0;
}

static int read_names(const struct at *at, const json_t *object, const char *member, const json_t **ret_names)
{
    const json_t *names = json_object_get(object, member);
    if (!json_is_object(names))
        return wrong(at, member, "must be an object {\"zh\": …, \"en\": …}");
    for (int i = 0; i < 2; i++) {
        const char *text = json_string_value(json_object_get(names, i ? "en" : "zh"));
        if (!text || !*text || strlen(text) > 128)
            return wrong(at, member, "needs a text of 1 to 128 bytes under \"%s\"", i ? "en" : "zh");
    }
    *ret_names = names;
    return 0;
}

static int read_minutes(const struct at *at, const json_t *object, const char *member, int64_t *ret_minutes)
{
    const json_t *value = json_object_get(object, member);
    if (!value || json_is_null(value))
        return 0;
    int64_t minutes = json_integer_value(value);
    if (!json_is_integer(value) || minutes < 1 || minutes > 525600)
        return wrong(at, member, "must be whole minutes from 1 to 525600");
    *ret_minutes = minutes;
    return 0;
}

static int read_only_known(const struct at *at, const json_t *object, const char *const *known, size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        bool found = false;
        for (size_t i = 0; i < count && !found; i++)
            found = !strcmp(known[i], key);
        if (!found) {
            char member[32];
            snprintf(member, sizeof member, "%.31s", key);
            return wrong(at, member, "is not a member this gateway knows");
        }
    }
    return 0;
}

static int read_stage(struct kind *kind, int index, const json_t *object, struct se_err *err)
{
    static const char *const known[] = {"code", "name", "loop", "closed", "deadline_minutes"};
    struct kind_stage *stage = &kind->stages[index];
    struct at at = {.err = err};
    snprintf(at.path, sizeof at.path, "stages/%d", index);
    if (!json_is_object(object))
        return wrong(&at, "", "must be an object");
    int rc = read_only_known(&at, object, known, SE_ARRAY_LEN(known));
    if (!rc)
        rc = read_text(&at, object, "code", &stage->code);
    if (!rc)
        rc = read_names(&at, object, "name", &stage->name);
    if (!rc)
        rc = read_minutes(&at, object, "deadline_minutes", &stage->deadline_minutes);
    if (rc)
        return rc;
    if (kind_stage_index(kind, stage->code) != -1)
        return wrong(&at, "code", "\"%s\" is already the code of another stage", stage->code);
    const char *loop = se_json_str(object, "loop", "");
    int i = 0;
    while (i < LOOP_COUNT && strcmp(loop_names[i], loop))
        i++;
    if (i == LOOP_COUNT)
        return wrong(&at, "loop", "must be collect, assess, assign, handle, close or evaluate");
    stage->loop = (enum case_loop)i;
    stage->closed = se_json_bool(object, "closed", false);
    kind->stage_count = index + 1;
    return 0;
}

/* from: an array of stage codes, or "*" for every stage that is not closed. */
static int read_from(const struct at *at, const struct kind *kind, const json_t *object, uint64_t *ret_from)
{
    const json_t *from = json_object_get(object, "from");
    uint64_t bits = 0;
    if (json_is_string(from) && !strcmp(json_string_value(from), "*")) {
        for (int i = 0; i < kind->stage_count; i++)
            if (!kind->stages[i].closed)
                bits |= 1ULL << i;
    } else if (json_is_array(from) && json_array_size(from)) {
        size_t n;
        json_t *value;
        json_array_foreach (from, n, value) {
            char member[32];
            snprintf(member, sizeof member, "from/%zu", n);
            int stage = json_is_string(value) ? kind_stage_index(kind, json_string_value(value)) : -1;
            if (stage == -1)
                return wrong(at, member, "must be the code of a stage of this kind");
            bits |= 1ULL << stage;
        }
    } else {
        return wrong(at, "from", "must be an array of stage codes, or \"*\" for all that are not closed");
    }
    *ret_from = bits;
    return 0;
}

static int read_when(const struct at *at, const struct kind *kind, const json_t *object,
                     struct kind_action *action)
{
    const json_t *when = json_object_get(object, "when");
    if (!when) {
        /* Where it starts says it: open stages while open, closed ones while closed. */
        for (int i = 0; i < kind->stage_count; i++)
            if (action->from & (1ULL << i))
                action->when |= kind->stages[i].closed ? CASE_CLOSED : CASE_OPEN;
        return 0;
    }
    size_t n;
    json_t *value;
    if (!json_is_array(when) || !json_array_size(when))
        return wrong(at, "when", "must be an array of open, suspended, closed");
    json_array_foreach (when, n, value) {
        enum case_status status = case_status_parse(json_string_value(value));
        if (!status)
            return wrong(at, "when", "must be an array of open, suspended, closed");
        action->when |= status;
    }
    return 0;
}

static int read_by(const struct at *at, const json_t *object, struct kind_action *action)
{
    const json_t *by = json_object_get(object, "by");
    action->by = BY_CENTRE | BY_DEPARTMENT | BY_ASSIGNEE;
    if (!by)
        return 0;
    if (!json_is_array(by) || !json_array_size(by))
        return wrong(at, "by", "must be an array of centre, department, assignee");
    action->by = 0;
    size_t n;
    json_t *value;
    json_array_foreach (by, n, value) {
        const char *name = json_string_value(value);
        size_t i = 0;
        while (i < SE_ARRAY_LEN(bys) && (!name || strcmp(bys[i].name, name)))
            i++;
        if (i == SE_ARRAY_LEN(bys))
            return wrong(at, "by", "must be an array of centre, department, assignee");
        action->by |= bys[i].by;
    }
    return 0;
}

static int read_codes(const struct at *at, const json_t *object, const char *member, const json_t **ret_codes)
{
    const json_t *codes = json_object_get(object, member);
    if (!codes)
        return 0;
    if (!json_is_array(codes) || json_array_size(codes) > 32)
        return wrong(at, member, "must be an array of at most 32 names");
    size_t n;
    json_t *value;
    json_array_foreach (codes, n, value) {
        char item[48];
        snprintf(item, sizeof item, "%s/%zu", member, n);
        if (!json_is_string(value) || !check_code(json_string_value(value)))
            return wrong(at, item, "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -");
    }
    *ret_codes = codes;
    return 0;
}

static int read_effect(const struct at *at, const json_t *object, struct kind_action *action)
{
    const char *effect = se_json_str(object, "effect", "none");
    size_t i = 0;
    while (i < SE_ARRAY_LEN(effect_names) && strcmp(effect_names[i], effect))
        i++;
    if (i == SE_ARRAY_LEN(effect_names))
        return wrong(at, "effect", "must be none, extend, suspend, resume, supervise or evaluate");
    action->effect = (enum kind_effect)i;
    /* A suspended case stands still: moving it would lose the time it waited. */
    if ((action->when & CASE_SUSPENDED) && action->to != -1)
        return wrong(at, "when", "an action offered while suspended cannot move the case: leave out \"to\"");
    if (action->effect == EFFECT_SUSPEND && (action->to != -1 || action->when != CASE_OPEN))
        return wrong(at, "effect", "suspend stays in its stage and is offered while open only");
    if (action->effect == EFFECT_RESUME && action->when != CASE_SUSPENDED)
        return wrong(at, "effect", "resume needs \"when\": [\"suspended\"]");
    return 0;
}

static int read_action(struct kind *kind, int index, const json_t *object, struct se_err *err)
{
    static const char *const known[] = {"name",
                                        "label",
                                        "from",
                                        "to",
                                        "when",
                                        "permission",
                                        "by",
                                        "roles",
                                        "effect",
                                        "required_fields",
                                        "optional_fields",
                                        "needs_assignee",
                                        "takes_assignee"};
    struct kind_action *action = &kind->actions[index];
    struct at at = {.err = err};
    snprintf(at.path, sizeof at.path, "actions/%d", index);
    if (!json_is_object(object))
        return wrong(&at, "", "must be an object");
    int rc = read_only_known(&at, object, known, SE_ARRAY_LEN(known));
    if (!rc)
        rc = read_text(&at, object, "name", &action->name);
    if (rc)
        return rc;
    if (kind_action_find(kind, action->name))
        return wrong(&at, "name", "\"%s\" is already the name of another action", action->name);
    rc = read_names(&at, object, "label", &action->label);
    if (!rc)
        rc = read_from(&at, kind, object, &action->from);
    if (rc)
        return rc;
    const json_t *to = json_object_get(object, "to");
    action->to = -1;
    if (to) {
        action->to = json_is_string(to) ? kind_stage_index(kind, json_string_value(to)) : -1;
        if (action->to == -1)
            return wrong(&at, "to", "must be the code of a stage of this kind; leave it out to stay");
    }
    const char *permission = se_json_str(object, "permission", "case.write");
    if (access_permission_parse(permission, &action->permission) || strncmp(permission, "case.", 5))
        return wrong(&at, "permission", "must be case.write or case.command");
    rc = read_when(&at, kind, object, action);
    if (!rc)
        rc = read_by(&at, object, action);
    if (!rc)
        rc = read_codes(&at, object, "roles", &action->roles);
    if (!rc)
        rc = read_codes(&at, object, "required_fields", &action->required_fields);
    if (!rc)
        rc = read_codes(&at, object, "optional_fields", &action->optional_fields);
    if (!rc)
        rc = read_effect(&at, object, action);
    if (rc)
        return rc;
    action->needs_assignee = se_json_bool(object, "needs_assignee", false);
    action->takes_assignee = action->needs_assignee || se_json_bool(object, "takes_assignee", false);
    kind->action_count = index + 1;
    return 0;
}

static int read_fields(const json_t *fields, struct se_err *err)
{
    static const char *const known[] = {"type", "min", "max", "label"};
    const char *name;
    json_t *field;
    if (!json_is_object(fields) || json_object_size(fields) > 64)
        return se_fail_field(err, -EINVAL, "fields", "must be an object of at most 64 fields");
    json_object_foreach ((json_t *)fields, name, field) {
        struct at at = {.err = err};
        snprintf(at.path, sizeof at.path, "fields/%.48s", name);
        const json_t *label;
        const char *type = se_json_str(field, "type", "");
        if (!check_code(name))
            return wrong(&at, "", "the name must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -");
        if (strcmp(type, "integer") && strcmp(type, "text"))
            return wrong(&at, "type", "must be integer or text");
        int rc = read_only_known(&at, field, known, SE_ARRAY_LEN(known));
        if (!rc)
            rc = read_names(&at, field, "label", &label);
        if (rc)
            return rc;
        if (se_json_int(field, "min", 0) > se_json_int(field, "max", INT64_MAX))
            return wrong(&at, "max", "is less than min");
    }
    return 0;
}

/* Every stage can be reached from the first one, and from every open one a closed one can be. */
static int check_ways(const struct kind *kind, struct se_err *err)
{
    uint64_t reached = 1ULL << kind->initial, ends = 0;
    for (int i = 0; i < kind->stage_count; i++)
        if (kind->stages[i].closed)
            ends |= 1ULL << i;
    if (!ends)
        return se_fail_field(err, -EINVAL, "stages", "no stage is closed: a case could never end");
    if (kind->stages[kind->initial].closed)
        return se_fail_field(err, -EINVAL, "initial", "the first stage is a closed one");
    for (int round = 0; round < kind->stage_count; round++) {
        for (int i = 0; i < kind->action_count; i++) {
            const struct kind_action *action = &kind->actions[i];
            if (action->to == -1)
                continue;
            if (action->from & reached)
                reached |= 1ULL << action->to;
            if (ends & (1ULL << action->to))
                ends |= action->from;
        }
    }
    for (int i = 0; i < kind->stage_count; i++) {
        char field[64];
        snprintf(field, sizeof field, "stages/%d", i);
        if (!(reached & (1ULL << i)))
            return se_fail_field(err, -EINVAL, field, "no action leads to stage \"%s\"",
                                 kind->stages[i].code);
        if (!(ends & (1ULL << i)))
            return se_fail_field(err, -EINVAL, field, "from stage \"%s\" no action leads to a closed stage",
                                 kind->stages[i].code);
    }
    return 0;
}

static int read_kind(struct kind *kind, struct se_err *err)
{
    static const char *const known[] = {"code",    "version",          "name",           "about",  "fields",
                                        "initial", "deadline_minutes", "yellow_percent", "stages", "actions"};
    const json_t *def = kind->definition;
    struct at at = {.err = err};
    if (!json_is_object(def))
        return wrong(&at, "", "must be an object");
    int rc = read_only_known(&at, def, known, SE_ARRAY_LEN(known));
    if (!rc)
        rc = read_text(&at, def, "code", &kind->code);
    if (!rc)
        rc = read_names(&at, def, "name", &kind->name);
    if (!rc)
        rc = read_minutes(&at, def, "deadline_minutes", &kind->deadline_minutes);
    if (rc)
        return rc;
    kind->version = se_json_int(def, "version", 1);
    int64_t yellow = se_json_int(def, "yellow_percent", 20);
    if (yellow < 0 || yellow > 100)
        return wrong(&at, "yellow_percent", "must be from 0 to 100");
    kind->yellow_percent = (int)yellow;

    const json_t *stages = json_object_get(def, "stages"), *actions = json_object_get(def, "actions");
    if (!json_is_array(stages) || !json_array_size(stages) || json_array_size(stages) > KIND_STAGES_MAX)
        return wrong(&at, "stages", "must be an array of 1 to %d stages", KIND_STAGES_MAX);
    if (!json_is_array(actions) || !json_array_size(actions) || json_array_size(actions) > KIND_ACTIONS_MAX)
        return wrong(&at, "actions", "must be an array of 1 to %d actions", KIND_ACTIONS_MAX);
    for (int i = 0; !rc && i < (int)json_array_size(stages); i++)
        rc = read_stage(kind, i, json_array_get(stages, (size_t)i), err);
    if (rc)
        return rc;
    kind->initial = kind_stage_index(kind, se_json_str(def, "initial", ""));
    if (kind->initial == -1)
        return wrong(&at, "initial", "must be the code of a stage of this kind");
    kind->fields = json_object_get(def, "fields");
    if (kind->fields)
        rc = read_fields(kind->fields, err);
    for (int i = 0; !rc && i < (int)json_array_size(actions); i++)
        rc = read_action(kind, i, json_array_get(actions, (size_t)i), err);
    return rc ? rc : check_ways(kind, err);
}

int kind_parse(json_t *definition, struct kind **ret_kind, struct se_err *err)
{
    struct kind *kind = calloc(1, sizeof *kind);
    if (!kind)
        return se_fail(err, -ENOMEM, "out of memory");
    kind->definition = json_incref(definition);
    int rc = read_kind(kind, err);
    if (rc) {
        kind_free(kind);
        return rc;
    }
    *ret_kind = kind;
    return 0;
}

void kind_free(struct kind *kind)
{
    if (!kind)
        return;
    json_decref(kind->definition);
    free(kind);
}

int kind_stage_index(const struct kind *kind, const char *code)
{
    for (int i = 0; i < kind->stage_count; i++)
        if (!strcmp(kind->stages[i].code, code))
            return i;
    return -1;
}

const struct kind_action *kind_action_find(const struct kind *kind, const char *name)
{
    for (int i = 0; i < kind->action_count; i++)
        if (!strcmp(kind->actions[i].name, name))
            return &kind->actions[i];
    return NULL;
}

const char *kind_text(const json_t *names, const char *lang)
{
    bool english = lang && (lang[0] == 'e' || lang[0] == 'E') && (lang[1] == 'n' || lang[1] == 'N');
    return se_json_str(names, english ? "en" : "zh", "");
}
