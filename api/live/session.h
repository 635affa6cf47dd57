/* One page's live media: up to 64 tiles in one endless body, changed by POSTs beside it. */
#ifndef LIVE_SESSION_H
#define LIVE_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "http/route.h"
#include "ingest/ingest.h"

#define LIVE_TILES 64

/* Kinds of record, the first byte of its head. */
enum live_record { LIVE_JSON, LIVE_INIT, LIVE_FRAGMENT, LIVE_KEEPALIVE };
#define LIVE_HEAD 8 /* kind, tile, two zero bytes, big-endian length */

enum live_choice { LIVE_AUTO, LIVE_MAIN, LIVE_SUB };
enum live_accepts { LIVE_AVC = 1, LIVE_HEVC = 2 };

/* Where hubs are followed: a slot for each tile and role, tile * STREAM_ROLES + role. */
#define LIVE_SLOTS (LIVE_TILES * STREAM_ROLES)
struct live_host {
    /* Calls live_session_news() whenever hub has news; NULL: no more. From live_session_next() only. */
    int (*follow)(void *ctx, unsigned slot, struct hub *hub);
    /* Calls live_session_next() soon. Any thread, never after live_session_end(). */
    void (*wake)(void *ctx);
    void *ctx;
};

struct live_session;
/* keepalive_us: at least one keep-alive in that time. */
int live_session_new(int64_t keepalive_us, const struct live_host *host, struct live_session **ret_session);
struct live_session *live_session_ref(struct live_session *session);
void live_session_unref(struct live_session **session); /* closes all tiles at the last */
const char *live_session_id(const struct live_session *session);

/* Shows a camera in a tile, over what it showed. hubs: by role, taken; NULL: no such stream, at least one is
 * there. Any thread. */
void live_session_open(struct live_session *session, unsigned tile, enum live_choice choice,
                       struct hub *hubs[STREAM_ROLES]);
/* Says why a tile shows nothing: state "denied" or "offline". */
void live_session_refuse(struct live_session *session, unsigned tile, const char *state, const char *reason);
void live_session_close(struct live_session *session, unsigned tile);
/* What the page can play (live_accepts); everything until it says. */
void live_session_accepts(struct live_session *session, unsigned accepts);
/* Send the tiles' audio too, as records of tile + LIVE_AUDIO. Off until somebody asks. */
#define LIVE_AUDIO 128
void live_session_audio(struct live_session *session, bool on);
/* Nothing comes after: its stream has ended. */
void live_session_end(struct live_session *session);

/* The next record of the body: its head is the part's prefix. 1; 0: nothing now. Looks only at tiles that
 * had news or were changed. */
int live_session_next(struct live_session *session, struct http_part *ret_part);
/* A slot's hub has news. Any thread. */
void live_session_news(struct live_session *session, unsigned slot);
/* After changes: asks the host to go on. Any thread. */
void live_session_wake(struct live_session *session);

#endif
