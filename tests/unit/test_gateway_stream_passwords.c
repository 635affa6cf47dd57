/* Stream passwords: signing in by their hashes, what ends them, and nonces. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "access/access_private.h"
#include "base/json.h"
#include "gateway/store_identity.h"
#include "gateway/store_stream_passwords.h"

#define MD5_HEX "0123456789abcdef0123456789abcdef"
#define SHA_HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct fixture {
    char directory[64];
    struct options *options;
    struct store *store;
    struct access *access;
    char admin_id[SE_ID_LEN];
};

static int read_admin(struct store_tx *tx, void *ctx)
{
    struct fixture *f = ctx;
    struct user_secret secret;
    int r = store_user_secret(tx, "admin", &secret);
    if (r == 0)
        memcpy(f->admin_id, secret.id, sizeof(f->admin_id));
    return r;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct se_err err = {0};
    char data_dir[96], url[96];
    char *const none[] = {NULL};
    snprintf(f->directory, sizeof(f->directory), "/tmp/sharpeyes-streams-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(data_dir, sizeof(data_dir), "gateway.data_dir=%s", f->directory);
    snprintf(url, sizeof(url), "sqlite:%s/s.db", f->directory);
    if (options_load(NULL, none, (const char *[]){data_dir}, 1, &f->options, &err) < 0 ||
        store_open(url, 2, &f->store, &err) < 0 || access_new(f->store, f->options, &f->access, &err) < 0 ||
        access_bootstrap(f->access, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(store_read(f->store, read_admin, f), 0);
    *state = f;
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

struct making {
    struct fixture *f;
    const char *user_id, *name;
    char id[SE_ID_LEN];
};

static int make(struct store_tx *tx, void *ctx)
{
    struct making *making = ctx;
    struct access_ha1 ha1 = {MD5_HEX, SHA_HEX};
    return access_stream_password_new(making->f->access, tx, making->user_id, making->name, &ha1, making->id);
}

static bool is_ours(const struct access_ha1 *ha1, void *ctx)
{
    ++*(unsigned *)ctx;
    return strcmp(ha1->md5, MD5_HEX) == 0 && strcmp(ha1->sha256, SHA_HEX) == 0;
}

static bool is_never(const struct access_ha1 *ha1, void *ctx)
{
    return false;
}

static int list(struct store_tx *tx, void *ctx)
{
    return store_stream_password_list(tx, NULL, NULL, 1, ctx);
}

struct reading {
    const char *user_id;
    json_t *items;
};

static int read_items(struct store_tx *tx, void *ctx)
{
    struct reading *reading = ctx;
    return store_stream_password_list(tx, reading->user_id, NULL, 100, &reading->items);
}

static void one_signs_in_until_it_is_ended(void **state)
{
    struct fixture *f = *state;
    struct making making = {.f = f, .user_id = f->admin_id, .name = "wall"};
    struct access_who who;
    unsigned asked = 0;
    int retry_s = 0;
    assert_int_equal(access_stream_sign_in(f->access, "admin", "10.1.1.1", is_ours, &asked, &who, &retry_s),
                     -EACCES);
    assert_int_equal(asked, 0);
    assert_int_equal(store_write(f->store, make, &making), 0);
    assert_int_equal(access_stream_sign_in(f->access, "admin", "10.1.1.1", is_ours, &asked, &who, &retry_s),
                     0);
    assert_int_equal(asked, 1);
    assert_string_equal(who.username, "admin");
    assert_string_equal(who.session_id, making.id);
    assert_string_equal(who.address, "10.1.1.1");
    assert_true(who.permissions & (1ULL << ACCESS_MEDIA_LIVE));
    assert_true(access_still(f->access, &who));

    struct access_who other = who;
    snprintf(other.user_id, sizeof(other.user_id), "somebody-else");
    assert_int_equal(access_stream_password_end(f->access, &other, "x", making.id), -ENOENT);
    assert_true(access_still(f->access, &who));
    assert_int_equal(access_stream_password_end(f->access, &who, "stream_password.delete", making.id), 0);
    assert_false(access_still(f->access, &who));
    assert_int_equal(access_stream_sign_in(f->access, "admin", "10.1.1.1", is_ours, &asked, &who, &retry_s),
                     -EACCES);
}

static void use_is_noted_and_nothing_but_the_seal_is_kept(void **state)
{
    struct fixture *f = *state;
    struct making making = {.f = f, .user_id = f->admin_id, .name = "wall"};
    struct reading reading = {.user_id = f->admin_id};
    struct access_who who;
    unsigned asked = 0;
    assert_int_equal(store_write(f->store, make, &making), 0);
    assert_int_equal(store_read(f->store, read_items, &reading), 0);
    assert_true(json_is_null(json_object_get(json_array_get(reading.items, 0), "last_used_at")));
    char *text = se_json_text(reading.items);
    assert_null(strstr(text, MD5_HEX));
    free(text);
    json_decref(reading.items);

    assert_int_equal(access_stream_sign_in(f->access, "admin", "10.1.1.1", is_ours, &asked, &who, NULL), 0);
    json_t *none = NULL;
    assert_int_equal(store_write(f->store, list, &none), 0); /* behind the note of the use */
    assert_int_equal(json_array_size(none), 0);
    json_decref(none);
    assert_int_equal(store_read(f->store, read_items, &reading), 0);
    assert_true(json_is_string(json_object_get(json_array_get(reading.items, 0), "last_used_at")));
    json_decref(reading.items);
}

