/* rtsp/rtsp_auth.h: with the examples of RFC 7616 3.9.1. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "rtsp/rtsp_auth.h"

static int challenge(struct rtsp_auth *auth, const char *headers)
{
    char text[2048];
    struct rtsp_message message;
    int n = snprintf(text, sizeof(text), "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n%s\r\n", headers);
    assert_true(rtsp_message_parse((uint8_t *)text, (size_t)n, &message) > 0);
    return rtsp_auth_challenge(auth, &message);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

#define RFC7616(algorithm)                                                                                   \
    "WWW-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=" algorithm \
    ", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                             \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n"
#define RFC7616_CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

static void digest_of_the_rfc(const char *headers, const char *response)
{
    struct rtsp_auth auth = {0};
    struct se_str out = {0};
    assert_int_equal(challenge(&auth, headers), 0);
    rtsp_auth_header(&auth, "GET", "/dir/index.html", "Mufasa", "Circle of Life", RFC7616_CNONCE, &out);
    assert_has(out.data, response);
    assert_has(out.data, "qop=auth, nc=00000001");
    assert_has(out.data, "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"");
    assert_null(strstr(out.data, "Circle"));
    se_str_fini(&out);
    rtsp_auth_header(&auth, "GET", "/dir/index.html", "Mufasa", "Circle of Life", RFC7616_CNONCE, &out);
    assert_has(out.data, "nc=00000002");
    se_str_fini(&out);
    rtsp_auth_fini(&auth);
}

static void digest_md5(void **state)
{
    digest_of_the_rfc(RFC7616("MD5"), "response=\"8ca523f5e9506fed4657c9700eebdbec\"");
}

static void digest_sha256(void **state)
{
    digest_of_the_rfc(RFC7616("SHA-256"),
                      "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"");
}

/* As most cameras ask: no qop, no algorithm, a password with characters that URLs do not have. */
static void digest_of_2069(void **state)
{
    struct rtsp_auth auth = {0};
    struct se_str out = {0};
    assert_int_equal(challenge(&auth, "www-authenticate: digest realm=\"IP Camera\",nonce=\"abc123\"\r\n"),
                     0);
    rtsp_auth_header(&auth, "DESCRIBE", "rtsp://10.0.0.1/a", "admin", "p@ss:/#%", "0011", &out);
    assert_has(out.data, "response=\"7cfaa592bd116d22ad24ce073bdc06ec\"");
    assert_null(strstr(out.data, "cnonce"));
    assert_null(strstr(out.data, "algorithm"));
    se_str_fini(&out);
    rtsp_auth_fini(&auth);
}

static void digest_with_a_session_key(void **state)
{
    struct rtsp_auth auth = {0};
    struct se_str out = {0};
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Digest realm=\"IP Camera\", nonce=\"abc123\", "
                                      "algorithm=MD5-sess, qop=\"auth\"\r\n"),
                     0);
    rtsp_auth_header(&auth, "DESCRIBE", "rtsp://10.0.0.1/a", "admin", "p@ss:/#%", "0011", &out);
    assert_has(out.data, "response=\"d034091f1b35d11380d093082f5155c0\"");
    se_str_fini(&out);
    rtsp_auth_fini(&auth);
}

static void basic(void **state)
{
    struct rtsp_auth auth = {0};
    struct se_str out = {0};
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Basic realm=\"x\"\r\n"), 0);
    rtsp_auth_header(&auth, "DESCRIBE", "rtsp://h/", "admin", "p@ss:/#%", "0", &out);
    assert_string_equal(out.data, "Authorization: Basic YWRtaW46cEBzczovIyU=\r\n");
    se_str_fini(&out);
    rtsp_auth_fini(&auth);
}

