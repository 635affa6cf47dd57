/* What a kill leaves, and what the next start makes of it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/json.h"
#include "gateway/store_segments.h"
#include "media_clip.h"
#include "media_volume.h"
#include "mp4/scan.h"
#include "record/find.h"

#define CAMERA "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"

static struct clip clip;

static void record(struct place *place, unsigned frames)
{
    struct recorder *recorder;
    assert_int_equal(recorder_new(place->volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    se_mono_us start = se_mono_now_us() - frames * 40000LL;
    for (unsigned i = 0; i < frames; i++) {
        struct access_unit *unit = clip_at(&clip, i, i * 3600, start + i * 40000LL);
        recorder_push(recorder, unit);
        access_unit_unref(&unit);
    }
    recorder_free(recorder);
    volumes_stop(place->volumes);
    place->volumes = NULL;
}

struct rows {
    unsigned count;
    struct segment_row last;
    bool reopen; /* make it look as a kill left it */
};

static int see_row(const struct segment_row *row, void *ctx)
{
    struct rows *rows = ctx;
    rows->count++;
    rows->last = *row;
    return 0;
}

static int read_rows(struct store_tx *tx, void *ctx)
{
    return store_segments_range(tx, CAMERA, 0, INT64_MAX / 2, 0, see_row, ctx);
}

static struct rows rows_of(struct place *place)
{
    struct rows rows = {0};
    assert_int_equal(store_read(place->store, read_rows, &rows), 0);
    return rows;
}

struct change {
    struct segment_row row;
    bool forget;
};

static int change_row(struct store_tx *tx, void *ctx)
{
    struct change *change = ctx;
    return change->forget ? store_segment_forget(tx, CAMERA, change->row.start_ms, change->row.epoch)
                          : store_segment_put(tx, &change->row);
}

/* As the store stands after a kill: the row open, with what was known a second after it began. */
static void leave_open(struct place *place)
{
    struct change change = {.row = rows_of(place).last};
    change.row.camera_id = CAMERA;
    change.row.volume = "main";
    change.row.codecs = clip.params.mime;
    change.row.open = true;
    change.row.end_ms = change.row.start_ms + 900;
    change.row.bytes = 100;
    change.row.gap = "";
    assert_int_equal(store_write(place->store, change_row, &change), 0);
}

static void forget(struct place *place)
{
    struct change change = {.row = rows_of(place).last, .forget = true};
    assert_int_equal(store_write(place->store, change_row, &change), 0);
}

static void cut(const char *path, off_t size)
{
    assert_int_equal(truncate(path, size), 0);
}

static off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* The last open row of the store, and the file it is of, are as they must be after a repair. */
static void check_repaired(struct place *place, unsigned least_pictures)
{
    struct rows rows = rows_of(place);
    struct mp4_index index;
    assert_int_equal(rows.count, 1);
    assert_false(rows.last.open);
    struct seen seen = clip_watch(place_found[0]);
    assert_int_equal(seen.errors, 0);
    assert_true(seen.pictures >= least_pictures);
    assert_int_equal(rows.last.bytes, size_of(place_found[0]));
    double length = (double)(rows.last.end_ms - rows.last.start_ms) / 1000;
    assert_true(length > seen.last_s && length < seen.last_s + 0.05);
    int fd = open(place_found[0], O_RDONLY);
    struct mp4_input input = mp4_input_fd(fd, (uint64_t)size_of(place_found[0]));
    assert_int_equal(mp4_read_index(&input, &index), 0);
    assert_true(index.count >= 1);
    mp4_index_fini(&index);
    close(fd);
}

static void every_cut_is_mended(void **state)
{
    struct place place;
    place_init(&place, "ingest.segment_s=60");
    record(&place, 100); /* 4 s */
    assert_int_equal(place_files(&place), 1);
    off_t whole = size_of(place_found[0]);
    char *bytes = malloc((size_t)whole);
    FILE *file = fopen(place_found[0], "rb");
    assert_int_equal(fread(bytes, 1, (size_t)whole, file), whole);
    fclose(file);
    for (int part = 8; part >= 4; part--) {
        clip_save(place_found[0], bytes, (size_t)whole, "wb");
        cut(place_found[0], whole * part / 8 - part);
        leave_open(&place);
        place_start(&place);
        check_repaired(&place, (unsigned)(100 * part / 8) > 50 ? (unsigned)(100 * part / 8) - 45 : 10);
        volumes_stop(place.volumes);
        place.volumes = NULL;
    }
    free(bytes);
    place_fini(&place);
}

