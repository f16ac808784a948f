// SPDX-License-Identifier: GPL-2.0-only
/*
 * A median and a sum of rectangles. Not here: units of what is served.
 */
#include "brownout.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1e9

int rates__add(struct rates *rates, uint64_t t_ns, double rate)
{
	if (!isfinite(rate) || rate < 0 || (rates->count && t_ns <= rates->at[rates->count - 1].t_ns))
		return -EINVAL;
	if (rates->count == rates->room) {
		size_t room = rates->room ? 2 * rates->room : 64;
		struct rate_point *at = realloc(rates->at, room * sizeof(*at));

		if (!at)
			return -ENOMEM;
		rates->at = at;
		rates->room = room;
	}
	rates->at[rates->count++] = (struct rate_point){ t_ns, rate };
	return 0;
}

void rates__release(struct rates *rates)
{
	free(rates->at);
	*rates = (struct rates){ 0 };
}

static int by_rate(const void *a, const void *b)
{
	double one = *(const double *)a, two = *(const double *)b;

	return (one > two) - (one < two);
}

static size_t points_before(const struct rates *rates, uint64_t t_ns)
{
	size_t count = 0;

	while (count < rates->count && rates->at[count].t_ns < t_ns)
		count++;
	return count;
}

/* Of the first @count points, of which there is at least one. */
static double median(const struct rates *rates, size_t count)
{
	double *sorted = malloc(count * sizeof(*sorted)), middle;

	if (!sorted)
		return NAN;
	for (size_t i = 0; i < count; i++)
		sorted[i] = rates->at[i].rate;
	qsort(sorted, count, sizeof(*sorted), by_rate);
	middle = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
	free(sorted);
	return middle;
}

static double area_below(const struct rates *rates, double steady, uint64_t start, uint64_t end,
			 size_t *points)
{
	double area = 0;

	*points = 0;
	for (size_t i = 0; i + 1 < rates->count; i++) {
		uint64_t from = rates->at[i].t_ns, to = rates->at[i + 1].t_ns;

		from = from > start ? from : start;
		to = to < end ? to : end;
		if (to <= from)
			continue;
		(*points)++;
		area += fmax(steady - rates->at[i].rate, 0) * (double)(to - from) / NS_PER_SECOND;
	}
	return area;
}

const char *brownout__compute(const struct rates *rates, uint64_t start_ns, uint64_t end_ns,
			      struct brownout *out)
{
	struct brownout b;
	size_t before;

	if (start_ns == UNKNOWN || end_ns == UNKNOWN || end_ns <= start_ns)
		return "from when to when the migration lasted is not known";
	before = points_before(rates, start_ns);
	if (before < BROWNOUT_STEADY_POINTS)
		return "fewer than 3 rates from before the migration: no steady rate";
	if (rates->at[rates->count - 1].t_ns < end_ns)
		return "the rates end before the migration does";
	b.steady = median(rates, before);
	if (!(b.steady > 0))
		return "the steady rate is 0";
	b.area = area_below(rates, b.steady, start_ns, end_ns, &b.points);
	b.lost_ns = (uint64_t)(b.area / b.steady * NS_PER_SECOND + 0.5);
	*out = b;
	return NULL;
}
