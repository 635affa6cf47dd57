#include "live/session.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

struct tile {
    bool used;
    enum live_choice choice;
    struct hub *hubs[STREAM_ROLES];
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
    unsigned accepts;
    bool audio;
    bool ended;
    struct tile tiles[LIVE_TILES];
    unsigned turn; /* the tile asked first next time */
    se_mono_us keepalive_at_us;
    /* The record that is going out. */
    uint8_t head[LIVE_HEAD];
    struct se_buf *boxes;   /* of a fragment, or NULL */
    struct se_buf *payload; /* or NULL */
    size_t sent, total;     /* of the three */
};

int live_session_new(int64_t keepalive_us, struct live_session **ret_session)
{
    struct live_session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->refs = 1;
    session->keepalive_us = keepalive_us;
    session->accepts = LIVE_AVC | LIVE_HEVC;
    session->keepalive_at_us = se_mono_now_us() + keepalive_us;
    se_id_new(session->id);
    pthread_mutex_init(&session->lock, NULL);
    /* The first record says which session this is. */
    char text[SE_ID_LEN + 16];
    int n = snprintf(text, sizeof(text), "{\"live\":\"%s\"}", session->id);
    session->payload = se_buf_copy(text, (size_t)n);
    if (!session->payload) {
        live_session_unref(&session);
        return -ENOMEM;
    }
    session->total = LIVE_HEAD + (size_t)n;
    session->head[7] = (uint8_t)n;
    *ret_session = session;
    return 0;
}

struct live_session *live_session_ref(struct live_session *session)
{
    atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
    return session;
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
    se_buf_unref(&session->boxes);
    se_buf_unref(&session->payload);
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
    pthread_mutex_unlock(&session->lock);
}

void live_session_close(struct live_session *session, unsigned tile)
{
    pthread_mutex_lock(&session->lock);
    tile_fini(&session->tiles[tile]);
    pthread_mutex_unlock(&session->lock);
}

void live_session_accepts(struct live_session *session, unsigned accepts)
{
    pthread_mutex_lock(&session->lock);
    session->accepts = accepts;
    for (unsigned i = 0; i < LIVE_TILES; i++) /* look at all again */
        session->tiles[i].versions[STREAM_MAIN] = session->tiles[i].versions[STREAM_SUB] = 0;
    pthread_mutex_unlock(&session->lock);
}

