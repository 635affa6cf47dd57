#include "gateway/store_segments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/sql.h"

#define COLUMNS "camera_id, start_ms, epoch, end_ms, open, bytes, volume, codecs, gap"

int store_segment_put(struct store_tx *tx, const struct segment_row *row)
{
    return sql_exec(tx,
                    "INSERT INTO segment (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
                    "ON CONFLICT (camera_id, start_ms, epoch) DO UPDATE SET end_ms = excluded.end_ms, "
                    "open = excluded.open, bytes = excluded.bytes, volume = excluded.volume, "
                    "codecs = excluded.codecs, gap = excluded.gap",
                    SQL_ARGS(SQL_TEXT(row->camera_id), SQL_INT(row->start_ms), SQL_INT(row->epoch),
                             SQL_INT(row->end_ms), SQL_INT(row->open), SQL_INT(row->bytes),
                             SQL_TEXT(row->volume), SQL_TEXT(row->codecs), SQL_TEXT(row->gap)),
                    NULL);
}

int store_segment_forget(struct store_tx *tx, const char *camera_id, se_wall_ms start_ms, int epoch)
{
    return sql_exec(tx, "DELETE FROM segment WHERE camera_id = $1 AND start_ms = $2 AND epoch = $3",
                    SQL_ARGS(SQL_TEXT(camera_id), SQL_INT(start_ms), SQL_INT(epoch)), NULL);
}

struct visitor {
    segment_visit visit;
    void *ctx;
};

static int visit_row(const struct sql_row *row, void *ctx)
{
    const struct visitor *v = ctx;
    struct segment_row segment = {
        .camera_id = sql_col_text(row, 0),
        .start_ms = sql_col_int(row, 1),
        .epoch = (int)sql_col_int(row, 2),
        .end_ms = sql_col_int(row, 3),
        .open = sql_col_int(row, 4) != 0,
        .bytes = sql_col_int(row, 5),
        .volume = sql_col_text(row, 6),
        .codecs = sql_col_text(row, 7),
        .gap = sql_col_text(row, 8),
    };
    return v->visit(&segment, v->ctx);
}

int store_segments_range(struct store_tx *tx, const char *camera_id, se_wall_ms from_ms, se_wall_ms to_ms,
                         int64_t longest_ms, segment_visit visit, void *ctx)
{
    struct visitor v = {visit, ctx};
    int r =
        sql_each(tx,
                 "SELECT " COLUMNS " FROM segment WHERE camera_id = $1 AND start_ms < $2 AND end_ms <= $2 "
                 "ORDER BY start_ms DESC LIMIT 1",
                 SQL_ARGS(SQL_TEXT(camera_id), SQL_INT(from_ms)), visit_row, &v);
    if (r != 0)
        return r;
    return sql_each(
        tx,
        "SELECT " COLUMNS " FROM segment WHERE camera_id = $1 AND start_ms > $2 AND start_ms < $3 "
        "AND end_ms > $4 ORDER BY start_ms, epoch",
        SQL_ARGS(SQL_TEXT(camera_id), SQL_INT(from_ms - longest_ms), SQL_INT(to_ms), SQL_INT(from_ms)),
        visit_row, &v);
}

int store_segments_open(struct store_tx *tx, const char *volume, segment_visit visit, void *ctx)
{
    struct visitor v = {visit, ctx};
    return sql_each(
        tx, "SELECT " COLUMNS " FROM segment WHERE open = 1 AND volume = $1 ORDER BY camera_id, start_ms",
        SQL_ARGS(SQL_TEXT(volume)), visit_row, &v);
}

int store_segment_known(struct store_tx *tx, const char *camera_id, se_wall_ms start_ms, int epoch)
{
    int64_t one;
    return sql_int(tx, "SELECT 1 FROM segment WHERE camera_id = $1 AND start_ms = $2 AND epoch = $3",
                   SQL_ARGS(SQL_TEXT(camera_id), SQL_INT(start_ms), SQL_INT(epoch)), &one);
}

static int copy_id(const struct sql_row *row, void *ctx)
{
    const char *text = sql_col_text(row, 0);
    char **id = ctx;
    *id = text ? strdup(text) : NULL;
    return text && !*id ? -ENOMEM : 0;
}

/* Steps from camera to camera through the key, so that its cost follows the cameras, not the files. */
int store_segments_last(struct store_tx *tx, segment_visit visit, void *ctx)
{
    struct visitor v = {visit, ctx};
    se_free_ char *camera = strdup("");
    int r = camera ? 0 : -ENOMEM;
    while (r == 0) {
        char *next = NULL;
        r = sql_each(tx, "SELECT min(camera_id) FROM segment WHERE camera_id > $1",
                     SQL_ARGS(SQL_TEXT(camera)), copy_id, &next);
        if (r != 0 || !next) {
            free(next);
            break;
        }
        free(camera);
        camera = next;
        int64_t epoch = 0;
        r = sql_int(tx, "SELECT coalesce(max(epoch), 0) FROM segment WHERE camera_id = $1 AND epoch > 0",
                    SQL_ARGS(SQL_TEXT(camera)), &epoch);
        if (r == 0)
            r = sql_each(tx,
                         "SELECT " COLUMNS " FROM segment WHERE camera_id = $1 AND epoch = $2 "
                         "ORDER BY start_ms DESC LIMIT 1",
                         SQL_ARGS(SQL_TEXT(camera), SQL_INT(epoch)), visit_row, &v);
    }
    return r;
}
