/* Foreign GeoJSON: never a crash; a fault has words; what is taken can be indexed and asked. */
#include <stdlib.h>

#include "base/json.h"
#include "grid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *geometry = NULL;
    struct se_err err = {0};
    struct grid_index *index = NULL;
    struct grid_found found;

    if (size > 4096 || se_json_parse(data, size, &geometry, NULL) < 0)
        return 0;
    if (grid_check(geometry, &err) < 0) {
        if (err.code == 0 || err.text[0] == '\0')
            abort();
    } else {
        const struct grid_entry entry = {"g", "d", 1, geometry};
        if (grid_index_new(&entry, 1, &index, NULL) < 0)
            abort();
        (void)grid_locate(index, 29.85, 114.32, 500, &found);
        (void)grid_locate(index, 0, 0, 500, &found);
        grid_index_free(index);
    }
    json_decref(geometry);
    return 0;
}
