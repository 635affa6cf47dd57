#include "address_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool within(const uint8_t address[16], const uint8_t prefix[16], unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;
    if (memcmp(address, prefix, bytes) != 0)
        return false;
    return !rest || (address[bytes] ^ prefix[bytes]) >> (8 - rest) == 0;
}

static int parse_rule(const char *text, size_t size, uint8_t prefix[16], unsigned *ret_bits)
{
    char buffer[64];
    if (size >= sizeof(buffer))
        return -EINVAL;
    memcpy(buffer, text, size);
    buffer[size] = 0;
    char *slash = strchr(buffer, '/');
    if (slash)
        *slash++ = 0;
    bool v4 = inet_pton(AF_INET, buffer, prefix + 12) == 1;
    if (v4)
        memcpy(prefix, mapped, sizeof(mapped));
    else if (inet_pton(AF_INET6, buffer, prefix) != 1)
        return -EINVAL;
    unsigned most = v4 ? 32 : 128, bits = most;
    if (slash) {
        char *end;
        unsigned long value = strtoul(slash, &end, 10);
        if (*slash < '0' || *slash > '9' || *end || value > most)
            return -EINVAL;
        bits = (unsigned)value;
    }
    *ret_bits = bits + (v4 ? 96 : 0);
    return 0;
}

int address_rules_parse(const char *list, struct address_rules *ret_rules, struct se_err *err)
{
    struct address_rules rules = {0};
    while (*list) {
        list += strspn(list, ", \t");
        size_t size = strcspn(list, ", \t");
        if (!size)
            break;
        if (rules.count == ADDRESS_RULES_MAX)
            return se_fail(err, -EINVAL, "ingest.allow lists more than %d networks", ADDRESS_RULES_MAX);
        int r = parse_rule(list, size, rules.rules[rules.count].prefix, &rules.rules[rules.count].bits);
        if (r < 0)
            return se_fail(err, r, "ingest.allow: \"%.*s\" is not a network such as 10.0.0.0/8 or fd00::/8",
                           (int)(size < 60 ? size : 60), list);
        rules.count++;
        list += size;
    }
    *ret_rules = rules;
    return 0;
}

bool address_parse(const char *host, struct sockaddr_storage *ret_address)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
        address.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
        address.ss_family = AF_INET6;
    else
        return false;
    *ret_address = address;
    return true;
}

bool address_allowed(const struct address_rules *rules, const struct sockaddr *address)
{
    static const struct {
        uint8_t prefix[16];
        unsigned bits;
    } never[] =
        {
            {{0xfe, 0x80}, 10}, /* link-local */
            {{0xff}, 8},        /* multicast */
            {{0}, 128},         /* unspecified */
            {{[10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254}, 112},
            {{[10] = 0xff, [11] = 0xff, [12] = 224}, 100},
            {{[10] = 0xff, [11] = 0xff, [12] = 0}, 104},
            {{[10] = 0xff, [11] = 0xff, [12] = 255, [13] = 255, [14] = 255, [15] = 255}, 128},
        },
      loopback[] = {
          {{[15] = 1}, 128},
          {{[10] = 0xff, [11] = 0xff, [12] = 127}, 104},
      };

    uint8_t bytes[16];
    if (address->sa_family == AF_INET) {
        memcpy(bytes, mapped, sizeof(mapped));
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    } else {
        return false;
    }
    for (unsigned i = 0; i < SE_ARRAY_LEN(never); i++)
        if (within(bytes, never[i].prefix, never[i].bits))
            return false;
    unsigned least = 0; /* a rule must be at least this narrow: 0.0.0.0/0 does not list loopback */
    for (unsigned i = 0; i < SE_ARRAY_LEN(loopback); i++)
        if (within(bytes, loopback[i].prefix, loopback[i].bits))
            least = loopback[i].bits;
    for (unsigned i = 0; i < rules->count; i++)
        if (rules->rules[i].bits >= least && within(bytes, rules->rules[i].prefix, rules->rules[i].bits))
            return true;
    return false;
}
