/* Recording: units in, files and rows out, and what happens when the disk or the clock does not play along.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/json.h"
#include "gateway/store_segments.h"
#include "media_clip.h"
#include "media_volume.h"
#include "record/find.h"

#define CAMERA "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"

static struct clip clip, other; /* 250 frames at 25 fps, a keyframe a second; the other of another size */

/* Frames [from, to) of the clip, arriving in time from `start_us`. */
static void record(struct recorder *recorder, const struct clip *from_clip, unsigned from, unsigned to,
                   se_mono_us start_us)
{
    for (unsigned i = from; i < to; i++) {
        struct access_unit *unit = clip_at(from_clip, i % from_clip->count, i * 3600, start_us + i * 40000LL);
        recorder_push(recorder, unit);
        access_unit_unref(&unit);
    }
}

/* So that the last of `frames` arrives now. */
static se_mono_us ago(unsigned frames)
{
    return se_mono_now_us() - frames * 40000LL;
}

static json_t *list(struct place *place, se_wall_ms from, se_wall_ms to)
{
    json_t *json = NULL;
    struct se_err err = {0};
    assert_int_equal(recordings_list(place->volumes, CAMERA, from, to, &json, &err), 0);
    return json;
}

static double seconds(const json_t *range)
{
    se_wall_ms from, to;
    assert_int_equal(se_json_time(range, "from", &from), 0);
    assert_int_equal(se_json_time(range, "to", &to), 0);
    return (double)(to - from) / 1000;
}

static void files_play_as_they_lie_and_lose_no_frame(void **state)
{
    struct place place;
    struct recorder *recorder;
    place_init(&place, NULL);
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    record(recorder, &clip, 10, 250, ago(250)); /* begins within a group: from its next keyframe on */
    recorder_free(recorder);
    place_restart(&place); /* all is written */
    unsigned files = place_files(&place), pictures = 0;
    assert_int_equal(files, 5);
    for (unsigned i = 0; i < files; i++) {
        struct seen seen = clip_watch(place_found[i]);
        assert_int_equal(seen.errors, 0);
        assert_true(seen.ordered);
        assert_true(seen.first_s > -0.001 && seen.first_s < 0.001);
        pictures += seen.pictures;
    }
    assert_int_equal(pictures, 225);
    se_wall_ms now = se_wall_now_ms();
    se_json_ *json = list(&place, now - 60000, now + 1000);
    assert_int_equal(json_array_size(json_object_get(json, "ranges")), 1);
    double length = seconds(json_array_get(json_object_get(json, "ranges"), 0));
    assert_true(length > 8.95 && length < 9.05);
    place_fini(&place);
}

