/* The one question, and the names of what can be asked. */
#include <errno.h>
#include <string.h>

#include "access/access_private.h"

static const char *const names[ACCESS_COUNT_] = {
#define X(id, name, help) [ACCESS_##id] = (name),
    ACCESS_PERMISSIONS(X)
#undef X
};
_Static_assert(ACCESS_COUNT_ <= 64, "permissions are bits of a 64-bit word");

const char *access_permission_name(enum access_permission permission)
{
    return permission > ACCESS_NONE_ && permission < ACCESS_COUNT_ ? names[permission] : "none";
}

int access_permission_parse(const char *name, enum access_permission *ret_permission)
{
    for (int i = ACCESS_NONE_ + 1; i < ACCESS_COUNT_; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_permission = (enum access_permission)i;
            return 0;
        }
    }
    return -ENOENT;
}

struct access_decision access_decide(const struct access *access, const struct access_who *who,
                                     enum access_permission permission, const struct access_target *target)
{
    if (permission == ACCESS_PUBLIC)
        return (struct access_decision){true, "open to everybody"};
    if (permission <= ACCESS_NONE_ || permission >= ACCESS_COUNT_)
        return (struct access_decision){false, "the act names no permission"};
    if (!who || who->user_id[0] == '\0')
        return (struct access_decision){false, "not signed in"};
    if (permission == ACCESS_SELF)
        return (struct access_decision){true, "about oneself"};
    if (!(who->permissions & (1ULL << permission)))
        return (struct access_decision){false, "no role of the user allows it"};
    if (target && target->department_id && !who->all_departments &&
        strcmp(target->department_id, who->department_id) != 0)
        return (struct access_decision){false, "it belongs to another department"};
    return (struct access_decision){true, "a role of the user allows it"};
}
