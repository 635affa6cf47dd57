/* The native RTSP client, for the files it is made of. One object pulls one stream; all of it runs on its
 * loop.
 *
 *   client.c            life, states, back-off
 *   client_connect.c    name, address, connection
 *   client_tls.c        RTSPS: certificates, and bytes in and out of the connection
 *   client_session.c    requests and answers, from OPTIONS to keep-alive
 *   client_transport.c  TCP or UDP: what is offered, what was taken, what worked before
 *   client_udp.c        sockets and reordering of a track over UDP
 *   client_media.c      bytes into messages and packets
 *   client_tracks.c     what is pulled; packets into access units
 *   client_watch.c      silence, signs of life, reports
 *   client_lazy.c       when a stream that nobody watches is read
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
#include "udp_ports.h"

#define CLIENT_ADDRESSES_MAX 4
#define CLIENT_SCRATCH       (256u * 1024)
#define CLIENT_TRACKS        2
#define CLIENT_LAZY_US       100000 /* the longest that bytes of an unwatched stream lie in the kernel */

enum client_phase {
    PHASE_WAIT, /* for the next try */
    PHASE_RESOLVE,
    PHASE_CONNECT,
    PHASE_TLS, /* handshake */
    PHASE_OPTIONS,
    PHASE_DESCRIBE,
    PHASE_SETUP,
    PHASE_PLAY,
    PHASE_PLAYING,
};

struct client_track {
    enum sdp_kind kind;
    uint8_t payload_type;
    uint32_t clock; /* Hz */
    bool set_up;
    unsigned channel_rtp, channel_rtcp;
    struct client_udp *udp; /* its sockets; NULL: interleaved */
    char *url, *control;    /* for SETUP; as the description has it */
    unsigned url_form;      /* which way to join them was taken */
    uint8_t other_type;     /* a payload type that it did not name … */
    unsigned others;        /* … and how many packets in a row had it */
    struct rtp_receiver receiver;
};

/* Which way packets come; client_transport.c. Lives over reconnects. */
struct client_way {
    enum stream_transport wanted; /* as configured */
    enum stream_transport now;    /* of this session: TCP or UDP */
    enum stream_transport next;   /* of the next one, where auto may choose; AUTO: nothing is known */
    unsigned refused;             /* in this session: bits by enum stream_transport */
    se_mono_us tcp_failed_us;     /* when TCP was refused or silent; 0: never */
    int64_t tcp_retry_us;         /* how long it is left alone after that */

    se_mono_us window_us; /* loss over UDP is measured since then */
    uint64_t window_received, window_lost;
    unsigned bad_windows; /* in a row */
};

struct resolve; /* a name being looked up on the pool */

struct rtsp_client {
    struct source source; /* first */
    struct se_loop *loop;
    struct se_pool *pool;
    struct source_sink sink;
    struct source_stats stats;
    struct {
        int64_t connect_us, answer_us, stall_us, keepalive_us, reorder_us, loss_window_us, transport_retry_us;
    } wait;
    double loss_percent; /* over UDP: more is too much */
    struct udp_ports udp_ports;
    struct client_way way;
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
    unsigned connection;     /* number of the open one: bytes of the one before are not its */
    unsigned session_number; /* changes when a session ends: nothing of it may be touched any more */
    const char *doubt;       /* why the session may be over, though packets still come; or NULL */
    struct client_tls *tls;  /* NULL: bytes go as they are */
    char *fingerprint;       /* of the certificate it must have, or NULL */
    const char *tls_ca_file; /* the option */
    struct se_str out;       /* not sent yet */
    bool writing;            /* waits until the camera reads it */
    uint8_t *rest;           /* bytes of a message or frame that is not whole yet */
    size_t rest_size, rest_cap;
    bool watched;                               /* somebody wants every frame at once */
    struct rtsp_client *lazy_next, **lazy_link; /* link NULL: it is read as bytes come */
    unsigned lazy_turn;

