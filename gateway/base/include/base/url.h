/* What may not be shown of a URL beside its user info: cameras take passwords in the path and the query too.
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>

/* What stands for a secret that is not shown. */
#define SE_URL_MASK "***"

/* Writes the URL with the values of names such as pwd, password, token, key as ***, in its query
 * ("?usr=u&pwd=p") and in its path ("/user=u_password=p_channel=1.sdp"). 1 and malloc'd text; 0 when it holds
 * none, and nothing is written; -ENOMEM. Masks too much rather than too little. Pure. */
int se_url_mask(const char *url, char **ret_masked);
/* Does a mask stand where a secret would? Such a URL was read somewhere and leads to no camera. */
bool se_url_is_masked(const char *url);

#endif
