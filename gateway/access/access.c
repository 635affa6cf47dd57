/* Access as a whole: made, ended, first filled; and whose rights are what. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access/access_private.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "gateway/store_identity.h"

#define SESSIONS_KEPT 8192
#define TICKETS_KEPT  16384

#define STREAM_SIGN_INS   "sharpeyes_stream_sign_ins_total"
#define STREAM_SIGN_INS_H "Sign-ins with a stream password by outcome."

struct se_metric access_metrics[] = {
    [ACCESS_M_SIGN_IN_OK] = {"sharpeyes_sign_ins_total", "Sign-ins by outcome.", SE_COUNTER, "result=\"ok\"",
                             0},
    [ACCESS_M_SIGN_IN_WRONG] = {"sharpeyes_sign_ins_total", "Sign-ins by outcome.", SE_COUNTER,
                                "result=\"wrong\"", 0},
    [ACCESS_M_SIGN_IN_BLOCKED] = {"sharpeyes_sign_ins_total", "Sign-ins by outcome.", SE_COUNTER,
                                  "result=\"blocked\"", 0},
    [ACCESS_M_STREAM_OK] = {STREAM_SIGN_INS, STREAM_SIGN_INS_H, SE_COUNTER, "result=\"ok\"", 0},
    [ACCESS_M_STREAM_WRONG] = {STREAM_SIGN_INS, STREAM_SIGN_INS_H, SE_COUNTER, "result=\"wrong\"", 0},
    [ACCESS_M_STREAM_BLOCKED] = {STREAM_SIGN_INS, STREAM_SIGN_INS_H, SE_COUNTER, "result=\"blocked\"", 0},
    [ACCESS_M_SESSIONS_DROPPED] = {"sharpeyes_access_dropped_total", "Entries pushed out of a full table.",
                                   SE_COUNTER, "table=\"sessions\"", 0},
    [ACCESS_M_TICKETS_DROPPED] = {"sharpeyes_access_dropped_total", "Entries pushed out of a full table.",
                                  SE_COUNTER, "table=\"tickets\"", 0},
    [ACCESS_M_AUDIT_LOST] = {"sharpeyes_audit_lost_total",
                             "Views that could not be written to the audit trail.", SE_COUNTER, NULL, 0},
};
static pthread_once_t metrics_once = PTHREAD_ONCE_INIT;

static void register_metrics(void)
{
    se_metrics_register(access_metrics, ACCESS_M_AUDIT_LOST + 1);
}

int access_new(struct store *store, const struct options *options, struct access **ret_access,
               struct se_err *err)
{
    if (sodium_init() < 0)
        return se_fail(err, -EIO, "libsodium does not start: no source of random numbers");
    pthread_once(&metrics_once, register_metrics);
    struct access *access = calloc(1, sizeof(*access));
    if (!access)
        return se_fail(err, -ENOMEM, "out of memory");
    pthread_mutex_init(&access->lock, NULL);
    access->store = store;
    access->session_ms = (int64_t)(options_real(options, "access.session_hours") * 3600000);
    access->ticket_ms = (int64_t)(options_real(options, "access.ticket_minutes") * 60000);
    access->sign_in_window_us = options_int(options, "access.sign_in_window_s") * SE_US_PER_S;
    atomic_init(&access->generation, 1);
    randombytes_buf(access->hash_key, sizeof(access->hash_key));
    char decoy[33];
    int r = access_random_password(decoy, 32);
    if (r == 0)
        r = access_password_hash(decoy, access->decoy_hash);
    access->data_dir = strdup(options_text(options, "gateway.data_dir"));
    access->admin_password_file = strdup(options_text(options, "access.admin_password_file"));
    if (r < 0 || !access->data_dir || !access->admin_password_file ||
        access_keep_init(&access->sessions, SESSIONS_KEPT) < 0 ||
        access_keep_init(&access->tickets, TICKETS_KEPT) < 0)
        r = se_fail(err, -ENOMEM, "out of memory: access needs 64 MiB to hash a password");
    if (r == 0)
        r = access_secret_load(access, err);
    if (r < 0) {
        access_free(access);
        return r;
    }
    *ret_access = access;
    return 0;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    if (access->sessions.buckets)
        access_keep_fini(&access->sessions);
    if (access->tickets.buckets)
        access_keep_fini(&access->tickets);
    pthread_mutex_destroy(&access->lock);
    free(access->data_dir);
    free(access->admin_password_file);
    sodium_memzero(access, sizeof(*access));
    free(access);
}

/* ---- whose rights are what ---- */

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static int add_role(struct store_tx *tx, const char *code, struct access_who *who)
{
    se_json_ *role = NULL;
    int r = store_role_get(tx, code, &role);
    if (r < 0)
        return r;
    size_t i;
    json_t *name;
    json_array_foreach (json_object_get(role, "permissions"), i, name) {
        enum access_permission permission;
        /* A role may name a permission of another version of the program: it allows nothing here. */
        if (json_is_string(name) && access_permission_parse(json_string_value(name), &permission) == 0)
            who->permissions |= 1ULL << permission;
    }
    if (strcmp(se_json_str(role, "scope", ""), "all") == 0)
        who->all_departments = true;
    size_t len = strlen(who->roles);
    snprintf(who->roles + len, sizeof(who->roles) - len, "%s%s", len ? "," : "", code);
    return 0;
}

