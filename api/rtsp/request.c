#include "rtsp/request.h"

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "ingest/rtsp_digest.h"

/* --- the URL ------------------------------------------------------------------------------------------- */

/* Copies a text that must fit; letters, digits, _ and - only: that is what ids, codes and tickets are of. */
static int copy_name(struct text text, char *out, size_t size)
{
    if (text.n >= size)
        return -EINVAL;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '-';
        if (!fine)
            return -EINVAL;
        out[i] = c;
    }
    out[text.n] = '\0';
    return 0;
}

static int track_of(struct text part, int *ret_track)
{
    if (!text_begins(part, "trackID="))
        return -EINVAL;
    int64_t track = text_number(text_skip(part, 8), 9);
    if (track < 0 || part.n != 9)
        return -EINVAL;
    *ret_track = (int)track;
    return 0;
}

/* The camera is the first part; what may follow it is little. */
static int path_parse(struct text path, struct rtsp_resource *resource)
{
    int r = copy_name(text_cut(&path, '/'), resource->camera, sizeof(resource->camera));
    for (unsigned i = 0; r == 0 && path.n; i++) {
        struct text part = text_cut(&path, '/');
        if (i == 0 && text_is(part, "sub"))
            resource->sub = true;
        else if (i == 0 && text_is(part, "main"))
            continue;
        else if (part.n) /* a slash at the end is none */
            r = path.n ? -EINVAL : track_of(part, &resource->track);
    }
    return r;
}

/* ticket=…, among parameters that say nothing to us. Players put the track behind the query. */
static int query_parse(struct text query, struct rtsp_resource *resource)
{
    int r = 0;
    const char *slash = query.n ? memrchr(query.p, '/', query.n) : NULL;
    if (slash) {
        size_t at = (size_t)(slash - query.p);
        struct text tail = text_skip(query, at + 1);
        if (tail.n && track_of(tail, &resource->track) < 0)
            return -EINVAL;
        query.n = at;
    }
    while (r == 0 && query.n) {
        struct text value = text_cut(&query, '&'), name = text_cut(&value, '=');
        if (text_is(name, "ticket"))
            r = copy_name(value, resource->ticket, sizeof(resource->ticket));
    }
    return r;
}

int rtsp_resource_parse(struct text url, struct rtsp_resource *ret_resource)
{
    struct rtsp_resource resource = {.track = -1};
    if (url.n > RESOURCE_URL_MAX)
        return -E2BIG;
    if (!text_printable(url, false))
        return -EINVAL;
    if (text_begins(url, "rtsp://")) {
        struct text rest = text_skip(url, 7);
        size_t n = 0;
        while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
            n++;
        resource.authority = (struct text){rest.p, n};
        const char *at = n ? memrchr(rest.p, '@', n) : NULL;
        if (at)
            resource.authority = text_skip(resource.authority, (size_t)(at + 1 - rest.p));
        url = text_skip(rest, n);
    } else if (text_is(url, "*")) {
        *ret_resource = resource;
        return 0;
    } else if (!url.n || url.p[0] != '/') {
        return -EINVAL;
    }
    struct text query = url, path = text_cut(&query, '?');
    while (path.n && path.p[0] == '/')
        path = text_skip(path, 1);
    int r = path_parse(path, &resource);
    r = r < 0 ? r : query_parse(query, &resource);
    if (r == 0)
        *ret_resource = resource;
    return r;
}

/* --- Transport ----------------------------------------------------------------------------------------- */

static int spec_parse(struct text spec, struct rtsp_delivery *transport)
{
    struct text profile = text_trim(text_cut(&spec, ';'));
    bool ports = false;
    *transport = (struct rtsp_delivery){.udp = !text_is(profile, "RTP/AVP/TCP")};
    if (transport->udp && !text_is(profile, "RTP/AVP") && !text_is(profile, "RTP/AVP/UDP"))
        return -ENOTSUP;
    while (spec.n) {
        struct text value = text_trim(text_cut(&spec, ';')), name = text_trim(text_cut(&value, '='));
        if (text_is(name, "multicast"))
            return -ENOTSUP;
        if (text_is(name, "mode") && !text_is(text_trim(value), "play") &&
            !text_is(text_trim(value), "\"play\""))
            return -ENOTSUP;
        if (!text_is(name, "client_port"))
            continue;
        struct text low = text_cut(&value, '-');
        int64_t rtp = text_number(text_trim(low), 65534), rtcp = text_number(text_trim(value), 65535);
        if (rtp <= 0)
            return -EINVAL;
        transport->port_rtp = (unsigned)rtp;
        transport->port_rtcp = rtcp > 0 ? (unsigned)rtcp : (unsigned)rtp + 1;
        ports = true;
    }
    return transport->udp && !ports ? -EINVAL : 0;
}

