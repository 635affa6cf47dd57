#include "live/session.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define AUDIO_ASK_US 500000

struct tile {
    bool used;
    enum live_choice choice;
    struct hub *hubs[STREAM_ROLES];
    bool audio;                      /* the stream shown has some that MP4 takes */
    bool watched[STREAM_ROLES];      /* counted as a viewer of it */
    uint32_t versions[STREAM_ROLES]; /* of the states that were last looked at */
    enum stream_role role;           /* the one shown */
    bool playable;                   /* its codec is one the page accepts */
    struct hub_cursor cursor, audio_cursor;
    char *refused;        /* a record's text to send instead; the tile shows nothing */
    char said[512];       /* the last state that was sent */
    bool say;             /* send the state even if it is the same (before an init) */
    bool said_audio_init; /* likewise of its audio */
    bool said_init;       /* it was: the init may go */
};

struct live_session {
    _Atomic unsigned refs;
    char id[SE_ID_LEN];
    int64_t keepalive_us;
    pthread_mutex_t lock;
    struct live_host host; /* zeroed at the end */
    unsigned accepts;
    bool audio;
    bool greeted; /* the first record went out */
    bool ended;
    struct tile tiles[LIVE_TILES];
    struct hub *followed[LIVE_SLOTS]; /* compared, never followed here: the host holds them */
    _Atomic uint64_t news;            /* a bit for each tile to be looked at */
    unsigned turn;                    /* the tile asked first next time */
    se_mono_us keepalive_at_us, audio_at_us;
};

int live_session_new(int64_t keepalive_us, const struct live_host *host, struct live_session **ret_session)
{
    struct live_session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->refs = 1;
    session->keepalive_us = keepalive_us;
    session->host = *host;
    session->accepts = LIVE_AVC | LIVE_HEVC;
    session->keepalive_at_us = se_mono_now_us() + keepalive_us;
    se_id_new(session->id);
    pthread_mutex_init(&session->lock, NULL);
    *ret_session = session;
    return 0;
}

struct live_session *live_session_ref(struct live_session *session)
{
    atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
    return session;
}

static void look_at(struct live_session *session, unsigned tile)
{
    atomic_fetch_or_explicit(&session->news, UINT64_C(1) << tile, memory_order_relaxed);
}

void live_session_news(struct live_session *session, unsigned slot)
{
    look_at(session, slot / STREAM_ROLES);
}

void live_session_wake(struct live_session *session)
{
    pthread_mutex_lock(&session->lock);
    if (session->host.wake)
        session->host.wake(session->host.ctx);
    pthread_mutex_unlock(&session->lock);
}

/* --- tiles ------------------------------------------------------------------------------------------ */

static void watch(struct tile *tile, enum stream_role role, bool on)
{
    if (!tile->hubs[role] || tile->watched[role] == on)
        return;
    tile->watched[role] = on;
    if (on)
        hub_viewer_add(tile->hubs[role]);
    else
        hub_viewer_remove(tile->hubs[role]);
}

static void tile_fini(struct tile *tile)
{
    for (unsigned role = 0; role < STREAM_ROLES; role++) {
        watch(tile, role, false);
        hub_unref(&tile->hubs[role]);
    }
    free(tile->refused);
    *tile = (struct tile){0};
}

void live_session_unref(struct live_session **psession)
{
    struct live_session *session = *psession;
    *psession = NULL;
    if (!session || atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) != 1)
        return;
    live_session_end(session);
    pthread_mutex_destroy(&session->lock);
    free(session);
}

const char *live_session_id(const struct live_session *session)
{
    return session->id;
}

void live_session_end(struct live_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->ended = true;
    session->host = (struct live_host){0};
    for (unsigned i = 0; i < LIVE_TILES; i++)
        tile_fini(&session->tiles[i]);
    pthread_mutex_unlock(&session->lock);
}

