#include "record/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "record/volume.h"

#define PIECES_MAX 65536u
#define KEYS_MAX   60000u

/* What the planning gathers on its way. */
struct planning {
    struct playback *playback;
    int64_t from_90k, to_90k;     /* wall clock */
    int64_t origin_90k, lead_90k; /* wall clock of media time lead; lead: room for reordering */
    int64_t end_90k;              /* media time where presentation ends */
    struct video_params *videos[MP4_DESCRIPTIONS_MAX];
    struct audio_params *audios[MP4_DESCRIPTIONS_MAX];
    unsigned video_count, audio_count;
    /* The fragment that `to` falls into, in the last file; sent up to there. */
    struct mp4_fragment last;
    bool has_last;
    unsigned last_file;
};

int plan_add_piece(struct playback *playback, struct piece piece)
{
    if (piece.size == 0) {
        se_buf_unref(&piece.memory);
        return 0;
    }
    if (playback->piece_count == playback->piece_cap) {
        unsigned cap = playback->piece_cap ? playback->piece_cap * 2 : 16;
        void *pieces = cap <= PIECES_MAX ? realloc(playback->pieces, cap * sizeof(*playback->pieces)) : NULL;
        if (!pieces) {
            se_buf_unref(&piece.memory);
            return -ENOMEM;
        }
        playback->pieces = pieces;
        playback->piece_cap = cap;
    }
    piece.offset = playback->size;
    playback->pieces[playback->piece_count++] = piece;
    playback->size += piece.size;
    return 0;
}

int plan_open_file(const struct playback *playback, unsigned file, int *ret_fd, struct mp4_input *ret_input)
{
    const struct plan_file *f = &playback->files[file];
    struct stat st;
    int fd;
    int r = volumes_open_file(playback->volumes, f->volume, &f->key, &fd);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    *ret_fd = fd;
    *ret_input = mp4_input_fd(fd, (uint64_t)st.st_size);
    return 0;
}

/* --- sample descriptions --------------------------------------------------------------------------- */

/* The number of an equal one among those gathered, or of a new one. -E2BIG. */
static int describe_video(struct planning *p, const struct video_params *params, uint32_t *ret_number)
{
    for (unsigned i = 0; i < p->video_count; i++)
        if (p->videos[i]->codec == params->codec && p->videos[i]->config_size == params->config_size &&
            memcmp(p->videos[i]->config, params->config, params->config_size) == 0) {
            *ret_number = i + 1;
            return 0;
        }
    if (p->video_count == MP4_DESCRIPTIONS_MAX)
        return -E2BIG;
    struct video_params *copy = malloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *params;
    p->videos[p->video_count++] = copy;
    *ret_number = p->video_count;
    return 0;
}

static int describe_audio(struct planning *p, const struct audio_params *params, uint32_t *ret_number)
{
    *ret_number = 0;
    if (params->codec == CODEC_NONE)
        return 0;
    for (unsigned i = 0; i < p->audio_count; i++)
        if (p->audios[i]->config_size == params->config_size &&
            memcmp(p->audios[i]->config, params->config, params->config_size) == 0) {
            *ret_number = i + 1;
            return 0;
        }
    if (p->audio_count == MP4_DESCRIPTIONS_MAX)
        return -E2BIG;
    struct audio_params *copy = malloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *params;
    p->audios[p->audio_count++] = copy;
    *ret_number = p->audio_count;
    return 0;
}

/* --- one file ---------------------------------------------------------------------------------------- */

/* Walks on from a fragment to the one that presents media time `until` (of the file), and notes it. */
static int find_end(struct planning *p, const struct mp4_input *input, struct plan_file *file,
                    unsigned number, uint64_t begin, uint64_t data_end, int64_t until)
{
    uint64_t at = begin;
    while (at < data_end) {
        struct mp4_fragment f;
        int r = mp4_read_fragment(input, at, false, &f);
        if (r == -ENODATA || r == -EBADMSG)
            break;
        if (r < 0)
            return r;
        const struct mp4_traf *video = mp4_fragment_track(&f, MP4_TRACK_VIDEO);
        if (video && video->end_pts_90k > until) {
            mp4_fragment_fini(&p->last);
            r = mp4_read_fragment(input, at, true, &p->last);
            p->has_last = r == 0;
            p->last_file = number;
            file->to = at;
            return r;
        }
        at = f.end;
    }
    file->to = at;
    return 0;
}

