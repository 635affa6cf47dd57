#include "base/thread.h"

#include <signal.h>
#include <stdio.h>

int se_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *ctx), void *ctx)
{
    sigset_t all, before;
    pthread_t thread;
    char cut[16];
    int r;

    /* A thread inherits its maker's mask: signals are for main() alone. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&thread, NULL, fn, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;

    snprintf(cut, sizeof(cut), "%s", name);
    pthread_setname_np(thread, cut);
    *ret_thread = thread;
    return 0;
}