void live_session_open(struct live_session *session, unsigned tile, enum live_choice choice,
                       struct hub *hubs[STREAM_ROLES])
{
    pthread_mutex_lock(&session->lock);
    struct tile *t = &session->tiles[tile];
    tile_fini(t);
    t->used = true;
    t->choice = choice;
    t->role = choice == LIVE_SUB || (choice == LIVE_AUTO && !hubs[STREAM_MAIN]) ? STREAM_SUB : STREAM_MAIN;
    memcpy(t->hubs, hubs, sizeof(t->hubs));
    if (session->ended)
        tile_fini(t);
    look_at(session, tile);
    pthread_mutex_unlock(&session->lock);
}

void live_session_refuse(struct live_session *session, unsigned tile, const char *state, const char *reason)
{
    char since[SE_TIME_LEN];
    se_time_format(se_wall_now_ms(), since);
    se_json_ *record = json_pack("{s:i, s:s, s:s, s:s, s:s}", "tile", (int)tile, "state", state, "since",
                                 since, "mime", "", "reason", reason);
    pthread_mutex_lock(&session->lock);
    struct tile *t = &session->tiles[tile];
    tile_fini(t);
    t->refused = record ? se_json_text(record) : NULL;
    t->used = t->refused != NULL;
    look_at(session, tile);
    pthread_mutex_unlock(&session->lock);
}

void live_session_close(struct live_session *session, unsigned tile)
{
    pthread_mutex_lock(&session->lock);
    tile_fini(&session->tiles[tile]);
    look_at(session, tile); /* to follow its hubs no more */
    pthread_mutex_unlock(&session->lock);
}

void live_session_accepts(struct live_session *session, unsigned accepts)
{
    pthread_mutex_lock(&session->lock);
    session->accepts = accepts;
    for (unsigned i = 0; i < LIVE_TILES; i++) /* look at all again */
        session->tiles[i].versions[STREAM_MAIN] = session->tiles[i].versions[STREAM_SUB] = 0;
    atomic_store(&session->news, UINT64_MAX);
    pthread_mutex_unlock(&session->lock);
}

void live_session_audio(struct live_session *session, bool on)
{
    pthread_mutex_lock(&session->lock);
    for (unsigned i = 0; i < LIVE_TILES && on && !session->audio; i++)
        session->tiles[i].audio_cursor = (struct hub_cursor){0}; /* from now on, init first */
    session->audio = on;
    atomic_store(&session->news, UINT64_MAX);
    pthread_mutex_unlock(&session->lock);
}

/* --- which stream a tile shows ------------------------------------------------------------------------ */

/* A codec that is not known yet may turn out to be fine. */
static bool accepted(const struct live_session *session, const struct hub_state *state)
{
    if (strstr(state->mime, "\"hvc1"))
        return session->accepts & LIVE_HEVC;
    return !state->mime[0] || session->accepts & LIVE_AVC;
}

/* "auto": the sub stream while it is live and playable, else main. A sub stream that is only pulled while
 * somebody watches is asked for; where main is not running either, it is waited for. */
static enum stream_role choose(const struct live_session *session, const struct tile *tile,
                               const struct hub_state states[STREAM_ROLES])
{
    const struct hub_state *sub = &states[STREAM_SUB], *mains = &states[STREAM_MAIN];
    if (tile->choice == LIVE_MAIN || !tile->hubs[STREAM_SUB])
        return STREAM_MAIN;
    if (tile->choice == LIVE_SUB || !tile->hubs[STREAM_MAIN])
        return STREAM_SUB;
    if (!accepted(session, sub) || sub->removed)
        return STREAM_MAIN;
    if (sub->state == SOURCE_LIVE)
        return STREAM_SUB;
    bool coming = sub->state == SOURCE_CONNECTING || sub->state == SOURCE_IDLE;
    return coming && mains->state == SOURCE_IDLE ? STREAM_SUB : STREAM_MAIN;
}

