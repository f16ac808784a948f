// SPDX-License-Identifier: GPL-2.0-only
/*
 * Iterations from syncs. Not here: where the syncs come from.
 */
#include "iteration.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool overlaps(const struct iteration_range *a, const struct iteration_range *b)
{
	return a->domain == b->domain && a->first <= b->last && b->first <= a->last;
}

static bool joins(struct iteration_range *into, const struct iteration_range *range)
{
	if (into->domain != range->domain)
		return false;
	if (range->first && into->last == range->first - 1) {
		into->last = range->last;
		return true;
	}
	if (into->first && range->last == into->first - 1) {
		into->first = range->first;
		return true;
	}
	return false;
}

int iteration__next(struct iteration_tracker *tracker, uint64_t domain, uint64_t iova,
		    uint64_t length, uint64_t *iteration)
{
	struct iteration_range range = { domain, iova, iova + length - 1 };
	bool again = !tracker->current;

	if (!length || range.last < range.first)
		return -EINVAL;

	if (tracker->count == tracker->capacity) {
		size_t capacity = tracker->capacity ? tracker->capacity * 2 : 16;
		void *ranges = realloc(tracker->ranges, capacity * sizeof(range));

		if (!ranges)
			return -ENOMEM;
		tracker->ranges = ranges;
		tracker->capacity = capacity;
	}

	for (size_t i = 0; !again && i < tracker->count; i++)
		again = overlaps(&tracker->ranges[i], &range);
	if (again) {
		tracker->current++;
		tracker->count = 0;
	}
	*iteration = tracker->current;

	/* The newest range is the likeliest neighbour. */
	for (size_t i = tracker->count; i-- > 0;)
		if (joins(&tracker->ranges[i], &range))
			return 0;
	tracker->ranges[tracker->count++] = range;
	return 0;
}

void iteration__restart(struct iteration_tracker *tracker)
{
	tracker->current = 0;
	tracker->count = 0;
}

void iteration__release(struct iteration_tracker *tracker)
{
	free(tracker->ranges);
	memset(tracker, 0, sizeof(*tracker));
}
