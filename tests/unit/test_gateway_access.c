/* Access: who gets in, what they may, what ends it, and the trace it leaves. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "access/access_private.h"
#include "base/json.h"
#include "gateway/access.h"
#include "gateway/store_audit.h"
#include "gateway/store_identity.h"

#define PASSWORD "correct horse battery"

struct fixture {
    char directory[64], url[96];
    struct options *options;
    struct store *store;
    struct access *access;
};

static void load_options(struct fixture *f, const char *first, const char *second)
{
    char data_dir[96];
    snprintf(data_dir, sizeof(data_dir), "gateway.data_dir=%s", f->directory);
    const char *sets[] = {data_dir, first, second};
    struct se_err err = {0};
    char *const none[] = {NULL};
    unsigned count = 1 + (first != NULL) + (second != NULL);
    if (options_load(NULL, none, sets, count, &f->options, &err) < 0)
        fail_msg("%s", err.text);
}

static void open_access(struct fixture *f)
{
    struct se_err err = {0};
    if (access_new(f->store, f->options, &f->access, &err) < 0 || access_bootstrap(f->access, &err) < 0)
        fail_msg("%s", err.text);
}

static void set_up_with(void **state, const char *first, const char *second)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct se_err err = {0};
    snprintf(f->directory, sizeof(f->directory), "/tmp/sharpeyes-access-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->url, sizeof(f->url), "sqlite:%s/s.db", f->directory);
    load_options(f, first, second);
    if (store_open(f->url, 2, &f->store, &err) < 0)
        fail_msg("%s", err.text);
    open_access(f);
    *state = f;
}

static int set_up(void **state)
{
    set_up_with(state, NULL, NULL);
    return 0;
}

static int set_up_short(void **state)
{
    set_up_with(state, "access.session_hours=0.0003", "access.ticket_minutes=0.005"); /* 1.08 s and 0.3 s */
    return 0;
}

