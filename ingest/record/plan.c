#include "record/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "record/volume.h"

#define PIECES_MAX 262144u
#define LONGEST_MS (12 * 3600 * 1000LL) /* so that every duration fits the tables' 32 bits */

/* One stored file's part in the range. */
struct part {
    int64_t start_90k, end_90k; /* wall clock of its first frame, and of where it or the range ends */
    int64_t edit_90k;           /* the file's own edit: media time of that frame */
    int64_t shift_90k;          /* from the file's media time to the output's */
    uint64_t from, to;          /* bytes of fragments */
    uint32_t video, audio;      /* sample descriptions; audio 0: it has none */
};

/* What the planning gathers on its way. */
struct planning {
    struct playback *playback;
    struct part *parts;           /* beside playback->files */
    int64_t from_90k, to_90k;     /* wall clock */
    int64_t origin_90k, lead_90k; /* wall clock of media time `lead`; lead: room for reordering */
    int64_t end_90k;              /* media time where presentation ends */
    struct video_params *videos[MP4_DESCRIPTIONS_MAX];
    struct audio_params *audios[MP4_DESCRIPTIONS_MAX];
    unsigned video_count, audio_count;
    struct mp4_table tables[2]; /* video, audio */
    int64_t payload;            /* bytes of mdat so far */
};

static int add_piece(struct planning *p, struct piece piece)
{
    struct playback *playback = p->playback;
    if (piece.size == 0)
        return 0;
    if (playback->piece_count == playback->piece_cap) {
        unsigned cap = playback->piece_cap ? playback->piece_cap * 2 : 16;
        void *pieces = cap <= PIECES_MAX ? realloc(playback->pieces, cap * sizeof(*playback->pieces)) : NULL;
        if (!pieces) {
            se_buf_unref(&piece.memory);
            return cap <= PIECES_MAX ? -ENOMEM : -E2BIG;
        }
        playback->pieces = pieces;
        playback->piece_cap = cap;
    }
    piece.offset = p->payload;
    playback->pieces[playback->piece_count++] = piece;
    p->payload += piece.size;
    return 0;
}

int plan_open_file(const struct playback *playback, unsigned file, int *ret_fd)
{
    const struct plan_file *f = &playback->files[file];
    return volumes_open_file(playback->volumes, f->volume, &f->key, ret_fd);
}

