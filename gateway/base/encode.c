/* Text encodings of base/str.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "utf8.h"

size_t base_utf8_char(const uint8_t *at, size_t len)
{
    uint8_t low = 0x80, high = 0xbf; /* of the second byte: RFC 3629, section 4 */
    size_t n;

    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf) {
        n = 2;
    } else if (at[0] >= 0xe0 && at[0] <= 0xef) {
        n = 3;
        if (at[0] == 0xe0)
            low = 0xa0;
        if (at[0] == 0xed)
            high = 0x9f;
    } else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        n = 4;
        if (at[0] == 0xf0)
            low = 0x90;
        if (at[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (n > len || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool se_utf8_valid(const void *data, size_t len)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < len;) {
        size_t n = base_utf8_char(at + i, len - i);

        if (n == 0 || at[i] == 0)
            return false;
        i += n;
    }
    return true;
}

static const char base64_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *se_base64_encode(const void *data, size_t len)
{
    const uint8_t *in = data;
    char *out, *at;

    if (len > SIZE_MAX / 2)
        return NULL;
    out = at = malloc((len + 2) / 3 * 4 + 1);
    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16;

        if (i + 1 < len)
            v |= (uint32_t)in[i + 1] << 8;
        if (i + 2 < len)
            v |= in[i + 2];
        *at++ = base64_chars[v >> 18];
        *at++ = base64_chars[(v >> 12) & 63];
        *at++ = i + 1 < len ? base64_chars[(v >> 6) & 63] : '=';
        *at++ = i + 2 < len ? base64_chars[v & 63] : '=';
    }
    *at = '\0';
    return out;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

long se_base64_decode(const char *text, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    long n = 0;
    int held = 0;

    /* Cameras leave the padding out of SDP; where it stands, it must be whole. */
    if (len > 0 && text[len - 1] == '=') {
        if (len % 4 != 0)
            return -EINVAL;
        len -= text[len - 2] == '=' ? 2 : 1;
    }
    if (len % 4 == 1)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        int v = base64_value(text[i]);

        if (v < 0)
            return -EINVAL;
        bits = (bits << 6 | (uint32_t)v) & 0xffffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (uint8_t)(bits >> held);
        }
    }
    return n;
}

void se_hex_encode(const void *data, size_t len, char *out)
{
    static const char chars[] = "0123456789abcdef";
    const uint8_t *in = data;

    for (size_t i = 0; i < len; i++) {
        *out++ = chars[in[i] >> 4];
        *out++ = chars[in[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

long se_hex_decode(const char *text, size_t len, uint8_t *out)
{
    if (len % 2 != 0)
        return -EINVAL;
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return (long)(len / 2);
}

long se_url_decode(char *text, bool plus_is_space)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (*from == '%') {
            int high = hex_value(from[1]);
            int low = high < 0 ? -1 : hex_value(from[2]);

            /* An escaped NUL would end the text early for whoever reads it next. */
            if (low < 0 || (high | low) == 0)
                return -EINVAL;
            *to++ = (char)(high << 4 | low);
            from += 2;
        } else {
            *to++ = *from == '+' && plus_is_space ? ' ' : *from;
        }
    }
    *to = '\0';
    return (long)(to - text);
}
