/* Patterns for LIKE … ESCAPE '\'. */
#ifndef STORE_LIKE_H
#define STORE_LIKE_H

/* "%q%" with q's own wildcards escaped, malloc'd; NULL for NULL. -ENOMEM. */
int like_pattern(const char *q, char **ret_pattern);

#endif
