/* What the files of RTSP out share. Everything here lives on the loop's thread, but for jobs (auth.c). */
#ifndef RTSP_SERVER_H
#define RTSP_SERVER_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "api/api.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "rtsp/describe.h"
#include "rtsp/packetize.h"
#include "rtsp/request.h"
#include "rtsp/rtcp.h"

#define INPUT_MAX   16384 /* of a connection: what it sent and we have not yet understood */
#define ANSWERS_MAX 65536 /* answers that it has not taken */
#define REPORT_US   (5 * SE_US_PER_S)
#define UDP_TURN    32   /* packets to one viewer at a time … */
#define UDP_TURN_US 4000 /* … so that a burst finds room where it arrives */

enum rtsp_metric {
    RTSP_M_CONNECTIONS,
    RTSP_M_VIEWERS_TCP,
    RTSP_M_VIEWERS_UDP,
    RTSP_M_FEEDS,
    RTSP_M_CACHE_BYTES,
    RTSP_M_REQUESTS,
    RTSP_M_2XX,
    RTSP_M_3XX,
    RTSP_M_4XX,
    RTSP_M_5XX,
    RTSP_M_REFUSED_FULL,
    RTSP_M_REFUSED_ADDRESS,
    RTSP_M_REFUSED_FILES,
    RTSP_M_REFUSED_UDP,
    RTSP_M_REFUSED_BUSY,
    RTSP_M_CUT_IDLE,
    RTSP_M_CUT_STALLED,
    RTSP_M_CUT_SILENT,
    RTSP_M_CUT_REVOKED,
    RTSP_M_CUT_MALFORMED,
    RTSP_M_CUT_BACKLOG,
    RTSP_M_CUT_ENDED,
    RTSP_M_BYTES_TCP,
    RTSP_M_BYTES_UDP,
    RTSP_M_SKIPPED,
    RTSP_M_EVICTED,
    RTSP_M_NO_MEMORY,
    RTSP_M_UDP_LOST,
    RTSP_M_COUNT_
};
extern struct se_metric rtsp_metrics[RTSP_M_COUNT_];
void rtsp_metrics_register(void);
static inline void rtsp_count(enum rtsp_metric metric)
{
    se_metric_add(&rtsp_metrics[metric], 1);
}

struct rtsp_out {
    struct api_deps deps;
    struct se_loop *loop;
    struct se_pool *pool; /* finds out who asks */
    int listen_fd, wake_fd;
    struct se_watch listen, wake;
    struct se_timer tick, pace, again; /* again: accept once more, after a want of descriptors */
    bool address_written, running;
    int begin_result;
    _Atomic bool woken; /* wake_fd was written and not read yet */
    pthread_mutex_t jobs_lock;
    struct job *jobs; /* done, not taken yet */
    struct viewer *viewers;
    struct viewer *dead; /* closed: freed within a second, so that whoever closed one may still look at it */
    unsigned viewer_count, udp_count;
    struct feed *feeds;
    unsigned connections_max, address_max, udp_max;
    unsigned port_first, port_last; /* of our UDP sockets; 0: any */
    size_t cache_bytes;
    int64_t idle_us, start_us;
    unsigned stall_s, session_s;
    uint8_t input[INPUT_MAX];
};

/* --- feed.c: one stream with viewers ------------------------------------------------------------------- */

struct feed {
    struct rtsp_out *out;
    struct feed *prev, *next;
    char camera_id[SE_ID_LEN];
    enum stream_role role;
    struct hub *hub;
    struct hub_watch watch; /* sets news on an ingest loop */
    _Atomic bool news;
    bool ready; /* what it is made of is known, and described */
    bool has_audio, ended;
    struct hub_cursor cursor, audio_cursor;
    struct video_params video;
    struct audio_params audio;
    struct se_buf *sets; /* before keyframes */
    uint64_t id;
    struct rtp_track tracks[TRACKS];
    uint32_t base[TRACKS]; /* RTP time of the media timeline's 0 */
    uint32_t packets[TRACKS], octets[TRACKS];
    uint32_t audio_next; /* where the next frame's RTP time is expected */
    bool audio_started;
    se_mono_us report_at_us;

    struct packets **ring;                  /* a power of two of them */
    uint64_t count, first, end, newest_key; /* numbers from 1; newest_key 0: none is kept */
    se_mono_us *arrived;                    /* beside ring */
    size_t bytes;
    struct viewer *viewers;
};
/* The feed of a stream, made when there is none; -ENOENT no such stream, -ENOMEM. */
int feed_get(struct rtsp_out *out, const char *camera_id, enum stream_role role, struct feed **ret_feed);
/* A viewer came (it keeps the camera pulled) and left; a feed without viewers is freed. */
void feed_join(struct feed *feed, struct viewer *viewer);
void feed_leave(struct viewer *viewer);
/* Is it known by now what the stream is made of? */
bool feed_look(struct feed *feed);
/* Takes what the hub has and hands it to the viewers. */
void feed_read(struct feed *feed);
void feed_second(struct feed *feed, se_mono_us now_us);
/* RTP time of that moment on the monotonic clock. */
uint32_t feed_time(const struct feed *feed, unsigned track, int64_t t_90k);
/* A sender report of the track as of now. Returns its size. */
size_t feed_report(const struct feed *feed, unsigned track, bool bye, uint8_t out[RTCP_MAX]);
/* The first frame of a track at or after that place in the ring, or NULL. */
struct packets *feed_first(const struct feed *feed, uint64_t from, unsigned track);
static inline struct packets *feed_at(const struct feed *feed, uint64_t number)
{
    return feed->ring[number & (feed->count - 1)];
}

