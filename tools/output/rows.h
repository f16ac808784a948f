/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table for a terminal whose rows come one at a time, so that its columns have fixed
 * widths. Not here: tables that are known as a whole (text.c).
 */
#ifndef HWDBM_OUTPUT_ROWS_H
#define HWDBM_OUTPUT_ROWS_H

#include "../model/sample.h"

#include <stdbool.h>
#include <stdio.h>

/** rows__per_heading() - after how many rows it is time for the headings again, so that they stay on the screen */
size_t rows__per_heading(FILE *out, const struct field_table *table);

/** rows__heading() - the headings of a table's columns. Return: 0 or -errno. */
int rows__heading(FILE *out, const struct field_table *table);

/**
 * rows__put() - one row, and flush it
 *
 * Unknown values are "-"; a longer value moves the rest of its row.
 *
 * @emulated: mark durations with "*"
 *
 * Return: 0 or -errno.
 */
int rows__put(FILE *out, const struct field_table *table, const void *record, bool emulated);

/** rows__lost() - what was missed: "lost=3 ring=2 task=1" */
void rows__lost(FILE *out, const struct end_sample *end);

#endif