int access_load_who(struct store_tx *tx, const char *user_id, struct access_who *ret_who)
{
    se_json_ *user = NULL;
    int r = store_user_get(tx, user_id, &user);
    if (r < 0)
        return r;
    struct access_who who = {0};
    copy(who.user_id, sizeof(who.user_id), se_json_str(user, "id", ""));
    copy(who.username, sizeof(who.username), se_json_str(user, "username", ""));
    copy(who.display_name, sizeof(who.display_name), se_json_str(user, "display_name", ""));
    copy(who.department_id, sizeof(who.department_id), se_json_str(user, "department_id", ""));
    copy(who.division_id, sizeof(who.division_id), se_json_str(user, "division_id", ""));
    size_t i;
    json_t *role;
    json_array_foreach (json_object_get(user, "roles"), i, role) {
        r = add_role(tx, json_string_value(role), &who);
        if (r < 0)
            return r;
    }
    *ret_who = who;
    return 0;
}

/* ---- the first start ---- */

struct first {
    const char *password_hash;
    bool must_change;
    bool made;
};

static int need_first(struct store_tx *tx, void *ctx)
{
    return store_user_count(tx, ctx);
}

static int put_roles_job(struct store_tx *tx, void *ctx)
{
    return access_put_built_in_roles(tx);
}

static int ensure_centre(struct store_tx *tx, char ret_id[SE_ID_LEN])
{
    se_json_ *centre = NULL;
    int r = store_department_get(tx, "centre", &centre);
    if (r == 0) {
        copy(ret_id, SE_ID_LEN, se_json_str(centre, "id", ""));
        return 0;
    }
    if (r != -ENOENT)
        return r;
    se_id_new(ret_id);
    return store_department_insert(
        tx, &(struct department_row){
                .id = ret_id, .code = "centre", .name = "综治中心", .kind = "governance_centre"});
}

static int make_first(struct store_tx *tx, void *ctx)
{
    struct first *first = ctx;
    int64_t users = 0;
    int r = store_user_count(tx, &users);
    if (r < 0 || users > 0)
        return r;
    char centre[SE_ID_LEN], id[SE_ID_LEN];
    r = ensure_centre(tx, centre);
    if (r < 0)
        return r;
    se_id_new(id);
    se_json_ *roles = json_pack("[s]", "administrator");
    if (!roles)
        return -ENOMEM;
    r = store_user_insert(tx, &(struct user_row){.id = id,
                                                 .username = "admin",
                                                 .display_name = "admin",
                                                 .password_hash = first->password_hash,
                                                 .department_id = centre,
                                                 .enabled = true,
                                                 .must_change_password = first->must_change,
                                                 .roles = roles});
    if (r == 0)
        r = access_audit(tx, NULL, "user.create", "user", id, NULL);
    first->made = r == 0;
    return r;
}

static int read_password_file(const char *path, char out[130], struct se_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return se_fail_field(err, -errno, "access.admin_password_file",
                             "access.admin_password_file: %s cannot be read: %s", path, strerror(errno));
    ssize_t got = read(fd, out, 129);
    close(fd);
    out[got > 0 ? got : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    if (out[0] == '\0' || strlen(out) > 128 || !se_utf8_valid(out, strlen(out)))
        return se_fail_field(err, -EINVAL, "access.admin_password_file",
                             "access.admin_password_file: %s must hold one line of 1 to 128 bytes", path);
    return 0;
}

static int write_password_file(const char *path, const char *password, struct se_err *err)
{
    (void)unlink(path); /* of an earlier store: that password opens nothing any more */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return se_fail(err, -errno, "%s cannot be written: %s", path, strerror(errno));
    int r = dprintf(fd, "%s\n", password) < 0 || fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r < 0 ? se_fail(err, r, "%s cannot be written: %s", path, strerror(-r)) : 0;
}

int access_bootstrap(struct access *access, struct se_err *err)
{
    int64_t users = 0;
    int r = store_write(access->store, put_roles_job, NULL);
    if (r == 0)
        r = store_read(access->store, need_first, &users);
    if (r < 0)
        return se_fail(err, r, "the first users and roles cannot be stored: %s", strerror(-r));
    if (users > 0)
        return 0;
    if (access->key_was_there)
        se_warn("access",
                "the database is empty, but the data directory \"%s\" is not new: was it lost? If so, "
                "stop, put a backup in its place and start again; recordings are not touched",
                access->data_dir);

    char password[130] = "", hash[128];
    bool given = access->admin_password_file[0] != '\0';
    se_free_ char *path = se_asprintf("%s/initial-admin-password", access->data_dir);
    if (!path)
        return se_fail(err, -ENOMEM, "out of memory");
    if (given)
        r = read_password_file(access->admin_password_file, password, err);
    else if ((r = access_random_password(password, 16)) == 0)
        r = write_password_file(path, password, err);
    if (r < 0)
        return r;
    r = access_password_hash(password, hash);
    sodium_memzero(password, sizeof(password));
    struct first first = {.password_hash = hash, .must_change = !given};
    if (r == 0)
        r = store_write(access->store, make_first, &first);
    if (r < 0) {
        if (!given)
            (void)unlink(path);
        return se_fail(err, r, "the first administrator cannot be stored: %s", strerror(-r));
    }
    if (first.made)
        se_info("access", "made the first administrator username=admin see=\"%s\"",
                given ? access->admin_password_file : path);
    return 0;
}
