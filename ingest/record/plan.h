/* The plan of a playback: which bytes of which files, moved where in time. Private to plan.c and playback.c.
 */
#ifndef RECORD_PLAN_H
#define RECORD_PLAN_H

#include "mp4/scan.h"
#include "record/find.h"
#include "record/playback.h"

/* One stored file's part. Its fragments are sent as they lie, but for the times and description
 * numbers in them, which are overwritten on the way out. */
struct plan_file {
    struct segment_key key;
    char volume[64];
    uint64_t from, to;     /* of the file: from one fragment's start to another's end */
    int64_t start_90k;     /* wall clock of its first frame */
    int64_t end_90k;       /* and of where it, or what was asked for, ends */
    int64_t edit_90k;      /* the file's own edit: media time of that frame */
    int64_t shift_90k;     /* added to every tfdt */
    uint32_t video, audio; /* sample descriptions; audio 0: it has none */
    struct mp4_index_entry *keys;
    unsigned key_count;
};
enum piece_kind { PIECE_MEMORY, PIECE_FRAGMENTS, PIECE_BYTES };
struct piece {
    enum piece_kind kind;
    int64_t offset, size; /* in the output */
    struct se_buf *memory;
    unsigned file; /* FRAGMENTS, BYTES: which of the files … */
    uint64_t at;   /* … and from where in it */
};
struct playback {
    struct volumes *volumes;
    struct plan_file *files;
    unsigned file_count;
    struct piece *pieces;
    unsigned piece_count, piece_cap;
    int64_t size;
    struct fragment_table *table; /* of the file being read */
};
int plan_add_piece(struct playback *playback, struct piece piece); /* takes memory */
int plan_open_file(const struct playback *playback, unsigned file, int *ret_fd, struct mp4_input *ret_input);

#endif
