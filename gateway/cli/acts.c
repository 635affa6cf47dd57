/* What commands do, wherever they do it. */
#include "acts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"
#include "base/str.h"
#include "control.h"
#include "gateway/store_audit.h"
#include "gateway/store_identity.h"

static const struct act acts[] = {
    {"user.add", act_user_add},
    {"user.password", act_user_password},
    {"backup", act_backup},
    {"check", act_check},
    {"seed.load", act_seed_load},
    {"camera.import", act_camera_import},
    {"camera.import.state", act_camera_import_state},
    {"camera.import.rows", act_camera_import_rows},
};

const struct act *act_find(const char *name)
{
    for (unsigned i = 0; i < SE_ARRAY_LEN(acts); i++)
        if (strcmp(acts[i].name, name) == 0)
            return &acts[i];
    return NULL;
}

/* A house for one command: its store and access, under the lock. */
static int run_alone(struct house *house, const struct act *act, const json_t *request, json_t **ret_result,
                     struct se_err *err)
{
    int r = house_open_store(house, err);
    if (r == 0)
        r = house_open_access(house, err);
    if (r == 0)
        r = act->run(house, request, ret_result, err);
    house_close_access(house);
    house_close_store(house);
    return r;
}

int act_reach(struct options *options, const char *name, const json_t *request, json_t **ret_result,
              struct se_err *err)
{
    const struct act *act = act_find(name);
    if (!act)
        return se_fail(err, -ENOSYS, "no such act: %s", name);
    struct house house = {.options = options, .lock_fd = -1};
    int r = house_lock(&house, err);
    if (r == -EWOULDBLOCK)
        return control_ask(options_text(options, "gateway.data_dir"), name, request, ret_result, err);
    if (r < 0)
        return r;
    r = run_alone(&house, act, request, ret_result, err);
    house_unlock(&house);
    return r;
}

/* ---- users ---- */

struct user_act {
    const char *username, *display_name, *department;
    const json_t *roles;
    char hash[128];
    char id[SE_ID_LEN];
    const char *missing; /* what -ENOENT was about */
};

static int add_user(struct store_tx *tx, void *ctx)
{
    struct user_act *act = ctx;
    se_json_ *department = NULL;
    int r = store_department_get(tx, act->department, &department);
    if (r == -ENOENT)
        act->missing = "department";
    if (r < 0)
        return r;
    se_id_new(act->id);
    r = store_user_insert(tx, &(struct user_row){.id = act->id,
                                                 .username = act->username,
                                                 .display_name = act->display_name,
                                                 .password_hash = act->hash,
                                                 .department_id = se_json_str(department, "id", ""),
                                                 .enabled = true,
                                                 .roles = act->roles});
    if (r < 0)
        return r;
    se_json_ *detail = json_pack("{s:s, s:O}", "username", act->username, "roles", act->roles);
    return access_audit(tx, NULL, "user.create", "user", act->id, detail);
}

/* The password that was given, or a new one, which is put into the result to be shown once. */
static int take_password(const json_t *request, const char *username, char generated[33],
                         const char **ret_password, struct se_err *err)
{
    const char *given = se_json_str(request, "password", "");
    *ret_password = *given ? given : generated;
    if (*given)
        return access_password_check(given, username, err);
    int r = access_random_password(generated, 16);
    return r < 0 ? se_fail(err, r, "no random password: %s", strerror(-r)) : 0;
}

static int user_result(const struct user_act *act, const char *generated, json_t **ret_result)
{
    json_t *result = json_pack("{s:s, s:s, s:s?}", "id", act->id, "username", act->username, "password",
                               *generated ? generated : NULL);
    if (!result)
        return -ENOMEM;
    *ret_result = result;
    return 0;
}