static int plan_range(struct planning *p, const struct mp4_input *input, const struct mp4_init *init,
                      unsigned number, const struct found *found)
{
    struct plan_file *file = &p->playback->files[number];
    struct mp4_index index;
    int64_t end;
    int r = mp4_read_index(input, &index);
    if (r == -ENODATA)
        r = mp4_walk(input, init->size, &index, &end);
    else
        end = 0;
    if (r < 0)
        return r;
    file->end_90k = end ? file->start_90k + end - file->edit_90k : found->end_ms * 90;
    if (file->end_90k > p->to_90k)
        file->end_90k = p->to_90k;
    file->keys = index.entries;
    file->key_count = index.count;
    file->from = init->size;
    file->to = index.data_end;
    int64_t from = p->from_90k - file->start_90k + file->edit_90k,
            to = p->to_90k - file->start_90k + file->edit_90k;
    uint64_t near_end = init->size;
    for (unsigned i = 0; i < index.count; i++) {
        if (number == 0 && (i == 0 || (int64_t)index.entries[i].time_90k <= from)) {
            file->from = index.entries[i].moof_offset;
            p->origin_90k = file->start_90k + (int64_t)index.entries[i].time_90k - file->edit_90k;
        }
        if ((int64_t)index.entries[i].time_90k < to)
            near_end = index.entries[i].moof_offset;
    }
    if (found->end_ms * 90 > p->to_90k || found->open)
        r = find_end(p, input, file, number, near_end > file->from ? near_end : file->from, index.data_end,
                     to);
    return r;
}

/* -ENODATA: nothing to play in it. */
static int plan_file(struct planning *p, const struct found *found)
{
    struct playback *playback = p->playback;
    unsigned number = playback->file_count;
    struct plan_file *file = &playback->files[number];
    struct mp4_init *init = calloc(1, sizeof(*init));
    struct mp4_input input;
    int fd = -1;
    if (!init)
        return -ENOMEM;
    *file = (struct plan_file){.key = found->key, .start_90k = found->key.start_ms * 90};
    memcpy(file->volume, found->volume, sizeof(file->volume));
    int r = plan_open_file(playback, number, &fd, &input);
    if (r == 0)
        r = mp4_read_init(&input, init);
    if (r == 0 && init->video.codec == CODEC_NONE)
        r = -ENODATA;
    if (r == 0) {
        file->edit_90k = init->edit_media_90k;
        if (number == 0)
            p->origin_90k = file->start_90k;
        r = plan_range(p, &input, init, number, found);
    }
    if (r == 0 && file->to <= file->from && !(p->has_last && p->last_file == number))
        r = -ENODATA;
    if (r == 0)
        r = describe_video(p, &init->video, &file->video);
    if (r == 0)
        r = describe_audio(p, &init->audio, &file->audio);
    if (fd >= 0)
        close(fd);
    if (r == 0) {
        playback->file_count++;
        if (file->edit_90k > p->lead_90k)
            p->lead_90k = file->edit_90k;
    } else {
        free(file->keys);
        file->keys = NULL;
    }
    free(init);
    return r;
}

/* --- the whole --------------------------------------------------------------------------------------- */

/* Files by clock epoch, so that an hour that came twice is played twice, one after the other. */
static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->key.epoch != y->key.epoch)
        return x->key.epoch < y->key.epoch ? -1 : 1;
    return x->key.start_ms < y->key.start_ms ? -1 : x->key.start_ms > y->key.start_ms;
}

static int plan_files(struct planning *p, struct found_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof(*list->items), compare);
    for (size_t i = 0; i < list->count; i++) {
        int r = plan_file(p, &list->items[i]);
        if (r == -ENOMEM || r == -E2BIG || r == -EMFILE || r == -ENFILE)
            return r;
        if (r < 0 && r != -ENODATA) {
            char path[SEGMENT_PATH_MAX];
            segment_path(&list->items[i].key, path);
            se_warn("playback", "a recorded file is left out file=%s volume=%s error=\"%s\"", path,
                    list->items[i].volume, strerror(-r));
        }
    }
    return p->playback->file_count ? 0 : -ENOENT;
}

