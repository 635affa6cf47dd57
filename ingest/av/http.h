/* HTTP for libavformat: libcurl behind AVIOContexts, so that every address is checked at connect, redirects
 * and what playlists name included. One object serves one session, on its thread. */
#ifndef INGEST_AV_HTTP_H
#define INGEST_AV_HTTP_H

#include <libavformat/avio.h>

#include "av/session.h"

/* Once in the program, before any thread of this room. */
void av_http_init(void);
/* -ENOMEM. session->http is set. */
int av_http_new(struct av_session *session);
void av_http_free(struct av_session *session);

/* Opens url for reading from offset up to end (0: all of it); http and https only. 0, or an AVERROR with the
 * failure noted in the session. */
int av_http_open(struct av_session *session, const char *url, int64_t offset, int64_t end,
                 AVIOContext **ret_pb);
void av_http_close(AVIOContext *pb); /* NULL is fine */
/* Where redirects led; belongs to pb. */
const char *av_http_location(AVIOContext *pb);
int64_t av_http_size(AVIOContext *pb); /* -1: endless, or not said */

#endif