    /* session */
    unsigned cseq;
    struct rtsp_auth auth;
    bool auth_fresh;      /* the request in flight answers a challenge to itself */
    unsigned auth_rounds; /* challenges answered for the request in flight */
    bool auth_again;      /* it closed the connection after its challenge: once more */
    bool cseq_true;       /* it answers with the CSeq it was asked with */
    char *base, *aggregate, *session;
    unsigned session_timeout_s;
    bool has_get_parameter, keepalive_flip, without_range;
    enum { PLAY_AGGREGATE, PLAY_URL, PLAY_TRACKS } play_form;
    unsigned play_at; /* PLAY_TRACKS: the track being played */
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
    uint64_t lost_before, late_before; /* packets in earlier sessions */
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
/* What a new connection has left of the time for a first answer: a second at least. */
int64_t client_answer_left(const struct rtsp_client *client);
void client_answer(struct rtsp_client *client, const struct rtsp_message *message);
void client_keepalive(struct rtsp_client *client);
void client_teardown(struct rtsp_client *client);
void client_session_fini(struct rtsp_client *client);
void client_write(struct rtsp_client *client, const void *data, size_t size);
void client_write_more(struct rtsp_client *client);
/* The camera closed the connection when a challenge was answered: the same on another one, once. */
void client_session_again(struct rtsp_client *client);
/* No answer came in time. */
void client_session_late(struct rtsp_client *client);

/* client_tls.c */
/* Must an authority vouch for the camera? Then client_tls_trust_load() comes first, where disks may be read.
 */
bool client_tls_needs_trust(const struct rtsp_client *client);
bool client_tls_trust_known(const char *path);
void client_tls_trust_load(const char *path);
void client_tls_begin(struct rtsp_client *client);
void client_tls_go_on(struct rtsp_client *client);
void client_tls_end(struct rtsp_client *client); /* fine without TLS */
/* Bytes that went, or -EAGAIN, or what broke. */
ssize_t client_send(struct rtsp_client *client, const void *data, size_t size);
/* Bytes that came, 0: the end; or -EAGAIN, or what broke. */
ssize_t client_recv(struct rtsp_client *client, uint8_t *out, size_t size);
/* Is there more to receive that epoll does not tell of? Past a number of rounds it sees to it by itself. */
bool client_recv_more(struct rtsp_client *client, unsigned rounds);

/* client_transport.c */
enum client_taken { TAKEN, TAKEN_OTHER, TAKEN_UNKNOWN, TAKEN_MULTICAST, TAKEN_ENCRYPTED };
void client_transport_begin(struct rtsp_client *client); /* of a session */
const char *client_transport_name(const struct rtsp_client *client);
/* The Transport header of a SETUP. false: the client failed. */
bool client_transport_offer(struct rtsp_client *client, struct client_track *track, char *out, size_t size);
/* What the camera answered; TAKEN_OTHER: not what was asked for. */
enum client_taken client_transport_take(struct rtsp_client *client, struct client_track *track,
                                        struct text header);
/* The camera does not take this way. true: SETUP again, another one was chosen. */
bool client_transport_other(struct rtsp_client *client);
void client_transport_refused(struct rtsp_client *client, unsigned status); /* fails the client */
void client_transport_silent(struct rtsp_client *client); /* fails the client: it plays, nothing comes */
void client_transport_live(struct rtsp_client *client);
/* While playing: is too much lost? May end the session. */
void client_transport_watch(struct rtsp_client *client, se_mono_us now);

/* client_udp.c */
void client_udp_metrics_register(void);
/* Sockets for the track, where it has none yet. -EADDRINUSE: no pair of ports is free. */
int client_udp_open(struct rtsp_client *client, struct client_track *track, uint16_t ret_ports[2]);
void client_udp_close(struct client_track *track); /* fine when it has none */
void client_udp_answered(struct client_track *track, const struct rtsp_transport *transport);
void client_udp_punch(struct client_track *track);
void client_udp_report(struct client_track *track, const uint8_t *report, size_t size);
uint64_t client_udp_late(const struct client_track *track);

/* client_media.c */
uint8_t *client_scratch(void); /* CLIENT_SCRATCH bytes, shared by the clients of a thread; NULL: no memory */
void client_rtp(struct rtsp_client *client, struct client_track *track, const uint8_t *data, size_t size);
/* May end the session. */
void client_rtcp(struct rtsp_client *client, struct client_track *track, const uint8_t *data, size_t size);
void client_read(struct rtsp_client *client);
/* client_lazy.c: after a change of state or of `watched`; and before the connection is closed. */
void client_lazy(struct rtsp_client *client);
void client_lazy_leave(struct rtsp_client *client);

/* client_watch.c */
void client_media_play(struct rtsp_client *client); /* PLAY was answered */

/* client_tracks.c */
/* Takes up what a description offers; fails the client when there is no video to have. */
bool client_media_describe(struct rtsp_client *client, const struct sdp *sdp, const char *base);
/* The URL as the description says, and another way to write it, after a SETUP that the camera does not know.
 * false: there is none. */
void client_track_first_url(struct rtsp_client *client, struct client_track *track);
bool client_track_other_url(struct rtsp_client *client, struct client_track *track);
void client_media_fini(struct rtsp_client *client, bool for_good);

#endif
