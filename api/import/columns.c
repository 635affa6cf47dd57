#include "import/columns.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/geo.h"
#include "base/json.h"

#define NAMES_MAX 20

/* As they are written in lists of cameras, after heading_plain(). The first is our own name, without its _.
 */
static const struct {
    const char *name;
    const char *headings[NAMES_MAX];
} columns_table[IMPORT_COLUMNS] = {
    [COLUMN_CODE] = {"code",
                     {"code", "cameracode", "devicecode", "deviceid", "gbcode", "gbid", "编码", "编号",
                      "国标编码", "国标编号", "国标id", "设备编码", "设备编号", "摄像机编码", "摄像机编号",
                      "通道编码", "通道编号", "点位编号"}},
    [COLUMN_NAME] = {"name",
                     {"name", "cameraname", "devicename", "名称", "摄像机名称", "摄像头名称", "设备名称",
                      "通道名称", "点位名称", "监控点名称"}},
    [COLUMN_DEPARTMENT] = {"department",
                           {"department", "departmentid", "departmentcode", "部门", "部门编码", "部门代码",
                            "所属部门", "单位", "所属单位"}},
    [COLUMN_GRID] = {"grid", {"grid", "gridid", "gridcode", "网格", "网格编码", "网格代码", "所属网格"}},
    [COLUMN_LAT] = {"lat", {"lat", "latitude", "纬度"}},
    [COLUMN_LON] = {"lon", {"lon", "lng", "long", "longitude", "经度"}},
    [COLUMN_MAIN_URL] = {"main_url",
                         {"mainurl", "url", "rtsp", "rtspurl", "mainstream", "streamurl", "主码流",
                          "主码流地址", "主码流url", "rtsp地址", "取流地址", "视频流地址", "流地址"}},
    [COLUMN_SUB_URL] = {"sub_url",
                        {"suburl", "substream", "子码流", "子码流地址", "子码流url", "辅码流", "辅码流地址"}},
    [COLUMN_USERNAME] = {"username", {"username", "user", "account", "用户名", "用户", "账号", "登录名"}},
    [COLUMN_PASSWORD] = {"password", {"password", "pass", "pwd", "密码", "口令", "登录密码"}},
    [COLUMN_TRANSPORT] = {"transport", {"transport", "传输", "传输方式", "传输协议"}},
    [COLUMN_ENABLED] = {"enabled", {"enabled", "enable", "启用", "是否启用", "启用状态"}},
    [COLUMN_RECORD_MODE] = {"record_mode",
                            {"recordmode", "record", "recording", "录像", "录像模式", "录像方式"}},
    [COLUMN_RETENTION_DAYS] = {"retention_days",
                               {"retentiondays", "retention", "保存天数", "录像保存天数", "存储天数"}},
    [COLUMN_ENGINE] = {"engine", {"engine", "引擎", "取流引擎"}},
    [COLUMN_FINGERPRINT] = {"tls_fingerprint", {"tlsfingerprint", "fingerprint", "证书指纹"}},
};

const char *import_column_name(enum import_column column)
{
    return columns_table[column].name;
}

/* ---- headings ---- */

/* "Main_URL (RTSP) *" → "mainurl": lower case, without blanks, marks, and what is in brackets. */
static void heading_plain(const char *text, char out[64])
{
    static const char *const open_wide = "（", *const close_wide = "）", *const blank_wide = "　";
    size_t n = 0;
    unsigned depth = 0;
    for (const char *p = text; *p && n < 63; p++) {
        bool wide = strncmp(p, blank_wide, 3) == 0 || strncmp(p, "：", 3) == 0 || strncmp(p, "＊", 3) == 0;
        if (*p == '(' || strncmp(p, open_wide, 3) == 0) {
            depth++;
            p += *p == '(' ? 0 : 2;
        } else if (*p == ')' || strncmp(p, close_wide, 3) == 0) {
            depth -= depth > 0;
            p += *p == ')' ? 0 : 2;
        } else if (wide) {
            p += 2;
        } else if (!depth && !strchr(" \t\r\n_-*:.", *p)) {
            out[n++] = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        }
    }
    out[n] = '\0';
}

static int column_of(const char *heading)
{
    char plain[64];
    heading_plain(heading, plain);
    for (int c = 0; c < IMPORT_COLUMNS; c++)
        for (int i = 0; i < NAMES_MAX && columns_table[c].headings[i]; i++)
            if (strcmp(plain, columns_table[c].headings[i]) == 0)
                return c;
    return -1;
}

/* What may be shown of a heading: whole characters. */
static void ignore(json_t *ignored, const char *heading)
{
    size_t n = strnlen(heading, 60);
    while (n > 0 && heading[n] && ((unsigned char)heading[n] & 0xc0) == 0x80)
        n--;
    if (n > 0)
        json_array_append_new(ignored, json_stringn(heading, n));
}