static int set_up_window(void **state)
{
    set_up_with(state, "access.sign_in_window_s=1", NULL);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    access_free(f->access);
    store_close(f->store);
    options_free(f->options);
    nftw(f->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- a user ---- */

struct new_user {
    const char *username, *role, *department_id;
    char id[SE_ID_LEN], hash[128];
};

static int insert_user(struct store_tx *tx, void *ctx)
{
    struct new_user *user = ctx;
    json_t *roles = json_pack("[s]", user->role);
    int r = store_user_insert(tx, &(struct user_row){.id = user->id,
                                                     .username = user->username,
                                                     .display_name = user->username,
                                                     .password_hash = user->hash,
                                                     .department_id = user->department_id,
                                                     .enabled = true,
                                                     .roles = roles});
    json_decref(roles);
    return r;
}

static void add_user(struct fixture *f, const char *username, const char *role, struct new_user *user)
{
    *user = (struct new_user){.username = username, .role = role};
    se_id_new(user->id);
    assert_int_equal(access_password_hash(PASSWORD, user->hash), 0);
    assert_int_equal(store_write(f->store, insert_user, user), 0);
}

static int sign_in(struct fixture *f, const char *username, const char *password, const char *address,
                   char token[65], struct access_who *who)
{
    se_wall_ms expires = 0;
    int retry_s = 0;
    int r = access_sign_in(f->access, username, password, address, token, &expires, who, &retry_s);
    if (r == 0)
        assert_true(expires > se_wall_now_ms());
    if (r == -EDQUOT)
        assert_true(retry_s >= 1);
    return r;
}

/* ---- bootstrap ---- */

static void read_text(const char *directory, const char *name, char *out, size_t size)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    FILE *in = fopen(path, "r");
    assert_non_null(fgets(out, (int)size, in));
    out[strcspn(out, "\n")] = '\0';
    fclose(in);
}

static void the_first_start_makes_an_administrator_once(void **state)
{
    struct fixture *f = *state;
    char password[64], again[64], token[65];
    struct access_who who;
    read_text(f->directory, "initial-admin-password", password, sizeof(password));
    assert_int_equal(strlen(password), 16);
    assert_int_equal(sign_in(f, "admin", password, "::1", token, &who), 0);
    assert_string_equal(who.username, "admin");
    assert_string_equal(who.roles, "administrator");
    assert_true(who.all_departments);
    assert_true(who.department_id[0] != '\0');
    for (int i = ACCESS_SELF + 1; i < ACCESS_COUNT_; i++)
        assert_true(access_decide(f->access, &who, (enum access_permission)i, NULL).allowed);
    access_free(f->access);
    f->access = NULL;
    open_access(f);
    read_text(f->directory, "initial-admin-password", again, sizeof(again));
    assert_string_equal(password, again);
    assert_int_equal(access_check_token(f->access, token, "::1", &who), 0); /* sessions outlive a restart */
}

static void a_given_password_file_is_used(void **state)
{
    struct fixture f = {0};
    struct se_err err = {0};
    char set[128], path[96], token[65];
    struct access_who who;
    snprintf(f.directory, sizeof(f.directory), "/tmp/sharpeyes-access-XXXXXX");
    assert_non_null(mkdtemp(f.directory));
    snprintf(path, sizeof(path), "%s/given", f.directory);
    FILE *out = fopen(path, "w");
    fputs("given one\r\nsecond line", out);
    fclose(out);
    snprintf(set, sizeof(set), "access.admin_password_file=%s", path);
    load_options(&f, set, NULL);
    snprintf(f.url, sizeof(f.url), "sqlite:%s/s.db", f.directory);
    assert_int_equal(store_open(f.url, 1, &f.store, &err), 0);
    open_access(&f);
    assert_int_equal(sign_in(&f, "admin", "given one", "", token, &who), 0);
    snprintf(path, sizeof(path), "%s/initial-admin-password", f.directory);
    assert_int_equal(access(path, F_OK), -1);
    access_free(f.access);
    store_close(f.store);
    options_free(f.options);
    nftw(f.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- sign-in ---- */

static void five_failures_block_user_and_address(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who;
    char token[65] = "untouched";
    add_user(f, "alice", "operator", &user);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sign_in(f, "alice", "wrong", "10.0.0.1", token, &who), -EACCES);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "10.0.0.1", token, &who), -EDQUOT);
    assert_string_equal(token, "untouched");
    assert_int_equal(sign_in(f, "alice", PASSWORD, "10.0.0.2", token, &who), 0);
    assert_int_equal(sign_in(f, "nobody", "wrong", "10.0.0.1", token, &who), -EACCES);
    for (int i = 0; i < 5; i++)
        (void)sign_in(f, "nobody", "wrong", "10.0.0.1", token, &who);
    assert_int_equal(sign_in(f, "nobody", "wrong", "10.0.0.1", token, &who), -EDQUOT);
}

static void the_block_ends_and_success_clears_it(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who;
    char token[65];
    add_user(f, "alice", "operator", &user);
    se_mono_us began = se_mono_now_us();
    for (int i = 0; i < 5; i++)
        (void)sign_in(f, "alice", "wrong", "a", token, &who);
    if (se_mono_now_us() - began < 900000)
        assert_int_equal(sign_in(f, "alice", PASSWORD, "a", token, &who), -EDQUOT);
    pause_ms(1100);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "a", token, &who), 0);
}

static void an_unknown_user_takes_as_long(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who;
    char token[65];
    add_user(f, "alice", "operator", &user);
    int64_t known = 0, unknown = 0;
    for (int i = 0; i < 3; i++) {
        char address[8];
        snprintf(address, sizeof(address), "a%d", i);
        se_mono_us t0 = se_mono_now_us();
        (void)sign_in(f, "alice", "wrong", address, token, &who);
        se_mono_us t1 = se_mono_now_us();
        (void)sign_in(f, "zoe", "wrong", address, token, &who);
        se_mono_us t2 = se_mono_now_us();
        known += t1 - t0;
        unknown += t2 - t1;
    }
    assert_true(unknown * 4 > known); /* not the microseconds of a look-up */
}

static int disable(struct store_tx *tx, void *ctx)
{
    const struct new_user *user = ctx;
    return store_user_update(
        tx, &(struct user_row){.id = user->id, .display_name = "x", .department_id = NULL, .enabled = false});
}

