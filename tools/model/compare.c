// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranks. Not here: more than two sides at once.
 */
#include "compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MAX 50

int measured__add(struct measured *measured, uint64_t value)
{
	if (value == UNKNOWN)
		return 0;
	if (measured->count == measured->room) {
		size_t room = measured->room ? 2 * measured->room : 64;
		uint64_t *grown = realloc(measured->at, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		measured->at = grown;
		measured->room = room;
	}
	measured->at[measured->count++] = value;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

void measured__sort(struct measured *measured)
{
	if (measured->count)
		qsort(measured->at, measured->count, sizeof(*measured->at), by_size);
}

void measured__release(struct measured *measured)
{
	free(measured->at);
	*measured = (struct measured){ 0 };
}

uint64_t measured__percentile(const struct measured *measured, double percent)
{
	size_t rank = (size_t)ceil(percent / 100 * (double)measured->count);

	if (!measured->count)
		return UNKNOWN;
	return measured->at[rank ? rank - 1 : 0];
}

/* Numbers that are equal, in both sorted lists; goes on from where it was. */
struct tie {
	const struct measured *base, *other;
	size_t base_at, other_at;	/* behind this tie */
	size_t in_base, in_other;
};

static bool next_tie(struct tie *tie)
{
	size_t b = tie->base_at, o = tie->other_at;
	uint64_t value;

	if (b == tie->base->count && o == tie->other->count)
		return false;
	if (o == tie->other->count)
		value = tie->base->at[b];
	else if (b == tie->base->count || tie->other->at[o] < tie->base->at[b])
		value = tie->other->at[o];
	else
		value = tie->base->at[b];
	while (b < tie->base->count && tie->base->at[b] == value)
		b++;
	while (o < tie->other->count && tie->other->at[o] == value)
		o++;
	tie->in_base = b - tie->base_at;
	tie->in_other = o - tie->other_at;
	tie->base_at = b;
	tie->other_at = o;
	return true;
}

/*
 * Ways to choose @wanted of the ranks with each sum, by Pascal's rule; twice the ranks, so
 * that middle ranks are whole.
 */
static double exact_p(const unsigned int *ranks, size_t count, size_t wanted, unsigned int sum)
{
	size_t most = count * (count + 1) + 1;
	double *ways = calloc((wanted + 1) * most, sizeof(*ways));
	double below = 0, above = 0, all = 0, p;

	if (!ways)
		return NAN;
	ways[0] = 1;
	for (size_t i = 0; i < count; i++)
		for (size_t k = wanted; k > 0; k--)
			for (size_t s = most; s-- > ranks[i];)
				ways[k * most + s] += ways[(k - 1) * most + s - ranks[i]];
	for (size_t s = 0; s < most; s++) {
		double here = ways[wanted * most + s];

		all += here;
		below += s <= sum ? here : 0;
		above += s >= sum ? here : 0;
	}
	free(ways);
	p = 2 * fmin(below, above) / all;
	return p < 1 ? p : 1;
}

static double exact_ranks(const struct measured *base, const struct measured *other)
{
	struct tie tie = { .base = base, .other = other };
	unsigned int ranks[EXACT_MAX], sum = 0;
	size_t count = 0;

	while (next_tie(&tie)) {
		size_t size = tie.in_base + tie.in_other;
		unsigned int twice = 2 * count + size + 1;

		sum += tie.in_other * twice;
		for (size_t i = 0; i < size; i++)
			ranks[count++] = twice;
	}
	return exact_p(ranks, count, other->count, sum);
}

static double normal_ranks(double pairs, double wins, double total, double ties)
{
	double variance = pairs / 12 * (total + 1 - ties / (total * (total - 1)));
	double off = fabs(wins - pairs / 2) - 0.5;

	/* All are equal. */
	if (!(variance > 0) || off <= 0)
		return 1;
	return erfc(off / sqrt(2 * variance));
}

double compare__ranks(const struct measured *base, const struct measured *other, double *larger)
{
	struct tie tie = { .base = base, .other = other };
	double pairs = (double)base->count * (double)other->count, wins = 0, ties = 0;
	size_t total = base->count + other->count;

	*larger = NAN;
	if (!base->count || !other->count)
		return NAN;
	while (next_tie(&tie)) {
		double size = (double)(tie.in_base + tie.in_other);

		wins += (double)tie.in_other *
			((double)(tie.base_at - tie.in_base) + (double)tie.in_base / 2);
		ties += size * size * size - size;
	}
	*larger = wins / pairs;
	if (total <= EXACT_MAX)
		return exact_ranks(base, other);
	return normal_ranks(pairs, wins, (double)total, ties);
}

/*
 * Index of the smallest number of the interval that holds the median with a chance of @confidence:
 * fewer than that many numbers are below the median that seldom. SIZE_MAX if there are too few.
 */
static size_t median_rank(size_t count, double confidence)
{
	double tail = 0, most = (1 - confidence) / 2;
	size_t rank;

	for (rank = 0; rank < count / 2 + 1; rank++) {
		tail += exp(lgamma((double)count + 1) - lgamma((double)rank + 1) -
			    lgamma((double)(count - rank) + 1) - (double)count * M_LN2);
		if (tail > most)
			break;
	}
	return rank ? rank - 1 : SIZE_MAX;
}

/* Both medians have to be in theirs. */
bool compare__ratio(const struct measured *base, const struct measured *other, double *low, double *high)
{
	double each = 1 - (1 - COMPARE_CONFIDENCE) / 2;
	size_t before = median_rank(base->count, each), after = median_rank(other->count, each);
	uint64_t least, most;

	if (before == SIZE_MAX || after == SIZE_MAX)
		return false;
	least = base->at[before];
	most = base->at[base->count - 1 - before];
	if (!least)
		return false;
	*low = (double)other->at[after] / (double)most;
	*high = (double)other->at[other->count - 1 - after] / (double)least;
	return true;
}

/* Of all ways to deal the ranks out, the two most uneven ones are too many. */
static bool too_few(size_t base, size_t other)
{
	double ways = lgamma((double)(base + other + 1)) - lgamma((double)(base + 1)) -
		      lgamma((double)(other + 1));

	return log(2) - ways >= log(COMPARE_P);
}

enum comparison compare__judge(const struct measured *base, const struct measured *other, double p,
			       double larger)
{
	double before = (double)measured__percentile(base, 50);
	double after = (double)measured__percentile(other, 50);

	if (isnan(p))
		return COMPARE_UNKNOWN;
	if (too_few(base->count, other->count))
		return COMPARE_FEW;
	if (p >= COMPARE_P)
		return COMPARE_SAME;
	if (after > before * (1 + COMPARE_RATIO))
		return COMPARE_MORE;
	if (after < before * (1 - COMPARE_RATIO))
		return COMPARE_LESS;
	if (after != before || fabs(larger - 0.5) <= COMPARE_RATIO)
		return COMPARE_SAME;
	return larger > 0.5 ? COMPARE_MORE : COMPARE_LESS;
}
