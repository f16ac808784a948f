/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether one set of measurements is larger than another: percentiles, and a test by ranks
 * that assumes nothing of their distribution. Pure. Not here: what was measured.
 */
#ifndef HWDBM_MODEL_COMPARE_H
#define HWDBM_MODEL_COMPARE_H

#include "field.h"

#include <stdbool.h>

/* What is called a difference: both must hold. */
#define COMPARE_P 0.01
#define COMPARE_RATIO 0.05

/* Numbers that were measured. Zero-initialised: none. */
struct measured {
	uint64_t *at;
	size_t count;
	size_t room;
};

/** measured__add() - one more; UNKNOWN is not taken. Return: 0 or -ENOMEM. */
int measured__add(struct measured *measured, uint64_t value);

/** measured__sort() - call once all are there, before anything below */
void measured__sort(struct measured *measured);

/** measured__release() - free and forget all */
void measured__release(struct measured *measured);

/** measured__percentile() - the smallest that so many percent do not exceed; UNKNOWN of none */
uint64_t measured__percentile(const struct measured *measured, double percent);

/**
 * compare__ranks() - how likely ranks as uneven as these are by chance (two-sided p)
 *
 * Mann and Whitney's test with middle ranks for ties: exact, over all ways to deal the ranks
 * out, up to 50 numbers in all; beyond by the normal approximation with corrections for ties
 * and continuity.
 *
 * @larger: set to the chance that a number of @other is larger than one of @base, ties half
 *
 * Return: p; NaN if one side is empty, or without memory.
 */
double compare__ranks(const struct measured *base, const struct measured *other, double *larger);

/* How surely the true ratio of medians is in its interval, at least. */
#define COMPARE_CONFIDENCE 0.95

/**
 * compare__ratio() - an interval for the ratio of medians, @other against @base
 *
 * From order statistics: each median is between two of its own numbers with a known
 * chance, whatever their distribution; both are with COMPARE_CONFIDENCE, and so is the ratio.
 * It is wider than it need be rather than narrower.
 *
 * Return: whether there are enough numbers for one (7 on each side), and none is divided by 0.
 */
bool compare__ratio(const struct measured *base, const struct measured *other, double *low, double *high);

enum comparison {
	COMPARE_UNKNOWN = -3,		/* one side is empty */
	COMPARE_FEW = -2,		/* no ranks at all would bring p below COMPARE_P */
	COMPARE_LESS = -1,
	COMPARE_SAME = 0,		/* no difference shown, which is not proof of none */
	COMPARE_MORE = 1,
};

/**
 * compare__judge() - whether @other is more or less than @base
 *
 * Only if p is below COMPARE_P and the medians, or where they are equal the chances, differ
 * by more than COMPARE_RATIO.
 */
enum comparison compare__judge(const struct measured *base, const struct measured *other, double p,
			       double larger);

#endif
