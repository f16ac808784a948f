/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between sides and the one they are compared with, for people and programs.
 * Not here: the test (model/compare.h).
 */
#ifndef HWDBM_OUTPUT_DIFF_H
#define HWDBM_OUTPUT_DIFF_H

#include "side.h"

#include <stdio.h>

#define DIFF_SCHEMA "hwdbm.diff/1"

/* Of one measure and one side. */
struct diff_row {
	char run[96];
	uint64_t count;
	uint64_t p50, p90, p99, max;
	double ratio;			/* of the medians */
	double ratio_low, ratio_high;	/* its interval */
	double larger;			/* chance that one of its syncs is larger */
	double p;
	char verdict[32];
	enum comparison comparison;
};

/** diff__row() - compare a side with the base; the base with itself has no verdict */
void diff__row(const struct side *base, const struct side *side, enum measure measure,
	       struct diff_row *row);

/**
 * diff__text() - settings that differ, then a table for each measure
 * @sides: the first is the base
 * Return: 0, -ENOMEM, or -EIO.
 */
int diff__text(FILE *out, const struct sides *sides);

/** diff__json() - the same as one document. Return: 0, -ENOMEM, or -EIO. */
int diff__json(FILE *out, const struct sides *sides);

#endif
