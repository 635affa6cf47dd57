/* A recorded file, as a power cut or somebody else's hand left it. */
#include <stdlib.h>
#include <string.h>

#include "mp4/mux.h"
#include "mp4/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte a fragment claims lies within the file. */
static void check(const struct mp4_fragment *fragment, size_t size)
{
    if (fragment->end > size || fragment->traf_count > 2)
        abort();
    for (unsigned i = 0; i < fragment->traf_count; i++) {
        const struct mp4_traf *traf = &fragment->trafs[i];
        uint64_t bytes = 0;
        for (unsigned k = 0; k < traf->count; k++)
            bytes += traf->samples[k].size;
        if (bytes != traf->payload || traf->data_offset < fragment->offset ||
            traf->data_offset + bytes > fragment->end)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mp4_input input = mp4_input_memory(data, size);
    struct mp4_init *init = calloc(1, sizeof(*init));
    struct mp4_index index;
    int64_t end;
    if (mp4_read_index(&input, &index) == 0) {
        for (unsigned i = 0; i < index.count; i++)
            if (index.entries[i].moof_offset >= size)
                abort();
        mp4_index_fini(&index);
    }
    if (init && mp4_read_init(&input, init) == 0) {
        struct se_buf *sets;
        if (init->size > size || init->video.config_size > CODEC_CONFIG_MAX)
            abort();
        if (init->video.codec != CODEC_NONE && video_parameter_sets(&init->video, &sets) == 0)
            se_buf_unref(&sets);
        if (mp4_walk(&input, init->size, &index, &end) == 0) {
            if (index.data_end > size || index.data_end < init->size)
                abort();
            struct mp4_fragment fragment;
            for (uint64_t at = init->size; at < index.data_end; at = fragment.end) {
                if (mp4_read_fragment(&input, at, true, &fragment) < 0)
                    abort(); /* the walk took it */
                check(&fragment, size);
                mp4_fragment_fini(&fragment);
            }
            mp4_index_fini(&index);
        }
    }
    free(init);
    return 0;
}
