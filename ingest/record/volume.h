/* Volumes: directories that hold recordings, each with a marker file and one writer thread. */
#ifndef RECORD_VOLUME_H
#define RECORD_VOLUME_H

#include "access_unit.h"
#include "gateway/store.h"
#include "record/segment.h"
#include "stream.h"

/* --- for the recorder (loop threads; nothing here touches a disk) ------------------------------ */

/* A volume that takes recordings now, or NULL. The same camera gets the same one while it can. */
struct volume *volumes_pick(struct volumes *volumes, const char *camera_id);
const struct options *volumes_options(const struct volumes *volumes);
/* The end and clock epoch of the camera's newest file; 0 and 0 when it has none. */
void volumes_last(struct volumes *volumes, const char *camera_id, se_wall_ms *ret_end_ms, int *ret_epoch);
void volumes_set_last(struct volumes *volumes, const char *camera_id, se_wall_ms end_ms, int epoch);

/* Work for a writer. -EAGAIN: its queue is full (counted), nothing was taken. */
int volume_open(struct segment *segment, struct se_buf *init);
/* header: moof and the head of mdat, malloc'd, taken in any case. units: referenced here. */
int volume_fragment(struct segment *segment, uint8_t *header, size_t header_size,
                    struct access_unit *const *units, unsigned unit_count, se_wall_ms end_ms);
/* Always taken. tail: the mfra box, malloc'd, taken; NULL: the writer makes it from the file. cause: of the
 * gap after it. */
void volume_close(struct segment *segment, uint8_t *tail, size_t tail_size, const char *cause);

/* --- for readers (pool threads) ---------------------------------------------------------------- */

/* A recorded file, open for reading. -ENOENT no such volume or file. */
int volumes_open_file(struct volumes *volumes, const char *volume, const struct segment_key *key,
                      int *ret_fd);
/* Visits what is being written, or written but not in the store yet, of one camera. Holds a lock: be short.
 */
struct segment_row;
void volumes_visit(struct volumes *volumes, const char *camera_id,
                   void (*visit)(const struct segment_row *row, void *ctx), void *ctx);
struct store *volumes_store(struct volumes *volumes);
/* Can everything be recorded? err names the volume and what to do. */
bool volumes_healthy(struct volumes *volumes, struct se_err *err);

#endif