static void a_disabled_user_stays_out(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who;
    char token[65];
    add_user(f, "alice", "operator", &user);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "", token, &who), 0);
    assert_int_equal(store_write(f->store, disable, &user), 0);
    access_forget_user(f->access, user.id);
    assert_false(access_still(f->access, &who));
    assert_int_equal(access_check_token(f->access, token, "", &who), -EACCES);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "", token, &who), -EACCES);
}

/* ---- tokens ---- */

static void revoking_ends_at_once_and_only_that(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who first, second, who;
    char one[65], two[65];
    add_user(f, "alice", "operator", &user);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "1.1.1.1", one, &first), 0);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "2.2.2.2", two, &second), 0);
    assert_string_not_equal(one, two);
    assert_int_equal(access_check_token(f->access, one, "3.3.3.3", &who), 0);
    assert_string_equal(who.address, "3.3.3.3");
    assert_string_equal(who.session_id, first.session_id);
    assert_int_equal(access_sign_out(f->access, &first), 0);
    assert_false(access_still(f->access, &first));
    assert_false(access_still(f->access, &who));
    assert_true(access_still(f->access, &second));
    assert_int_equal(access_check_token(f->access, one, "", &who), -EACCES);
    assert_int_equal(access_check_token(f->access, two, "", &who), 0);
    access_forget_user(f->access, user.id);
    assert_false(access_still(f->access, &second));
    assert_int_equal(access_check_token(f->access, two, "", &who), -EACCES);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "2.2.2.2", two, &who), 0); /* signing in anew is good */
    assert_true(access_still(f->access, &who));
    assert_int_equal(access_end_session(f->access, "no such session"), -ENOENT);
}

static void so_many_revocations_end_rather_more_than_less(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who;
    char token[65];
    add_user(f, "alice", "operator", &user);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "", token, &who), 0);
    access_revoke(f->access, who.session_id);
    for (int i = 0; i < ACCESS_REVOKED_MAX + 10; i++)
        access_revoke(f->access, "somebody else");
    assert_false(access_still(f->access, &who));
}

static void bad_tokens_are_refused(void **state)
{
    struct fixture *f = *state;
    struct access_who who;
    char long_token[200];
    memset(long_token, 'a', sizeof(long_token) - 1);
    long_token[sizeof(long_token) - 1] = '\0';
    assert_int_equal(access_check_token(f->access, "", "", &who), -EACCES);
    assert_int_equal(access_check_token(f->access, long_token, "", &who), -EACCES);
    assert_int_equal(
        access_check_token(f->access, "ses_0000000000000000000000000000000000000000000", "", &who), -EACCES);
}

static void sessions_expire(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who;
    char token[65];
    add_user(f, "alice", "operator", &user);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "", token, &who), 0);
    assert_int_equal(access_check_token(f->access, token, "", &who), 0);
    pause_ms(1200);
    assert_false(access_still(f->access, &who));
    assert_int_equal(access_check_token(f->access, token, "", &who), -EACCES);
}

struct new_token {
    const char *user_id;
    char token[65], id[SE_ID_LEN];
};

static int make_token(struct store_tx *tx, void *ctx)
{
    struct new_token *token = ctx;
    return access_api_token_new(tx, token->user_id, "box", 0, token->token, token->id);
}

static int list_tokens(struct store_tx *tx, void *ctx)
{
    return store_token_list(tx, NULL, NULL, 10, ctx);
}

static void api_tokens_work_until_revoked_and_are_not_stored(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who;
    add_user(f, "box", "integrator", &user);
    struct new_token token = {.user_id = user.id};
    assert_int_equal(store_write(f->store, make_token, &token), 0);
    assert_int_equal(access_check_token(f->access, token.token, "", &who), 0);
    assert_string_equal(who.username, "box");
    assert_true(access_decide(f->access, &who, ACCESS_SIGNAL_POST, NULL).allowed);
    assert_false(access_decide(f->access, &who, ACCESS_CAMERA_WRITE, NULL).allowed);
    json_t *tokens = NULL;
    assert_int_equal(store_read(f->store, list_tokens, &tokens), 0);
    char *text = se_json_text(tokens);
    assert_non_null(strstr(text, token.id));
    assert_null(strstr(text, token.token));
    free(text);
    json_decref(tokens);
    assert_int_equal(access_end_session(f->access, token.id), 0);
    assert_int_equal(access_check_token(f->access, token.token, "", &who), -EACCES);
}

