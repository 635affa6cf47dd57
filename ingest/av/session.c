#include "av/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "av/resolve.h"

int av_session_interrupted(void *ctx)
{
    struct av_session *session = ctx;
    if (session->lock_protocols) {
        memset(session->lock_protocols, '-', strlen(session->lock_protocols));
        session->lock_protocols = NULL;
    }
    if (*session->quit || session->over)
        return 1;
    if (se_mono_now_us() >= session->deadline_us)
        session->late = true;
    return session->late;
}

void av_session_fail(struct av_session *session, enum source_failure kind, const char *fmt, ...)
{
    if (session->failure.known)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(session->failure.text, sizeof(session->failure.text), fmt, args);
    va_end(args);
    session->failure.kind = kind;
    session->failure.known = true;
}

int av_session_resolve(struct av_session *session, const char *host, uint16_t port,
                       struct sockaddr_storage *ret_addresses, unsigned max, unsigned *ret_count)
{
    unsigned count = 0, allowed = 0;
    int r = av_resolve(session->config->pool, host, port, av_session_interrupted, session, ret_addresses, max,
                       &count);
    if (r == -EAGAIN)
        av_session_fail(session, FAILURE_UNREACHABLE, "too many names are being resolved at once");
    else if (r == -EINTR)
        av_session_fail(session, FAILURE_UNREACHABLE, "the name %.100s was not resolved in time", host);
    else if (r < 0)
        av_session_fail(session, FAILURE_UNREACHABLE, "the name %.100s cannot be resolved", host);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < count; i++)
        if (address_allowed(&session->config->rules, (struct sockaddr *)&ret_addresses[i]))
            ret_addresses[allowed++] = ret_addresses[i];
    if (!allowed) {
        av_session_fail(session, FAILURE_ANSWER, "%.80s is at an address that ingest.allow does not list",
                        host);
        return -EACCES;
    }
    *ret_count = allowed;
    return 0;
}
