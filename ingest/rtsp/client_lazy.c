/* Few, large reads. A stream that nobody watches need not be read the moment something comes: a loop reads
 * all of its own that are such ten times a second, in turns, and in between only those whose socket fills up.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client.h"

#define TURNS   5 /* in which a loop's clients are read, so that no turn takes long */
#define TURN_US (CLIENT_LAZY_US / TURNS)
#define FULL    49152 /* bytes: woken by so much; below what makes the kernel enlarge the buffer */
#define AT_ONCE 1

/* Of a loop's thread. */
struct lazy {
    struct se_timer timer;
    struct rtsp_client *turns[TURNS];
    unsigned next, count, add;
};

static pthread_key_t lazy_key;
static pthread_once_t lazy_once = PTHREAD_ONCE_INIT;

static void make_lazy_key(void)
{
    (void)pthread_key_create(&lazy_key, free);
}

static void sweep(struct se_timer *timer)
{
    struct lazy *lazy = timer->ctx;
    struct rtsp_client *client = lazy->turns[lazy->next], *after;

    lazy->next = (lazy->next + 1) % TURNS;
    for (; client; client = after) {
        after = client->lazy_next; /* reading may end this one's session, never another's */
        client_read(client);
    }
    if (lazy->count)
        (void)se_timer_in(timer->loop, timer, TURN_US);
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

static void join(struct rtsp_client *client)
{
    struct lazy *lazy = lazy_here();
    if (!lazy || !wake_at(client, FULL))
        return; /* read at once, as before */
    struct rtsp_client **list = &lazy->turns[lazy->add];
    lazy->add = (lazy->add + 1) % TURNS;
    client->lazy_next = *list;
    client->lazy_link = list;
    if (client->lazy_next)
        client->lazy_next->lazy_link = &client->lazy_next;
    *list = client;
    if (lazy->count++ == 0)
        (void)se_timer_in(client->loop, &lazy->timer, TURN_US);
}

void client_lazy_leave(struct rtsp_client *client)
{
    if (!client->lazy_link)
        return;
    *client->lazy_link = client->lazy_next;
    if (client->lazy_next)
        client->lazy_next->lazy_link = client->lazy_link;
    client->lazy_link = NULL;
    struct lazy *lazy = lazy_here();
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
