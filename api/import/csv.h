/* Comma-separated values (RFC 4180), with what the world makes of them: semicolons or tabs, line ends of any
 * kind, blanks around fields, quotes in the middle of one, a quote that is never closed. Pure. */
#ifndef IMPORT_CSV_H
#define IMPORT_CSV_H

#include <stddef.h>

#include "base/error.h"

#define CSV_FIELDS_MAX  64
#define CSV_FIELD_BYTES 4096
#define CSV_ROW_BYTES   32768

struct csv {
    const char *at, *end;
    unsigned line; /* where `at` is, from 1 */
    char delimiter;
};
/* The delimiter is the one of , ; tab that the first line has most of, or as a line "sep=;" says. The text is
 * borrowed, and need not end with a NUL. */
void csv_init(struct csv *csv, const char *text, size_t size);

struct csv_row {
    unsigned line; /* where it begins */
    unsigned count;
    const char *fields[CSV_FIELDS_MAX]; /* in text */
    char text[CSV_ROW_BYTES];
};
/* The next row that holds anything: 1; 0: there is none. -EINVAL: ret_row->line cannot be read (err says
 * why), and the next call goes on behind it. */
int csv_next(struct csv *csv, struct csv_row *ret_row, struct se_err *err);

#endif
