/* codec/parameter_sets.h. The sets were written by x264 and x265. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/parameter_sets.h"

#define AVC_SPS                                                                                              \
    "\x67\x64\x00\x28\xac\xd9\x40\x78\x02\x27\xe5\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xc8\x3c\x60"   \
    "\xc6\x58"
#define AVC_PPS "\x68\xeb\xe3\xcb\x22\xc0"
#define CIF_SPS                                                                                              \
    "\x67\x42\xc0\x0c\xd9\x01\x60\x96\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\x50\x3c\x50\xa9\x20"
#define HEVC_VPS                                                                                             \
    "\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x78\x95\x98\x09"
#define HEVC_SPS                                                                                             \
    "\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x78\xa0\x03\xc0\x80\x10\xe5\x96"   \
    "\x56\x69\x24\xca\xf0\x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0f\x04"
#define HEVC_PPS "\x44\x01\xc1\x72\xb4\x62\x40"
#define NAL(s)   (const uint8_t *)(s), sizeof(s) - 1

static void h264_full_hd_is_cropped(void **state)
{
    struct sps_info info;
    assert_int_equal(h264_sps_parse(NAL(AVC_SPS), &info), 0);
    assert_int_equal(info.width, 1920);
    assert_int_equal(info.height, 1080);
    assert_int_equal(info.profile, 100);
    assert_int_equal(info.level, 40);
    assert_int_equal(info.reorder_frames, 2);
    assert_true(info.fps > 24.99 && info.fps < 25.01);
    assert_int_equal(h264_sps_parse(NAL(CIF_SPS), &info), 0);
    assert_int_equal(info.width, 352);
    assert_int_equal(info.height, 288);
    assert_int_equal(info.reorder_frames, 0);
    assert_true(info.fps > 9.99 && info.fps < 10.01);
}

static void h265_full_hd_is_cropped(void **state)
{
    struct sps_info info;
    assert_int_equal(h265_sps_parse(NAL(HEVC_SPS), &info), 0);
    assert_int_equal(info.width, 1920);
    assert_int_equal(info.height, 1080);
    assert_int_equal(info.level, 120);
    assert_int_equal(info.reorder_frames, 2);
    assert_true(info.fps > 29.99 && info.fps < 30.01);
}

static void an_avc_record(void **state)
{
    struct parameter_sets sets = {.codec = CODEC_H264};
    struct video_params params = {0};
    assert_int_equal(parameter_sets_build(&sets, &params), -EAGAIN);
    assert_int_equal(parameter_sets_add(&sets, NAL(AVC_SPS "\0\0")), 0);
    assert_int_equal(parameter_sets_build(&sets, &params), -EAGAIN);
    assert_int_equal(parameter_sets_add(&sets, NAL(AVC_PPS)), 0);
    assert_int_equal(parameter_sets_build(&sets, &params), 0);
    assert_string_equal(params.mime, "avc1.640028");
    assert_int_equal(params.width, 1920);
    const uint8_t head[] = {1, 0x64, 0, 0x28, 0xff, 0xe1, 0, sizeof(AVC_SPS) - 1};
    assert_memory_equal(params.config, head, sizeof(head));
    assert_memory_equal(params.config + 8, AVC_SPS, sizeof(AVC_SPS) - 1);
    const uint8_t tail[] = {0xfd, 0xf8, 0xf8, 0};
    assert_memory_equal(params.config + params.config_size - 4, tail, 4);
    assert_int_equal(params.config_size, 8 + sizeof(AVC_SPS) - 1 + 3 + sizeof(AVC_PPS) - 1 + 4);
}

static void an_hevc_record(void **state)
{
    struct parameter_sets sets = {.codec = CODEC_H265};
    struct video_params params = {0};
    assert_int_equal(parameter_sets_add(&sets, NAL(HEVC_PPS)), 0);
    assert_int_equal(parameter_sets_add(&sets, NAL(HEVC_SPS)), 0);
    assert_int_equal(parameter_sets_build(&sets, &params), -EAGAIN);
    assert_int_equal(parameter_sets_add(&sets, NAL(HEVC_VPS)), 0);
    assert_int_equal(parameter_sets_build(&sets, &params), 0);
    assert_string_equal(params.mime, "hvc1.1.6.L120.90");
    assert_int_equal(params.config[22], 3);
    assert_int_equal(params.config_size,
                     23 + 3 * 5 + sizeof(HEVC_VPS) + sizeof(HEVC_SPS) + sizeof(HEVC_PPS) - 3);
}

static void only_what_differs_is_a_change(void **state)
{
    struct parameter_sets sets = {.codec = CODEC_H264};
    struct video_params params;
    parameter_sets_add(&sets, NAL(AVC_SPS));
    parameter_sets_add(&sets, NAL(AVC_PPS));
    assert_true(sets.changed);
    parameter_sets_build(&sets, &params);
    assert_false(sets.changed);
    parameter_sets_add(&sets, NAL(AVC_SPS "\0"));
    parameter_sets_add(&sets, NAL(AVC_PPS));
    assert_false(sets.changed);
    assert_int_equal(parameter_sets_add(&sets, NAL("\x67\x64\x00")), -EBADMSG);
    assert_false(sets.changed); /* a broken one does not replace a good one */
    parameter_sets_add(&sets, NAL(CIF_SPS));
    assert_true(sets.changed);
}

