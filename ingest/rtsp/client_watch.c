/* While a stream plays: silence, signs of life, reports. */
#include "client.h"

#define TICK_US   SE_US_PER_S
#define REPORT_US (5 * SE_US_PER_S)

/* Some cameras take reports for the sign of life, so they come well within the session's time. */
static int64_t report_every(const struct rtsp_client *client)
{
    int64_t third = (int64_t)client->session_timeout_s * SE_US_PER_S / 3;
    return third < REPORT_US ? third : REPORT_US;
}

static void report(struct rtsp_client *client)
{
    for (unsigned i = 0; i < client->track_count && client->phase == PHASE_PLAYING; i++) {
        struct client_track *track = &client->tracks[i];
        if (!track->set_up || !track->receiver.started)
            continue;
        uint8_t frame[INTERLEAVED_HEAD + RTCP_REPORT_MAX];
        size_t size = rtcp_report(&track->receiver, client->own_ssrc + i, se_loop_now_us(client->loop),
                                  frame + INTERLEAVED_HEAD);
        if (track->udp) {
            client_udp_report(track, frame + INTERLEAVED_HEAD, size);
            continue;
        }
        frame[0] = '$';
        frame[1] = (uint8_t)track->channel_rtcp;
        frame[2] = (uint8_t)(size >> 8);
        frame[3] = (uint8_t)size;
        client_write(client, frame, INTERLEAVED_HEAD + size);
    }
}

/* Silent for stall_us: stalled, and the camera is asked whether it is there. One that answers but sends
 * nothing has lost the stream; one that does not answer for half that time more is taken for gone. */
static void check_silence(struct rtsp_client *client, se_mono_us now)
{
    int64_t silent = now - client->last_media_us, stall = client->wait.stall_us;
    if (client->doubt && silent > stall / 4) {
        client_fail(client, FAILURE_LOST, "%s", client->doubt);
        return;
    }
    if (silent < stall)
        return;
    if (!client->live_since_us) {
        client_transport_silent(client);
    } else if (client->state != SOURCE_STALLED) {
        client->probe_us = now;
        client->probe_answered = false;
        client_set_state(client, SOURCE_STALLED, "the camera sends no video");
        client_keepalive(client);
    } else if (client->probe_answered && now - client->probe_us > stall / 4) {
        client_fail(client, FAILURE_LOST, "the camera answers but sends no video");
    } else if (silent > stall + stall / 2) {
        client_fail(client, FAILURE_LOST, "the camera fell silent");
    }
}

static void tick(struct se_timer *timer)
{
    struct rtsp_client *client = timer->ctx;
    se_mono_us now = se_loop_now_us(client->loop);
    int64_t step = client->wait.stall_us / 8 < TICK_US ? client->wait.stall_us / 8 : TICK_US;
    (void)se_timer_in(client->loop, timer, step);
    check_silence(client, now);
    if (client->phase == PHASE_PLAYING)
        client_transport_watch(client, now);
    if (client->phase == PHASE_PLAYING && now >= client->report_due_us) {
        client->report_due_us = now + report_every(client);
        report(client);
    }
    if (client->watch.fd >= 0 && now >= client->keepalive_due_us)
        client_keepalive(client);
}

void client_media_play(struct rtsp_client *client)
{
    se_mono_us now = se_loop_now_us(client->loop);
    client->last_media_us = now;
    client->report_due_us = now + report_every(client);
    for (unsigned i = 0; i < client->track_count; i++)
        if (client->tracks[i].udp && client->tracks[i].set_up)
            client_udp_punch(&client->tracks[i]);
    client->tick.fn = tick;
    client->tick.ctx = client;
    (void)se_timer_in(client->loop, &client->tick,
                      TICK_US < client->wait.stall_us / 8 ? TICK_US : client->wait.stall_us / 8);
    client_lazy(client); /* some cameras send before they answer */
}
