/* Divisions, grids, tags, case kinds and rules in the store. Rows are JSON as the API
 * shows them. All take a transaction and share its errors: -ENOENT, -EEXIST, -ENOLINK, -EIO … */
#ifndef GATEWAY_STORE_COUNTY_H
#define GATEWAY_STORE_COUNTY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/id.h"
#include "base/time.h"
#include "gateway/store.h"

/* What a put did. Putting what is there already changes nothing, not even updated_at. */
enum store_put { STORE_UNCHANGED, STORE_ADDED, STORE_CHANGED };

/* Puts take a whole row, already checked: absent members become their default. */

/* {id,name,level,parent_id?,abbreviation?,synthetic?}; id is the 12-digit code. -ENOLINK: no such parent. */
int store_division_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put);
int store_division_get(struct store_tx *tx, const char *id, json_t **ret_division);
/* In the order of codes. NULL: any. */
int store_division_list(struct store_tx *tx, const char *parent_id, const char *level, const char *after,
                        int limit, json_t **ret_divisions);
/* The begin of case numbers for what lies in a division: its own, or that of the nearest above. -ENOENT none.
 */
int store_division_abbreviation(struct store_tx *tx, const char *id, char ret_abbreviation[33]);

/* {code,name,division_id,geometry,synthetic?,enabled?}; by code. A changed shape, name or division is a
 * new version; the old one is kept. ret_id (may be NULL): the grid's id. */
int store_grid_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put, char ret_id[SE_ID_LEN]);
/* {id,code,name,division_id,geometry,version,synthetic,enabled,created_at,updated_at} */
int store_grid_get(struct store_tx *tx, const char *id_or_code, json_t **ret_grid);
/* In the order of codes; division_id: of it and all below. */
int store_grid_list(struct store_tx *tx, const char *division_id, bool only_enabled, const char *after,
                    int limit, json_t **ret_grids);

/* {code,standard,version,name,local?} */
int store_dictionary_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put);
/* {code,dictionary,class,class_name,name,name_en?,colour,severity,department_kind?,window_s?,enabled?,
 * aliases?:[…]}; the aliases replace those it had. -EEXIST: an alias belongs to another tag. */
int store_tag_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put);
/* The same, with the dictionary's standard and standard_version. */
int store_tag_get(struct store_tx *tx, const char *code, json_t **ret_tag);
int store_tag_list(struct store_tx *tx, const char *class, const char *q, const char *after, int limit,
                   json_t **ret_tags);

/* A changed definition is a new version: cases that are open keep theirs. */
int store_kind_put(struct store_tx *tx, const char *code, const json_t *definition, enum store_put *ret_put);
/* {code,version,enabled,definition,created_at,updated_at}; version 0: the newest. */
int store_kind_get(struct store_tx *tx, const char *code, int64_t version, json_t **ret_kind);
int store_kind_list(struct store_tx *tx, json_t **ret_kinds);
/* Every version of every kind: {code,version,definition}. */
int store_kind_versions(struct store_tx *tx, json_t **ret_versions);

/* {code,name,order?,enabled?,when,then}; by code. */
int store_rule_put(struct store_tx *tx, const json_t *row, enum store_put *ret_put);
/* {id,code,name,order,enabled,when,then,version,created_at,updated_at} */
int store_rule_get(struct store_tx *tx, const char *id_or_code, json_t **ret_rule);
/* In the order they are asked: by order, then code. */
int store_rule_list(struct store_tx *tx, bool only_enabled, json_t **ret_rules);

/* A department of a kind for a place: that of its division, or of the nearest division above that has
 * one, or the only one there is. -ENOENT. */
int store_department_for(struct store_tx *tx, const char *kind, const char *division_id,
                         char ret_id[SE_ID_LEN]);

#endif
