/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The working-set curve: bytes written at least once, as a function of how long one waits.
 *
 * Every sync is a point of it: the time since the sync before, and what was dirty. The
 * curve is fitted among those that rise, ever less steeply, from 0. For writers that do
 * not change over time nothing else is possible: the chance that a page's next write comes
 * within t has the derivative "writes per second x chance of a gap longer than t", which
 * can only fall. Any such curve is a mixture of ramps min(t / T, 1) with weights that are
 * not negative; exponential saturation, hot sets and rings are among them.
 *
 * Times outside those observed have bounds, no value: what is saturated at the shortest
 * time may have been so for ever or since just then, what still grows at the longest may
 * go on or stop. Where between the bounds is the caller's to say.
 *
 * Not here: where points come from (history.h).
 */
#ifndef HWDBM_MODEL_WORKING_SET_H
#define HWDBM_MODEL_WORKING_SET_H

#include "random.h"

#include <stddef.h>

#define WORKING_RAMPS 22

struct working_point {
	double interval_s;
	double bytes;
};

/* Zero-initialised: nothing is ever written. */
struct working_curve {
	double first_s, last_s;		/* shortest and longest time observed */
	double most_bytes;		/* the memory that can be written */
	double held;			/* bytes that are saturated at first_s */
	double ramps[WORKING_RAMPS];	/* bytes that saturate in between */
	double knots[WORKING_RAMPS];	/* and when each of them does, seconds */
	double growing;			/* bytes at last_s that grow with time all along */
};

/* Where between the bounds; 0.5 of everything is the middle. */
struct working_guess {
	double early;			/* 0: what is held was held at once; 1: it grew evenly */
	double late;			/* 0: growth stops at last_s; 1: it goes on */
	double held;			/* share held, where all points have one interval */
};

struct working_error {
	double interval_s;
	double log_ratio;		/* log of point / curve */
};

/* Zero-initialised: no points. */
struct working_set {
	struct working_curve curve;
	size_t point_count;
	size_t bin_count;		/* of different intervals */
	struct working_point *points;
	struct working_error *errors;	/* by interval */
	double spread;			/* of the whole curve: standard deviation of the logarithm */
};

/**
 * working_set__fit() - fit the curve to points
 *
 * Weighs relative errors: a curve has to be right for short intervals too.
 *
 * @points: intervals must be above 0; copied
 * @memory_bytes: no more can be written; 0 or less: not known
 *
 * Return: 0; -EINVAL without points; -ENOMEM. Free with working_set__release().
 */
int working_set__fit(struct working_set *set, const struct working_point *points, size_t count,
		     double memory_bytes);

/** working_set__release() - free and forget all points */
void working_set__release(struct working_set *set);

/** working_curve__bytes() - bytes written at least once within a time */
double working_curve__bytes(const struct working_curve *curve, double seconds,
			    const struct working_guess *guess);

/**
 * working_set__resample() - another curve that would have explained the points as well
 *
 * Fitted to the curve's own values with errors drawn from those of the points, which shows
 * how far the points pin the curve down. That all may be off together, by a factor with the
 * deviation spread, is the caller's to add.
 */
void working_set__resample(const struct working_set *set, struct random *random,
			   const struct working_guess *guess, struct working_curve *out);

/**
 * working_set__draw_error() - how far a sync may lie from the curve: a factor, around 1
 *
 * Drawn from the errors of points with similar intervals.
 */
double working_set__draw_error(const struct working_set *set, double seconds,
			       struct random *random);

#endif