static void garbage_behind_the_last_fragment_goes(void **state)
{
    struct place place;
    char garbage[5000];
    memset(garbage, 0x5a, sizeof(garbage));
    place_init(&place, "ingest.segment_s=60");
    record(&place, 50);
    assert_int_equal(place_files(&place), 1);
    clip_save(place_found[0], garbage, sizeof(garbage), "ab");
    leave_open(&place);
    place_start(&place);
    check_repaired(&place, 50);
    place_fini(&place);
}

static void a_file_the_store_does_not_know_is_listed(void **state)
{
    struct place place;
    place_init(&place, "ingest.segment_s=60");
    record(&place, 50);
    assert_int_equal(place_files(&place), 1);
    off_t size = size_of(place_found[0]);
    forget(&place);
    assert_int_equal(rows_of(&place).count, 0);
    place_start(&place);
    check_repaired(&place, 50);
    assert_int_equal(size_of(place_found[0]), size); /* nothing was wrong with it */
    place_fini(&place);
}

static void a_row_without_its_file_goes(void **state)
{
    struct place place;
    place_init(&place, "ingest.segment_s=60");
    record(&place, 50);
    assert_int_equal(place_files(&place), 1);
    leave_open(&place);
    assert_int_equal(unlink(place_found[0]), 0);
    place_start(&place);
    assert_int_equal(rows_of(&place).count, 0);
    place_fini(&place);
}

static void a_missing_disk_costs_no_row(void **state)
{
    struct place place;
    char path[128], moved[128];
    place_init(&place, "ingest.segment_s=60");
    record(&place, 50);
    leave_open(&place);
    snprintf(path, sizeof(path), "%s/data/recordings", place.dir);
    snprintf(moved, sizeof(moved), "%s/data/elsewhere", place.dir);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    place_start(&place);
    assert_int_equal(rows_of(&place).count, 1);
    /* And when it comes back, without a restart, it is taken on and mended. */
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(moved, path), 0);
    for (int i = 0; i < 500 && !volumes_healthy(place.volumes, NULL); i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_true(volumes_healthy(place.volumes, NULL));
    assert_int_equal(place_files(&place), 1);
    for (int i = 0; i < 500 && rows_of(&place).last.open; i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    check_repaired(&place, 50);
    place_fini(&place);
}

static void what_is_not_ours_is_left_alone(void **state)
{
    struct place place;
    char path[160];
    place_init(&place, NULL);
    record(&place, 50);
    place_files(&place);
    snprintf(path, sizeof(path), "%.150s", place_found[0]);
    char *name = strrchr(path, '/') + 1;
    const size_t room = sizeof(path) - (size_t)(name - path);
    snprintf(name, room, "notes.mp4");
    clip_save(path, "not a film", 10, "wb");
    snprintf(name, room, "235959999Z.mp4");
    clip_save(path, "not a film either", 17, "wb");
    place_start(&place);
    assert_int_equal(size_of(path), 17);
    snprintf(name, room, "notes.mp4");
    assert_int_equal(size_of(path), 10);
    assert_int_equal(rows_of(&place).count, 1);
    place_fini(&place);
}

static int setup(void **state)
{
    clip_make(&clip, CODEC_H264, 320, 180, 100, 25, 25, 0);
    return 0;
}

static int teardown(void **state)
{
    clip_free(&clip);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_mended),
        cmocka_unit_test(garbage_behind_the_last_fragment_goes),
        cmocka_unit_test(a_file_the_store_does_not_know_is_listed),
        cmocka_unit_test(a_row_without_its_file_goes),
        cmocka_unit_test(a_missing_disk_costs_no_row),
        cmocka_unit_test(what_is_not_ours_is_left_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
