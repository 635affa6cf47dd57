/* One try of a stream on its thread, from the first look-up to the end of what came. For the files of this
 * room: all of it belongs to that thread but what says otherwise. */
#ifndef INGEST_AV_SESSION_H
#define INGEST_AV_SESSION_H

#include <stdatomic.h>

#include "address_rules.h"
#include "av/media_url.h"
#include "backoff.h"
#include "base/pool.h"

struct av_http;

/* What a stream is, fixed while a thread has it. */
struct av_stream_config {
    struct media_url url;
    char *username, *password; /* or NULL */
    char *tls_fingerprint;     /* or NULL */
    struct address_rules rules;
    struct se_pool *pool;
    int64_t connect_us, answer_us, stall_us;
};

struct av_failure {
    bool known;
    enum source_failure kind;
    char text[160]; /* plain words, no secret */
};

struct av_session {
    const struct av_stream_config *config;
    _Atomic bool *quit;     /* set by others: end soon */
    se_mono_us began_us;    /* when this address was called */
    se_mono_us deadline_us; /* of what is being waited for */
    bool late;              /* it passed */
    bool over;              /* it sent what nobody should: nothing more of it is taken */
    bool refused_redirect;  /* libavformat was sent elsewhere */
    bool playing;           /* the input is open */
    uint64_t opening_bytes; /* received before it was */
    char *lock_protocols;   /* RTSP: overwritten at the first wait, see input.c */
    char last_words[160];   /* of libavformat's log, redacted */
    struct av_failure failure;
    struct av_http *http;
};

/* An AVIOInterruptCB: must what is being waited for end? Asked at least every 100 ms. */
int av_session_interrupted(void *session);
/* Notes why the try cannot succeed; the first reason stays. */
void av_session_fail(struct av_session *session, enum source_failure kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Addresses of host that ingest.allow lists: 0 with at least one, or -errno with the failure noted. */
int av_session_resolve(struct av_session *session, const char *host, uint16_t port,
                       struct sockaddr_storage *ret_addresses, unsigned max, unsigned *ret_count);

#endif