static void the_strongest_of_several_is_taken(void **state)
{
    struct rtsp_auth auth = {0};
    assert_int_equal(challenge(&auth,
                               "WWW-Authenticate: Basic realm=\"a\"\r\n"
                               "WWW-Authenticate: Digest realm=\"b\", nonce=\"n1\", algorithm=MD5\r\n"
                               "WWW-Authenticate: Digest realm=\"c\", nonce=\"n2\", algorithm=SHA-256\r\n"),
                     0);
    assert_int_equal(auth.scheme, AUTH_DIGEST_SHA256);
    assert_string_equal(auth.realm, "c");
    /* The same in one header, in another order, with what nobody knows among them. */
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Digest realm=\"c, d=\\\"e\\\"\", nonce=n2, "
                                      "algorithm=SHA-256, stale=TRUE, Basic realm=\"a\", Negotiate, "
                                      "Digest realm=\"f\", nonce=\"n3\", algorithm=SHA-512-256\r\n"),
                     0);
    assert_int_equal(auth.scheme, AUTH_DIGEST_SHA256);
    assert_string_equal(auth.nonce, "n2");
    assert_true(auth.stale);
    rtsp_auth_fini(&auth);
}

/* Hikvision and its like quote the algorithm and compare what comes back; others spell it as they please. */
static void algorithms_in_odd_spellings(void **state)
{
    static const struct {
        const char *challenge, *back;
        enum auth_scheme scheme;
        bool session, qop;
    } table[] = {
        {"algorithm=\"SHA-256\", stale=\"FALSE\"", "algorithm=\"SHA-256\"", AUTH_DIGEST_SHA256, false, false},
        {"algorithm=sha256", "algorithm=sha256", AUTH_DIGEST_SHA256, false, false},
        {"algorithm=SHA_256-Sess, qop=\"auth\"", "algorithm=SHA_256-Sess", AUTH_DIGEST_SHA256, true, true},
        {"ALGORITHM = md5", "algorithm=md5", AUTH_DIGEST_MD5, false, false},
        {"algorithm=\"MD-5\", qop=\"auth-int, auth\"", "algorithm=\"MD-5\"", AUTH_DIGEST_MD5, false, true},
        {"algorithm=, qop=\"\"", NULL, AUTH_DIGEST_MD5, false, false},
        {"qop=\"auth auth-int\"", NULL, AUTH_DIGEST_MD5, false, true},
        {"algorithm=SHA-25", NULL, AUTH_NONE, false, false},
        {"algorithm=MD55", NULL, AUTH_NONE, false, false},
        {"algorithm=SHA-512-256", NULL, AUTH_NONE, false, false},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(table); i++) {
        struct rtsp_auth auth = {0};
        struct se_str out = {0};
        char header[256];
        snprintf(header, sizeof(header), "WWW-Authenticate: digest  nonce=\"n\",realm=\"r\", %s\r\n",
                 table[i].challenge);
        assert_int_equal(challenge(&auth, header), table[i].scheme == AUTH_NONE ? -ENOENT : 0);
        assert_int_equal(auth.scheme, table[i].scheme);
        assert_int_equal(auth.session, table[i].session);
        assert_int_equal(auth.qop, table[i].qop);
        rtsp_auth_header(&auth, "DESCRIBE", "rtsp://h/", "u", "p", "0", &out);
        if (table[i].back)
            assert_non_null(strstr(out.data, table[i].back));
        se_str_fini(&out);
        rtsp_auth_fini(&auth);
    }
}

static void what_cannot_be_answered_is_said(void **state)
{
    struct rtsp_auth auth = {0};
    assert_int_equal(challenge(&auth, ""), -ENOENT);
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Negotiate\r\n"), -ENOENT);
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Digest realm=\"a\"\r\n"), -ENOENT);
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Digest nonce=\"a\", qop=\"auth-int\"\r\n"), -ENOENT);
    assert_int_equal(challenge(&auth, "WWW-Authenticate: =,\"\",,, \"\r\n"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_md5),
        cmocka_unit_test(digest_sha256),
        cmocka_unit_test(digest_of_2069),
        cmocka_unit_test(digest_with_a_session_key),
        cmocka_unit_test(basic),
        cmocka_unit_test(the_strongest_of_several_is_taken),
        cmocka_unit_test(algorithms_in_odd_spellings),
        cmocka_unit_test(what_cannot_be_answered_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