int act_user_add(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err)
{
    struct user_act act = {
        .username = se_json_str(request, "username", ""),
        .roles = json_object_get(request, "roles"),
        .department = se_json_str(request, "department", "centre"),
    };
    act.display_name = se_json_str(request, "name", act.username);
    char generated[33] = "";
    const char *password = NULL;
    int r = access_username_check(act.username, err);
    if (r == 0 && json_array_size(act.roles) == 0)
        r = se_fail_field(err, -EINVAL, "roles", "a user needs a role");
    if (r == 0)
        r = take_password(request, act.username, generated, &password, err);
    if (r < 0 || !password)
        return r;
    r = access_password_hash(password, act.hash);
    if (r == 0)
        r = store_write(house->store, add_user, &act);
    if (r == -EEXIST)
        return se_fail(err, r, "there is already a user %s", act.username);
    if (r == -ENOENT && act.missing)
        return se_fail(err, r, "there is no department %s", act.department);
    if (r == -ENOLINK)
        return se_fail(err, r, "one of the roles does not exist");
    if (r < 0)
        return se_fail(err, r, "the user was not stored: %s", strerror(-r));
    return user_result(&act, generated, ret_result);
}

static int set_password(struct store_tx *tx, void *ctx)
{
    struct user_act *act = ctx;
    struct user_secret secret;
    int r = store_user_secret(tx, act->username, &secret);
    if (r == 0)
        r = store_user_password(tx, secret.id, act->hash, false);
    if (r == 0)
        r = access_audit(tx, NULL, "user.password", "user", secret.id, NULL);
    if (r == 0)
        memcpy(act->id, secret.id, sizeof(act->id));
    return r;
}

int act_user_password(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err)
{
    struct user_act act = {.username = se_json_str(request, "username", "")};
    char generated[33] = "";
    const char *password = NULL;
    int r = take_password(request, act.username, generated, &password, err);
    if (r < 0 || !password)
        return r;
    r = access_password_hash(password, act.hash);
    if (r == 0)
        r = store_write(house->store, set_password, &act);
    if (r == -ENOENT)
        return se_fail(err, r, "there is no user %.64s", act.username);
    if (r < 0)
        return se_fail(err, r, "the password was not stored: %s", strerror(-r));
    access_forget_user(house->access, act.id);
    return user_result(&act, generated, ret_result);
}

/* ---- backup and check ---- */

static int audit_backup(struct store_tx *tx, void *ctx)
{
    se_json_ *detail = json_pack("{s:s}", "path", (const char *)ctx);
    return access_audit(tx, NULL, "store.backup", "store", NULL, detail);
}

int act_backup(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err)
{
    const char *directory = se_json_str(request, "directory", "");
    if (*directory != '/')
        return se_fail(err, -EINVAL, "the backup's directory must be given from the root: %s", directory);
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return se_fail(err, -errno, "%s cannot be made: %s", directory, strerror(errno));
    char stamp[32];
    time_t now = (time_t)(se_wall_now_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
    se_free_ char *path = se_asprintf("%s/sharpeyes-%s.db", directory, stamp);
    if (!path)
        return se_fail(err, -ENOMEM, "out of memory");
    int r = store_backup(house->store, path, err);
    if (r < 0)
        return r;
    r = store_write(house->store, audit_backup, path);
    if (r < 0)
        return se_fail(err, r, "the backup was made, but not written to the audit trail: %s", strerror(-r));
    *ret_result = json_pack("{s:s, s:i, s:s}", "path", path, "schema_version",
                            store_schema_version(house->store), "note",
                            "secret.key is not in it: keep a copy elsewhere, or cameras' passwords must be "
                            "typed in again");
    return *ret_result ? 0 : -ENOMEM;
}

static int verify_audit(struct store_tx *tx, void *ctx)
{
    return store_audit_verify(tx, ctx);
}

int act_check(struct house *house, const json_t *request, json_t **ret_result, struct se_err *err)
{
    se_json_ *audit = NULL;
    int r = store_read(house->store, verify_audit, &audit);
    if (r < 0)
        return se_fail(err, r, "the audit chain cannot be read: %s", strerror(-r));
    bool ok = se_json_bool(audit, "ok", false) && store_healthy(house->store);
    *ret_result =
        json_pack("{s:b, s:i, s:b, s:O}", "ok", ok, "schema_version", store_schema_version(house->store),
                  "store_healthy", store_healthy(house->store), "audit", audit);
    return *ret_result ? 0 : -ENOMEM;
}
