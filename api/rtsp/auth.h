/* Jobs: who asks, and may they. */
#ifndef RTSP_AUTH_H
#define RTSP_AUTH_H

#include "rtsp/server.h"

/* A viewer's request while the pool looks into it. The viewer is the loop's; a job has copies. */
struct job {
    struct job *next; /* of those that are done */
    struct rtsp_out *out;
    struct viewer *viewer;
    char address[INET6_ADDRSTRLEN], method[16];
    struct rtsp_resource resource;
    bool by_ticket;
    struct rtsp_digest_answer digest;
    /* what came of it */
    int result; /* 0; -EACCES not signed in; -EDQUOT too often; -ENOENT no such camera, for them; other */
    int retry_s;
    struct access_who who;
    char camera_id[SE_ID_LEN], department_id[SE_ID_LEN];
};
/* On the loop: the request goes on. Frees the job. */
void auth_done(struct job *job);
/* server.c, any thread: hands a job that is done to the loop. */
void rtsp_out_job_done(struct job *job);

#endif
