#include "record/playback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/plan.h"

/* Where the fragments of one stored file lie, and what to overwrite in each. */
struct patch {
    uint64_t at; /* of the file */
    uint8_t bytes[8];
    unsigned size;
};
struct fragment_table {
    unsigned file;
    int fd;
    struct patch *patches; /* by place */
    size_t count, cap;
};

static void table_free(struct fragment_table *table)
{
    if (!table)
        return;
    close(table->fd);
    free(table->patches);
    free(table);
}

static int add_patch(struct fragment_table *table, uint64_t at, uint64_t value, unsigned size)
{
    if (table->count == table->cap) {
        size_t cap = table->cap ? table->cap * 2 : 256;
        void *patches = realloc(table->patches, cap * sizeof(*table->patches));
        if (!patches)
            return -ENOMEM;
        table->patches = patches;
        table->cap = cap;
    }
    struct patch *patch = &table->patches[table->count++];
    *patch = (struct patch){.at = at, .size = size};
    if (size == 8)
        mp4_put_u64(patch->bytes, value);
    else
        mp4_put_u32(patch->bytes, (uint32_t)value);
    return 0;
}

static int patch_fragment(struct fragment_table *table, const struct plan_file *file,
                          const struct mp4_fragment *f, uint32_t sequence)
{
    int r = add_patch(table, f->offset + f->sequence_at, sequence, 4);
    for (unsigned i = 0; i < f->traf_count && r == 0; i++) {
        const struct mp4_traf *traf = &f->trafs[i];
        int64_t dts = (int64_t)traf->dts_90k + file->shift_90k;
        if (traf->description_at)
            r = add_patch(table, f->offset + traf->description_at,
                          traf->track == MP4_TRACK_VIDEO ? file->video : file->audio, 4);
        if (r == 0)
            r = add_patch(table, f->offset + traf->tfdt_at, dts > 0 ? (uint64_t)dts : 0, 8);
    }
    return r;
}

/* The table of one file: made when reading first comes to it. */
static int table_for(struct playback *playback, unsigned number)
{
    if (playback->table && playback->table->file == number)
        return 0;
    table_free(playback->table);
    playback->table = NULL;
    struct fragment_table *table = calloc(1, sizeof(*table));
    struct mp4_input input;
    if (!table)
        return -ENOMEM;
    int r = plan_open_file(playback, number, &table->fd, &input);
    if (r < 0) {
        free(table);
        return r;
    }
    table->file = number;
    const struct plan_file *file = &playback->files[number];
    uint32_t sequence = number * 8192 + 1;
    for (uint64_t at = file->from; at < file->to && r == 0;) {
        struct mp4_fragment f;
        r = mp4_read_fragment(&input, at, false, &f);
        if (r < 0)
            break;
        r = patch_fragment(table, file, &f, sequence++);
        at = f.end;
    }
    if (r < 0) {
        table_free(table);
        return r;
    }
    playback->table = table;
    return 0;
}

static void apply(const struct fragment_table *table, uint64_t at, uint8_t *out, size_t size)
{
    size_t low = 0, high = table->count;
    while (low < high) { /* the first patch that ends behind `at` */
        size_t middle = (low + high) / 2;
        if (table->patches[middle].at + table->patches[middle].size <= at)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < table->count && table->patches[low].at < at + size; low++) {
        const struct patch *patch = &table->patches[low];
        for (unsigned i = 0; i < patch->size; i++)
            if (patch->at + i >= at && patch->at + i < at + size)
                out[patch->at + i - at] = patch->bytes[i];
    }
}

static int read_piece(struct playback *playback, const struct piece *piece, int64_t within, uint8_t *out,
                      size_t size)
{
    if (piece->kind == PIECE_MEMORY) {
        memcpy(out, piece->memory->data + within, size);
        return 0;
    }
    int r = table_for(playback, piece->file);
    if (r < 0)
        return r;
    uint64_t at = piece->at + (uint64_t)within;
    struct mp4_input input = mp4_input_fd(playback->table->fd, UINT64_MAX);
    r = input.read(&input, at, out, size);
    if (r == 0 && piece->kind == PIECE_FRAGMENTS)
        apply(playback->table, at, out, size);
    return r;
}

int64_t playback_size(const struct playback *playback)
{
    return playback->size;
}

static unsigned piece_at(const struct playback *playback, int64_t offset)
{
    unsigned low = 0, high = playback->piece_count;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (playback->pieces[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

long playback_read(struct playback *playback, int64_t offset, void *out, size_t size)
{
    size_t done = 0;
    if (offset < 0)
        return -EINVAL;
    while (done < size && offset < playback->size) {
        const struct piece *piece = &playback->pieces[piece_at(playback, offset)];
        int64_t within = offset - piece->offset, left = piece->size - within;
        size_t n = (uint64_t)left < size - done ? (size_t)left : size - done;
        if (read_piece(playback, piece, within, (uint8_t *)out + done, n) < 0)
            return done ? (long)done : -EIO;
        done += n;
        offset += (int64_t)n;
    }
    return (long)done;
}

void playback_free(struct playback *playback)
{
    if (!playback)
        return;
    table_free(playback->table);
    for (unsigned i = 0; i < playback->piece_count; i++)
        se_buf_unref(&playback->pieces[i].memory);
    for (unsigned i = 0; playback->files && i < playback->file_count; i++)
        free(playback->files[i].keys);
    free(playback->pieces);
    free(playback->files);
    free(playback);
}
