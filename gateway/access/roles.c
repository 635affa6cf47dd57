/* The roles that every installation begins with. Others, and changes to these, are rows of the store. */
#include <errno.h>

#include "access/access_private.h"
#include "base/json.h"
#include "gateway/store_identity.h"

#define BIT(id)  (1ULL << ACCESS_##id)
#define ALL_BITS ((~0ULL >> (64 - ACCESS_COUNT_)) & ~(BIT(PUBLIC) | BIT(SELF) | 1ULL))

static const struct built_in {
    const char *code, *name, *scope;
    uint64_t permissions;
} built_in[] = {
    {"administrator", "Administrator", "all", ALL_BITS},
    {"commander", "Commander", "all",
     BIT(CAMERA_READ) | BIT(MEDIA_LIVE) | BIT(MEDIA_PLAYBACK) | BIT(SIGNAL_POST) | BIT(INCIDENT_READ) |
         BIT(INCIDENT_WRITE) | BIT(CASE_READ) | BIT(CASE_WRITE) | BIT(CASE_COMMAND) | BIT(COUNTY_READ) |
         BIT(USER_READ)},
    {"operator", "Operator of the governance centre", "all",
     BIT(CAMERA_READ) | BIT(MEDIA_LIVE) | BIT(MEDIA_PLAYBACK) | BIT(SIGNAL_POST) | BIT(INCIDENT_READ) |
         BIT(INCIDENT_WRITE) | BIT(CASE_READ) | BIT(CASE_WRITE) | BIT(COUNTY_READ)},
    /* Not USER_WRITE: whoever makes users gives them roles, and so could rise. */
    {"department_admin", "Administrator of a department", "department",
     BIT(CAMERA_READ) | BIT(CAMERA_WRITE) | BIT(MEDIA_LIVE) | BIT(MEDIA_PLAYBACK) | BIT(SIGNAL_POST) |
         BIT(INCIDENT_READ) | BIT(INCIDENT_WRITE) | BIT(CASE_READ) | BIT(CASE_WRITE) | BIT(COUNTY_READ) |
         BIT(USER_READ)},
    {"grid_worker", "Grid worker", "department",
     BIT(CAMERA_READ) | BIT(SIGNAL_POST) | BIT(INCIDENT_READ) | BIT(INCIDENT_WRITE) | BIT(CASE_READ) |
         BIT(CASE_WRITE) | BIT(COUNTY_READ)},
    {"auditor", "Auditor", "all",
     BIT(AUDIT_READ) | BIT(CAMERA_READ) | BIT(INCIDENT_READ) | BIT(CASE_READ) | BIT(COUNTY_READ) |
         BIT(USER_READ) | BIT(METRICS_READ)},
    {"integrator", "Another system", "all",
     BIT(SIGNAL_POST) | BIT(CAMERA_READ) | BIT(MEDIA_LIVE) | BIT(INCIDENT_READ) | BIT(COUNTY_READ) |
         BIT(METRICS_READ)},
};

static json_t *permission_names(uint64_t bits)
{
    json_t *array = json_array();
    for (int i = 1; array && i < ACCESS_COUNT_; i++)
        if (bits & (1ULL << i) &&
            json_array_append_new(array, json_string(access_permission_name((enum access_permission)i))) < 0)
            se_json_unref_p(&array);
    return array;
}

/* Adds those that are missing; what an administrator made of the others stays. */
int access_put_built_in_roles(struct store_tx *tx)
{
    for (unsigned i = 0; i < SE_ARRAY_LEN(built_in); i++) {
        const struct built_in *role = &built_in[i];
        se_json_ *have = NULL;
        int r = store_role_get(tx, role->code, &have);
        if (r == 0)
            continue;
        if (r != -ENOENT)
            return r;
        se_json_ *names = permission_names(role->permissions);
        if (!names)
            return -ENOMEM;
        r = store_role_put(tx, &(struct role_row){.code = role->code,
                                                  .name = role->name,
                                                  .scope = role->scope,
                                                  .permissions = names,
                                                  .built_in = true});
        if (r < 0)
            return r;
    }
    return 0;
}
