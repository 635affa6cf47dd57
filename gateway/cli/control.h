/* DATA_DIR/control.sock: how commands reach a running daemon. One request and one answer a
 * connection, each a line of JSON: {"act":"user.add","request":{…}} → {"ok":true,"result":{…}} or
 * {"ok":false,"error":"…"}. Only the data directory's owner gets in (0600 in a 0700 directory). */
#ifndef CONTROL_H
#define CONTROL_H

#include <jansson.h>

#include "base/error.h"

struct house;
struct control;

/* Serves on a thread of its own, one connection after the other. */
int control_new(struct house *house, struct control **ret_control, struct se_err *err);
void control_free(struct control *control); /* joins; NULL is fine */

/* Asks a running daemon. -ECONNREFUSED or -ENOENT: none answers there. */
int control_ask(const char *data_dir, const char *act, const json_t *request, json_t **ret_result,
                struct se_err *err);

#endif
