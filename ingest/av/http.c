#include "av/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <libavutil/error.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <netdb.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "av/av_metrics.h"
#include "base/str.h"

#define REDIRECTS_MAX 5
#define OPEN_MAX      16 /* responses at once: HLS needs a few */
#define ADDRESSES_MAX 4
#define NAMES_MAX     16                 /* looked up in one session */
#define HELD_BYTES    (256u * 1024)      /* of one response, not read yet */
#define PLAYLIST_MAX  (4 * 1024 * 1024)  /* bytes of an HLS playlist */
#define OPENING_MAX   (64 * 1024 * 1024) /* bytes until pictures must be there */
#define POLL_MS       100
#define PEM_MAX       16384 /* bytes of a certificate */

struct av_http {
    struct av_session *session;
    CURLM *multi;
    unsigned open, names;
};

/* One response. begins with its class: libavformat asks an AVIOContext's children for "location". */
struct response {
    const AVClass *av_class;
    char *location; /* the URL that answered */
    struct av_http *http;
    CURL *easy;
    struct curl_slist *resolved;
    struct media_url url;
    uint8_t held[HELD_BYTES];
    size_t from, to;         /* of held */
    int64_t position, size;  /* size -1: not said */
    int64_t taken, limit;    /* bytes received, and the most there may be */
    bool answered, finished; /* the head came; all came, or the connection ended */
    bool paused, in_multi, ranges, blocked;
    CURLcode result;
};

/* --- what libavformat may ask of the AVIOContext ------------------------------------- */

static const AVOption response_options[] = {
    {"location",
     NULL,
     offsetof(struct response, location),
     AV_OPT_TYPE_STRING,
     {.str = NULL},
     0,
     0,
     AV_OPT_FLAG_DECODING_PARAM | AV_OPT_FLAG_EXPORT | AV_OPT_FLAG_READONLY},
    {NULL},
};
static const AVClass response_class = {.class_name = "http",
                                       .item_name = av_default_item_name,
                                       .option = response_options,
                                       .version = LIBAVUTIL_VERSION_INT};

static void *child_of_pb(void *pb, void *prev)
{
    return prev ? NULL : ((AVIOContext *)pb)->opaque;
}
static const AVClass pb_class = {.class_name = "http-io",
                                 .item_name = av_default_item_name,
                                 .version = LIBAVUTIL_VERSION_INT,
                                 .child_next = child_of_pb};

/* --- libcurl's callbacks ---------------------------------------------------------------- */

static size_t on_body(char *data, size_t one, size_t size, void *ctx)
{
    struct response *response = ctx;
    struct av_session *session = response->http->session;
    response->answered = true;
    if (response->from == response->to)
        response->from = response->to = 0;
    if (size > HELD_BYTES - response->to) {
        memmove(response->held, response->held + response->from, response->to - response->from);
        response->to -= response->from;
        response->from = 0;
    }
    if (size > HELD_BYTES - response->to) {
        response->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!response->taken && size >= 7 && !memcmp(data, "#EXTM3U", 7))
        response->limit = PLAYLIST_MAX;
    response->taken += (int64_t)size;
    session->opening_bytes += session->playing ? 0 : size;
    if (response->taken > response->limit || session->opening_bytes > OPENING_MAX) {
        session->over = true;
        av_session_fail(session, FAILURE_ANSWER, "the server sends more than any playlist or header has");
        return 0;
    }
    memcpy(response->held + response->to, data, size);
    response->to += size;
    return size;
}

/* Whatever libcurl made of the URL: nothing is connected to that ingest.allow does not list. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct response *response = ctx;
    if (purpose != CURLSOCKTYPE_IPCXN ||
        !address_allowed(&response->http->session->config->rules, &address->addr)) {
        response->blocked = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* SHA-256 of a certificate in PEM, as hex. */
