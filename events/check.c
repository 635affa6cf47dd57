#include "check.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

static const char *const severities[] = {"info", "minor", "major", "critical"};

void fault_fini(struct fault *fault)
{
    json_decref(fault->errors);
    json_decref(fault->actions);
    fault->errors = fault->actions = NULL;
}

bool check_code(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '-')
            return false;
    return len >= 1 && len <= 64;
}

bool check_colour(const char *text)
{
    return text[0] == '#' && strlen(text) == 7 && strspn(text + 1, "0123456789abcdef") == 6;
}

int severity_rank(const char *name)
{
    for (int i = 0; name && i < (int)SE_ARRAY_LEN(severities); i++)
        if (!strcmp(severities[i], name))
            return i;
    return -1;
}

const char *severity_name(int rank)
{
    return severities[rank];
}

/* A text that was cut may end within a character: take the rest of it off. */
static void trim_character(char *text)
{
    size_t len = strlen(text);
    while (len && !se_utf8_valid(text, len))
        text[--len] = '\0';
}

void check_fault(struct fault *fault, const char *prefix, const char *member, const char *fmt, ...)
{
    char field[sizeof fault->err.field], reason[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    snprintf(field, sizeof field, "%s%s%s", prefix, *prefix && *member ? "/" : "", member);
    trim_character(field);
    trim_character(reason);
    if (!fault->err.code)
        se_fail_field(&fault->err, -EINVAL, field, "%s%s%s", field, *field ? " " : "", reason);
    if (!fault->errors)
        fault->errors = json_array();
    if (json_array_size(fault->errors) < CHECK_FAULTS_MAX) {
        json_t *entry = json_object();
        se_json_put_str(entry, "field", field);
        se_json_put_str(entry, "reason", reason);
        json_array_append_new(fault->errors, entry);
    }
}

int check_result(struct fault *fault)
{
    return fault->err.code;
}

static const json_t *member_of(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    return json_is_null(value) ? NULL : value;
}

static size_t utf8_length(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void check_text(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                bool required, size_t max_chars, const char **ret_text)
{
    const json_t *value = member_of(object, member);
    if (!value) {
        if (required)
            check_fault(fault, prefix, member, "is required");
        return;
    }
    const char *text = json_string_value(value);
    if (!text)
        check_fault(fault, prefix, member, "must be a text");
    else if ((required && !*text) || utf8_length(text) > max_chars)
        check_fault(fault, prefix, member, "must have %d to %zu characters", required ? 1 : 0, max_chars);
    else
        *ret_text = text;
}

void check_int(struct fault *fault, const char *prefix, const json_t *object, const char *member, int64_t min,
               int64_t max, int64_t *ret_value)
{
    const json_t *value = member_of(object, member);
    if (!value)
        return;
    int64_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < min || n > max)
        check_fault(fault, prefix, member, "must be a whole number from %lld to %lld", (long long)min,
                    (long long)max);
    else
        *ret_value = n;
}

void check_bool(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                bool *ret_value)
{
    const json_t *value = member_of(object, member);
    if (!value)
        return;
    if (!json_is_boolean(value))
        check_fault(fault, prefix, member, "must be true or false");
    else
        *ret_value = json_is_true(value);
}

void check_time(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                bool required, se_wall_ms *ret_ms)
{
    const json_t *value = member_of(object, member);
    if (!value) {
        if (required)
            check_fault(fault, prefix, member, "is required");
        return;
    }
    if (!json_is_string(value) || se_time_parse(json_string_value(value), ret_ms))
        check_fault(fault, prefix, member, "must be an RFC 3339 time, such as 2026-11-22T08:00:00.000Z");
}

void check_severity(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                    int *ret_rank)
{
    const json_t *value = member_of(object, member);
    if (!value)
        return;
    int rank = severity_rank(json_string_value(value));
    if (rank < 0)
        check_fault(fault, prefix, member, "must be info, minor, major or critical");
    else
        *ret_rank = rank;
}

static bool in_range(const json_t *value, double limit)
{
    double v = json_number_value(value);
    return json_is_number(value) && isfinite(v) && v >= -limit && v <= limit;
}

void check_location(struct fault *fault, const char *prefix, const json_t *object, const char *member,
                    bool *ret_has, double *ret_lat, double *ret_lon)
{
    const json_t *value = member_of(object, member);
    if (!value)
        return;
    const json_t *lat = json_object_get(value, "lat"), *lon = json_object_get(value, "lon");
    char path[48];
    if (!json_is_object(value)) {
        check_fault(fault, prefix, member, "must be an object {\"lat\": …, \"lon\": …} in WGS 84");
        return;
    }
    snprintf(path, sizeof path, "%s/lat", member);
    if (!in_range(lat, 90))
        check_fault(fault, prefix, path, "must be a number from -90 to 90");
    snprintf(path, sizeof path, "%s/lon", member);
    if (!in_range(lon, 180))
        check_fault(fault, prefix, path, "must be a number from -180 to 180");
    if (!in_range(lat, 90) || !in_range(lon, 180))
        return;
    *ret_has = true;
    *ret_lat = json_number_value(lat);
    *ret_lon = json_number_value(lon);
}

void check_known(struct fault *fault, const char *prefix, const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        int i = 0;
        while (known[i] && strcmp(known[i], key))
            i++;
        if (!known[i])
            check_fault(fault, prefix, key, "is not a member this gateway knows");
    }
}
