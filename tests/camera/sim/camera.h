/* The simulator's parts and how they hang together: a server has cameras, a camera
 * one or two streams, a stream plays one clip to its clients. One loop, one thread. */
#ifndef CAMERA_CAMERA_H
#define CAMERA_CAMERA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/str.h"
#include "clip.h"
#include "habits.h"
#include "tls.h"

#define CLIENTS_MAX   8192
#define CAMERAS_MAX   4096
#define REQUEST_MAX   (16u << 10)  /* headers and body of one request */
#define OUT_MAX       (512u << 10) /* waiting for a slow reader; past it whole GOPs are dropped */
#define OUT_BURST_MAX (16u << 20)  /* the same while a burst was ordered */

enum auth_mode { AUTH_NONE, AUTH_BASIC, AUTH_MD5, AUTH_SHA256, AUTH_ALL };
enum keepalive { KEEPALIVE_ANY, KEEPALIVE_OPTIONS, KEEPALIVE_GET_PARAMETER, KEEPALIVE_RTCP };

/* A socket that accepts RTSP connections: the server's, or one camera's own. */
struct listener {
    struct server *server;
    bool tls;
    struct se_watch watch;
    int fd;
    struct sockaddr_storage address;
    socklen_t address_size;
};

/* What a camera was ordered to do wrong. Times are monotonic; 0: not. */
struct faults {
    se_mono_us stall_until, blackhole_until, refuse_until, no_keyframes_until;
    bool catch_up;                              /* after a stall everything missed comes at once */
    unsigned loss_percent;                      /* of UDP packets, as the next ones are */
    unsigned reorder_percent, reorder_distance; /* overtaken by so many */
    unsigned duplicate_percent, late_percent;
    int64_t late_us;
    uint32_t garbage_bytes, garbage_frames; /* that many bytes before each of so many frames */
    bool garbage_any;                       /* with bytes that look like an interleaved header */
    uint32_t endless_bytes;                 /* of one access unit that has no end */
};

struct stream_counters {
    uint64_t frames, bytes, gops_dropped, packets_lost, sessions, requests, refused, auth_failures, expired;
    uint64_t packets_reordered, packets_late, packets_duplicated;
    uint64_t setups_tcp, setups_udp;
    uint64_t replies;     /* to requests of the camera's own */
    uint64_t injected;    /* requests that hold what a hostile description tried to put there */
    uint64_t frames_late; /* left out since the process itself was stopped or too slow */
};

struct stream {
    struct server *server;
    struct camera *camera;
    char *path; /* "cam01" or "cam01/sub" */
    struct clip *clip;
    int64_t phase_us;    /* added to the wall clock */
    int64_t ts_shift_us; /* added to RTP timestamps only */
    int64_t lap;         /* how often the clip has been played since 1970 */
    uint32_t step;       /* next line of the clip's plan */
    struct se_timer timer;
    struct client *clients; /* bound to this stream by a request */
    unsigned playing;
    struct faults faults;
    struct stream_counters counters;
};

struct camera {
    struct camera *next;
    char *name;
    struct stream *streams[2]; /* main, sub (or NULL) */
    enum auth_mode auth;
    char *username, *password, *realm;
    bool qop, reject; /* reject: no password is right any more */
    bool no_sprop, no_audio;
    int audio; /* see clip_load() */
    struct habits habits;
    bool tcp, udp;   /* transports it offers */
    bool tcp_silent; /* takes TCP and sends nothing over it */
    unsigned timeout_s;
    unsigned stale_every; /* a nonce serves that many requests; 0: for ever */
    enum keepalive keepalive;
    struct listener *own; /* NULL: the server's */
};

/* One track as one session receives it. */
struct client_track {
    bool set_up;
    uint8_t channel, rtcp_channel; /* interleaved */
    int rtp_fd, rtcp_fd;           /* UDP, connected; -1 */
    struct udp_held *held;         /* packets that others overtake */
    unsigned held_count;
    struct se_watch rtcp;
    struct client *client;
    uint16_t sequence;
    uint32_t timestamp_base, ssrc;
    uint32_t packets, octets;
};

/* A connection, and the one session it may have. */
struct client {
    struct client *next, **link;               /* of the server */
    struct client *stream_next, **stream_link; /* of the stream; link NULL: not bound */
    struct server *server;
    struct stream *stream;
    struct se_watch watch;
    int fd;
    gnutls_session_t tls; /* NULL: in the clear */
    bool mute;            /* black-holed: neither reads nor writes */
    bool doomed;          /* closed by the next sweep, when nobody stands on its stack */
    bool close_after;     /* when what waits has gone out */
    bool tcp, playing, wait_key;
    char in[REQUEST_MAX];
    uint32_t in_size, skip; /* skip: bytes of an interleaved packet still to be thrown away */
    uint8_t *out;
    uint32_t out_at, out_size, out_cap, out_max;
    char session[17], nonce[33];
    unsigned nonce_used;
    se_mono_us alive_us, sr_us, chatter_us, keyframe_us;
    unsigned chatter_line;
    struct client_track tracks[CLIP_TRACKS];
};