static bool fingerprint(const char *pem, char ret_hex[65])
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    uint8_t der[PEM_MAX], digest[crypto_hash_sha256_BYTES];
    char text[PEM_MAX];
    size_t n = 0;
    const char *from = strstr(pem, begin), *to = from ? strstr(from, "-----END") : NULL;
    if (!to || (size_t)(to - from) > sizeof(text))
        return false;
    for (from += sizeof(begin) - 1; from < to; from++)
        if (!strchr(" \r\n\t", *from))
            text[n++] = *from;
    long size = se_base64_decode(text, n, der);
    if (size <= 0)
        return false;
    crypto_hash_sha256(digest, der, (size_t)size);
    se_hex_encode(digest, sizeof(digest), ret_hex);
    return true;
}

/* The connection stands and nothing was asked yet. A pinned certificate stands for itself: whoever signed it,
 * it must be this very one. */
static int on_connected(void *ctx, char *remote, char *local, int remote_port, int local_port)
{
    struct response *response = ctx;
    struct curl_certinfo *chain = NULL;
    curl_easy_getinfo(response->easy, CURLINFO_CERTINFO, &chain);
    for (struct curl_slist *at = chain && chain->num_of_certs > 0 ? chain->certinfo[0] : NULL; at;
         at = at->next) {
        char hex[65];
        if (!strncmp(at->data, "Cert:", 5) && fingerprint(at->data + 5, hex) &&
            !strcasecmp(hex, response->http->session->config->tls_fingerprint))
            return CURL_PREREQFUNC_OK;
    }
    av_session_fail(response->http->session, FAILURE_ANSWER,
                    "the certificate of %.80s is not the one whose fingerprint is set", response->url.host);
    return CURL_PREREQFUNC_ABORT;
}

/* --- a request -------------------------------------------------------------------------- */

/* Tells libcurl the addresses of the URL's host, so that it asks no name server itself. */
static int give_addresses(struct response *response)
{
    struct av_session *session = response->http->session;
    const struct media_url *url = &response->url;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    unsigned count = 0;
    int r = av_session_resolve(session, url->host, url->port, addresses, ADDRESSES_MAX, &count);
    if (r < 0)
        return r;
    struct sockaddr_storage numeric;
    if (address_parse(url->host, &numeric))
        return 0;
    if (response->http->names++ >= NAMES_MAX) {
        av_session_fail(session, FAILURE_ANSWER, "the stream is spread over too many hosts");
        return -E2BIG;
    }
    struct se_str line = {0};
    se_str_printf(&line, "%s:%u:", url->host, url->port);
    for (unsigned i = 0; i < count; i++) {
        char text[64];
        if (getnameinfo((struct sockaddr *)&addresses[i], sizeof(addresses[i]), text, sizeof(text), NULL, 0,
                        NI_NUMERICHOST) == 0)
            se_str_printf(&line, strchr(text, ':') ? "%s[%s]" : "%s%s", i ? "," : "", text);
    }
    response->resolved = line.oom ? NULL : curl_slist_append(NULL, line.data);
    se_str_fini(&line);
    if (!response->resolved)
        return -ENOMEM;
    curl_easy_setopt(response->easy, CURLOPT_RESOLVE, response->resolved);
    return 0;
}

static void set_options(struct response *response)
{
    const struct av_stream_config *config = response->http->session->config;
    CURL *easy = response->easy;
    curl_easy_setopt(easy, CURLOPT_URL, response->url.text);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* ours: each step is looked up and checked */
    curl_easy_setopt(easy, CURLOPT_PROXY, "");          /* none, whatever the environment says */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "SharpEyes");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(config->connect_us / 1000));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, response);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, response);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, response);
    bool own = media_url_same_server(&response->url, &config->url);
    if (own && config->username) { /* another server gets no password of this one */
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST));
        curl_easy_setopt(easy, CURLOPT_USERNAME, config->username);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, config->password ? config->password : "");
    }
    if (own && config->tls_fingerprint && response->url.scheme == SCHEME_HTTPS) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L); /* by on_connected() */
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
        curl_easy_setopt(easy, CURLOPT_PREREQDATA, response);
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L); /* each is looked at */
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
}

