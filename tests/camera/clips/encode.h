/* Pictures into an MP4 file, by libavcodec. */
#ifndef CLIPS_ENCODE_H
#define CLIPS_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct encode_settings {
    const char *file; /* written as FILE.part, renamed when whole */
    unsigned source_width, source_height;
    unsigned width, height, fps, gop, b_frames, bits_per_second;
    bool h265, audio; /* audio: a quiet hum, AAC */
};

struct encoder;
int encoder_new(const struct encode_settings *settings, struct encoder **ret_encoder, struct se_err *err);
/* One picture, 32 bits a pixel as cairo has it (BGRx). */
int encoder_picture(struct encoder *encoder, const uint8_t *pixels, int stride, struct se_err *err);
/* Writes what is left and gives the file its name. */
int encoder_finish(struct encoder *encoder, struct se_err *err);
void encoder_free(struct encoder *encoder);

#endif
