#include "record/playback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/plan.h"

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

static int read_piece(struct playback *playback, const struct piece *piece, int64_t within, void *out,
                      size_t size)
{
    if (piece->memory) {
        memcpy(out, piece->memory->data + within, size);
        return 0;
    }
    if (playback->fd < 0 || playback->fd_file != piece->file) {
        if (playback->fd >= 0)
            close(playback->fd);
        playback->fd = -1;
        int r = plan_open_file(playback, piece->file, &playback->fd);
        if (r < 0)
            return r;
        playback->fd_file = piece->file;
    }
    struct mp4_input input = mp4_input_fd(playback->fd, UINT64_MAX);
    return input.read(&input, piece->at + (uint64_t)within, out, size);
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
    if (playback->fd >= 0)
        close(playback->fd);
    for (unsigned i = 0; i < playback->piece_count; i++)
        se_buf_unref(&playback->pieces[i].memory);
    free(playback->pieces);
    free(playback->files);
    free(playback);
}