static void failures_block_a_user_at_an_address(void **state)
{
    struct fixture *f = *state;
    struct making making = {.f = f, .user_id = f->admin_id, .name = "wall"};
    struct access_who who;
    unsigned asked = 0;
    int retry_s = 0;
    assert_int_equal(store_write(f->store, make, &making), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(access_stream_sign_in(f->access, "admin", "10.1.1.1", is_never, NULL, &who, NULL),
                         -EACCES);
    assert_int_equal(access_stream_sign_in(f->access, "admin", "10.1.1.1", is_ours, &asked, &who, &retry_s),
                     -EDQUOT);
    assert_true(retry_s > 800);
    assert_int_equal(asked, 0);
    assert_int_equal(access_stream_sign_in(f->access, "admin", "10.1.1.2", is_ours, &asked, &who, NULL), 0);
}

static void a_user_has_sixteen_at_most(void **state)
{
    struct fixture *f = *state;
    struct making making = {.f = f, .user_id = f->admin_id, .name = "wall"};
    for (unsigned i = 0; i < ACCESS_STREAM_PASSWORDS_MAX; i++)
        assert_int_equal(store_write(f->store, make, &making), 0);
    assert_int_equal(store_write(f->store, make, &making), -EDQUOT);
    making.user_id = "nobody";
    assert_int_equal(store_write(f->store, make, &making), -ENOLINK);
}

static void nonces_are_ours_and_of_one_address(void **state)
{
    struct fixture *f = *state;
    char nonce[ACCESS_NONCE_LEN];
    access_nonce_new(f->access, "10.1.1.1", nonce);
    assert_int_equal(strlen(nonce), ACCESS_NONCE_LEN - 1);
    assert_int_equal(access_nonce_check(f->access, nonce, "10.1.1.1"), 0);
    assert_int_equal(access_nonce_check(f->access, nonce, "10.1.1.2"), -EACCES);
    assert_int_equal(access_nonce_check(f->access, "", "10.1.1.1"), -EACCES);
    assert_int_equal(access_nonce_check(f->access, nonce + 1, "10.1.1.1"), -EACCES);
    nonce[20] = nonce[20] == '0' ? '1' : '0';
    assert_int_equal(access_nonce_check(f->access, nonce, "10.1.1.1"), -EACCES);
    memset(nonce, 'f', ACCESS_NONCE_LEN - 1);
    assert_int_equal(access_nonce_check(f->access, nonce, "10.1.1.1"), -EACCES);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_signs_in_until_it_is_ended),      TEST(use_is_noted_and_nothing_but_the_seal_is_kept),
        TEST(failures_block_a_user_at_an_address), TEST(a_user_has_sixteen_at_most),
        TEST(nonces_are_ours_and_of_one_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
