// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fitting the curve: least squares of relative errors with weights that are not negative,
 * by active sets. Not here: what it is used for.
 */
#include "working_set.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BINS 40
#define BASES (WORKING_RAMPS + 2)
#define HELD WORKING_RAMPS		/* index of the base that is saturated at once */
#define GROWING (WORKING_RAMPS + 1)	/* and of the one that never is */
#define RIDGE 1e-10			/* neighbouring ramps look much the same */
#define SETTLED 1e-9			/* share of the error's norm that is not worth a base */

/* Intervals that differ by less are the same to the fit. */
#define SAME_INTERVAL 1.02

/* Below this share of the largest point an error counts as if the point were as large. */
#define SMALLEST 0.005

/* More points than these are thinned out; a curve has some twenty parameters. */
#define POINTS_MAX 4000

/*
 * Of one point nobody knows how far the curve is off; so wide is the guess, as a standard
 * deviation of the logarithm. It shrinks with the root of the points. Single syncs of the
 * same length are assumed to differ by a part of that, besides what the points show.
 */
#define SPREAD_OF_ONE 0.10
#define SYNC_SHARE 0.33

struct bin {
	double interval_s;
	double bytes;
	double count;
};

static void place_knots(struct working_curve *curve)
{
	double ratio = curve->last_s / curve->first_s;

	for (unsigned int i = 0; i < WORKING_RAMPS; i++)
		curve->knots[i] = curve->first_s * pow(ratio, (i + 1.0) / (WORKING_RAMPS + 1.0));
}

