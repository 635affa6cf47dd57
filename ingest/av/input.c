#include "av/input.h"

#include <errno.h>
#include <libavutil/avstring.h>
#include <netdb.h>
#include <stdlib.h>

#include "av/http.h"
#include "base/str.h"

#define ADDRESSES_MAX 4

/* What may come over each scheme: the containers, and the protocols that libavformat may use by itself. */
static const struct {
    const char *formats, *protocols, *transport;
} kinds[SCHEME_COUNT] = {
    [SCHEME_RTSP] = {"rtsp,rtp", "tcp", "tcp"},
    [SCHEME_RTMP] = {"flv,live_flv", "rtmp,tcp", "rtmp"},
    [SCHEME_RTMPS] = {"flv,live_flv", "rtmps,tls,tcp", "rtmps"},
    [SCHEME_HTTP] = {"hls,flv,live_flv,mpegts,mov,matroska", "", "http"},
    [SCHEME_HTTPS] = {"hls,flv,live_flv,mpegts,mov,matroska", "", "https"},
    [SCHEME_SRT] = {"mpegts", "srt", "srt"},
};

/* --- what libavformat opens ----------------------------------------------------------- */

/* Everything that a demuxer wants opened beside its own input comes here: playlists and segments over HTTP,
 * and what a hostile playlist names. */
static int open_nested(AVFormatContext *format, AVIOContext **pb, const char *url, int flags,
                       AVDictionary **options)
{
    struct av_session *session = format->opaque;
    const AVDictionaryEntry *from = options ? av_dict_get(*options, "offset", NULL, 0) : NULL;
    const AVDictionaryEntry *end = options ? av_dict_get(*options, "end_offset", NULL, 0) : NULL;
    if (flags & AVIO_FLAG_WRITE || !session->http) {
        av_session_fail(session, FAILURE_ANSWER, "the stream names another place, which is not taken");
        return AVERROR(EPERM);
    }
    if (av_strstart(url, "crypto", NULL)) {
        av_session_fail(session, FAILURE_ANSWER, "the stream is encrypted, which cannot be pulled");
        return AVERROR(EPERM);
    }
    return av_http_open(session, url, from ? strtoll(from->value, NULL, 10) : 0,
                        end ? strtoll(end->value, NULL, 10) : 0, pb);
}

static int close_nested(AVFormatContext *format, AVIOContext *pb)
{
    av_http_close(pb);
    return 0;
}

static AVFormatContext *new_format(struct av_session *session)
{
    enum media_scheme scheme = session->config->url.scheme;
    AVFormatContext *format = avformat_alloc_context();
    if (!format)
        return NULL;
    format->interrupt_callback = (AVIOInterruptCB){av_session_interrupted, session};
    format->opaque = session;
    format->format_whitelist = av_strdup(kinds[scheme].formats);
    format->protocol_whitelist = av_strdup(kinds[scheme].protocols);
    format->max_streams = 32;
    format->probesize = 1024 * 1024;
    if (!format->format_whitelist || !format->protocol_whitelist) {
        avformat_free_context(format);
        return NULL;
    }
    if (scheme == SCHEME_HTTP || scheme == SCHEME_HTTPS) {
        format->io_open = open_nested;
        format->io_close2 = close_nested;
    }
    return format;
}

/* --- numbers for names ------------------------------------------------------------------ */

/* The application of an RTMP URL as libavformat cuts it: up to the second '/', or the first where there is no
 * second. A server that has many hosts finds this one by the name, which the connection does not show. */
