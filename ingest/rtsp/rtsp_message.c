#include "ingest/rtsp_message.h"

#include <errno.h>

/* Length of the head with its empty line, 0 when it is not there yet. */
static size_t head_size(const uint8_t *data, size_t size)
{
    const uint8_t *p = data, *end = data + size;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        p++;
        if (p < end && *p == '\n')
            return (size_t)(p + 1 - data);
        if (p + 1 < end && p[0] == '\r' && p[1] == '\n')
            return (size_t)(p + 2 - data);
    }
    return 0;
}

/* Joins continuation lines (RFC 2326 4.2, RFC 822 folding) by blanking the line ends before them. */
static void unfold(char *head, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (head[i] != '\n' || (head[i + 1] != ' ' && head[i + 1] != '\t'))
            continue;
        head[i] = ' ';
        if (i && head[i - 1] == '\r')
            head[i - 1] = ' ';
    }
}

static int first_line(struct text line, struct rtsp_message *message)
{
    line = text_trim(line);
    if (text_begins(line, "HTTP/"))
        return -EPROTONOSUPPORT;
    if (text_begins(line, "RTSP/")) {
        text_cut(&line, ' ');
        line = text_trim(line);
        int64_t status = text_number(line, 999);
        if (status < 100)
            return -EBADMSG;
        message->status = (unsigned)status;
        message->reason = text_trim(text_skip(line, 3));
        return 0;
    }
    message->request = true;
    message->method = text_cut(&line, ' ');
    line = text_trim(line);
    message->url = text_cut(&line, ' ');
    line = text_trim(line);
    if (text_begins(line, "HTTP/"))
        return -EPROTONOSUPPORT;
    message->version = line;
    return message->method.n && message->url.n && text_begins(line, "RTSP/") ? 0 : -EBADMSG;
}

static int header_line(struct text line, struct rtsp_message *message)
{
    struct text value = line, name = text_trim(text_cut(&value, ':'));
    if (!name.n || name.p + name.n >= line.p + line.n)
        return 0; /* no name or no colon: some cameras write such lines; they say nothing */
    if (message->header_count == RTSP_HEADERS_MAX)
        return -EMSGSIZE;
    message->headers[message->header_count++] = (struct rtsp_header){name, text_trim(value)};
    return 0;
}

/* Several Content-Length that differ would let the next message begin in two places. */
static int64_t content_length(const struct rtsp_message *message)
{
    int64_t length = 0;
    struct text value;
    for (unsigned i = 0; (value = rtsp_header_nth(message, "Content-Length", i)).p; i++) {
        int64_t n = text_number(value, INT64_MAX / 16);
        if (n < 0 || (i && n != length))
            return -EBADMSG;
        length = n;
    }
    return length > RTSP_BODY_MAX ? -EMSGSIZE : length;
}

long rtsp_message_parse(uint8_t *data, size_t size, struct rtsp_message *ret_message)
{
    size_t head = head_size(data, size < RTSP_HEAD_MAX ? size : RTSP_HEAD_MAX);
    if (!head)
        return size < RTSP_HEAD_MAX ? 0 : -EMSGSIZE;
    unfold((char *)data, head);

    struct rtsp_message *message = ret_message;
    message->request = false;
    message->status = 0;
    message->header_count = 0;
    message->method = message->url = message->version = message->reason = message->body =
        (struct text){NULL, 0};

    struct text rest = {(const char *)data, head};
    int r = first_line(text_cut(&rest, '\n'), message);
    while (r == 0 && rest.n)
        r = header_line(text_cut(&rest, '\n'), message);
    if (r < 0)
        return r;
    int64_t length = content_length(message);
    if (length < 0)
        return (long)length;
    if ((size_t)length > size - head)
        return 0;
    message->body = (struct text){(const char *)data + head, (size_t)length};
    return (long)(head + (size_t)length);
}

