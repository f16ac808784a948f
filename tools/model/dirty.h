/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dirty bytes as they would be if memory were tracked in larger or smaller units. Not here:
 * who counted the units.
 */
#ifndef HWDBM_MODEL_DIRTY_H
#define HWDBM_MODEL_DIRTY_H

#include "field.h"

/* Units of one size that hold a dirty page; they are aligned, the range need not be. */
struct dirty_units {
	uint64_t count;
	uint64_t first;			/* address of the first dirty page */
	uint64_t last;			/* and of the last */
};

/**
 * dirty__bytes() - bytes of dirty units that lie inside a range
 *
 * @shift: log2 of the unit's size
 * @start, @length: the range; only its first and last unit can stick out
 */
uint64_t dirty__bytes(const struct dirty_units *units, unsigned int shift, uint64_t start,
		      uint64_t length);

/**
 * dirty__from_leaves() - what a sync of an IOMMU's leaves tells about units of each size
 *
 * The dirty state of a leaf says nothing about smaller units. Larger ones are known where
 * the caller's bitmap was counted (@counted), or where no two leaves can share one.
 *
 * @leaves: dirty leaves by size, as sync_sample.dirty_entries; [0] UNKNOWN: not known
 * @counted: dirty bytes by a count of the caller's bitmap, or all UNKNOWN
 * @bytes: filled in for each of UNIT_SIZE_SHIFTS, UNKNOWN where nothing is known
 */
void dirty__from_leaves(const uint64_t leaves[LEAF_SIZES], uint64_t dirty_bytes,
			const uint64_t counted[UNIT_SIZES], uint64_t bytes[UNIT_SIZES]);

#endif
