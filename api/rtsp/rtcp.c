#include "rtsp/rtcp.h"

#include <string.h>

#define NTP_TO_1970 2208988800ull /* seconds from 1900 */

enum { RTCP_SR = 200, RTCP_RR = 201, RTCP_SDES = 202, RTCP_BYE = 203, RTCP_LAST = 207 };

static uint8_t *put32(uint8_t *out, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(v >> (24 - 8 * i));
    return out + 4;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* words: the packet's length less one, in 32 bits */
static uint8_t *head(uint8_t *out, unsigned count, unsigned type, unsigned words)
{
    return put32(out, (uint32_t)(0x80 | count) << 24 | type << 16 | words);
}

size_t rtcp_sender_report(const struct rtcp_sender *sender, bool bye, uint8_t out[RTCP_MAX])
{
    static const char cname[] = "sharpeyes";
    uint64_t us = (uint64_t)sender->now_us;
    uint8_t *p = head(out, 0, RTCP_SR, 6);
    p = put32(p, sender->ssrc);
    p = put32(p, (uint32_t)(us / 1000000 + NTP_TO_1970));
    p = put32(p, (uint32_t)((us % 1000000 << 32) / 1000000));
    p = put32(p, sender->timestamp);
    p = put32(p, sender->packets);
    p = put32(p, sender->octets);
    /* type, length, text, and zero bytes up to a whole word, at least one */
    size_t item = 2 + sizeof(cname) - 1, chunk = (item / 4 + 1) * 4;
    p = head(p, 1, RTCP_SDES, (unsigned)(1 + chunk / 4));
    p = put32(p, sender->ssrc);
    memset(p, 0, chunk);
    p[0] = 1; /* CNAME */
    p[1] = sizeof(cname) - 1;
    memcpy(p + 2, cname, sizeof(cname) - 1);
    p += chunk;
    if (bye)
        p = put32(head(p, 1, RTCP_BYE, 1), sender->ssrc);
    return (size_t)(p - out);
}

bool rtcp_receiver_report(const uint8_t *data, size_t size, uint32_t ssrc, uint32_t *ret_lost)
{
    uint32_t lost = 0;
    bool any = false;
    while (size >= 8) {
        size_t length = ((size_t)data[2] << 8 | data[3]) * 4 + 4;
        unsigned type = data[1], count = data[0] & 0x1f;
        if (data[0] >> 6 != 2 || type < RTCP_SR || type > RTCP_LAST || length > size)
            return false;
        any = true;
        size_t block = type == RTCP_RR ? 8 : type == RTCP_SR ? 28 : length;
        for (unsigned i = 0; i < count && block + 24 <= length; i++, block += 24) {
            uint32_t total = get32(data + block + 4) & 0xffffff; /* signed, RFC 3550 6.4.1 */
            if (get32(data + block) == ssrc && total < 0x800000)
                lost = total;
        }
        data += length;
        size -= length;
    }
    if (any)
        *ret_lost = lost;
    return any;
}
