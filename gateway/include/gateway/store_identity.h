/* Departments, roles, users, sessions and API tokens in the store. Rows come as JSON in the
 * API's shapes. All take a transaction, and share its errors: -EEXIST a unique key is taken,
 * -ENOLINK something referred to is not there (or is still in use, for deletes), -EIO … */
#ifndef GATEWAY_STORE_IDENTITY_H
#define GATEWAY_STORE_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/id.h"
#include "base/time.h"
#include "gateway/store.h"

/* Lists are in the order of ids; after NULL: from the start; at most limit rows. */

struct department_row {
    const char *id, *code, *name, *kind;
    const char *division_id; /* or NULL */
};
int store_department_insert(struct store_tx *tx, const struct department_row *row);
int store_department_update(struct store_tx *tx, const struct department_row *row); /* by id; -ENOENT */
int store_department_delete(struct store_tx *tx, const char *id);                   /* -ENOENT */
/* {id,code,name,kind,division_id,created_at,updated_at}; -ENOENT. */
int store_department_get(struct store_tx *tx, const char *id_or_code, json_t **ret_department);
int store_department_list(struct store_tx *tx, const char *after, int limit, json_t **ret_departments);

struct role_row {
    const char *code, *name, *scope; /* scope: "all" or "department" */
    const json_t *permissions;       /* array of permission names */
    bool built_in;
};
/* Adds the role, or replaces what it says. */
int store_role_put(struct store_tx *tx, const struct role_row *row);
/* {code,name,scope,permissions:[…],built_in}; -ENOENT. */
int store_role_get(struct store_tx *tx, const char *code, json_t **ret_role);
int store_role_list(struct store_tx *tx, const char *after, int limit, json_t **ret_roles);

struct user_row {
    const char *id, *username, *display_name;
    const char *password_hash;               /* NULL in an update: stays */
    const char *department_id, *division_id; /* or NULL */
    bool enabled, must_change_password;
    const json_t *roles; /* array of role codes; NULL in an update: stay */
};
int store_user_insert(struct store_tx *tx, const struct user_row *row);
int store_user_update(struct store_tx *tx, const struct user_row *row); /* by id, not the username; -ENOENT */
int store_user_password(struct store_tx *tx, const char *id, const char *password_hash, bool must_change);
/* {id,username,display_name,department_id,division_id,enabled,must_change_password,roles:[…],
 * created_at,updated_at,last_sign_in_at}; -ENOENT. Never the hash. */
int store_user_get(struct store_tx *tx, const char *id_or_username, json_t **ret_user);
/* department: asked for, by id or code; scope: the only one the caller may see, by id. NULL: all. */
int store_user_list(struct store_tx *tx, const char *department, const char *scope_department_id,
                    const char *after, int limit, json_t **ret_users);
int store_user_count(struct store_tx *tx, int64_t *ret_count);
/* How many enabled users hold the role, but for one: so that the last administrator stays. */
int store_role_holders(struct store_tx *tx, const char *role, const char *but_user_id, int64_t *ret_count);

/* What sign-in must know. -ENOENT. */
struct user_secret {
    char id[SE_ID_LEN];
    char password_hash[160];
    bool enabled;
};
int store_user_secret(struct store_tx *tx, const char *username, struct user_secret *ret_secret);
int store_user_signed_in(struct store_tx *tx, const char *id, se_wall_ms at_ms);

/* Sessions and API tokens: both are rows of one table. */
struct session_row {
    const char *id, *token_sha256, *user_id;
    bool api_token;
    const char *name, *address; /* or NULL */
    se_wall_ms expires_ms;      /* 0: never (API tokens only) */
};
int store_session_insert(struct store_tx *tx, const struct session_row *row);
struct session_found {
    char id[SE_ID_LEN], user_id[SE_ID_LEN];
    bool api_token;
    se_wall_ms expires_ms; /* 0: never */
};
/* One that is still good at now_ms and whose user is enabled; -ENOENT. */
int store_session_find(struct store_tx *tx, const char *token_sha256, se_wall_ms now_ms,
                       struct session_found *ret_session);
int store_session_end(struct store_tx *tx, const char *id, se_wall_ms now_ms); /* -ENOENT: not open */
int store_user_sessions_end(struct store_tx *tx, const char *user_id, se_wall_ms now_ms);
/* Deletes sessions (not API tokens) that ended or expired before then. */
int store_sessions_forget(struct store_tx *tx, se_wall_ms before_ms);
/* API tokens, never their secret: {id,name,user_id,created_at,expires_at,ended_at}. user_id NULL:
 * everybody's. */
int store_token_list(struct store_tx *tx, const char *user_id, const char *after, int limit,
                     json_t **ret_tokens);
int store_token_get(struct store_tx *tx, const char *id, json_t **ret_token); /* -ENOENT */

#endif
