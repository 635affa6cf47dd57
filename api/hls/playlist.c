#include "hls/playlist.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void uri(struct se_str *out, const char *prefix, uint64_t number, const char *suffix,
                const char *ticket)
{
    se_str_printf(out, "%s%" PRIu64 "%s%s%s", prefix, number, suffix, ticket ? "?ticket=" : "",
                  ticket ? ticket : "");
}

void hls_playlist_write(struct se_str *out, struct hls_segment *const *segments, unsigned count,
                        const char *prefix, const char *ticket)
{
    const struct hls_segment *first = segments[0];
    uint64_t init = 0;
    /* Not EXT-X-INDEPENDENT-SEGMENTS: where groups of pictures are long a segment begins within one. */
    se_str_printf(out,
                  "#EXTM3U\n"
                  "#EXT-X-VERSION:7\n"
                  "#EXT-X-TARGETDURATION:%d\n"
                  "#EXT-X-MEDIA-SEQUENCE:%" PRIu64 "\n"
                  "#EXT-X-DISCONTINUITY-SEQUENCE:%" PRIu64 "\n",
                  HLS_TARGET_S, first->number, first->discontinuities - first->discontinuity);
    for (unsigned i = 0; i < count; i++) {
        const struct hls_segment *segment = segments[i];
        char at[SE_TIME_LEN];
        if (segment->discontinuity)
            se_str_puts(out, "#EXT-X-DISCONTINUITY\n");
        if (segment->discontinuity || segment->init_number != init) {
            init = segment->init_number;
            se_str_puts(out, "#EXT-X-MAP:URI=\"");
            uri(out, prefix, init, ".mp4", ticket);
            se_str_puts(out, "\"\n");
        }
        se_time_format(segment->at_ms, at);
        se_str_printf(out, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%.3f,\n", at,
                      (double)segment->duration_90k / 90000);
        uri(out, prefix, segment->number, ".m4s", ticket);
        se_str_puts(out, "\n");
    }
}

int hls_part_parse(const char *name, uint64_t *ret_number, bool *ret_init)
{
    uint64_t number = 0;
    const char *p = name;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (p - name >= 18)
            return -ENOENT;
        number = number * 10 + (uint64_t)(*p - '0');
    }
    bool init = strcmp(p, ".mp4") == 0;
    if (p == name || (!init && strcmp(p, ".m4s") != 0))
        return -ENOENT;
    *ret_number = number;
    *ret_init = init;
    return 0;
}