/* Looks at the hubs' states; true when one had changed, and they are all in states then. */
static bool look(struct live_session *session, struct tile *tile, struct hub_state states[STREAM_ROLES])
{
    bool changed = false;
    for (unsigned role = 0; role < STREAM_ROLES; role++)
        changed |= tile->hubs[role] && hub_version(tile->hubs[role]) != tile->versions[role];
    if (!changed)
        return false;
    for (unsigned role = 0; role < STREAM_ROLES; role++) {
        if (!tile->hubs[role])
            continue;
        hub_state(tile->hubs[role], &states[role]);
        tile->versions[role] = states[role].version;
    }
    enum stream_role role = choose(session, tile, states);
    if (role != tile->role) {
        tile->role = role;
        tile->cursor = tile->audio_cursor = (struct hub_cursor){0};
    }
    watch(tile, role, true);
    if (tile->choice == LIVE_AUTO && tile->hubs[STREAM_SUB] && accepted(session, &states[STREAM_SUB]))
        watch(tile, STREAM_SUB, true);
    for (unsigned other = 0; other < STREAM_ROLES; other++)
        if (other != role &&
            !(other == STREAM_SUB && tile->choice == LIVE_AUTO && accepted(session, &states[other])))
            watch(tile, other, false);
    tile->playable = accepted(session, &states[role]);
    tile->audio = states[role].audio_mime[0] != '\0';
    return true;
}

static json_t *describe(const struct tile *tile, unsigned number, const struct hub_state *state)
{
    char since[SE_TIME_LEN];
    const char *name = source_state_name(state->state), *reason = state->reason;
    se_time_format(state->since_ms, since);
    if (state->removed) {
        name = "offline";
        reason = "The camera was removed.";
    } else if (!tile->playable) {
        name = "unsupported";
        reason =
            "The stream is H.265, which this page does not play, and no other stream of the camera is live.";
    }
    json_t *record =
        json_pack("{s:i, s:s, s:s, s:s, s:s}", "tile", (int)number, "state", name, "since", since, "mime",
                  state->mime, "stream", tile->role == STREAM_SUB ? "sub" : "main");
    if (record && reason[0])
        json_object_set_new(record, "reason", json_string(reason));
    return record;
}

/* --- records ------------------------------------------------------------------------------------------- */

/* Takes boxes and payload (NULL: none). */
static void begin(struct http_part *part, enum live_record kind, unsigned tile, struct se_buf *boxes,
                  struct se_buf *payload)
{
    size_t size = (boxes ? boxes->size : 0) + (payload ? payload->size : 0);
    *part = (struct http_part){.prefix_size = LIVE_HEAD, .head = boxes, .data = payload};
    part->prefix[0] = (uint8_t)kind;
    part->prefix[1] = (uint8_t)tile;
    for (unsigned i = 0; i < 4; i++)
        part->prefix[4 + i] = (uint8_t)(size >> (24 - 8 * i));
}

static bool begin_text(struct http_part *part, unsigned tile, const char *text)
{
    struct se_buf *payload = text ? se_buf_copy(text, strlen(text)) : NULL;
    if (!payload)
        return false; /* no memory now: the tile is looked at again with the next keep-alive */
    begin(part, LIVE_JSON, tile, NULL, payload);
    return true;
}

/* Sends the tile's state when it is news. */
static bool say(struct tile *tile, unsigned number, const struct hub_state *state, struct http_part *part)
{
    se_json_ *record = describe(tile, number, state);
    se_free_ char *text = record ? se_json_text(record) : NULL;
    if (!text || (!tile->say && strncmp(text, tile->said, sizeof(tile->said) - 1) == 0))
        return false;
    snprintf(tile->said, sizeof(tile->said), "%s", text);
    tile->say = false;
    return begin_text(part, number, text);
}

static bool next_video(struct tile *tile, unsigned number, struct http_part *part)
{
    struct hub *hub = tile->hubs[tile->role];
    struct hub_item item;
    /* The state goes out once more before an init: look whether one comes, on a copy of the cursor. */
    struct hub_cursor peek = tile->cursor;
    hub_read(hub, &peek, &item);
    if (item.kind == HUB_NOTHING)
        return false;
    if (item.kind == HUB_INIT && !tile->said_init) {
        struct hub_state state;
        hub_item_clear(&item);
        hub_state(hub, &state);
        tile->say = tile->said_init = true;
        return say(tile, number, &state, part);
    }
    tile->cursor = peek;
    tile->said_init = false;
    begin(part, item.kind == HUB_INIT ? LIVE_INIT : LIVE_FRAGMENT, number, item.head, item.data);
    return true;
}