static void names_say_camera_and_time(void **state)
{
    struct segment_key key = {.camera_id = CAMERA, .start_ms = 1795334400123, .epoch = 0}, back;
    char path[SEGMENT_PATH_MAX];
    segment_path(&key, path);
    assert_string_equal(path, CAMERA "/2026/11/22/080000123Z.mp4");
    assert_int_equal(segment_parse(CAMERA, 1795334400123, "080000123Z.mp4", &back), 0);
    assert_int_equal(back.start_ms, key.start_ms);
    key.epoch = 3;
    segment_path(&key, path);
    assert_string_equal(path, CAMERA "/2026/11/22/080000123Z-3.mp4");
    assert_int_equal(segment_parse(CAMERA, 1795334400123, "080000123Z-3.mp4", &back), 0);
    assert_int_equal(back.epoch, 3);
    const char *const bad[] = {"080000123.mp4",
                               "250000123Z.mp4",
                               "080000123Z-.mp4",
                               "080000123Z-0.mp4",
                               "080000123Z.mp4x",
                               "../x.mp4",
                               ".mp4",
                               "",
                               "080000123Z-99999999999.mp4"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(segment_parse(CAMERA, 0, bad[i], &back), -EINVAL);
    assert_false(segment_camera_ok(".."));
    assert_false(segment_camera_ok("a/b"));
    assert_false(segment_camera_ok(""));
}

static void gaps_say_why(void **state)
{
    struct place place;
    struct recorder *recorder;
    place_init(&place, NULL);
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    se_mono_us start = ago(1000); /* 40 s ago */
    record(recorder, &clip, 0, 100, start);
    recorder_cut(recorder, "offline");
    record(recorder, &clip, 250, 500, start);
    recorder_cut(recorder, "stalled");
    record(recorder, &clip, 750, 1000, start);
    se_wall_ms now = se_wall_now_ms();
    /* The file that is being written counts already. */
    for (int i = 0; i < 200; i++) {
        se_json_ *json = list(&place, now - 60000, now);
        if (json_array_size(json_object_get(json, "ranges")) == 3)
            break;
        assert_true(i < 199);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    recorder_free(recorder);
    place_restart(&place);
    se_json_ *json = list(&place, now - 60000, now);
    const json_t *ranges = json_object_get(json, "ranges"), *gaps = json_object_get(json, "gaps");
    assert_int_equal(json_array_size(ranges), 3);
    assert_true(seconds(json_array_get(ranges, 0)) > 3.95 && seconds(json_array_get(ranges, 0)) < 4.05);
    assert_true(seconds(json_array_get(ranges, 1)) > 9.95 && seconds(json_array_get(ranges, 1)) < 10.05);
    assert_true(se_json_int(json_array_get(ranges, 1), "bytes", 0) > 10000);
    assert_int_equal(json_array_size(gaps), 2);
    assert_string_equal(se_json_str(json_array_get(gaps, 0), "cause", ""), "offline");
    assert_true(seconds(json_array_get(gaps, 0)) > 5.9 && seconds(json_array_get(gaps, 0)) < 6.1);
    assert_string_equal(se_json_str(json_array_get(gaps, 1), "cause", ""), "stalled");
    /* Within a gap there is nothing but the gap. */
    se_wall_ms from;
    se_json_time(json_array_get(gaps, 0), "from", &from);
    se_json_ *inside = list(&place, from + 1000, from + 3000);
    assert_int_equal(json_array_size(json_object_get(inside, "ranges")), 0);
    assert_int_equal(json_array_size(json_object_get(inside, "gaps")), 1);
    assert_string_equal(se_json_str(json_array_get(json_object_get(inside, "gaps"), 0), "cause", ""),
                        "offline");
    /* Before the first recording nothing is missing. */
    se_json_ *before = list(&place, now - 3600000, now - 1800000);
    assert_int_equal(json_array_size(json_object_get(before, "gaps")), 0);
    place_fini(&place);
}

static void other_parameters_begin_another_file(void **state)
{
    struct place place;
    struct recorder *recorder;
    place_init(&place, "ingest.segment_s=60");
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    se_mono_us start = ago(100);
    recorder_video(recorder, &clip.params);
    record(recorder, &clip, 0, 50, start);
    recorder_video(recorder, &other.params);
    record(recorder, &other, 50, 100, start);
    recorder_free(recorder);
    place_restart(&place);
    assert_int_equal(place_files(&place), 2);
    struct seen first = clip_watch(place_found[0]), second = clip_watch(place_found[1]);
    assert_int_equal(first.width, 320);
    assert_int_equal(first.pictures, 50);
    assert_int_equal(second.width, 160);
    assert_int_equal(second.pictures, 50);
    assert_int_equal(first.errors + second.errors, 0);
    place_fini(&place);
}

static void b_frames_are_recorded_in_order(void **state)
{
    struct clip reordered;
    struct place place;
    struct recorder *recorder;
    clip_make(&reordered, CODEC_H264, 320, 180, 100, 25, 50, 2);
    assert_true(reordered.params.reorder_frames > 0);
    place_init(&place, "ingest.segment_s=60");
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &reordered.params);
    se_mono_us start = ago(100);
    for (unsigned i = 0; i < reordered.count; i++) {
        struct access_unit *unit = clip_at(&reordered, i, reordered.units[i]->pts_90k, start + i * 40000LL);
        recorder_push(recorder, unit);
        access_unit_unref(&unit);
    }
    recorder_free(recorder);
    place_restart(&place);
    assert_int_equal(place_files(&place), 1);
    struct seen seen = clip_watch(place_found[0]);
    assert_int_equal(seen.pictures, 100);
    assert_int_equal(seen.errors, 0);
    assert_true(seen.ordered);
    assert_true(seen.first_s > -0.001 && seen.first_s < 0.001);
    assert_true(seen.last_s > 3.95 && seen.last_s < 3.97);
    clip_free(&reordered);
    place_fini(&place);
}

/* The writer waits for more jobs than one, but not for long; and nobody else need wake it. */
static void fragments_reach_their_files_soon(void **state)
{
    struct place place;
    struct recorder *recorders[5];
    place_init(&place, "ingest.segment_s=60");
    se_mono_us start = ago(22), pushed_us = se_mono_now_us();
    for (unsigned i = 0; i < SE_ARRAY_LEN(recorders); i++) {
        char id[SE_ID_LEN];
        snprintf(id, sizeof(id), "camera-%u", i);
        assert_int_equal(recorder_new(place.volumes, id, &recorders[i]), 0);
        recorder_video(recorders[i], &clip.params);
        record(recorders[i], &clip, 0, 22, start); /* 0.88 s: one fragment, and the beginning of another */
    }
    unsigned filled;
    do {
        nanosleep(&(struct timespec){0, 5000000}, NULL);
        filled = 0;
        for (unsigned i = 0, files = place_files(&place); i < files; i++) {
            struct stat st;
            filled += stat(place_found[i], &st) == 0 && st.st_size > 4000;
        }
    } while (filled < SE_ARRAY_LEN(recorders) && se_mono_now_us() - pushed_us < 2 * SE_US_PER_S);
    assert_int_equal(filled, SE_ARRAY_LEN(recorders));
    assert_true(se_mono_now_us() - pushed_us < SE_US_PER_S); /* 0.04 s on a machine with time */
    for (unsigned i = 0; i < SE_ARRAY_LEN(recorders); i++)
        recorder_free(recorders[i]);
    place_fini(&place);
}

/* A disk that takes its time: in place of libc's. */
static _Atomic int flush_takes_ms, flushing;

int fdatasync(int fd)
{
    flushing++;
    int ms = flush_takes_ms;
    if (ms)
        nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
    int r = fsync(fd);
    flushing--;
    return r;
}

static void a_slow_flush_holds_up_no_writing(void **state)
{
    struct place place;
    struct recorder *recorder;
    struct stat before, now;
    place_init(&place, "ingest.segment_s=60");
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    se_mono_us start = ago(100);
    flush_takes_ms = 3000;
    record(recorder, &clip, 0, 30, start);
    for (int i = 0; i < 500 && !flushing; i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_int_equal(flushing, 1);
    assert_int_equal(place_files(&place), 1);
    assert_int_equal(stat(place_found[0], &before), 0);
    record(recorder, &clip, 30, 100, start);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(stat(place_found[0], &now), 0);
        if (now.st_size > before.st_size)
            break;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    assert_true(now.st_size > before.st_size);
    assert_int_equal(flushing, 1);
    flush_takes_ms = 0;
    recorder_free(recorder);
    place_restart(&place);
    se_wall_ms wall = se_wall_now_ms();
    se_json_ *json = list(&place, wall - 60000, wall);
    const json_t *ranges = json_object_get(json, "ranges");
    assert_int_equal(json_array_size(ranges), 1);
    assert_true(seconds(json_array_get(ranges, 0)) > 3.95);
    place_fini(&place);
}

static void a_full_queue_drops_whole_groups(void **state)
{
    struct place place;
    struct recorder *recorder;
    struct se_buf *big = se_buf_new(300000); /* four of them fill the queue */
    memset(big->data, 7, big->size);
    place_init(&place, "ingest.write_queue_bytes=1048576");
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    se_mono_us start = ago(2000);
    for (unsigned i = 0; i < 2000; i++) {
        struct access_unit *unit = access_unit_new(CODEC_H264, se_buf_ref(big));
        unit->keyframe = i % 10 == 0;
        unit->pts_90k = i * 3600;
        unit->arrived_us = start + i * 40000LL;
        recorder_push(recorder, unit);
        access_unit_unref(&unit);
    }
    recorder_free(recorder);
    place_restart(&place);
    /* Whatever was written begins with a keyframe and is whole. */
    unsigned files = place_files(&place);
    for (unsigned i = 0; i < files; i++) {
        struct stat st;
        assert_int_equal(stat(place_found[i], &st), 0);
        assert_true(st.st_size > 300000);
    }
    se_buf_unref(&big);
    place_fini(&place);
}

/* Big units at 25 fps, all keyframes; what they hold is never decoded. */
static void record_big(struct recorder *recorder, struct se_buf *big, unsigned from, unsigned to,
                       se_mono_us start_us)
{
    for (unsigned i = from; i < to; i++) {
        struct access_unit *unit = access_unit_new(CODEC_H264, se_buf_ref(big));
        unit->keyframe = true;
        unit->pts_90k = i * 3600;
        unit->arrived_us = start_us + i * 40000LL;
        recorder_push(recorder, unit);
        access_unit_unref(&unit);
    }
}

static void a_disk_that_refuses_ends_the_file_whole(void **state)
{
    const struct rlimit small = {4 << 20, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    struct place place;
    struct recorder *recorder;
    struct se_buf *big = se_buf_new(300000);
    memset(big->data, 7, big->size);
    place_init(&place, "ingest.segment_s=60");
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    se_mono_us start = ago(100);
    /* No file may grow past 4 MiB: the fourteenth unit does not go in. */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    record_big(recorder, big, 0, 25, start);
    for (int i = 0; i < 500 && volumes_healthy(place.volumes, NULL); i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_false(volumes_healthy(place.volumes, NULL));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    record_big(recorder, big, 25, 30, start); /* the volume rests: these are lost */
    for (int i = 0; i < 500 && !volumes_pick(place.volumes, CAMERA); i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_non_null(volumes_pick(place.volumes, CAMERA));
    assert_false(volumes_healthy(place.volumes, NULL)); /* it may be tried, but nothing has worked yet */
    record_big(recorder, big, 75, 100, start);
    for (int i = 0; i < 200 && !volumes_healthy(place.volumes, NULL); i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_true(volumes_healthy(place.volumes, NULL));
    recorder_free(recorder);
    place_restart(&place);
    assert_int_equal(place_files(&place), 2);
    struct stat st;
    assert_int_equal(stat(place_found[0], &st), 0);
    assert_true(st.st_size > 13 * 300000 && st.st_size < 14 * 300000);
    assert_int_equal(stat(place_found[1], &st), 0);
    assert_true(st.st_size > 25 * 300000);
    se_wall_ms now = se_wall_now_ms();
    se_json_ *json = list(&place, now - 60000, now);
    assert_int_equal(json_array_size(json_object_get(json, "ranges")), 2);
    const json_t *gap = json_array_get(json_object_get(json, "gaps"), 0);
    assert_string_equal(se_json_str(gap, "cause", ""), "disk");
    double length = seconds(json_array_get(json_object_get(json, "ranges"), 0));
    assert_true(length > 0.5 && length < 0.54); /* thirteen frames */
    se_buf_unref(&big);
    place_fini(&place);
}

static void a_file_that_cannot_be_opened_leaves_a_gap_of_the_disk(void **state)
{
    struct rlimit files;
    struct place place;
    struct recorder *recorder;
    struct se_err err = {0};
    place_init(&place, NULL);
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    se_mono_us start = ago(350); /* 14 s ago */
    record(recorder, &clip, 0, 50, start);
    for (int i = 0; i < 500; i++) {
        se_json_ *json = list(&place, 0, se_wall_now_ms());
        if (json_array_size(json_object_get(json, "ranges")))
            break;
        assert_true(i < 499);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    /* The first file ends whole, to be followed at once; the second finds no descriptor. */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1, files.rlim_max}), 0);
    record(recorder, &clip, 50, 100, start);
    for (int i = 0; i < 500 && volumes_healthy(place.volumes, &err); i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_non_null(strstr(err.text, strerror(EMFILE)));
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    assert_false(
        volumes_healthy(place.volumes, NULL)); /* the first file reached the disk: that says nothing */
    for (int i = 0; i < 500 && !volumes_pick(place.volumes, CAMERA); i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    record(recorder, &clip, 250, 350, start);
    recorder_free(recorder);
    place_restart(&place);
    se_json_ *json = list(&place, 0, se_wall_now_ms());
    const json_t *gaps = json_object_get(json, "gaps");
    assert_int_equal(json_array_size(json_object_get(json, "ranges")), 2);
    assert_string_equal(se_json_str(json_array_get(gaps, 0), "cause", ""), "disk");
    double length = seconds(json_array_get(gaps, 0));
    assert_true(length > 7.9 && length < 8.1); /* from the second file's beginning to the third's */
    place_fini(&place);
}

static void what_stands_in_one_cameras_way_stops_no_other(void **state)
{
    struct place place;
    struct recorder *recorder, *blocked;
    char path[256];
    place_init(&place, NULL);
    snprintf(path, sizeof(path), "%s/data/recordings/blocked", place.dir);
    FILE *file = fopen(path, "w"); /* where its directory would be */
    assert_non_null(file);
    fclose(file);
    assert_int_equal(recorder_new(place.volumes, "blocked", &blocked), 0);
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(blocked, &clip.params);
    recorder_video(recorder, &clip.params);
    se_mono_us start = ago(250);
    for (unsigned from = 0; from < 250; from += 25) {
        record(recorder, &clip, from, from + 25, start);
        record(blocked, &clip, from, from + 25, start);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        assert_true(volumes_healthy(place.volumes, NULL));
    }
    recorder_free(blocked);
    recorder_free(recorder);
    place_restart(&place);
    se_json_ *json = list(&place, 0, se_wall_now_ms() + 1000);
    const json_t *ranges = json_object_get(json, "ranges");
    assert_int_equal(place_files(&place), 5); /* none of the other's */
    assert_int_equal(json_array_size(ranges), 1);
    double length = seconds(json_array_get(ranges, 0));
    assert_true(length > 9.95 && length < 10.05);
    place_fini(&place);
}

static int count_row(const struct segment_row *row, void *ctx)
{
    *(unsigned *)ctx += row->open ? 0 : 1;
    return 0;
}

static int count_rows(struct store_tx *tx, void *ctx)
{
    return store_segments_range(tx, CAMERA, 0, INT64_MAX / 2, 0, count_row, ctx);
}

static unsigned closed_rows(struct place *place)
{
    unsigned count = 0;
    assert_int_equal(store_read(place->store, count_rows, &count), 0);
    return count;
}

static void a_store_that_is_locked_costs_no_footage(void **state)
{
    struct place place;
    struct recorder *recorder;
    char path[128];
    sqlite3 *other_db;
    place_init(&place, NULL);
    snprintf(path, sizeof(path), "%s/store.db", place.dir);
    assert_int_equal(sqlite3_open(path, &other_db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other_db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    record(recorder, &clip, 0, 250, ago(250));
    recorder_free(recorder);
    /* All of it is on the disk and listed, though the store has not one row. */
    se_wall_ms now = se_wall_now_ms();
    double length = 0;
    for (int i = 0; i < 500 && length < 9.9; i++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        se_json_ *json = list(&place, now - 60000, now + 1000);
        const json_t *range = json_array_get(json_object_get(json, "ranges"), 0);
        length = range ? seconds(range) : 0;
    }
    assert_true(length > 9.9 && length < 10.1);
    assert_int_equal(closed_rows(&place), 0);
    assert_int_equal(sqlite3_exec(other_db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other_db);
    for (int i = 0; i < 1500 && closed_rows(&place) < 5; i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_int_equal(closed_rows(&place), 5);
    place_fini(&place);
}

static void a_volume_without_its_marker_is_refused(void **state)
{
    struct place place;
    struct recorder *recorder;
    char path[128], marker[160];
    struct se_err err = {0};
    place_init(&place, NULL);
    volumes_stop(place.volumes);
    snprintf(path, sizeof(path), "%s/data/recordings", place.dir);
    snprintf(marker, sizeof(marker), "%s/.sharpeyes-volume", path);
    assert_int_equal(access(marker, F_OK), 0);
    assert_int_equal(unlink(marker), 0); /* as when the disk is not mounted: an empty directory */
    place_start(&place);
    assert_false(volumes_healthy(place.volumes, &err));
    assert_non_null(strstr(err.text, "mounted"));
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    record(recorder, &clip, 0, 100, ago(100));
    recorder_free(recorder);
    volumes_stop(place.volumes);
    assert_int_equal(place_files(&place), 0);
    assert_int_not_equal(access(marker, F_OK), 0);
    /* A directory that holds something and was never a volume is not taken over. */
    options_free(place.options);
    char set[160], file[160];
    snprintf(path, sizeof(path), "%s/foreign", place.dir);
    mkdir(path, 0755);
    snprintf(file, sizeof(file), "%s/letter.txt", path);
    clip_save(file, "x", 1, "wb");
    snprintf(set, sizeof(set), "volume.other.path=%s", path);
    place_options(&place, set);
    place.volumes = NULL;
    assert_true(volumes_start(place.options, place.store, &place.volumes, &err) < 0);
    assert_non_null(strstr(err.text, "not empty"));
    place_fini(&place);
}

static void a_clock_set_back_begins_a_new_epoch(void **state)
{
    struct place place;
    struct recorder *recorder;
    place_init(&place, NULL);
    /* As if an hour from now had been recorded already. */
    volumes_set_last(place.volumes, CAMERA, se_wall_now_ms() + 3600000, 4);
    assert_int_equal(recorder_new(place.volumes, CAMERA, &recorder), 0);
    recorder_video(recorder, &clip.params);
    record(recorder, &clip, 0, 30, ago(30));
    recorder_free(recorder);
    place_restart(&place);
    assert_int_equal(place_files(&place), 1);
    assert_non_null(strstr(place_found[0], "Z-5.mp4"));
    se_wall_ms end;
    int epoch;
    volumes_last(place.volumes, CAMERA, &end, &epoch); /* the store remembers */
    assert_int_equal(epoch, 5);
    assert_true(end > se_wall_now_ms() - 5000 && end < se_wall_now_ms() + 5000);
    place_fini(&place);
}

static int setup(void **state)
{
    clip_make(&clip, CODEC_H264, 320, 180, 250, 25, 25, 0);
    clip_make(&other, CODEC_H264, 160, 90, 50, 25, 25, 0);
    return 0;
}

static int teardown(void **state)
{
    clip_free(&clip);
    clip_free(&other);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_say_camera_and_time),
        cmocka_unit_test(files_play_as_they_lie_and_lose_no_frame),
        cmocka_unit_test(gaps_say_why),
        cmocka_unit_test(other_parameters_begin_another_file),
        cmocka_unit_test(b_frames_are_recorded_in_order),
        cmocka_unit_test(fragments_reach_their_files_soon),
        cmocka_unit_test(a_slow_flush_holds_up_no_writing),
        cmocka_unit_test(a_full_queue_drops_whole_groups),
        cmocka_unit_test(a_disk_that_refuses_ends_the_file_whole),
        cmocka_unit_test(a_file_that_cannot_be_opened_leaves_a_gap_of_the_disk),
        cmocka_unit_test(what_stands_in_one_cameras_way_stops_no_other),
        cmocka_unit_test(a_store_that_is_locked_costs_no_footage),
        cmocka_unit_test(a_volume_without_its_marker_is_refused),
        cmocka_unit_test(a_clock_set_back_begins_a_new_epoch),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