void live_session_audio(struct live_session *session, bool on)
{
    pthread_mutex_lock(&session->lock);
    for (unsigned i = 0; i < LIVE_TILES && on && !session->audio; i++)
        session->tiles[i].audio_cursor = (struct hub_cursor){0}; /* from now on, init first */
    session->audio = on;
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

/* Looks at the hubs' states; true when one had changed. */
static bool look(struct live_session *session, struct tile *tile, struct hub_state states[STREAM_ROLES])
{
    bool changed = false;
    for (unsigned role = 0; role < STREAM_ROLES; role++) {
        if (!tile->hubs[role])
            continue;
        hub_state(tile->hubs[role], &states[role]);
        changed |= states[role].version != tile->versions[role];
        tile->versions[role] = states[role].version;
    }
    if (!changed)
        return false;
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
static void begin(struct live_session *session, enum live_record kind, unsigned tile, struct se_buf *boxes,
                  struct se_buf *payload)
{
    size_t size = (boxes ? boxes->size : 0) + (payload ? payload->size : 0);
    session->head[0] = (uint8_t)kind;
    session->head[1] = (uint8_t)tile;
    session->head[2] = session->head[3] = 0;
    for (unsigned i = 0; i < 4; i++)
        session->head[4 + i] = (uint8_t)(size >> (24 - 8 * i));
    se_buf_unref(&session->boxes);
    se_buf_unref(&session->payload);
    session->boxes = boxes;
    session->payload = payload;
    session->sent = 0;
    session->total = LIVE_HEAD + size;
}

static bool begin_text(struct live_session *session, unsigned tile, const char *text)
{
    struct se_buf *payload = text ? se_buf_copy(text, strlen(text)) : NULL;
    if (!payload)
        return false; /* no memory now: the tile is asked again */
    begin(session, LIVE_JSON, tile, NULL, payload);
    return true;
}

/* Sends the tile's state when it is news. */
static bool say(struct live_session *session, unsigned number, const struct hub_state *state)
{
    struct tile *tile = &session->tiles[number];
    se_json_ *record = describe(tile, number, state);
    se_free_ char *text = record ? se_json_text(record) : NULL;
    if (!text || (!tile->say && strncmp(text, tile->said, sizeof(tile->said) - 1) == 0))
        return false;
    snprintf(tile->said, sizeof(tile->said), "%s", text);
    tile->say = false;
    return begin_text(session, number, text);
}

static bool next_video(struct live_session *session, unsigned number, const struct hub_state *state)
{
    struct tile *tile = &session->tiles[number];
    struct hub_item item;
    /* The state goes out once more before an init: look whether one comes, on a copy of the cursor. */
    struct hub_cursor peek = tile->cursor;
    hub_read(tile->hubs[tile->role], &peek, &item);
    if (item.kind == HUB_NOTHING)
        return false;
    if (item.kind == HUB_INIT && !tile->said_init) {
        hub_item_clear(&item);
        tile->say = tile->said_init = true;
        return say(session, number, state);
    }
    tile->cursor = peek;
    tile->said_init = false;
    begin(session, item.kind == HUB_INIT ? LIVE_INIT : LIVE_FRAGMENT, number, item.head, item.data);
    return true;
}

/* The same of a tile's audio, which has a source buffer of its own in a browser. */
static bool next_audio(struct live_session *session, unsigned number, const struct hub_state *state)
{
    struct tile *tile = &session->tiles[number];
    struct hub_item item;
    if (!session->audio || !state->audio_mime[0])
        return false;
    struct hub_cursor peek = tile->audio_cursor;
    hub_read_audio(tile->hubs[tile->role], &peek, &item);
    if (item.kind == HUB_NOTHING)
        return false;
    if (item.kind == HUB_INIT && !tile->said_audio_init) {
        hub_item_clear(&item);
        struct hub_state audio = *state;
        memcpy(audio.mime, state->audio_mime, sizeof(state->audio_mime));
        se_json_ *record = describe(tile, number + LIVE_AUDIO, &audio);
        se_free_ char *text = record ? se_json_text(record) : NULL;
        tile->said_audio_init = begin_text(session, number + LIVE_AUDIO, text);
        return tile->said_audio_init;
    }
    tile->audio_cursor = peek;
    tile->said_audio_init = false;
    begin(session, item.kind == HUB_INIT ? LIVE_INIT : LIVE_FRAGMENT, number + LIVE_AUDIO, item.head,
          item.data);
    return true;
}

static bool next_of_tile(struct live_session *session, unsigned number)
{
    struct tile *tile = &session->tiles[number];
    struct hub_state states[STREAM_ROLES] = {0};
    if (!tile->used)
        return false;
    if (tile->refused) {
        bool sent = begin_text(session, number, tile->refused);
        if (sent)
            tile_fini(tile);
        return sent;
    }
    bool changed = look(session, tile, states);
    const struct hub_state *state = &states[tile->role];
    if ((changed || tile->say) && say(session, number, state))
        return true;
    return tile->playable && (next_video(session, number, state) || next_audio(session, number, state));
}

/* Begins the next record; false: there is none. */
static bool next_record(struct live_session *session)
{
    se_mono_us now = se_mono_now_us();
    if (now >= session->keepalive_at_us) {
        session->keepalive_at_us = now + session->keepalive_us;
        begin(session, LIVE_KEEPALIVE, 0, NULL, NULL);
        return true;
    }
    for (unsigned i = 0; i < LIVE_TILES; i++) {
        unsigned number = (session->turn + i) % LIVE_TILES;
        if (next_of_tile(session, number)) {
            session->turn = (number + 1) % LIVE_TILES;
            return true;
        }
    }
    return false;
}

/* Bytes [start, start + size) of the record lie at data: copies what has not gone yet and fits. */
static size_t copy_part(struct live_session *session, size_t start, const uint8_t *data, size_t size,
                        uint8_t *out, size_t room)
{
    if (session->sent >= start + size || !room)
        return 0;
    size_t left = start + size - session->sent, n = left < room ? left : room;
    memcpy(out, data + (session->sent - start), n);
    session->sent += n;
    return n;
}

static size_t copy_out(struct live_session *session, uint8_t *out, size_t size)
{
    const struct se_buf *boxes = session->boxes, *payload = session->payload;
    size_t done = copy_part(session, 0, session->head, LIVE_HEAD, out, size), start = LIVE_HEAD;
    if (boxes)
        done += copy_part(session, start, boxes->data, boxes->size, out + done, size - done);
    start += boxes ? boxes->size : 0;
    if (payload)
        done += copy_part(session, start, payload->data, payload->size, out + done, size - done);
    if (session->sent == session->total) {
        se_buf_unref(&session->boxes);
        se_buf_unref(&session->payload);
    }
    return done;
}

size_t live_session_fill(struct live_session *session, uint8_t *out, size_t size)
{
    size_t done = 0;
    pthread_mutex_lock(&session->lock);
    while (done < size) {
        if (session->sent == session->total && (session->ended || !next_record(session)))
            break;
        done += copy_out(session, out + done, size - done);
    }
    pthread_mutex_unlock(&session->lock);
    return done;
}

bool live_session_ready(struct live_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool ready = session->sent < session->total || se_mono_now_us() >= session->keepalive_at_us;
    for (unsigned i = 0; i < LIVE_TILES && !ready; i++) {
        const struct tile *tile = &session->tiles[i];
        ready = tile->refused || (tile->used && tile->say);
        for (unsigned role = 0; role < STREAM_ROLES && !ready && tile->used && !tile->refused; role++) {
            static const struct hub_cursor caught_up = {.next = UINT64_MAX};
            bool shown = role == tile->role && tile->playable;
            ready = tile->hubs[role] &&
                    hub_news(tile->hubs[role], shown ? &tile->cursor : &caught_up, tile->versions[role]);
        }
    }
    pthread_mutex_unlock(&session->lock);
    return ready;
}
