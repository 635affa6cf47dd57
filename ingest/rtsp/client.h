/* The native RTSP client, for the files it is made of. One object pulls one stream; all of it runs on its
 * loop.
 *
 *   client.c          life, states, back-off
 *   client_connect.c  name, address, connection
 *   client_session.c  requests and answers, from OPTIONS to keep-alive
 *   client_media.c    bytes into messages and packets, packets into access units
 *   client_lazy.c     when a stream that nobody watches is read
 */
#ifndef INGEST_RTSP_CLIENT_H
#define INGEST_RTSP_CLIENT_H

#include <netinet/in.h>

#include "address_rules.h"
#include "backoff.h"
#include "depay.h"
#include "interleaved.h"
#include "rtsp_auth.h"
#include "rtsp_url.h"
#include "source.h"

#define CLIENT_ADDRESSES_MAX 4
#define CLIENT_SCRATCH       (256u * 1024)
#define CLIENT_TRACKS        2
#define CLIENT_LAZY_US       100000 /* the longest that bytes of an unwatched stream lie in the kernel */

enum client_phase {
    PHASE_WAIT, /* for the next try */
    PHASE_RESOLVE,
    PHASE_CONNECT,
    PHASE_OPTIONS,
    PHASE_DESCRIBE,
    PHASE_SETUP,
    PHASE_PLAY,
    PHASE_PLAYING,
};

struct client_track {
    enum sdp_kind kind;
    uint8_t payload_type;
    bool set_up;
    unsigned channel_rtp, channel_rtcp;
    char *url; /* for SETUP */
    struct rtp_receiver receiver;
};

struct resolve; /* a name being looked up on the pool */

struct rtsp_client {
    struct source source; /* first */
    struct se_loop *loop;
    struct se_pool *pool;
    struct source_sink sink;
    struct source_stats stats;
    struct {
        int64_t connect_us, answer_us, stall_us, keepalive_us;
    } wait;
    struct address_rules rules;
    struct rtsp_url url; /* as configured */
    char *username, *password;

    enum source_state state;
    enum client_phase phase;
    struct backoff backoff;
    bool was_live;
    se_mono_us try_began_us, live_since_us, last_media_us;
    struct se_timer deadline; /* of the phase; in PHASE_WAIT the next try */
    struct se_timer tick;     /* while playing */

    /* connection */
    struct rtsp_url at; /* after redirects; host "" : the configured one */
    unsigned redirects;
    struct resolve *resolve;
    struct sockaddr_storage addresses[CLIENT_ADDRESSES_MAX];
    unsigned address_count, address_next;
    struct se_watch watch;
    unsigned connection; /* number of the open one: bytes of the one before are not its */
    struct se_str out;   /* not sent yet */
    bool writing;        /* waits until the camera reads it */
    uint8_t *rest;       /* bytes of a message or frame that is not whole yet */
    size_t rest_size, rest_cap;
    bool watched;                               /* somebody wants every frame at once */
    struct rtsp_client *lazy_next, **lazy_link; /* link NULL: it is read as bytes come */

    /* session */
    unsigned cseq;
    struct rtsp_auth auth;
    bool auth_fresh;      /* the request in flight answers a challenge to itself */
    unsigned auth_rounds; /* challenges answered for the request in flight */
    char *aggregate, *session;
    unsigned session_timeout_s;
    bool has_get_parameter, keepalive_flip, without_range;
    se_mono_us keepalive_due_us, report_due_us, probe_us;
    bool probe_answered;
    unsigned setup_at; /* track that is being set up */

    /* media */
    struct interleaved channels;
    struct client_track tracks[CLIENT_TRACKS];
    unsigned track_count;
    uint32_t own_ssrc;
    bool lost_sync;
    size_t garbage_run;
    uint64_t lost_before; /* packets lost in earlier sessions */
    struct video_depay video;
    struct aac_depay audio;
    bool video_ready, audio_ready;
};

/* client.c */
const struct rtsp_url *client_url(const struct rtsp_client *client);
void client_set_state(struct rtsp_client *client, enum source_state state, const char *reason);
/* Ends the try or session with words for a person, and sets when the next begins. */
void client_fail(struct rtsp_client *client, enum source_failure failure, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void client_deadline(struct rtsp_client *client, int64_t delay_us);
uint64_t client_random(void);

/* client_connect.c */
void client_connect(struct rtsp_client *client);
void client_resolve_cancel(struct rtsp_client *client);
void client_disconnect(struct rtsp_client *client);

/* client_session.c */
void client_session_begin(struct rtsp_client *client);
void client_answer(struct rtsp_client *client, const struct rtsp_message *message);
void client_keepalive(struct rtsp_client *client);
void client_teardown(struct rtsp_client *client);
void client_session_fini(struct rtsp_client *client);
void client_write(struct rtsp_client *client, const void *data, size_t size);
void client_write_more(struct rtsp_client *client);
/* No answer came in time. */
void client_session_late(struct rtsp_client *client);

/* client_media.c */
void client_read(struct rtsp_client *client);
/* client_lazy.c: after a change of state or of `watched`; and before the connection is closed. */
void client_lazy(struct rtsp_client *client);
void client_lazy_leave(struct rtsp_client *client);
/* Takes up what a description offers; fails the client when there is no video to have. */
bool client_media_describe(struct rtsp_client *client, const struct sdp *sdp, const char *base);
void client_media_play(struct rtsp_client *client); /* PLAY was answered */
void client_media_fini(struct rtsp_client *client, bool for_good);

#endif
