// SPDX-License-Identifier: GPL-2.0-only
/*
 * Working sets of a history's sources. Not here: how they are fitted (working_set.c).
 */
#include "forecast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1e9
#define SEED 1

/* Nobody asks since when longer ago than this. */
#define KNOWN_FROM_MOST 10

struct sets {
	struct working_set at[PREDICT_SOURCES][PRECOPY_LEVELS];
	struct predict_source sources[PREDICT_SOURCES];
	size_t count;
};

static int by_number(const void *a, const void *b)
{
	const uint64_t *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

/* Sorts; UNKNOWN of none. */
static uint64_t median(uint64_t *values, size_t count)
{
	if (!count)
		return UNKNOWN;
	qsort(values, count, sizeof(*values), by_number);
	return values[count / 2];
}

uint64_t forecast__sync_ns(const struct history_source *source)
{
	uint64_t *ns = calloc(source->count ?: 1, sizeof(*ns)), middle;
	size_t count = 0;

	for (size_t i = 0; ns && i < source->count; i++)
		if (source->points[i].sync_ns != UNKNOWN)
			ns[count++] = source->points[i].sync_ns;
	middle = median(ns, count);
	free(ns);
	return middle;
}

uint64_t forecast__split_ns(const struct history *h, uint64_t block)
{
	const struct history_cost *cost = &h->splits[__builtin_ctzll(block) - LEAF_SHIFT];
	uint64_t tlb = h->split_tlb.count ? h->split_tlb.ns / h->split_tlb.count : 0;

	return cost->count ? cost->ns / cost->count + tlb : UNKNOWN;
}

double forecast__last_interval(const struct history *history)
{
	const struct history_source *longest = NULL;

	for (size_t i = 0; i < history->count; i++)
		if (!longest || history->sources[i].count > longest->count)
			longest = &history->sources[i];
	if (!longest || !longest->count)
		return 0;
	return (double)longest->points[longest->count - 1].interval_ns / NS_PER_SECOND;
}

static bool has_iommu(const struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		if (sample__is_iommu(history->sources[i].source))
			return true;
	return false;
}

/* KVM's log is by pages whatever an IOMMU does; without an IOMMU it is what is asked about. */
static unsigned int unit_of(const struct history *history, const struct history_source *source,
			    unsigned int unit)
{
	if (has_iommu(history) && !sample__is_iommu(source->source))
		return FORECAST_AS_RECORDED;
	return unit;
}

static uint64_t bytes_of(const struct history_point *point, unsigned int unit)
{
	return unit == FORECAST_AS_RECORDED ? point->reported_bytes : point->bytes[unit];
}

/* Points up to an iteration. Return: as working_set__fit() */
static int fit(const struct history_source *source, unsigned int unit, uint64_t until,
	       double memory, struct working_set *set)
{
	struct working_point *points = calloc(source->count ?: 1, sizeof(*points));
	size_t count = 0;
	int err;

	if (!points)
		return -ENOMEM;
	for (size_t i = 0; i < source->count; i++) {
		const struct history_point *point = &source->points[i];
		uint64_t bytes = bytes_of(point, unit);

		if (bytes == UNKNOWN || (until != UNKNOWN && point->iteration > until))
			continue;
		points[count++] = (struct working_point){
			(double)point->interval_ns / NS_PER_SECOND, (double)bytes,
		};
	}
	err = working_set__fit(set, points, count, memory);
	free(points);
	return err;
}

static void release_sets(struct sets *sets)
{
	for (size_t i = 0; i < PREDICT_SOURCES; i++)
		for (unsigned int k = 0; k < PRECOPY_LEVELS; k++)
			working_set__release(&sets->at[i][k]);
}

/* All levels of one source; they are in the sets only if all of them could be fitted. */
static int fit_source(const struct forecast *f, const struct history_source *source,
		      unsigned int levels, uint64_t until, struct sets *sets)
{
	for (unsigned int k = 0; k < levels; k++) {
		struct working_set *set = &sets->at[sets->count][k];
		int err = fit(source, unit_of(f->history, source, f->units[k]), until,
			      f->memory_bytes, set);

		if (err)
			return err;
		sets->sources[sets->count].levels[k] = set;
	}
	sets->count++;
	return 0;
}

/* A source that was never read has nothing to add; any other has to tell about all levels. */
static int fit_all(const struct forecast *f, unsigned int levels, uint64_t until,
		   struct sets *sets)
{
	memset(sets, 0, sizeof(*sets));
	for (size_t i = 0; i < f->history->count && sets->count < PREDICT_SOURCES; i++) {
		const struct history_source *source = &f->history->sources[i];
		int err = source->count ? fit_source(f, source, levels, until, sets) : 0;

		if (err)
			return err;
	}
	return sets->count ? 0 : -EINVAL;
}

int forecast__run(const struct forecast *f, const struct precopy_setup *setup, uint64_t until,
		  struct prediction *out)
{
	struct sets sets;
	int err = fit_all(f, setup->levels, until, &sets);

	err = err ?: predict__run(setup, sets.sources, sets.count, SEED, out);
	release_sets(&sets);
	return err;
}

int forecast__makeup(const struct forecast *f, const struct precopy_setup *setup,
		     struct prediction_makeup *out)
{
	struct sets sets;
	int err = fit_all(f, setup->levels, UNKNOWN, &sets);

	err = err ?: predict__makeup(setup, sets.sources, sets.count, SEED, out);
	release_sets(&sets);
	return err;
}

int forecast__written(const struct forecast *f, unsigned int unit, double seconds, double *bytes)
{
	const struct working_guess on_and_on = { .early = 0.5, .late = 1, .held = 0.5 };
	double sum = 0;
	int err = -EINVAL;

	for (size_t i = 0; i < f->history->count; i++) {
		const struct history_source *source = &f->history->sources[i];
		struct working_set set = { 0 };

		if (!source->count || unit_of(f->history, source, unit) != unit)
			continue;
		err = fit(source, unit, UNKNOWN, f->memory_bytes, &set);
		if (!err)
			sum += working_curve__bytes(&set.curve, seconds, &on_and_on);
		working_set__release(&set);
		if (err)
			return err;
	}
	*bytes = sum < f->memory_bytes ? sum : f->memory_bytes;
	return err;
}

static uint64_t last_iteration(const struct history *history)
{
	uint64_t last = 0;

	for (size_t i = 0; i < history->count; i++)
		for (size_t k = 0; k < history->sources[i].count; k++) {
			uint64_t iteration = history->sources[i].points[k].iteration;

			if (iteration != UNKNOWN && iteration > last)
				last = iteration;
		}
	return last;
}

int forecast__known_from(const struct forecast *f, const struct precopy_setup *setup,
			 const struct prediction *verdict, uint64_t *iteration)
{
	uint64_t until = last_iteration(f->history);

	*iteration = UNKNOWN;
	if (verdict->converges == TRI_UNKNOWN)
		return 0;
	if (until > KNOWN_FROM_MOST)
		until = KNOWN_FROM_MOST;
	for (; until > 0; until--) {
		struct prediction then;
		int err = forecast__run(f, setup, until, &then);

		if (err == -ENOMEM)
			return err;
		if (err || then.converges != verdict->converges)
			break;
		*iteration = until;
	}
	return 0;
}

int forecast__dirty(const struct history *history, unsigned int unit, struct forecast_dirty *out)
{
	size_t most = 0, count = 0;
	uint64_t *bytes;

	for (size_t i = 0; i < history->count; i++)
		most += history->sources[i].count;
	bytes = calloc(most ?: 1, sizeof(*bytes));
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < history->count; i++) {
		const struct history_source *source = &history->sources[i];

		if (unit_of(history, source, unit) != unit)
			continue;
		for (size_t k = 0; k < source->count; k++)
			if (bytes_of(&source->points[k], unit) != UNKNOWN)
				bytes[count++] = bytes_of(&source->points[k], unit);
	}
	out->count = count;
	out->median = median(bytes, count);
	out->most = count ? bytes[count - 1] : UNKNOWN;
	free(bytes);
	return 0;
}