/* ---- rights ---- */

static int shrink_role(struct store_tx *tx, void *ctx)
{
    json_t *none = json_array();
    int r = store_role_put(tx, &(struct role_row){"operator", "Operator", "department", none, true});
    json_decref(none);
    return r;
}

static void changed_rights_count_at_once(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who, after;
    char token[65];
    add_user(f, "alice", "operator", &user);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "", token, &who), 0);
    assert_true(access_decide(f->access, &who, ACCESS_CASE_WRITE, NULL).allowed);
    assert_int_equal(store_write(f->store, shrink_role, NULL), 0);
    access_rights_changed(f->access);
    assert_false(access_still(f->access, &who));
    assert_int_equal(access_check_token(f->access, token, "", &after), 0);
    assert_false(access_decide(f->access, &after, ACCESS_CASE_WRITE, NULL).allowed);
    assert_false(after.all_departments);
    access_free(f->access);
    f->access = NULL;
    open_access(f); /* built-in roles that were changed stay changed */
    assert_int_equal(access_check_token(f->access, token, "", &after), 0);
    assert_false(access_decide(f->access, &after, ACCESS_CASE_WRITE, NULL).allowed);
}

static void the_decide_table(void **state)
{
    const struct access_who nobody = {0};
    const uint64_t read = 1ULL << ACCESS_CAMERA_READ;
    const struct access_who own = {.user_id = "u", .department_id = "d1", .permissions = read};
    const struct access_who all = {.user_id = "u", .permissions = read, .all_departments = true};
    const struct access_who homeless = {.user_id = "u", .permissions = read};
    const struct access_who god = {.user_id = "u", .permissions = ~0ULL, .all_departments = true};
    const struct access_target d1 = {"camera", "c", "d1"}, d2 = {"camera", "c", "d2"},
                               any = {"camera", "c", NULL};
    static const struct access_target empty = {"camera", "c", ""};
    const struct {
        const struct access_who *who;
        int permission;
        const struct access_target *target;
        bool allowed;
    } rows[] = {
        {NULL, ACCESS_PUBLIC, NULL, true},
        {&nobody, ACCESS_PUBLIC, &d1, true},
        {NULL, ACCESS_SELF, NULL, false},
        {&nobody, ACCESS_SELF, NULL, false},
        {&own, ACCESS_SELF, NULL, true},
        {NULL, ACCESS_CAMERA_READ, NULL, false},
        {&nobody, ACCESS_CAMERA_READ, NULL, false},
        {&own, ACCESS_CAMERA_READ, NULL, true},
        {&own, ACCESS_CAMERA_READ, &any, true},
        {&own, ACCESS_CAMERA_READ, &d1, true},
        {&own, ACCESS_CAMERA_READ, &d2, false},
        {&own, ACCESS_CAMERA_WRITE, &d1, false},
        {&all, ACCESS_CAMERA_READ, &d2, true},
        {&all, ACCESS_CAMERA_WRITE, &d2, false},
        {&homeless, ACCESS_CAMERA_READ, &d1, false},
        {&own, ACCESS_CAMERA_READ, &empty, false},
        {&god, ACCESS_NONE_, NULL, false},
        {&god, ACCESS_COUNT_, NULL, false},
        {&god, -1, NULL, false},
        {&god, 1000, NULL, false},
        {&god, ACCESS_AUDIT_READ, &d2, true},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(rows); i++) {
        struct access_decision got =
            access_decide(NULL, rows[i].who, (enum access_permission)rows[i].permission, rows[i].target);
        if (got.allowed != rows[i].allowed)
            fail_msg("row %u: %s", i, got.reason);
        assert_true(got.reason && *got.reason);
    }
}

static void permissions_have_names(void **state)
{
    for (int i = ACCESS_NONE_ + 1; i < ACCESS_COUNT_; i++) {
        enum access_permission back;
        assert_int_equal(access_permission_parse(access_permission_name((enum access_permission)i), &back),
                         0);
        assert_int_equal(back, i);
    }
    enum access_permission untouched = ACCESS_SELF;
    assert_int_equal(access_permission_parse("camera.*", &untouched), -ENOENT);
    assert_int_equal(untouched, ACCESS_SELF);
}

