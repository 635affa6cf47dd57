/* Signals as they come in: checked member by member, all of a request or none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "check.h"
#include "correlate.h"

#define BOXES_MAX       100
#define BOXES_BYTES_MAX (16 * 1024)
#define AHEAD_MS        (60 * 60 * 1000LL) /* a sender's clock may run this far ahead */

static void read_boxes(struct fault *fault, const char *prefix, const json_t *object,
                       struct observation *item)
{
    const json_t *boxes = json_object_get(object, "boxes");
    size_t n;
    json_t *box;
    if (!boxes || json_is_null(boxes))
        return;
    if (!json_is_array(boxes) || json_array_size(boxes) > BOXES_MAX) {
        check_fault(fault, prefix, "boxes", "must be an array of at most %d boxes", BOXES_MAX);
        return;
    }
    json_array_foreach (boxes, n, box) {
        if (!json_is_object(box) && !json_is_array(box)) {
            check_fault(fault, prefix, "boxes", "must hold objects {x, y, w, h} or arrays of numbers");
            return;
        }
    }
    char *text = se_json_text(boxes);
    if (text && strlen(text) > BOXES_BYTES_MAX) {
        check_fault(fault, prefix, "boxes", "must be at most %d bytes of JSON", BOXES_BYTES_MAX);
        free(text);
        return;
    }
    item->boxes = text;
}

static void read_image(struct fault *fault, const char *prefix, const json_t *object,
                       struct observation *item)
{
    const json_t *value = json_object_get(object, "image");
    if (!value || json_is_null(value))
        return;
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (!text || !len) {
        check_fault(fault, prefix, "image", "must be a JPEG or PNG in base64");
        return;
    }
    if (len / 4 * 3 > SIGNAL_IMAGE_MAX + 3) {
        check_fault(fault, prefix, "image", "must be at most %d bytes", SIGNAL_IMAGE_MAX);
        return;
    }
    uint8_t *data = malloc(len / 4 * 3 + 4);
    if (!data) {
        check_fault(fault, prefix, "image", "could not be read: out of memory");
        return;
    }
    long size = se_base64_decode(text, len, data);
    item->image.media_type = size > 0 ? picture_media_type(data, (size_t)size) : NULL;
    if (size <= 0 || size > SIGNAL_IMAGE_MAX || !item->image.media_type) {
        check_fault(fault, prefix, "image",
                    size <= 0                 ? "is not base64"
                    : size > SIGNAL_IMAGE_MAX ? "is too large"
                                              : "is neither a JPEG nor a PNG by its content");
        free(data);
        return;
    }
    item->image.data = data;
    item->image.size = (size_t)size;
}

static void read_signal(struct fault *fault, const char *prefix, const json_t *object, se_wall_ms now,
                        struct observation *item)
{
    if (!json_is_object(object)) {
        check_fault(fault, prefix, "", "must be an object");
        return;
    }
    item->occurred_ms = now;
    check_text(fault, prefix, object, "source", true, 128, &item->source);
    check_text(fault, prefix, object, "type", true, 64, &item->type);
    check_time(fault, prefix, object, "occurred_at", true, &item->occurred_ms);
    if (item->occurred_ms > now + AHEAD_MS)
        check_fault(fault, prefix, "occurred_at", "lies in the future: check the sender's clock");
    check_text(fault, prefix, object, "camera", false, 64, &item->camera);
    if (item->camera && !*item->camera)
        item->camera = NULL;
    check_location(fault, prefix, object, "location", &item->has_location, &item->lat, &item->lon);
    check_severity(fault, prefix, object, "severity", &item->severity);
    check_text(fault, prefix, object, "message", false, 1000, &item->message);
    check_text(fault, prefix, object, "key", false, 128, &item->key);
    read_boxes(fault, prefix, object, item);
    read_image(fault, prefix, object, item);
}

/* ---- pictures lie on the disk before the rows that name them are committed ---- */

static void remove_images(struct intake *intake, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (intake->items[i].image.data)
            evidence_remove(intake->events, intake->items[i].image.file);
}

static int write_images(struct intake *intake)
{
    for (size_t i = 0; i < intake->count; i++) {
        struct observation *item = &intake->items[i];
        if (!item->image.data)
            continue;
        bool png = !strcmp(item->image.media_type, "image/png");
        se_id_new(item->image.id);
        snprintf(item->image.file, sizeof item->image.file, "%s%s", item->image.id, png ? ".png" : ".jpg");
        evidence_sha256(item->image.data, item->image.size, item->image.sha256);
        int rc = evidence_write(intake->events, item->image.file, item->image.data, item->image.size);
        if (rc) {
            remove_images(intake, i);
            return se_fail(&intake->call->fault.err, -EIO, "an image cannot be kept: %s", strerror(-rc));
        }
    }
    return 0;
}

static int store_signals(struct store_tx *tx, void *ctx)
{
    struct intake *intake = ctx;
    struct call *call = intake->call;
    json_decref(call->answer);
    call->answer = NULL;
    int rc = intake_store(intake, tx);
    if (rc)
        return rc;
    se_json_ *items = json_array();
    for (size_t i = 0; i < intake->count; i++)
        json_array_append_new(items, json_pack("{s:s,s:s}", "signal_id", intake->items[i].id, "incident_id",
                                               intake->items[i].incident_id));
    se_json_ *detail = json_pack("{s:s,s:i}", "source", intake->items[0].source, "count", (int)intake->count);
    rc = call_audit(intake->events, call, tx, "signal.post", "signal", intake->items[0].id, detail);
    if (!rc)
        call->answer = SE_TAKE(items);
    return rc;
}

static int read_all(struct intake *intake, const json_t *body)
{
    struct fault *fault = &intake->call->fault;
    bool array = json_is_array(body);
    se_wall_ms now = se_wall_now_ms();
    for (size_t i = 0; i < intake->count; i++) {
        char prefix[24] = "";
        if (array)
            snprintf(prefix, sizeof prefix, "%zu", i);
        read_signal(fault, prefix, array ? json_array_get(body, i) : body, now, &intake->items[i]);
    }
    int rc = check_result(fault);
    return rc ? rc : intake_prepare(intake, array);
}

int signals_post(struct events *events, struct call *call, const json_t *body)
{
    struct intake intake;
    size_t count = json_is_array(body) ? json_array_size(body) : 1;
    if (!count || count > SIGNALS_MAX) {
        check_fault(&call->fault, "", "", "send one signal, or an array of 1 to %d", SIGNALS_MAX);
        events_count(M_SIGNALS_REFUSED, (int64_t)count);
        return check_result(&call->fault);
    }
    int rc = intake_init(&intake, events, call, count);
    if (rc)
        return call_failed(call, rc);
    rc = read_all(&intake, body);
    if (!rc)
        rc = write_images(&intake);
    if (!rc) {
        rc = call_commit(events, call, store_signals, &intake);
        if (rc)
            remove_images(&intake, count);
    }
    if (!rc)
        intake_publish(&intake);
    else
        events_count(M_SIGNALS_REFUSED, (int64_t)count);
    intake_fini(&intake);
    return call_failed(call, rc);
}
