/* Few, large reads. A stream that nobody watches need not be read the moment something comes: a loop reads
 * all of its own that are such ten times a second, in turns, and in between only those whose socket fills up.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

#define TURNS     5  /* in which a loop's clients are read, so that no turn takes long … */
#define TURN_FULL 64 /* … but few of them in one: each turn wakes the loop */
#define TURN_US   (CLIENT_LAZY_US / TURNS)
#define FULL      49152 /* bytes: woken by so much; below what makes the kernel enlarge the buffer */
#define AT_ONCE   1

/* Of a loop's thread. */
struct lazy {
    struct se_timer timer;
    struct lazy_turn {
        struct rtsp_client *clients;
        unsigned count;
    } turns[TURNS];
    unsigned next, count;
};

static pthread_key_t lazy_key;
static pthread_once_t lazy_once = PTHREAD_ONCE_INIT;

static void make_lazy_key(void)
{
    (void)pthread_key_create(&lazy_key, free);
}

/* Sets the timer for the next turn that has anybody, counted from the time of this one. */
static void next_turn(struct se_loop *loop, struct lazy *lazy, se_mono_us from_us)
{
    unsigned steps = 1;
    while (steps < TURNS && !lazy->turns[(lazy->next + steps) % TURNS].count)
        steps++;
    lazy->next = (lazy->next + steps) % TURNS;
    (void)se_timer_set(loop, &lazy->timer, from_us + steps * TURN_US);
}

static void sweep(struct se_timer *timer)
{
    struct lazy *lazy = timer->ctx;
    struct rtsp_client *client = lazy->turns[lazy->next].clients, *after;
    se_mono_us now = se_loop_now_us(timer->loop);

    for (; client; client = after) {
        after = client->lazy_next; /* reading may end this one's session, never another's */
        client_read(client);
    }
    if (lazy->count) /* in step, unless the loop was away for long */
        next_turn(timer->loop, lazy, now - timer->due_us < TURN_US ? timer->due_us : now);
}

static struct lazy *lazy_here(void)
{
    pthread_once(&lazy_once, make_lazy_key);
    struct lazy *lazy = pthread_getspecific(lazy_key);
    if (!lazy) {
        lazy = calloc(1, sizeof(*lazy));
        if (lazy && pthread_setspecific(lazy_key, lazy) != 0) {
            free(lazy);
            lazy = NULL;
        }
        if (lazy)
            lazy->timer = (struct se_timer){.fn = sweep, .ctx = lazy};
    }
    return lazy;
}

static bool wake_at(struct rtsp_client *client, int bytes)
{
    return setsockopt(client->watch.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)) == 0;
}

static struct lazy_turn *turn_with_room(struct lazy *lazy)
{
    struct lazy_turn *least = &lazy->turns[0];
    for (unsigned i = 0; i < TURNS; i++) {
        struct lazy_turn *turn = &lazy->turns[i];
        if (turn->count < TURN_FULL)
            return turn;
        if (turn->count < least->count)
            least = turn;
    }
    return least;
}

static void join(struct rtsp_client *client)
{
    struct lazy *lazy = lazy_here();
    if (!lazy || !wake_at(client, FULL))
        return; /* read at once, as before */
    struct lazy_turn *turn = turn_with_room(lazy);
    client->lazy_turn = (unsigned)(turn - lazy->turns);
    client->lazy_next = turn->clients;
    client->lazy_link = &turn->clients;
    if (client->lazy_next)
        client->lazy_next->lazy_link = &client->lazy_next;
    turn->clients = client;
    turn->count++;
    if (lazy->count++ == 0)
        next_turn(client->loop, lazy, se_loop_now_us(client->loop));
}

void client_lazy_leave(struct rtsp_client *client)
{
    if (!client->lazy_link)
        return;
    struct lazy *lazy = lazy_here();
    *client->lazy_link = client->lazy_next;
    if (client->lazy_next)
        client->lazy_next->lazy_link = client->lazy_link;
    client->lazy_link = NULL;
    lazy->turns[client->lazy_turn].count--;
    if (--lazy->count == 0)
        se_timer_cancel(&lazy->timer);
    if (client->watch.fd >= 0)
        (void)wake_at(client, AT_ONCE);
}

void client_lazy(struct rtsp_client *client)
{
    bool may = !client->watched && client->state == SOURCE_LIVE && client->phase == PHASE_PLAYING &&
               client->way.now != TRANSPORT_UDP;
    if (!may)
        client_lazy_leave(client);
    else if (!client->lazy_link)
        join(client);
}
