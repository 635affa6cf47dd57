/* The decoders of text, and the log's redaction: within their bounds, and lines never grow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "base/url.h"

static void check_base64(const char *text, size_t len)
{
    uint8_t *out = malloc(len * 3 / 4 + 1);
    long n = se_base64_decode(text, len, out);

    if (n > (long)(len * 3 / 4))
        abort();
    if (n >= 0) {
        char *coded = se_base64_encode(out, (size_t)n);
        uint8_t *again = malloc((size_t)n + 1);

        if (se_base64_decode(coded, strlen(coded), again) != n || memcmp(out, again, (size_t)n) != 0)
            abort();
        free(again);
        free(coded);
    }
    free(out);
}

static void check_url(const char *text)
{
    size_t len = strlen(text);
    char *coded = malloc(3 * len + 1), *copy = strdup(text);

    for (size_t i = 0; i < len; i++)
        snprintf(coded + 3 * i, 4, "%%%02X", (unsigned char)text[i]);
    coded[3 * len] = '\0';
    if (se_url_decode(coded, false) != (long)len || strcmp(coded, text) != 0)
        abort();
    se_url_decode(copy, true);
    free(coded);
    free(copy);
}

static void check_time(const char *text)
{
    char shown[SE_TIME_LEN];
    se_wall_ms ms, again;

    if (se_time_parse(text, &ms) < 0)
        return;
    se_time_format(ms, shown);
    if (se_time_parse(shown, &again) < 0 || again != ms)
        abort();
}

/* What is shown of a URL is masked as it stands. */
static void check_mask(const char *text)
{
    char *masked = NULL, *again = NULL;

    if (se_url_mask(text, &masked) != 1)
        return;
    if (!se_url_is_masked(masked) || se_url_mask(masked, &again) != 1 || strcmp(masked, again) != 0)
        abort();
    free(masked);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *line;
    uint8_t *bytes = malloc(size / 2 + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    line = strdup(text);
    se_log_redact(line);
    if (strlen(line) > strlen(text))
        abort();
    check_base64(text, strlen(text));
    check_url(text);
    check_time(text);
    check_mask(text);
    (void)se_hex_decode(text, strlen(text), bytes);
    (void)se_utf8_valid(data, size);
    (void)se_id_valid(text);
    free(line);
    free(text);
    free(bytes);
    return 0;
}
