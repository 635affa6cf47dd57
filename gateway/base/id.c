#include "base/id.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/str.h"
#include "base/time.h"

static void random_bytes(void *out, size_t len)
{
    ssize_t n;

    /* Up to 256 bytes come whole once the kernel's pool is ready (getrandom(2)). */
    do
        n = getrandom(out, len, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)len)
        abort(); /* ids that collide would be worse than no process */
}

/* RFC 9562 6.2, method 1: rand_a is a counter that starts at a random value below
 * one half in each millisecond. When it runs over, or the clock steps back, the
 * timestamp runs ahead of the clock instead of the order breaking. */
static void next_stamp(uint64_t *ret_ms, uint16_t *ret_count)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last_ms;
    static uint16_t count;
    uint64_t now = (uint64_t)se_wall_now_ms();
    uint16_t seed;

    random_bytes(&seed, sizeof(seed));
    pthread_mutex_lock(&mutex);
    if (now > last_ms) {
        last_ms = now;
        count = seed & 0x7ff;
    } else if (++count > 0xfff) {
        last_ms++;
        count = seed & 0x7ff;
    }
    *ret_ms = last_ms;
    *ret_count = count;
    pthread_mutex_unlock(&mutex);
}

void se_id_new(char out[SE_ID_LEN])
{
    uint8_t id[16];
    uint64_t ms;
    uint16_t count;
    char hex[33];
    int at = 0;

    next_stamp(&ms, &count);
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
    id[6] = (uint8_t)(0x70 | (count >> 8));
    id[7] = (uint8_t)count;
    random_bytes(id + 8, 8);
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));

    se_hex_encode(id, sizeof(id), hex);
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[at++] = '-';
        out[at++] = hex[i];
    }
    out[at] = '\0';
}

bool se_id_valid(const char *text)
{
    if (!text)
        return false;
    for (int i = 0; i < SE_ID_LEN - 1; i++) {
        char c = text[i];
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

        if (hyphen ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    if (text[14] != '7' || (text[19] != '8' && text[19] != '9' && text[19] != 'a' && text[19] != 'b'))
        return false;
    return text[SE_ID_LEN - 1] == '\0';
}