/* The same of a tile's audio, which has a source buffer of its own in a browser. */
static bool next_audio(struct tile *tile, unsigned number, struct http_part *part)
{
    struct hub *hub = tile->hubs[tile->role];
    struct hub_item item;
    struct hub_cursor peek = tile->audio_cursor;
    hub_read_audio(hub, &peek, &item);
    if (item.kind == HUB_NOTHING)
        return false;
    if (item.kind == HUB_INIT && !tile->said_audio_init) {
        struct hub_state audio;
        hub_item_clear(&item);
        hub_state(hub, &audio);
        memcpy(audio.mime, audio.audio_mime, sizeof(audio.audio_mime));
        se_json_ *record = describe(tile, number + LIVE_AUDIO, &audio);
        se_free_ char *text = record ? se_json_text(record) : NULL;
        tile->said_audio_init = begin_text(part, number + LIVE_AUDIO, text);
        return tile->said_audio_init;
    }
    tile->audio_cursor = peek;
    tile->said_audio_init = false;
    begin(part, item.kind == HUB_INIT ? LIVE_INIT : LIVE_FRAGMENT, number + LIVE_AUDIO, item.head, item.data);
    return true;
}

/* Before it is read, so that no news are missed. */
static void follow(struct live_session *session, unsigned number)
{
    for (unsigned role = 0; role < STREAM_ROLES; role++) {
        unsigned slot = number * STREAM_ROLES + role;
        struct hub *hub = session->tiles[number].hubs[role];
        if (session->followed[slot] == hub || !session->host.follow)
            continue;
        bool follows = session->host.follow(session->host.ctx, slot, hub) == 0;
        session->followed[slot] = follows ? hub : NULL;
    }
}

static bool next_of_tile(struct live_session *session, unsigned number, struct http_part *part)
{
    struct tile *tile = &session->tiles[number];
    struct hub_state states[STREAM_ROLES];
    follow(session, number);
    if (!tile->used)
        return false;
    if (tile->refused) {
        bool sent = begin_text(part, number, tile->refused);
        if (sent)
            tile_fini(tile);
        return sent;
    }
    if (look(session, tile, states) && say(tile, number, &states[tile->role], part))
        return true;
    return tile->playable && (next_video(tile, number, part) ||
                              (session->audio && tile->audio && next_audio(tile, number, part)));
}

/* The first record says which session this is. */
static bool greet(struct live_session *session, struct http_part *part)
{
    char text[SE_ID_LEN + 16];
    snprintf(text, sizeof(text), "{\"live\":\"%s\"}", session->id);
    session->greeted = begin_text(part, 0, text);
    return session->greeted;
}

static bool next_record(struct live_session *session, struct http_part *part)
{
    se_mono_us now = se_mono_now_us();
    if (!session->greeted)
        return greet(session, part);
    if (now >= session->keepalive_at_us) {
        session->keepalive_at_us = now + session->keepalive_us;
        atomic_store(&session->news, UINT64_MAX); /* for what found no memory the last time */
        begin(part, LIVE_KEEPALIVE, 0, NULL, NULL);
        return true;
    }
    if (session->audio && now >= session->audio_at_us) { /* who does not ask for it gets none */
        session->audio_at_us = now + AUDIO_ASK_US;
        atomic_store(&session->news, UINT64_MAX);
    }
    uint64_t news;
    while ((news = atomic_load(&session->news)) != 0) {
        /* In turn: the next one with news at or after `turn`. */
        uint64_t after = news & UINT64_MAX << session->turn;
        unsigned number = (unsigned)__builtin_ctzll(after ? after : news);
        atomic_fetch_and(&session->news, ~(UINT64_C(1) << number)); /* before the look */
        session->turn = (number + 1) % LIVE_TILES;
        if (next_of_tile(session, number, part)) {
            look_at(session, number); /* there may be more */
            return true;
        }
    }
    return false;
}

int live_session_next(struct live_session *session, struct http_part *ret_part)
{
    pthread_mutex_lock(&session->lock);
    bool any = !session->ended && next_record(session, ret_part);
    pthread_mutex_unlock(&session->lock);
    return any;
}
