/* What a camera writes on the RTSP connection: messages, challenges, headers; and the URLs people write. */
#include <stdlib.h>

#include "rtsp/interleaved.h"
#include "rtsp/rtsp_auth.h"
#include "rtsp/rtsp_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct rtsp_message *message)
{
    struct text id;
    unsigned timeout;
    struct rtsp_transport transport;
    (void)rtsp_session_parse(rtsp_header(message, "Session"), &id, &timeout);
    if (rtsp_transport_parse(rtsp_header(message, "Transport"), &transport) && transport.has_channels &&
        (transport.channel_rtp > 255 || transport.channel_rtcp > 255))
        abort();
    (void)rtsp_public_has(rtsp_header(message, "Public"), "GET_PARAMETER");
    struct rtsp_auth auth = {0};
    if (rtsp_auth_challenge(&auth, message) == 0) {
        struct se_str out = {0};
        rtsp_auth_header(&auth, "DESCRIBE", "rtsp://h/a", "user", "pass\"word", "0123", &out);
        /* One header of one line, whatever the challenge held. */
        if (out.len < 2 || memchr(out.data, '\n', out.len) != out.data + out.len - 1)
            abort();
        se_str_fini(&out);
        rtsp_auth_fini(&auth);
    }
    struct text base = rtsp_header(message, "Content-Base");
    static char *(*const joins[])(struct text base, struct text control) = {rtsp_url_join, rtsp_url_join_path,
                                                                            rtsp_url_resolve};
    for (unsigned i = 0; i < SE_ARRAY_LEN(joins); i++) {
        char *url = joins[i](base, rtsp_header(message, "Location"));
        if (url && !text_printable((struct text){url, strlen(url)}, false))
            abort();
        free(url);
    }
}

static void as_url(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    struct rtsp_url url;
    struct se_err err;
    if (text && rtsp_url_parse(text, &url, &err) == 0) {
        if (!text_printable((struct text){url.request, strlen(url.request)}, false))
            abort();
        rtsp_url_fini(&url);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct interleaved map = {
        .channels = {[0] = {.kind = CHANNEL_RTP, .payload_type = 96}, [1] = {.kind = CHANNEL_RTCP}}};
    as_url(data, size);
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    for (size_t at = 0; at < size;) {
        struct rtsp_message message;
        long n = rtsp_message_parse(copy + at, size - at, &message);
        if (n > (long)(size - at))
            abort();
        if (n > 0)
            look_at(&message);
        else
            n = 1 + (long)interleaved_resync(&map, copy + at + 1, size - at - 1);
        at += (size_t)n;
    }
    free(copy);
    return 0;
}