static void every_truncation_is_survived(void **state)
{
    struct sps_info info;
    for (size_t n = 0; n < sizeof(AVC_SPS) - 1; n++) {
        uint8_t *copy = malloc(n + 1); /* of exact size: reading past it is caught */
        memcpy(copy, AVC_SPS, n);
        (void)h264_sps_parse(copy, n, &info);
        free(copy);
    }
    for (size_t n = 0; n < sizeof(HEVC_SPS) - 1; n++) {
        uint8_t *copy = malloc(n + 1);
        memcpy(copy, HEVC_SPS, n);
        (void)h265_sps_parse(copy, n, &info);
        free(copy);
    }
    assert_int_equal(h264_sps_parse(NAL("\x67\x64\x00\x28\xac"), &info), -EBADMSG);
    assert_int_equal(h265_sps_parse(NAL(AVC_SPS), &info), -EBADMSG);
    uint8_t large[PARAMETER_SET_MAX + 1];
    memset(large, 0x55, sizeof(large));
    large[0] = 0x67;
    struct parameter_sets sets = {.codec = CODEC_H264};
    assert_int_equal(parameter_sets_add(&sets, large, sizeof(large)), -EMSGSIZE);
}

static void aac_configs(void **state)
{
    struct audio_params params;
    assert_int_equal(aac_config_parse(NAL("\x12\x10"), &params), 0);
    assert_int_equal(params.sample_rate, 44100);
    assert_int_equal(params.channels, 2);
    assert_string_equal(params.name, "mp4a.40.2");
    assert_int_equal(aac_config_parse(NAL("\x14\x08"), &params), 0);
    assert_int_equal(params.sample_rate, 16000);
    assert_int_equal(params.channels, 1);
    assert_int_equal(aac_config_parse(NAL("\x12"), &params), -EBADMSG);
    assert_int_equal(aac_config_parse(NAL("\xb9\x10"), &params), -ENOTSUP); /* ER AAC LD */
    assert_int_equal(aac_config_parse(NAL("\x16\x90"), &params), -EBADMSG); /* a reserved rate */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264_full_hd_is_cropped),
        cmocka_unit_test(h265_full_hd_is_cropped),
        cmocka_unit_test(an_avc_record),
        cmocka_unit_test(an_hevc_record),
        cmocka_unit_test(only_what_differs_is_a_change),
        cmocka_unit_test(every_truncation_is_survived),
        cmocka_unit_test(aac_configs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