static int request(struct response *response, int64_t from, int64_t end)
{
    char range[48];
    set_options(response);
    if (end > from)
        snprintf(range, sizeof(range), "%lld-%lld", (long long)from, (long long)end - 1);
    else
        snprintf(range, sizeof(range), "%lld-", (long long)from);
    curl_easy_setopt(response->easy, CURLOPT_RANGE, from || end ? range : NULL);
    response->from = response->to = 0;
    response->answered = response->finished = response->paused = response->blocked = false;
    response->taken = 0;
    if (curl_multi_add_handle(response->http->multi, response->easy) != CURLM_OK)
        return AVERROR(ENOMEM);
    response->in_multi = true;
    return 0;
}

static void end_request(struct response *response)
{
    if (response->in_multi)
        curl_multi_remove_handle(response->http->multi, response->easy);
    response->in_multi = false;
}

/* Lets libcurl work, for a moment at most. */
static int turn(struct av_http *http, bool wait)
{
    int running, left;
    CURLMsg *message;
    if (wait)
        curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL);
    if (curl_multi_perform(http->multi, &running) != CURLM_OK)
        return AVERROR(EIO);
    while ((message = curl_multi_info_read(http->multi, &left))) {
        struct response *response = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&response);
        response->finished = true;
        response->result = message->data.result;
    }
    return 0;
}

/* --- what an answer says ------------------------------------------------------------------ */

static void explain(struct response *response)
{
    struct av_session *session = response->http->session;
    const struct media_url *url = &response->url;
    long error = 0;
    curl_easy_getinfo(response->easy, CURLINFO_OS_ERRNO, &error);
    switch (response->result) {
    case CURLE_COULDNT_CONNECT:
        if (response->blocked)
            av_session_fail(session, FAILURE_ANSWER, "%.80s is at an address that ingest.allow does not list",
                            url->host);
        else if (error == ECONNREFUSED)
            av_session_fail(session, FAILURE_UNREACHABLE, "%.80s refuses connections on port %u", url->host,
                            url->port);
        else
            av_session_fail(session, FAILURE_UNREACHABLE, "%.80s cannot be reached: %s", url->host,
                            error ? strerrordesc_np((int)error) : "no connection");
        break;
    case CURLE_OPERATION_TIMEDOUT:
        av_session_fail(session, FAILURE_UNREACHABLE, "%.80s does not answer on port %u", url->host,
                        url->port);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        av_session_fail(
            session, FAILURE_ANSWER,
            "the certificate of %.80s is not one to trust: set its fingerprint, or install its CA",
            url->host);
        break;
    case CURLE_SSL_CONNECT_ERROR:
        av_session_fail(session, FAILURE_ANSWER, "%.80s does not speak TLS on port %u", url->host, url->port);
        break;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
        av_session_fail(session, FAILURE_ANSWER, "%.80s does not speak HTTP on port %u", url->host,
                        url->port);
        break;
    default:
        av_session_fail(session, session->playing ? FAILURE_LOST : FAILURE_ANSWER,
                        "the server closed the connection");
        break;
    }
}

/* 0, 1: go where the redirect leads, or an AVERROR. */
static int judge_status(struct response *response)
{
    struct av_session *session = response->http->session;
    long status = 0;
    curl_easy_getinfo(response->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200 || status == 206)
        return 0;
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308)
        return 1;
    if ((status == 401 || status == 403) && session->config->username)
        av_session_fail(session, FAILURE_REFUSED, "the server refuses the user name or password (%ld)",
                        status);
    else if (status == 401 || status == 403)
        av_session_fail(session, FAILURE_REFUSED, "the server asks for a user name and password (%ld)",
                        status);
    else if (status == 404 || status == 410)
        av_session_fail(session, FAILURE_ANSWER, "the server knows no such stream (%ld)", status);
    else
        av_session_fail(session, FAILURE_ANSWER, "the server answers with status %ld", status);
    return AVERROR(EIO);
}

