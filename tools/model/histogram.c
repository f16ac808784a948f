// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merging and percentiles of sorted histograms. Not here: anything that records one.
 */
#include "histogram.h"

#include <errno.h>
#include <stdlib.h>

int histogram__merge(struct pairs *into, const struct pairs *from)
{
	size_t a = 0, b = 0, n = 0;
	struct pair *merged;

	if (!from->count)
		return 0;
	merged = calloc(into->count + from->count, sizeof(*merged));
	if (!merged)
		return -ENOMEM;

	while (a < into->count || b < from->count) {
		bool take_a = b == from->count ||
			      (a < into->count && into->at[a].key <= from->at[b].key);
		const struct pair *next = take_a ? &into->at[a++] : &from->at[b++];

		if (n && merged[n - 1].key == next->key)
			merged[n - 1].value += next->value;
		else
			merged[n++] = *next;
	}
	free(into->at);
	into->at = merged;
	into->count = n;
	return 0;
}

uint64_t histogram__count(const struct pairs *histogram)
{
	uint64_t count = 0;

	for (size_t i = 0; i < histogram->count; i++)
		count += histogram->at[i].value;
	return count;
}

uint64_t histogram__percentile(const struct pairs *histogram, unsigned int percent, uint64_t max)
{
	uint64_t count = histogram__count(histogram), seen = 0;
	/* Nearest rank: the smallest sample that at least this share does not exceed. */
	uint64_t rank = count / 100 * percent + (count % 100 * percent + 99) / 100;

	if (!count)
		return UNKNOWN;
	for (size_t i = 0; i < histogram->count; i++) {
		seen += histogram->at[i].value;
		if (seen >= rank)
			return histogram->at[i].key < max ? histogram->at[i].key : max;
	}
	return max;
}
