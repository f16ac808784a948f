/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers with their units, as people read them. Not here: numbers for programs
 * (JSON and metrics keep full precision and base units).
 */
#ifndef HWDBM_OUTPUT_UNITS_H
#define HWDBM_OUTPUT_UNITS_H

#include "../model/field.h"

#define UNITS_TEXT 40		/* room for any of these texts */

/** units__bytes() - "2.13 GiB"; UNKNOWN is "-" */
const char *units__bytes(uint64_t bytes, char text[UNITS_TEXT]);

/** units__leaf() - a leaf or backing size: "4K", "2M", "1G"; UNKNOWN is "-" */
const char *units__leaf(uint64_t bytes, char text[UNITS_TEXT]);

/** units__duration() - "91.2 µs", the clock being the caller's to name; UNKNOWN is "-" */
const char *units__duration(uint64_t ns, char text[UNITS_TEXT]);

/** units__clock() - a moment in seconds and microseconds, "81234.567890"; UNKNOWN is "-" */
const char *units__clock(uint64_t ns, char text[UNITS_TEXT]);

/** units__count() - "262,144"; UNKNOWN is "-" */
const char *units__count(uint64_t count, char text[UNITS_TEXT]);

/** units__ratio() - three digits and separators: "1.02", "262,144"; NaN is "-" */
const char *units__ratio(double ratio, char text[UNITS_TEXT]);

/** units__field() - whatever the field holds, by its type and unit; unknown is "-" */
const char *units__field(const struct field *field, const void *record, char text[UNITS_TEXT]);

#endif
