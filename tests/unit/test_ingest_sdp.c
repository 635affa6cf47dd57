/* rtsp/sdp.h */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/sdp.h"

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.n, strlen(expected));
    assert_memory_equal(text.p, expected, text.n);
}

static const char camera[] =
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=Media\r\nt=0 0\r\na=control:rtsp://10.0.0.1/a/\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1; Sprop-Parameter-Sets=Z2QAKKzZQHgCJ+XARAAAAwAEAAADAMg8YMZY,aOvjyyLA "
    ";x=1\r\n"
    "a=control:trackID=1\r\n"
    "m=audio 0 RTP/AVP 8\r\na=control:trackID=2\r\n"
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\n"
    "a=fmtp:97 streamtype=5;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408\r\n"
    "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:trackID=3\r\n";

static void a_camera(void **state)
{
    struct sdp sdp;
    assert_int_equal(sdp_parse(camera, sizeof(camera) - 1, &sdp), 0);
    assert_text(sdp.control, "rtsp://10.0.0.1/a/");
    assert_int_equal(sdp.media_count, 4);
    assert_int_equal(sdp.media[0].kind, SDP_VIDEO);
    assert_int_equal(sdp.media[0].codec, CODEC_H264);
    assert_int_equal(sdp.media[0].payload, 96);
    assert_int_equal(sdp.media[0].clock, 90000);
    assert_text(sdp.media[0].control, "trackID=1");
    struct parameter_sets sets = {.codec = CODEC_H264};
    struct video_params params;
    sdp_parameter_sets(&sdp.media[0], &sets);
    assert_int_equal(parameter_sets_build(&sets, &params), 0);
    assert_int_equal(params.width, 1920);

    assert_int_equal(sdp.media[1].codec, CODEC_OTHER);
    assert_text(sdp.media[1].name, "PCMA");
    assert_int_equal(sdp.media[1].clock, 8000);

    struct aac_format format;
    struct audio_params audio;
    assert_int_equal(sdp.media[2].codec, CODEC_AAC);
    assert_int_equal(sdp_aac(&sdp.media[2], &format, &audio), 0);
    assert_int_equal(format.size_bits, 13);
    assert_int_equal(audio.sample_rate, 16000);
    assert_int_equal(sdp.media[3].kind, SDP_OTHER);
}

static void one_media(const char *text, struct sdp_media *ret_media)
{
    static struct sdp sdp;
    assert_int_equal(sdp_parse(text, strlen(text), &sdp), 0);
    assert_int_equal(sdp.media_count, 1);
    *ret_media = sdp.media[0];
}

static void of_several_formats_the_one_that_can_be_carried(void **state)
{
    struct sdp_media media;
    one_media(
        "v=0\nm=video 0 RTP/AVP 26 99 98\na=fmtp:98 a=b\na=rtpmap:98 h265/90000\na=rtpmap:99 VP8/90000\n",
        &media);
    assert_int_equal(media.codec, CODEC_H265);
    assert_int_equal(media.payload, 98);
    assert_text(sdp_fmtp(media.fmtp, "A"), "b");
    one_media("v=0\nm=video 0 RTP/AVP 26\n", &media);
    assert_text(media.name, "JPEG");
}

static void hevc_sets(void **state)
{
    struct sdp_media media;
    one_media("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 "
              "sprop-vps=\"QAEMAf//AWAAAAMAkAAAAwAAAwB4lZgJ\"; "
              "sprop-sps=QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDlllZpJMrwFoCAAAADAIAAAA8E;sprop-pps=RAHBcrRiQA==\n",
              &media);
    struct parameter_sets sets = {.codec = CODEC_H265};
    struct video_params params;
    sdp_parameter_sets(&media, &sets);
    assert_int_equal(parameter_sets_build(&sets, &params), 0);
    assert_int_equal(params.height, 1080);
}

static void broken_sets_are_left_out(void **state)
{
    struct sdp_media media;
    one_media("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
              "a=fmtp:96 sprop-parameter-sets=!!!,,Z2Q=,====,aOvjyyLA\n",
              &media);
    struct parameter_sets sets = {.codec = CODEC_H264};
    struct video_params params;
    sdp_parameter_sets(&media, &sets);
    assert_int_equal(sets.sps.size, 0);
    assert_int_equal(parameter_sets_build(&sets, &params), -EAGAIN);
}

static void hostile(void **state)
{
    struct sdp sdp;
    struct sdp_media media;
    assert_int_equal(sdp_parse("", 0, &sdp), -EBADMSG);
    assert_int_equal(sdp_parse("<html>", 6, &sdp), -EBADMSG);
    one_media("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/0\n", &media); /* no clock: not carried */
    assert_int_equal(media.codec, CODEC_OTHER);
    one_media("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/99999999999999999999\n", &media);
    assert_int_equal(media.codec, CODEC_OTHER);
    one_media("v=0\nm=video 0 TCP/TLS 96\na=rtpmap:96 H264/90000\n", &media);
    assert_int_equal(media.kind, SDP_OTHER);

    char many[4096] = "v=0\n";
    for (unsigned i = 0; i < SDP_MEDIA_MAX + 4; i++)
        memcpy(many + strlen(many), "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n", 45);
    assert_int_equal(sdp_parse(many, strlen(many), &sdp), 0);
    assert_int_equal(sdp.media_count, SDP_MEDIA_MAX);
    assert_int_equal(sdp.media[SDP_MEDIA_MAX - 1].codec, CODEC_H264);

    struct aac_format format;
    struct audio_params audio;
    one_media(
        "v=0\nm=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/16000\na=fmtp:97 mode=AAC-hbr;sizelength=99;"
        "config=1408\n",
        &media);
    assert_int_equal(sdp_aac(&media, &format, &audio), -EBADMSG);
    one_media(
        "v=0\nm=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/16000\na=fmtp:97 mode=CELP-vbr;config=1408\n",
        &media);
    assert_int_equal(sdp_aac(&media, &format, &audio), -ENOTSUP);
    one_media("v=0\nm=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/16000\na=fmtp:97 mode=AAC-hbr\n", &media);
    assert_int_equal(sdp_aac(&media, &format, &audio), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera),  cmocka_unit_test(of_several_formats_the_one_that_can_be_carried),
        cmocka_unit_test(hevc_sets), cmocka_unit_test(broken_sets_are_left_out),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
