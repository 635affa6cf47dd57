/* What the kernel says of a TCP connection. Apart, because <linux/tcp.h> and <netinet/tcp.h> do not mix, and
 * only the first knows tcpi_bytes_acked. */
#ifndef HTTP_LINUX_TCP_INFO_H
#define HTTP_LINUX_TCP_INFO_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes the other side has acknowledged since the beginning, and whether others wait to be. False: it is no
 * TCP connection, or none any more. */
bool tcp_progress(int fd, uint64_t *ret_acked, bool *ret_waiting);
/* Bytes the other side has acknowledged, and how far it has made room, both since the beginning: its kernel
 * acknowledges what still fits its buffer, but room is only made as its program reads. False: likewise. */
bool tcp_room(int fd, uint64_t *ret_acked, uint64_t *ret_edge);

#endif
