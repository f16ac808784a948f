// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fitting times of last copies. Not here: what they are used for.
 */
#include "last_copy.h"

#include <errno.h>
#include <math.h>

/* Of sizes that differ less than so many times the two parts cannot be told apart. */
#define APART 2.0

/* What blackouts of one kind differ by before any was measured, and for how many that counts. */
#define GUESS 0.15
#define GUESS_COUNTS 2

/* The fixed part is looked for among so many bytes' worth of time, by steps that get no larger. */
#define STEPS 200
#define SMALLEST_SHARE 1e-3
#define LARGEST_SHARE 1e2

struct line {
	double head;			/* bytes that take as long as the fixed part */
	double log_byte_s;
	double squares;			/* of what is left unexplained */
};

static struct line fit_slope(const struct last_copy_point *points, size_t count, double head)
{
	struct line line = { .head = head };

	for (size_t i = 0; i < count; i++) {
		double at = log(points[i].seconds / (points[i].bytes + head));
		double away = at - line.log_byte_s;

		line.log_byte_s += away / (double)(i + 1);
		line.squares += away * (at - line.log_byte_s);
	}
	return line;
}

int last_copy__fit(struct last_copy *copy, const struct last_copy_point *points, size_t count)
{
	double smallest = INFINITY, largest = 0;
	struct line best;

	if (!count)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		smallest = fmin(smallest, points[i].bytes);
		largest = fmax(largest, points[i].bytes);
	}
	best = fit_slope(points, count, 0);
	*copy = (struct last_copy){ .line = count > 2 && largest >= APART * smallest };
	for (unsigned int i = 0; copy->line && i <= STEPS; i++) {
		double share = SMALLEST_SHARE * pow(LARGEST_SHARE / SMALLEST_SHARE, (double)i / STEPS);
		struct line line = fit_slope(points, count, share * largest);

		if (line.squares < best.squares)
			best = line;
	}
	copy->byte_s = exp(best.log_byte_s);
	copy->fixed_s = best.head * copy->byte_s;
	copy->freedom = GUESS_COUNTS + (unsigned int)(count - (copy->line ? 2 : 1));
	copy->spread = sqrt((best.squares + GUESS_COUNTS * GUESS * GUESS) / copy->freedom *
			    (1 + 1.0 / (double)count));
	return 0;
}
