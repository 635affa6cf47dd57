/* The source that pulls with libavformat: RTMP, HTTP (HLS, FLV, MP4, MPEG-TS), SRT, and RTSP where asked. */
#ifndef INGEST_AV_SOURCE_H
#define INGEST_AV_SOURCE_H

#include "av/threads.h"
#include "source.h"

extern const struct source_ops source_av;

#endif