static int open_input(const struct playback *playback, unsigned file, int *ret_fd,
                      struct mp4_input *ret_input)
{
    struct stat st;
    int r = plan_open_file(playback, file, ret_fd);
    if (r < 0)
        return r;
    if (fstat(*ret_fd, &st) < 0)
        return -errno;
    *ret_input = mp4_input_fd(*ret_fd, (uint64_t)st.st_size);
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

/* --- which part of which file ------------------------------------------------------------------------- */

static int plan_range(struct planning *p, const struct mp4_input *input, const struct mp4_init *init,
                      const struct found *found, unsigned number)
{
    struct part *part = &p->parts[number];
    struct mp4_index index;
    int64_t end = 0;
    int r = mp4_read_index(input, &index);
    if (r == -ENODATA)
        r = mp4_walk(input, init->size, &index, &end);
    if (r < 0)
        return r;
    part->from = init->size;
    part->to = index.data_end;
    part->end_90k = end ? part->start_90k + end - part->edit_90k : found->end_ms * 90;
    if (part->end_90k > p->to_90k)
        part->end_90k = p->to_90k;
    int64_t from = p->from_90k - part->start_90k + part->edit_90k;
    if (number == 0)
        p->origin_90k = part->start_90k;
    for (unsigned i = 0; number == 0 && i < index.count; i++) {
        if (i > 0 && (int64_t)index.entries[i].time_90k > from)
            break;
        part->from = index.entries[i].moof_offset;
        p->origin_90k = part->start_90k + (int64_t)index.entries[i].time_90k - part->edit_90k;
    }
    mp4_index_fini(&index);
    return part->to > part->from ? 0 : -ENODATA;
}

/* -ENODATA: nothing to play in it. */
static int plan_file(struct planning *p, const struct found *found)
{
    struct playback *playback = p->playback;
    unsigned number = playback->file_count;
    struct part *part = &p->parts[number];
    struct mp4_init *init = calloc(1, sizeof(*init));
    struct mp4_input input;
    int fd = -1;
    if (!init)
        return -ENOMEM;
    playback->files[number].key = found->key;
    memcpy(playback->files[number].volume, found->volume, sizeof(found->volume));
    *part = (struct part){.start_90k = found->key.start_ms * 90};
    int r = open_input(playback, number, &fd, &input);
    if (r == 0)
        r = mp4_read_init(&input, init);
    if (r == 0 && init->video.codec == CODEC_NONE)
        r = -ENODATA;
    if (r == 0) {
        part->edit_90k = init->edit_media_90k;
        r = plan_range(p, &input, init, found, number);
    }
    if (r == 0)
        r = describe_video(p, &init->video, &part->video);
    if (r == 0)
        r = describe_audio(p, &init->audio, &part->audio);
    if (fd >= 0)
        close(fd);
    free(init);
    if (r < 0)
        return r;
    playback->file_count++;
    if (part->edit_90k > p->lead_90k)
        p->lead_90k = part->edit_90k;
    return 0;
}

/* Files by clock epoch, so that an hour that came twice is played twice, one after the other. */
static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->key.epoch != y->key.epoch)
        return x->key.epoch < y->key.epoch ? -1 : 1;
    return x->key.start_ms < y->key.start_ms ? -1 : x->key.start_ms > y->key.start_ms;
}

static void left_out(const struct segment_key *key, const char *volume, int error)
{
    char path[SEGMENT_PATH_MAX];
    segment_path(key, path);
    se_warn("playback", "a recorded file is left out file=%s volume=%s error=\"%s\"", path, volume,
            strerror(-error));
}

static bool grave(int r)
{
    return r == -ENOMEM || r == -E2BIG || r == -EMFILE || r == -ENFILE;
}

static int plan_files(struct planning *p, struct found_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof(*list->items), compare);
    for (size_t i = 0; i < list->count; i++) {
        int r = plan_file(p, &list->items[i]);
        if (grave(r))
            return r;
        if (r < 0 && r != -ENODATA)
            left_out(&list->items[i].key, list->items[i].volume, r);
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
        struct part *part = &p->parts[i];
        int64_t begin = part->start_90k - p->origin_90k + p->lead_90k;
        int64_t delay = i > 0 && begin < before ? before - begin : 0;
        part->shift_90k = begin + delay - part->edit_90k;
        before = part->end_90k - p->origin_90k + p->lead_90k + delay;
        if (before > p->end_90k)
            p->end_90k = before;
    }
}

/* --- samples and pieces -----------------------------------------------------------------------------------
 */

/* How many samples from the front are presented before `until`; the last is cut there. */
static unsigned kept(struct mp4_traf *traf, int64_t until)
{
    int64_t dts = (int64_t)traf->dts_90k, last_dts = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < traf->count; i++) {
        if (dts + traf->samples[i].cts_90k < until) {
            count = i + 1;
            last_dts = dts;
        }
        dts += traf->samples[i].duration_90k;
    }
    struct mp4_sample *last = count ? &traf->samples[count - 1] : NULL;
    if (last && last_dts + last->cts_90k + last->duration_90k > until)
        last->duration_90k = (uint32_t)(until - last_dts - last->cts_90k);
    return count;
}

/* Bytes of one file on their way into pieces: `at` is where the next piece begins in it. */
struct flow {
    unsigned file;
    uint64_t at;
    uint64_t end;        /* of the samples so far: nothing behind it is sent */
    struct se_buf *sets; /* go in front of every keyframe; NULL: no need */
};

