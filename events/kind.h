/* A case kind: a workflow definition read from JSON, checked as a whole, then only read. */
#ifndef EVENTS_KIND_H
#define EVENTS_KIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/access.h"

#define KIND_STAGES_MAX  64 /* a set of stages is one uint64_t */
#define KIND_ACTIONS_MAX 64

enum case_loop { LOOP_COLLECT, LOOP_ASSESS, LOOP_ASSIGN, LOOP_HANDLE, LOOP_CLOSE, LOOP_EVALUATE, LOOP_COUNT };
const char *case_loop_name(enum case_loop loop);

enum case_status { CASE_OPEN = 1, CASE_SUSPENDED = 2, CASE_CLOSED = 4 }; /* bits: an action names several */
const char *case_status_name(enum case_status status);
enum case_status case_status_parse(const char *name); /* 0: no such status */

/* Who may act, besides holding the permission. Bits: one that fits is enough. */
enum kind_by { BY_CENTRE = 1, BY_DEPARTMENT = 2, BY_ASSIGNEE = 4 };

/* What an action does to the clock and the case beside moving it. */
enum kind_effect {
    EFFECT_NONE,
    EFFECT_EXTEND,
    EFFECT_SUSPEND,
    EFFECT_RESUME,
    EFFECT_SUPERVISE,
    EFFECT_EVALUATE
};

/* Texts belong to the kind's definition. */
struct kind_stage {
    const char *code;
    const json_t *name; /* {zh, en} */
    enum case_loop loop;
    bool closed;              /* a case that stands here is closed */
    int64_t deadline_minutes; /* 0: none of its own */
};

struct kind_action {
    const char *name;
    const json_t *label; /* {zh, en} */
    uint64_t from;       /* bit per stage */
    int to;              /* stage, or -1: stays where it is */
    unsigned when;       /* case_status bits in which it is offered */
    enum access_permission permission;
    unsigned by;                   /* kind_by bits */
    const json_t *roles;           /* array of role codes, or NULL: any */
    const json_t *required_fields; /* array of names, or NULL */
    const json_t *optional_fields; /* the same: what a form may ask besides */
    bool needs_assignee, takes_assignee;
    enum kind_effect effect;
};

struct kind {
    json_t *definition;
    const char *code;
    int64_t version;
    const json_t *name;   /* {zh, en} */
    const json_t *fields; /* object: name → {type, min, max, label}, or NULL */
    int64_t deadline_minutes;
    int yellow_percent; /* the last part of the time in which the light is yellow */
    int initial;
    struct kind_stage stages[KIND_STAGES_MAX];
    int stage_count;
    struct kind_action actions[KIND_ACTIONS_MAX];
    int action_count;
};

/* Checks the definition and reads it. err->field is the path of what is wrong ("actions/3/to").
 * -EINVAL, -ENOMEM. The kind keeps its own reference to the definition. */
int kind_parse(json_t *definition, struct kind **ret_kind, struct se_err *err);
void kind_free(struct kind *kind);

int kind_stage_index(const struct kind *kind, const char *code);                       /* -1: none */
const struct kind_action *kind_action_find(const struct kind *kind, const char *name); /* NULL: none */
/* The text of a {zh, en} object in a language ("en…" or anything else: zh). */
const char *kind_text(const json_t *names, const char *lang);

#endif
