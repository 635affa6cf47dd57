#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "utf8.h"

#define DEPTH_MAX 64

/* jansson recurses; this does not. Brackets within strings do not count. */
static int check_depth(const char *text, size_t size, struct se_err *err)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > DEPTH_MAX)
                return se_fail(err, -EINVAL, "JSON is nested deeper than %d at byte %zu", DEPTH_MAX, i);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

/* jansson's own words quote what was read, and that may be a password. */
static const char *reason(enum json_error_code code)
{
    switch (code) {
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "there is more after the value";
    case json_error_invalid_utf8:
        return "it is not UTF-8";
    case json_error_duplicate_key:
        return "a key of an object comes twice";
    case json_error_numeric_overflow:
        return "a number is too big";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a text holds a NUL character";
    default:
        return "the syntax is wrong";
    }
}

int se_json_parse(const void *data, size_t size, json_t **ret_value, struct se_err *err)
{
    json_error_t e;
    json_t *value;
    int r;

    if (size == 0)
        return se_fail(err, -EINVAL, "JSON expected, but there is nothing");
    if (memchr(data, 0, size))
        return se_fail(err, -EINVAL, "not JSON: it holds a NUL byte");
    if (!se_utf8_valid(data, size))
        return se_fail(err, -EINVAL, "not JSON: it is not UTF-8");
    r = check_depth(data, size, err);
    if (r < 0)
        return r;

    value = json_loadb(data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!value) {
        if (json_error_code(&e) == json_error_out_of_memory)
            return se_fail(err, -ENOMEM, "out of memory");
        return se_fail(err, -EINVAL, "not JSON: %s, line %d column %d (byte %d)", reason(json_error_code(&e)),
                       e.line, e.column, e.position);
    }
    *ret_value = value;
    return 0;
}

char *se_json_text(const json_t *value)
{
    /* 15 digits give every decimal that fits a double back as it was written. */
    return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

int64_t se_json_fingerprint(const json_t *value)
{
    se_free_ char *text = se_json_text(value);
    if (!text)
        return -ENOMEM;
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *p = text; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
    return (int64_t)(hash >> 2) | 1;
}

const char *se_json_str(const json_t *object, const char *key, const char *fallback)
{
    const json_t *v = json_object_get(object, key);

    return json_is_string(v) ? json_string_value(v) : fallback;
}

int64_t se_json_int(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(object, key);

    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

double se_json_real(const json_t *object, const char *key, double fallback)
{
    const json_t *v = json_object_get(object, key);

    return json_is_number(v) ? json_number_value(v) : fallback;
}

bool se_json_bool(const json_t *object, const char *key, bool fallback)
{
    const json_t *v = json_object_get(object, key);

    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

int se_json_time(const json_t *object, const char *key, se_wall_ms *ret_ms)
{
    const json_t *v = json_object_get(object, key);

    if (!v || json_is_null(v))
        return -ENOENT;
    if (!json_is_string(v))
        return -EINVAL;
    return se_time_parse(json_string_value(v), ret_ms);
}

int se_json_put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

/* Cameras speak in any charset: what is not UTF-8 becomes U+FFFD, byte for byte. */
static char *mend_utf8(const char *text)
{
    struct se_str s = {0};
    size_t len = strlen(text);

    for (size_t i = 0; i < len;) {
        size_t n = base_utf8_char((const uint8_t *)text + i, len - i);

        if (n > 0)
            se_str_add(&s, text + i, n);
        else
            se_str_puts(&s, "\xef\xbf\xbd");
        i += n > 0 ? n : 1;
    }
    return se_str_take(&s);
}

int se_json_put_str(json_t *object, const char *key, const char *text)
{
    se_free_ char *mended = NULL;

    if (!text)
        return se_json_put(object, key, json_null());
    if (!se_utf8_valid(text, strlen(text))) {
        mended = mend_utf8(text);
        if (!mended)
            return -ENOMEM;
        text = mended;
    }
    return se_json_put(object, key, json_string(text));
}

int se_json_put_time(json_t *object, const char *key, se_wall_ms ms)
{
    char text[SE_TIME_LEN];

    se_time_format(ms, text);
    return se_json_put(object, key, json_string(text));
}

void se_json_unref_p(json_t **value)
{
    json_decref(*value);
}