/* Where in mdat the byte at `offset` of the file will lie. */
static uint64_t lies_at(const struct planning *p, const struct flow *flow, uint64_t offset)
{
    return (uint64_t)p->payload + offset - flow->at;
}

static int flow_to(struct planning *p, struct flow *flow, uint64_t offset)
{
    int r = add_piece(
        p, (struct piece){.size = (int64_t)(offset - flow->at), .file = flow->file, .at = flow->at});
    flow->at = offset;
    return r;
}

/* Most players take parameter sets where they stand in the stream and do not follow description numbers: in a
 * range with several kinds of video each keyframe brings its own. */
static int insert_sets(struct planning *p, struct flow *flow, struct mp4_traf *video, uint64_t *ret_place)
{
    int r = flow_to(p, flow, video->data_offset);
    if (r < 0)
        return r;
    *ret_place = (uint64_t)p->payload;
    video->samples[0].size += (uint32_t)flow->sets->size;
    return add_piece(p, (struct piece){.size = (int64_t)flow->sets->size, .memory = se_buf_ref(flow->sets)});
}

/* One fragment's samples into the tables; 1: `to` lies in it, nothing follows. */
static int add_fragment(struct planning *p, struct flow *flow, struct mp4_fragment *f)
{
    const struct part *part = &p->parts[flow->file];
    int64_t until = p->to_90k - part->start_90k + part->edit_90k;
    bool last = false;
    if (f->offset < flow->at)
        return -EBADMSG;
    for (unsigned i = 0; i < f->traf_count; i++) {
        struct mp4_traf *traf = &f->trafs[i];
        bool video = traf->track == MP4_TRACK_VIDEO;
        uint32_t description = video ? part->video : part->audio;
        unsigned count = kept(traf, until);
        last |= video && traf->end_pts_90k >= until;
        if (!count || !description || traf->data_offset < flow->at)
            continue;
        uint64_t place_at = lies_at(p, flow, traf->data_offset), end = traf->data_offset;
        for (unsigned k = 0; k < count; k++)
            end += traf->samples[k].size;
        flow->end = end > flow->end ? end : flow->end;
        if (video && flow->sets && traf->keyframe) {
            int r = insert_sets(p, flow, traf, &place_at);
            if (r < 0)
                return r;
        }
        mp4_table_chunk(&p->tables[video ? 0 : 1], place_at, description,
                        (int64_t)traf->dts_90k + part->shift_90k, traf->samples, count);
    }
    return last;
}

static int add_file(struct planning *p, unsigned number)
{
    const struct part *part = &p->parts[number];
    struct flow flow = {.file = number, .at = part->from};
    struct mp4_input input;
    uint64_t at = part->from;
    int fd = -1, last = 0;
    int r = open_input(p->playback, number, &fd, &input);
    if (r == 0 && p->video_count > 1)
        r = video_parameter_sets(p->videos[part->video - 1], &flow.sets);
    while (r == 0 && at < part->to && !last) {
        struct mp4_fragment f;
        r = mp4_read_fragment(&input, at, true, &f);
        if (r == -ENODATA || r == -EBADMSG) {
            r = 0; /* a damaged end: what came before it plays */
            break;
        }
        if (r < 0)
            break;
        last = add_fragment(p, &flow, &f);
        at = f.end;
        mp4_fragment_fini(&f);
        if (last < 0)
            r = last;
    }
    if (r == 0)
        r = flow_to(p, &flow, flow.end > flow.at ? flow.end : flow.at);
    if (fd >= 0)
        close(fd);
    se_buf_unref(&flow.sets);
    return r;
}

