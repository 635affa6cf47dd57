/* What libavformat and libavcodec say, through our log and without URLs. */
#ifndef INGEST_AV_LOG_H
#define INGEST_AV_LOG_H

#include "av/session.h"

/* Takes their log over. Any number of times. */
void av_log_init(void);
/* The session that this thread's lines are about; NULL: none. Its last_words and refused_redirect follow. */
void av_log_session(struct av_session *session);
/* Takes what looks like a URL out of a line, in place. Pure. */
void av_log_redact(char *line);

#endif