static char *rtmp_tcurl(const struct media_url *url)
{
    const char *path = url->rest[0] == '/' ? url->rest + 1 : url->rest;
    if (strstr(path, "slist=") || av_strstart(path, "ondemand/", NULL))
        return NULL;
    const char *first = strchr(path, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    const char *colon = first ? strchr(first + 1, ':') : NULL;
    const char *end = !first ? path : second && !(colon && colon < second) ? second : first;
    return se_asprintf("%s://%s:%u/%.*s", media_scheme_name(url->scheme), url->host, url->port,
                       (int)(end - path), path);
}

static int set_options(struct av_session *session, AVDictionary **options)
{
    const struct av_stream_config *config = session->config;
    struct sockaddr_storage numeric;
    char number[24];
    switch (config->url.scheme) {
    case SCHEME_RTSP:
        av_dict_set(options, "rtsp_transport", "tcp", 0);
        av_dict_set(options, "user_agent", "SharpEyes", 0);
        break;
    case SCHEME_RTMPS:
        av_dict_set(options, "tls_verify", "1", 0);
        av_dict_set(options, "verifyhost", config->url.host, 0);
        /* fall through */
    case SCHEME_RTMP:
        if (!address_parse(config->url.host, &numeric)) {
            se_free_ char *tcurl = rtmp_tcurl(&config->url);
            if (tcurl)
                av_dict_set(options, "rtmp_tcurl", tcurl, 0);
        }
        av_dict_set(options, "rtmp_live", "live", 0);
        break;
    case SCHEME_SRT:
        snprintf(number, sizeof(number), "%lld", (long long)config->connect_us / 1000);
        av_dict_set(options, "connect_timeout", number, 0);
        av_dict_set(options, "mode", "caller", 0);
        if (config->password)
            av_dict_set(options, "passphrase", config->password, 0);
        break;
    default:
        av_dict_set(options, "http_persistent", "0", 0);
        av_dict_set(options, "allowed_extensions", "ALL", 0); /* only http is opened, by us */
        av_dict_set(options, "extension_picky", "0", 0);
        break;
    }
    return 0;
}

/* One address of the host after the other. */
static int open_numeric(struct av_session *session, struct av_input *input)
{
    const struct av_stream_config *config = session->config;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    unsigned count = 0;
    bool rtsp = config->url.scheme == SCHEME_RTSP, srt = config->url.scheme == SCHEME_SRT;
    int r = av_session_resolve(session, config->url.host, config->url.port, addresses, ADDRESSES_MAX, &count);
    if (r < 0)
        return AVERROR(-r);
    r = AVERROR(ENOENT);
    for (unsigned i = 0; i < count && r < 0 && !session->failure.known; i++) {
        char host[64];
        AVDictionary *options = NULL;
        if (getnameinfo((struct sockaddr *)&addresses[i], sizeof(addresses[i]), host, sizeof(host), NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        session->began_us = se_mono_now_us();
        session->deadline_us = session->began_us + config->connect_us + config->answer_us;
        session->late = false;
        char *url = media_url_at(&config->url, host, srt ? NULL : config->username, config->password);
        input->format = url ? new_format(session) : NULL;
        if (input->format) {
            /* From its first wait on, when its one connection stands, it may open no other: an RTSP server
             * that redirects it leads nowhere. */
            session->lock_protocols = rtsp ? input->format->protocol_whitelist : NULL;
            set_options(session, &options);
            const AVInputFormat *rtsp_format = rtsp ? av_find_input_format("rtsp") : NULL;
            r = avformat_open_input(&input->format, url, rtsp_format, &options);
            session->lock_protocols = NULL;
        } else {
            r = AVERROR(ENOMEM);
        }
        av_dict_free(&options);
        if (url)
            explicit_bzero(url, strlen(url));
        free(url);
        if (r == AVERROR_HTTP_UNAUTHORIZED || r == AVERROR_HTTP_FORBIDDEN || *session->quit)
            break;
    }
    return r;
}

static int open_http(struct av_session *session, struct av_input *input)
{
    const struct av_stream_config *config = session->config;
    AVDictionary *options = NULL;
    if (av_http_new(session) < 0)
        return AVERROR(ENOMEM);
    session->deadline_us = se_mono_now_us() + config->connect_us + config->answer_us;
    int r = av_http_open(session, config->url.text, 0, 0, &input->pb);
    if (r < 0)
        return r;
    input->format = new_format(session);
    if (!input->format)
        return AVERROR(ENOMEM);
    input->format->pb = input->pb;
    set_options(session, &options);
    session->deadline_us = se_mono_now_us() + config->answer_us;
    int64_t size = av_http_size(input->pb);
    r = avformat_open_input(&input->format, av_http_location(input->pb), NULL, &options);
    av_dict_free(&options);
    if (r < 0)
        return r;
    bool hls = !strcmp(input->format->iformat->name, "hls");
    input->finite = hls ? input->format->duration > 0 : size >= 0;
    input->paced = hls || input->finite;
    return 0;
}

/* --- words ------------------------------------------------------------------------------ */

/* libsrt gives one error for a caller that is turned away and for one that nobody hears: the time tells. */
static void explain_srt(struct av_session *session)
{
    const struct av_stream_config *config = session->config;
    if (se_mono_now_us() - session->began_us < config->connect_us * 3 / 4)
        av_session_fail(session, FAILURE_ANSWER,
                        "%.60s turns the connection away: it may want another passphrase or streamid",
                        config->url.host);
    else
        av_session_fail(session, FAILURE_UNREACHABLE, "%.80s does not answer on port %u", config->url.host,
                        config->url.port);
}

void av_input_explain(struct av_session *session, int error)
{
    const struct media_url *url = &session->config->url;
    enum source_failure broken = session->playing ? FAILURE_LOST : FAILURE_ANSWER;
    if (session->refused_redirect)
        av_session_fail(session, FAILURE_ANSWER,
                        "the camera redirects to another address: set the engine to auto, or the address it "
                        "redirects to");
    else if (session->late && session->playing)
        av_session_fail(session, FAILURE_LOST, "the camera fell silent");
    else if (session->late)
        av_session_fail(session, FAILURE_SILENT, "%.80s does not answer in time", url->host);
    else if (error == AVERROR(ECONNREFUSED))
        av_session_fail(session, FAILURE_UNREACHABLE, "%.80s refuses connections on port %u", url->host,
                        url->port);
    else if (error == AVERROR(ETIMEDOUT) && !session->playing)
        av_session_fail(session, FAILURE_UNREACHABLE, "%.80s does not answer on port %u", url->host,
                        url->port);
    else if (error == AVERROR(EHOSTUNREACH) || error == AVERROR(ENETUNREACH))
        av_session_fail(session, FAILURE_UNREACHABLE, "%.80s cannot be reached: %s", url->host,
                        strerrordesc_np(AVUNERROR(error)));
    else if (error == AVERROR_HTTP_UNAUTHORIZED || error == AVERROR_HTTP_FORBIDDEN)
        av_session_fail(session, FAILURE_REFUSED,
                        session->config->username ? "the camera refuses the user name or password"
                                                  : "the camera asks for a user name and password");
    else if (error == AVERROR(EPROTONOSUPPORT))
        av_session_fail(
            session, FAILURE_ANSWER,
            "the camera does not send over TCP, and the engine ffmpeg takes nothing else: set the "
            "engine to auto");
    else if (error == AVERROR_HTTP_NOT_FOUND)
        av_session_fail(session, FAILURE_ANSWER, "the camera knows no such stream (404)");
    else if (error == AVERROR_EOF)
        av_session_fail(session, broken, "the server ended the stream");
    else if (error == AVERROR(EINVAL) || error == AVERROR_INVALIDDATA)
        av_session_fail(session, broken, "what comes from %.80s is no video stream that can be read",
                        url->host);
    else if (url->scheme == SCHEME_SRT && !session->playing)
        explain_srt(session);
    else if (error == AVERROR(ENOMEM))
        av_session_fail(session, FAILURE_LOST, "out of memory");
    else if (session->last_words[0])
        av_session_fail(session, broken, "the stream cannot be %s: %.100s",
                        session->playing ? "read on" : "opened", session->last_words);
    else
        av_session_fail(session, broken, "the connection to %.80s broke", url->host);
}

int av_input_open(struct av_session *session, struct av_input *ret_input)
{
    struct av_input input = {.transport = kinds[session->config->url.scheme].transport};
    enum media_scheme scheme = session->config->url.scheme;
    int r = scheme == SCHEME_HTTP || scheme == SCHEME_HTTPS ? open_http(session, &input)
                                                            : open_numeric(session, &input);
    if (r < 0) {
        av_input_explain(session, r);
        av_input_close(session, &input);
        return -EIO;
    }
    session->playing = true;
    session->failure = (struct av_failure){0}; /* what went wrong on the way did not matter */
    *ret_input = input;
    return 0;
}

void av_input_close(struct av_session *session, struct av_input *input)
{
    avformat_close_input(&input->format);
    av_http_close(input->pb);
    input->pb = NULL;
    av_http_free(session);
}