static double base_at(const struct working_curve *curve, unsigned int base, double seconds)
{
	double full = base == HELD ? curve->first_s : base == GROWING ? curve->last_s :
		      curve->knots[base];

	return seconds < full ? seconds / full : 1;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

double working_curve__bytes(const struct working_curve *curve, double seconds,
			    const struct working_guess *guess)
{
	double bytes, inside = least(seconds, curve->last_s);

	if (!(seconds > 0) || !(curve->first_s > 0))
		return 0;
	bytes = curve->held;
	if (seconds < curve->first_s)
		bytes *= pow(seconds / curve->first_s, guess->early);
	for (unsigned int i = 0; i < WORKING_RAMPS; i++)
		if (curve->ramps[i] > 0)
			bytes += curve->ramps[i] * base_at(curve, i, inside);
	bytes += curve->growing * inside / curve->last_s;
	if (seconds > curve->last_s)
		bytes += curve->growing * guess->late * (seconds / curve->last_s - 1);
	return curve->most_bytes > 0 ? least(bytes, curve->most_bytes) : bytes;
}

static int by_interval(const void *a, const void *b)
{
	const double *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

/* Points, sorted by interval, that have the same interval for all that matters. */
static size_t make_bins(const struct working_point *points, size_t count, struct bin *bins)
{
	double ratio = pow(points[count - 1].interval_s / points[0].interval_s, 1.0 / BINS);
	double end = 0;
	size_t bin_count = 0;

	if (ratio < SAME_INTERVAL)
		ratio = SAME_INTERVAL;
	for (size_t i = 0; i < count; i++) {
		struct bin *bin;

		if (!bin_count || (points[i].interval_s > end && bin_count < BINS)) {
			bins[bin_count++] = (struct bin){ 0 };
			end = points[i].interval_s * ratio;
		}
		bin = &bins[bin_count - 1];
		bin->count++;
		bin->interval_s += (points[i].interval_s - bin->interval_s) / bin->count;
		bin->bytes += (points[i].bytes - bin->bytes) / bin->count;
	}
	return bin_count;
}

static double scale_of(const struct bin *bins, size_t count)
{
	double most = 0;

	for (size_t i = 0; i < count; i++)
		if (bins[i].bytes > most)
			most = bins[i].bytes;
	return most;
}

struct normal_equations {
	double gram[BASES][BASES];
	double goal[BASES];
};

/* Solves for the bases in use alone, by Cholesky's decomposition; the others are 0. */
static void solve(const struct normal_equations *e, const bool used[BASES], double out[BASES])
{
	double lower[BASES][BASES];
	unsigned int at[BASES], n = 0;

	for (unsigned int i = 0; i < BASES; i++) {
		out[i] = 0;
		if (used[i])
			at[n++] = i;
	}
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k <= i; k++) {
			double sum = e->gram[at[i]][at[k]] * (i == k ? 1 + RIDGE : 1);

			for (unsigned int j = 0; j < k; j++)
				sum -= lower[i][j] * lower[k][j];
			if (i == k)
				lower[i][i] = sqrt(sum > 0 ? sum : RIDGE * e->gram[at[i]][at[i]]);
			else
				lower[i][k] = sum / lower[k][k];
		}
	for (unsigned int i = 0; i < n; i++) {
		double sum = e->goal[at[i]];

		for (unsigned int j = 0; j < i; j++)
			sum -= lower[i][j] * out[at[j]];
		out[at[i]] = sum / lower[i][i];
	}
	for (unsigned int i = n; i-- > 0;) {
		double sum = out[at[i]];

		for (unsigned int j = i + 1; j < n; j++)
			sum -= lower[j][i] * out[at[j]];
		out[at[i]] = sum / lower[i][i];
	}
}

/* The base that would lower the error most; BASES if none would. */
static unsigned int steepest(const struct normal_equations *e, const bool used[BASES],
			     const double weights[BASES])
{
	unsigned int best = BASES;
	double most = SETTLED;

	for (unsigned int i = 0; i < BASES; i++) {
		double slope = e->goal[i];

		if (used[i])
			continue;
		for (unsigned int k = 0; k < BASES; k++)
			slope -= e->gram[i][k] * weights[k];
		slope /= sqrt(e->gram[i][i]);
		if (slope > most) {
			most = slope;
			best = i;
		}
	}
	return best;
}

/* Goes as far towards the solution as no weight falls below 0; drops those that reach it. */
static bool step(bool used[BASES], double weights[BASES], const double solution[BASES])
{
	unsigned int stops = BASES;
	double share = 1;

	for (unsigned int i = 0; i < BASES; i++) {
		double part;

		if (!used[i] || solution[i] > 0)
			continue;
		part = weights[i] / (weights[i] - solution[i]);
		if (stops == BASES || part < share) {
			share = part;
			stops = i;
		}
	}
	for (unsigned int i = 0; i < BASES; i++)
		weights[i] += share * (solution[i] - weights[i]);
	if (stops == BASES)
		return true;
	weights[stops] = 0;
	used[stops] = false;
	return false;
}

/* Least squares with weights that are not negative (Lawson and Hanson 1974, chapter 23). */
static void fit_weights(const struct normal_equations *e, double weights[BASES])
{
	bool used[BASES] = { false };
	double solution[BASES];

	memset(weights, 0, BASES * sizeof(*weights));
	for (int round = 0; round < 3 * BASES; round++) {
		unsigned int next = steepest(e, used, weights);

		if (next == BASES)
			break;
		used[next] = true;
		do
			solve(e, used, solution);
		while (!step(used, weights, solution));
	}
}

/* All points have one interval: how much of it is held nobody can tell. */
static void fit_one(struct working_curve *curve, const struct bin *bin, double held)
{
	curve->held = bin->bytes * held;
	curve->growing = bin->bytes * (1 - held);
}

static void fit_bins(struct working_curve *curve, const struct bin *bins, size_t count, double held)
{
	struct normal_equations e = { 0 };
	double weights[BASES];
	double most = scale_of(bins, count);

	curve->held = curve->growing = 0;
	memset(curve->ramps, 0, sizeof(curve->ramps));
	if (count == 1) {
		fit_one(curve, bins, held);
		return;
	}
	if (!(most > 0))
		return;
	for (size_t b = 0; b < count; b++) {
		double size = bins[b].bytes > most * SMALLEST ? bins[b].bytes : most * SMALLEST;
		double row[BASES];

		for (unsigned int i = 0; i < BASES; i++)
			row[i] = base_at(curve, i, bins[b].interval_s) / size;
		for (unsigned int i = 0; i < BASES; i++) {
			e.goal[i] += bins[b].count * row[i] * bins[b].bytes / size;
			for (unsigned int k = 0; k < BASES; k++)
				e.gram[i][k] += bins[b].count * row[i] * row[k];
		}
	}
	fit_weights(&e, weights);
	memcpy(curve->ramps, weights, sizeof(curve->ramps));
	curve->held = weights[HELD];
	curve->growing = weights[GROWING];
}

static const struct working_guess middle = { 0.5, 0.5, 0.5 };

/* The more the fit can bend to the points, the smaller their distances from it look. */
static double widen(size_t points, size_t parameters)
{
	return points > parameters ? sqrt((double)points / (double)(points - parameters)) : 1;
}

static int take_errors(struct working_set *set)
{
	const struct working_curve *curve = &set->curve;
	size_t parameters = (curve->held > 0) + (curve->growing > 0);
	double last = working_curve__bytes(curve, curve->last_s, &middle);

	set->errors = calloc(set->point_count, sizeof(*set->errors));
	if (!set->errors)
		return -ENOMEM;
	for (unsigned int i = 0; i < WORKING_RAMPS; i++)
		parameters += curve->ramps[i] > last * 0.01;
	if (parameters > set->bin_count)
		parameters = set->bin_count;
	for (size_t i = 0; i < set->point_count; i++) {
		double fitted = working_curve__bytes(curve, set->points[i].interval_s, &middle);
		double small = last * SMALLEST + 1;

		set->errors[i].interval_s = set->points[i].interval_s;
		set->errors[i].log_ratio = log((set->points[i].bytes + small) / (fitted + small)) *
					   widen(set->point_count, parameters);
	}
	set->spread = SPREAD_OF_ONE / sqrt((double)set->point_count);
	return 0;
}

static size_t copy_points(struct working_set *set, const struct working_point *points,
			  size_t count)
{
	size_t step = count / POINTS_MAX + 1, kept = 0;

	for (size_t i = 0; i < count; i += step)
		if (points[i].interval_s > 0 && points[i].bytes >= 0)
			set->points[kept++] = points[i];
	return kept;
}

int working_set__fit(struct working_set *set, const struct working_point *points, size_t count,
		     double memory_bytes)
{
	struct bin bins[BINS];
	int err;

	*set = (struct working_set){ .curve.most_bytes = memory_bytes };
	set->points = calloc(count ?: 1, sizeof(*set->points));
	if (!set->points)
		return -ENOMEM;
	set->point_count = copy_points(set, points, count);
	if (!set->point_count) {
		working_set__release(set);
		return -EINVAL;
	}
	qsort(set->points, set->point_count, sizeof(*set->points), by_interval);
	set->curve.first_s = set->points[0].interval_s;
	set->curve.last_s = set->points[set->point_count - 1].interval_s;
	place_knots(&set->curve);
	set->bin_count = make_bins(set->points, set->point_count, bins);
	fit_bins(&set->curve, bins, set->bin_count, middle.held);
	err = take_errors(set);
	if (err)
		working_set__release(set);
	return err;
}

void working_set__release(struct working_set *set)
{
	free(set->points);
	free(set->errors);
	*set = (struct working_set){ 0 };
}

double working_set__draw_error(const struct working_set *set, double seconds,
			       struct random *random)
{
	size_t window = set->point_count / 4 + 3, low = 0, high = set->point_count, first;

	if (!set->point_count)
		return 1;
	while (low < high) {
		size_t between = (low + high) / 2;

		if (set->errors[between].interval_s < seconds)
			low = between + 1;
		else
			high = between;
	}
	if (window > set->point_count)
		window = set->point_count;
	first = low > window / 2 ? low - window / 2 : 0;
	if (first > set->point_count - window)
		first = set->point_count - window;
	first += random__below(random, window);
	return exp(set->errors[first].log_ratio +
		   SYNC_SHARE * set->spread * random__normal(random));
}

void working_set__resample(const struct working_set *set, struct random *random,
			   const struct working_guess *guess, struct working_curve *out)
{
	struct working_point *points;
	struct bin bins[BINS];
	size_t count;

	*out = set->curve;
	if (!set->point_count)
		return;
	points = malloc(set->point_count * sizeof(*points));
	if (!points)
		return;
	for (size_t i = 0; i < set->point_count; i++) {
		double at = set->points[i].interval_s;

		points[i].interval_s = at;
		points[i].bytes = working_curve__bytes(&set->curve, at, &middle) *
				  working_set__draw_error(set, at, random);
	}
	count = make_bins(points, set->point_count, bins);
	fit_bins(out, bins, count, guess->held);
	free(points);
}