struct server {
    struct se_loop *loop;
    const char *clips_dir;
    struct clip **clips;
    unsigned clip_count;
    struct camera *cameras;
    unsigned camera_count, client_count;
    struct client *clients;
    struct listener *listener, *control, *secure; /* secure: RTSPS, or NULL */
    struct tls *tls;                              /* NULL until somebody needs it */
    struct listener *listeners[CAMERAS_MAX + 3];
    unsigned listener_count;
    int64_t wall_us; /* wall clock minus monotonic clock, read once: clips are anchored on it */
    struct se_timer sweep;
    bool stamp; /* frames say when they were sent */
    uint64_t accepted, too_many;
    uint32_t random; /* xorshift state: garbage and loss come out the same in every run */
};

/* server.c */
int server_new(struct se_loop *loop, const char *clips_dir, struct server **ret_server, struct se_err *err);
void server_free(struct server *server);
/* Adds the camera that settings describe (see README.md). -EEXIST, -EINVAL, -ENOENT. */
int server_add_camera(struct server *server, const json_t *settings, struct se_err *err);
/* Another address for a camera with a listener of its own, -EINVAL for one without. */
int server_move_camera(struct server *server, struct camera *camera, const char *address, struct se_err *err);
/* One camera for each clip NAME.mp4 (and NAME.sub.mp4) that has no camera of its own yet. */
int server_add_clips(struct server *server, struct se_err *err);
/* /load/0 … /load/count-1, all playing one clip, each at another place in it. */
int server_add_load(struct server *server, const char *clip, unsigned count, struct se_err *err);
int server_clip(struct server *server, const char *name, bool aggregate, int audio, struct clip **ret_clip,
                struct se_err *err);
/* The certificate, made when it is first needed. */
int server_tls(struct server *server, struct se_err *err);
struct stream *server_stream(struct server *server, const char *path);
uint32_t server_random(struct server *server);

/* What takes the connections of a listener. */
typedef void listener_fn(struct listener *listener, int fd);
/* listen.c: "127.0.0.1:0", "[::1]:8654" */
int listener_new(struct server *server, const char *address, listener_fn *accepted,
                 struct listener **ret_listener, struct se_err *err);
void listener_free(struct listener *listener);
void listener_text(const struct listener *listener, char *out, size_t size);

/* client.c */
void client_accept(struct listener *listener, int fd);
void client_free(struct client *client);
void client_reset(struct client *client); /* closes with RST, as a camera does that lost its power */
void client_bind(struct client *client, struct stream *stream);
/* Sends or keeps for later; whole or not at all. False: no room, nothing was taken. */
bool client_send(struct client *client, struct iovec *parts, unsigned count, size_t size);
/* Bytes as they go over the wire. False: the connection is broken. */
bool client_send_raw(struct client *client, const void *data, size_t size);
void client_session_end(struct client *client);

/* rtsp.c: answers one request (header text ends with an empty line; size without a body's bytes). */
void rtsp_request(struct client *client, char *text, size_t size);
#define CONTROL_QUERY_TEXT "transportmode=unicast&profile=Profile_1"
/* sdp.c: malloc'd, or NULL. base: the URL of the whole, with its slash, for absolute control URLs. */
char *sdp_text(const struct stream *stream, const char *host, const char *base);
/* chatter.c: says something unasked, when due. */
void client_chatter(struct client *client, se_mono_us now);

/* auth.c: does the request's Authorization (or NULL) let it in? */
bool auth_check(struct client *client, const struct camera *camera, const char *method,
                const char *authorization);
/* The WWW-Authenticate lines for a new try. */
void auth_challenge(struct client *client, const struct camera *camera, struct se_str *out);

/* playout.c */
int64_t stream_now_us(const struct stream *stream); /* on the clip's endless time line */
void stream_wake(struct stream *stream);            /* a client began to play */
void stream_settle(struct stream *stream);          /* one ended */
void stream_set_clip(struct stream *stream, struct clip *clip);
uint32_t stream_timestamp(const struct stream *stream, unsigned track, int64_t at_us);
/* RTP timestamp of the keyframe with which a client that plays now will begin. */
uint32_t stream_first_timestamp(const struct stream *stream, unsigned track);
/* Sends the next so many microseconds of the clip at once. */
void stream_burst(struct stream *stream, int64_t us);
void client_report(struct client *client); /* sender reports, when due */

/* udp.c: packets of one frame, in datagrams; what waits goes from udp_release() or is forgotten. */
void udp_send(struct stream *stream, struct client *client, unsigned t, const struct packet_range *packets,
              unsigned count, uint32_t timestamp);
void udp_release(struct client *client, se_mono_us now);
void udp_forget(struct client_track *track);

/* control.c */
void control_accept(struct listener *listener, int fd);
void control_free_all(struct server *server);

/* faults.c: {"do":"stall","camera":"cam01","seconds":5} → the answer's object (new reference), never NULL
 * but when memory ends. */
json_t *faults_order(struct server *server, const json_t *order);
/* Each 100 ms: ends what is over. */
void faults_sweep(struct server *server, se_mono_us now_us);

#endif