/* Gives every file its place on the output's timeline, never before the one in front of it. */
static void place(struct planning *p)
{
    int64_t before = 0; /* media time */
    if (p->origin_90k > p->from_90k)
        p->origin_90k = p->from_90k; /* a gap first keeps its time too */
    for (unsigned i = 0; i < p->playback->file_count; i++) {
        struct plan_file *file = &p->playback->files[i];
        int64_t begin = file->start_90k - p->origin_90k + p->lead_90k;
        int64_t delay = i > 0 && begin < before ? before - begin : 0;
        file->shift_90k = begin + delay - file->edit_90k;
        before = file->end_90k - p->origin_90k + p->lead_90k + delay;
        if (before > p->end_90k)
            p->end_90k = before;
    }
}

/* How many samples from the front are presented before `until`, and what they weigh. */
static unsigned kept(const struct mp4_traf *traf, int64_t until, uint64_t *ret_bytes)
{
    int64_t dts = (int64_t)traf->dts_90k;
    unsigned count = 0;
    uint64_t bytes = 0;
    *ret_bytes = 0;
    for (unsigned i = 0; i < traf->count; i++) {
        struct mp4_sample *s = &traf->samples[i];
        bytes += s->size;
        if (dts + s->cts_90k < until) {
            count = i + 1;
            *ret_bytes = bytes;
        }
        dts += s->duration_90k;
    }
    dts = (int64_t)traf->dts_90k;
    for (unsigned i = 0; i + 1 < count; i++)
        dts += traf->samples[i].duration_90k;
    if (count && dts + traf->samples[count - 1].duration_90k > until && dts < until)
        traf->samples[count - 1].duration_90k = (uint32_t)(until - dts);
    return count;
}

/* The fragment that `to` falls into, written anew with the samples before it. */
static int add_last(struct planning *p)
{
    struct plan_file *file = &p->playback->files[p->last_file];
    int64_t until = p->to_90k - file->start_90k + file->edit_90k;
    struct mp4_track_run runs[2];
    struct piece bytes[2];
    unsigned count = 0;
    struct mp4_writer w = {0};
    for (unsigned i = 0; i < p->last.traf_count && p->has_last; i++) {
        const struct mp4_traf *traf = &p->last.trafs[i];
        bool video = traf->track == MP4_TRACK_VIDEO;
        uint64_t size;
        unsigned keep = kept(traf, until, &size);
        int64_t dts = (int64_t)traf->dts_90k + file->shift_90k;
        if (!keep || (!video && !file->audio))
            continue;
        runs[count] = (struct mp4_track_run){video ? MP4_TRACK_VIDEO : MP4_TRACK_AUDIO,
                                             video ? file->video : file->audio, dts > 0 ? (uint64_t)dts : 0,
                                             traf->samples, keep};
        bytes[count++] = (struct piece){
            .kind = PIECE_BYTES, .size = (int64_t)size, .file = p->last_file, .at = traf->data_offset};
    }
    if (!count)
        return 0;
    mp4_fragment_header(&w, UINT32_MAX, runs, count);
    struct se_buf *header = mp4_take(&w);
    if (!header)
        return -ENOMEM;
    int r = plan_add_piece(
        p->playback, (struct piece){.kind = PIECE_MEMORY, .size = (int64_t)header->size, .memory = header});
    for (unsigned i = 0; i < count && r == 0; i++)
        r = plan_add_piece(p->playback, bytes[i]);
    return r;
}