static int missing(const struct import_columns *columns, struct se_err *err)
{
    static const enum import_column needed[] = {COLUMN_CODE, COLUMN_NAME, COLUMN_MAIN_URL};
    static const char *const chinese[] = {"编码", "名称", "主码流地址"};
    char list[120] = "";
    for (unsigned i = 0; i < SE_ARRAY_LEN(needed); i++) {
        size_t used = strlen(list);
        if (columns->at[needed[i]] < 0)
            snprintf(list + used, sizeof(list) - used, "%s%s (%s)", used ? ", " : "",
                     import_column_name(needed[i]), chinese[i]);
    }
    if (!*list)
        return 0;
    return se_fail(err, -EINVAL,
                   "The first row must hold the headings of the columns. These are missing: %s.", list);
}

int import_columns_read(const struct csv_row *row, struct import_columns *ret_columns, struct se_err *err)
{
    struct import_columns columns = {.ignored = json_array()};
    for (int c = 0; c < IMPORT_COLUMNS; c++)
        columns.at[c] = -1;
    int r = columns.ignored ? 0 : -ENOMEM;
    for (unsigned i = 0; r == 0 && i < row->count; i++) {
        int column = column_of(row->fields[i]);
        if (column < 0)
            ignore(columns.ignored, row->fields[i]);
        else if (columns.at[column] >= 0)
            r = se_fail(err, -EINVAL, "Two columns (%d and %u) are the %s; leave one.",
                        columns.at[column] + 1, i + 1, import_column_name((enum import_column)column));
        else
            columns.at[column] = (int)i;
    }
    r = r < 0 ? r : missing(&columns, err);
    if (r < 0) {
        import_columns_fini(&columns);
        return r;
    }
    *ret_columns = columns;
    return 0;
}

void import_columns_fini(struct import_columns *columns)
{
    json_decref(columns->ignored);
    columns->ignored = NULL;
}

/* ---- rows ---- */

const char *import_field(const struct import_columns *columns, const struct csv_row *row,
                         enum import_column column)
{
    int at = columns->at[column];
    return at >= 0 && (unsigned)at < row->count ? row->fields[at] : "";
}

void import_wrong(json_t *errors, const char *field, const char *fmt, ...)
{
    char reason[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    if (json_array_size(errors) < 20)
        json_array_append_new(errors, json_pack("{s:s, s:s}", "field", field, "reason", reason));
}

/* A word of a list in any of its spellings, "word|spelling|…" each; NULL when it is none. */
static const char *word_of(const char *text, const char *const *words, size_t count, char out[16])
{
    size_t len = strlen(text);
    for (size_t i = 0; i < count; i++) {
        for (const char *p = words[i];; p++) {
            size_t n = strcspn(p, "|");
            if (n == len && strncasecmp(p, text, n) == 0) {
                size_t first = strcspn(words[i], "|");
                memcpy(out, words[i], first);
                out[first] = '\0';
                return out;
            }
            p += n;
            if (!*p)
                break;
        }
    }
    return NULL;
}

static const char *const transports[] = {"auto|自动", "tcp", "udp"};
static const char *const engines[] = {"auto|自动", "ffmpeg"};
static const char *const modes[] = {"continuous|连续|连续录像|全天|全天录像|是|yes|1",
                                    "on_demand|ondemand|on-demand|按需|点播", "off|关闭|不录|不录像|否|no|0"};
static const char *const flags[] = {"true|1|yes|y|on|是|启用|已启用", "false|0|no|n|off|否|停用|禁用|未启用"};

static int put_word(json_t *object, const char *key, const char *text, enum import_column column,
                    const char *const *words, size_t count, json_t *errors)
{
    char word[16];
    if (!*text)
        return 0;
    if (word_of(text, words, count, word))
        return se_json_put_str(object, key, word);
    char list[64] = "";
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s%.*s", i ? ", " : "", (int)strcspn(words[i], "|"),
                 words[i]);
    }
    import_wrong(errors, import_column_name(column), "must be one of %s", list);
    return 0;
}

/* Degrees, up to a degree sign. */
static bool degrees(const char *text, double max, double *ret)
{
    char *end;
    double value = strtod(text, &end);
    if (strncmp(end, "°", strlen("°")) == 0)
        end += strlen("°");
    bool good = end != text && !*end && isfinite(value) && value >= -max && value <= max;
    if (good)
        *ret = value;
    return good;
}

static int put_location(json_t *camera, const char *lat, const char *lon, bool gcj02, json_t *errors)
{
    struct se_place place;
    if (!*lat && !*lon)
        return 0;
    bool lat_good = degrees(lat, 90, &place.lat), lon_good = degrees(lon, 180, &place.lon);
    if (!lat_good)
        import_wrong(errors, "lat", "%s",
                     *lat ? "must be degrees from -90 to 90, as in 23.0215" : "is missing beside lon");
    if (!lon_good)
        import_wrong(errors, "lon", "%s",
                     *lon ? "must be degrees from -180 to 180, as in 113.1214" : "is missing beside lat");
    if (!lat_good || !lon_good)
        return 0;
    if (gcj02)
        place = se_gcj02_to_wgs84(place);
    return se_json_put(camera, "location", json_pack("{s:f, s:f}", "lat", place.lat, "lon", place.lon));
}

