/* The text of a live media playlist (RFC 8216). Pure. */
#ifndef HLS_PLAYLIST_H
#define HLS_PLAYLIST_H

#include "base/str.h"
#include "hls/segmenter.h"

/* Adds the playlist of count (at least one) segments, oldest first. prefix stands before the name of each
 * part
 * ("main/"); ticket goes with each URI, or NULL. */
void hls_playlist_write(struct se_str *out, struct hls_segment *const *segments, unsigned count,
                        const char *prefix, const char *ticket);

/* What a part's name means: "17.m4s" a segment, "17.mp4" the init of the one with that number. -ENOENT. */
int hls_part_parse(const char *name, uint64_t *ret_number, bool *ret_init);

#endif
