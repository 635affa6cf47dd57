#include "av/av_log.h"

#include <ctype.h>
#include <libavutil/log.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static _Thread_local struct av_session *current;

void av_log_session(struct av_session *session)
{
    current = session;
}

static bool ends_url(char c)
{
    return !c || isspace((unsigned char)c) || c == '\'' || c == '"' || c == '<' || c == '>';
}

void av_log_redact(char *line)
{
    char *out = line;
    for (char *p = line; *p;) {
        char *word = p;
        while (!ends_url(*p))
            p++;
        bool url = false;
        for (char *q = word; q + 3 <= p && !url; q++)
            url = !strncmp(q, "://", 3);
        if (url && p - word >= 3) {
            memcpy(out, "URL", 3);
            out += 3;
        } else {
            memmove(out, word, (size_t)(p - word));
            out += p - word;
        }
        if (*p)
            *out++ = *p++;
    }
    *out = 0;
    se_log_redact(line);
}

static void on_line(void *about, int level, const char *fmt, va_list args)
{
    static struct se_log_limit limit;
    char line[400];
    int prefix = 1;
    if (current && strstr(fmt, "Redirecting to"))
        current->refused_redirect = true;
    if (level > AV_LOG_WARNING || !current)
        return; /* a snapshot's decoder grumbles about what the camera sent: its result says enough */
    av_log_format_line2(about, level, fmt, args, line, sizeof(line), &prefix);
    line[strcspn(line, "\r\n")] = 0;
    av_log_redact(line);
    const char *words = strncmp(line, "[", 1) == 0 && strstr(line, "] ") ? strstr(line, "] ") + 2 : line;
    if (!*words)
        return;
    if (level <= AV_LOG_ERROR)
        snprintf(current->last_words, sizeof(current->last_words), "%.120s", words);
    se_log_write(&limit, SE_LOG_DEBUG, "ingest", "libavformat says text=\"%s\"", words);
}

static void init_once(void)
{
    av_log_set_callback(on_line);
}

void av_log_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}
