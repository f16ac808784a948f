/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A latency histogram for a terminal: a bar for each power of two. Not here: percentiles
 * (model/histogram.h), or charts of a report (charts.h).
 */
#ifndef HWDBM_OUTPUT_BARS_H
#define HWDBM_OUTPUT_BARS_H

#include "../model/field.h"

#include <stdio.h>

/**
 * bars__print() - a line for each power of two from the shortest time to the longest
 *
 * @histogram: [inclusive upper bound, count] in nanoseconds, ascending
 * @mark: behind each time: "" or, for emulated ones, "*"
 */
void bars__print(FILE *out, const struct pairs *histogram, const char *mark);

#endif
