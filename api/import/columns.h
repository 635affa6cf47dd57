/* The columns of a list of cameras: their headings in Chinese and English, and a row as the API's camera.
 * Pure. */
#ifndef IMPORT_COLUMNS_H
#define IMPORT_COLUMNS_H

#include <jansson.h>
#include <stdbool.h>

#include "import/csv.h"

enum import_column {
    COLUMN_CODE,
    COLUMN_NAME,
    COLUMN_DEPARTMENT,
    COLUMN_GRID,
    COLUMN_LAT,
    COLUMN_LON,
    COLUMN_MAIN_URL,
    COLUMN_SUB_URL,
    COLUMN_USERNAME,
    COLUMN_PASSWORD,
    COLUMN_TRANSPORT,
    COLUMN_ENABLED,
    COLUMN_RECORD_MODE,
    COLUMN_RETENTION_DAYS,
    COLUMN_ENGINE,
    COLUMN_FINGERPRINT,
    IMPORT_COLUMNS,
};
const char *import_column_name(enum import_column column); /* "main_url" */

struct import_columns {
    int at[IMPORT_COLUMNS]; /* which field of a row; -1: the file has none */
    json_t *ignored;        /* headings that mean nothing here */
};
/* Reads the row of headings. -EINVAL: one that is needed is missing, or one is there twice. */
int import_columns_read(const struct csv_row *row, struct import_columns *ret_columns, struct se_err *err);
void import_columns_fini(struct import_columns *columns);

/* The field of a row; "" when it is not there. */
const char *import_field(const struct import_columns *columns, const struct csv_row *row,
                         enum import_column column);
/* Adds {field, reason} to a list of errors. */
void import_wrong(json_t *errors, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The row as the JSON of a POST or PATCH of /api/v1/cameras, but for department_id and grid_id, which are as
 * they stand in the file. Empty fields are left out: they leave what is there. has_sub: the camera has a sub
 * stream already. What is wrong is added to errors. NULL: out of memory. */
json_t *import_row_json(const struct import_columns *columns, const struct csv_row *row, bool gcj02,
                        bool has_sub, json_t *errors);
/* "streams/0/url" is in the file's words "main_url". */
const char *import_field_name(const char *api_field);

#endif
