/* RTSP out: streams for players and other systems, rtsp://HOST:PORT/{camera}[/sub]. */
#ifndef RTSP_OUT_H
#define RTSP_OUT_H

#include "api/api.h"
#include "base/error.h"

struct rtsp_out;
/* Binds rtsp.listen, writes DATA_DIR/rtsp.addr, serves on a thread of its own. Errors name the address. */
int rtsp_out_new(const struct api_deps *deps, struct rtsp_out **ret_out, struct se_err *err);
/* The port it is bound to; 0 when out is NULL. Any thread. */
unsigned rtsp_out_port(const struct rtsp_out *out);
/* Says BYE to whoever watches, closes, joins. NULL is fine. */
void rtsp_out_free(struct rtsp_out *out);

#endif
