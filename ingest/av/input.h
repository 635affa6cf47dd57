/* A stream opened with libavformat, every connection of it checked. */
#ifndef INGEST_AV_INPUT_H
#define INGEST_AV_INPUT_H

#include <libavformat/avformat.h>

#include "av/session.h"

struct av_input {
    AVFormatContext *format;
    AVIOContext *pb;       /* ours, of http; else NULL */
    const char *transport; /* static text, for status */
    bool paced;            /* comes as fast as it can be sent: give it out by its timestamps */
    bool finite;           /* a recording: its end is no failure */
};
/* 0, or -EIO with the failure noted in the session. */
int av_input_open(struct av_session *session, struct av_input *ret_input);
void av_input_close(struct av_session *session, struct av_input *input);
/* Notes what an AVERROR of reading or opening means. */
void av_input_explain(struct av_session *session, int error);

#endif