static bool header_is(struct response *response, const char *name, const char *value)
{
    struct curl_header *header;
    return curl_easy_header(response->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
           !strcasecmp(header->value, value);
}

static void read_head(struct response *response, int64_t from)
{
    curl_off_t length = -1;
    long status = 0;
    curl_easy_getinfo(response->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(response->easy, CURLINFO_RESPONSE_CODE, &status);
    response->ranges = status == 206 || header_is(response, "Accept-Ranges", "bytes");
    if (response->size < 0 && length >= 0)
        response->size = (status == 206 ? from : 0) + length;
}

/* Waits for the head of the answer. */
static int await_answer(struct response *response)
{
    while (!response->answered && !response->finished) {
        if (av_session_interrupted(response->http->session)) {
            av_session_fail(response->http->session, FAILURE_SILENT, "%.80s does not answer in time",
                            response->url.host);
            return AVERROR_EXIT;
        }
        int r = turn(response->http, true);
        if (r < 0)
            return r;
    }
    if (response->finished && response->result != CURLE_OK && !response->answered) {
        explain(response);
        return AVERROR(EIO);
    }
    return 0;
}

/* --- redirects ---------------------------------------------------------------------------- */

static int take_url(struct response *response, const char *text)
{
    struct se_err err = {0};
    struct media_url url = {0};
    struct av_session *session = response->http->session;
    int r = media_url_parse(text, &url, &err);
    if (r == 0 && url.scheme != SCHEME_HTTP && url.scheme != SCHEME_HTTPS) {
        media_url_fini(&url);
        r = -EPERM;
    }
    if (r < 0) {
        av_session_fail(session, FAILURE_ANSWER,
                        "the stream names a place that is not taken: only http:// and https:// are");
        return AVERROR(EPERM);
    }
    if (response->url.scheme == SCHEME_HTTPS && url.scheme == SCHEME_HTTP && response->url.text) {
        av_session_fail(session, FAILURE_ANSWER, "the server redirects from https to http");
        media_url_fini(&url);
        return AVERROR(EPERM);
    }
    media_url_fini(&response->url);
    response->url = url;
    curl_slist_free_all(response->resolved);
    response->resolved = NULL;
    curl_easy_reset(response->easy);
    r = give_addresses(response);
    return r < 0 ? AVERROR(-r) : 0;
}

static int follow(struct response *response)
{
    char *to = NULL;
    end_request(response);
    curl_easy_getinfo(response->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to) {
        av_session_fail(response->http->session, FAILURE_ANSWER, "the server redirects to nowhere");
        return AVERROR(EIO);
    }
    char *copy = strdup(to); /* the handle that holds it is used again */
    int r = copy ? take_url(response, copy) : AVERROR(ENOMEM);
    free(copy);
    return r;
}

/* From the request to a head that is a 200 or 206. */
static int get(struct response *response, int64_t from, int64_t end)
{
    for (unsigned redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
        int r = request(response, from, end);
        r = r < 0 ? r : await_answer(response);
        r = r < 0 ? r : judge_status(response);
        if (r <= 0) {
            if (r == 0)
                read_head(response, from);
            return r;
        }
        r = follow(response);
        if (r < 0)
            return r;
    }
    av_session_fail(response->http->session, FAILURE_ANSWER, "the server redirects in a circle");
    return AVERROR(EIO);
}

/* --- the AVIOContext ---------------------------------------------------------------------- */

static int read_body(void *ctx, uint8_t *out, int size)
{
    struct response *response = ctx;
    struct av_session *session = response->http->session;
    while (response->from == response->to) {
        if (av_session_interrupted(session))
            return AVERROR_EXIT;
        if (response->finished) {
            if (response->result == CURLE_OK)
                return AVERROR_EOF;
            explain(response);
            return AVERROR(EIO);
        }
        if (response->paused) {
            response->paused = false;
            curl_easy_pause(response->easy, CURLPAUSE_CONT);
        }
        int r = turn(response->http, response->from == response->to);
        if (r < 0)
            return r;
    }
    size_t n = response->to - response->from;
    if (n > (size_t)size)
        n = (size_t)size;
    memcpy(out, response->held + response->from, n);
    response->from += n;
    response->position += (int64_t)n;
    return (int)n;
}

static int64_t seek_body(void *ctx, int64_t offset, int whence)
{
    struct response *response = ctx;
    if (whence & AVSEEK_SIZE)
        return response->size >= 0 ? response->size : AVERROR(ENOSYS);
    whence &= ~AVSEEK_FORCE;
    if (whence == SEEK_CUR)
        offset += response->position;
    else if (whence != SEEK_SET)
        return AVERROR(ENOSYS);
    if (offset == response->position)
        return offset;
    if (offset > response->position &&
        offset - response->position <= (int64_t)(response->to - response->from)) {
        response->from += (size_t)(offset - response->position);
    } else {
        if (!response->ranges || offset < 0)
            return AVERROR(ENOSYS);
        end_request(response);
        int r = get(response, offset, 0);
        if (r < 0)
            return r;
        long status = 0;
        curl_easy_getinfo(response->easy, CURLINFO_RESPONSE_CODE, &status);
        if (offset && status != 206)
            return AVERROR(EIO);
    }
    response->position = offset;
    return offset;
}

static void response_free(struct response *response)
{
    end_request(response);
    if (response->easy)
        curl_easy_cleanup(response->easy);
    curl_slist_free_all(response->resolved);
    media_url_fini(&response->url);
    av_free(response->location);
    response->http->open--;
    free(response);
}

int av_http_open(struct av_session *session, const char *url, int64_t offset, int64_t end,
                 AVIOContext **ret_pb)
{
    struct av_http *http = session->http;
    if (http->open >= OPEN_MAX)
        return AVERROR(EMFILE);
    struct response *response = calloc(1, sizeof(*response));
    if (!response)
        return AVERROR(ENOMEM);
    http->open++;
    response->av_class = &response_class;
    response->http = http;
    response->size = -1;
    response->limit = INT64_MAX;
    response->easy = curl_easy_init();
    int r = response->easy ? take_url(response, url) : AVERROR(ENOMEM);
    r = r < 0 ? r : get(response, offset, end);
    if (r == 0 && !(response->location = av_strdup(response->url.text)))
        r = AVERROR(ENOMEM);
    uint8_t *buffer = r == 0 ? av_malloc(32768) : NULL;
    AVIOContext *pb =
        buffer ? avio_alloc_context(buffer, 32768, 0, response, read_body, NULL, seek_body) : NULL;
    if (!pb) {
        av_free(buffer);
        response_free(response);
        return r < 0 ? r : AVERROR(ENOMEM);
    }
    pb->av_class = &pb_class;
    pb->seekable = response->ranges && response->size >= 0 && !offset && !end ? AVIO_SEEKABLE_NORMAL : 0;
    *ret_pb = pb;
    return 0;
}

void av_http_close(AVIOContext *pb)
{
    if (!pb)
        return;
    response_free(pb->opaque);
    av_freep(&pb->buffer);
    avio_context_free(&pb);
}

const char *av_http_location(AVIOContext *pb)
{
    return ((struct response *)pb->opaque)->location;
}

int64_t av_http_size(AVIOContext *pb)
{
    return ((struct response *)pb->opaque)->size;
}

/* --- life --------------------------------------------------------------------------------- */

static void init_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void av_http_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

int av_http_new(struct av_session *session)
{
    struct av_http *http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    http->session = session;
    http->multi = curl_multi_init();
    if (!http->multi) {
        free(http);
        return -ENOMEM;
    }
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)OPEN_MAX);
    session->http = http;
    return 0;
}

void av_http_free(struct av_session *session)
{
    if (!session->http)
        return;
    curl_multi_cleanup(session->http->multi);
    free(session->http);
    session->http = NULL;
}
