// SPDX-License-Identifier: GPL-2.0-only
/*
 * Iterations from syncs. Not here: where the syncs come from.
 */
#include "iteration.h"

#include <errno.h>
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

static struct iteration_slot *find_slot(const struct slot_tracker *tracker, uint64_t slot)
{
	for (size_t i = 0; i < tracker->count; i++)
		if (tracker->slots[i].slot == slot)
			return &tracker->slots[i];
	return NULL;
}

static struct iteration_slot *add_slot(struct slot_tracker *tracker, uint64_t slot)
{
	struct iteration_slot *found = find_slot(tracker, slot);

	if (found)
		return found;
	if (tracker->count == tracker->capacity) {
		size_t capacity = tracker->capacity ? tracker->capacity * 2 : 16;
		void *slots = realloc(tracker->slots, capacity * sizeof(*tracker->slots));

		if (!slots)
			return NULL;
		tracker->slots = slots;
		tracker->capacity = capacity;
	}
	found = &tracker->slots[tracker->count++];
	*found = (struct iteration_slot){ .slot = slot };
	return found;
}

static void begin_iteration(struct slot_tracker *tracker, uint64_t number)
{
	tracker->current = number;
	for (size_t i = 0; i < tracker->count; i++)
		tracker->slots[i].synced = false;
}

int slots__start(struct slot_tracker *tracker, uint64_t slot, uint64_t length)
{
	struct iteration_slot *started = add_slot(tracker, slot);
	bool largest = true;

	if (!started)
		return -ENOMEM;
	*started = (struct iteration_slot){ .slot = slot, .length = length, .started = true };
	for (size_t i = 0; i < tracker->count; i++)
		largest &= tracker->slots[i].length <= length;
	if (largest)
		begin_iteration(tracker, 0);
	return 0;
}

int slots__late(struct slot_tracker *tracker, uint64_t slot, uint64_t length)
{
	int err = slots__start(tracker, slot, length);

	if (!err)
		find_slot(tracker, slot)->started = false;
	return err;
}

void slots__stop(struct slot_tracker *tracker, uint64_t slot)
{
	struct iteration_slot *stopped = find_slot(tracker, slot);

	if (stopped)
		*stopped = tracker->slots[--tracker->count];
}

int slots__next(struct slot_tracker *tracker, uint64_t slot, uint64_t length,
		uint64_t *iteration, bool *started)
{
	struct iteration_slot *synced = add_slot(tracker, slot);
	bool over = !tracker->current;

	if (!synced)
		return -ENOMEM;
	synced->length = length;
	if (synced->synced) {
		over = true;
		for (size_t i = 0; i < tracker->count; i++)
			over &= tracker->slots[i].synced || tracker->slots[i].length <= length;
	}
	if (over)
		begin_iteration(tracker, tracker->current + 1);
	synced->synced = true;
	*iteration = tracker->current;
	*started = synced->started;
	return 0;
}

bool slots__latest(const struct slot_tracker *tracker, uint64_t slot, uint64_t *iteration, bool *started)
{
	const struct iteration_slot *found = find_slot(tracker, slot);

	if (!found || !found->synced)
		return false;
	*iteration = tracker->current;
	*started = found->started;
	return true;
}

void slots__release(struct slot_tracker *tracker)
{
	free(tracker->slots);
	memset(tracker, 0, sizeof(*tracker));
}