struct text rtsp_header_nth(const struct rtsp_message *message, const char *name, unsigned nth)
{
    for (unsigned i = 0; i < message->header_count; i++)
        if (text_is(message->headers[i].name, name) && nth-- == 0)
            return message->headers[i].value;
    return (struct text){NULL, 0};
}

struct text rtsp_header(const struct rtsp_message *message, const char *name)
{
    return rtsp_header_nth(message, name, 0);
}

bool rtsp_session_parse(struct text value, struct text *ret_id, unsigned *ret_timeout_s)
{
    struct text id = text_trim(text_cut(&value, ';'));
    if (!id.n || id.n > 256 || !text_printable(id, true))
        return false;
    *ret_id = id;
    *ret_timeout_s = 60;
    while (value.n) {
        struct text part = text_trim(text_cut(&value, ';'));
        struct text key = text_trim(text_cut(&part, '='));
        int64_t seconds = text_is(key, "timeout") ? text_number(text_trim(part), 86400) : -1;
        if (seconds > 0)
            *ret_timeout_s = (unsigned)seconds;
    }
    return true;
}

/* "5000-5001", or the first alone. false: no number. */
static bool number_pair(struct text value, int64_t most, unsigned ret_pair[2])
{
    struct text low = text_cut(&value, '-');
    int64_t first = text_number(text_trim(low), most), second = text_number(text_trim(value), most);
    if (first < 0)
        return false;
    ret_pair[0] = (unsigned)first;
    ret_pair[1] = second >= 0 ? (unsigned)second : (unsigned)first + 1;
    return true;
}

static void port_pair(struct text value, uint16_t ret_ports[2])
{
    unsigned pair[2];
    if (!number_pair(value, 65535, pair))
        return;
    ret_ports[0] = (uint16_t)pair[0];
    ret_ports[1] = (uint16_t)(pair[1] <= 65535 ? pair[1] : 0);
}

static bool transport_parameter(struct text key, struct text value, struct rtsp_transport *transport)
{
    unsigned pair[2];
    if (text_is(key, "interleaved")) {
        if (!number_pair(value, 255, pair) || pair[1] > 255)
            return false;
        transport->way = RTSP_INTERLEAVED;
        transport->has_channels = true;
        transport->channel_rtp = pair[0];
        transport->channel_rtcp = pair[1];
    } else if (text_is(key, "multicast") && transport->way == RTSP_UNICAST) {
        transport->way = RTSP_MULTICAST;
    } else if (text_is(key, "client_port")) {
        port_pair(value, transport->client_port);
    } else if (text_is(key, "server_port")) {
        port_pair(value, transport->server_port);
    } else if (text_is(key, "source")) {
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = (struct text){value.p + 1, value.n - 2};
        transport->source = value;
    }
    return true;
}

bool rtsp_transport_parse(struct text value, struct rtsp_transport *ret_transport)
{
    struct text first = text_cut(&value, ','); /* a server answers with the one it chose */
    struct text profile = text_trim(text_cut(&first, ';'));
    struct rtsp_transport transport = {.way = RTSP_UNICAST};
    transport.secure = text_begins(profile, "RTP/SAVP");
    if (!transport.secure && !text_begins(profile, "RTP/AVP"))
        return false;
    /* "RTP/AVP/TCP", "RTP/AVPF/TCP" */
    if (profile.n > 4 && text_is(text_skip(profile, profile.n - 4), "/TCP"))
        transport.way = RTSP_INTERLEAVED;
    while (first.n) {
        struct text part = text_trim(text_cut(&first, ';'));
        struct text key = text_trim(text_cut(&part, '='));
        if (!transport_parameter(key, text_trim(part), &transport))
            return false;
    }
    *ret_transport = transport;
    return true;
}

bool rtsp_public_has(struct text value, const char *method)
{
    while (value.n)
        if (text_is(text_trim(text_cut(&value, ',')), method))
            return true;
    return false;
}