int rtsp_delivery_choose(struct text header, struct rtsp_delivery *ret_transport)
{
    int r = -ENOTSUP;
    while (header.n) {
        struct rtsp_delivery transport;
        int its = spec_parse(text_cut(&header, ','), &transport);
        if (its == 0) {
            *ret_transport = transport;
            return 0;
        }
        r = its == -EINVAL ? its : r;
    }
    return r;
}

/* --- Digest -------------------------------------------------------------------------------------------- */

/* A quoted value without its escapes; -EINVAL when it does not fit or could end a line. */
static int copy_value(struct text value, char *out, size_t size)
{
    size_t n = 0;
    if (!text_printable(value, true))
        return -EINVAL;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\\' && i + 1 < value.n)
            i++;
        if (n + 1 >= size)
            return -EINVAL;
        out[n++] = value.p[i];
    }
    out[n] = '\0';
    return 0;
}

static int parameter(struct rtsp_digest_answer *answer, struct text name, struct text value)
{
    const struct {
        const char *name;
        char *at;
        size_t size;
    } table[] = {{"username", answer->username, sizeof(answer->username)},
                 {"realm", answer->realm, sizeof(answer->realm)},
                 {"nonce", answer->nonce, sizeof(answer->nonce)},
                 {"uri", answer->uri, sizeof(answer->uri)},
                 {"response", answer->response, sizeof(answer->response)},
                 {"nc", answer->nc, sizeof(answer->nc)},
                 {"cnonce", answer->cnonce, sizeof(answer->cnonce)}};
    for (unsigned i = 0; i < SE_ARRAY_LEN(table); i++)
        if (text_is(name, table[i].name))
            return copy_value(value, table[i].at, table[i].size);
    if (text_is(name, "algorithm")) {
        answer->sha256 = text_is(value, "SHA-256");
        return answer->sha256 || text_is(value, "MD5") ? 0 : -EINVAL;
    }
    if (text_is(name, "qop")) {
        answer->qop = true;
        return text_is(value, "auth") ? 0 : -EINVAL;
    }
    return 0;
}

int rtsp_digest_parse(struct text header, struct rtsp_digest_answer *ret_answer)
{
    struct rtsp_digest_answer answer = {0};
    struct text rest = text_trim(header);
    if (!text_begins(rest, "Digest "))
        return -EINVAL;
    rest = text_skip(rest, 7);
    for (;;) {
        while (rest.n && (text_blank(rest.p[0]) || rest.p[0] == ','))
            rest = text_skip(rest, 1);
        if (!rest.n)
            break;
        struct text name = text_trim(text_cut(&rest, '='));
        rest = text_trim(rest);
        int r = parameter(&answer, name, text_take_value(&rest));
        if (r < 0)
            return r;
    }
    if (!answer.username[0] || !answer.nonce[0] || !answer.uri[0] || !answer.response[0] ||
        (answer.qop && (!answer.nc[0] || !answer.cnonce[0])))
        return -EINVAL;
    *ret_answer = answer;
    return 0;
}

bool rtsp_digest_right(const struct rtsp_digest_answer *answer, const char *method,
                       const struct access_ha1 *ha1)
{
    enum rtsp_digest algorithm = answer->sha256 ? RTSP_DIGEST_SHA256 : RTSP_DIGEST_MD5;
    const char *a1 = answer->sha256 ? ha1->sha256 : ha1->md5;
    char a2[RTSP_DIGEST_LEN], expected[RTSP_DIGEST_LEN];
    rtsp_digest(algorithm, (const char *const[]){method, answer->uri}, 2, a2);
    if (answer->qop)
        rtsp_digest(algorithm,
                    (const char *const[]){a1, answer->nonce, answer->nc, answer->cnonce, "auth", a2}, 6,
                    expected);
    else
        rtsp_digest(algorithm, (const char *const[]){a1, answer->nonce, a2}, 3, expected);
    size_t n = strlen(expected);
    if (!n || strlen(answer->response) != n)
        return false;
    unsigned differs = 0; /* in constant time */
    for (size_t i = 0; i < n; i++) {
        char c = answer->response[i];
        c = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
        differs |= (unsigned)(c ^ expected[i]);
    }
    return differs == 0;
}
