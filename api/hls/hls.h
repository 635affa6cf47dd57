/* Live HLS: streams are cut into segments while somebody asks for them. */
#ifndef HLS_HLS_H
#define HLS_HLS_H

#include "base/error.h"
#include "gateway/access.h"
#include "gateway/options.h"
#include "hls/playlist.h"
#include "ingest/ingest.h"

struct hls;
/* wake is called, on the hls thread, when waiting requests should be tried again. Starts the thread. */
int hls_new(const struct options *options, void (*wake)(void *ctx), void *ctx, struct hls **ret_hls);
void hls_stop(struct hls *hls); /* joins */
void hls_free(struct hls *hls); /* stops first; NULL is fine */

struct hls_ask {
    struct ingest *ingest;
    const char *camera_id;
    enum stream_role role;
    const struct access_who *who;
    const char *prefix, *ticket; /* as in hls_playlist_write() */
};
/* The stream's playlist now; begins to make one. *ret_begins: this viewer was not here before.
 * -ENOENT no such stream; -EAGAIN nothing is there yet; -ENOLINK the camera is not live (err says why);
 * -EBUSY no room (err); -ENOMEM. Any thread but a loop's. */
int hls_playlist(struct hls *hls, const struct hls_ask *ask, struct se_str *out, bool *ret_begins,
                 struct se_err *err);
/* A part by its name: a segment, referenced, or *ret_init its init. -ENOENT */
int hls_part(struct hls *hls, const struct hls_ask *ask, const char *name, struct hls_segment **ret_segment,
             struct se_buf **ret_init);

#endif
