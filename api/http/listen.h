/* A listening socket, and the file that says where it is. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include "base/error.h"

/* Whether address, the value of that option, is ADDRESS:PORT; a name in it is not looked up. -EINVAL. */
int listen_check(const char *option, const char *address, struct se_err *err);
/* Binds it, non-blocking; ret_bound: what the kernel bound. Errors name the option. */
int listen_open(const char *option, const char *address, int *ret_fd, char ret_bound[80], struct se_err *err);
int listen_write_address(const char *dir, const char *name, const char *bound, struct se_err *err);
void listen_forget_address(const char *dir, const char *name);

#endif
