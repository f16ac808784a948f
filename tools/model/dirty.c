// SPDX-License-Identifier: GPL-2.0-only
/*
 * From units to bytes. Not here: iterations.
 */
#include "dirty.h"

#include <stdbool.h>

uint64_t dirty__bytes(const struct dirty_units *units, unsigned int shift, uint64_t start,
		      uint64_t length)
{
	uint64_t size = UINT64_C(1) << shift, end = start + length;
	uint64_t bytes = units->count << shift;

	if (!units->count)
		return 0;
	if (units->first >> shift == start >> shift)
		bytes -= start & (size - 1);
	if (units->last >> shift == (end - 1) >> shift)
		bytes -= -end & (size - 1);
	return bytes;
}

/* Whether there are dirty leaves of one size only. */
static bool is_only(const uint64_t leaves[LEAF_SIZES], unsigned int shift)
{
	for (unsigned int i = 0; i < LEAF_SIZES; i++)
		if (leaves[i] && i != shift - LEAF_SHIFT)
			return false;
	return true;
}

static bool any_larger(const uint64_t leaves[LEAF_SIZES], unsigned int shift)
{
	for (unsigned int i = shift - LEAF_SHIFT + 1; i < LEAF_SIZES; i++)
		if (leaves[i])
			return true;
	return false;
}

void dirty__from_leaves(const uint64_t leaves[LEAF_SIZES], uint64_t dirty_bytes,
			const uint64_t counted[UNIT_SIZES], uint64_t bytes[UNIT_SIZES])
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;

	for (unsigned int i = 0; i < UNIT_SIZES; i++) {
		bytes[i] = UNKNOWN;
		if (leaves[0] == UNKNOWN || any_larger(leaves, shifts[i]))
			continue;
		bytes[i] = is_only(leaves, shifts[i]) ? dirty_bytes : counted[i];
	}
}
