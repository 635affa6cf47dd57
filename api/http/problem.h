/* Problem details (RFC 9457), the one form of every error. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "http/route.h"

const char *http_status_title(int status);
/* Which status a handler's -errno means, when it did not set one itself. */
int http_status_of(int error);
/* Turns what a failed handler left in res (status, problem, members) into its JSON body. */
int http_problem_finish(struct http_response *res, int error);

#endif