/* The head, known last, goes in front. */
static int add_head(struct planning *p)
{
    struct playback *playback = p->playback;
    struct mp4_movie *movie = calloc(1, sizeof(*movie));
    if (!movie)
        return -ENOMEM;
    movie->from_90k = p->from_90k - p->origin_90k + p->lead_90k;
    movie->duration_90k = p->end_90k > movie->from_90k ? (uint64_t)(p->end_90k - movie->from_90k) : 1;
    movie->created_ms = p->from_90k / 90;
    for (unsigned i = 0; i < 2; i++)
        mp4_table_end(&p->tables[i]);
    movie->tables[0] = &p->tables[0];
    movie->tables[1] = p->tables[1].samples ? &p->tables[1] : NULL;
    movie->video_count = p->video_count;
    movie->audio_count = movie->tables[1] ? p->audio_count : 0;
    for (unsigned i = 0; i < p->video_count; i++)
        movie->video[i] = p->videos[i];
    for (unsigned i = 0; i < p->audio_count; i++)
        movie->audio[i] = p->audios[i];
    bool oom = mp4_table_oom(&p->tables[0]) || mp4_table_oom(&p->tables[1]);
    struct se_buf *head = oom ? NULL : mp4_file_head(movie, (uint64_t)p->payload);
    free(movie);
    if (!head)
        return -ENOMEM;
    int r = add_piece(p, (struct piece){.size = (int64_t)head->size, .memory = head});
    if (r < 0)
        return r;
    struct piece first = playback->pieces[playback->piece_count - 1];
    memmove(playback->pieces + 1, playback->pieces, (playback->piece_count - 1) * sizeof(first));
    playback->pieces[0] = first;
    playback->size = 0;
    for (unsigned i = 0; i < playback->piece_count; i++) {
        playback->pieces[i].offset = playback->size;
        playback->size += playback->pieces[i].size;
    }
    return 0;
}

static int make(struct planning *p)
{
    place(p);
    for (unsigned i = 0; i < p->playback->file_count; i++) {
        int r = add_file(p, i);
        if (grave(r))
            return r;
        if (r < 0)
            left_out(&p->playback->files[i].key, p->playback->files[i].volume, r);
    }
    return p->tables[0].samples ? add_head(p) : -ENOENT;
}

static void planning_fini(struct planning *p)
{
    for (unsigned i = 0; i < p->video_count; i++)
        free(p->videos[i]);
    for (unsigned i = 0; i < p->audio_count; i++)
        free(p->audios[i]);
    for (unsigned i = 0; i < 2; i++)
        mp4_table_fini(&p->tables[i]);
    free(p->parts);
}

int playback_plan(struct volumes *volumes, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                  struct playback **ret_playback, struct se_err *err)
{
    struct found_list list = {0};
    struct planning p = {.from_90k = from_ms * 90, .to_90k = to_ms * 90};
    if (from_ms < 0 || to_ms <= from_ms)
        return se_fail_field(err, -EINVAL, "to", "The end of the range must be after its start");
    if (to_ms - from_ms > LONGEST_MS)
        return se_fail_field(err, -EINVAL, "to", "At most 12 hours at a time; ask for a shorter range");
    int r = find_segments(volumes, camera_id, from_ms, to_ms, &list);
    if (r < 0)
        return se_fail(err, r, "The index of recordings cannot be read: %s", strerror(-r));
    size_t files = list.count ? list.count : 1;
    struct playback *playback = p.playback = calloc(1, sizeof(*playback));
    p.parts = calloc(files, sizeof(*p.parts));
    if (playback)
        *playback =
            (struct playback){.volumes = volumes, .fd = -1, .files = calloc(files, sizeof(*playback->files))};
    r = playback && playback->files && p.parts ? plan_files(&p, &list) : -ENOMEM;
    if (r == 0)
        r = make(&p);
    planning_fini(&p);
    found_list_fini(&list);
    if (r < 0) {
        playback_free(playback);
        return r == -ENOENT  ? se_fail(err, r, "Nothing is recorded in that range")
               : r == -E2BIG ? se_fail(err, r, "Too much happens in that range; ask for a shorter one")
                             : se_fail(err, r, "The recording cannot be prepared: %s", strerror(-r));
    }
    *ret_playback = playback;
    return 0;
}
