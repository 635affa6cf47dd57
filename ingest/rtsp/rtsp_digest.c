#include "ingest/rtsp_digest.h"

#include <libavutil/md5.h>
#include <libavutil/mem.h>
#include <libavutil/sha.h>
#include <string.h>

#include "base/str.h"

void rtsp_digest(enum rtsp_digest algorithm, const char *const *parts, unsigned count,
                 char out[RTSP_DIGEST_LEN])
{
    struct se_str joined = {0};
    uint8_t hash[32];
    size_t size = 0;
    for (unsigned i = 0; i < count; i++) {
        se_str_puts(&joined, i ? ":" : "");
        se_str_puts(&joined, parts[i]);
    }
    struct AVSHA *sha = algorithm == RTSP_DIGEST_SHA256 ? av_sha_alloc() : NULL;
    if (sha && av_sha_init(sha, 256) == 0 && !joined.oom) {
        av_sha_update(sha, (const uint8_t *)joined.data, joined.len);
        av_sha_final(sha, hash);
        size = 32;
    } else if (algorithm == RTSP_DIGEST_MD5 && !joined.oom) {
        av_md5_sum(hash, (const uint8_t *)joined.data, joined.len);
        size = 16;
    }
    av_free(sha);
    if (joined.data)
        explicit_bzero(joined.data, joined.len);
    se_str_fini(&joined);
    se_hex_encode(hash, size, out);
}
