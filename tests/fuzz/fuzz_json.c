/* Foreign JSON: never a crash, and what is taken is written and read back the same. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value = NULL, *again = NULL;
    struct se_err err = {0};
    char *text, *second;

    if (se_json_parse(data, size, &value, &err) < 0) {
        if (value || err.code == 0 || err.text[0] == '\0')
            abort();
        return 0;
    }
    text = se_json_text(value);
    if (!text || se_json_parse(text, strlen(text), &again, NULL) < 0)
        abort();
    second = se_json_text(again);
    if (!second || strcmp(text, second) != 0)
        abort();
    free(text);
    free(second);
    json_decref(value);
    json_decref(again);
    return 0;
}
