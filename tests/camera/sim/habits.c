#include "habits.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const char *const controls[] = {"relative", "absolute", "query", "path", "star", "missing"};
static const char *const bases[] = {"own", "none", "other", "location", "query"};
static const char *const channel_forms[] = {"asked", "own", "reversed"};
static const char *const sprops[] = {"well", "none", "broken", "start_codes", "unpadded", "spaced", "commas"};
static const char *const styles[] = {"upper",   "lower",   "folded",  "blanks",      "doubled",
                                     "bare_lf", "trickle", "no_cseq", "provisional", "session_blanks"};

/* Sections that a gateway has no use for, as cameras put them before or between the useful ones. */
static const struct {
    const char *name, *media, *lines;
} extras[] = {
    {"application", "application 0 RTP/AVP 107",
     "a=rtpmap:107 vnd.onvif.metadata/90000\r\na=recvonly\r\nb=AS:5\r\n"},
    {"mjpeg", "video 0 RTP/AVP 26", "a=rtpmap:26 JPEG/90000\r\na=framesize:26 640-360\r\n"},
    {"second_video", "video 0 RTP/AVP 99",
     "a=rtpmap:99 MP4V-ES/90000\r\na=fmtp:99 profile-level-id=3;config=000001B003\r\n"},
    {"text", "text 0 RTP/AVP 98", "a=rtpmap:98 t140/1000\r\n"},
    {"bare", "video 0 RTP/AVP", ""},
};

static int one_of(const json_t *settings, const char *key, const char *const *words, unsigned count,
                  unsigned *ret_choice, struct se_err *err)
{
    const char *text = se_json_str(settings, key, words[0]);

    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_choice = i;
            return 0;
        }
    }
    return se_fail_field(err, -EINVAL, key, "%s \"%s\" is none of those in README.md", key, text);
}

static int read_styles(struct habits *habits, const json_t *list, struct se_err *err)
{
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one) {
        const char *text = json_string_value(one);
        unsigned style = 0;

        while (style < SE_ARRAY_LEN(styles) && (!text || strcmp(text, styles[style]) != 0))
            style++;
        if (style == SE_ARRAY_LEN(styles))
            return se_fail_field(err, -EINVAL, "answers", "answers: \"%s\" is none of those in README.md",
                                 text ? text : "");
        habits->answers |= 1u << style;
    }
    return 0;
}

static int read_extras(struct habits *habits, const json_t *list, struct se_err *err)
{
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one) {
        const char *text = json_string_value(one);
        unsigned row = 0;

        while (row < SE_ARRAY_LEN(extras) && (!text || strcmp(text, extras[row].name) != 0))
            row++;
        if (row == SE_ARRAY_LEN(extras) || habits->extra_count == EXTRA_TRACKS)
            return se_fail_field(err, -EINVAL, "tracks", "tracks: at most %d of those in README.md",
                                 EXTRA_TRACKS);
        habits->extra_tracks[habits->extra_count++] = row;
    }
    return 0;
}

static int read_words(struct habits *habits, const json_t *settings, struct se_err *err)
{
    const char *method = se_json_str(settings, "refuse_method", "DESCRIBE");
    const char *redirect = se_json_str(settings, "redirect", NULL);
    const char *hostile = se_json_str(settings, "hostile", NULL);

    habits->refuse_method = se_asprintf("%s", method);
    habits->redirect = redirect ? se_asprintf("%s", redirect) : NULL;
    if (!habits->refuse_method || (redirect && !habits->redirect))
        return -ENOMEM;
    habits->hostile = hostile ? hostile_find(hostile) : NULL;
    if (hostile && !habits->hostile)
        return se_fail_field(err, -EINVAL, "hostile", "hostile \"%s\" is none of those in README.md",
                             hostile);
    return 0;
}

int habits_read(struct habits *habits, const json_t *settings, struct se_err *err)
{
    unsigned control = 0, base = 0, channels = 0, sprop = 0;
    int r = one_of(settings, "control", controls, SE_ARRAY_LEN(controls), &control, err);

    if (r == 0)
        r = one_of(settings, "content_base", bases, SE_ARRAY_LEN(bases), &base, err);
    if (r == 0)
        r = one_of(settings, "channels", channel_forms, SE_ARRAY_LEN(channel_forms), &channels, err);
    if (r == 0)
        r = one_of(settings, "sprop", sprops, SE_ARRAY_LEN(sprops), &sprop, err);
    if (r == 0)
        r = read_styles(habits, json_object_get(settings, "answers"), err);
    if (r == 0)
        r = read_extras(habits, json_object_get(settings, "tracks"), err);
    if (r == 0)
        r = read_words(habits, settings, err);
    if (r < 0)
        return r;
    habits->control = (enum control_form)control;
    habits->base = (enum base_form)base;
    habits->channels = (enum channels_form)channels;
    habits->sprop = (enum sprop_form)sprop;
    habits->audio_first = se_json_bool(settings, "audio_first", false);
    habits->chatter_s = se_json_real(settings, "chatter", 0);
    habits->keyframe_every_s = se_json_real(settings, "keyframe_every", 0);
    habits->refuse_status = (unsigned)se_json_int(settings, "refuse_status", 0);
    return 0;
}