/* ---- tickets ---- */

static void tickets_open_one_camera_one_action(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who, by;
    char token[65], ticket[65];
    se_wall_ms expires, from, to;
    add_user(f, "alice", "operator", &user);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "", token, &who), 0);
    assert_int_equal(
        access_ticket_new(f->access, &who, "cam1", ACCESS_TICKET_PLAYBACK, 1000, 2000, ticket, &expires), 0);
    assert_int_equal(access_ticket_check(f->access, ticket, "cam1", ACCESS_TICKET_PLAYBACK, &by), 0);
    assert_string_equal(by.user_id, user.id);
    assert_int_equal(by.expires_ms, expires);
    assert_int_equal(access_ticket_check(f->access, ticket, "cam1", ACCESS_TICKET_PLAYBACK, &by),
                     0); /* many uses */
    assert_int_equal(access_ticket_check(f->access, ticket, "cam2", ACCESS_TICKET_PLAYBACK, &by), -EACCES);
    assert_int_equal(access_ticket_check(f->access, ticket, "cam1", ACCESS_TICKET_LIVE, &by), -EACCES);
    assert_int_equal(access_ticket_check(f->access, token, "cam1", ACCESS_TICKET_PLAYBACK, &by), -EACCES);
    assert_int_equal(access_check_token(f->access, ticket, "", &by), -EACCES); /* a ticket is no token */
    assert_int_equal(access_ticket_range(f->access, ticket, &from, &to), 0);
    assert_int_equal(from, 1000);
    assert_int_equal(to, 2000);
    access_sign_out(f->access, &who);
    assert_int_equal(access_ticket_check(f->access, ticket, "cam1", ACCESS_TICKET_PLAYBACK, &by), -EACCES);
    assert_int_equal(access_ticket_range(f->access, ticket, &from, &to), -EACCES);
}

static void tickets_expire(void **state)
{
    struct fixture *f = *state;
    struct access_who who = {.user_id = "u", .session_id = "s", .generation = 1}, by;
    char ticket[65];
    se_wall_ms expires;
    assert_int_equal(access_ticket_new(f->access, &who, "c", ACCESS_TICKET_LIVE, 0, 0, ticket, &expires), 0);
    assert_int_equal(access_ticket_check(f->access, ticket, "c", ACCESS_TICKET_LIVE, &by), 0);
    pause_ms(400);
    assert_int_equal(access_ticket_check(f->access, ticket, "c", ACCESS_TICKET_LIVE, &by), -EACCES);
    assert_false(access_still(f->access, &by));
}

static void the_table_of_tickets_is_bounded(void **state)
{
    struct access_keep keep;
    assert_int_equal(access_keep_init(&keep, 8), 0);
    unsigned char digest[32] = {0};
    for (unsigned i = 0; i < 20; i++) {
        digest[0] = (unsigned char)(i % 4); /* four buckets: chains */
        digest[31] = (unsigned char)i;
        assert_non_null(access_keep_put(&keep, digest));
    }
    assert_int_equal(keep.count, 8);
    assert_int_equal(keep.dropped, 12);
    for (unsigned i = 0; i < 20; i++) {
        digest[0] = (unsigned char)(i % 4);
        digest[31] = (unsigned char)i;
        assert_int_equal(access_keep_find(&keep, digest) != NULL, i >= 12);
    }
    access_keep_drop_id(&keep, NULL);
    assert_int_equal(keep.count, 0);
    access_keep_fini(&keep);
}

/* ---- the audit chain ---- */

struct entry {
    const struct access_who *who;
    const json_t *detail;
    const char *target_id;
};

static int audit(struct store_tx *tx, void *ctx)
{
    const struct entry *entry = ctx;
    return access_audit(tx, entry->who, "camera.change", "camera", entry->target_id, entry->detail);
}

static int verify(struct store_tx *tx, void *ctx)
{
    return store_audit_verify(tx, ctx);
}

static int list(struct store_tx *tx, void *ctx)
{
    return store_audit_list(tx, &(struct audit_filter){.action = "camera.change", .limit = 10}, ctx);
}

