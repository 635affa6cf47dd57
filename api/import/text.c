#include "import/text.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static int convert(const char *from, const char *data, size_t size, char **ret_text, size_t *ret_size,
                   struct se_err *err)
{
    size_t room = size * 2 + 16, left = room; /* two bytes become three, four become four */
    char *text = malloc(room), *in = (char *)(uintptr_t)data, *out = text;
    iconv_t iconv_fd = iconv_open("UTF-8", from);
    if (!text || iconv_fd == (iconv_t)-1) {
        free(text);
        if (iconv_fd != (iconv_t)-1)
            iconv_close(iconv_fd);
        return se_fail(err, text ? -ENOTSUP : -ENOMEM, "this system cannot read %s", from);
    }
    size_t result = iconv(iconv_fd, &in, &size, &out, &left);
    iconv_close(iconv_fd);
    if (result == (size_t)-1) {
        unsigned line = 1;
        for (const char *p = data; p < in; p++)
            line += *p == '\n';
        free(text);
        return se_fail(err, -EINVAL, "The file is not text in %s: line %u has a byte that cannot be read.",
                       from, line);
    }
    *ret_text = text;
    *ret_size = (size_t)(out - text);
    return 0;
}

static int copy(const char *data, size_t size, char **ret_text, size_t *ret_size)
{
    char *text = malloc(size + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, data, size);
    text[size] = '\0';
    *ret_text = text;
    *ret_size = size;
    return 0;
}

int import_text(const void *data, size_t size, const char *encoding, char **ret_text, size_t *ret_size,
                const char **ret_encoding, struct se_err *err)
{
    const char *bytes = data;
    bool any = strcmp(encoding, "auto") == 0, utf8 = strcmp(encoding, "utf-8") == 0;
    if (size >= 4 && memcmp(bytes, "PK\x03\x04", 4) == 0)
        return se_fail(err, -EINVAL, "This is a workbook or an archive. Save it as CSV first.");
    if (any && size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0)) {
        *ret_encoding = "utf-16";
        return convert("UTF-16", bytes, size, ret_text, ret_size, err);
    }
    bool marked = size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0;
    if (memchr(bytes, '\0', size))
        return se_fail(err, -EINVAL, "The file is not text: it holds NUL bytes.");
    if (marked && (any || utf8)) {
        bytes += 3;
        size -= 3;
        utf8 = true;
    }
    if (any || utf8) {
        bool valid = se_utf8_valid(bytes, size);
        *ret_encoding = "utf-8";
        if (valid)
            return copy(bytes, size, ret_text, ret_size);
        if (utf8)
            return se_fail(err, -EINVAL, "The file is not valid UTF-8. Is it GB18030?");
    }
    *ret_encoding = "gb18030";
    return convert("GB18030", bytes, size, ret_text, ret_size, err);
}
