/* What the kernel says of a TCP connection. Apart, because <linux/tcp.h> and <netinet/tcp.h> do not mix, and
 * only the first knows tcpi_bytes_acked. */
#ifndef HTTP_LINUX_TCP_INFO_H
#define HTTP_LINUX_TCP_INFO_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes the other side has acknowledged since the beginning, and whether others wait to be. False: it is no
 * TCP connection, or none any more. */
bool tcp_progress(int fd, uint64_t *ret_acked, bool *ret_waiting);

#endif
