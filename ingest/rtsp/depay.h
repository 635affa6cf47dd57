/* RTP payloads into access units: H.264 (RFC 6184), H.265 (RFC 7798), AAC (RFC 3640). Pure but for the memory
 * of the units. Bytes of a packet are copied once, into the unit's buffer. */
#ifndef INGEST_RTSP_DEPAY_H
#define INGEST_RTSP_DEPAY_H

#include "codec/parameter_sets.h"
#include "rtp.h"
#include "sdp.h"

#define ACCESS_UNIT_MAX (16u * 1024 * 1024)

struct depay_sink {
    void (*video)(void *ctx, const struct video_params *params);
    void (*unit)(void *ctx, struct access_unit *unit); /* borrowed */
    void *ctx;
};
struct depay_stats {
    uint64_t units;
    uint64_t damaged; /* left out because a packet of theirs was missing or bad */
    uint64_t too_big; /* cut off at ACCESS_UNIT_MAX */
    uint64_t unready; /* left out because no keyframe or parameter set came before them */
};

struct video_depay {
    enum codec codec;
    uint32_t clock;
    struct depay_sink sink;
    struct depay_stats stats;
    struct parameter_sets sets;
    struct video_params params; /* as last handed on; config_size 0: never */

    /* The unit being put together. */
    struct se_slab slab;
    struct se_buf *buf; /* the slab's newest */
    size_t used, nal;   /* nal: where the open NAL unit's length goes */
    int64_t time;       /* its RTP time, unwrapped */
    se_mono_us arrived_us;
    bool open, picture, keyframe, damaged;
    bool wait_key; /* nothing is handed on before a keyframe */
    bool fragment; /* a fragmented NAL unit is open */

    bool marked;      /* the last unit ended by its marker */
    bool marker_lies; /* the marker does not end a picture here: go by time */
    size_t expect[2]; /* likely size of the next picture: [keyframe] */
};
void video_depay_init(struct video_depay *depay, enum codec codec, uint32_t clock,
                      const struct depay_sink *sink);
void video_depay_fini(struct video_depay *depay);
/* The stream ended and may begin anew: what is open is left out, what a decoder must know stays. */
void video_depay_restart(struct video_depay *depay);
/* gap: packets before this one are missing. time: the packet's, unwrapped. Calls the sink. */
void video_depay_packet(struct video_depay *depay, const struct rtp_packet *packet, bool gap, int64_t time,
                        se_mono_us arrived_us);

struct aac_depay {
    struct aac_format format;
    uint32_t clock;
    struct depay_sink sink;
    struct depay_stats stats;
    struct se_buf *partial; /* a frame over several packets */
    size_t used;
    int64_t partial_time;
};
void aac_depay_init(struct aac_depay *depay, const struct aac_format *format, uint32_t clock,
                    const struct depay_sink *sink);
void aac_depay_fini(struct aac_depay *depay);
void aac_depay_packet(struct aac_depay *depay, const struct rtp_packet *packet, bool gap, int64_t time,
                      se_mono_us arrived_us);

/* For the codecs' files: what comes in a packet. */
void depay_nal(struct video_depay *depay, const uint8_t *nal, size_t size);
/* Several NAL units, each behind its length in 16 bits: STAP-A (RFC 6184 5.7.1), AP (RFC 7798 4.4.2). */
void depay_aggregate(struct video_depay *depay, const uint8_t *data, size_t size);
/* A fragmented NAL unit: its rebuilt header (1 or 2 bytes, by codec) and first bytes, more bytes, the end. */
void depay_fragment_begin(struct video_depay *depay, const uint8_t *header, const uint8_t *data, size_t size);
void depay_fragment_add(struct video_depay *depay, const uint8_t *data, size_t size);
void depay_fragment_end(struct video_depay *depay);
void depay_bad(struct video_depay *depay); /* the open unit is damaged */
void depay_h264(struct video_depay *depay, const uint8_t *payload, size_t size);
void depay_h265(struct video_depay *depay, const uint8_t *payload, size_t size);

#endif
