#include "import/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char delimiters[] = ",;\t";

static const char *line_end(const char *at, const char *end)
{
    while (at < end && *at != '\n' && *at != '\r')
        at++;
    return at;
}

/* Behind the line end at `at`: \r\n is one, and so is each alone. */
static const char *skip_line_end(const char *at, const char *end)
{
    if (at < end && *at == '\r')
        return at + 1 + (at + 1 < end && at[1] == '\n');
    return at + (at < end);
}

static void next_line(struct csv *csv)
{
    csv->at = skip_line_end(line_end(csv->at, csv->end), csv->end);
    csv->line++;
}

void csv_init(struct csv *csv, const char *text, size_t size)
{
    unsigned counts[sizeof(delimiters) - 1] = {0}, best = 0;
    bool quoted = false;
    *csv = (struct csv){.at = text, .end = text + size, .line = 1};
    while (csv->at < csv->end && (*csv->at == '\n' || *csv->at == '\r'))
        next_line(csv);
    const char *end = line_end(csv->at, csv->end);
    if (end - csv->at == 5 && strncasecmp(csv->at, "sep=", 4) == 0) {
        csv->delimiter = csv->at[4];
        next_line(csv);
        if (csv->delimiter != '"')
            return;
        end = line_end(csv->at, csv->end);
    }
    for (const char *p = csv->at; p < end; p++) {
        quoted ^= *p == '"';
        const char *found = quoted || !*p ? NULL : strchr(delimiters, *p);
        if (found)
            counts[found - delimiters]++;
    }
    for (unsigned i = 1; i < sizeof(delimiters) - 1; i++)
        best = counts[i] > counts[best] ? i : best;
    csv->delimiter = delimiters[best];
}

static bool is_blank(const struct csv *csv, char c)
{
    return (c == ' ' || c == '\t') && c != csv->delimiter;
}

/* A row being read. */
struct reading {
    struct csv *csv;
    struct csv_row *row;
    size_t used, start; /* of row->text; where the field began */
    const char *wrong;
};

static void put(struct reading *r, char c)
{
    if (!c)
        r->wrong = "it holds a NUL byte: is this a text file?";
    else if (r->used - r->start >= CSV_FIELD_BYTES)
        r->wrong = "a field has more than 4096 bytes; is a quote not closed?";
    else if (r->used + 1 >= CSV_ROW_BYTES)
        r->wrong = "the row has more than 32 KiB";
    else
        r->row->text[r->used++] = c;
}

/* Within quotes; behind the closing one. */
static void read_quoted(struct reading *r)
{
    struct csv *csv = r->csv;
    for (csv->at++; !r->wrong; csv->at++) {
        if (csv->at >= csv->end) {
            r->wrong = "a quote is not closed";
            return;
        }
        if (*csv->at == '"' && (csv->at + 1 >= csv->end || csv->at[1] != '"')) {
            csv->at++;
            return;
        }
        csv->at += *csv->at == '"';
        csv->line +=
            *csv->at == '\n' || (*csv->at == '\r' && (csv->at + 1 >= csv->end || csv->at[1] != '\n'));
        put(r, *csv->at);
    }
}

static void read_field(struct reading *r)
{
    struct csv *csv = r->csv;
    size_t kept = r->used;
    r->start = r->used;
    if (r->row->count == CSV_FIELDS_MAX) {
        r->wrong = "the row has more than 64 fields";
        return;
    }
    r->row->fields[r->row->count++] = r->row->text + r->start;
    while (csv->at < csv->end && is_blank(csv, *csv->at))
        csv->at++;
    if (csv->at < csv->end && *csv->at == '"') {
        read_quoted(r);
        kept = r->used;
    }
    for (; csv->at < csv->end && !r->wrong && *csv->at != csv->delimiter && *csv->at != '\n' &&
           *csv->at != '\r';
         csv->at++) {
        put(r, *csv->at);
        if (!is_blank(csv, *csv->at))
            kept = r->used;
    }
    r->used = kept; /* without the blanks at its end */
    r->row->text[r->used++] = '\0';
}

/* 1 when it holds anything, 0 when it does not; -EINVAL with r->wrong. */
static int read_row(struct reading *r)
{
    struct csv *csv = r->csv;
    bool any = false;
    for (;;) {
        read_field(r);
        if (r->wrong)
            return -EINVAL;
        any |= r->row->fields[r->row->count - 1][0] != '\0';
        if (r->used >= CSV_ROW_BYTES - 1) {
            r->wrong = "the row has more than 32 KiB";
            return -EINVAL;
        }
        if (csv->at >= csv->end || *csv->at != csv->delimiter)
            break;
        csv->at++;
    }
    next_line(csv);
    return any;
}

int csv_next(struct csv *csv, struct csv_row *ret_row, struct se_err *err)
{
    while (csv->at < csv->end) {
        struct csv begin = *csv;
        struct reading reading = {.csv = csv, .row = ret_row};
        ret_row->line = csv->line;
        ret_row->count = 0;
        int r = read_row(&reading);
        if (r < 0) {
            *csv = begin; /* whatever it was, the next line is another row */
            next_line(csv);
            return se_fail(err, r, "%s", reading.wrong);
        }
        if (r > 0)
            return 1;
    }
    return 0;
}