static void expect_chain(struct fixture *f, bool ok, int first_bad, const char *reason)
{
    json_t *report = NULL;
    assert_int_equal(store_read(f->store, verify, &report), 0);
    assert_int_equal(se_json_bool(report, "ok", !ok), ok);
    assert_int_equal(se_json_int(report, "first_bad", 0), first_bad);
    if (reason && !strstr(se_json_str(report, "reason", ""), reason))
        fail_msg("\"%s\"", se_json_str(report, "reason", ""));
    json_decref(report);
}

/* Somebody with the file in hand, and past the triggers. */
static void tamper(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->url + strlen("sqlite:"), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 2000);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TRIGGER IF EXISTS audit_is_append_only_update;"
                                  "DROP TRIGGER IF EXISTS audit_is_append_only_delete;",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void audit_ten(struct fixture *f)
{
    struct access_who who = {.user_id = "u1", .username = "名", .address = "::1", .session_id = "s"};
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof(id), "cam%d", i);
        struct entry entry = {&who, NULL, id};
        assert_int_equal(store_write(f->store, audit, &entry), 0);
    }
}

static void a_changed_entry_is_found(void **state)
{
    struct fixture *f = *state;
    audit_ten(f); /* after the one of the first administrator */
    expect_chain(f, true, 0, NULL);
    tamper(f, "UPDATE audit SET target_id = 'cam99' WHERE number = 6");
    expect_chain(f, false, 6, "changed");
}

static void a_changed_entry_with_a_new_hash_is_found(void **state)
{
    struct fixture *f = *state;
    audit_ten(f);
    tamper(f, "UPDATE audit SET hash = (SELECT hash FROM audit WHERE number = 3) WHERE number = 5");
    expect_chain(f, false, 5, "changed");
    tamper(f, "UPDATE audit SET prev_hash = (SELECT hash FROM audit WHERE number = 1) WHERE number = 4");
    expect_chain(f, false, 4, "follow");
}

static void a_missing_entry_is_found(void **state)
{
    struct fixture *f = *state;
    audit_ten(f);
    tamper(f, "DELETE FROM audit WHERE number = 4");
    expect_chain(f, false, 4, "missing");
    tamper(f, "UPDATE audit SET number = number - 1 WHERE number > 4");
    expect_chain(f, false, 4, "follow");
}

static void entries_cannot_be_changed_by_the_program(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->url + strlen("sqlite:"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE audit SET action = 'x'", NULL, NULL, NULL), SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM audit", NULL, NULL, NULL), SQLITE_CONSTRAINT);
    sqlite3_close(db);
    expect_chain(f, true, 0, NULL);
}

struct raw_entry {
    char prev_hash[65], hash[65];
    int64_t at;
};

static int read_raw(void *ctx, int columns, char **values, char **names)
{
    struct raw_entry *raw = ctx;
    assert_int_equal(columns, 3);
    raw->at = strtoll(values[0], NULL, 10);
    snprintf(raw->prev_hash, sizeof(raw->prev_hash), "%s", values[1]);
    snprintf(raw->hash, sizeof(raw->hash), "%s", values[2]);
    return 0;
}

