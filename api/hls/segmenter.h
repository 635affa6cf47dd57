/* Cuts a stream's samples into the segments of a live playlist (RFC 8216). Only boxes are made here: a
 * segment refers to the samples that everybody else has. Pure but for memory; whoever owns it locks. */
#ifndef HLS_SEGMENTER_H
#define HLS_SEGMENTER_H

#include "base/time.h"
#include "ingest/fragment.h"

#define HLS_TARGET_S       4      /* EXT-X-TARGETDURATION, which may never change */
#define HLS_LONGEST_90K    396000 /* 4.4 s, which rounds to that */
#define HLS_SHORTEST_90K   171000 /* 1.9 s: a keyframe ends a segment from there on */
#define HLS_STARTING_90K   81000  /* 0.9 s: the first few are shorter, so that players soon have three */
#define HLS_FRAGMENT_90K   45000  /* 0.5 s: how far video and audio may lie apart in a segment */
#define HLS_SEGMENT_BYTES  (32u << 20)
#define HLS_FRAGMENT_COUNT 1024u /* samples of a track */

struct hls_segment {
    _Atomic unsigned refs;
    uint64_t number;
    struct se_buf *init;
    uint64_t init_number;     /* of the first segment that goes with this init */
    uint64_t discontinuities; /* before this one, its own included */
    bool discontinuity;       /* does not go on from the one before */
    bool independent;         /* begins with a keyframe */
    int64_t start_90k, duration_90k;
    se_wall_ms at_ms; /* of its first frame */
    size_t bytes;
    struct se_buf **pieces; /* in this order, one after the other */
    unsigned count, cap;
};
struct hls_segment *hls_segment_ref(struct hls_segment *segment);
void hls_segment_unref(struct hls_segment **segment);

struct hls_segmenter {
    void (*done)(struct hls_segment *segment, void *ctx); /* takes the segment */
    void *ctx;
    uint64_t number, discontinuities; /* of the next segment */
    uint32_t sequence;                /* of the last fragment */
    struct se_buf *init;              /* NULL: no format yet */
    uint64_t init_number;
    bool begun;           /* there was a segment */
    bool broken;          /* the next one does not go on from the last */
    bool fresh;           /* its audio does not, either */
    bool wait_key;        /* for a keyframe */
    int64_t wall_at_0_ms; /* what the media timeline counts from, by the wall clock */
    struct hls_segment *open;
    struct hls_run { /* the open fragment's samples */
        struct media_sample *samples;
        unsigned count, cap;
    } video, audio;
    unsigned starting; /* short segments still to come */
    size_t open_bytes;
    /* audio */
    bool has_audio, audio_started;
    int64_t audio_end_90k; /* where the audio that is there ends */
    int64_t audio_step_90k;
    struct se_buf *silence; /* one frame of it, or NULL */
};
/* done is called from within the functions below. */
void hls_segmenter_init(struct hls_segmenter *s, uint64_t number, uint64_t discontinuities,
                        void (*done)(struct hls_segment *segment, void *ctx), void *ctx);
void hls_segmenter_fini(struct hls_segmenter *s);
/* What follows is made of this; audio NULL: none. -ENOMEM. */
int hls_segmenter_format(struct hls_segmenter *s, const struct video_params *video,
                         const struct audio_params *audio);
/* What follows does not go on from what was; it begins with a keyframe. */
void hls_segmenter_break(struct hls_segmenter *s);
/* The next sample of a track, in decoding order; its duration is not looked at. References data. */
void hls_segmenter_video(struct hls_segmenter *s, const struct media_sample *sample);
void hls_segmenter_audio(struct hls_segmenter *s, const struct media_sample *sample);
/* Ends the segment here, all but the newest frame: for whoever asks first. */
void hls_segmenter_cut(struct hls_segmenter *s);

#endif