static int add_init(struct planning *p)
{
    struct mp4_movie *movie = calloc(1, sizeof(*movie));
    if (!movie)
        return -ENOMEM;
    movie->edit_media_90k = p->from_90k - p->origin_90k + p->lead_90k;
    movie->duration_90k =
        p->end_90k > movie->edit_media_90k ? (uint64_t)(p->end_90k - movie->edit_media_90k) : 1;
    movie->created_ms = p->from_90k / 90;
    movie->video_count = p->video_count;
    movie->audio_count = p->audio_count;
    for (unsigned i = 0; i < p->video_count; i++)
        movie->video[i] = p->videos[i];
    for (unsigned i = 0; i < p->audio_count; i++)
        movie->audio[i] = p->audios[i];
    struct se_buf *init = mp4_init_segment(movie);
    free(movie);
    if (!init)
        return -ENOMEM;
    return plan_add_piece(p->playback,
                          (struct piece){.kind = PIECE_MEMORY, .size = (int64_t)init->size, .memory = init});
}

/* Pieces of all files, and an index of their keyframes at the end for players that seek. */
static int add_files(struct planning *p)
{
    struct playback *playback = p->playback;
    struct mp4_index_entry *index = calloc(KEYS_MAX, sizeof(*index));
    struct mp4_writer w = {0};
    unsigned count = 0;
    int r = index ? 0 : -ENOMEM;
    for (unsigned i = 0; i < playback->file_count && r == 0; i++) {
        const struct plan_file *file = &playback->files[i];
        int64_t out = playback->size;
        for (unsigned k = 0; k < file->key_count && count < KEYS_MAX; k++) {
            int64_t time = (int64_t)file->keys[k].time_90k + file->shift_90k;
            if (file->keys[k].moof_offset >= file->from && file->keys[k].moof_offset < file->to && time >= 0)
                index[count++] = (struct mp4_index_entry){
                    (uint64_t)time, (uint64_t)out + file->keys[k].moof_offset - file->from};
        }
        if (file->to > file->from)
            r = plan_add_piece(playback, (struct piece){.kind = PIECE_FRAGMENTS,
                                                        .size = (int64_t)(file->to - file->from),
                                                        .file = i,
                                                        .at = file->from});
        if (r == 0 && p->has_last && p->last_file == i)
            r = add_last(p);
    }
    if (r == 0) {
        mp4_mfra(&w, index, count);
        struct se_buf *mfra = mp4_take(&w);
        r = mfra ? plan_add_piece(
                       playback,
                       (struct piece){.kind = PIECE_MEMORY, .size = (int64_t)mfra->size, .memory = mfra})
                 : -ENOMEM;
    }
    free(index);
    return r;
}

static void planning_fini(struct planning *p)
{
    for (unsigned i = 0; i < p->video_count; i++)
        free(p->videos[i]);
    for (unsigned i = 0; i < p->audio_count; i++)
        free(p->audios[i]);
    mp4_fragment_fini(&p->last);
}

int playback_plan(struct volumes *volumes, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                  struct playback **ret_playback, struct se_err *err)
{
    struct found_list list = {0};
    struct planning p = {.from_90k = from_ms * 90, .to_90k = to_ms * 90};
    if (from_ms < 0 || to_ms <= from_ms)
        return se_fail_field(err, -EINVAL, "to", "The end of the range must be after its start");
    int r = find_segments(volumes, camera_id, from_ms, to_ms, &list);
    if (r < 0)
        return se_fail(err, r, "The index of recordings cannot be read: %s", strerror(-r));
    struct playback *playback = p.playback = calloc(1, sizeof(*playback));
    if (playback)
        playback->files = calloc(list.count ? list.count : 1, sizeof(*playback->files));
    r = playback && playback->files ? 0 : -ENOMEM;
    if (r == 0) {
        playback->volumes = volumes;
        r = plan_files(&p, &list);
    }
    if (r == 0) {
        place(&p);
        r = add_init(&p);
    }
    if (r == 0)
        r = add_files(&p);
    for (unsigned i = 0; playback && i < playback->file_count; i++) {
        free(playback->files[i].keys);
        playback->files[i].keys = NULL;
    }
    planning_fini(&p);
    found_list_fini(&list);
    if (r < 0) {
        playback_free(playback);
        return r == -ENOENT ? se_fail(err, r, "Nothing is recorded in that range")
               : r == -E2BIG
                   ? se_fail(err, r,
                             "The camera's settings changed too often in that range; ask for a shorter one")
                   : se_fail(err, r, "The recording cannot be prepared: %s", strerror(-r));
    }
    *ret_playback = playback;
    return 0;
}