static int put_text(json_t *object, const char *key, const char *text)
{
    return *text ? se_json_put_str(object, key, text) : 0;
}

static int put_record(json_t *camera, const char *mode, const char *days, json_t *errors)
{
    json_t *record = json_object();
    int r = put_word(record, "mode", mode, COLUMN_RECORD_MODE, modes, SE_ARRAY_LEN(modes), errors);
    if (*days) {
        char *end;
        long value = strtol(days, &end, 10);
        bool whole = *end == '\0' || strcmp(end, "天") == 0;
        if (end == days || !whole || value < 1 || value > 36500)
            import_wrong(errors, "retention_days", "must be a whole number from 1 to 36500");
        else
            r |= se_json_put(record, "retention_days", json_integer(value));
    }
    if (!json_object_size(record)) {
        json_decref(record);
        return r;
    }
    return r | se_json_put(camera, "record", record);
}

static json_t *stream_json(const struct import_columns *columns, const struct csv_row *row, const char *role,
                           enum import_column url, json_t *errors)
{
    json_t *stream = json_pack("{s:s}", "role", role);
    int r = put_text(stream, "url", import_field(columns, row, url)) |
            put_text(stream, "username", import_field(columns, row, COLUMN_USERNAME)) |
            put_text(stream, "password", import_field(columns, row, COLUMN_PASSWORD)) |
            put_text(stream, "tls_fingerprint", import_field(columns, row, COLUMN_FINGERPRINT)) |
            put_word(stream, "transport", import_field(columns, row, COLUMN_TRANSPORT), COLUMN_TRANSPORT,
                     transports, SE_ARRAY_LEN(transports), errors) |
            put_word(stream, "engine", import_field(columns, row, COLUMN_ENGINE), COLUMN_ENGINE, engines,
                     SE_ARRAY_LEN(engines), errors);
    if (r < 0) {
        json_decref(stream);
        return NULL;
    }
    return stream;
}

static int put_streams(json_t *camera, const struct import_columns *columns, const struct csv_row *row,
                       bool has_sub, json_t *errors)
{
    json_t *streams = json_array(),
           *unheard = json_array(); /* a wrong word is said once, not for each stream */
    int r = json_array_append_new(streams, stream_json(columns, row, "main", COLUMN_MAIN_URL, errors));
    if (has_sub || *import_field(columns, row, COLUMN_SUB_URL))
        r |= json_array_append_new(streams, stream_json(columns, row, "sub", COLUMN_SUB_URL, unheard));
    json_decref(unheard);
    return r | se_json_put(camera, "streams", streams);
}

json_t *import_row_json(const struct import_columns *columns, const struct csv_row *row, bool gcj02,
                        bool has_sub, json_t *errors)
{
    json_t *camera = json_object();
    const char *enabled = import_field(columns, row, COLUMN_ENABLED);
    char word[16];
    int r = put_text(camera, "code", import_field(columns, row, COLUMN_CODE)) |
            put_text(camera, "name", import_field(columns, row, COLUMN_NAME)) |
            put_text(camera, "department_id", import_field(columns, row, COLUMN_DEPARTMENT)) |
            put_text(camera, "grid_id", import_field(columns, row, COLUMN_GRID)) |
            put_location(camera, import_field(columns, row, COLUMN_LAT),
                         import_field(columns, row, COLUMN_LON), gcj02, errors) |
            put_record(camera, import_field(columns, row, COLUMN_RECORD_MODE),
                       import_field(columns, row, COLUMN_RETENTION_DAYS), errors) |
            put_streams(camera, columns, row, has_sub, errors);
    if (*enabled && !word_of(enabled, flags, SE_ARRAY_LEN(flags), word))
        import_wrong(errors, "enabled", "must be yes or no");
    else if (*enabled)
        r |= se_json_put(camera, "enabled", json_boolean(strcmp(word, "true") == 0));
    if (r != 0) {
        json_decref(camera);
        return NULL;
    }
    return camera;
}

const char *import_field_name(const char *api_field)
{
    static const char *const names[][2] = {
        {"streams/0/url", "main_url"},   {"streams/1/url", "sub_url"},
        {"record/mode", "record_mode"},  {"record/retention_days", "retention_days"},
        {"location/lat", "lat"},         {"location/lon", "lon"},
        {"department_id", "department"}, {"grid_id", "grid"},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(names); i++)
        if (strcmp(api_field, names[i][0]) == 0)
            return names[i][1];
    return strncmp(api_field, "streams/", 8) == 0 && strchr(api_field + 8, '/')
               ? strchr(api_field + 8, '/') + 1
               : api_field;
}
