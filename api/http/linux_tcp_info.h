/* What the kernel says of a TCP connection. Apart, because <linux/tcp.h> and <netinet/tcp.h> do not mix, and
 * only the first knows tcpi_bytes_acked. */
#ifndef HTTP_LINUX_TCP_INFO_H
#define HTTP_LINUX_TCP_INFO_H

#include <stdint.h>

/* Bytes the other side has acknowledged since the beginning; left alone on failure. */
void tcp_bytes_acked(int fd, uint64_t *ret_bytes);

#endif
