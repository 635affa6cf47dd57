#include "packetize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void packet_list_fini(struct packet_list *list)
{
    free(list->items);
    free(list->bytes);
    memset(list, 0, sizeof(*list));
}

/* Room for one more packet of size bytes; ret_data points at them until the next call. */
static int packet_add(struct packet_list *list, size_t size, uint8_t **ret_data)
{
    if (list->count == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 256;
        struct packet_range *items = realloc(list->items, cap * sizeof(*items));
        if (!items)
            return -ENOMEM;
        list->items = items;
        list->cap = cap;
    }
    if (list->bytes_cap - list->size < size) {
        size_t cap = list->bytes_cap ? (size_t)list->bytes_cap * 2 : 1 << 20;
        uint8_t *bytes = cap <= UINT32_MAX ? realloc(list->bytes, cap) : NULL;
        if (!bytes)
            return -ENOMEM;
        list->bytes = bytes;
        list->bytes_cap = (uint32_t)cap;
    }
    list->items[list->count++] = (struct packet_range){.offset = list->size, .size = (uint16_t)size};
    *ret_data = list->bytes + list->size;
    list->size += (uint32_t)size;
    return 0;
}

static int add_single(struct packet_list *list, const struct nal *nal)
{
    uint8_t *data;
    int r = packet_add(list, nal->size, &data);

    if (r < 0)
        return r;
    memcpy(data, nal->data, nal->size);
    return 0;
}

/* Cuts a NAL unit into fragments behind a prefix whose last byte is the FU header. */
static int add_fragments(struct packet_list *list, const struct nal *nal, const uint8_t *prefix,
                         size_t prefix_size, size_t header_size)
{
    const uint8_t *at = nal->data + header_size;
    size_t left = nal->size - header_size;
    bool first = true;

    while (left > 0) {
        size_t room = PACKET_PAYLOAD_MAX - prefix_size;
        size_t take = left < room ? left : room;
        uint8_t *data;
        int r = packet_add(list, prefix_size + take, &data);

        if (r < 0)
            return r;
        memcpy(data, prefix, prefix_size);
        if (first)
            data[prefix_size - 1] |= 0x80; /* S */
        if (take == left)
            data[prefix_size - 1] |= 0x40; /* E */
        memcpy(data + prefix_size, at, take);
        at += take;
        left -= take;
        first = false;
    }
    return 0;
}

/* How many NAL units from the first fit one aggregation packet whose own header takes header_size. */
static unsigned aggregate_count(const struct nal *nals, unsigned count, size_t header_size, size_t *ret_size)
{
    size_t size = header_size;
    unsigned n = 0;

    while (n < count && size + 2 + nals[n].size <= PACKET_PAYLOAD_MAX) {
        size += 2 + nals[n].size;
        n++;
    }
    *ret_size = size;
    return n;
}

static void write_aggregate(uint8_t *data, const struct nal *nals, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        *data++ = (uint8_t)(nals[i].size >> 8);
        *data++ = (uint8_t)nals[i].size;
        memcpy(data, nals[i].data, nals[i].size);
        data += nals[i].size;
    }
}

/* RFC 6184 5.7.1: F is the OR, NRI the maximum of what is inside. */
static int add_stap_a(struct packet_list *list, const struct nal *nals, unsigned count, size_t size)
{
    uint8_t nri = 0;
    uint8_t *data;
    int r = packet_add(list, size, &data);

    if (r < 0)
        return r;
    for (unsigned i = 0; i < count; i++)
        if ((nals[i].data[0] & 0x60) > nri)
            nri = nals[i].data[0] & 0x60;
    data[0] = nri | 24;
    write_aggregate(data + 1, nals, count);
    return 0;
}

