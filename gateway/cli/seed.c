/* The county as files, loaded into a running daemon or an idle store. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "acts.h"
#include "base/json.h"
#include "cameras.h"
#include "events/seed.h"

#define VARIABLES_MAX 64

static void camera_changed(const char *camera_id, void *ctx)
{
    house_load_camera(ctx, camera_id);
}

int act_seed_load(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err)
{
    const char *directory = se_json_str(request, "directory", "");
    const json_t *variables = json_object_get(request, "variables");
    const char *sets[VARIABLES_MAX];
    unsigned count = 0;
    for (size_t i = 0; i < json_array_size(variables) && count < VARIABLES_MAX; i++) {
        const char *text = json_string_value(json_array_get(variables, i));
        if (text)
            sets[count++] = text;
    }
    const struct seed_deps deps = {
        .options = house->options,
        .store = house->store,
        .access = house->access,
        .events = house->events,
        .sets = sets,
        .set_count = count,
        .camera_changed = house->ingest ? camera_changed : NULL,
        .ctx = house,
    };
    int r = seed_load(directory, &deps, ret_result, err);
    if (r == 0)
        access_rights_changed(house->access); /* seeds may give roles other permissions */
    return r;
}
