/* Requests and replies that nobody asked for, between the frames of a session that plays. */
#include <string.h>

#include "camera.h"

static const struct {
    const char *first, *headers, *body;
} lines[] = {
    {"OPTIONS * RTSP/1.0", "", NULL},
    {"RTSP/1.0 200 OK", "Server: camera-sim\r\n", NULL},
    {"ANNOUNCE %s RTSP/1.0", "Content-Type: application/sdp\r\n",
     "v=0\r\no=- 2 2 IN IP4 0.0.0.0\r\ns=again\r\nt=0 0\r\n$\1\0$"},
    {"SET_PARAMETER %s RTSP/1.0", "Content-Type: text/parameters\r\n", "$wall: 1\r\nRTSP/1.0 200 OK\r\n\r\n"},
    {"RTSP/1.0 454 Session Not Found", "Content-Type: text/plain\r\n", "of somebody else\r\n"},
    {"GET_PARAMETER %s RTSP/1.0", "", NULL},
    {"X-VENDOR-PING %s RTSP/1.0", "", NULL},
};

void client_chatter(struct client *client, se_mono_us now)
{
    double every = client->stream ? client->stream->camera->habits.chatter_s : 0;
    unsigned line = client->chatter_line % SE_ARRAY_LEN(lines);
    struct se_str text = {0};
    struct iovec part;
    char url[256];

    if (every <= 0 || !client->playing || !client->tcp || now < client->chatter_us)
        return;
    client->chatter_us = now + (int64_t)(every * SE_US_PER_S);
    client->chatter_line++;
    snprintf(url, sizeof(url), "rtsp://127.0.0.1/%s", client->stream->path);
    for (const char *at = lines[line].first; *at; at++) {
        if (at[0] == '%' && at[1] == 's')
            se_str_puts(&text, url), at++;
        else
            se_str_add(&text, at, 1);
    }
    /* A reply's number is one that was never asked with. */
    se_str_printf(&text, "\r\nCSeq: %u\r\nSession: %s\r\n%s", 900000 + client->chatter_line, client->session,
                  lines[line].headers);
    if (lines[line].body)
        se_str_printf(&text, "Content-Length: %zu\r\n", strlen(lines[line].body));
    se_str_printf(&text, "\r\n%s", lines[line].body ? lines[line].body : "");
    part = (struct iovec){text.data, text.len};
    if (!text.oom)
        client_send(client, &part, 1, text.len); /* as much as there is room for */
    se_str_fini(&text);
}
