/* What a player writes on an RTSP connection of ours: requests with their URLs, transports and answers to
 * challenges; its reports; and frames of a camera on their way into packets. */
#include <stdlib.h>
#include <string.h>

#include "rtsp/packetize.h"
#include "rtsp/request.h"
#include "rtsp/rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void url(struct text text)
{
    struct rtsp_resource resource;
    if (rtsp_resource_parse(text, &resource) < 0)
        return;
    /* It goes into answers, and into the store's questions. */
    if (strlen(resource.camera) > 64 || strlen(resource.ticket) > 64 || strpbrk(resource.camera, "\r\n /?") ||
        strpbrk(resource.ticket, "\r\n /?") || !text_printable(resource.authority, false) ||
        resource.track > 9)
        abort();
}

static void look_at(const struct rtsp_message *message)
{
    static const struct access_ha1 ha1 = {"0123456789abcdef0123456789abcdef",
                                          "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    struct rtsp_delivery delivery;
    struct rtsp_digest_answer answer;
    url(message->url);
    if (rtsp_delivery_choose(rtsp_header(message, "Transport"), &delivery) == 0 && delivery.udp &&
        (!delivery.port_rtp || delivery.port_rtp > 65535 || !delivery.port_rtcp ||
         delivery.port_rtcp > 65535))
        abort();
    if (rtsp_digest_parse(rtsp_header(message, "Authorization"), &answer) == 0) {
        if (strpbrk(answer.username, "\r\n") || strpbrk(answer.uri, "\r\n"))
            abort();
        url((struct text){answer.uri, strlen(answer.uri)});
        if (rtsp_digest_right(&answer, "DESCRIBE", &ha1) && strlen(answer.response) < 32)
            abort();
    }
}

static void as_unit(const uint8_t *data, size_t size)
{
    struct rtp_track track = {.payload_type = 96};
    struct packets *packets = NULL;
    if (size < 1)
        return;
    struct se_buf *unit = se_buf_copy(data + 1, size - 1);
    enum codec codec = data[0] & 1 ? CODEC_H265 : CODEC_H264;
    int r = data[0] & 2 ? packetize_aac(unit, &track, 1, &packets)
                        : packetize_video(codec, data[0] & 4 ? unit : NULL, unit, &track, 1, &packets);
    if (r == 0) {
        for (unsigned i = 0; i < packets->count; i++) {
            size_t n;
            const uint8_t *p = packets_get(packets, i, &n);
            if (p < packets->bytes || p + n > packets->bytes + packets->size ||
                n > RTP_HEADER + RTP_PAYLOAD_MAX)
                abort();
        }
        if (track.sequence != (uint16_t)packets->count)
            abort();
        packets_unref(&packets);
    } else if (track.sequence) {
        abort();
    }
    se_buf_unref(&unit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t lost = 0;
    (void)rtcp_receiver_report(data, size, 0x01020304, &lost);
    if (lost >= 0x800000)
        abort();
    as_unit(data, size);
    url((struct text){(const char *)data, size});
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    for (size_t at = 0; at < size;) {
        struct rtsp_message message;
        long n = rtsp_message_parse(copy + at, size - at, &message);
        if (n > 0 && message.request)
            look_at(&message);
        at += n > 0 ? (size_t)n : 1;
    }
    free(copy);
    return 0;
}