/* --- viewer.c: a connection, and who watches over it ---------------------------------------------------- */

enum viewer_state { VIEWER_OPEN, VIEWER_READY, VIEWER_PLAYING };

enum rtsp_method {
    METHOD_NONE, /* known, but not for those who watch */
    METHOD_OPTIONS,
    METHOD_DESCRIBE,
    METHOD_SETUP,
    METHOD_PLAY,
    METHOD_PAUSE,
    METHOD_TEARDOWN,
    METHOD_GET_PARAMETER,
    METHOD_SET_PARAMETER,
};

/* A request while it is worked on: what is needed of it once the message is gone. */
struct request {
    enum rtsp_method method;
    char cseq[24];
    struct rtsp_resource resource; /* its authority lies in authority */
    char authority[256];
    bool has_transport, transport_fits;
    struct rtsp_delivery transport;
};

struct viewer {
    struct rtsp_out *out;
    struct viewer *prev, *next;           /* of all */
    struct viewer *feed_prev, *feed_next; /* of the feed's */
    struct sockaddr_storage peer;
    char address[INET6_ADDRSTRLEN];
    struct se_watch watch;
    uint32_t events; /* watched for now */
    bool busy;       /* a request is worked on: nothing more is read */
    bool waiting;    /* … until the feed is ready */
    bool dead;       /* closed while a job has it */
    bool closing;    /* closed once what it has to say has gone */
    struct job *job;
    struct request request;
    uint8_t *in; /* what was not understood yet, or NULL */
    size_t in_size, skip;
    struct se_str answers;
    size_t answered;
    se_mono_us state_us, heard_us, waiting_us;

    bool granted; /* to who, for that camera's stream */
    struct access_who who;
    char camera_id[SE_ID_LEN], camera_name[65];
    enum stream_role role;

    enum viewer_state state;
    char session[17];
    struct feed *feed;
    unsigned tracks; /* bit per track that was set up */
    bool udp, audited;
    struct udp_pair {
        int rtp, rtcp; /* connected to the player's; -1 */
        unsigned ports[2];
        struct se_watch rtp_watch, rtcp_watch;
    } pairs[TRACKS];
    uint32_t lost[TRACKS];   /* as it reported last */
    unsigned refused;        /* datagrams that nobody took, in a row */
    uint64_t at;             /* number in the feed's ring of what it gets next; 0: the next keyframe */
    struct packets *current; /* begun and not gone yet … */
    size_t sent;             /* … but for so many bytes (packets, over UDP) */
    bool blocked;            /* waits for room in its socket */
    uint64_t acked, edge;    /* tcp_room() when it was looked at last … */
    bool read_before;        /* … and was it reading then? */
    unsigned dry;            /* seconds in which it read nothing, since it last read in two in a row */
};

void viewer_accept(struct rtsp_out *out, int fd, const struct sockaddr_storage *peer);
/* Sends what there is to send, as far as it goes. May close the viewer. */
void viewer_flush(struct viewer *viewer);
/* One answer, queued. extra: header lines, or "". */
void viewer_answer(struct viewer *viewer, unsigned status, const char *extra, const char *body);
/* The request that was worked on is answered: on with what came behind it. */
void viewer_done(struct viewer *viewer);
/* Ends it for a reason that is counted; with a last word to a player. */
void viewer_cut(struct viewer *viewer, enum rtsp_metric why);
void viewer_close(struct viewer *viewer);
void viewer_free(struct viewer *viewer);
void viewer_second(struct viewer *viewer, se_mono_us now_us);
/* The session ends, the connection stays for another. */
void viewer_leave(struct viewer *viewer);
/* A report from the player, over whichever transport. */
void viewer_heard(struct viewer *viewer, unsigned track, const uint8_t *data, size_t size);
/* Where it goes on in its feed's ring (at): over a gap if it was too slow. false: nothing is there for it. */
bool viewer_find_place(struct viewer *viewer);
/* Adds the sender reports of its tracks to what it gets next; bye: its last. */
void viewer_report(struct viewer *viewer, bool bye);

/* --- session.c: what the methods do ----------------------------------------------------------------------
 */

/* A whole request. Answers it, or leaves the viewer busy until a job or a feed lets it go on. */
void session_request(struct viewer *viewer, const struct rtsp_message *message);
/* Goes on with a request whose asker is known and allowed (auth.c), or whose feed is ready now. */
void session_go_on(struct viewer *viewer);
void session_late(struct viewer *viewer); /* the feed did not become ready in time */

/* --- auth.c: who asks, and may they ----------------------------------------------------------------------
 */

/* Hands the viewer's request to the pool: it goes on with session_go_on(), or is answered. */
void auth_begin(struct viewer *viewer, const struct rtsp_message *message);
void auth_challenge(struct viewer *viewer, bool stale);

/* --- udp.c -----------------------------------------------------------------------------------------------
 */

/* Two sockets with neighbouring ports, connected to the player's. -EADDRINUSE: none is free. */
int udp_open(struct viewer *viewer, unsigned track, const struct rtsp_delivery *transport);
void udp_close(struct viewer *viewer);
/* Sends at most UDP_TURN packets; true when more are due. May cut the viewer. */
bool udp_flush(struct viewer *viewer);
void udp_report(struct viewer *viewer, unsigned track, const uint8_t *rtcp, size_t size);

#endif