void habits_fini(struct habits *habits)
{
    free(habits->refuse_method);
    free(habits->redirect);
}

void habits_extra(const struct habits *habits, unsigned index, struct se_str *sdp)
{
    unsigned row = habits->extra_tracks[index];

    se_str_printf(sdp, "m=%s\r\n%sa=control:trackID=%u\r\n", extras[row].media, extras[row].lines,
                  EXTRA_TRACK_FIRST + index);
}

static void add_name(const struct habits *habits, const char *name, size_t size, struct se_str *out)
{
    for (size_t i = 0; i < size; i++) {
        char c = name[i];

        if (habits->answers & ANSWER_UPPER)
            c = (char)toupper((unsigned char)c);
        if (habits->answers & ANSWER_LOWER)
            c = (char)tolower((unsigned char)c);
        se_str_add(out, &c, 1);
    }
}

/* One header line, in style. */
static void add_header(const struct habits *habits, const char *line, size_t size, const char *end,
                       struct se_str *out)
{
    const char *colon = memchr(line, ':', size), *value;

    if (!colon) {
        se_str_printf(out, "%.*s%s", (int)size, line, end);
        return;
    }
    if ((habits->answers & ANSWER_NO_CSEQ) && strncmp(line, "CSeq", 4) == 0)
        return;
    value = colon + 1 + strspn(colon + 1, " ");
    add_name(habits, line, (size_t)(colon - line), out);
    se_str_puts(out, habits->answers & ANSWER_BLANKS ? " :   " : ": ");
    if (habits->answers & ANSWER_FOLDED)
        se_str_printf(out, "%s \t", end);
    se_str_add(out, value, size - (size_t)(value - line));
    se_str_printf(out, "%s%s", habits->answers & ANSWER_BLANKS ? "  \t" : "", end);
}

void habits_dress(const struct habits *habits, const char *head, struct se_str *out)
{
    const char *end = habits->answers & ANSWER_BARE_LF ? "\n" : "\r\n";
    bool first = true;

    for (const char *line = head, *next; (next = strstr(line, "\r\n")); line = next + 2) {
        size_t size = (size_t)(next - line);

        if (first || size == 0) {
            se_str_printf(out, "%.*s%s", (int)size, line, end);
            first = false;
            continue;
        }
        add_header(habits, line, size, end, out);
        if (habits->answers & ANSWER_DOUBLED)
            add_header(habits, line, size, end, out);
    }
}

/* One parameter set in base64, once more in base64 with a start code before it. */
static void add_start_code(const char *set, size_t size, struct se_str *out)
{
    uint8_t bytes[1024] = {0, 0, 0, 1};
    long n = size < sizeof(bytes) ? se_base64_decode(set, size, bytes + 4) : -1;
    char *text = n > 0 ? se_base64_encode(bytes, (size_t)n + 4) : NULL;

    se_str_puts(out, text ? text : "");
    free(text);
}

void habits_sprop(const struct habits *habits, const struct clip_track *track, struct se_str *out)
{
    const char *at = track->sprop;

    switch (habits->sprop) {
    case SPROP_NONE:
        return;
    case SPROP_BROKEN:
        se_str_puts(out, track->codec == CLIP_H265 ? ";sprop-vps=Zm9v;sprop-sps=%%%%;sprop-pps="
                                                   : ";sprop-parameter-sets=Z01A,%%%%");
        return;
    case SPROP_WELL:
        se_str_puts(out, at);
        return;
    default:
        break;
    }
    /* ";name=set,set" again and again */
    while (*at) {
        size_t name = strcspn(at, "=") + 1;

        se_str_printf(out, habits->sprop == SPROP_SPACED ? " ; %.*s " : ";%.*s", (int)name - 1, at + 1);
        for (at += name; *at && *at != ';';) {
            size_t size = strcspn(at, ",;"), bare = size;

            while (habits->sprop == SPROP_UNPADDED && bare > 0 && at[bare - 1] == '=')
                bare--;
            if (habits->sprop == SPROP_START_CODES)
                add_start_code(at, size, out);
            else
                se_str_add(out, at, bare);
            at += size;
            if (*at == ',')
                se_str_puts(out, habits->sprop == SPROP_COMMAS   ? ",,"
                                 : habits->sprop == SPROP_SPACED ? " , "
                                                                 : ",");
            at += *at == ',';
        }
        if (habits->sprop == SPROP_COMMAS)
            se_str_puts(out, ",");
    }
}
