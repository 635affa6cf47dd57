#include "fields.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/json.h"

int fields_begin(struct http_request *req, struct http_response *res, struct fields *ret_fields)
{
    if (!json_is_object(req->json)) {
        return http_problem(res, 422, "Send a JSON object.");
    }
    *ret_fields = (struct fields){.json = req->json, .res = res};
    return 0;
}

void field_wrong(struct fields *fields, const char *name, const char *fmt, ...)
{
    char field[64], reason[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    snprintf(field, sizeof(field), "%s%s", fields->prefix ? fields->prefix : "", name);
    fields->bad = true;
    http_invalid(fields->res, field, "%s", reason);
}

int fields_end(const struct fields *fields)
{
    return fields->bad ? -EPROTO : 0;
}

bool field_given(const struct fields *fields, const char *name)
{
    return json_object_get(fields->json, name) != NULL;
}

/* In characters, not bytes; -1 when there is a control character. */
static long text_length(const char *text)
{
    long length = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return -1;
        }
        length += (*p & 0xc0) != 0x80;
    }
    return length;
}

const char *field_text(struct fields *fields, const char *name, size_t min, size_t max, const char *fallback)
{
    const json_t *value = json_object_get(fields->json, name);
    if (!value) {
        return fallback;
    }
    if (json_is_null(value) && min == 0) {
        return NULL;
    }
    if (!json_is_string(value)) {
        field_wrong(fields, name, "must be text");
        return fallback;
    }
    const char *text = json_string_value(value);
    long length = text_length(text);
    if (length < 0) {
        field_wrong(fields, name, "must not contain line breaks or other control characters");
    } else if ((size_t)length < min || (size_t)length > max) {
        field_wrong(fields, name, "must have %zu to %zu characters", min, max);
    }
    return text;
}

const char *field_need(struct fields *fields, const char *name, size_t max)
{
    if (!field_given(fields, name)) {
        field_wrong(fields, name, "is missing");
        return "";
    }
    return field_text(fields, name, 1, max, "");
}

bool field_bool(struct fields *fields, const char *name, bool fallback)
{
    const json_t *value = json_object_get(fields->json, name);
    if (value && !json_is_boolean(value)) {
        field_wrong(fields, name, "must be true or false");
        return fallback;
    }
    return value ? json_is_true(value) : fallback;
}

int64_t field_int(struct fields *fields, const char *name, int64_t min, int64_t max, int64_t fallback)
{
    const json_t *value = json_object_get(fields->json, name);
    if (!value) {
        return fallback;
    }
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max) {
        field_wrong(fields, name, "must be a whole number from %lld to %lld", (long long)min, (long long)max);
        return fallback;
    }
    return json_integer_value(value);
}

se_wall_ms field_time(struct fields *fields, const char *name)
{
    se_wall_ms ms = 0;
    if (se_json_time(fields->json, name, &ms) == -EINVAL) {
        field_wrong(fields, name, "must be a time such as 2026-11-22T08:00:00Z");
    }
    return ms;
}

/* The word that text is; else NULL, and all of them for an answer. */
static const char *find_word(const char *const *words, const char *text, char *ret_list, size_t size)
{
    size_t used = 0;
    *ret_list = '\0';
    for (size_t i = 0; words[i]; i++) {
        if (text && strcmp(words[i], text) == 0) {
            return words[i];
        }
        int n = snprintf(ret_list + used, size - used, "%s%s", i ? ", " : "", words[i]);
        used = used + (size_t)n < size ? used + (size_t)n : size - 1;
    }
    return NULL;
}

const char *field_word(struct fields *fields, const char *name, const char *const *words,
                       const char *fallback)
{
    const json_t *value = json_object_get(fields->json, name);
    char list[200];
    if (!value) {
        return fallback;
    }
    const char *word = find_word(words, json_string_value(value), list, sizeof(list));
    if (!word) {
        field_wrong(fields, name, "must be one of %s", list);
    }
    return word ? word : fallback;
}

const char *query_text(const struct http_request *req, const char *name)
{
    const char *text = http_query(req, name);
    return text && *text ? text : NULL;
}

int query_word(struct http_request *req, struct http_response *res, const char *name,
               const char *const *words, const char **ret_word)
{
    const char *text = query_text(req, name);
    char list[200];
    *ret_word = text ? find_word(words, text, list, sizeof(list)) : NULL;
    return !text || *ret_word ? 0 : http_invalid(res, name, "must be one of %s", list);
}

int query_time(struct http_request *req, struct http_response *res, const char *name, se_wall_ms *ret_ms)
{
    const char *text = query_text(req, name);
    *ret_ms = 0;
    if (text && se_time_parse(text, ret_ms) < 0) {
        return http_invalid(res, name, "must be a time such as 2026-11-22T08:00:00Z");
    }
    return 0;
}

const char *fields_more(json_t *items, int limit, const char *key)
{
    if (json_array_size(items) <= (size_t)limit) {
        return NULL;
    }
    while (json_array_size(items) > (size_t)limit) {
        json_array_remove(items, json_array_size(items) - 1);
    }
    return se_json_str(json_array_get(items, (size_t)limit - 1), key, "");
}

int list_answer(struct http_request *req, struct http_response *res, struct list_page *page, const char *key,
                store_fn read, void *ctx)
{
    int limit = 0;
    int r = http_page(req, res, &limit, &page->after);
    page->limit = limit + 1;
    r = r < 0 ? r : store_read(http_deps(req)->store, read, ctx);
    return r < 0 ? r : http_list(res, page->items, fields_more(page->items, limit, key));
}
