/* Servers that mean harm, or whose makers never looked: each must cost a client one error and nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "camera.h"

#define LONG_SIZE (64u << 10)

static void say(struct client *client, struct se_str *text)
{
    struct iovec part = {text->data, text->len};

    client->out_max = OUT_BURST_MAX;
    if (!text->oom && !client_send(client, &part, 1, text->len))
        client_reset(client);
    se_str_fini(text);
}

static void repeat(struct se_str *text, const char *what, size_t size)
{
    for (size_t at = 0; at < size && !text->oom; at += strlen(what))
        se_str_puts(text, what);
}

static void begin(struct se_str *text, const char *cseq)
{
    se_str_printf(text, "RTSP/1.0 200 OK\r\nCSeq: %s\r\nContent-Type: application/sdp\r\n", cseq);
}

static void long_header(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    begin(&text, cseq);
    se_str_puts(&text, "X-Long: ");
    repeat(&text, "0123456789abcdef", LONG_SIZE);
    se_str_puts(&text, "\r\nContent-Length: 0\r\n\r\n");
    say(client, &text);
}

static void many_headers(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    begin(&text, cseq);
    repeat(&text, "X: y\r\n", LONG_SIZE / 4);
    se_str_puts(&text, "Content-Length: 0\r\n\r\n");
    say(client, &text);
}

static void folded(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    begin(&text, cseq);
    se_str_puts(&text, "X-Folded: a");
    repeat(&text, "\r\n\t b", LONG_SIZE);
    se_str_puts(&text, "\r\nContent-Length: 0\r\n\r\n");
    say(client, &text);
}

static void endless_line(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    se_str_puts(&text, "RTSP/1.0 200 ");
    repeat(&text, "OK OK OK OK OK OK ", 1 << 20);
    say(client, &text);
}

static void big_body(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    begin(&text, cseq);
    se_str_puts(&text, "Content-Length: 104857600\r\n\r\nv=0\r\n");
    repeat(&text, "a=x-line:0123456789abcdef\r\n", 4 << 20);
    say(client, &text);
}

static void lying_length(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    begin(&text, cseq);
    se_str_puts(&text, "Content-Length: 99999999999999999999999\r\nContent-Length: -1\r\n\r\nv=0\r\n");
    say(client, &text);
}

static void many_media(struct client *client, const char *cseq)
{
    struct se_str text = {0}, sdp = {0};

    se_str_puts(&sdp, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\n");
    repeat(&sdp, "m=video 0 RTP/AVP 96\r\na=control:a\r\n", 100u << 10);
    begin(&text, cseq);
    se_str_printf(&text, "Content-Length: %zu\r\n\r\n%s", sdp.len, sdp.data ? sdp.data : "");
    se_str_fini(&sdp);
    say(client, &text);
}

static void not_rtsp(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    se_str_puts(&text,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>");
    say(client, &text);
}

static void noise(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    for (unsigned i = 0; i < LONG_SIZE * 4; i++) {
        char byte = (char)server_random(client->server);
        se_str_add(&text, &byte, 1);
    }
    say(client, &text);
}

static void nothing_in_it(struct client *client, const char *cseq)
{
    struct se_str text = {0};

    se_str_printf(&text, "RTSP/1.0 200 OK\r\nCSeq: %s\r\n\r\n", cseq);
    say(client, &text);
}

/* Interleaved frames of the greatest length, of RTP that is none, on every channel. */
static void huge_frames(struct client *client)
{
    struct se_str text = {0};

    for (unsigned i = 0; i < 64; i++) {
        char head[] = {'$', (char)(i & 3), (char)0xff, (char)0xff};

        se_str_add(&text, head, sizeof(head));
        for (unsigned n = 0; n < 0xffff; n++) {
            char byte = n == 0 ? (char)0x80 : (char)server_random(client->server);
            se_str_add(&text, &byte, 1);
        }
    }
    say(client, &text);
}

/* RTP packets that lie about their own insides: CSRC, extension and padding beyond their end, and none at
 * all. */
static void lying_packets(struct client *client)
{
    static const uint8_t heads[][4] = {{0x8f, 96}, {0x90, 96}, {0xa0, 96}, {0xbf, 0xe0}, {0x80, 96}};
    struct se_str text = {0};

    for (unsigned i = 0; i < 20000; i++) {
        unsigned size = server_random(client->server) % 64;
        uint8_t packet[4 + 64] = {'$', client->tracks[0].channel, 0, (uint8_t)size};

        for (unsigned n = 0; n < size; n++)
            packet[4 + n] = (uint8_t)server_random(client->server);
        if (size > 1) {
            packet[4] = heads[i % SE_ARRAY_LEN(heads)][0];
            packet[5] = heads[i % SE_ARRAY_LEN(heads)][1];
        }
        se_str_add(&text, packet, 4 + size);
    }
    say(client, &text);
}

static const struct hostile table[] = {
    {.name = "long_header", .describe = long_header},
    {.name = "many_headers", .describe = many_headers},
    {.name = "folded", .describe = folded},
    {.name = "endless_line", .describe = endless_line},
    {.name = "big_body", .describe = big_body},
    {.name = "lying_length", .describe = lying_length},
    {.name = "many_media", .describe = many_media},
    {.name = "not_rtsp", .describe = not_rtsp},
    {.name = "noise", .describe = noise},
    {.name = "empty", .describe = nothing_in_it},
    {.name = "crlf_sdp", .sdp_line = "a=control:trackID=0\rX-Injected: yes\r"},
    {.name = "zero_clock", .told_clock = true},
    {.name = "huge_clock", .told_clock = true, .clock_rate = 4294967295u},
    {.name = "huge_frames", .play = huge_frames},
    {.name = "lying_packets", .play = lying_packets},
};

const struct hostile *hostile_find(const char *name)
{
    for (unsigned i = 0; i < SE_ARRAY_LEN(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
