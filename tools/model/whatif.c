// SPDX-License-Identifier: GPL-2.0-only
/*
 * Granularities that were not in force. Not here: prediction (predict.h).
 */
#include "whatif.h"
#include "dirty.h"

#include <math.h>

static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;

/*
 * A unit reaches at most to the ends of the range; it is as large as its parts together at
 * most as often as it has parts.
 */
static bool makes_sense(const struct sync_sample *sync, const uint64_t bytes[UNIT_SIZES])
{
	uint64_t smaller = UNKNOWN;
	unsigned int shift = 0;

	for (unsigned int i = 0; i < UNIT_SIZES; i++) {
		if (bytes[i] == UNKNOWN)
			continue;
		if (sync->length_bytes != UNKNOWN && bytes[i] > sync->length_bytes)
			return false;
		if (smaller != UNKNOWN && (bytes[i] < smaller ||
					   bytes[i] >> (shifts[i] - shift) > smaller))
			return false;
		smaller = bytes[i];
		shift = shifts[i];
	}
	return true;
}

bool whatif__sync(const struct sync_sample *sync, uint64_t bytes[UNIT_SIZES])
{
	bool counted = false;

	for (unsigned int i = 0; i < UNIT_SIZES; i++) {
		bytes[i] = sync->unit_bytes[i];
		counted |= bytes[i] != UNKNOWN;
	}
	if (!counted && sync->dirty_bytes != UNKNOWN) {
		static const uint64_t none[UNIT_SIZES] = { UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN };

		dirty__from_leaves(sync->dirty_entries, sync->dirty_bytes, none, bytes);
	}
	if (makes_sense(sync, bytes))
		return true;
	for (unsigned int i = 0; i < UNIT_SIZES; i++)
		bytes[i] = UNKNOWN;
	return false;
}

unsigned int whatif__unit(uint64_t bytes)
{
	for (unsigned int i = 0; i < UNIT_SIZES; i++)
		if (bytes == UINT64_C(1) << shifts[i])
			return i;
	return UNIT_SIZES;
}

double whatif__break_even(uint64_t block_bytes, const struct whatif_costs *costs,
			  double bytes_per_second, uint64_t syncs)
{
	double cost;

	if (costs->split_ns == UNKNOWN || costs->sync_ns == UNKNOWN || costs->tlb_ns == UNKNOWN ||
	    !block_bytes || !syncs || !(bytes_per_second > 0))
		return NAN;
	cost = (double)costs->split_ns / (double)syncs + (double)costs->sync_ns +
	       (double)costs->tlb_ns;
	return 1 - bytes_per_second * cost / 1e9 / (double)block_bytes;
}

/* A table is 4 KiB and holds 512 leaves of the size below. */
uint64_t whatif__tables(uint64_t memory, uint64_t block, uint64_t granularity)
{
	uint64_t tables = 0;

	for (uint64_t size = block; size > granularity; size >>= 9)
		tables += (memory + size - 1) / size;
	return tables << LEAF_SHIFT;
}
