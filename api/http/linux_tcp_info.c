#include "http/linux_tcp_info.h"

#include <linux/in.h>
#include <linux/tcp.h>
#include <sys/socket.h>

void tcp_bytes_acked(int fd, uint64_t *ret_bytes)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
        *ret_bytes = info.tcpi_bytes_acked;
    }
}
