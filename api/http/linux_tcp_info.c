#include "http/linux_tcp_info.h"

#include <linux/in.h>
#include <linux/tcp.h>
#include <sys/socket.h>

bool tcp_progress(int fd, uint64_t *ret_acked, bool *ret_waiting)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0) {
        return false;
    }
    *ret_acked = info.tcpi_bytes_acked;
    *ret_waiting = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
    return true;
}

bool tcp_room(int fd, uint64_t *ret_acked, uint64_t *ret_edge)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0) {
        return false;
    }
    *ret_acked = info.tcpi_bytes_acked;
    *ret_edge = info.tcpi_bytes_acked + info.tcpi_snd_wnd;
    return true;
}
