/* What libavformat's packets and a stranger's playlists bring: records and packets into access units, URLs.
 * The first byte chooses the codec; then follow pieces: a kind, two bytes of length, so many bytes. */
#include <stdlib.h>
#include <string.h>

#include "av/av_log.h"
#include "av/media_url.h"
#include "av/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VIDEO_CONFIG, VIDEO, AUDIO_CONFIG, AUDIO, URL, LINE, KINDS };

/* Every length leads to the next, and the last one to the end. */
static void check_lengths(const struct access_unit *unit)
{
    const uint8_t *p = unit->data->data, *end = p + unit->data->size;
    while (p < end) {
        if (end - p < 4)
            abort();
        size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (length > (size_t)(end - p) - 4)
            abort();
        p += 4 + length;
    }
}

static void check_url(const char *text)
{
    struct media_url url, again;
    struct se_err err = {0};
    if (media_url_parse(text, &url, &err) < 0) {
        if (!err.text[0])
            abort();
        return;
    }
    if (!url.host[0] || !url.port || strpbrk(url.text, "\r\n ") || url.rest < url.text)
        abort();
    char *at = media_url_at(&url, "10.0.0.1", url.username, url.password);
    if (at && strlen(at) <= MEDIA_URL_MAX) {
        if (media_url_parse(at, &again, NULL) < 0 || again.port != url.port ||
            strcmp(again.host, "10.0.0.1") || strcmp(again.rest, url.rest))
            abort();
        media_url_fini(&again);
    }
    free(at);
    media_url_fini(&url);
}

static void one(struct video_units *video, struct audio_units *audio, unsigned kind, const uint8_t *data,
                size_t size)
{
    struct access_unit *unit = NULL;
    bool new;
    uint8_t *copy = malloc(size + 1); /* to the byte for what is binary */
    memcpy(copy, data, size);
    uint8_t *exact = realloc(copy, kind >= URL ? size + 1 : size ? size : 1);
    exact = exact ? exact : copy;
    switch (kind) {
    case VIDEO_CONFIG:
        video_units_config(video, exact, size);
        break;
    case VIDEO:
        if (video_units_take(video, exact, size, &new, &unit) == 0)
            check_lengths(unit);
        break;
    case AUDIO_CONFIG:
        (void)audio_units_config(audio, exact, size);
        break;
    case AUDIO:
        (void)audio_units_take(audio, exact, size, &new, &unit);
        break;
    case URL:
        exact[size] = 0;
        check_url((const char *)exact);
        break;
    case LINE:
        exact[size] = 0;
        av_log_redact((char *)exact);
        if (strstr((const char *)exact, "://"))
            for (const char *p = strstr((const char *)exact, "://"); p; p = strstr(p + 1, "://"))
                if (p - (const char *)exact >= 3 && !strchr(" \t\n\v\f\r'\"<>", p[-1]))
                    abort();
        break;
    }
    access_unit_unref(&unit);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct video_units video;
    struct audio_units audio = {0};
    if (!size)
        return 0;
    video_units_init(&video, data[0] & 1 ? CODEC_H265 : CODEC_H264);
    for (data++, size--; size >= 3;) {
        size_t length = (size_t)data[1] << 8 | data[2];
        if (length > size - 3)
            length = size - 3;
        one(&video, &audio, data[0] % KINDS, data + 3, length);
        data += 3 + length;
        size -= 3 + length;
    }
    return 0;
}