/* RFC 7798 4.4.2: LayerId and TID are the lowest of what is inside. */
static int add_ap(struct packet_list *list, const struct nal *nals, unsigned count, size_t size)
{
    unsigned tid = 7;
    uint8_t *data;
    int r = packet_add(list, size, &data);

    if (r < 0)
        return r;
    for (unsigned i = 0; i < count; i++)
        if ((nals[i].data[1] & 7u) < tid)
            tid = nals[i].data[1] & 7u;
    data[0] = 48 << 1;
    data[1] = (uint8_t)tid;
    write_aggregate(data + 2, nals, count);
    return 0;
}

/* Both codecs share the walk; only headers differ. */
static int packetize_nals(struct packet_list *list, const struct nal *nals, unsigned count, bool aggregate,
                          bool h265)
{
    size_t header_size = h265 ? 2 : 1;
    int r;

    if (count == 0)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++)
        if (nals[i].size <= header_size)
            return -EINVAL;
    for (unsigned i = 0; i < count;) {
        const struct nal *nal = &nals[i];
        size_t size;
        unsigned together = aggregate ? aggregate_count(nal, count - i, header_size, &size) : 1;

        if (together > 1) {
            r = h265 ? add_ap(list, nal, together, size) : add_stap_a(list, nal, together, size);
            i += together;
        } else {
            if (nal->size <= PACKET_PAYLOAD_MAX) {
                r = add_single(list, nal);
            } else if (h265) {
                uint8_t prefix[3] = {(nal->data[0] & 0x81) | 49 << 1, nal->data[1], nal->data[0] >> 1 & 0x3f};
                r = add_fragments(list, nal, prefix, 3, 2);
            } else {
                uint8_t prefix[2] = {(nal->data[0] & 0xe0) | 28, nal->data[0] & 0x1f};
                r = add_fragments(list, nal, prefix, 2, 1);
            }
            i++;
        }
        if (r < 0)
            return r;
    }
    list->items[list->count - 1].marker = true;
    return 0;
}

int packetize_h264(struct packet_list *list, const struct nal *nals, unsigned count, bool aggregate)
{
    return packetize_nals(list, nals, count, aggregate, false);
}

int packetize_h265(struct packet_list *list, const struct nal *nals, unsigned count, bool aggregate)
{
    return packetize_nals(list, nals, count, aggregate, true);
}

int packetize_aac(struct packet_list *list, const uint8_t *data, size_t size)
{
    size_t left = size;

    if (size == 0 || size > 8191)
        return -EINVAL;
    while (left > 0) {
        size_t room = PACKET_PAYLOAD_MAX - 4;
        size_t take = left < room ? left : room;
        uint8_t *out;
        int r = packet_add(list, 4 + take, &out);

        if (r < 0)
            return r;
        out[0] = 0; /* AU-headers-length: 16 bits */
        out[1] = 16;
        out[2] = (uint8_t)(size >> 5); /* the whole frame's size, in every fragment */
        out[3] = (uint8_t)(size << 3);
        memcpy(out + 4, data, take);
        data += take;
        left -= take;
    }
    list->items[list->count - 1].marker = true;
    return 0;
}

int packetize_whole(struct packet_list *list, const uint8_t *data, size_t size)
{
    struct nal whole = {data, size};
    int r = size > 0 && size <= PACKET_PAYLOAD_MAX ? add_single(list, &whole) : -EINVAL;

    if (r == 0)
        list->items[list->count - 1].marker = true;
    return r;
}

static void put_be16(uint8_t *out, uint16_t v)
{
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
}

static void put_be32(uint8_t *out, uint32_t v)
{
    put_be16(out, (uint16_t)(v >> 16));
    put_be16(out + 2, (uint16_t)v);
}

void rtp_header_write(uint8_t *out, uint8_t payload_type, bool marker, uint16_t sequence, uint32_t timestamp,
                      uint32_t ssrc)
{
    out[0] = 0x80;
    out[1] = (uint8_t)((marker ? 0x80 : 0) | payload_type);
    put_be16(out + 2, sequence);
    put_be32(out + 4, timestamp);
    put_be32(out + 8, ssrc);
}