/* What another program has to do to verify the chain by itself. */
static void an_entry_s_hash_is_what_the_description_says(void **state)
{
    struct fixture *f = *state;
    struct access_who who = {.user_id = "u1", .username = "名", .address = "::1", .session_id = "s"};
    json_t *detail = json_pack("{s:i}", "n", 1);
    struct entry entry = {&who, detail, "cam1"};
    assert_int_equal(store_write(f->store, audit, &entry), 0);
    json_decref(detail);
    sqlite3 *db;
    struct raw_entry raw = {0};
    assert_int_equal(sqlite3_open(f->url + strlen("sqlite:"), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "SELECT at, prev_hash, hash FROM audit WHERE number = 2", read_raw, &raw, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    char text[512], want[65];
    unsigned char message[600], digest[32];
    size_t prev = 0;
    int len =
        snprintf(text, sizeof(text),
                 "{\"action\":\"camera.change\",\"address\":\"::1\",\"at\":%lld,\"detail\":\"{\\\"n\\\":1}\","
                 "\"number\":2,\"session_id\":\"s\",\"target_id\":\"cam1\",\"target_type\":\"camera\","
                 "\"user_id\":\"u1\",\"username\":\"名\"}",
                 (long long)raw.at);
    assert_int_equal(sodium_hex2bin(message, sizeof(message), raw.prev_hash, 64, NULL, &prev, NULL), 0);
    memcpy(message + prev, text, (size_t)len);
    crypto_hash_sha256(digest, message, prev + (size_t)len);
    sodium_bin2hex(want, sizeof(want), digest, sizeof(digest));
    assert_string_equal(raw.hash, want);
}

static void details_never_hold_secrets(void **state)
{
    struct fixture *f = *state;
    struct access_who who = {.user_id = "u1", .username = "alice", .address = "\xff\xfe"};
    json_t *detail =
        json_pack("{s:s, s:{s:s, s:[{s:s, s:b, s:s}]}, s:s}", "password", "canary1", "nested", "Token",
                  "canary2", "streams", "url", "rtsp://user:canary3@10.0.0.1/a?x=1", "has_password", 1,
                  "ticket", "canary4", "note", "see http://canary5@h/ and rtsp://a:canary6@b/c");
    assert_non_null(detail);
    struct entry entry = {&who, detail, "bad \xff id"};
    assert_int_equal(store_write(f->store, audit, &entry), 0);
    access_audit_later(f->access, &who, "camera.change", "camera", "later", detail);
    assert_int_equal(store_write(f->store, audit, &(struct entry){NULL, NULL, NULL}), 0);
    json_decref(detail);
    json_t *entries = NULL;
    assert_int_equal(store_read(f->store, list, &entries), 0);
    assert_int_equal(json_array_size(entries), 3);
    char *text = se_json_text(entries);
    assert_null(strstr(text, "canary"));
    assert_non_null(strstr(text, "rtsp://10.0.0.1/a?x=1"));
    assert_non_null(strstr(text, "\"has_password\":true"));
    free(text);
    json_decref(entries);
    expect_chain(f, true, 0, NULL);
}

static int list_all(struct store_tx *tx, void *ctx)
{
    return store_audit_list(tx, &(struct audit_filter){.limit = 100}, ctx);
}

static void sign_ins_leave_a_trace_without_what_was_typed(void **state)
{
    struct fixture *f = *state;
    struct new_user user;
    struct access_who who;
    char token[65];
    add_user(f, "alice", "operator", &user);
    (void)sign_in(f, "alice", "canary", "9.9.9.9", token, &who);
    (void)sign_in(f, "canary-typed-as-name", "x", "9.9.9.9", token, &who);
    assert_int_equal(sign_in(f, "alice", PASSWORD, "9.9.9.9", token, &who), 0);
    json_t *entries = NULL;
    assert_int_equal(store_read(f->store, list_all, &entries), 0);
    char *text = se_json_text(entries);
    assert_null(strstr(text, "canary"));
    assert_null(strstr(text, token));
    assert_non_null(strstr(text, "session.refuse"));
    assert_non_null(strstr(text, "session.create"));
    assert_non_null(strstr(text, "9.9.9.9"));
    free(text);
    json_decref(entries);
}

/* ---- secrets at rest ---- */

static void sealed_secrets_open_only_whole_and_with_the_key(void **state)
{
    struct fixture *f = *state;
    static const char *const plains[] = {"", "p@ss:/#%", "密码",
                                         "a longer one that spans more than one block"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(plains); i++) {
        char *sealed, *again, *plain = NULL;
        assert_int_equal(access_seal(f->access, plains[i], &sealed), 0);
        assert_int_equal(access_seal(f->access, plains[i], &again), 0);
        assert_string_not_equal(sealed, again);
        assert_int_equal(access_unseal(f->access, sealed, &plain), 0);
        assert_string_equal(plain, plains[i]);
        free(plain);
        plain = NULL;
        sealed[20] = sealed[20] == 'A' ? 'B' : 'A';
        assert_int_equal(access_unseal(f->access, sealed, &plain), -EBADMSG);
        again[strlen(again) / 2] = '\0';
        assert_int_equal(access_unseal(f->access, again, &plain), -EBADMSG);
        assert_null(plain);
        free(sealed);
        free(again);
    }
    char *plain = NULL;
    assert_int_equal(access_unseal(f->access, "", &plain), -EBADMSG);
    assert_int_equal(access_unseal(f->access, "not base64!", &plain), -EBADMSG);
}

static void the_key_is_kept_and_a_spoilt_one_refused(void **state)
{
    struct fixture *f = *state;
    char *sealed, *plain = NULL, key[80], path[128];
    assert_int_equal(access_seal(f->access, "secret", &sealed), 0);
    read_text(f->directory, "secret.key", key, sizeof(key));
    assert_int_equal(strlen(key), 64);
    access_free(f->access);
    f->access = NULL;
    open_access(f);
    assert_int_equal(access_unseal(f->access, sealed, &plain), 0);
    assert_string_equal(plain, "secret");
    free(plain);
    access_free(f->access);
    f->access = NULL;
    snprintf(path, sizeof(path), "%s/secret.key", f->directory);
    FILE *out = fopen(path, "w");
    fputs("spoilt\n", out);
    fclose(out);
    struct se_err err = {0};
    assert_int_equal(access_new(f->store, f->options, &f->access, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "secret.key"));
    unlink(path);
    open_access(f); /* a new key: what was sealed under the old one stays shut */
    plain = NULL;
    assert_int_equal(access_unseal(f->access, sealed, &plain), -EBADMSG);
    assert_null(plain);
    free(sealed);
}

static void names_and_passwords_are_checked(void **state)
{
    struct se_err err = {0};
    assert_int_equal(access_username_check("alice", &err), 0);
    assert_int_equal(access_username_check("张三", &err), 0);
    static const char *const bad[] = {
        "",    "a b", "a\nb", "a,b",
        "a:b", "<b>", "\xff", "0123456789012345678901234567890123456789012345678901234567890123x"};
    for (unsigned i = 0; i < SE_ARRAY_LEN(bad); i++)
        assert_int_equal(access_username_check(bad[i], &err), -EINVAL);
    assert_string_equal(err.field, "username");
    assert_int_equal(access_password_check("12345678", "alice", &err), 0);
    assert_int_equal(access_password_check("1234567", "alice", &err), -EINVAL);
    assert_int_equal(access_password_check("alicealice", "alicealice", &err), -EINVAL);
    assert_int_equal(access_password_check("\xff\xff\xff\xff\xff\xff\xff\xff", "alice", &err), -EINVAL);
    char one[33], two[33];
    assert_int_equal(access_random_password(one, 32), 0);
    assert_int_equal(access_random_password(two, 32), 0);
    assert_int_equal(strlen(one), 32);
    assert_string_not_equal(one, two);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_start_makes_an_administrator_once),
        cmocka_unit_test(a_given_password_file_is_used),
        TEST(five_failures_block_user_and_address),
        cmocka_unit_test_setup_teardown(the_block_ends_and_success_clears_it, set_up_window, tear_down),
        TEST(an_unknown_user_takes_as_long),
        TEST(a_disabled_user_stays_out),
        TEST(revoking_ends_at_once_and_only_that),
        TEST(so_many_revocations_end_rather_more_than_less),
        TEST(bad_tokens_are_refused),
        cmocka_unit_test_setup_teardown(sessions_expire, set_up_short, tear_down),
        TEST(api_tokens_work_until_revoked_and_are_not_stored),
        TEST(changed_rights_count_at_once),
        cmocka_unit_test(the_decide_table),
        cmocka_unit_test(permissions_have_names),
        TEST(tickets_open_one_camera_one_action),
        cmocka_unit_test_setup_teardown(tickets_expire, set_up_short, tear_down),
        cmocka_unit_test(the_table_of_tickets_is_bounded),
        TEST(a_changed_entry_is_found),
        TEST(a_changed_entry_with_a_new_hash_is_found),
        TEST(a_missing_entry_is_found),
        TEST(entries_cannot_be_changed_by_the_program),
        TEST(an_entry_s_hash_is_what_the_description_says),
        TEST(details_never_hold_secrets),
        TEST(sign_ins_leave_a_trace_without_what_was_typed),
        TEST(sealed_secrets_open_only_whole_and_with_the_key),
        TEST(the_key_is_kept_and_a_spoilt_one_refused),
        cmocka_unit_test(names_and_passwords_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
