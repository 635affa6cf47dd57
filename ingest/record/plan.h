/* The plan of a playback: which bytes of which files, in what order. Private to plan.c and playback.c.
 *
 * What goes out is a whole MP4, not a fragmented one: players find their way in it by Range, take the edit
 * list, and know its length at once. Its samples lie in the stored files, whose bytes go out as they are;
 * the boxes between the samples go along and are never looked at. */
#ifndef RECORD_PLAN_H
#define RECORD_PLAN_H

#include "mp4/scan.h"
#include "record/find.h"
#include "record/playback.h"

struct plan_file {
    struct segment_key key;
    char volume[64];
};
struct piece {
    int64_t offset, size;  /* in the output */
    struct se_buf *memory; /* or NULL: a file's bytes … */
    unsigned file;
    uint64_t at; /* … from here on */
};
struct playback {
    struct volumes *volumes;
    struct plan_file *files;
    unsigned file_count;
    struct piece *pieces;
    unsigned piece_count, piece_cap;
    int64_t size;
    int fd; /* of the file being read */
    unsigned fd_file;
};
int plan_open_file(const struct playback *playback, unsigned file, int *ret_fd);

#endif
