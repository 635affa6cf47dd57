/* The table of options, for options.c and its tests. */
#ifndef OPTIONS_TABLE_H
#define OPTIONS_TABLE_H

#include "gateway/options.h"

/* Rows of the section "volume" hold for every [volume NAME]; the others stand once.
 * Rows of one section lie together: --help prints them in this order. */
extern const struct option_def options_table[];
extern const unsigned options_table_count;

#endif
