/* The trace of every write and view. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "access/access_private.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "gateway/store_audit.h"

#define DETAIL_DEPTH 16

static bool secret_name(const char *name)
{
    static const char *const secrets[] = {"password", "new_password",  "old_password",    "current_password",
                                          "token",    "ticket",        "secret",          "authorization",
                                          "cookie",   "password_hash", "password_sealed", "stream_password"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(secrets); i++)
        if (strcasecmp(name, secrets[i]) == 0)
            return true;
    return false;
}

/* A text without the user info that an URL in it may carry. */
static json_t *masked_text(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return NULL;
    for (char *scheme = strstr(copy, "://"); scheme; scheme = strstr(scheme + 3, "://")) {
        char *authority = scheme + 3;
        size_t len = strcspn(authority, "/?# \t");
        char *at = memrchr(authority, '@', len);
        if (at)
            memmove(authority, at + 1, strlen(at + 1) + 1);
    }
    json_t *value = json_string(copy);
    free(copy);
    return value;
}

/* A copy in which what is secret by its name, or stands in an URL's user info, is masked. */
static json_t *masked(const json_t *value, int depth)
{
    if (depth > DETAIL_DEPTH)
        return json_string("…");
    if (json_is_string(value))
        return masked_text(json_string_value(value));
    if (json_is_array(value)) {
        json_t *array = json_array();
        for (size_t i = 0; array && i < json_array_size(value); i++)
            if (json_array_append_new(array, masked(json_array_get(value, i), depth + 1)) < 0)
                se_json_unref_p(&array);
        return array;
    }
    if (!json_is_object(value))
        return json_deep_copy(value);
    json_t *object = json_object();
    const char *name;
    json_t *member;
    json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
        json_t *shown = secret_name(name) && !json_is_null(member) && !json_is_boolean(member)
                            ? json_string("********")
                            : masked(member, depth + 1);
        if (object && json_object_set_new(object, name, shown) < 0)
            se_json_unref_p(&object);
        else if (!object)
            json_decref(shown);
    }
    return object;
}

static const char *or_null(const char *text)
{
    if (!text || *text == '\0')
        return NULL;
    return se_utf8_valid(text, strlen(text)) ? text
                                             : "?"; /* it came from outside, and must not stop the act */
}

int access_audit(struct store_tx *tx, const struct access_who *who, const char *action,
                 const char *target_type, const char *target_id, const json_t *detail)
{
    se_json_ *shown = detail ? masked(detail, 0) : NULL;
    if (detail && !shown)
        return -ENOMEM;
    return store_audit_append(tx, &(struct audit_row){.at_ms = se_wall_now_ms(),
                                                      .user_id = who ? or_null(who->user_id) : NULL,
                                                      .username = who ? or_null(who->username) : NULL,
                                                      .address = who ? or_null(who->address) : NULL,
                                                      .session_id = who ? or_null(who->session_id) : NULL,
                                                      .action = action,
                                                      .target_type = or_null(target_type),
                                                      .target_id = or_null(target_id),
                                                      .detail = shown});
}

/* ---- without waiting ---- */

struct later {
    struct access_who who;
    char action[64], target_type[64], target_id[128];
    json_t *detail;
};

static int later_write(struct store_tx *tx, void *ctx)
{
    struct later *later = ctx;
    return access_audit(tx, &later->who, later->action, later->target_type, later->target_id, later->detail);
}

static void lost(const char *action, int r)
{
    se_metric_add(&access_metrics[ACCESS_M_AUDIT_LOST], 1);
    se_error("access", "an audit entry was lost action=%s reason=\"%s\"", action, strerror(-r));
}

static void later_done(int result, void *ctx)
{
    struct later *later = ctx;
    if (result < 0)
        lost(later->action, result);
    json_decref(later->detail);
    free(later);
}

void access_audit_later(struct access *access, const struct access_who *who, const char *action,
                        const char *target_type, const char *target_id, const json_t *detail)
{
    struct later *later = calloc(1, sizeof(*later));
    if (!later) {
        lost(action, -ENOMEM);
        return;
    }
    if (who)
        later->who = *who;
    snprintf(later->action, sizeof(later->action), "%s", action);
    snprintf(later->target_type, sizeof(later->target_type), "%s", target_type ? target_type : "");
    snprintf(later->target_id, sizeof(later->target_id), "%s", target_id ? target_id : "");
    later->detail = detail ? masked(detail, 0) : NULL; /* a copy: the caller's may change */
    int r = store_write_async(access->store, later_write, later_done, later);
    if (r < 0) {
        lost(action, r);
        json_decref(later->detail);
        free(later);
    }
}
