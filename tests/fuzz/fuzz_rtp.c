/* A sequence of RTP packets through a depacketizer. The first byte chooses the codec; each packet is a length
 * of two bytes and so many bytes. */
#include <stdlib.h>
#include <string.h>

#include "rtsp/depay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_video(void *ctx, const struct video_params *params)
{
    if (!params->width || !params->height || !params->config_size ||
        params->config_size > sizeof(params->config))
        abort();
}

/* Video units must be whole: length-prefixed NAL units to the last byte. */
static void on_unit(void *ctx, struct access_unit *unit)
{
    const uint8_t *p = unit->data->data;
    size_t left = unit->data->size;
    if (!left || left > ACCESS_UNIT_MAX)
        abort();
    while (unit->codec != CODEC_AAC && left) {
        if (left < 4)
            abort();
        size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (!length || length > left - 4)
            abort();
        p += 4 + length;
        left -= 4 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    unsigned kind = data[0] % 3;
    struct depay_sink sink = {.video = on_video, .unit = on_unit};
    struct aac_format format = {data[0] & 4 ? 6 : 13, data[0] & 4 ? 2 : 3, data[0] & 4 ? 2 : 3};
    struct video_depay video;
    struct aac_depay aac;
    video_depay_init(&video, kind == 1 ? CODEC_H265 : CODEC_H264, 90000, &sink);
    aac_depay_init(&aac, &format, 16000, &sink);
    struct rtp_receiver receiver = {0};
    data++;
    size--;
    while (size >= 2) {
        size_t length = (size_t)data[0] << 8 | data[1];
        length = length < size - 2 ? length : size - 2;
        uint8_t *copy = malloc(length ? length : 1);
        memcpy(copy, data + 2, length);
        struct rtp_packet packet;
        bool bye;
        if (rtp_parse(copy, length, &packet) == 0) {
            rtp_arrived(&receiver, &packet, 90000, (int64_t)size * 12345);
            (void)rtp_jitter_us(&receiver, 90000);
            enum rtp_order order = rtp_receive(&receiver, &packet);
            if (order != RTP_LATE && kind == 2)
                aac_depay_packet(&aac, &packet, order == RTP_GAP, receiver.time, 0);
            else if (order != RTP_LATE)
                video_depay_packet(&video, &packet, order == RTP_GAP, receiver.time, 0);
        }
        (void)rtcp_receive(&receiver, copy, length, 0, &bye);
        uint8_t report[RTCP_REPORT_MAX];
        if (rtcp_report(&receiver, 1, 1000000, report) > sizeof(report))
            abort();
        free(copy);
        data += 2 + length;
        size -= 2 + length;
    }
    video_depay_restart(&video);
    video_depay_fini(&video);
    aac_depay_fini(&aac);
    return 0;
}
