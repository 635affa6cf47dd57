/* Lists of cameras: whatever the bytes are, every row has a line of its own and its fields are whole. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "import/columns.h"
#include "import/text.h"

static void check_row(const struct csv_row *row)
{
    if (row->count == 0 || row->count > CSV_FIELDS_MAX)
        abort();
    for (unsigned i = 0; i < row->count; i++)
        if (row->fields[i] < row->text || strlen(row->fields[i]) > CSV_FIELD_BYTES)
            abort();
}

static void check_rows(const char *text, size_t size)
{
    static struct csv_row row;
    struct import_columns columns;
    struct csv csv;
    unsigned line = 0, rows = 0;
    bool known = false;
    csv_init(&csv, text, size);
    for (int r; (r = csv_next(&csv, &row, NULL)) != 0; rows++) {
        if (row.line <= line || rows > size)
            abort();
        line = row.line;
        if (r < 0)
            continue;
        check_row(&row);
        if (rows == 0) {
            known = import_columns_read(&row, &columns, NULL) == 0;
        } else if (known) {
            se_json_ *errors = json_array();
            se_json_ *camera = import_row_json(&columns, &row, rows & 1, rows & 2, errors);
            if (camera && !json_is_object(camera))
                abort();
        }
    }
    if (known)
        import_columns_fini(&columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const encodings[] = {"auto", "utf-8", "gb18030"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(encodings); i++) {
        char *text = NULL;
        const char *encoding;
        size_t length = 0;
        if (import_text(data, size, encodings[i], &text, &length, &encoding, NULL) < 0)
            continue;
        if (!se_utf8_valid(text, length) && !memchr(text, 0, length))
            abort();
        check_rows(text, length);
        free(text);
    }
    check_rows((const char *)data, size); /* not even text */
    return 0;
}
